"""Tables that trackers of experiments export: W&B, MLflow, and data frames of Optuna.

Such a table says by the prefix of a column whether it was chosen (``config.lr``, ``params.lr``) or
measured (``summary.val_acc``, ``metrics.val_acc``), and has columns that describe runs. Prefixes
are dropped; what was measured or describes runs is never a setting, nor is a column without a
prefix where others have one that says they were chosen.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from nasrank.benchmarks.importers.column_names import OWN

__all__ = ["Export", "is_export", "read_export"]

_CHOSEN = ("config.", "config/", "params.", "hparams.", "hyperparameters.")
_CHOSEN_OF_FRAMES = "params_"
_MEASURED = ("summary.", "summary/", "metrics.", "metric.")
_TAGS = ("tags.", "user_attrs.", "system_attrs.", "user_attrs_", "system_attrs_", "attributes.")
_RUNS = {
    *("name", "state", "status", "notes", "user", "tags", "created", "runtime", "sweep"),
    *("hostname", "host", "run id", "run_id", "run_name", "run name", "experiment_id"),
    *("experiment id", "artifact_uri", "start_time", "end_time", "start time", "end time"),
    *("duration", "source name", "source type", "source_name", "source_type", "user_id"),
    *("lifecycle_stage", "updated", "description", "commit", "github", "gpu type", "gpu count"),
    *("job type", "group", "number", "datetime_start", "datetime_complete", "value", "label"),
    *("id", "created_at", "url"),
}
"""What describes runs and not what was run, in lower case."""
_OF_WANDB = {"state", "runtime", "created", "user", "sweep", "notes", "tags", "hostname", "name"}
_FEWEST_OF_WANDB = 4
_OF_FRAMES = {"number", "state"}
_NAMES = ("name", "run_name", "run name", "run_id", "run id", "id")
_SECONDS = ("runtime", "_runtime")


@dataclass(frozen=True)
class Export:
    """What the columns of an export are.

    Attributes:
        names: The new name of each column.
        results: New names of the columns that are no settings.
        notes: What was understood, a clause each.
    """

    names: Mapping[str, str]
    results: frozenset[str]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Parts:
    """The columns of an export by what they are.

    Attributes:
        chosen: Those with a prefix of settings.
        described: Those that describe runs.
        measured: Those with a prefix of what was measured or noted.
        prefixes: The prefixes of settings.
    """

    chosen: Collection[str]
    described: Collection[str]
    measured: Collection[str]
    prefixes: tuple[str, ...]


def is_export(columns: Collection[str]) -> bool:
    """Return whether columns are those of an export.

    Example:
        >>> is_export(["config.lr", "summary.acc"]), is_export(["lr", "acc"])
        (True, False)
    """
    return _parts(columns) is not None


def _parts(columns: Collection[str]) -> _Parts | None:
    lower = {name.lower() for name in columns}
    of_frames = lower >= _OF_FRAMES and any(each.startswith(_CHOSEN_OF_FRAMES) for each in lower)
    prefixes = (*_CHOSEN, _CHOSEN_OF_FRAMES) if of_frames else _CHOSEN
    chosen = {name for name in columns if name.startswith(prefixes)}
    described = {name for name in columns if name.lower() in _RUNS}
    measured = {name for name in columns if name.startswith((*_MEASURED, *_TAGS, "_"))}
    # The table of W&B's pages does not say what was chosen and what was measured.
    of_pages = len(lower & _OF_WANDB) >= _FEWEST_OF_WANDB and "state" in lower
    if not (of_pages or (chosen and (measured or described))):
        return None
    return _Parts(chosen, described, measured, prefixes)


def read_export(cells: Mapping[str, Sequence[object]]) -> Export | None:
    """Say what the columns of an export are.

    Runs are named by the first column of names that all differ; the run time of W&B is the cost
    in seconds. A prefix stays where the name would be taken or mean something else without it.

    Args:
        cells: ``[rows]`` values by column.

    Returns:
        What they are, or None for a table that no tracker exported.

    Example:
        >>> found = read_export({"config.lr": [0.1], "summary.acc": [5], "Notes": [None]})
        >>> dict(found.names), sorted(found.results)
        ({'config.lr': 'lr', 'summary.acc': 'acc', 'Notes': 'Notes'}, ['Notes', 'acc'])
    """
    parts = _parts(cells)
    if parts is None:
        return None
    names: dict[str, str] = {}
    taken = {*cells}
    for name in sorted(cells, key=lambda each: each not in parts.chosen):
        prefix = next(
            (each for each in (*parts.prefixes, *_MEASURED) if name.startswith(each)), ""
        )
        short = name.removeprefix(prefix)
        free = bool(short) and short not in taken and not OWN.know(short)
        names[name] = short if prefix and free else name
        taken.add(names[name])
    notes = _with_meanings(cells, names, parts.chosen)
    # Where prefixes say what was chosen, nothing else was.
    unchosen = {*cells} if parts.chosen else {*parts.described, *parts.measured}
    results = frozenset(names[name] for name in cells if name in unchosen - {*parts.chosen})
    return Export({name: names[name] for name in cells}, results, tuple(notes))


def _with_meanings(
    cells: Mapping[str, Sequence[object]], names: dict[str, str], chosen: Collection[str]
) -> list[str]:
    """Find the names of runs, their cost and the objective of a frame; return what to say."""
    notes = []
    written = {name.lower(): name for name in cells if name not in chosen}
    short = {names[name].lower(): name for name in cells if name not in chosen}
    if "id" not in names.values():
        for each in _NAMES:
            column = cells.get(written.get(each, ""), ())
            if column and None not in column and len({*map(str, column)}) == len(column):
                names[written[each]] = "id"
                notes.append(f"runs are named by {written[each]}")
                break
    if "cost_seconds" not in names.values():
        for each in _SECONDS:
            column = cells.get(short.get(each, ""), ())
            numbers = [cell for cell in column if cell is not None]
            if numbers and all(type(cell) in {int, float} and cell >= 0 for cell in numbers):  # type: ignore[operator]
                names[short[each]] = "cost_seconds"
                notes.append(f"{short[each]} is the cost in seconds")
                break
    if "label" not in names.values() and written.keys() >= _OF_FRAMES and "value" in written:
        names[written["value"]] = "label"
    return notes
