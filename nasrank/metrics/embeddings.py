"""What embeddings reveal about their classes: spread, rank, neighbours, linear probes.

Distances are those on the unit sphere: every embedding is divided by its length first, except
where a function says otherwise. An embedding of length 0 is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Integer, Real

from nasrank.metrics.inputs import FloatArray

__all__ = [
    "LinearProbe",
    "SphereVariance",
    "effective_rank",
    "knn_accuracy",
    "nearest_mean_accuracy",
    "on_sphere",
    "simplex_distance",
    "sphere_variance",
]

_AT_ONCE = 2_000_000
_ROUNDS = 100

Rows: TypeAlias = Real[np.ndarray, "n d"] | Sequence[Sequence[float]]
"""One embedding per row."""
Classes: TypeAlias = Integer[np.ndarray, "n"] | Sequence[int]
"""The class of each embedding."""
Means: TypeAlias = Real[np.ndarray, "classes d"] | Sequence[Sequence[float]]
"""One class per row."""


@dataclass(frozen=True)
class SphereVariance:
    """Variance of unit embeddings, split by class.

    Attributes:
        within: Mean squared distance to the mean of the embedding's class.
        between: Mean squared distance of that mean to the mean of all.
        total: Their sum, at most 1: one minus the squared length of the mean of all.
        class_within: ``within`` by class; nan for a class without embeddings.
        class_means: Means by class; nan likewise.
    """

    within: float
    between: float
    total: float
    class_within: Float64[FloatArray, "classes"]
    class_means: Float64[FloatArray, "classes d"]


def on_sphere(embeddings: Rows) -> Float64[FloatArray, "n d"]:
    """Return embeddings divided by their lengths; those of length 0 stay 0."""
    rows = np.asarray(embeddings, dtype=np.float64)
    # First to size 1, so that squares neither overflow nor vanish.
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    rows = rows / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: FloatArray = rows / np.where(length > 0, length, 1.0)
    return unit


def sphere_variance(
    embeddings: Rows, classes: Classes, count: int | None = None
) -> SphereVariance:
    r"""Split the variance of unit embeddings into that within classes and that between them.

    With :math:`\mu_c` the mean of class c, the share of class c being :math:`\pi_c`,

    .. math:: V_{within} = 1 - \sum_c \pi_c |\mu_c|^2, \qquad
        V_{total} = 1 - |\sum_c \pi_c \mu_c|^2.

    Within-class variance near 0 is class collapse; a total near 1 means that the embeddings are
    centred.

    Args:
        embeddings: At least one, of any length but 0.
        classes: Class numbers from 0.
        count: Number of classes; one more than the largest number if None.

    References:
        Lee et al. (2025), "A theoretical framework for preventing class collapse in supervised
        contrastive learning", AISTATS.

    Example:
        >>> found = sphere_variance([[1, 0], [0, 1], [-1, 0], [0, -1]], [0, 0, 1, 1])
        >>> found.within, found.between, found.total
        (0.5, 0.5, 1.0)
    """
    unit, numbers = on_sphere(embeddings), np.asarray(classes, dtype=np.int64)
    count = int(numbers.max()) + 1 if count is None else count
    sizes = np.bincount(numbers, minlength=count)
    sums = np.zeros((count, unit.shape[1]))
    np.add.at(sums, numbers, unit)
    with np.errstate(invalid="ignore"):
        means = sums / np.where(sizes > 0, sizes, np.nan)[:, None]
    squares = np.einsum("cd,cd->c", means, means)
    share = sizes / len(unit)
    kept = float(np.sum(share * squares, where=sizes > 0))
    centre = unit.mean(axis=0)
    total = 1 - float(centre @ centre)
    within = max(1 - kept, 0.0)
    inner: FloatArray = np.maximum(1 - squares, 0.0)
    return SphereVariance(within, max(total - within, 0.0), total, inner, means)


def effective_rank(embeddings: Rows) -> float:
    """Return how many directions embeddings vary in: the exponential of an entropy.

    The entropy is that of the singular values of the centred embeddings, scaled to sum to 1. It
    lies between 1, all on a line, and min(n - 1, d); identical embeddings have 0. The embeddings
    are used as they are.

    Args:
        embeddings: One per row.

    References:
        Roy & Vetterli (2007), "The effective rank: a measure of effective dimensionality",
        EUSIPCO.

    Example:
        >>> round(effective_rank([[1, 0], [-1, 0], [0, 1], [0, -1]]), 6)
        2.0
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if not len(rows):
        return 0.0
    scale = float(np.abs(rows).max(initial=0.0))
    centred = rows / (scale or 1.0)
    centred = centred - centred.mean(axis=0)
    if len(centred) > centred.shape[1]:
        # The singular values from the smaller of the two Gram matrices.
        values = np.sqrt(np.maximum(np.linalg.eigvalsh(centred.T @ centred), 0.0))
    else:
        values = np.sqrt(np.maximum(np.linalg.eigvalsh(centred @ centred.T), 0.0))
    # A singular value of zero may come out as large as the root of the precision.
    values = values[values > 1e-7 * len(rows) ** 0.5]
    if not values.size:
        return 0.0
    share = values / values.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


def simplex_distance(means: Means) -> float:
    r"""Return how far class means are from the corners of a regular simplex about their centre.

    With G the Gram matrix of the centred means and S that of a simplex of C corners,

    .. math:: \| G/\|G\| - S/\|S\| \|,

    in Frobenius norms: 0 for a simplex of any size and orientation, at most the root of 2;
    the latter for means that all coincide.

    Args:
        means: At least 2; used as they are.

    References:
        Papyan, Han & Donoho (2020), "Prevalence of neural collapse during the terminal phase of
        deep learning training", PNAS; scale-free as in Zhu et al. (2021), NeurIPS.

    Example:
        >>> round(simplex_distance([[1, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]]), 6)
        0.0
    """
    rows = np.asarray(means, dtype=np.float64)
    centred = rows - rows.mean(axis=0)
    gram = centred @ centred.T
    size = float(np.linalg.norm(gram))
    if size == 0:
        return 2**0.5
    corners = np.eye(len(rows)) - 1 / len(rows)
    return float(np.linalg.norm(gram / size - corners / np.linalg.norm(corners)))


def nearest_mean_accuracy(means: Means, embeddings: Rows, classes: Classes) -> float:
    """Return the share of embeddings whose class has the nearest mean in angle, 0 to 1.

    Args:
        means: A class whose mean is nan is never the nearest.
        embeddings: At least one.
        classes: Indices of the true means. Of equally near means the first counts.
    """
    centres = on_sphere(np.nan_to_num(np.asarray(means, dtype=np.float64)))
    likeness = on_sphere(embeddings) @ centres.T
    likeness[:, np.isnan(np.asarray(means)).any(axis=1)] = -np.inf
    return float(np.mean(likeness.argmax(axis=1) == np.asarray(classes)))


def knn_accuracy(
    known: Rows,
    known_classes: Classes,
    asked: Real[np.ndarray, "asked d"] | Sequence[Sequence[float]],
    asked_classes: Integer[np.ndarray, "asked"] | Sequence[int],
    *,
    neighbours: int = 10,
) -> float:
    """Return the share of embeddings that their nearest neighbours classify correctly, 0 to 1.

    Neighbours are nearest in angle and have one vote each; of equal counts the class with
    the greatest sum of similarities wins.

    Args:
        known: At least one embedding.
        known_classes: Class numbers from 0.
        asked: At least one embedding.
        asked_classes: Class numbers from 0.
        neighbours: How many vote; all where there are fewer.
    """
    base, names = on_sphere(known).astype(np.float32), np.asarray(known_classes, dtype=np.int64)
    queries = on_sphere(asked).astype(np.float32)
    truth = np.asarray(asked_classes, dtype=np.int64)
    voters = min(neighbours, len(base))
    count = int(max(names.max(), truth.max())) + 1
    right = 0
    size = max(1, _AT_ONCE // len(base))
    for start in range(0, len(queries), size):
        likeness = queries[start : start + size] @ base.T
        nearest = np.argpartition(likeness, -voters, axis=1)[:, -voters:]
        # The similarity, at most 1 each, only decides between equal counts.
        votes = np.zeros((len(likeness), count))
        rows = np.arange(len(likeness))[:, None]
        close = np.take_along_axis(likeness, nearest, axis=1)
        np.add.at(votes, (rows, names[nearest]), 1 + 1e-3 * close / voters)
        right += int((votes.argmax(axis=1) == truth[start : start + size]).sum())
    return right / len(queries)


@dataclass(frozen=True)
class LinearProbe:
    """Logistic regression on embeddings: what a linear map can still read from them.

    Attributes:
        weights: Weight of each dimension for each class.
        shifts: Bias of each class.
        mean: What is subtracted from embeddings first.
        deviation: What they are then divided by.

    References:
        Alain & Bengio (2017), "Understanding intermediate layers using linear classifier
        probes", ICLR workshop.
    """

    weights: Float64[FloatArray, "d classes"]
    shifts: Float64[FloatArray, "classes"]
    mean: Float64[FloatArray, "d"]
    deviation: Float64[FloatArray, "d"]

    @classmethod
    def fit(cls, embeddings: Rows, classes: Classes, *, penalty: float = 1e-3) -> LinearProbe:
        """Minimise the mean cross-entropy plus half the penalty times the squared weights.

        The embeddings are standardised first, a dimension that never changes left out; the
        shifts are not penalised. L-BFGS stops after at most 100 iterations.

        Args:
            embeddings: At least one.
            classes: Class numbers from 0.
            penalty: Weight of the squares, above 0.
        """
        from scipy.optimize import minimize

        rows, numbers = np.asarray(embeddings, np.float64), np.asarray(classes, np.int64)
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        deviation[deviation <= 1e-9 * np.abs(mean)] = np.inf
        deviation[deviation == 0] = np.inf
        inputs = (rows - mean) / deviation
        count = int(numbers.max()) + 1
        wanted = np.zeros((len(rows), count))
        wanted[np.arange(len(rows)), numbers] = 1 / len(rows)

        def cost(
            flat: Float64[FloatArray, "both"],
        ) -> tuple[float, Float64[FloatArray, "both"]]:
            both = flat.reshape(-1, count)
            weights, shifts = both[:-1], both[-1]
            scores = inputs @ weights + shifts
            scores -= scores.max(axis=1, keepdims=True)
            powers = np.exp(scores)
            sums = powers.sum(axis=1, keepdims=True)
            value = np.log(sums).mean() - (wanted * scores).sum()
            value += penalty / 2 * (weights * weights).sum()
            excess = powers / (sums * len(rows)) - wanted
            slope = np.vstack([inputs.T @ excess + penalty * weights, excess.sum(axis=0)])
            return float(value), slope.ravel()

        start = np.zeros((inputs.shape[1] + 1) * count)
        found = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": _ROUNDS})
        both = found.x.reshape(-1, count)
        return cls(both[:-1], both[-1], mean, deviation)

    def accuracy(self, embeddings: Rows, classes: Classes) -> float:
        """Return the share of embeddings classified correctly, 0 to 1.

        A class that was not in the fit is never predicted.
        """
        inputs = (np.asarray(embeddings, np.float64) - self.mean) / self.deviation
        named = (inputs @ self.weights + self.shifts).argmax(axis=1)
        return float(np.mean(named == np.asarray(classes)))
