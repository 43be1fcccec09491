"""Losses that predict the label itself."""

from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.losses.reduction import (
    Reduction,
    all_pairs,
    differences,
    keep,
    mean_over_items,
    mean_over_pairs,
    over_lists,
)
from nasrank.named import Positive

__all__ = ["mse_loss", "mse_with_sequence_ranking_loss"]


def mse_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Mean squared error over the items of a list.

    .. math:: \ell(s, y) = \frac{1}{n} \sum_i (s_i - y_i)^2

    Args:
        scores: Predicted labels, higher is better; in the unit of ``labels``.
        labels: Higher is better; z-scored over the training set.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without items.

    References:
        Wen et al. (2020), "Neural predictor for neural architecture search", ECCV.

    Example:
        >>> import torch
        >>> mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 5.0])).item()
        4.5
    """
    errors = keep(scores, where) - keep(labels, where)
    return over_lists(mean_over_items(errors.square(), where), reduction)


def mse_with_sequence_ranking_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    weight: Positive = 0.1,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Mean squared error plus the mean absolute error of all differences.

    .. math:: \ell(s, y) = \frac{1}{n} \sum_i (s_i - y_i)^2
              + \frac{w}{n^2} \sum_{i,j} |(s_i - s_j) - (y_i - y_j)|

    The published second term compares each item with the one that a random permutation, drawn
    again in every step, puts in its place. This is its exact expectation over all permutations:
    the same loss without the noise, and independent of the order of the items.
    In spite of its name it regresses differences and does not rank: a score too far on the
    right side costs as much as one too far on the wrong side.

    Args:
        scores: Predicted labels, higher is better; in the unit of ``labels``.
        labels: Higher is better; z-scored over the training set.
        weight: Weight of the second term; that of the first is 1.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without items.

    References:
        Yi et al. (2023), "NAR-Former: neural architecture representation learning towards
        holistic attributes prediction", CVPR.

    Example:
        >>> import torch
        >>> scores, labels = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 5.0])
        >>> round(mse_with_sequence_ranking_loss(scores, labels).item(), 6)  # 4.5 + 0.1 (3 + 3)/4
        4.65
    """
    errors = keep(scores, where) - keep(labels, where)
    squares = mean_over_items(errors.square(), where)
    gaps = mean_over_pairs(differences(errors).abs(), all_pairs(errors, where))
    return over_lists(squares + weight * gaps, reduction)
