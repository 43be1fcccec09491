"""How well embeddings bring together what belongs together: retrieval, clusters, verification.

Everything is measured on classes that training has not seen, so only distances matter and no
classifier is involved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64, Shaped

from nasrank.metrics.inputs import FloatArray

__all__ = [
    "ErrorRates",
    "Pairs",
    "error_rates",
    "false_positive_rate",
    "normalised_mutual_information",
    "pair_distances",
    "pairwise_f1",
    "recall_at",
    "rework_cost",
    "separation",
]

_CHUNK = 512
# Squared distances that differ only by rounding count as equal: of points around 0 at a mean
# square distance of 1, so that neither the unit nor the origin of embeddings matters.
_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of some samples, each counted once.

    Attributes:
        same: Distances of two samples of one class, ascending.
        different: Distances of two samples of different classes, ascending.
    """

    same: Float64[FloatArray, "same"]
    different: Float64[FloatArray, "different"]


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """Wrong decisions at growing thresholds, each in [0, 1].

    Attributes:
        accept: Share of pairs of different classes judged the same, among those that choose a
            threshold.
        reject: Share of pairs of one class judged different, likewise.
        counted_accept: As ``accept``, among the pairs that are evaluated.
        counted_reject: As ``reject``, among the pairs that are evaluated.
    """

    accept: Float64[FloatArray, "thresholds"]
    reject: Float64[FloatArray, "thresholds"]
    counted_accept: Float64[FloatArray, "thresholds"]
    counted_reject: Float64[FloatArray, "thresholds"]


def recall_at(
    embeddings: npt.ArrayLike, classes: npt.ArrayLike, ks: Sequence[int] = (1, 2, 4, 8)
) -> dict[int, float]:
    r"""Recall@K: how often one of the K nearest others is of the query's own class.

    .. math:: \frac{1}{|Q|} \sum_{q \in Q} 1[\exists\, i \in \mathrm{NN}_K(q) : c_i = c_q]

    Every sample is a query against all others. Others at the same distance come in random order,
    and the expectation over that order is returned, so collapsed embeddings get the recall of
    chance. Queries without another sample of their class are left out.

    Args:
        embeddings: ``[n, d]`` finite.
        classes: ``[n]``.
        ks: Numbers of neighbours, at least 1.

    Returns:
        Recall by K, in [0, 1], higher is better; nan where no query is left.

    References:
        Jegou, Douze & Schmid (2011), "Product quantization for nearest neighbor search", TPAMI;
        Song et al. (2016), "Deep metric learning via lifted structured feature embedding", CVPR.

    Example:
        The two in the middle are nearest to one another, and of different classes:

        >>> recall_at([[0.0], [1.0], [1.5], [4.0]], [0, 0, 1, 1], ks=(1, 2))
        {1: 0.5, 2: 0.75}
    """
    points, labels = _checked(embeddings, classes)
    points, _ = _in_units(points)
    squares = np.square(points).sum(axis=1)
    found: dict[int, list[FloatArray]] = {k: [] for k in ks}
    for start in range(0, len(points), _CHUNK):
        part = slice(start, start + _CHUNK)
        near = np.round(squares[part, None] + squares - 2 * points[part] @ points.T, _DECIMALS)
        own = labels[part, None] == labels
        rows = np.arange(len(near))
        own[rows, start + rows] = False
        queries = own.any(axis=1)
        near, own = near[queries], own[queries]
        others = labels[part][queries][:, None] != labels
        best = np.where(own, near, np.inf).min(axis=1, initial=np.inf)[:, None]
        before = (others & (near < best)).sum(axis=1)
        tied = (others & (near == best)).sum(axis=1)
        right = (own & (near == best)).sum(axis=1)
        for k in ks:
            found[k].append(_hit_share(k - before, right, tied))
    return {
        k: float(np.mean(hits)) if (hits := np.concatenate(parts)).size else float("nan")
        for k, parts in found.items()
    }


def normalised_mutual_information(clusters: npt.ArrayLike, classes: npt.ArrayLike) -> float:
    r"""Mutual information of clusters and classes, relative to their mean entropy.

    .. math:: \mathrm{NMI} = \frac{2 I(C; L)}{H(C) + H(L)}

    Args:
        clusters: ``[n]`` the cluster of each sample.
        classes: ``[n]`` its class.

    Returns:
        A number in [0, 1], higher is better; 1 where both are one group, nan without samples.

    References:
        Manning, Raghavan & Schuetze (2008), "Introduction to information retrieval", 16.3.

    Example:
        >>> round(normalised_mutual_information([0, 0, 1, 1], [0, 0, 0, 1]), 4)
        0.3437
    """
    table = _contingency(clusters, classes)
    total = table.sum()
    if total == 0:
        return float("nan")
    joint = table / total
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    both = _entropy(rows) + _entropy(columns)
    if both == 0:
        return 1.0
    return float(np.clip(2 * (both - _entropy(joint.ravel())) / both, 0.0, 1.0))


def pairwise_f1(clusters: npt.ArrayLike, classes: npt.ArrayLike) -> float:
    r"""F1 of the statement "these two are of one class", made for all pairs in one cluster.

    .. math:: F_1 = \frac{2 P R}{P + R}, \quad
        P = \frac{\text{pairs of one cluster and class}}{\text{pairs of one cluster}}, \quad
        R = \frac{\text{pairs of one cluster and class}}{\text{pairs of one class}}

    Args:
        clusters: ``[n]`` the cluster of each sample.
        classes: ``[n]`` its class.

    Returns:
        A number in [0, 1], higher is better; 0 where no pair is right, nan where there is no
        pair of one cluster or class.

    References:
        Manning, Raghavan & Schuetze (2008), "Introduction to information retrieval", 16.3.

    Example:
        One pair right of two claimed (P = 1/2) and of three there are (R = 1/3):

        >>> round(pairwise_f1([0, 0, 1, 1], [0, 0, 0, 1]), 4)
        0.4
    """
    table = _contingency(clusters, classes)
    right = _pairs(table)
    claimed, there = _pairs(table.sum(axis=1)), _pairs(table.sum(axis=0))
    return 2 * right / (claimed + there) if claimed + there else float("nan")


def pair_distances(embeddings: npt.ArrayLike, classes: npt.ArrayLike) -> Pairs:
    """Measure the Euclidean distance of every pair of samples.

    Args:
        embeddings: ``[n, d]`` finite.
        classes: ``[n]``.

    Example:
        >>> pairs = pair_distances([[0.0], [1.0], [3.0]], [0, 0, 1])
        >>> pairs.same.round(6).tolist(), pairs.different.round(6).tolist()
        ([1.0], [2.0, 3.0])
    """
    points, labels = _checked(embeddings, classes)
    points, unit = _in_units(points)
    squares = np.square(points).sum(axis=1)
    same, different = [], []
    for start in range(0, len(points), _CHUNK):
        part = slice(start, start + _CHUNK)
        near = np.round(squares[part, None] + squares - 2 * points[part] @ points.T, _DECIMALS)
        rows, columns = np.nonzero(np.arange(len(points)) > np.arange(len(near))[:, None] + start)
        distances = unit * np.sqrt(np.maximum(near[rows, columns], 0.0))
        own = labels[rows + start] == labels[columns]
        same.append(distances[own])
        different.append(distances[~own])
    return Pairs(np.sort(np.concatenate(same)), np.sort(np.concatenate(different)))


def separation(pairs: Pairs) -> float:
    """Mean distance between classes over mean distance within them.

    Returns:
        A number of at least 0, higher is better, 1 where classes are not separated; nan without
        pairs of both kinds, or where all pairs of one class coincide.

    Example:
        >>> round(separation(pair_distances([[0.0], [1.0], [3.0]], [0, 0, 1])), 6)
        2.5
    """
    if not len(pairs.same) or not len(pairs.different) or not pairs.same[-1]:
        return float("nan")
    return float(pairs.different.mean() / pairs.same.mean())


def false_positive_rate(pairs: Pairs, recall: float = 0.95) -> float:
    r"""Share of pairs of different classes judged the same, at a given recall of true pairs.

    .. math:: \mathrm{FPR} = P(d_{\neq} \le t), \quad
        t = \min \{t : P(d_{=} \le t) \ge \mathrm{recall}\}

    Args:
        pairs: Distances of pairs; pairs at the threshold are judged the same.
        recall: Share of the pairs of one class that must be found, in (0, 1].

    Returns:
        A number in [0, 1], lower is better; nan without pairs of both kinds.

    Example:
        Both true pairs are found within 3, and so is one of the two others:

        >>> from numpy import array
        >>> false_positive_rate(Pairs(array([1.0, 3.0]), array([2.0, 5.0])))
        0.5
    """
    if not len(pairs.same) or not len(pairs.different):
        return float("nan")
    # Without the small number .95 * 20 would take the 20th of 20.
    place = max(int(np.ceil(recall * len(pairs.same) - 1e-9)), 1) - 1
    below = np.searchsorted(pairs.different, pairs.same[place], side="right")
    return float(below / len(pairs.different))


def error_rates(chosen_on: Pairs, counted_on: Pairs, *, points: int = 201) -> ErrorRates:
    """Count wrong decisions "same or not" at thresholds that one set of pairs offers.

    Args:
        chosen_on: Pairs whose genuine distances are the thresholds, below them one that accepts
            nothing.
        counted_on: Other pairs.
        points: Most thresholds, evenly spread over the genuine pairs.

    Returns:
        Rates by threshold; empty without pairs of both kinds in both.
    """
    if not all(
        len(part) for pairs in (chosen_on, counted_on) for part in (pairs.same, pairs.different)
    ):
        none = np.zeros(0)
        return ErrorRates(none, none, none, none)
    # Between two genuine distances a larger threshold only accepts more.
    places = np.linspace(0, len(chosen_on.same) - 1, min(points - 1, len(chosen_on.same)))
    thresholds = np.concatenate([[-1.0], chosen_on.same[np.round(places).astype(np.int64)]])
    rates = []
    for pairs in (chosen_on, counted_on):
        rates.append(np.searchsorted(pairs.different, thresholds, "right") / len(pairs.different))
        rates.append(1 - np.searchsorted(pairs.same, thresholds, "right") / len(pairs.same))
    return ErrorRates(*rates)


def rework_cost(
    rates: ErrorRates,
    *,
    false_accept: float,
    false_reject: float,
    genuine_share: float = 0.5,
) -> tuple[float, float, float]:
    r"""Cost of wrong decisions "same or not" per 1,000 pairs, at the threshold chosen as best.

    .. math:: 1000\,[(1 - g)\, c_a\, P(d_{\neq} \le t) + g\, c_r\, P(d_{=} > t)]

    with the share g of genuine pairs; t has the least cost on pairs other than those evaluated.

    Args:
        rates: Error rates on the pairs that choose and on those that are evaluated.
        false_accept: Cost of judging two of different classes the same.
        false_reject: Cost of judging two of one class different.
        genuine_share: Share of pairs of one class among those to decide on.

    Returns:
        Cost, false accept rate and false reject rate, lower is better; nan without rates.

    References:
        Provost & Fawcett (2001), "Robust classification for imprecise environments", Machine
        Learning 42.

    Example:
        Chosen is t = 1, where nothing is wrong; then one of two genuine pairs lies beyond it:

        >>> from numpy import array
        >>> before = Pairs(array([0.5, 1.0]), array([2.0, 3.0]))
        >>> after = Pairs(array([0.9, 1.2]), array([2.0, 3.0]))
        >>> rework_cost(error_rates(before, after), false_accept=10.0, false_reject=2.0)
        (500.0, 0.0, 0.5)
    """

    def cost(accept: FloatArray, reject: FloatArray) -> FloatArray:
        wrong = (1 - genuine_share) * false_accept * accept
        return 1000 * (wrong + genuine_share * false_reject * reject)

    if not len(rates.accept):
        return float("nan"), float("nan"), float("nan")
    best = int(np.argmin(cost(rates.accept, rates.reject)))
    accept, reject = rates.counted_accept[best : best + 1], rates.counted_reject[best : best + 1]
    return float(cost(accept, reject)[0]), float(accept[0]), float(reject[0])


def _hit_share(
    places: Int64[npt.NDArray[np.int64], "queries"],
    right: Int64[npt.NDArray[np.int64], "queries"],
    wrong: Int64[npt.NDArray[np.int64], "queries"],
) -> Float64[FloatArray, "queries"]:
    """Chance that ``places`` draws from right and wrong ones hold a right one."""
    missed = (places <= 0).astype(np.float64)
    for row in np.flatnonzero((places > 0) & (wrong > 0)).tolist():
        drawn = np.arange(min(places[row], right[row] + wrong[row]))
        missed[row] = np.prod(
            np.maximum(wrong[row] - drawn, 0) / (right[row] + wrong[row] - drawn)
        )
    return 1 - missed


def _contingency(
    clusters: npt.ArrayLike, classes: npt.ArrayLike
) -> Float64[FloatArray, "clusters classes"]:
    rows, columns = np.asarray(clusters), np.asarray(classes)
    if rows.ndim != 1 or rows.shape != columns.shape:
        raise ValueError(f"clusters {rows.shape} and classes {columns.shape} should be one axis")
    names, row = np.unique(rows, return_inverse=True)
    others, column = np.unique(columns, return_inverse=True)
    table = np.zeros((len(names), len(others)))
    np.add.at(table, (row, column), 1.0)
    return table


def _pairs(counts: FloatArray) -> float:
    return float((counts * (counts - 1)).sum() / 2)


def _entropy(shares: Float64[FloatArray, "groups"]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _checked(
    embeddings: npt.ArrayLike, classes: npt.ArrayLike
) -> tuple[Float64[FloatArray, "n d"], Shaped[npt.NDArray[np.generic], "n"]]:
    points, labels = np.asarray(embeddings, dtype=np.float64), np.asarray(classes)
    if points.ndim != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            f"embeddings {points.shape} should be [n, d] and classes {labels.shape} [n]"
        )
    if not np.isfinite(points).all():
        raise ValueError("embeddings hold nan or infinity")
    return points, labels


def _in_units(points: Float64[FloatArray, "n d"]) -> tuple[Float64[FloatArray, "n d"], float]:
    """Centre points and divide them by their root mean square, which is returned too."""
    centred = points - points.mean(axis=0)
    # First by the largest number, whose square may be beyond what a float holds.
    largest = float(np.abs(centred).max(initial=0.0))
    if not largest:
        return centred, 1.0
    spread = float(np.sqrt(np.square(centred / largest).sum(axis=1).mean()))
    return centred / largest / spread, largest * spread
