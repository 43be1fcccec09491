"""Which architectures a run trains on and which it is scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.groups import class_units, largest_side, train_side
from nasrank.benchmarks.sampling import order_classes
from nasrank.benchmarks.space import Task, class_labels
from nasrank.errors import DataError, UsageError
from nasrank.registry import unknown_name
from nasrank.seeds import numpy_generator

__all__ = [
    "LABELS",
    "MINIMUM_TEST",
    "SPLITS",
    "TESTS",
    "Split",
    "largest_train_size",
    "make_split",
]

SPLITS = ("class", "random")
LABELS = ("mean", "single")
TESTS = ("rest", "all")
MINIMUM_TEST = 20
"""Fewest items that are left to test on."""
_LARGEST_SHARE = 0.8
"""Largest share of the labelled classes, or architectures, that may be trained on."""


@dataclass(frozen=True, eq=False)
class Split:
    """The data of one run. All labels are oriented: higher is better.

    Attributes:
        train: ``[n_train]`` positions in the space, in the order in which they were drawn, so
            that a smaller training set of the same seed is a prefix of a larger one.
        targets: ``[n_train]`` what the predictor is trained on; the least of all others where a
            training failed.
        train_labels: ``[n_train]`` true labels of the training architectures; they differ from
            ``targets`` where a predictor is given a single replicate. As the target where a
            training failed.
        test: ``[n_test]`` positions of the architectures that are scored.
        test_labels: ``[n_test]`` their true labels.
        groups: ``[n_test]`` isomorphism class of each where isomorphic ones may be ranked, or
            None where every test architecture has a class of its own.
        in_train: ``[n_test]`` True for a scored architecture that was trained on, or None where
            there are none.
    """

    train: NDArray[np.int64]
    targets: NDArray[np.float64]
    train_labels: NDArray[np.float64]
    test: NDArray[np.int64]
    test_labels: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    in_train: NDArray[np.bool_] | None

    @property
    def universe_size(self) -> int:
        """Architectures of train and test together, each counted once."""
        twice = 0 if self.in_train is None else int(self.in_train.sum())
        return len(self.train) + len(self.test) - twice


def largest_train_size(task: Task, split: str, labels: str = "mean") -> int:
    """Return the most architectures a run may train on: 80 % of those labelled, 20 left to test.

    Where the space has groups, ``class`` puts whole groups on either side, and this size is
    possible with every seed.

    Args:
        task: The task.
        split: ``"class"`` counts isomorphism classes, ``"random"`` counts architectures.
        labels: ``"single"`` counts only architectures with values of two training seeds.
    """
    # Failed trainings are drawn too, so what is left to test only grows.
    known = (~np.isnan(task.values)).sum(axis=1) >= (2 if labels == "single" else 1)
    if split != "class":
        return _most_trained(int(known.sum()))
    classes = np.unique(task.space.class_of[known])
    if task.group_of is None:
        return _most_trained(len(classes))
    return largest_side(np.bincount(_units(task)[classes]), _most_trained(len(classes)))


def _most_trained(units: int) -> int:
    return max(0, min(int(_LARGEST_SHARE * units + 1e-9), units - MINIMUM_TEST))


def _units(task: Task) -> NDArray[np.int64]:
    """``[C]`` the unit of each class, which a split must not divide."""
    if task.group_of is None:
        return np.arange(task.space.classes)
    return class_units(task.space.class_of, task.group_of, task.space.classes)


def make_split(
    task: Task,
    n_train: int,
    seed: int,
    *,
    split: str = "class",
    labels: str = "mean",
    test: str = "rest",
    sampling: str = "random",
) -> Split:
    """Draw the training set and the test set of a run.

    ``random`` is the protocol of published tables: ``numpy.random.default_rng(seed)
    .permutation(N)[:n]`` in the space's own order, tested on every other architecture. ``class``
    walks a seeded permutation and takes an architecture unless its isomorphism class is taken
    already; it is tested on one architecture of every other class, the first in the space's
    order, against the mean label of its class. Architectures without a label are skipped, unless
    their training failed: as in a real search, one that failed costs its place in the training
    set, where it is level with the worst that did not fail, and nothing is tested on it.

    Where the space has groups, ``class`` first assigns them: in seeded order each group that
    still fits goes to the training side, up to half of the classes; training sets are drawn from
    that side, and every class of the other side is tested on. Only a training set that is larger
    than that side takes more groups to it, in the same way. ``random`` ignores groups.

    Args:
        task: The task.
        n_train: Size of the training set.
        seed: Seed of the run.
        split: ``"class"`` or ``"random"``.
        labels: ``"mean"`` trains on the mean of all training seeds of an architecture;
            ``"single"`` trains on one of them and scores against the mean of the others.
        test: ``"rest"``, or ``"all"`` to score the training architectures too.
        sampling: How ``class`` draws; see :data:`nasrank.benchmarks.sampling.SAMPLINGS`.

    Raises:
        UsageError: A name is unknown, the size is out of range, or ``labels`` is ``"single"``
            where the task has no replicates.
        DataError: All labels are equal, so there is nothing to learn, too few are known, or all
            trainings drawn failed.
    """
    for kind, value, known in (
        ("split", split, SPLITS),
        ("labels", labels, LABELS),
        ("test", test, TESTS),
    ):
        if value not in known:
            raise unknown_name(kind, value, known)
    if split == "random" and sampling != "random":
        raise UsageError(
            f"--sampling {sampling} needs --split class, since its seed fixes the random split"
        )
    truth, targets = _values(task, labels, seed)
    labelled = ~np.isnan(truth) & ~np.isnan(targets)
    distinct = truth[labelled]
    if len(distinct) and distinct.min() == distinct.max():
        raise DataError(
            f"{task.name}: all labels are equal, so there is nothing to rank. "
            "Choose another metric with --tasks SPACE/DATASET:METRIC"
        )
    largest = largest_train_size(task, split, labels)
    grouped = task.group_of is not None
    unit = "classes" if split == "class" else "architectures"
    if largest < 2:
        raise DataError(
            f"{task.name}: too few labelled {unit} to train on 2 and test on {MINIMUM_TEST}. "
            "Choose another task; see all with: nasrank data list"
        )
    if not 2 <= n_train <= largest:
        raise UsageError(
            f"--n-train {n_train} is out of range for {task.name}: choose 2 to {largest} "
            f"({100 * _LARGEST_SHARE:.0f} % of its labelled {unit}, {MINIMUM_TEST} left to test"
            f"{', groups undivided' if split == 'class' and grouped else ''})"
        )
    pool = _Pool(task, truth, targets, labelled)
    if split == "random":
        order = np.random.default_rng(seed).permutation(len(task))
        drawable = labelled if task.failed is None else labelled | task.failed
        return pool.by_architecture(order[drawable[order]][:n_train], everything=test == "all")
    order = numpy_generator(seed, stream="split", space=task.space.name).permutation(len(task))
    order = order[pool.drawable_classes[order]]
    _, first = np.unique(task.space.class_of[order], return_index=True)
    drawn = order[np.sort(first)]
    if not grouped:
        train = order_classes(task, drawn, seed, sampling, n_train)
        return pool.by_class(train, everything=test == "all")
    train, side = _from_groups(task, drawn, seed, sampling, n_train)
    return pool.by_class(train, everything=test == "all", side=side)


def _from_groups(
    task: Task, drawn: NDArray[np.int64], seed: int, sampling: str, n_train: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw a training set without dividing a group; return it and ``[C]`` its side."""
    units, classes = _units(task), task.space.class_of[drawn]
    most = _most_trained(len(classes))
    side = train_side(units, classes, min(len(classes) // 2, most))
    train = order_classes(task, drawn[side[classes]], seed, sampling, n_train)
    if len(train) < n_train:
        # What is drawn so far stays the beginning, so that training sets are nested.
        wider = train_side(units, classes, most, side)
        more = drawn[(wider & ~side)[classes]]
        rest = order_classes(task, more, seed, sampling, n_train - len(train))
        train, side = np.concatenate([train, rest]), wider
    return train, side


def _values(task: Task, labels: str, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the true label of every architecture and the target a predictor would get."""
    values = task.oriented_values
    known = ~np.isnan(values)
    if labels == "mean":
        return task.oriented_labels, task.oriented_labels
    counts = known.sum(axis=1)
    if counts.max(initial=0) < 2:
        raise UsageError(
            f"--labels single needs values of several training seeds, and {task.name} has one; "
            "use --labels mean"
        )
    # One draw per architecture and run, shared by all losses and training sizes.
    draw = numpy_generator(seed, stream="replicate", space=task.space.name).random(len(values))
    position = np.minimum((draw * counts).astype(np.int64), np.maximum(counts - 1, 0))
    # Column of the position-th known replicate.
    rank = np.cumsum(known, axis=1) - 1
    chosen = ((rank == position[:, None]) & known).argmax(axis=1)
    rows = np.arange(len(values))
    told = values[rows, chosen]
    others = known.copy()
    others[rows, chosen] = False
    total = np.where(others, values, 0.0).sum(axis=1)
    truth = np.full(len(values), np.nan)
    np.divide(total, counts - 1, out=truth, where=counts > 1)
    return truth, told


@dataclass(frozen=True, eq=False)
class _Pool:
    """Every architecture with its true label and the target a predictor would get."""

    task: Task
    truth: NDArray[np.float64]
    targets: NDArray[np.float64]
    labelled: NDArray[np.bool_]

    @property
    def drawable_classes(self) -> NDArray[np.bool_]:
        """``[N]`` labelled architectures, and failed ones whose whole class has no label."""
        failed, class_of = self.task.failed, self.task.space.class_of
        if failed is None:
            return self.labelled
        worth = np.bincount(class_of[self.labelled], minlength=self.task.space.classes)
        drawable: NDArray[np.bool_] = self.labelled | (failed & (worth[class_of] == 0))
        return drawable

    def _level_with_the_worst(self, labels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give failed trainings the least of the other labels."""
        if np.isnan(labels).all():
            raise DataError(
                f"{self.task.name}: all {len(labels)} trainings drawn failed, so there is nothing "
                "to learn. Choose a larger --n-train"
            )
        return np.where(np.isnan(labels), np.nanmin(labels), labels)

    def by_architecture(self, train: NDArray[np.int64], *, everything: bool) -> Split:
        chosen = np.zeros(len(self.task), bool)
        chosen[train] = True
        test = np.flatnonzero(self.labelled if everything else self.labelled & ~chosen)
        return Split(
            train=train,
            targets=self._level_with_the_worst(self.targets[train]),
            train_labels=self._level_with_the_worst(self.truth[train]),
            test=test,
            test_labels=self.truth[test],
            groups=self.task.space.class_of[test],
            in_train=chosen[test] if everything else None,
        )

    def by_class(
        self,
        train: NDArray[np.int64],
        *,
        everything: bool,
        side: NDArray[np.bool_] | None = None,
    ) -> Split:
        space = self.task.space
        labels = np.where(self.labelled, self.truth, np.nan)
        worth = class_labels(labels, space.class_of, space.classes)
        trained = np.zeros(space.classes, bool)
        trained[space.class_of[train]] = True
        known = ~np.isnan(worth)
        classes = np.flatnonzero(
            known if everything else known & ~(trained if side is None else side)
        )
        return Split(
            train=train,
            targets=self._level_with_the_worst(self.targets[train]),
            # The universe consists of classes, so the label is that of the class.
            train_labels=self._level_with_the_worst(worth[space.class_of[train]]),
            test=space.first_of_class[classes],
            test_labels=worth[classes],
            groups=None,
            in_train=trained[classes] if everything else None,
        )
