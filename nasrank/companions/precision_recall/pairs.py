"""Pairs of distributions whose frontier of precision and recall is known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64, Real
from scipy.special import ndtr

from nasrank.errors import DataError, UsageError
from nasrank.tables import read_parquet

__all__ = [
    "AtomPair",
    "GaussianPair",
    "Given",
    "Pair",
    "discrete_pair",
    "read_pair",
    "sampled_pair",
]

FloatArray = npt.NDArray[np.float64]
Given: TypeAlias = float | Sequence[float] | Real[np.ndarray, "*shape"]
"""Numbers, of which others of the same shape are made."""
Masses: TypeAlias = Sequence[float] | Real[np.ndarray, "..."]

_MOST_EDGES = 4000
_FARTHEST = 230.0
_TAIL = 12.0


@runtime_checkable
class Pair(Protocol):
    """Data P and model Q with known densities."""

    @property
    def data_alone(self) -> float:
        """Mass of the data where the model has none."""

    @property
    def model_alone(self) -> float:
        """Mass of the model where the data has none."""

    def divergence(self, lambdas: Given) -> Float64[FloatArray, "*shape"]:
        """Return the precision-recall divergence at each weight, in [0, min(1, lambda)]."""

    def edges(self) -> Float64[FloatArray, "edges"]:
        """Return ln lambda, ascending, between which the divergence is smooth.

        They hold 0, and the divergence has no curvature beyond the first and the last.
        """

    def alpha(self, lambdas: Given) -> Float64[FloatArray, "*shape"]:
        """Return precision on the frontier at each weight, in [0, min(1, lambda)]."""


@dataclass(frozen=True)
class GaussianPair:
    """Data N(mean, sd^2) against a model N(0, 1).

    Attributes:
        mean: Mean of the data.
        sd: Standard deviation of the data, above 0.
        data_alone: 0: either is positive everywhere.
        model_alone: 0.

    Example:
        >>> GaussianPair(1.0).alpha([0.2, 1.0, 5.0]).round(5)
        array([0.19073, 0.61708, 0.95365])
    """

    mean: float
    sd: float = 1.0
    data_alone: float = 0.0
    model_alone: float = 0.0

    def divergence(self, lambdas: Given) -> Float64[FloatArray, "*shape"]:
        """Return the divergence, from tails that are small where it is small.

        For lambda up to 1 it is ``lambda P(A) - Q(A)``, above 1 ``Q(B) - lambda P(B)``, where A
        is the set on which ``lambda p > q`` and B is the rest.
        """
        weights = np.asarray(lambdas, dtype=np.float64)
        data, model = self._masses(np.log(weights))
        small = weights <= 1
        value = np.where(small, weights * data[0] - model[0], model[1] - weights * data[1])
        return np.maximum(value, 0.0)

    def alpha(self, lambdas: Given) -> Float64[FloatArray, "*shape"]:
        """Return ``lambda P(B) + Q(A)``; see :meth:`divergence`."""
        weights = np.asarray(lambdas, dtype=np.float64)
        data, model = self._masses(np.log(weights))
        # The set A belongs to the smaller of the two densities, which there is the model's.
        return weights * data[1] + model[0]

    def edges(self) -> Float64[FloatArray, "edges"]:
        """Return even steps over all log-ratios that the tails of either side reach."""
        # Chi-squared divergences look at p^2 / q, whose tail may be far wider than p's.
        wider = 9 / np.sqrt(
            np.maximum(np.abs(np.array([2, 2 * self.sd**2 - 1]) - np.array([self.sd**2, 0])), 0.01)
        )
        tail = max(_TAIL, float(wider.max()))
        far = np.array([tail, -tail])
        points = np.concatenate([far, self.mean + self.sd * far])
        z = (points - self.mean) / self.sd
        ratio = np.abs((z * z - points * points) / 2 + np.log(self.sd))
        end = min(float(ratio.max()) + 5.0, _FARTHEST)
        half = np.arange(1, int(np.ceil(4 * end)) + 1) / 4
        inside = np.concatenate([-half[::-1], [0.0], half])
        return np.unique(np.concatenate([inside, self._kinks()]))

    def _kinks(self) -> Float64[FloatArray, "kinks"]:
        """Where the set on which lambda p > q appears or vanishes; none with equal widths."""
        if self.sd == 1:
            return np.zeros(0)
        a, b = (1 - self.sd**-2) / 2, self.mean / self.sd**2
        extreme = b * b / (4 * a) + self.mean**2 / (2 * self.sd**2) + np.log(self.sd)
        # The root grows like a square root from here, so smaller steps are taken next to it.
        near = 0.25 ** np.arange(0, 16)
        return np.concatenate([extreme - near, [extreme], extreme + near])

    def _masses(
        self, log_lambda: Float64[FloatArray, "*shape"]
    ) -> tuple[
        tuple[Float64[FloatArray, "*shape"], Float64[FloatArray, "*shape"]],
        tuple[Float64[FloatArray, "*shape"], Float64[FloatArray, "*shape"]],
    ]:
        """Data's and model's mass of the set A = {lambda p > q}, and of the rest."""
        mean, sd = self.mean, self.sd
        if sd == 1:
            if mean == 0:
                every = (log_lambda > 0).astype(np.float64)
                return (every, 1 - every), (every, 1 - every)
            cut = np.sign(mean) * (mean / 2 - log_lambda / mean)
            away = abs(mean)
            return (ndtr(away - cut), ndtr(cut - away)), (ndtr(-cut), ndtr(cut))
        a, b = (1 - sd**-2) / 2, mean / sd**2
        c = log_lambda - np.log(sd) - mean**2 / (2 * sd**2)
        root = np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))
        one, other = (-b - root) / (2 * a), (-b + root) / (2 * a)
        low, high = np.minimum(one, other), np.maximum(one, other)

        def between(start: FloatArray, end: FloatArray) -> FloatArray:
            # The same difference from whichever side keeps more digits.
            return np.where(start > 0, ndtr(-start) - ndtr(-end), ndtr(end) - ndtr(start))

        def beyond(start: FloatArray, end: FloatArray) -> FloatArray:
            outside: FloatArray = ndtr(start) + ndtr(-end)
            return outside

        data_ends, model_ends = ((low - mean) / sd, (high - mean) / sd), (low, high)
        inside = between(*data_ends), between(*model_ends)
        outside = beyond(*data_ends), beyond(*model_ends)
        if sd > 1:
            return (outside[0], inside[0]), (outside[1], inside[1])
        return (inside[0], outside[0]), (inside[1], outside[1])


@dataclass(frozen=True, eq=False)
class AtomPair:
    """Two lists of masses on the same atoms, such as cells of a grid or weighted samples.

    Attributes:
        data: Mass of the data on each atom, at least 0.
        model: Mass of the model on each, at least 0.

    Example:
        >>> AtomPair(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])).alpha([1.0])
        array([0.5])
    """

    data: Float64[FloatArray, "atoms"]
    model: Float64[FloatArray, "atoms"]

    @property
    def data_alone(self) -> float:
        """Mass of the data on atoms without model."""
        return float(self.data[self.model == 0].sum())

    @property
    def model_alone(self) -> float:
        """Mass of the model on atoms without data."""
        return float(self.model[self.data == 0].sum())

    def divergence(self, lambdas: Given) -> Float64[FloatArray, "*shape"]:
        r"""Return the divergence, without rest where data or model do not add up to 1.

        .. math:: \lambda \le 1: \sum_i (\lambda p_i - q_i)_+ \qquad
            \lambda > 1: \sum_i (q_i - \lambda p_i)_+

        For masses that add up to 1 this is ``min(1, lambda) - alpha``. For weighted samples, that
        do so on average alone, it is an unbiased estimate which vanishes at both ends.
        """
        weights = np.asarray(lambdas, dtype=np.float64)
        first, data, model = self._sorted
        place = self._place(first, weights)
        # Either side is added up from its own end: a total less the rest would leave rounding
        # where the divergence is far below it.
        low = weights * data.after[place] - model.after[place]
        high = model.before[place] - weights * data.before[place]
        return np.maximum(np.where(weights <= 1, low, high), 0.0)

    def alpha(self, lambdas: Given) -> Float64[FloatArray, "*shape"]:
        """Return ``sum(min(lambda p, q))``."""
        weights = np.asarray(lambdas, dtype=np.float64)
        first, data, model = self._sorted
        place = self._place(first, weights)
        return weights * data.before[place] + model.after[place]

    def edges(self) -> Float64[FloatArray, "edges"]:
        """Return the logarithms of all ratios ``q / p``, or even steps where they are many."""
        kinks = np.unique(np.append(self._logs[np.isfinite(self._logs)], 0.0))
        if len(kinks) > _MOST_EDGES:
            kinks = np.union1d(np.linspace(kinks[0], kinks[-1], _MOST_EDGES), [0.0])
        steps = np.arange(np.floor(kinks[0]) + 1, kinks[-1])
        return np.union1d(kinks, steps)

    @cached_property
    def _logs(self) -> Float64[FloatArray, "atoms"]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(self.model) - np.log(self.data)

    @cached_property
    def _sorted(self) -> tuple[Float64[FloatArray, "held"], _Sums, _Sums]:
        """Keys of the ratios q / p, the largest ratio first, and the masses in their order."""
        held = (self.data > 0) | (self.model > 0)
        logs = self._logs[held]
        order = np.argsort(-logs, kind="stable")
        return (
            -logs[order],
            _Sums.of(self.data[held][order]),
            _Sums.of(self.model[held][order]),
        )

    @staticmethod
    def _place(
        keys: Float64[FloatArray, "held"], weights: Float64[FloatArray, "*shape"]
    ) -> Int64[npt.NDArray[np.intp], "*shape"]:
        """How many atoms have ``lambda p < q``."""
        place: npt.NDArray[np.intp] = np.searchsorted(keys, -np.log(weights), side="left")
        return place


@dataclass(frozen=True, eq=False)
class _Sums:
    """Masses added up from either end.

    Attributes:
        before: Of as many as the place says, from the first on.
        after: Of all others, from the last on.
    """

    before: Float64[FloatArray, "places"]
    after: Float64[FloatArray, "places"]

    @classmethod
    def of(cls, masses: Float64[FloatArray, "held"]) -> _Sums:
        return cls(
            np.append(0.0, np.cumsum(masses)), np.append(np.cumsum(masses[::-1])[::-1], 0.0)
        )


def discrete_pair(data: Masses, model: Masses) -> AtomPair:
    """Return a pair of distributions on finitely many points.

    Args:
        data: Masses, at least 0; scaled to add up to 1.
        model: Masses, likewise.

    Raises:
        UsageError: Lengths differ, or all masses are 0.
    """
    p, q = np.asarray(data, dtype=np.float64), np.asarray(model, dtype=np.float64)
    if p.shape != q.shape:
        raise UsageError(
            f"{p.size} masses of the data and {q.size} of the model. Give --p and --q "
            "the same number"
        )
    for name, masses in (("--p", p), ("--q", q)):
        if masses.sum() <= 0:
            raise UsageError(f"{name}: all masses are 0. Give at least one above 0")
    return AtomPair(p / p.sum(), q / q.sum())


def sampled_pair(
    data_ratio: Sequence[float] | Real[np.ndarray, "n"],
    model_ratio: Sequence[float] | Real[np.ndarray, "m"],
) -> AtomPair:
    """Return the pair that samples with known densities stand for.

    Half of the weight is on samples of the data and half on samples of the model, as in the
    estimate of precision that averages over both. All estimates by it are unbiased.

    Args:
        data_ratio: ``p / q`` at samples drawn from the data; infinite where q is 0.
        model_ratio: ``p / q`` at samples drawn from the model, at least 0.

    Raises:
        UsageError: Either side is empty, or a ratio cannot be one.
    """
    real, fake = np.asarray(data_ratio, np.float64), np.asarray(model_ratio, np.float64)
    if not real.size or not fake.size:
        raise UsageError("samples of both distributions are needed. Mark them p and q")
    if np.isnan(real).any() or (real <= 0).any() or not np.isfinite(fake).all() or fake.min() < 0:
        raise UsageError(
            "a sample has density 0 under the distribution it was drawn from. Check the "
            "columns p and q"
        )
    half_real, half_fake = 0.5 / real.size, 0.5 / fake.size
    return AtomPair(
        np.concatenate([np.full(real.size, half_real), half_fake * fake]),
        np.concatenate([half_real / real, np.full(fake.size, half_fake)]),
    )


def read_pair(path: Path) -> AtomPair:
    """Read samples with known densities.

    Args:
        path: Parquet with columns ``p`` and ``q``, the densities of data and model at a sample,
            and ``drawn``, which is ``p`` or ``q`` by where the sample came from.

    Raises:
        DataError: The file cannot be read or lacks a column.
        UsageError: See `sampled_pair`.
    """
    table = read_parquet(path)
    for name in ("p", "q", "drawn"):
        if name not in table.column_names:
            raise DataError(
                f"{path}: no column {name!r}. It needs p, q (densities) and drawn ('p' or 'q')"
            )
    try:
        p, q = (np.asarray(table.column(name).to_numpy(), np.float64) for name in ("p", "q"))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path}: densities that are not numbers. Correct columns p and q"
        ) from error
    drawn = np.array([str(each) for each in table.column("drawn").to_pylist()])
    if not len(drawn):
        raise DataError(f"{path}: no rows. Give samples of both distributions")
    if not np.isin(drawn, ["p", "q"]).all():
        raise DataError(f"{path}: column drawn holds something other than p and q. Correct it")
    if not (np.isfinite(p).all() and np.isfinite(q).all() and min(p.min(), q.min()) >= 0):
        raise DataError(f"{path}: densities should be finite and not negative. Correct p and q")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = p / q
    return sampled_pair(ratio[drawn == "p"], ratio[drawn == "q"])
