"""How well the labels of a benchmark agree with themselves.

Training an architecture twice gives two values. No predictor can be expected to order labels
better than their noise allows, so a tau is compared with the best that noise allows.
"""

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from nasrank.metrics.inputs import FloatArray
from nasrank.metrics.tau import kendall_tau

__all__ = ["ceiling_tau", "replicate_tau"]

HALVES = 20
"""Most divisions of the trainings into halves that are compared."""


def replicate_tau(values: npt.ArrayLike, rng: np.random.Generator) -> float | None:
    """Kendall's tau-b between one training seed's value and the mean of the others.

    What a user gets who trains every architecture once. A predictor may exceed it, since it can
    average out the noise of single values.

    Args:
        values: One value for each architecture and training seed ``[items, replicates]``, nan
            where there was no such training. Architectures with fewer than two are left out.
        rng: Chooses the one seed, independently for each architecture.

    Returns:
        A value in [-1, 1]; None without replicates (fewer than two architectures that have
        them) and where all values are equal.

    Raises:
        ValueError: The array does not have two axes.

    Examples:
        Seeds agree on the order whichever is chosen:

        >>> replicate_tau([[1, 2], [5, 6], [8, 9]], np.random.default_rng(0))
        1.0
    """
    table = _table(values)
    table = table[np.count_nonzero(np.isfinite(table), axis=1) >= 2]
    if len(table) < 2:
        return None
    present = np.isfinite(table)
    chance = np.where(present, rng.random(table.shape), -1.0)
    chosen = np.argmax(chance, axis=1, keepdims=True)
    one = np.take_along_axis(table, chosen, axis=1)[:, 0]
    rest = table.copy()
    np.put_along_axis(rest, chosen, np.nan, axis=1)
    return _defined(kendall_tau(one, np.nanmean(rest, axis=1)))


def ceiling_tau(values: npt.ArrayLike, rng: np.random.Generator) -> float | None:
    r"""Bound on the tau that any scores can be expected to reach against the mean labels.

    Let ``m`` be the mean labels, ``m'`` those of as many other trainings, and ``a`` of a pair of
    architectures the probability that ``m`` has it in one order minus that of the other order.
    Scores with the orders ``s`` gain ``sum(s a)``, another set of means ``sum(a a)``, so that by
    the inequality of Cauchy and Schwarz no scores have an expected tau-b above

    .. math:: \sqrt{\tau_b(m, m')}

    whatever the distribution of the noise, and with ties on either side. Only orders enter:
    trainings that explode weigh no more than others. What it takes for granted is that different
    architectures err independently, but for what all trainings of one column share, such as a
    division of the data.

    The tau between two sets of means is estimated from that between two halves of the columns
    (all of them up to 20, else 20 at random), extrapolated to all trainings as for normal noise:
    Greiner's relation from tau to a correlation, the formula of Spearman and Brown, and back.
    Where averaging helps less than that, the bound is generous. It is wider than what the true
    means reach: under normal noise these lack about 1.4 times as much to 1.

    Args:
        values: One value for each architecture and training seed ``[items, replicates]``, nan
            where there was no such training. Architectures without any are left out.
        rng: Chooses the halves where there are many, after it chose as in `replicate_tau`: the
            bound is never below what that returns for a generator in the same state.

    Returns:
        A value in [-1, 1], below 0 only for want of data; None without replicates (fewer than
        two architectures that have them) and where all means are equal.

    Raises:
        ValueError: The array does not have two axes.

    References:
        Kruskal (1958), "Ordinal measures of association", JASA 53, for Greiner's relation.

        Brown (1910), "Some experimental results in the correlation of mental abilities", British
        Journal of Psychology 3.

    Examples:
        No noise between seeds, no ceiling:

        >>> ceiling_tau([[1, 1], [5, 5], [8, 8]], np.random.default_rng(0))
        1.0
    """
    table = _table(values)
    single = replicate_tau(table, rng)
    counts = np.count_nonzero(np.isfinite(table), axis=1)
    table, counts = table[counts > 0], counts[counts > 0]
    if np.count_nonzero(counts >= 2) < 2:
        return None
    means: FloatArray = np.nanmean(table, axis=1)
    if means.min() == means.max():
        return None
    between = [
        _extrapolated(tau, sizes, float(counts.mean())) for tau, sizes in _halves(table, rng)
    ]
    known = [
        *([] if single is None else [single]),
        *([float(np.sqrt(np.mean(between)))] if between else []),
    ]
    return max(known, default=None)


def _halves(
    table: Float64[FloatArray, "items replicates"], rng: np.random.Generator
) -> Iterator[tuple[float, tuple[float, float]]]:
    """Yield tau between the means of two halves of the columns, and the mean size of each half."""
    columns = table.shape[1]
    size = columns // 2
    if math.comb(columns, size) <= HALVES:
        # Of two halves of one size, either stands for both.
        chosen = [
            half for half in combinations(range(columns), size) if 2 * size < columns or 0 in half
        ]
    else:
        chosen = [tuple(rng.permutation(columns)[:size]) for _ in range(HALVES)]
    present = np.isfinite(table)
    filled = np.where(present, table, 0.0)
    for half in chosen:
        inside = np.isin(np.arange(columns), half)
        first, second = present[:, inside].sum(axis=1), present[:, ~inside].sum(axis=1)
        both = (first > 0) & (second > 0)
        if np.count_nonzero(both) < 2:
            continue
        first, second = first[both], second[both]
        tau = kendall_tau(
            filled[both][:, inside].sum(axis=1) / first,
            filled[both][:, ~inside].sum(axis=1) / second,
        )
        if not np.isnan(tau):
            yield tau, (float(first.mean()), float(second.mean()))


def _extrapolated(tau: float, sizes: tuple[float, float], trainings: float) -> float:
    """Return tau between two sets of means of all trainings, given that between two halves.

    With the reliability ``r`` of a single value, means of ``k`` have ``k r / (1 + (k - 1) r)``,
    and the correlation of two means is the root of the product of theirs.
    """
    square = math.sin(math.pi / 2 * max(tau, 0.0)) ** 2
    k, m = sizes
    # k m r^2 = square (1 + (k - 1) r) (1 + (m - 1) r)
    lead = k * m - square * (k - 1) * (m - 1)
    half = square * (k + m - 2) / 2
    single = (half + math.sqrt(half**2 + lead * square)) / lead
    together = trainings * single / (1 + (trainings - 1) * single)
    return 2 / math.pi * math.asin(min(together, 1.0))


def _table(values: npt.ArrayLike) -> Float64[FloatArray, "items replicates"]:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f"'values' should have axes items and replicates, not {table.ndim}")
    return table


def _defined(tau: float) -> float | None:
    return None if np.isnan(tau) else tau
