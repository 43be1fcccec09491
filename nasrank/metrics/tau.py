"""Agreement of two orders over all items: Kendall, weighted Kendall, Spearman.

All three take scores and labels that are higher for better items, lie in [-1, 1], are higher for
better agreement, and are nan where they are undefined: fewer than two items, constant scores,
constant labels, or a score that is not finite (a diverged predictor).
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from nasrank.metrics.inputs import FloatArray, checked_labels, checked_scores

__all__ = ["kendall_tau", "spearman_rho", "weighted_tau"]


def kendall_tau(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    r"""Kendall's tau-b, the share of pairs in the right order minus the share in the wrong one.

    .. math:: \tau_b = \frac{C - D}{\sqrt{(n_0 - n_1)(n_0 - n_2)}}

    with ``C`` concordant and ``D`` discordant pairs, ``n_0 = n(n-1)/2`` pairs in all, and
    ``n_1``, ``n_2`` the pairs tied in scores and in labels. Tied pairs count neither way.

    Args:
        scores: Predicted values ``[items]``; no unit.
        labels: True values ``[items]``; any unit, only their order matters.

    Returns:
        A value in [-1, 1]; nan where undefined (see the module).

    Raises:
        ValueError: The arrays are not flat or differ in length.
        DataError: A label is not finite.

    References:
        Kendall (1945), "The treatment of ties in ranking problems", Biometrika 33(3).

    Examples:
        Five of six pairs are in order and one is not, so (5 - 1) / 6:

        >>> round(kendall_tau([1, 2, 4, 3], [10, 20, 30, 40]), 4)
        0.6667
    """
    pair = _rankable(scores, labels)
    if pair is None:
        return float("nan")
    # Imported late: scipy.stats takes longer to load than most commands take to run.
    from scipy.stats import kendalltau

    return float(kendalltau(*pair).statistic)


def weighted_tau(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Kendall's tau in which an exchange weighs more the better the two items truly are.

    The exchange of items with true ranks ``r`` and ``q`` (0 = best) weighs
    ``1/(r+1) + 1/(q+1)``. Ranks come from the labels alone, with equal labels ranked by score:
    ``scipy.stats.weightedtau(labels, scores, rank=None)``, whose arguments are not symmetric.

    Args:
        scores: Predicted values ``[items]``; no unit.
        labels: True values ``[items]``; any unit, only their order matters.

    Returns:
        A value in [-1, 1]; nan where undefined (see the module).

    Raises:
        ValueError: The arrays are not flat or differ in length.
        DataError: A label is not finite.

    References:
        Vigna (2015), "A weighted correlation index for rankings with ties", WWW.

    Examples:
        Truth has ranks 2, 1, 0 and the prediction exchanges the best two. Pair weights are
        1/3 + 1/2, 1/3 + 1/1 and 1/2 + 1/1; the last is wrong, so (5/6 + 4/3 - 3/2) / (11/3):

        >>> round(weighted_tau([1, 3, 2], [10, 20, 30]), 4)
        0.1818
    """
    pair = _rankable(scores, labels)
    if pair is None:
        return float("nan")
    from scipy.stats import weightedtau

    predicted, true = pair
    # The type stubs do not say that ``rank`` may be None.
    result = weightedtau(true, predicted, rank=None)  # type: ignore[call-overload]
    return float(result.statistic)


def spearman_rho(scores: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Spearman's rho: Pearson correlation of the ranks, equal values sharing their mean rank.

    Args:
        scores: Predicted values ``[items]``; no unit.
        labels: True values ``[items]``; any unit, only their order matters.

    Returns:
        A value in [-1, 1]; nan where undefined (see the module).

    Raises:
        ValueError: The arrays are not flat or differ in length.
        DataError: A label is not finite.

    References:
        Spearman (1904), "The proof and measurement of association between two things",
        American Journal of Psychology 15(1).

    Examples:
        Squared rank differences are 0, 0, 1, 1, so 1 - 6 * 2 / (4 * 15):

        >>> round(spearman_rho([1, 2, 4, 3], [10, 20, 30, 40]), 4)
        0.8
    """
    pair = _rankable(scores, labels)
    if pair is None:
        return float("nan")
    from scipy.stats import rankdata

    # Pearson of the ranks written out: scipy's spearmanr also computes a p-value, unused here.
    x, y = (rankdata(values) - (len(values) + 1) / 2 for values in pair)
    return float(np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def _rankable(
    scores: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[Float64[FloatArray, "items"], Float64[FloatArray, "items"]] | None:
    """Scores and labels, or None where no order can be compared."""
    true = checked_labels(labels)
    predicted = checked_scores(scores, len(true))
    if len(true) < 2 or not np.isfinite(predicted).all():
        return None
    if true.min() == true.max() or predicted.min() == predicted.max():
        return None
    return predicted, true
