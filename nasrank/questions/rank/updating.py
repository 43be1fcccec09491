"""New labels for a space of one's own, and what they change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.merge import save
from nasrank.benchmarks.importers.records import Records, read_records
from nasrank.benchmarks.importers.store import StoredMeasurement, StoredSpace, find_space
from nasrank.benchmarks.space import Metric
from nasrank.benchmarks.tasks import parse_task
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch, joined
from nasrank.questions.rank.pool import PoolFile

__all__ = ["NewLabels", "read_labels", "store_labels"]

_MISSING = {"", "nan", "na", "n/a", "null", "none"}
_REMEDY = "Correct the file and give it again"


@dataclass(frozen=True, eq=False)
class NewLabels:
    """Labels of a file, not stored yet.

    Attributes:
        path: The file.
        labels: Label by name of the architecture, in the metric's own direction.
        places: Row or line of each, as messages name it.
    """

    path: Path
    labels: dict[str, float]
    places: dict[str, str]


def read_labels(path: Path, metric: str) -> NewLabels:
    """Read names and labels: columns ``id`` and ``label``, or one named like the metric.

    Rows without a label are skipped.

    Args:
        path: A ``.csv``, ``.jsonl`` or ``.parquet`` file.
        metric: Name of the metric.

    Raises:
        DataError: A column is missing, a name comes twice or is none, a label is no number, or
            there is none at all.
    """
    records = read_records(path)
    column = next((name for name in ("label", metric) if name in records.columns), None)
    if "id" not in records.columns or column is None:
        raise DataError(
            f"{path}: it has the columns {', '.join(records.columns)[:200]}. Give it id and label"
        )
    labels: dict[str, float] = {}
    places: dict[str, str] = {}
    for row, record in enumerate(records.rows):
        place = f"{records.unit} {records.places[row]}"
        given = record.get("id")
        whole = isinstance(given, int) and not isinstance(given, bool)
        name = str(given).strip() if whole or isinstance(given, str) else ""
        if not name:
            raise DataError(f"{path}: {place}: id is not a name. {_REMEDY}")
        if name in places:
            raise DataError(f"{path}: {place}: id {name[:60]!a} is that of {places[name]} too")
        places[name] = place
        value = _number(records, row, column)
        if value is not None:
            labels[name] = value
    if not labels:
        raise DataError(f"{path}: no row has a label. Fill the column {column}")
    return NewLabels(path, labels, places)


def store_labels(new: NewLabels, task: str, pool: PoolFile | None) -> tuple[int, int]:
    """Put labels into the space's file, all of them or none.

    What the space does not hold is taken from the pool, graph and all, so that the next ranking
    can learn from it.

    Args:
        new: The labels.
        task: The task whose labels they are.
        pool: Where to look for architectures that the space does not hold, or None.

    Returns:
        Architectures labelled for the first time, and those whose label was another one before.

    Raises:
        UsageError: The space is not one of the user's own, or has labels of several seeds.
        DataError: An architecture is neither in the space nor in the pool, or the data folder
            cannot be written.
    """
    name = parse_task(task)
    stored = find_space(name.benchmark.name)
    if stored is None or stored.vocabulary is None:
        raise UsageError(
            f"--update adds labels to a space of your own, and {name.benchmark.name} is built in. "
            "Give --space another name"
        )
    measured = next(
        each
        for each in stored.measurements
        if (each.dataset, each.metric.name) == (name.dataset, name.metric.name)
    )
    if measured.width > 1:
        raise UsageError(
            f"{task} has labels of {measured.width} training seeds, and --update gives one. "
            f"Import the whole table again: nasrank data import {stored.name} PATH"
        )
    known = stored.read_architectures()
    place = {text: row for row, text in enumerate(known)}
    unknown = [text for text in new.labels if text not in place]
    graphs = stored.read_graphs()
    if unknown:
        graphs = joined([graphs, _from_pool(new, stored, unknown, pool)])
        place |= {text: len(known) + row for row, text in enumerate(unknown)}
    values = np.full((len(place), 1), np.nan)
    values[: len(known)] = stored.read_columns(measured.columns)
    before = values.copy()
    for text, label in new.labels.items():
        values[place[text], 0] = label
    save(_imported(stored, measured, (*known, *unknown), graphs, values))
    fresh = np.isnan(before) & ~np.isnan(values)
    return int(fresh.sum()), int((~np.isnan(before) & (before != values)).sum())


def _from_pool(
    new: NewLabels, stored: StoredSpace, unknown: list[str], pool: PoolFile | None
) -> GraphBatch:
    found: dict[str, GraphBatch] = {}
    if pool is not None:
        found = pool.find(frozenset(unknown))
    missing = [text for text in unknown if text not in found]
    if missing:
        where = stored.name if pool is None else f"{stored.name} and {pool.path}"
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(
            f"{new.path}: {new.places[missing[0]]}: {missing[0][:60]!a}{more} is no architecture "
            f"of {where}. Give the file it comes from with --pool, or import it with its graph"
        )
    return joined([found[text] for text in unknown])


def _imported(
    stored: StoredSpace,
    measured: StoredMeasurement,
    names: tuple[str, ...],
    graphs: GraphBatch,
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> Imported:
    metric = Metric(
        measured.metric.name,
        measured.metric.unit,
        measured.metric.higher_is_better,
        measured.metric.description,
        replicates=False,
    )
    origin = measured.provenance
    return Imported(
        space=stored.name,
        title=stored.title,
        architectures=names,
        graphs=graphs,
        drop=stored.drop,
        contract=stored.contract,
        measurements=(Measurement(measured.dataset, metric, values),),
        cost_seconds={},
        parameters=None,
        chance={},
        note=origin.note,
        source=origin.source,
        licence=origin.licence,
        citation=origin.citation,
    )


def _number(records: Records, row: int, column: str) -> float | None:
    given = records.rows[row].get(column)
    if given is None or (isinstance(given, str) and given.strip().lower() in _MISSING):
        return None
    try:
        number = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        if isinstance(given, float) and math.isnan(given):
            return None
        raise DataError(
            f"{records.path}: {records.unit} {records.places[row]}: {column} is "
            f"{str(given)[:40]!a} and not a finite number. {_REMEDY}"
        )
    return number
