"""Precision and recall of draws against samples: by nearest neighbours and by a classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float64, Real
from torch import Tensor

from nasrank.errors import DataError

__all__ = ["CURVE_LAMBDAS", "neighbour_frontier", "neighbour_precision_recall"]

CURVE_LAMBDAS = tuple(float(f"{x:.4g}") for x in np.logspace(-1.5, 1.5, 25))
"""Weights at which frontiers are recorded: 25 even steps of ln lambda from 0.032 to 32."""


def neighbour_precision_recall(
    real: Real[np.ndarray, "n *shape"], fake: Real[np.ndarray, "m *shape"], neighbours: int = 5
) -> tuple[float, float]:
    """Measure precision and recall by balls around every point.

    The ball of a point reaches to its k-th nearest neighbour of its own kind, itself not
    counted. Precision is the share of draws inside the ball of any sample, recall the share of
    samples inside the ball of any draw. A point on the edge is inside, so that equal sets have
    precision and recall 1.

    Args:
        real: Samples.
        fake: Draws.
        neighbours: k, at least 1 and below n and m.

    Returns:
        Precision and recall in [0, 1]; higher is better.

    Raises:
        DataError: There are too few samples or draws for k.

    References:
        Kynkäänniemi et al. (2019), "Improved Precision and Recall Metric for Assessing Generative
        Models", NeurIPS; their inside is strict.

    Example:
        >>> points = np.arange(8.0)[:, None]
        >>> neighbour_precision_recall(points, points, 1), neighbour_precision_recall(
        ...     points, points[:4], 1)
        ((1.0, 1.0), (1.0, 0.625))
    """
    data, draws = _points(real, fake)
    if min(len(data), len(draws)) <= neighbours:
        raise DataError(
            f"{len(data)} samples and {len(draws)} draws for {neighbours} neighbours each. Give "
            "more samples, or a smaller --neighbours"
        )
    between = _distances(draws, data)
    inside_data = between <= _radii(data, neighbours)
    inside_draws = between <= _radii(draws, neighbours)[:, None]
    precision = inside_data.any(dim=1).double().mean()
    recall = inside_draws.any(dim=0).double().mean()
    return float(precision), float(recall)


def neighbour_frontier(
    real: Real[np.ndarray, "n *shape"],
    fake: Real[np.ndarray, "m *shape"],
    lambdas: Sequence[float] | Real[np.ndarray, "lambdas"],
) -> Float64[np.ndarray, "lambdas"]:
    r"""Estimate the frontier of precision and recall by a classifier.

    Of samples and of draws every second one teaches a nearest-neighbour classifier, with as many
    neighbours as the square root of its points; the others are scored by the share of samples
    among their neighbours. Over all thresholds,

    .. math:: \hat\alpha_\lambda = \min_t \; \lambda \operatorname{FNR}_t
        + \operatorname{FPR}_t

    with FNR the share of samples below the threshold and FPR the share of draws from it on. A
    classifier that is not the best one overrates the model, and noise of few samples underrates
    it: more samples of the data itself do not quite reach 1 at lambda 1.

    Args:
        real: Samples, at least 4.
        fake: Draws, as many: the kinds must be even among the neighbours.
        lambdas: Weights of precision.

    Returns:
        Precision at each weight, in [0, min(1, lambda)]; recall is it over lambda.

    Raises:
        DataError: There are fewer than four of either, or not as many of both.

    References:
        Simon, Webster & Rabin (2019), "Revisiting precision and recall definition for generative
        model evaluation", ICML, with linear classifiers.
    """
    data, draws = _points(real, fake)
    if len(data) < 4 or len(data) != len(draws):
        raise DataError(
            f"{len(data)} samples and {len(draws)} draws: the classifier needs four or more, "
            "and as many samples as draws. Give more samples"
        )
    taught = torch.cat([data[::2], draws[::2]])
    asked = torch.cat([data[1::2], draws[1::2]])
    count = max(1, int(len(taught) ** 0.5))
    nearest = _distances(asked, taught).topk(count, largest=False).indices
    score = (nearest < len(data[::2])).double().mean(dim=1).numpy()
    half = len(data[1::2])
    thresholds = np.append(np.unique(score), np.inf)
    missed = (score[:half, None] < thresholds).mean(axis=0)
    accepted = (score[half:, None] >= thresholds).mean(axis=0)
    weights = np.asarray(lambdas, dtype=np.float64)
    frontier: npt.NDArray[np.float64] = (weights[:, None] * missed + accepted).min(axis=1)
    return frontier


def _points(
    real: Real[np.ndarray, "n *shape"], fake: Real[np.ndarray, "m *shape"]
) -> tuple[Float64[Tensor, "n d"], Float64[Tensor, "m d"]]:
    """Rows of numbers around the samples' mean: far from 0 distances would drown in rounding.

    Raises:
        DataError: A number is infinite or missing.
    """
    rows = [np.asarray(each, np.float64).reshape(len(each), -1) for each in (real, fake)]
    for name, row in zip(("samples", "draws"), rows, strict=True):
        if not np.isfinite(row).all():
            raise DataError(f"the {name} hold nan or infinity. Leave such rows out")
    centre = rows[0].mean(axis=0)
    data, draws = (torch.from_numpy(row - centre) for row in rows)
    return data, draws


def _distances(
    rows: Float64[Tensor, "n d"], columns: Float64[Tensor, "m d"]
) -> Float64[Tensor, "n m"]:
    # By differences: a distance of 0 must come out as 0, or equal points fall off their balls.
    return torch.cdist(rows, columns, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(points: Float64[Tensor, "n d"], neighbours: int) -> Float64[Tensor, "n"]:
    return _distances(points, points).kthvalue(neighbours + 1, dim=1).values
