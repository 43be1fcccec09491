"""Which architectures count as the top."""

import math

import numpy as np
import numpy.typing as npt

from nasrank.metrics.inputs import checked_labels

__all__ = ["TOP_FRACTIONS", "ceil_share", "top_threshold"]

TOP_FRACTIONS = (0.001, 0.005, 0.01, 0.05)


def ceil_share(fraction: float, count: int) -> int:
    """The least whole number that is at least ``fraction * count``.

    Args:
        fraction: A share written as a short decimal, such as 0.005.
        count: Number of items.

    Returns:
        The product rounded up.

    Examples:
        In floating point 0.07 * 100 is a little more than 7:

        >>> ceil_share(0.07, 100), math.ceil(0.07 * 100)
        (7, 8)
    """
    return math.ceil(round(fraction * count, 9))


def top_threshold(universe: npt.ArrayLike, fraction: float) -> float | None:
    """The least label of an architecture in the top set T(fraction).

    T(f) is everything at least as good as the ceil(f N)-th best of the N labels, ties included,
    so it can be larger than ceil(f N).

    Args:
        universe: Labels of all architectures of a run ``[N]``, higher is better.
        fraction: Share of the universe, in (0, 1].

    Returns:
        The least label inside T, in the metric's unit; None where ``fraction * N < 1``.

    Raises:
        ValueError: The fraction is outside (0, 1].
        DataError: A label is not finite.

    Examples:
        The second best of ten:

        >>> top_threshold([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.2)
        9.0
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"'fraction' should lie in (0, 1] and is {fraction}")
    labels = checked_labels(universe)
    if round(fraction * len(labels), 9) < 1:
        return None
    place = len(labels) - ceil_share(fraction, len(labels))
    return float(np.partition(labels, place)[place])
