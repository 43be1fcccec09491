"""New labels for a space of one's own, and what they change."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.failures import read_outcomes, status_columns
from nasrank.benchmarks.importers.imported import Imported, Measurement
from nasrank.benchmarks.importers.merge import save
from nasrank.benchmarks.importers.records import Records, read_records
from nasrank.benchmarks.importers.store import StoredMeasurement, StoredSpace, find_space
from nasrank.benchmarks.importers.user import candidate_names
from nasrank.benchmarks.space import Metric
from nasrank.benchmarks.tasks import parse_task
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch, joined
from nasrank.graphs.settings import Setting
from nasrank.questions.rank.pool_file import PoolFile

__all__ = ["NewLabels", "read_labels", "store_labels"]

_REMEDY = "Correct the file and give it again"


@dataclass(frozen=True, eq=False)
class NewLabels:
    """Labels of a file, not stored yet.

    Attributes:
        path: The file.
        labels: Label by name of the architecture, in the metric's own direction; None where its
            training failed.
        places: Row or line of each, as messages name it.
    """

    path: Path
    labels: dict[str, float | None]
    places: dict[str, str]


def read_labels(
    path: Path,
    metric: str,
    settings: Sequence[Setting] = (),
    known: Collection[str] = (),
) -> NewLabels:
    """Read names and labels: columns ``id`` and ``label``, or one named like the metric.

    Without ``id`` the names are in a column that holds nothing but names of the space, or, where
    the space has settings only, the settings of each row written out. Rows without a label are
    skipped, unless they say that their training failed.

    Args:
        path: A table as ``nasrank data import`` reads it.
        metric: Name of the metric.
        settings: Settings of a space that has nothing else.
        known: Names of the space.

    Raises:
        DataError: A column is missing, a name comes twice or is none, a label is no number, or
            there is none at all.
    """
    records = read_records(path)
    column = next((name for name in ("label", metric) if name in records.columns), None)
    named_by = "id" if "id" in records.columns else _naming(records, known)
    told = bool(settings) and {*records.columns} >= {each.name for each in settings}
    if column is None or not (named_by or told):
        raise DataError(
            f"{path}: it has the columns {', '.join(records.columns)[:200]}. Give it id and label"
        )
    names = _ids(records, named_by) if named_by else candidate_names(records, settings)
    outcomes = read_outcomes(records, [column], status_columns(records, [column]))
    labels: dict[str, float | None] = {}
    places: dict[str, str] = {}
    for row, name in enumerate(names):
        place = f"{records.unit} {records.places[row]}"
        if name in places:
            raise DataError(f"{path}: {place}: id {name[:60]!a} is that of {places[name]} too")
        places[name] = place
        value = float(outcomes.values[row, 0])
        if outcomes.failed[row]:
            labels[name] = None
        elif not math.isnan(value):
            labels[name] = value
    if not labels:
        raise DataError(f"{path}: no row has a label. Fill the column {column}")
    return NewLabels(path, labels, places)


def _naming(records: Records, known: Collection[str]) -> str | None:
    """Return a column that holds nothing but known names; None where there is none."""
    return next(
        (
            column
            for column in records.columns
            if all(_name(cell) in known for cell in records.column(column))
        ),
        None,
    )


def _name(given: object) -> str:
    whole = isinstance(given, int) and not isinstance(given, bool)
    return str(given).strip() if whole or isinstance(given, str) else ""


def _ids(records: Records, column: str) -> list[str]:
    names = [*map(_name, records.column(column))]
    if "" in names:
        place = f"{records.unit} {records.places[names.index('')]}"
        raise DataError(f"{records.path}: {place}: {column} is not a name. {_REMEDY}")
    return names


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
    values = np.full(len(place), np.nan)
    failed = np.zeros(len(place), np.bool_)
    stored_values = stored.read_columns(measured.columns)
    values[: len(known)] = stored_values[:, 0]
    if measured.failures:
        failed[: len(known)] = stored_values[:, -1] == 1
    before, failed_before = values.copy(), failed.copy()
    for text, label in new.labels.items():
        values[place[text]] = math.nan if label is None else label
        failed[place[text]] = label is None
    given = values[:, None], failed if failed.any() else None
    save(_imported(stored, measured, (*known, *unknown), graphs, given))
    was, now = ~np.isnan(before) | failed_before, ~np.isnan(values) | failed
    other = (failed != failed_before) | (np.nan_to_num(before) != np.nan_to_num(values))
    return int((now & ~was).sum()), int((was & other).sum())


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
    given: tuple[NDArray[np.float64], NDArray[np.bool_] | None],
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
        measurements=(Measurement(measured.dataset, metric, *given),),
        cost_seconds={},
        parameters=None,
        chance={},
        note=origin.note,
        source=origin.source,
        licence=origin.licence,
        citation=origin.citation,
    )
