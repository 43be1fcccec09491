"""A histogram that shows where labels are, however far a few of them lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCALES", "histogram_of"]

SCALES = ("linear", "log", "tails")
"""Bins of equal width; of equal ratio; of equal width, with one bin for each tail."""
_FAR_OUT = 3.0
"""Interquartile ranges beyond the quartiles: Tukey's outer fence."""


def histogram_of(labels: NDArray[np.float64], bins: int) -> dict[str, Any]:
    """Count labels in bins.

    Bins have equal width unless one of them would hold half of the labels, the middle ones. Then
    they have equal ratios, where all labels are positive and that spreads them out; else they have
    equal width within three interquartile ranges of the quartiles, and what lies beyond is in one
    bin at each end.

    Args:
        labels: At least one, none NaN.
        bins: How many bins, at least three.

    Returns:
        edges (one more than counts), counts, and scale, one of :data:`SCALES`.

    Example:
        >>> histogram_of(np.array([1.0, 2, 2, 3, 3, 4, 1000]), 4)["scale"]
        'tails'
    """
    if not _hides(labels, bins):
        # Fewer bins where there are no more numbers between the ends.
        even = np.unique(np.linspace(labels.min(), labels.max(), bins + 1))
        counts, edges = np.histogram(labels, bins=even if 1 < len(even) <= bins else bins)
        scale = "linear"
    elif labels.min() > 0 and not _hides(np.log(labels), bins):
        edges = np.geomspace(labels.min(), labels.max(), bins + 1)
        # Rounding must not push the extreme labels out.
        edges[0], edges[-1] = labels.min(), labels.max()
        counts, _ = np.histogram(labels, bins=edges)
        scale = "log"
    else:
        low, high = np.quantile(labels, (0.25, 0.75))
        reach = _FAR_OUT * (high - low)
        least, most = float(labels.min()), float(labels.max())
        inner = max(least, low - reach), min(most, high + reach)
        ends = int(inner[0] > least) + int(inner[1] < most)
        edges = np.linspace(*inner, bins - ends + 1)
        edges = np.unique(np.concatenate([[least], edges, [most]]))
        counts, _ = np.histogram(labels, bins=edges)
        scale = "tails"
    return {"edges": edges.tolist(), "counts": counts.tolist(), "scale": scale}


def _hides(labels: NDArray[np.float64], bins: int) -> bool:
    """Whether the middle half of the labels is narrower than a bin of equal width."""
    quarter, three_quarters = np.quantile(labels, (0.25, 0.75))
    width = (labels.max() - labels.min()) / bins
    return bool(0 < three_quarters - quarter < width)
