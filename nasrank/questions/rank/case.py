"""What is to be ranked: evaluated architectures, candidates, and what is known of their space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import load_task
from nasrank.benchmarks.groups import class_units
from nasrank.benchmarks.importers.store import find_space
from nasrank.benchmarks.space import Task, class_labels
from nasrank.benchmarks.splits import make_split
from nasrank.benchmarks.tasks import SPACES, parse_task
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch

__all__ = [
    "FEWEST",
    "Case",
    "Reduction",
    "load_case",
    "operations_unseen",
    "reduction_of",
    "settings_unseen",
    "task_of_space",
]

FEWEST = 8
"""Fewest evaluated architectures, different as graphs, that are learnt from."""


@dataclass(frozen=True)
class Reduction:
    """Which operations have no effect of their own, as `~nasrank.graphs.canonicalise` takes them.

    Attributes:
        drop: Operations that produce nothing.
        contract: Operations that return their input.
    """

    drop: tuple[str, ...]
    contract: tuple[str, ...]


BUILT_IN = Reduction(("none",), ("skip_connect", "skip"))


@dataclass(frozen=True, eq=False)
class Case:
    """Evaluated architectures and candidates of a space, one for each isomorphism class.

    Labels are oriented: higher is better.

    Attributes:
        task: The task.
        graphs: ``[C]`` canonical graphs of the space by class.
        items: ``[n]`` classes that are evaluated.
        labels: ``[n]`` what they are worth, the mean over their architectures; as the worst of
            the others where all their trainings failed.
        names: ``[n]`` the first evaluated architecture of each.
        units: ``[n]`` what cross-validation must not tear apart, the space's groups.
        candidates: ``[m]`` classes without a label.
        candidate_names: ``[m]`` the first architecture of each.
        twins: ``[m]`` other architectures of the same class.
        truth: ``[m]`` labels that were held back, or None.
        reduction: How graphs of the space become canonical.
    """

    task: Task
    graphs: GraphBatch
    items: NDArray[np.int64]
    labels: NDArray[np.float64]
    names: tuple[str, ...]
    units: NDArray[np.int64]
    candidates: NDArray[np.int64]
    candidate_names: tuple[str, ...]
    twins: NDArray[np.int64]
    truth: NDArray[np.float64] | None
    reduction: Reduction

    @property
    def sign(self) -> float:
        """1 where higher is better in the metric's own direction, else -1."""
        return 1.0 if self.task.metric.higher_is_better else -1.0

    @property
    def told_by(self) -> str:
        """What tells architectures apart: ``settings`` where there is nothing else, or graph."""
        return "settings" if self.graphs.only_settings else "graph"

    def part(self, rows: NDArray[np.int64]) -> Case:
        """Return the case with some of the evaluated architectures alone."""
        return replace(
            self,
            items=self.items[rows],
            labels=self.labels[rows],
            names=tuple(self.names[row] for row in rows),
            units=self.units[rows],
        )


def task_of_space(space: str) -> str:
    """Return the task that ``--space`` means: a task, or a space's first one.

    Raises:
        UsageError: There is no such space or task.
        DataError: It has to be imported first.
    """
    if "/" in space:
        return str(parse_task(space))
    if space not in SPACES:
        # Says how to import what can be imported.
        return str(parse_task(f"{space}/"))
    return str(parse_task(f"{space}/{SPACES[space].datasets[0]}"))


def load_case(task_name: str, n_train: int | None = None, seed: int = 0) -> Case:
    """Read what is evaluated and what is not.

    Args:
        task_name: A task.
        n_train: Take so many labelled architectures, drawn as by ``compare`` with the class split,
            and hold the labels of all others back. None takes all labels.
        seed: Seed of that draw.

    Raises:
        UsageError: There is no such task, or n_train is out of range.
        DataError: The task's files are wrong, or its labels too few or all equal.
    """
    task = load_task(task_name)
    space = task.space
    labels = task.oriented_labels
    truth: NDArray[np.float64] | None = None
    if n_train is None:
        worth = class_labels(labels, space.class_of, space.classes)
        evaluated = np.flatnonzero(task.evaluated)
        items = np.unique(space.class_of[evaluated])
        targets = worth[items]
        if not np.isnan(targets).all():
            targets = np.where(np.isnan(targets), np.nanmin(targets), targets)
        first = _first_rows(space.class_of, evaluated)
        names = [space.architectures[first[each]] for each in items.tolist()]
        candidates = np.setdiff1d(np.arange(space.classes), items)
    else:
        split = make_split(task, n_train, seed)
        items, targets = space.class_of[split.train], split.targets
        names = [space.architectures[row] for row in split.train.tolist()]
        candidates, truth = space.class_of[split.test], split.test_labels
    _require(task_name, targets)
    units = np.arange(space.classes)
    if task.group_of is not None:
        units = class_units(space.class_of, task.group_of, space.classes)
    sizes = np.bincount(space.class_of, minlength=space.classes)
    return Case(
        task,
        space.graphs,
        items,
        targets,
        tuple(names),
        units[items],
        candidates,
        tuple(space.architectures[row] for row in space.first_of_class[candidates].tolist()),
        sizes[candidates] - 1,
        truth,
        reduction_of(task_name),
    )


def reduction_of(task_name: str) -> Reduction:
    """Return how graphs of a task's space become canonical.

    Raises:
        DataError: The space's file is damaged.
    """
    stored = find_space(task_name.partition("/")[0])
    if stored is None or stored.vocabulary is None:
        return BUILT_IN
    return Reduction(stored.drop, stored.contract)


def _require(task: str, labels: NDArray[np.float64]) -> None:
    if len(labels) < FEWEST:
        raise DataError(
            f"{task}: {len(labels)} different evaluated architectures are too few to "
            f"learn from. Evaluate at least {FEWEST}, better 40, and import them"
        )
    if labels.min() == labels.max():
        raise DataError(
            f"{task}: all {len(labels)} labels are equal, so there is no order to learn. Evaluate "
            "other architectures, or choose another metric with --space SPACE/DATASET:METRIC"
        )


def _first_rows(class_of: NDArray[np.int64], rows: NDArray[np.int64]) -> dict[int, int]:
    first: dict[int, int] = {}
    for row in rows.tolist():
        first.setdefault(int(class_of[row]), row)
    return first


def operations_unseen(case: Case, graphs: GraphBatch) -> Sequence[str]:
    """Name operations of graphs that no evaluated architecture has."""
    known = case.graphs[case.items].operation_counts().sum(axis=0) > 0
    used = graphs.operation_counts().sum(axis=0) > 0
    return [graphs.vocabulary[code] for code in np.flatnonzero(used & ~known)]


def settings_unseen(case: Case, graphs: GraphBatch) -> Sequence[str]:
    """Spell levels that no evaluated architecture has, and numbers beyond all that have been."""
    known, asked = case.graphs[case.items].settings, graphs.settings
    if known is None or asked is None:
        return []
    unseen = []
    for column, old, values in zip(known.columns, known.values.T, asked.values.T, strict=True):
        seen, given = old[~np.isnan(old)], np.unique(values[~np.isnan(values)])
        if column.kind in ("category", "yes/no") or not len(seen):
            new = given[~np.isin(given, seen)]
        else:
            new = given[(given < seen.min()) | (given > seen.max())]
        unseen += [f"{column.name}={column.shown(value)}" for value in new.tolist()]
    return unseen
