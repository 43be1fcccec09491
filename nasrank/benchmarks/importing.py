"""``nasrank data import``: read a file or folder into the data folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nasrank.benchmarks.importers import find_importer, formats_of, user
from nasrank.benchmarks.importers.benchmark import imported_names
from nasrank.benchmarks.importers.merge import Saved, save
from nasrank.benchmarks.importers.store import space_path
from nasrank.benchmarks.tasks import SPACES, TaskName
from nasrank.errors import DataError, UsageError

__all__ = ["import_data", "saved_rows"]


def import_data(
    space: str,
    path: Path,
    *,
    label: Sequence[str] = (),
    attributes: Sequence[str] = (),
    dataset: str | None = None,
    lower_is_better: bool = False,
    unit: str | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Saved:
    """Read a file or folder and add its content to a space of the data folder.

    Args:
        space: Name of a public benchmark's space, or any other name for a space of your own.
        path: The file or folder.
        label: Label columns of a file of your own; see `nasrank.benchmarks.importers.user`.
        attributes: Columns of such a file with numbers per node.
        dataset: Dataset of such a file; ``own`` by default.
        lower_is_better: Direction of its label.
        unit: Unit of its label; ``1``, a pure number, by default.
        on_progress: Receives the number of records read, and their total where it is known.

    Returns:
        The space after the import, and what is new in it.

    Raises:
        UsageError: The name is not valid for a space, or the options describe a file of your own
            and the path is that of a public benchmark.
        DataError: The path is missing, damaged or not the expected data, or contradicts an
            earlier import. Nothing is changed then.
    """
    space_path(space)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder. Check the path")
    base = SPACES.built_in(space)
    own = bool(label or attributes or lower_is_better or dataset is not None or unit is not None)
    importer = None if own and base is not None else find_importer(space, path)
    formats = formats_of(space)
    if importer is not None and own:
        raise UsageError(
            f"--label, --attributes, --dataset, --unit and --lower-is-better describe a file of "
            f"your own, but {path} belongs to the public benchmark {space}. Leave them out"
        )
    if importer is not None:
        imported = importer.reader.read(path, on_progress=on_progress)
    elif formats and not (base is not None and user.recognises(path)):
        raise DataError(
            f"{path}: not recognised as data of {space}, whose formats are: {formats}. "
            "Check the path, or choose another name for a space of your own"
        )
    else:
        imported = user.read(
            path,
            on_progress=on_progress,
            space=space,
            built_in=base is not None,
            label=label,
            attributes=attributes,
            dataset=user.DATASET if dataset is None else dataset,
            lower_is_better=lower_is_better,
            unit="1" if unit is None else unit,
        )
    if imported.space != space:
        raise DataError(
            f"{path}: it holds {imported.space} and not {space}. "
            f"Import it with: nasrank data import {imported.space} {path}"
        )
    whole = None
    if base is not None:
        first = base.datasets[0]
        task = base.load(f"{base.name}/{first}", first, base.metrics_of(first)[0])
        whole = task.space
    return save(imported, whole)


def saved_rows(saved: Saved) -> list[dict[str, Any]]:
    """List the tasks that an import made or changed.

    Args:
        saved: What `import_data` returned.

    Returns:
        For each task: task, metric, description, unit, better (``higher`` or ``lower``),
        architectures, labelled (how many of them have a value), replicates (training seeds),
        replaced (how many values were replaced; None for a new metric) and path.
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
        rows.append(
            {
                "task": str(TaskName(benchmark, each.dataset, metric)),
                "metric": name,
                "description": metric.description,
                "unit": metric.unit,
                "better": "higher" if metric.higher_is_better else "lower",
                "architectures": saved.stored.size,
                "labelled": int((~np.isnan(values)).any(axis=1).sum()),
                "replicates": each.width,
                "replaced": saved.measured[key],
                "path": str(saved.stored.path),
            }
        )
    return rows
