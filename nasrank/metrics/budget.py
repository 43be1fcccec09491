"""How many evaluations until a top architecture is found, and what a predictor saves.

A predictor costs ``n_train`` evaluations to train and ``first_hit`` more until the first member
of the top set is reached in its order. A random search draws without replacement until it finds
one.
"""

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from nasrank.metrics.inputs import FloatArray
from nasrank.statistics import order_statistic

__all__ = [
    "CONFIDENCES",
    "budget_rows",
    "random_confidence",
    "random_evaluations",
    "savings",
]

CONFIDENCES = (0.5, 0.8, 0.9, 0.95)
SECONDS_PER_HOUR = 3600

Value = float | int | None


def random_confidence(universe: int, top_size: int, evaluations: int) -> float:
    r"""Probability that random evaluations find a member of the top set.

    .. math:: 1 - \binom{N - |T|}{m} \Big/ \binom{N}{m}

    Args:
        universe: Architectures in all, N.
        top_size: Members of the top set, |T|, from 1 to N.
        evaluations: Random draws without replacement, m; more than N count as N.

    Returns:
        A probability; higher is better.

    Raises:
        ValueError: The top set does not fit the universe, or ``evaluations`` is negative.

    Examples:
        Two draws find the one of four in half of all cases:

        >>> random_confidence(4, 1, 2)
        0.5
    """
    if not 1 <= top_size <= universe:
        raise ValueError(f"'top_size' should lie in 1 to {universe} and is {top_size}")
    if evaluations < 0:
        raise ValueError(f"'evaluations' should not be negative and is {evaluations}")
    # C(N-t, m)/C(N, m) is symmetric in t and m; the smaller one gives the shorter products.
    few, many = sorted((top_size, min(evaluations, universe)))
    return float(1 - Fraction(math.perm(universe - many, few), math.perm(universe, few)))


def random_evaluations(universe: int, top_size: int, confidence: float) -> int:
    r"""Evaluations a random search needs to find a member of the top set with a given probability.

    The least ``m`` with

    .. math:: 1 - \binom{N - |T|}{m} \Big/ \binom{N}{m} \ge \text{confidence}

    decided in whole numbers, with the confidence taken as the decimal it is written as, so that
    equality counts.

    Args:
        universe: Architectures in all, N.
        top_size: Members of the top set, |T|, from 1 to N.
        confidence: Wanted probability, in (0, 1].

    Returns:
        A number of evaluations from 1 to N - |T| + 1.

    Raises:
        ValueError: An argument is outside its range.

    Examples:
        >>> [random_evaluations(15625, 16, c) for c in (0.5, 0.8, 0.95)]
        [663, 1495, 2667]
    """
    if not 1 <= top_size <= universe:
        raise ValueError(f"'top_size' should lie in 1 to {universe} and is {top_size}")
    if not 0 < confidence <= 1:
        raise ValueError(f"'confidence' should lie in (0, 1] and is {confidence}")
    allowed = 1 - Fraction(str(float(confidence)))
    certain = universe - top_size + 1
    if allowed == 0:
        return certain

    def log_missed(drawn: int) -> float:
        if drawn >= certain:
            return -math.inf
        rest = universe - top_size
        return (
            math.lgamma(rest + 1)
            - math.lgamma(rest - drawn + 1)
            - math.lgamma(universe + 1)
            + math.lgamma(universe - drawn + 1)
        )

    def enough(drawn: int) -> bool:
        # C(N-t, m)/C(N, m) is symmetric in t and m; the smaller one gives the shorter products.
        few, many = sorted((top_size, drawn))
        missed = Fraction(math.perm(universe - many, few), math.perm(universe, few))
        return missed <= allowed

    low, high = 0, certain
    while high - low > 1:
        middle = (low + high) // 2
        if log_missed(middle) <= math.log(allowed):
            high = middle
        else:
            low = middle
    # The search ran in floating point, so its answer may be off by a step at equality.
    while high > 1 and enough(high - 1):
        high -= 1
    while not enough(high):
        high += 1
    return high


def savings(evaluations: float | None, by_random: int) -> float | None:
    """Share of random search's evaluations that the predictor saves.

    Args:
        evaluations: Evaluations of the predictor, or None.
        by_random: Evaluations of random search at the same confidence.

    Returns:
        ``1 - evaluations / by_random``: at most 1, higher is better, negative where
        the predictor costs more than random search; None where ``evaluations`` is.

    Examples:
        >>> savings(100, 400)
        0.75
    """
    return None if evaluations is None else 1 - evaluations / by_random


def budget_rows(
    n_train: int,
    first_hits: Mapping[float, npt.ArrayLike],
    universe: int,
    top_sizes: Mapping[float, npt.ArrayLike],
    *,
    mean_seconds: float | None = None,
    seed_seconds: Mapping[float, npt.ArrayLike] | None = None,
) -> list[dict[str, Value]]:
    """The budget of one predictor with one loss and one training size on one task.

    Args:
        n_train: Training architectures.
        first_hits: For each top fraction, evaluations after the training set until the first
            member of T is found, by seed ``[S]``. Fractions whose T is undefined are left out.
        universe: Architectures in all, N.
        top_sizes: For each top fraction, |T|, one for all or by seed ``[S]``. Where seeds differ
            (ties), random search is granted the largest, so savings are not overstated.
        mean_seconds: GPU-seconds to train one architecture, on average over the task; None where
            the space has no training times.
        seed_seconds: For each top fraction, the exact GPU-seconds of those ``n_train +
            first_hit`` evaluations by seed ``[S]``; None takes ``mean_seconds`` for each.

    Returns:
        One row for each fraction and each of `CONFIDENCES`: ``top_fraction``, ``confidence``,
        ``n_seeds``, ``evaluations``, ``evaluations_lower``, ``evaluations_upper``,
        ``random_evaluations``, ``savings``, ``savings_lower``, ``savings_upper``, ``gpu_hours``,
        ``random_gpu_hours``. Evaluations and bounds are those of
        `~nasrank.statistics.order_statistic`: None where S is too small for the confidence.
        ``gpu_hours`` is ``evaluations * mean_seconds / 3600``, or the same order statistic of
        ``seed_seconds``; ``random_gpu_hours`` is ``random_evaluations * mean_seconds / 3600``.

    Raises:
        ValueError: A value is nan or inf, or the fractions of the mappings differ.

    Examples:
        >>> rows = budget_rows(
        ...     78, {0.001: [2, 0, 22]}, 15625, {0.001: 16}, mean_seconds=36.0)
        >>> rows[0]["evaluations"], rows[0]["random_evaluations"], round(rows[0]["savings"], 3)
        (80, 663, 0.879)
        >>> rows[0]["gpu_hours"], rows[1]["evaluations"]
        (0.8, None)
    """
    if first_hits.keys() != top_sizes.keys() or (
        seed_seconds is not None and first_hits.keys() != seed_seconds.keys()
    ):
        raise ValueError("'first_hits', 'top_sizes' and 'seed_seconds' should share their keys")
    seeds = {fraction: n_train + _over_seeds(hits) for fraction, hits in first_hits.items()}
    if any(np.isinf(values).any() for values in seeds.values()):
        raise ValueError("'first_hits' should be finite: an order of all items reaches every top")
    rows: list[dict[str, Value]] = []
    for fraction, evaluations in seeds.items():
        seconds = None if seed_seconds is None else seed_seconds[fraction]
        for confidence in CONFIDENCES:
            needed = order_statistic(evaluations, confidence)
            random = random_evaluations(
                universe, int(np.max(np.asarray(top_sizes[fraction]))), confidence
            )
            used = None
            if needed.value is not None and mean_seconds is not None:
                used = needed.value * mean_seconds
            if seconds is not None:
                used = order_statistic(seconds, confidence).value
            rows.append(
                {
                    "top_fraction": fraction,
                    "confidence": confidence,
                    "n_seeds": len(evaluations),
                    "evaluations": _whole(needed.value),
                    "evaluations_lower": _whole(needed.lower),
                    "evaluations_upper": _whole(needed.upper),
                    "random_evaluations": random,
                    "savings": savings(needed.value, random),
                    # More evaluations save less, so the bounds are swapped.
                    "savings_lower": savings(needed.upper, random),
                    "savings_upper": savings(needed.lower, random),
                    "gpu_hours": None if used is None else used / SECONDS_PER_HOUR,
                    "random_gpu_hours": (
                        None if mean_seconds is None else random * mean_seconds / SECONDS_PER_HOUR
                    ),
                }
            )
    return rows


def _over_seeds(values: npt.ArrayLike) -> Float64[FloatArray, "seeds"]:
    """One value for each seed."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or np.isnan(array).any():
        raise ValueError("values over seeds should be a flat array without nan")
    return array


def _whole(evaluations: float | None) -> int | None:
    return None if evaluations is None else int(evaluations)
