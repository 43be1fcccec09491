"""What a benchmark is made of: metrics, a space of architectures, and a task on it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.sources import Origin, SourceFile
from nasrank.cache import cached_columns
from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch, canonicalise, isomorphism_classes

__all__ = ["Benchmark", "Metric", "Size", "Space", "Task", "build_space", "class_labels"]

CLASSES_VERSION = 1
"""Increased when the meaning of canonical form or class changes."""

_MEAN_BITS = 40
"""Binary digits of a mean that are kept."""

_PART = 2**21
"""Pairs of nodes that are reduced at once: 42,000 graphs of seven nodes."""


@dataclass(frozen=True)
class Metric:
    """A quantity measured for every architecture.

    Attributes:
        name: Its name, as in ``space/dataset:name``.
        unit: Its unit, such as ``%``, ``s`` or ``parameters``.
        higher_is_better: Its direction.
        description: What was measured, in one line.
        replicates: Whether there are values of several training seeds.
    """

    name: str
    unit: str
    higher_is_better: bool
    description: str
    replicates: bool = False


@dataclass(frozen=True, eq=False)
class Space:
    """All architectures of a benchmark, in the benchmark's own order.

    Attributes:
        name: Name of the set of architectures.
        architectures: ``[N]`` the architectures as text.
        class_of: ``[N]`` isomorphism class of each, numbered by first occurrence.
        graphs: ``[C]`` the canonical graph of each class: that of its first architecture.
        first_of_class: ``[C]`` position of the first architecture of each class.
        field_classes: Counts the classes by the string form that is usual in the field, where
            there is one; slow.
    """

    name: str
    architectures: Sequence[str]
    class_of: NDArray[np.int64]
    graphs: GraphBatch
    first_of_class: NDArray[np.int64]
    field_classes: Callable[[], int] | None = None

    def __len__(self) -> int:
        """Return the number of architectures, N."""
        return len(self.architectures)

    def __contains__(self, architecture: object) -> bool:
        """Return whether a text is exactly that of an architecture."""
        return architecture in self._positions

    @property
    def classes(self) -> int:
        """Number of isomorphism classes, C."""
        return len(self.first_of_class)

    def position(self, architecture: str) -> int:
        """Return the position of an architecture in the space's own order.

        Args:
            architecture: Its text, exactly as in ``architectures``.

        Raises:
            UsageError: The space does not hold it.
        """
        try:
            return self._positions[architecture]
        except KeyError:
            raise UsageError(
                f"{architecture!r} is not an architecture of {self.name}. "
                f"Example of one: {self.architectures[0]}"
            ) from None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {text: index for index, text in enumerate(self.architectures)}


@dataclass(frozen=True, eq=False)
class Task:
    """A metric of one dataset over a space, on which predictors are trained and scored.

    Attributes:
        name: Canonical name, ``space/dataset`` or ``space/dataset:metric``.
        space: The architectures.
        dataset: What the architectures were trained on.
        metric: What the values mean.
        values: ``[N, R]`` the metric for each of R training seeds, in the metric's own unit and
            direction; NaN where missing.
        cost_seconds: ``[N]`` GPU-seconds to train one seed, or None where unknown.
        parameters: ``[N]`` number of weights, or None where unknown.
        chance: What guessing scores, in the metric's unit, or None where unknown.
        sources: The files the numbers come from.
        fingerprint: Hexadecimal digest of the origin of the values: the source files' digests
            and the version of their reader.
        note: What to keep in mind about the numbers, in one line; may be empty.
        group_of: ``[N]`` group of each architecture, -1 for none; or None. The ``class`` split
            never divides a group.
        failed: ``[N]`` True where every training that was tried failed, so that there is no
            value; None where no failure is known.
    """

    name: str
    space: Space
    dataset: str
    metric: Metric
    values: NDArray[np.float64]
    cost_seconds: NDArray[np.float64] | None
    parameters: NDArray[np.float64] | None
    chance: float | None
    sources: tuple[SourceFile, ...]
    fingerprint: str
    note: str = ""
    group_of: NDArray[np.int64] | None = None
    failed: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return the number of architectures, labelled or not."""
        return len(self.space)

    @cached_property
    def labels(self) -> NDArray[np.float64]:
        """``[N]`` mean over the seeds, in the metric's own direction; NaN where there is none.

        Means that differ by less than a part in 10^12 are made equal, since that is the rounding
        of their sums: otherwise ties, at the optimum above all, would be broken by chance.
        """
        known = ~np.isnan(self.values)
        count = known.sum(axis=1)
        total = np.where(known, self.values, 0.0).sum(axis=1)
        mean = np.full(len(count), np.nan)
        np.divide(total, count, out=mean, where=count > 0)
        fraction, exponent = np.frexp(mean)
        rounded = np.ldexp(np.round(fraction * 2**_MEAN_BITS) / 2**_MEAN_BITS, exponent)
        return np.where(count > 1, rounded, mean)

    @cached_property
    def evaluated(self) -> NDArray[np.bool_]:
        """``[N]`` True where an evaluation was spent: labelled, or failed."""
        known = ~np.isnan(self.labels)
        return known if self.failed is None else known | self.failed

    @property
    def oriented_labels(self) -> NDArray[np.float64]:
        """``[N]`` labels with higher always better: negated where lower is better."""
        return self.labels if self.metric.higher_is_better else -self.labels

    @property
    def oriented_values(self) -> NDArray[np.float64]:
        """``[N, R]`` values with higher always better: negated where lower is better."""
        return self.values if self.metric.higher_is_better else -self.values


@dataclass(frozen=True)
class Size:
    """How much a dataset holds.

    Attributes:
        architectures: Number of architectures, labelled or not.
        classes: Number of isomorphism classes.
        replicates: Most training seeds of an architecture.
    """

    architectures: int
    classes: int
    replicates: int = 1


@dataclass(frozen=True)
class Benchmark:
    """The description of a space, without its data.

    Attributes:
        name: Name of the space.
        title: What it is, in one line.
        datasets: Names of its datasets; the first is the default.
        metrics: Its metrics; the first is the default.
        load: Reads one task, given a canonical task name, a dataset and a metric.
        own_metrics: Metrics of the datasets whose metrics are not ``metrics``, the default of
            each first.
        origins: The known file of each dataset, as far as there is one.
        sizes: What that known file holds, so that counts need no reading.
    """

    name: str
    title: str
    datasets: tuple[str, ...]
    metrics: tuple[Metric, ...]
    load: Callable[[str, str, Metric], Task]
    own_metrics: Mapping[str, tuple[Metric, ...]] = field(default_factory=dict, hash=False)
    origins: Mapping[str, Origin] = field(default_factory=dict, hash=False)
    sizes: Mapping[str, Size] = field(default_factory=dict, hash=False)

    def metrics_of(self, dataset: str) -> tuple[Metric, ...]:
        """Return the metrics of one of the datasets; the first is its default."""
        return self.own_metrics.get(dataset, self.metrics)


def build_space(
    name: str,
    architectures: Sequence[str],
    graphs: GraphBatch,
    *,
    drop: Sequence[str] = (),
    contract: Sequence[str] = (),
    field_classes: Callable[[], int] | None = None,
) -> Space:
    """Find the classes of all architectures; the result is kept in the user's cache.

    Args:
        name: Name of the set of architectures; fit for a file name.
        architectures: ``[N]`` the architectures as text.
        graphs: ``[N]`` their graphs as the benchmark defines them, before any reduction.
        drop: Operations that produce nothing.
        contract: Operations that return their input.
        field_classes: See `Space`.

    Returns:
        The space.
    """
    digest = hashlib.sha256()
    for array in (graphs.operations, graphs.adjacency, graphs.mask):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    meaning = (graphs.vocabulary, tuple(drop), tuple(contract), CLASSES_VERSION)
    digest.update(repr(meaning).encode())
    if graphs.attributes is not None:
        digest.update(f"{graphs.attribute_names}{graphs.attributes.shape}".encode())
        digest.update(np.ascontiguousarray(graphs.attributes, np.float32).tobytes())
    if graphs.settings is not None:
        digest.update(f"{graphs.settings.names}{graphs.settings.values.shape}".encode())
        digest.update(np.ascontiguousarray(graphs.settings.values, np.float64).tobytes())
    class_of = cached_columns(
        f"{name}-classes",
        digest.hexdigest(),
        {"class_of": "int64"},
        len(graphs),
        lambda: {
            "class_of": isomorphism_classes(_canonical(graphs, drop=drop, contract=contract))
        },
    )["class_of"]
    _, first = np.unique(class_of, return_index=True)
    first = first.astype(np.int64)
    canonical = _canonical(graphs[first], drop=drop, contract=contract)
    return Space(name, architectures, class_of, canonical, first, field_classes)


def _canonical(graphs: GraphBatch, *, drop: Sequence[str], contract: Sequence[str]) -> GraphBatch:
    """Reduce graphs in parts: all at once, large spaces would need gigabytes."""
    step = max(1, _PART // max(1, graphs.nodes**2))
    parts = [
        canonicalise(graphs[start : start + step], drop=drop, contract=contract)
        for start in range(0, max(1, len(graphs)), step)
    ]
    if len(parts) == 1:
        return parts[0]
    nodes = max(part.nodes for part in parts)
    operations = np.zeros((len(graphs), nodes), np.int16)
    adjacency = np.zeros((len(graphs), nodes, nodes), np.uint8)
    mask = np.zeros((len(graphs), nodes), np.bool_)
    attributes = None
    if graphs.attributes is not None:
        shape = (len(graphs), nodes, len(graphs.attribute_names))
        attributes = np.full(shape, np.nan, np.float32)
    for number, part in enumerate(parts):
        rows = slice(number * step, number * step + len(part))
        operations[rows, : part.nodes] = part.operations
        adjacency[rows, : part.nodes, : part.nodes] = part.adjacency
        mask[rows, : part.nodes] = part.mask
        if attributes is not None:
            attributes[rows, : part.nodes] = part.attributes
    return replace(
        graphs, operations=operations, adjacency=adjacency, mask=mask, attributes=attributes
    )


def class_labels(
    labels: NDArray[np.float64], class_of: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    r"""Mean label of each class over its labelled architectures.

    .. math:: \bar y_c = \frac{1}{|\{i : c_i = c, y_i \text{ known}\}|} \sum_{i : c_i = c} y_i

    Args:
        labels: ``[N]``, any unit; NaN where unlabelled.
        class_of: ``[N]`` class numbers below ``classes``.
        classes: Number of classes.

    Returns:
        ``[classes]`` in the unit of the labels; NaN where no architecture of a class is labelled.

    Example:
        >>> class_labels(np.array([1.0, 3.0, np.nan, np.nan]), np.array([0, 0, 0, 1]), 2)
        array([ 2., nan])
    """
    known = ~np.isnan(labels)
    count = np.bincount(class_of[known], minlength=classes)
    total = np.bincount(class_of[known], weights=labels[known], minlength=classes)
    mean = np.full(classes, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean
