"""From scores to values: a calibrated label with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Calibration", "Line", "calibrate"]

ISOTONIC_FROM = 20
"""Labels from which on a monotone map is tried beside a straight line."""
_QUARTERS_FROM = 120
"""Labels from which on every quarter of the scores has an interval width of its own."""
_BEYOND = 0.25
"""Share of its slope with which a map goes on above the greatest score: architectures that are
chosen for high scores owe a part of these to chance, and labels crowd below a limit."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line that bends at knots and never falls.

    Attributes:
        knots: ``[K]`` scores at which it is known, ascending; it is straight between them.
        levels: ``[K]`` its values there.
        below: Slope before the first knot.
        above: Slope behind the last.
    """

    knots: NDArray[np.float64]
    levels: NDArray[np.float64]
    below: float
    above: float

    def __call__(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return its value at each score."""
        inside = np.interp(scores, self.knots, self.levels)
        low = np.minimum(0.0, scores - self.knots[0])
        high = np.maximum(0.0, scores - self.knots[-1])
        value: NDArray[np.float64] = inside + self.below * low + self.above * high
        return value


@dataclass(frozen=True, eq=False)
class Calibration:
    """A monotone map from scores to labels, and how far labels lie from it.

    Attributes:
        method: ``linear`` or ``isotonic``.
        line: The map.
        edges: ``[bins - 1]`` scores at which one bin ends and the next begins.
        reach: ``[bins]`` half width of the interval; NaN where labels are too few for it.
        confidence: Share of labels that intervals should cover.
        low: Least out-of-fold score.
        high: Greatest out-of-fold score.
        error: Mean absolute error of values whose fold was left out.
        coverage: Share of labels within intervals made without their fold; None without any.
        held_out: ``[3, n]`` value, lower and upper bound of each label made without its fold.
    """

    method: str
    line: Line
    edges: NDArray[np.float64]
    reach: NDArray[np.float64]
    confidence: float
    low: float
    high: float
    error: float
    coverage: float | None
    held_out: NDArray[np.float64]

    def values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the label that a score stands for, ``[items]``, higher is better."""
        return self.line(scores)

    def reaches(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return half the width of the interval around each value; NaN where it is not known."""
        return self.reach[np.searchsorted(self.edges, scores, side="right")]


def calibrate(
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    folds: Sequence[NDArray[np.int64]],
    confidence: float,
) -> Calibration:
    r"""Fit the map on out-of-fold scores, and interval widths on its out-of-fold errors.

    The map is the least-squares line with a slope of at least 0; from 20 labels on it is the
    isotonic regression instead where that has the smaller mean absolute error on folds left out.
    Isotonic values are joined by straight lines. Below the least score it goes on with the slope,
    at least 0, of the least-squares line, which for isotonic values is that through the nearest
    third of the labels; above the greatest score with a quarter of that slope.

    For the interval every label is compared with the map fitted without its fold,
    :math:`r_i = |y_i - f_{-k(i)}(s_i)|`. The half width is the
    :math:`\lceil c (m + 1) \rceil`-th smallest of the m errors in the same bin of the score, for
    the confidence c; there is none where that exceeds m. The bins are the highest quarter, or as
    many labels as its width needs, and the others; from 120 labels on all quarters. This is split
    conformal prediction with folds in the place of the held-out half: it holds about a share c of
    the labels of architectures that were drawn as the evaluated ones were. The best of many
    candidates are not drawn so. They get the width of the highest quarter, and the flat end of
    the map; how often their intervals then hold is simulated in ``results/reliability``.

    Args:
        scores: ``[n]`` out-of-fold scores, in a unit that is the same in all folds.
        labels: ``[n]`` labels, higher is better.
        folds: Positions held out together.
        confidence: c, in (0, 1).

    References:
        Barlow et al. (1972), "Statistical inference under order restrictions".
        Lei et al. (2018), "Distribution-free predictive inference for regression", JASA.
        Vovk (2015), "Cross-conformal predictors", Annals of Mathematics and AI 74.
    """
    count = len(scores)
    methods = ["linear", "isotonic"] if count >= ISOTONIC_FROM else ["linear"]
    fold_of = np.zeros(count, np.int64)
    for number, held in enumerate(folds):
        fold_of[held] = number
    guesses = {method: _without_own_fold(method, scores, labels, fold_of) for method in methods}
    errors = {method: np.abs(labels - guess) for method, guess in guesses.items()}
    # The line wins ties, since it still separates scores beyond those it has seen.
    method = min(methods, key=lambda name: float(errors[name].mean()))
    edges = _edges(scores, confidence)
    bin_of = np.searchsorted(edges, scores, side="right")
    own = errors[method]
    bins = range(len(edges) + 1)
    reach = np.array([_quantile(own[bin_of == place], confidence) for place in bins])
    without = np.array([
        _quantile(own[(bin_of == bin_of[item]) & (fold_of != fold_of[item])], confidence)
        for item in range(count)
    ])  # fmt: skip
    known = ~np.isnan(without)
    guess = guesses[method]
    return Calibration(
        method,
        _fit(method, scores, labels),
        edges,
        reach,
        confidence,
        float(scores.min()),
        float(scores.max()),
        float(own.mean()),
        float((own <= without)[known].mean()) if known.any() else None,
        np.stack([guess, guess - without, guess + without]),
    )


def _edges(scores: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Scores at which intervals may change their width."""
    count = len(scores)
    # A fold takes away some of them, and the others still have to be enough.
    enough = math.ceil(round(1.25 * confidence / (1 - confidence), 9))
    top = max(math.ceil(count / 4), enough)
    if count >= _QUARTERS_FROM:
        edges = np.quantile(scores, [0.25, 0.5, 0.75])
    else:
        edges = np.sort(scores)[count - top : count - top + 1] if 2 * top <= count else np.empty(0)
    # Scores that are all the least one leave nothing below.
    return np.unique(edges[edges > scores.min()])


def _quantile(errors: NDArray[np.float64], confidence: float) -> float:
    # Rounded first: in floating point 0.9 * 10 may be a little more than 9.
    place = math.ceil(round(confidence * (len(errors) + 1), 9))
    return float(np.sort(errors)[place - 1]) if place <= len(errors) else math.nan


def _without_own_fold(
    method: str,
    scores: NDArray[np.float64],
    labels: NDArray[np.float64],
    fold_of: NDArray[np.int64],
) -> NDArray[np.float64]:
    guess = np.empty(len(scores))
    for number in np.unique(fold_of):
        held = fold_of == number
        guess[held] = _fit(method, scores[~held], labels[~held])(scores[held])
    return guess


def _slope(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    centred = scores - scores.mean()
    total = float(centred @ centred)
    return max(0.0, float(centred @ labels) / total) if total > 0 else 0.0


def _fit(method: str, scores: NDArray[np.float64], labels: NDArray[np.float64]) -> Line:
    if method == "linear":
        slope, high = _slope(scores, labels), scores.max(keepdims=True)
        level = labels.mean() + slope * (high - scores.mean())
        return Line(high, level, slope, _BEYOND * slope)
    from scipy.optimize import isotonic_regression

    knots, inverse = np.unique(scores, return_inverse=True)
    weights = np.bincount(inverse).astype(np.float64)
    means = np.bincount(inverse, weights=labels) / weights
    levels = np.asarray(isotonic_regression(means, weights=weights).x, np.float64)
    order = np.argsort(scores, kind="stable")
    third = max(2, len(order) // 3)
    below, above = (_slope(scores[part], labels[part]) for part in (order[:third], order[-third:]))
    return Line(knots, levels, below, _BEYOND * above)
