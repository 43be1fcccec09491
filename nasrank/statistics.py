"""From values over seeds to statements: intervals, tests, verdicts, stability of the top.

This is the only place for them. Each interval covers the true value in at least about ``level``
of cases, as ``tests/test_statistics.py`` simulates: Student's for means, the exact binomial one
for shares and order statistics. A seed without a value (nan: a diverged run, an undefined metric)
is left out, in a pair together with its partner, and the number of seeds that did count is
reported.
"""

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "LEVEL",
    "Comparison",
    "Interval",
    "OrderStatistic",
    "Verdict",
    "clustered_interval",
    "clustered_p",
    "compare_with_best",
    "holm",
    "judged",
    "mean_interval",
    "median_interval",
    "order_statistic",
    "paired_interval",
    "paired_p",
    "ratio_interval",
    "seeds_needed",
    "share_interval",
    "top_stability",
    "verdict_of",
]

FloatArray = npt.NDArray[np.float64]
Verdict = Literal["better", "worse", "equivalent", "undecided"]

LEVEL = 0.95
"""Level of every interval unless stated otherwise."""

FLIPS = 9_999
EXACT_SEEDS = 12


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, or their median, and its uncertainty.

    Attributes:
        n_seeds: Seeds that had a value.
        mean: Their mean, or their median; None with no seed.
        lower: Lower bound of it; None with fewer than two seeds, of a median with fewer than six.
        upper: Upper bound of it, likewise.
        p_value: Student's two-sided test that the mean is 0; None with fewer than two seeds, and
            for a median.
    """

    n_seeds: int
    mean: float | None
    lower: float | None
    upper: float | None
    p_value: float | None


@dataclass(frozen=True)
class OrderStatistic:
    """A value that suffices for a share of all seeds, and its uncertainty.

    Attributes:
        n_seeds: Seeds counted.
        value: One of their values, which may be inf; None with too few seeds for the share.
        lower: Lower bound of the quantile, one of the values; None where it is open: too few
            seeds, or inf.
        upper: Upper bound, likewise.
    """

    n_seeds: int
    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Comparison:
    """One loss among several on one metric.

    Attributes:
        n_seeds: Seeds that had a value.
        mean: Their mean, or their median; None with no seed.
        sd: Their standard deviation (S - 1 below); None with fewer than two seeds.
        lower: Lower bound of it, see `Interval`.
        upper: Upper bound of it.
        rank: Place by mean, 1 = best, equal means sharing the best of their places; None with
            no seed.
        best: Whether the rank is 1.
        difference: Mean, or median, of its value minus that of the best on the seeds both have,
            with its 95 % interval; None for the best ones themselves and where no seed is shared.
        verdict: What that interval says against the margin, see `verdict_of`; None likewise.
        p_holm: Sign-flip test of the difference, corrected for the number of losses tested;
            None likewise.
    """

    n_seeds: int
    mean: float | None
    sd: float | None
    lower: float | None
    upper: float | None
    rank: int | None
    best: bool
    difference: Interval | None
    verdict: Verdict | None
    p_holm: float | None


def mean_interval(
    values: npt.ArrayLike, *, level: float = LEVEL, held_out: float = 0.0
) -> Interval:
    r"""Mean over seeds with Student's interval and test.

    For normal values the interval holds the true mean in ``level`` of cases, whatever the number
    of seeds. Skewed ones cost coverage where seeds are few: for exponential values and a level of
    95 % it is about 88 % with 5 seeds, 90 % with 10 and 92 % with 20.

    Folds of cross-validation share their training data and are not independent. With ``held_out``
    the variance of the mean of J folds is corrected to

    .. math:: \left(\frac{1}{J} + \frac{q}{1 - q}\right) s^2

    Args:
        values: One value for each seed ``[S]``, nan where a seed has none.
        level: Share of intervals that hold the true mean, in (0, 1).
        held_out: q, the share of the data that a fold holds out, in [0, 1); 0 for independent
            values.

    Returns:
        The mean, its bounds and its p-value; equal values give an interval of width 0.

    Raises:
        ValueError: The array is not flat.

    References:
        Student (1908), "The probable error of a mean", Biometrika 6(1).
        Nadeau and Bengio (2003), "Inference for the generalization error", Machine Learning 52.
        Bouckaert and Frank (2004), "Evaluating the replicability of significance tests for
        comparing learning algorithms", PAKDD.

    Examples:
        >>> found = mean_interval([1.0, 2.0, float("nan"), 3.0])
        >>> found.n_seeds, found.mean, round(found.lower, 3), round(found.upper, 3)
        (3, 2.0, -0.484, 4.484)

        As folds of three, the variance is (1/3 + 1/2) / 1, so t = 2 / 0.913 = 2.19 on 2 degrees:

        >>> round(mean_interval([1.0, 2.0, 3.0], held_out=1 / 3).p_value, 3)
        0.16
    """
    from scipy.special import stdtr, stdtrit

    seeds = _flat(values)
    present = seeds[np.isfinite(seeds)]
    count = len(present)
    if count < 2:
        return Interval(count, float(present[0]) if count else None, None, None, None)
    mean = float(present.mean())
    shared = math.sqrt(1 + count * held_out / (1 - held_out))
    error = float(present.std(ddof=1)) / count**0.5 * shared
    half = float(stdtrit(count - 1, (1 + level) / 2)) * error
    p_value = 2 * float(stdtr(count - 1, -abs(mean) / error)) if error > 0 else float(mean == 0)
    return Interval(count, mean, mean - half, mean + half, p_value)


def median_interval(values: npt.ArrayLike, *, level: float = LEVEL) -> Interval:
    """Median over seeds with its exact interval, whatever the distribution.

    For values that a few seeds dominate, such as evaluations until something is found: Student's
    interval of their mean may hold it in two cases of three with 10 seeds, this one always in 95
    of 100.

    Args:
        values: One value for each seed ``[S]``, nan where a seed has none.
        level: Least share of intervals that hold the true median, in (0, 1).

    Returns:
        The median, the mean of the middle two where their number is even, and the bounds of
        `order_statistic`; none with fewer than six seeds at 95 %.

    Raises:
        ValueError: The array is not flat.

    Example:
        >>> found = median_interval([1, 2, 3, 4, 5, 600])
        >>> found.mean, found.lower, found.upper
        (3.5, 1.0, 600.0)
    """
    seeds = _flat(values)
    present = seeds[np.isfinite(seeds)]
    if len(present) == 0:
        return Interval(0, None, None, None, None)
    known = order_statistic(present, 0.5, level=level)
    # One end alone would be an interval of another level.
    closed = known.lower is not None and known.upper is not None
    lower, upper = (known.lower, known.upper) if closed else (None, None)
    return Interval(len(present), float(np.median(present)), lower, upper, None)


def paired_interval(
    a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = LEVEL, held_out: float = 0.0
) -> Interval:
    """Mean difference of paired values with Student's interval and test.

    Args:
        a: One value for each seed ``[S]``, nan where a seed has none.
        b: The other method's values for the same seeds ``[S]``.
        level: Share of intervals that hold the true difference, in (0, 1).
        held_out: See `mean_interval`.

    Returns:
        Mean and interval of ``a - b`` over the seeds that have both.

    Raises:
        ValueError: The arrays are not flat or differ in length.

    Example:
        >>> paired_interval([1.0, 2.0, 5.0], [0.0, 1.0, float("nan")]).mean
        1.0
    """
    return mean_interval(_differences(a, b), level=level, held_out=held_out)


def ratio_interval(a: npt.ArrayLike, b: npt.ArrayLike, *, level: float = LEVEL) -> Interval:
    r"""Ratio of the means of paired values, with Fieller's interval.

    Bounds are the ratios r for which the mean of :math:`a - r b` is not told from 0 by Student's
    test. Where the mean of b itself is not told from 0 they are not an interval, and there are
    none: nothing is known of a share of something that may be nothing.

    Args:
        a: One value for each seed ``[S]``, nan where a seed has none.
        b: What it is a share of, for the same seeds ``[S]``.
        level: Share of intervals that hold the true ratio, in (0, 1).

    Returns:
        The ratio of means over the seeds that have both, and its bounds; no p-value.

    Raises:
        ValueError: The arrays are not flat or differ in length.

    References:
        Fieller (1954), "Some problems in interval estimation", Journal of the Royal Statistical
        Society B 16(2).

    Examples:
        >>> found = ratio_interval([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
        >>> found.mean, found.lower
        (0.5, None)
        >>> found = ratio_interval([1.0, 1.1, 0.9, 1.0], [2.0, 2.1, 2.0, 1.9])
        >>> round(found.lower, 3), round(found.upper, 3)
        (0.444, 0.556)
    """
    from scipy.special import stdtrit

    first, second = _flat(a), _flat(b)
    if len(first) != len(second):
        raise ValueError(f"pairs should have two values; got {len(first)} and {len(second)}")
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    count = len(first)
    below = float(second.mean()) if count else 0.0
    if count == 0 or below == 0:
        return Interval(count, None, None, None, None)
    ratio = float(first.mean()) / below
    if count < 2:
        return Interval(count, ratio, None, None, None)
    (v_aa, v_ab), (_, v_bb) = (np.cov(first, second) / count).tolist()
    edge = float(stdtrit(count - 1, (1 + level) / 2)) ** 2
    # The roots of (mean a - r mean b)^2 = edge (v_aa - 2 r v_ab + r^2 v_bb).
    square, middle = below**2 - edge * v_bb, float(first.mean()) * below - edge * v_ab
    inside = middle**2 - square * (float(first.mean()) ** 2 - edge * v_aa)
    if square <= 0:
        return Interval(count, ratio, None, None, None)
    half = math.sqrt(max(inside, 0.0))
    return Interval(count, ratio, (middle - half) / square, (middle + half) / square, None)


def share_interval(count: int, of: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Exact binomial interval of the probability of an event seen in ``count`` of ``of`` trials.

    Args:
        count: Trials in which the event happened.
        of: Trials, at least one.
        level: Least share of intervals that hold the true probability, in (0, 1).

    Returns:
        Lower and upper bound.

    References:
        Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the
        case of the binomial", Biometrika 26(4).

    Example:
        With none of five the upper bound p solves (1 - p)^5 = .025:

        >>> lower, upper = share_interval(0, 5)
        >>> lower, round(upper, 4), round(1 - 0.025 ** (1 / 5), 4)
        (0.0, 0.5218, 0.5218)
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    lower = float(betaincinv(count, of - count + 1, tail)) if count else 0.0
    upper = float(betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return lower, upper


def order_statistic(
    values: npt.ArrayLike,
    share: float,
    *,
    level: float = LEVEL,
    side: Literal["both", "lower", "upper"] = "both",
) -> OrderStatistic:
    """What suffices for a given share of seeds, with the exact interval of that quantile.

    The value is the ceil(share * (S + 1))-th smallest of S: for exchangeable seeds a new one
    needs no more than that with probability at least ``share``. The number of seeds below the
    true quantile is binomial whatever the distribution, so order statistics bound it exactly.
    With too few seeds no value is surely above it, and the interval is open: two-sided 95 %
    intervals close above with 6 seeds for a share of .5, 17 for .8, 36 for .9 and 72 for .95.

    Args:
        values: One for each seed ``[S]``; no nan, but inf for one that never reached the target.
        share: In (0, 1).
        level: Least share of intervals that hold the true quantile, in (0, 1).
        side: Which ends to bound; one end alone takes the whole of ``1 - level``.

    Returns:
        The value and its bounds; all None where the place exceeds S: .8 needs 4 seeds, .9 needs
        9, .95 needs 19.

    Raises:
        ValueError: A value is nan, the array is not flat, or the share is out of range.

    References:
        Vovk et al. (2005), "Algorithmic Learning in a Random World", for the S + 1.
        David and Nagaraja (2003), "Order Statistics", section 7.1, for the interval.

    Examples:
        The ceil(0.8 * 5) = 4th smallest of four:

        >>> order_statistic([90, 80, 120, 100], 0.8).value
        120.0
        >>> order_statistic([90, 80, 120, 100], 0.9).value is None
        True

        Of six coins all or none show heads in 2 of 64 cases, 3 %:

        >>> order_statistic([1, 2, 3, 4, 5, 6], 0.5)
        OrderStatistic(n_seeds=6, value=4.0, lower=1.0, upper=6.0)
    """
    seeds = _flat(values)
    if np.isnan(seeds).any():
        raise ValueError("values of an order statistic should not be nan")
    place = math.ceil(_exact(share) * (len(seeds) + 1))
    if place > len(seeds):
        return OrderStatistic(len(seeds), None, None, None)
    from scipy.special import bdtr

    ordered = np.sort(seeds)
    # Chance that at most k seeds lie below the quantile, k = 0 ... S.
    below = bdtr(np.arange(len(seeds) + 1), len(seeds), share)
    tail = (1 - level) / 2 if side == "both" else 1 - level
    # The i-th smallest is above the quantile, i > k, if at most k = i - 1 seeds lie below it.
    lows = np.flatnonzero(below[:-1] <= tail) if side != "upper" else np.empty(0, np.int64)
    highs = np.flatnonzero(below[:-1] >= 1 - tail) if side != "lower" else np.empty(0, np.int64)
    return OrderStatistic(
        len(seeds),
        float(ordered[place - 1]),
        _finite(ordered[lows[-1]]) if len(lows) else None,
        _finite(ordered[highs[0]]) if len(highs) else None,
    )


def seeds_needed(share: float) -> int:
    """The least number of seeds for which `order_statistic` has a value.

    Args:
        share: In (0, 1).

    Raises:
        ValueError: The share is out of range.

    Examples:
        >>> [seeds_needed(share) for share in (0.5, 0.8, 0.9, 0.95)]
        [1, 4, 9, 19]
    """
    wanted = _exact(share)
    # share (S + 1) <= S
    return max(1, math.ceil(wanted / (1 - wanted)))


def verdict_of(lower: float | None, upper: float | None, margin: float = 0.0) -> Verdict:
    """Say what an interval of a difference means, where a higher difference is better.

    ``better``: all of it lies above the margin; ``worse``: all below minus the margin;
    ``equivalent``: all within the margin either way; ``undecided``: anything else, or no
    interval. With a 95 % interval each of the first three is wrong in at most 2.5 % of cases.

    Args:
        lower: Lower bound, or None.
        upper: Upper bound, or None.
        margin: Difference that does not matter. With 0 only an interval that is 0 is equivalent.

    References:
        Schuirmann (1987), "A comparison of the two one-sided tests procedure and the power
        approach for assessing the equivalence of average bioavailability".

    Example:
        >>> [verdict_of(low, low + 0.01, 0.005) for low in (-0.02, -0.01, -0.005, 0.006)]
        ['worse', 'undecided', 'equivalent', 'better']
    """
    if lower is None or upper is None:
        return "undecided"
    if lower >= -margin and upper <= margin:
        return "equivalent"
    if lower > margin:
        return "better"
    return "worse" if upper < -margin else "undecided"


def judged(difference: Interval, sign: float, margin: float = 0.0) -> Verdict:
    """Say what an interval of a difference means where a lower one may be better.

    Args:
        difference: The difference.
        sign: 1 where a higher difference is better, -1 where a lower one is.
        margin: See `verdict_of`.

    Example:
        >>> slower = Interval(10, 0.5, 0.4, 0.6, None)
        >>> judged(slower, 1), judged(slower, -1), judged(slower, -1, margin=1)
        ('better', 'worse', 'equivalent')
    """
    if difference.lower is None or difference.upper is None:
        return "undecided"
    lower, upper = sorted((sign * difference.lower, sign * difference.upper))
    return verdict_of(lower, upper, margin)


def paired_p(a: npt.ArrayLike, b: npt.ArrayLike, rng: np.random.Generator) -> float | None:
    """Two-sided sign-flip permutation test that paired values differ by chance alone.

    Under the hypothesis the difference of a pair is as likely to have either sign. The p-value
    is the share of sign assignments whose summed difference is at least as far from 0 as the
    one seen: of all 2^S for S up to 12 (the least attainable is ``2 / 2^S``: 0.0625 for 5
    seeds, 0.002 for 10), and beyond that of 9,999 random ones and the one seen (least 0.0001).
    Pairs that are equal keep their place and pull p up; all pairs equal give 1.

    Args:
        a: One value for each seed ``[S]``, nan where a seed has none.
        b: The other method's values for the same seeds ``[S]``.
        rng: Source of the random sign assignments; not used for S up to 12.

    Returns:
        A p-value in (0, 1]; None where no seed has both values.

    Raises:
        ValueError: The arrays are not flat or differ in length.

    References:
        Fisher (1935), "The Design of Experiments", section 21.

    Examples:
        Differences 1, 2, 3: only all signs as seen and all signs turned reach 6, so 2 / 8:

        >>> paired_p([1, 2, 3], [0, 0, 0], np.random.default_rng(0))
        0.25
    """
    differences = _differences(a, b)
    count = len(differences)
    if count == 0:
        return None
    return _sign_flip_p(differences, _flips(count, rng))


def clustered_p(
    differences: npt.ArrayLike, clusters: Sequence[Hashable], rng: np.random.Generator
) -> float | None:
    """Sign-flip test over tasks, with each cluster of them, such as a space, as one unit.

    Tasks of one space share architectures and rise and fall together: eight tasks of three
    spaces are three independent observations, not eight. The mean of each cluster is taken
    first, and the signs of these means are flipped as in `paired_p`, so that with three clusters
    p is never below .25.

    Args:
        differences: One for each task ``[T]``, nan where it has none.
        clusters: The cluster of each task.
        rng: Source of the random sign assignments; not used for up to 12 clusters.

    Returns:
        A p-value in (0, 1]; None where no task has a value.

    Raises:
        ValueError: The array is not flat, or there is not one cluster for each task.

    Example:
        >>> tasks = ["nb201", "nb201", "nb201", "nbgraph", "darts"]
        >>> clustered_p([1, 2, 3, 1, 2], tasks, np.random.default_rng(0))
        0.25
    """
    means = _cluster_means(differences, clusters)
    return paired_p(means, np.zeros(len(means)), rng)


def clustered_interval(
    values: npt.ArrayLike, clusters: Sequence[Hashable], *, level: float = LEVEL
) -> Interval:
    """Mean over clusters of the mean of their tasks, with Student's interval over clusters.

    It speaks of another cluster like these, such as a space that was not measured, and is wide
    with the two to five that there usually are: with three it is 4.3 standard errors either way.

    Args:
        values: One for each task ``[T]``, nan where it has none.
        clusters: The cluster of each task.
        level: Share of intervals that hold the true mean, in (0, 1).

    Returns:
        The mean with ``n_seeds`` the number of clusters; no bounds with fewer than two.

    Raises:
        ValueError: The array is not flat, or there is not one cluster for each task.

    Example:
        Means 2 and 4, whatever the number of tasks behind each:

        >>> found = clustered_interval([1, 2, 3, 4], ["nb201", "nb201", "nb201", "nbgraph"])
        >>> found.n_seeds, found.mean
        (2, 3.0)
    """
    return mean_interval(_cluster_means(values, clusters), level=level)


def _cluster_means(values: npt.ArrayLike, clusters: Sequence[Hashable]) -> list[float]:
    groups: dict[Hashable, list[float]] = {}
    for cluster, value in zip(clusters, _flat(values).tolist(), strict=True):
        if math.isfinite(value):
            groups.setdefault(cluster, []).append(value)
    return [sum(own) / len(own) for own in groups.values()]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction: the chance of one false alarm among all tests.

    The i-th smallest of m p-values becomes ``max over j <= i of min(1, (m - j + 1) p_j)``.

    Args:
        p_values: One p-value for each test; None where there was no test, which does not count.

    Returns:
        Corrected p-values in the same order, None where the input is None.

    References:
        Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
        Journal of Statistics 6(2).

    Examples:
        3 * 0.01, then 2 * 0.03, then 1 * 0.04 raised to the one before:

        >>> holm([0.04, None, 0.01, 0.03])
        [0.06, None, 0.03, 0.06]
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    floor = 0.0
    for done, (p, place) in enumerate(tested):
        floor = max(floor, min(1.0, (len(tested) - done) * p))
        corrected[place] = floor
    return corrected


def top_stability(tops: Sequence[Collection[Hashable]]) -> float | None:
    """How much of the predicted top stays the same from seed to seed.

    The mean over all pairs of seeds of the Jaccard index: members of both over members of either.

    Args:
        tops: For each seed the predicted top, as numbers that mean the same architecture in
            every seed.

    Returns:
        A value in [0, 1], higher is more stable; None with fewer than two seeds. Two empty sets
        are equal and count 1.

    References:
        Jaccard (1912), "The distribution of the flora in the alpine zone", New Phytologist.

    Examples:
        1 of 3 and 0 of 4 and 1 of 3 in common, so (1/3 + 0 + 1/3) / 3:

        >>> round(top_stability([{1, 2}, {2, 3}, {3, 4}]), 4)
        0.2222
    """
    sets = [frozenset(top) for top in tops]
    if len(sets) < 2:
        return None
    overlaps = [len(a & b) / len(a | b) if a | b else 1.0 for a, b in combinations(sets, 2)]
    return sum(overlaps) / len(overlaps)


def compare_with_best(
    values: Mapping[str, npt.ArrayLike],
    *,
    sign: float,
    rng: np.random.Generator,
    margin: float = 0.0,
    over_seeds: Callable[[npt.ArrayLike], Interval] = mean_interval,
) -> dict[str, Comparison]:
    """Several losses on one metric, over the same seeds, each against the best of them.

    The best loss is the one with the best mean, or median. Every other one is compared with it on
    the seeds both have: the difference with its interval, a verdict against the margin, and
    `paired_p` corrected by `holm`. All losses with the same number of values share the same sign
    flips, so neither their order nor an unrelated loss changes anything but the correction.
    Choosing the reference after seeing the data favours it: p-values are somewhat too small and
    equivalence is found too rarely; they compare a loss with this best one and do not say which
    one is best.

    Args:
        values: For each loss one value for each seed ``[S]``, aligned, nan where it has none.
        sign: 1 where higher is better, -1 where lower is.
        rng: Source of sign flips.
        margin: Difference that does not matter, in the unit of the values.
        over_seeds: What is made of the values of a loss, and of the differences of pairs:
            `mean_interval`, or `median_interval`.

    Returns:
        A `Comparison` for each loss, in the given order.

    Raises:
        ValueError: The arrays are not flat or differ in length.

    Examples:
        >>> rows = compare_with_best({"hr": [0.8, 0.9, 0.7], "mse": [0.7, 0.6, 0.4]},
        ...     sign=1, rng=np.random.default_rng(0))
        >>> rows["hr"].best, rows["mse"].rank, rows["mse"].p_holm
        (True, 2, 0.25)
        >>> round(rows["mse"].difference.mean, 3), rows["mse"].verdict
        (-0.233, 'undecided')
    """
    table = {loss: _flat(seeds) for loss, seeds in values.items()}
    lengths = {len(seeds) for seeds in table.values()}
    if len(lengths) > 1:
        raise ValueError(f"losses should have one value for each seed; lengths are {lengths}")
    flips = _flips(max(lengths, default=0), rng)
    intervals = {loss: over_seeds(seeds) for loss, seeds in table.items()}
    turned = {
        loss: -sign * interval.mean
        for loss, interval in intervals.items()
        if interval.mean is not None
    }
    ranks = {
        loss: 1 + sum(other < mean for other in turned.values()) for loss, mean in turned.items()
    }
    best = next((loss for loss, rank in ranks.items() if rank == 1), None)
    against: dict[str, FloatArray] = {}
    for loss, seeds in table.items():
        if best is not None and ranks.get(loss, 1) > 1:
            differences = _differences(seeds, table[best])
            if len(differences):
                against[loss] = differences
    p_values = [_sign_flip_p(own, flips) for own in against.values()]
    corrected = dict(zip(against, holm(p_values), strict=True))
    result = {}
    for loss, interval in intervals.items():
        difference = over_seeds(against[loss]) if loss in against else None
        present = table[loss][np.isfinite(table[loss])]
        result[loss] = Comparison(
            n_seeds=interval.n_seeds,
            mean=interval.mean,
            sd=float(present.std(ddof=1)) if interval.n_seeds > 1 else None,
            lower=interval.lower,
            upper=interval.upper,
            rank=ranks.get(loss),
            best=ranks.get(loss) == 1,
            difference=difference,
            verdict=None if difference is None else judged(difference, sign, margin),
            p_holm=corrected.get(loss),
        )
    return result


def _exact(share: float) -> Fraction:
    """The share as the decimal it is written as, so that equality counts."""
    if not 0 < share < 1:
        raise ValueError(f"'confidence' should lie in (0, 1) and is {share}")
    return Fraction(str(float(share)))


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else float(value)


def _flat(values: npt.ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"values over seeds should have one axis and have {array.ndim}")
    return array


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Differences of the seeds that have both values."""
    first, second = _flat(a), _flat(b)
    if len(first) != len(second):
        raise ValueError(f"pairs should have two values; got {len(first)} and {len(second)}")
    both = np.isfinite(first) & np.isfinite(second)
    return first[both] - second[both]


def _flips(seeds: int, rng: np.random.Generator) -> FloatArray:
    """Random signs ``[flips, seeds]``; none where all assignments can be listed instead."""
    if seeds <= EXACT_SEEDS:
        return np.empty((0, seeds))
    return rng.choice(np.array([-1.0, 1.0]), size=(FLIPS, seeds))


def _sign_flip_p(differences: FloatArray, flips: FloatArray) -> float:
    count = len(differences)
    # Sums of the same numbers in another order differ in the last digits and still are equal.
    seen = abs(differences.sum()) - 1e-12 * np.abs(differences).sum()
    if count <= EXACT_SEEDS:
        signs = 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
        return float(np.mean(np.abs(signs @ differences) >= seen))
    reached = np.count_nonzero(np.abs(flips[:, :count] @ differences) >= seen)
    return float((1 + reached) / (1 + len(flips)))
