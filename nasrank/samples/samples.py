"""Labelled samples: images or vectors with a class each, in a training and a test part."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError, UsageError
from nasrank.seeds import numpy_generator

__all__ = ["SampleSet", "Samples", "split_by_class", "split_stratified"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Values with a class each.

    Attributes:
        values: Pixels in [0, 1] as ``[n, channels, height, width]``, or vectors ``[n, d]``;
            float32 and finite.
        classes: Indices into ``class_names`` ``[n]``, int64.
        class_names: One name per class, in the order of the indices; a class may have no sample.
        notes: What was left out or changed when they were read, one line each.
        above: For each class the groups that it is in, from the coarsest down; empty where the
            data has no tree.
    """

    values: NDArray[np.float32]
    classes: NDArray[np.int64]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    above: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: ``(channels, height, width)`` or ``(d,)``."""
        return self.values.shape[1:]

    def take(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Samples:
        """Return some of the samples; the classes keep their indices."""
        return replace(self, values=self.values[places], classes=self.classes[places])


@dataclass(frozen=True, eq=False)
class SampleSet:
    """A data set with its training and its test part.

    Attributes:
        name: Its name as given by the user.
        train: Samples to train on.
        test: Samples to measure on, none of them in ``train``.
    """

    name: str
    train: Samples
    test: Samples

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self.train.shape

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.train.class_names

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or changed when they were read, one line each."""
        return self.train.notes

    @property
    def above(self) -> tuple[tuple[str, ...], ...]:
        """For each class the groups that it is in; empty where the data has no tree."""
        return self.train.above

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify every value and class of both parts."""
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            for array in (part.values, part.classes):
                digest.update(repr((array.shape, array.dtype.str)).encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        digest.update("\n".join(self.class_names).encode())
        return digest.hexdigest()[:16]

    def limited(self, train: int | None = None, test: int | None = None) -> SampleSet:
        """Keep at most a given number of samples of each part, the same ones every time.

        The kept ones are a fixed random draw, since files are often sorted by class.

        Args:
            train: Maximum number of training samples; all if None.
            test: Maximum number of test samples; all if None.
        """
        return replace(
            self,
            train=_limit(self.train, train, "train"),
            test=_limit(self.test, test, "test"),
        )


def split_stratified(name: str, samples: Samples, test_share: float = 0.3) -> SampleSet:
    """Split samples class by class, the same way every time.

    Args:
        name: Name of the data set.
        samples: All samples.
        test_share: Share of each class for testing, in (0, 1); each part gets at least one sample
            of every class with two or more.

    Raises:
        DataError: There is no sample.
    """
    if not len(samples):
        raise DataError(f"{name}: it has no samples. Give another file")
    tested = np.zeros(len(samples), dtype=bool)
    rng = numpy_generator(0, stream="stratified")
    for number in range(len(samples.class_names)):
        own = rng.permutation(np.flatnonzero(samples.classes == number))
        if len(own) > 1:
            count = min(max(round(test_share * len(own)), 1), len(own) - 1)
            tested[own[:count]] = True
    return SampleSet(name, samples.take(~tested), samples.take(tested))


def split_by_class(data: SampleSet, unseen: int | None = None) -> SampleSet:
    """Train on some classes and test on the others, which training never sees.

    Both parts of the data set are pooled and split by class: the first classes for training, the
    last ``unseen`` for testing, as is usual for retrieval.

    Args:
        data: The data set.
        unseen: Classes to test on; half of them, rounded down, if None.

    Raises:
        UsageError: Fewer than two classes would be left for either part.
    """
    count = len(data.class_names)
    unseen = count // 2 if unseen is None else unseen
    if unseen < 2 or count - unseen < 2:
        raise UsageError(
            f"{data.name} has {count} classes, so {unseen} unseen ones leave too few: training "
            "and test need at least two each. Give data with four classes or more"
        )
    values = np.concatenate([data.train.values, data.test.values])
    classes = np.concatenate([data.train.classes, data.test.classes])
    pooled = replace(data.train, values=values, classes=classes)
    tested = classes >= count - unseen
    return SampleSet(data.name, pooled.take(~tested), pooled.take(tested))


def _limit(samples: Samples, most: int | None, part: str) -> Samples:
    if most is None or most >= len(samples):
        return samples
    chosen = numpy_generator(0, stream="limit", part=part).permutation(len(samples))[:most]
    return samples.take(np.sort(chosen))
