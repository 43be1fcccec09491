"""A task as a search sees it: what can be evaluated, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import Task, class_labels, load_task, parse_task
from nasrank.errors import DataError
from nasrank.seeds import numpy_generator

__all__ = ["PROTOCOLS", "Problem", "load_problem", "problem_of"]

PROTOCOLS = ("classes", "strings", "unique-strings")
"""What can count as an architecture."""
_ROUNDING = 1e-12
"""Labels this near to the best, by its size, differ from it by the rounding of a mean."""

_TOP_SHARE = 0.1
"""Seeds differ less among good architectures, so noise is that of the best tenth."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What a search of a task can evaluate; U places, which are isomorphism classes or texts.

    Architectures of one class compute the same function, so usually a search evaluates one of
    each at most: a twin would cost an evaluation and tell nothing. A class is worth the mean label
    of its architectures, as everywhere else in this package. Published searches evaluate texts,
    each worth the mean of its own trainings; with ``unique-strings`` none of a class that is
    evaluated. A training that failed is an evaluation too: it is spent, and tells that this one
    is no good.

    Attributes:
        task: The task.
        protocol: One of `PROTOCOLS`.
        classes: ``[U]`` number of the class of each place; ascending where places are classes.
        labels: ``[U]`` what each is worth, higher is better: negated where lower is better. As
            the worst of all where its training failed, as the best where it differs from it by
            rounding alone.
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
    protocol: str
    classes: NDArray[np.int64]
    labels: NDArray[np.float64]
    failed: NDArray[np.bool_]
    architecture: NDArray[np.int64]
    cost_seconds: NDArray[np.float64] | None
    test_name: str | None
    test_labels: NDArray[np.float64] | None
    tolerance: float | None

    @property
    def once(self) -> bool:
        """Whether one of a class that is evaluated cannot be evaluated again."""
        return self.protocol != "strings"

    def left(self, order: Sequence[int]) -> NDArray[np.bool_]:
        """Say of each place whether it can be evaluated after those in ``order``."""
        free = np.ones(len(self), bool)
        if self.protocol == "unique-strings":
            free = ~np.isin(self.classes, self.classes[order])
        free[order] = False
        return free

    def places_of(self, architectures: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places that some architectures are of, ascending, each once."""
        known, wanted = self.architecture, architectures
        if self.protocol == "classes":
            known, wanted = self.classes, self.task.space.class_of[architectures]
        return np.flatnonzero(np.isin(known, wanted))

    def seen_by(self, seed: int) -> Problem:
        """Return it as a search sees it whose every evaluation is one training.

        Each place is worth one of its labels, drawn from all trainings of its architectures, the
        same for every method of a seed. Only what tells places apart changes: the best there is
        has to be asked of the problem itself.
        """
        places, values = self.trainings
        draw = numpy_generator(seed, stream="search", part="labels").random(len(places))
        order = np.lexsort((draw, places))
        first = order[np.diff(places[order], prepend=-1) > 0]
        labels = self.labels.copy()
        labels[places[first]] = values[first]
        return replace(self, labels=labels)

    @property
    def is_repeated(self) -> bool:
        """Whether any place has several trainings."""
        places, _ = self.trainings
        return len(places) > len(np.unique(places))

    @cached_property
    def trainings(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Place and label of every training there is."""
        space = self.task.space
        place_of = np.full(len(space.class_of), -1, np.int64)
        if self.protocol == "classes":
            of_class = np.full(space.classes, -1, np.int64)
            of_class[self.classes] = np.arange(len(self))
            place_of = of_class[space.class_of]
        else:
            place_of[self.architecture] = np.arange(len(self))
        values = self.task.values
        rows, columns = np.nonzero(~np.isnan(values) & (place_of >= 0)[:, None])
        return place_of[rows], self.sign * values[rows, columns]

    def __len__(self) -> int:
        """Return the number of places that can be evaluated, U."""
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
def load_problem(name: str, protocol: str = "classes") -> Problem:
    """Read a task as a problem, once per process and protocol.

    Raises:
        UsageError: There is no such task.
        DataError: Its data is missing or damaged, or fewer than two classes differ.
    """
    task = load_task(name)
    return problem_of(task, _test_task(name), protocol)


def problem_of(task: Task, test: Task | None = None, protocol: str = "classes") -> Problem:
    """Make a problem of a task.

    Args:
        task: What is searched.
        test: The same architectures with the labels to report in the end, or None.
        protocol: One of `PROTOCOLS`.

    Raises:
        DataError: Fewer than two labels differ, so that there is nothing to find.
    """
    space = task.space
    evaluated = np.flatnonzero(task.evaluated)

    def worth(of: Task) -> NDArray[np.float64]:
        """Labels of all places, in the task's own direction."""
        if protocol != "classes":
            return of.labels[evaluated].astype(np.float64)
        return class_labels(of.labels, space.class_of, space.classes)[classes]

    classes = space.class_of[evaluated]
    architecture = evaluated
    if protocol == "classes":
        classes = np.unique(classes)
        architecture = _first_of(task, evaluated)[classes]
    labels = (1.0 if task.metric.higher_is_better else -1.0) * worth(task)
    failed = np.isnan(labels)
    if len(np.unique(labels[~failed])) < 2:
        raise DataError(
            f"{task.name}: fewer than two labels differ, so there is nothing to find. "
            "Import a table with labels"
        )
    labels[failed] = labels[~failed].min()
    best = labels.max()
    labels[best - labels <= _ROUNDING * abs(best)] = best
    cost = None if task.cost_seconds is None else task.cost_seconds[architecture]
    return Problem(
        task=task,
        protocol=protocol,
        classes=classes,
        labels=labels,
        failed=failed,
        architecture=architecture,
        cost_seconds=cost if cost is None or not np.isnan(cost).any() else None,
        test_name=None if test is None else test.name,
        test_labels=None if test is None else worth(test),
        tolerance=_tolerance(task, labels, classes, architecture, protocol),
    )


def _first_of(task: Task, evaluated: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the architecture that stands for each class, -1 where none was evaluated."""
    first = np.full(task.space.classes, -1, np.int64)
    # Backwards, so that the first one is written last, and a labelled one after all that failed.
    backwards = evaluated[::-1]
    backwards = backwards[np.argsort(~np.isnan(task.labels[backwards]), kind="stable")]
    first[task.space.class_of[backwards]] = backwards
    return first


def _tolerance(
    task: Task,
    labels: NDArray[np.float64],
    classes: NDArray[np.int64],
    architecture: NDArray[np.int64],
    protocol: str,
) -> float | None:
    """Pooled seed deviation of the best tenth over the root of the best one's seeds."""
    values = task.values
    seeds = (~np.isnan(values)).sum(axis=1)
    good, winner = labels >= np.quantile(labels, 1 - _TOP_SHARE), int(labels.argmax())
    if protocol == "classes":
        # The label is the mean over all seeds of all members.
        best_tenth = np.isin(task.space.class_of, classes[good])
        winners = task.space.class_of == classes[winner]
    else:
        best_tenth = np.zeros(len(values), bool)
        best_tenth[architecture[good]] = True
        winners = np.arange(len(values)) == architecture[winner]
    repeated = (seeds > 1) & best_tenth
    if not repeated.any():
        return None
    variance = float(np.nanvar(values[repeated], axis=1, ddof=1).mean())
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
