"""Losses on the order of pairs of items."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from nasrank.losses.reduction import (
    Reduction,
    differences,
    keep,
    mean_over_pairs,
    ordered_pairs,
    over_lists,
)
from nasrank.named import Positive

__all__ = ["hinge_loss", "logistic_loss", "soft_tau_loss"]


def hinge_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    margin: Positive = 0.1,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Mean hinge over the pairs of a list whose order is known.

    .. math:: \ell(s, y) = \frac{1}{|N|} \sum_{y_i > y_j} \max(0, m - (s_i - s_j))

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Higher is better; only their order matters. Equal labels form no pair.
        margin: By how much the better item has to lead, in the unit of ``scores``.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list, each the mean
            over the pairs of its list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without a pair.

    References:
        Ning et al. (2020), "A generic graph-based neural architecture encoding scheme for
        predictor-based NAS", ECCV.

    Example:
        >>> import torch
        >>> hinge_loss(torch.tensor([0.0, 3.0]), torch.tensor([2.0, 1.0]), margin=1.0).item()
        4.0
    """
    lead = differences(keep(scores, where))
    hinge = (margin - lead).relu()
    return over_lists(mean_over_pairs(hinge, ordered_pairs(labels, where)), reduction)


def logistic_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    temperature: Positive = 1.0,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Mean negative log-likelihood of the known order of two items (RankNet).

    .. math:: \ell(s, y) = \frac{1}{|N|} \sum_{y_i > y_j} \log(1 + e^{-(s_i - s_j) / T})

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Higher is better; only their order matters. Equal labels form no pair.
        temperature: The lead in score that multiplies the odds of the known order by e.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list, each the mean
            over the pairs of its list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without a pair.

    References:
        Burges et al. (2005), "Learning to rank using gradient descent", ICML.

    Example:
        >>> import torch
        >>> loss = logistic_loss(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 1.0]))
        >>> round(loss.item(), 6)  # log 2
        0.693147
    """
    lead = differences(keep(scores, where))
    # Unlike softplus, logsigmoid does not become linear beyond a threshold.
    surprise = -logsigmoid(lead / temperature)
    return over_lists(mean_over_pairs(surprise, ordered_pairs(labels, where)), reduction)


def soft_tau_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    temperature: Positive = 1.0,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus Kendall's tau with the sign of a lead in score softened to a tanh.

    .. math:: \ell(s, y) = 1 - \frac{1}{|N|} \sum_{y_i > y_j} \tanh((s_i - s_j) / T)

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Higher is better; only their order matters. Equal labels form no pair.
        temperature: The lead in score at which an order counts as mostly decided.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list, each the mean
            over the pairs of its list.

    Returns:
        A scalar or ``[*batch]`` between 0 and 2; exactly 0 with a zero gradient for a list
        without a pair.

    References:
        Zheng et al. (2023), "DiffKendall: a novel approach for few-shot learning with
        differentiable Kendall's rank correlation", NeurIPS.

    Example:
        >>> import torch
        >>> soft_tau_loss(torch.tensor([1.0, 1.0]), torch.tensor([2.0, 1.0])).item()
        1.0
    """
    lead = differences(keep(scores, where))
    # 1 - tanh(x), without the cancellation that would lose it for large x.
    doubt = 2 * (lead * (-2 / temperature)).sigmoid()
    return over_lists(mean_over_pairs(doubt, ordered_pairs(labels, where)), reduction)
