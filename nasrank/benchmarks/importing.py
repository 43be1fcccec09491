"""``nasrank data import``: read a file or folder into the data folder."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasrank.benchmarks.importers import IMPORTERS, find_importer, formats_of, user
from nasrank.benchmarks.importers.benchmark import imported_names
from nasrank.benchmarks.importers.imported import NAME
from nasrank.benchmarks.importers.merge import Saved, save
from nasrank.benchmarks.importers.store import find_space, space_path
from nasrank.benchmarks.importers.understood import NO_WISHES, Wishes
from nasrank.benchmarks.setting_facts import setting_rows
from nasrank.benchmarks.tasks import SPACES, TaskName
from nasrank.errors import DataError, UsageError
from nasrank.graphs.settings import Setting
from nasrank.limits import reading, require_regular

__all__ = ["import_data", "saved_rows", "understood_record"]


def import_data(
    space: str,
    path: Path,
    *,
    label: Sequence[str] = (),
    attributes: Sequence[str] = (),
    dataset: str | None = None,
    lower_is_better: bool | None = None,
    unit: str | None = None,
    wishes: Wishes = NO_WISHES,
    renamed: Mapping[str, str] | None = None,
    study: str | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Saved:
    """Read a file or folder and add its content to a space of the data folder.

    Args:
        space: Name of a public benchmark's space, or any other name for a space of your own.
        path: The file or folder.
        label: Label columns of a file of your own; see `nasrank.benchmarks.importers.user`.
        attributes: Columns of such a file with numbers per node.
        dataset: Dataset of such a file; ``own`` by default.
        lower_is_better: Direction of its label; None takes it from the label's name.
        unit: Unit of its label; by default as in `nasrank.benchmarks.importers.user`.
        wishes: What columns of such a file are settings, and of which kind.
        renamed: The file's name of a column by the name that its reader looks for; ``cell``
            stands for the column of the architectures.
        study: Name of the study of an Optuna file that holds several.
        on_progress: Receives the number of records read, and their total where it is known.

    Returns:
        The space after the import, and what is new in it.

    Raises:
        UsageError: The name is not valid for a space or dataset, or the options describe a file
            of your own and the path is that of a public benchmark.
        DataError: The path is missing, damaged or not the expected data, or contradicts an
            earlier import. Nothing is changed then.
    """
    space_path(space)
    if dataset is not None and not NAME.fullmatch(dataset):
        raise UsageError(
            f"--dataset {dataset[:60]!a} should be at most 64 letters, digits and + _ . -, with a "
            "letter or digit first"
        )
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check the path")
    if not path.is_dir():
        require_regular(path)
    base = SPACES.built_in(space)
    with reading(path):
        given = (dataset, unit, lower_is_better, study)
        own = bool(label or attributes or wishes or any(each is not None for each in given))
        importer = None if own and base is not None else find_importer(space, path, renamed)
        formats = formats_of(space)
        if importer is not None and own:
            raise UsageError(
                "--label, --attributes, --dataset, --unit, --study, settings and direction "
                f"describe a file of your own, but {path} belongs to the public benchmark "
                f"{space}. Leave them out"
            )
        if importer is not None:
            imported = importer.read(path, on_progress=on_progress, renamed=renamed)
        elif renamed and (importer := find_importer(space, path)) and not importer.has_columns:
            raise UsageError(f"--column: a {importer.title} has no columns. Leave it out")
        elif formats and not (base is not None and user.recognises(path)):
            raise DataError(
                f"{path}: not recognised as data of {space}, whose formats are: {formats}. "
                "Check the path, or choose another name for a space of your own"
            )
        else:
            try:
                imported = user.read(
                    path,
                    on_progress=on_progress,
                    space=space,
                    built_in=base is not None,
                    label=label,
                    attributes=attributes,
                    dataset=user.DATASET if dataset is None else dataset,
                    lower_is_better=lower_is_better,
                    unit=unit,
                    wishes=wishes,
                    known=() if wishes else _known_settings(space, path),
                    renamed=renamed,
                    study=study,
                )
            except DataError as error:
                benchmark = _of_benchmark(path, renamed)
                if benchmark is None:
                    raise
                raise benchmark from error
    if imported.space != space:
        raise DataError(
            f"{path}: it holds {imported.space} and not {space}. "
            f"Import it with: nasrank data import {imported.space} {shlex.quote(str(path))}"
        )
    whole = None
    if base is not None:
        first = base.datasets[0]
        task = base.load(f"{base.name}/{first}", first, base.metrics_of(first)[0])
        whole = task.space
    return save(imported, whole)


def _known_settings(space: str, path: Path) -> tuple[Setting, ...]:
    """Return the settings that a further file of a space has; none where they are to be found."""
    stored = find_space(space)
    if stored is None or path.name in {each.provenance.source for each in stored.measurements}:
        return ()
    return stored.settings


def _of_benchmark(path: Path, renamed: Mapping[str, str] | None) -> DataError | None:
    """Make the error for a benchmark's file that was taken for one of the user's own."""
    found = next((each for each in IMPORTERS if each.recognises(path, renamed)), None)
    if found is None:
        return None
    return DataError(
        f"{path}: no table of your own, but: {found.title}. Import it with: "
        f"nasrank data import {found.spaces[0]} {shlex.quote(str(path))}"
    )


def saved_rows(saved: Saved) -> list[dict[str, Any]]:
    """List the tasks that an import made or changed.

    Args:
        saved: What `import_data` returned.

    Returns:
        For each task: task, metric, description, unit, better (``higher`` or ``lower``),
        architectures, labelled (how many of them have a value), failed (how many have none since
        training failed), replicates (training seeds), replaced (how many values were replaced;
        None for a new metric) and path.
    """
    benchmark = SPACES[saved.stored.name]
    names = imported_names(saved.stored, SPACES.built_in(saved.stored.name))
    rows = []
    for each in saved.stored.measurements:
        key = f"{each.dataset}:{each.metric.name}"
        if key not in saved.measured:
            continue
        name = names[each.dataset, each.metric.name]
        metric = next(one for one in benchmark.metrics_of(each.dataset) if one.name == name)
        values = saved.stored.read_columns(each.columns)
        failed = int((values[:, -1] == 1).sum()) if each.failures else 0
        values = values[:, : each.width]
        rows.append(
            {
                "task": str(TaskName(benchmark, each.dataset, metric)),
                "metric": name,
                "description": metric.description,
                "unit": metric.unit,
                "better": "higher" if metric.higher_is_better else "lower",
                "architectures": saved.stored.size,
                "labelled": int((~np.isnan(values)).any(axis=1).sum()),
                "failed": failed,
                "replicates": each.width,
                "replaced": saved.measured[key],
                "path": str(saved.stored.path),
            }
        )
    return rows


def understood_record(saved: Saved) -> dict[str, Any] | None:
    """Say what was understood of a user's own table.

    Args:
        saved: What `import_data` returned.

    Returns:
        graphs (whether the table writes graphs), settings (see
        :func:`nasrank.benchmarks.setting_facts.setting_rows`; empty without any), left_out (list
        of column and why), named_by (the column of names that was found, None where there is an id
        or none), repeats (rows with the settings of an earlier row), failures (count by reason),
        unfinished (rows whose training goes on), guessed_lower (whether lower is better by the
        label's name alone) and notes. None where the file is not a user's own table.
    """
    found = saved.understood
    if found is None:
        return None
    return {
        "graphs": found.graphs,
        "settings": [] if found.settings is None else setting_rows(found.settings),
        "left_out": [{"column": each.name, "why": each.why} for each in found.left_out],
        "named_by": found.named_by or None,
        "repeats": found.repeats,
        "failures": dict(found.failures),
        "unfinished": found.unfinished,
        "guessed_lower": found.guessed_lower,
        "notes": list(found.notes),
    }
