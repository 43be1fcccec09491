"""What every importer returns: one space with everything that a file holds about it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.understood import Understood
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch

__all__ = ["NAME", "Imported", "Measurement", "out_of_range"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+_.-]{0,63}")
"""How spaces, datasets and metrics are spelt: they occur in task names and file names."""

_LARGEST = 1e150
"""Squares of larger numbers overflow, and those of its inverse vanish."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """One metric of every architecture on one dataset.

    Attributes:
        dataset: What the architectures were trained on, such as ``cifar10``.
        metric: What the values mean.
        values: ``[N, R]`` the metric for each of R training seeds, in the metric's own unit
            (accuracies in percent, times in seconds); NaN where missing, never infinite.
        failed: ``[N]`` True where every training that was tried failed; such a row has no value.
            None where nothing failed.
    """

    dataset: str
    metric: Metric
    values: NDArray[np.float64]
    failed: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Imported:
    """One space as one file has it, checked on construction.

    Attributes:
        space: Name of the space.
        title: What it is, in one line.
        architectures: ``[N]`` unique texts, in the space's own order.
        graphs: ``[N]`` their graphs as the benchmark defines them, before any reduction; None only
            for built-in spaces such as ``nb201``, whose texts are the architectures there.
        drop: Operations that produce nothing.
        contract: Operations that return their input.
        measurements: What was measured; the first of a dataset is that dataset's default.
        cost_seconds: ``[N]`` GPU-seconds of one training for each dataset that has them; NaN
            where unknown.
        parameters: ``[N]`` numbers of weights, NaN where unknown; or None.
        chance: What guessing scores on the default metric, for the datasets where it is known.
        note: What the numbers are, in one line.
        source: Name of the file or folder.
        licence: Licence of the data, as an SPDX name, or what is known about it.
        citation: What to cite.
        groups: ``[N]`` names of groups that a split must not divide, empty for an
            architecture without one; or None.
        understood: What was understood of a user's table; None for everything else.

    Raises:
        DataError: The parts do not fit together; see `Imported.check`.
    """

    space: str
    title: str
    architectures: Sequence[str]
    graphs: GraphBatch | None
    drop: tuple[str, ...]
    contract: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    cost_seconds: Mapping[str, NDArray[np.float64]]
    parameters: NDArray[np.float64] | None
    chance: Mapping[str, float]
    note: str
    source: str
    licence: str
    citation: str
    groups: Sequence[str] | None = None
    understood: Understood | None = None

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        self.check()

    def __len__(self) -> int:
        """Return the number of architectures, N."""
        return len(self.architectures)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Datasets in the order in which measurements first name them."""
        return tuple(dict.fromkeys(each.dataset for each in self.measurements))

    def check(self) -> None:
        """Check lengths, uniqueness and values; cycles are found when the space is stored.

        Raises:
            DataError: There is no architecture or measurement, a text is empty or duplicate, an
                array has another length than the architectures or an infinite value, a metric
                occurs twice on a dataset, a name has characters that task names cannot have, or
                a cost or chance is of a dataset without measurements.
        """
        for complaint in self._complaints():
            raise DataError(f"{self.source}: {complaint}. Repair the file and import it again")

    def _complaints(self) -> Iterator[str]:
        count = len(self.architectures)
        if count == 0:
            yield "it holds no architecture"
        if not self.measurements:
            yield "it has no measurements"
        yield from self._bad_texts()
        if self.graphs is not None and len(self.graphs) != count:
            yield f"it has {len(self.graphs)} graphs for {count} architectures"
        if self.groups is not None and len(self.groups) != count:
            yield f"it has groups of {len(self.groups)} architectures, not of {count}"
        yield from self._bad_measurements()
        for dataset in {*self.cost_seconds, *self.chance} - {*self.datasets}:
            yield f"it has the cost or chance of {dataset}, but no measurements of it"
        columns = {f"cost of {name}": cost for name, cost in self.cost_seconds.items()}
        if self.parameters is not None:
            columns["parameters"] = self.parameters
        for name, column in columns.items():
            if column.shape != (count,):
                yield f"{name} has shape {column.shape} for {count} architectures"
            yield from _bad_values(name, column)
            if (column < 0).any():
                yield f"{name} is negative for architecture {int((column < 0).argmax())}"

    def _bad_texts(self) -> Iterator[str]:
        rows: dict[str, int] = {}
        for row, text in enumerate(self.architectures):
            if not text:
                yield f"architecture {row} has an empty name"
            if rows.setdefault(text, row) != row:
                yield f"architectures {rows[text]} and {row} are both {text[:60]!a}"

    def _bad_measurements(self) -> Iterator[str]:
        seen = set()
        for each in self.measurements:
            for part in (self.space, each.dataset, each.metric.name):
                if not NAME.fullmatch(part):
                    yield f"{part[:60]!a} is not a valid name of a space, dataset or metric"
            name = f"{each.dataset}:{each.metric.name}"
            if name in seen:
                yield f"{name} occurs twice"
            seen.add(name)
            values = each.values
            if values.ndim != 2 or len(values) != len(self) or not values.size:
                yield f"{name} has shape {values.shape} for {len(self)} architectures"
            yield from _bad_values(name, values)
            if each.failed is not None:
                yield from _bad_failures(name, values, each.failed)
            if values.shape[1:] > (1,) and not each.metric.replicates:
                yield f"{name} has {values.shape[1]} columns, but its metric has no replicates"


def _bad_failures(
    name: str, values: NDArray[np.float64], failed: NDArray[np.bool_]
) -> Iterator[str]:
    if failed.shape != values.shape[:1]:
        yield f"{name} has failures of shape {failed.shape} for {len(values)} architectures"
    elif (~np.isnan(values[failed])).any():
        row = int(np.flatnonzero(failed & ~np.isnan(values).all(axis=1))[0])
        yield f"{name} has a value for architecture {row}, which failed"


def _bad_values(name: str, values: NDArray[np.float64]) -> Iterator[str]:
    if values.dtype != np.float64:
        yield f"{name} holds {values.dtype} and not float64"
    elif np.isinf(values).any():
        row = int(np.isinf(values).reshape(len(values), -1).any(axis=1).argmax())
        yield f"{name} is infinite for architecture {row}"
    elif out_of_range(known := values[~np.isnan(values)]):
        yield (
            f"{name} goes from {known.min():.3g} to {known.max():.3g}, and squares of such "
            "numbers overflow or vanish. Write it in another unit"
        )


def out_of_range(values: NDArray[np.float64]) -> bool:
    """Say whether squares of values, or of their differences, overflow or vanish.

    Args:
        values: Any number of values, none of them NaN.
    """
    if not values.size:
        return False
    if np.abs(values).max() > _LARGEST:
        return True
    return bool(0 < values.max() - values.min() < 1 / _LARGEST)
