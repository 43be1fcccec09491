"""A task as a search sees it: what can be evaluated, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import Task, class_labels, load_task, parse_task
from nasrank.errors import DataError

__all__ = ["Problem", "load_problem", "problem_of"]

_TOP_SHARE = 0.1
"""Seeds differ less among good architectures, so noise is that of the best tenth."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The isomorphism classes of a task that were evaluated; U of them.

    Architectures of one class compute the same function, so a search evaluates one of each at
    most: a twin would cost an evaluation and tell nothing. A class is worth the mean label of
    its architectures, as everywhere else in this package. A training that failed is an evaluation
    too: it is spent, and tells that this one is no good.

    Attributes:
        task: The task.
        classes: ``[U]`` numbers of the classes, ascending.
        labels: ``[U]`` what each is worth, higher is better: negated where lower is better. As
            the worst of all where its training failed.
        failed: ``[U]`` True there.
        architecture: ``[U]`` position of the architecture that stands for it, its first labelled
            one, or its first where all failed.
        cost_seconds: ``[U]`` GPU-seconds to train that one, or None where unknown.
        test_name: Name of the task whose labels say what the found one is worth on unseen data,
            or None where there is none.
        test_labels: ``[U]`` mean label there, in that metric's own direction, NaN where missing.
        tolerance: One standard error of the best one's label, in the metric's unit, or None
            where no architecture has several training seeds: labels this near to the best are
            within noise of it.
    """

    task: Task
    classes: NDArray[np.int64]
    labels: NDArray[np.float64]
    failed: NDArray[np.bool_]
    architecture: NDArray[np.int64]
    cost_seconds: NDArray[np.float64] | None
    test_name: str | None
    test_labels: NDArray[np.float64] | None
    tolerance: float | None

    def __len__(self) -> int:
        """Return the number of classes that can be evaluated, U."""
        return len(self.classes)

    @property
    def best(self) -> float:
        """The best label there is."""
        return float(self.labels.max())

    def told(self, order: Sequence[int]) -> NDArray[np.float64]:
        """Return what a search learns from evaluations: failures are level with its own worst.

        Args:
            order: Places of the evaluated classes.

        Returns:
            Their labels; all 0 where every one failed.
        """
        failed, labels = self.failed[order], self.labels[order]
        worst = labels[~failed].min() if not failed.all() else 0.0
        return np.where(failed, worst, labels)

    @property
    def sign(self) -> float:
        """-1 where lower is better, else 1."""
        return 1.0 if self.task.metric.higher_is_better else -1.0

    def ranks(self) -> NDArray[np.int64]:
        """``[U]`` place of each among all, 1 = best; equal labels share the best of places."""
        ordered = np.sort(-self.labels)
        return np.searchsorted(ordered, -self.labels, side="left").astype(np.int64) + 1


@lru_cache(maxsize=8)
def load_problem(name: str) -> Problem:
    """Read a task as a problem, once per process.

    Raises:
        UsageError: There is no such task.
        DataError: Its data is missing or damaged, or fewer than two classes differ.
    """
    task = load_task(name)
    return problem_of(task, _test_task(name))


def problem_of(task: Task, test: Task | None = None) -> Problem:
    """Make a problem of a task.

    Args:
        task: What is searched.
        test: The same architectures with the labels to report in the end, or None.

    Raises:
        DataError: Fewer than two labels differ, so that there is nothing to find.
    """
    space = task.space
    worth = class_labels(task.oriented_labels, space.class_of, space.classes)
    evaluated = np.flatnonzero(task.evaluated)
    classes = np.unique(space.class_of[evaluated])
    labels = worth[classes]
    failed = np.isnan(labels)
    if len(np.unique(labels[~failed])) < 2:
        raise DataError(
            f"{task.name}: fewer than two labels differ, so there is nothing to find. "
            "Import a table with labels"
        )
    labels[failed] = labels[~failed].min()
    first = np.full(space.classes, -1, np.int64)
    # Backwards, so that the first one is written last, and a labelled one after all that failed.
    backwards = evaluated[::-1]
    backwards = backwards[np.argsort(~np.isnan(task.labels[backwards]), kind="stable")]
    first[space.class_of[backwards]] = backwards
    architecture = first[classes]
    cost = None if task.cost_seconds is None else task.cost_seconds[architecture]
    of_test = None
    if test is not None:
        of_test = class_labels(test.labels, space.class_of, space.classes)[classes]
    return Problem(
        task=task,
        classes=classes,
        labels=labels,
        failed=failed,
        architecture=architecture,
        cost_seconds=cost if cost is None or not np.isnan(cost).any() else None,
        test_name=None if test is None else test.name,
        test_labels=of_test,
        tolerance=_tolerance(task, labels, classes),
    )


def _tolerance(
    task: Task, labels: NDArray[np.float64], classes: NDArray[np.int64]
) -> float | None:
    """Pooled seed deviation of the best tenth over the root of the best one's seeds."""
    values = task.values
    seeds = (~np.isnan(values)).sum(axis=1)
    best_tenth = np.zeros(task.space.classes, bool)
    best_tenth[classes[labels >= np.quantile(labels, 1 - _TOP_SHARE)]] = True
    repeated = (seeds > 1) & best_tenth[task.space.class_of]
    if not repeated.any():
        return None
    variance = float(np.nanvar(values[repeated], axis=1, ddof=1).mean())
    winners = task.space.class_of == classes[int(labels.argmax())]
    # The label is the mean over all seeds of all members.
    return float(np.sqrt(variance / seeds[winners].sum()))


def _test_task(name: str) -> Task | None:
    """The task of the same dataset that the field reports once a search is over."""
    parsed = parse_task(name)
    wanted = {
        parsed.metric.name.replace(validation, "test")
        for validation in ("validation", "valid", "val")
        if parsed.metric.name.startswith(validation)
    }
    for metric in parsed.benchmark.metrics_of(parsed.dataset):
        if metric.name in wanted:
            path = f"{parsed.benchmark.name}/{parsed.dataset}:{metric.name}"
            return load_task(path)
    return None
