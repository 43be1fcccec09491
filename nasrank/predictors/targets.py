"""Targets of predictors that minimise squared errors, in place of the labels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

__all__ = ["normal_scores", "robust_scores"]

_FARTHEST = 3.0
"""Deviations from the median at which labels are clipped."""


def normal_scores(labels: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    r"""Replace labels by the normal quantiles of their ranks.

    .. math:: z_i = \Phi^{-1}\left(\frac{r_i - 1/2}{n}\right)

    A few failed trainings far below the rest then matter only by their order.

    Args:
        labels: Higher is better, in any unit; ties share their mean rank.

    Returns:
        About standard normal.

    Example:
        >>> normal_scores(np.array([10.0, 93.0, 94.0])).round(3).tolist()
        [-0.967, 0.0, 0.967]
    """
    quantiles: NDArray[np.float64] = ndtri((rankdata(labels) - 0.5) / len(labels))
    return quantiles


def robust_scores(labels: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    r"""Map labels to a common scale that keeps both rank and distance.

    .. math:: t_i = \tfrac12 z_i
        + \tfrac12 \max(-3, \min(3, (y_i - \tilde y) / (1.4826\,\text{MAD})))

    with the normal score z of a label's rank, the median, and the median absolute deviation from
    it. Ranks alone lose the distance of two labels; labels alone are dominated by a few
    failed trainings.

    Args:
        labels: Higher is better, in any unit.

    Returns:
        The normal scores alone where more than half of the labels are equal.

    Example:
        >>> robust_scores(np.array([10.0, 92.0, 93.0, 94.0])).round(2).tolist()
        [-2.08, -0.33, 0.33, 1.08]
    """
    ranked = normal_scores(labels)
    away = labels - np.median(labels)
    deviation = 1.4826 * np.median(np.abs(away))
    if deviation == 0:
        return ranked
    scores: NDArray[np.float64] = (ranked + np.clip(away / deviation, -_FARTHEST, _FARTHEST)) / 2
    return scores
