"""Targets of predictors that minimise squared errors, in place of the labels."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64
from numpy.typing import NDArray

from nasrank.losses.catalogue import Targets
from nasrank.losses.targets import transformed

__all__ = ["normal_scores", "robust_scores"]


def normal_scores(labels: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Replace labels by the normal quantiles of their ranks.

    A few failed trainings far below the rest then matter only by their order.

    Args:
        labels: Higher is better, in any unit; ties share their mean rank.

    Returns:
        About standard normal.

    Example:
        >>> normal_scores(np.array([10.0, 93.0, 94.0])).round(3).tolist()
        [-0.967, 0.0, 0.967]
    """
    return _transformed("normal", labels)


def robust_scores(labels: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """Map labels to a common scale that keeps both rank and distance.

    Ranks alone lose the distance of two labels; labels alone are dominated by a few
    failed trainings. See :func:`~nasrank.losses.targets.transformed`.

    Args:
        labels: Higher is better, in any unit.

    Returns:
        The normal scores alone where more than half of the labels are equal.

    Example:
        >>> robust_scores(np.array([10.0, 92.0, 93.0, 94.0])).round(2).tolist()
        [-2.08, -0.33, 0.33, 1.08]
    """
    return _transformed("robust", labels)


def log_scores(labels: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    r"""Map labels to robust scores of the logarithm of their distance from the best.

    .. math:: t = \text{robust}(-\log(\delta + \max y - y)), \qquad \delta = 1.4826\,\text{MAD}

    It spreads the best labels apart, where most of them crowd below a limit.

    Args:
        labels: Higher is better, in any unit.

    Returns:
        The robust scores of the labels themselves where more than half of the labels are equal.

    Example:
        >>> log_scores(np.array([10.0, 92.0, 93.0, 94.0])).round(2).tolist()
        [-2.08, -0.29, 0.29, 1.12]
    """
    deviation = 1.4826 * float(np.median(np.abs(labels - np.median(labels))))
    if deviation == 0:
        return robust_scores(labels)
    return robust_scores(-np.log(deviation + labels.max() - labels))


def _transformed(targets: Targets, labels: Float64[np.ndarray, "n"]) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = transformed(targets, torch.from_numpy(labels)).numpy()
    return scores
