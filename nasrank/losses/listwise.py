"""Losses that look at a whole list at once."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.losses.reduction import (
    Reduction,
    differences,
    has_order,
    keep,
    mean_over_items,
    over_lists,
    require_shares,
)
from nasrank.named import Count, Positive

__all__ = ["approx_ndcg_loss", "listmle_loss", "listnet_loss"]


def listmle_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    top: Count | None = None,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Mean negative log-likelihood of the true order being drawn best item first.

    .. math:: \ell(s, y) = \frac{1}{n} \sum_i \Big[ \log \sum_{y_j \le y_i} e^{s_j} - s_i \Big]

    Equal labels share one denominator, over their group and everything worse (Breslow's
    treatment of ties in the partial likelihood of Cox), so the value does not depend on the
    order of tied items. The published loss is the sum over positions; the mean keeps lists
    of different lengths comparable.

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Higher is better; only their order matters.
        top: Count only items that fewer than ``top`` other items are better than.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without two
        different labels.

    References:
        Xia et al. (2008), "Listwise approach to learning to rank: theory and algorithm", ICML.
        Breslow (1974), "Covariance analysis of censored survival data", Biometrics.

    Example:
        >>> import torch
        >>> loss = listmle_loss(torch.tensor([60.0, 0.0, -60.0]), torch.tensor([3.0, 1.0, 2.0]))
        >>> loss.item()  # (0 + 60 + 0) / 3
        20.0
    """
    # Worst first and padding last, so that no denominator of a real item includes padding.
    ascending, order = keep(labels, where, torch.inf).sort(-1)
    ascending = ascending.contiguous()
    scores = keep(scores, where).gather(-1, order)
    up_to_group = torch.searchsorted(ascending, ascending, right=True)
    denominators = scores.logcumsumexp(-1).gather(-1, (up_to_group - 1).clamp_min(0))
    counted = None if where is None else where.gather(-1, order)
    if top is not None:
        real = labels.shape[-1] if where is None else where.sum(-1, keepdim=True)
        leading = real - up_to_group < top
        counted = leading if counted is None else counted & leading
    values = mean_over_items(denominators - scores, counted)
    return over_lists(torch.where(has_order(labels, where), values, 0.0), reduction)


def listnet_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    temperature: Positive = 0.1,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy between the softmax of the labels and the softmax of the scores.

    .. math:: \ell(s, y) = -\sum_i \mathrm{softmax}(y / T)_i \, \log \mathrm{softmax}(s)_i

    Args:
        scores: Predicted scores, higher is better; no unit. The loss is least where they equal
            ``labels / temperature`` up to a constant.
        labels: Relevance in [0, 1], higher is better: the share of the training set an item
            beats. Raw accuracies would not work: a few failed architectures push all good ones
            into the last percent of the range, where the softmax cannot distinguish them.
        temperature: The share of the training set on which most of the weight lies; at the
            default the best tenth carries 63 % of it.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without two
        different labels.

    References:
        Cao et al. (2007), "Learning to rank: from pairwise approach to listwise approach", ICML.

    Example:
        >>> import torch
        >>> loss = listnet_loss(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]))
        >>> round(loss.item(), 6)  # log 2, whatever the labels
        0.693147
    """
    # Finite, since a list of padding alone would otherwise divide 0 by 0.
    nothing = torch.finfo(scores.dtype).min
    require_shares(labels, where, "listnet")
    target = keep(labels / temperature, where, nothing).softmax(-1)
    surprise = -keep(scores, where, nothing).log_softmax(-1)
    values = keep(target * surprise, where).sum(-1)
    return over_lists(torch.where(has_order(labels, where), values, 0.0), reduction)


def approx_ndcg_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    alpha: Positive = 1.0,
    grades: Positive = 5.0,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus NDCG with each rank softened to a sum of sigmoids.

    .. math:: \ell(s, y) = 1 - \frac{1}{Z} \sum_i \frac{2^{g y_i} - 1}{\log_2(1 + r_i)}, \quad
              r_i = 1 + \sum_{j \ne i} \sigma(\alpha (s_j - s_i))

    where Z is the same sum at the true ranks.

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Relevance in [0, 1], higher is better: the share of the training set an item
            beats. Raw accuracies would not work: a few failed architectures push all good ones
            into the last percent of the range, where all gains are equal.
        alpha: How sharply a lead in score decides which of two items ranks first.
        grades: The number of times the gain doubles from the worst item to the best.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without two
        different labels.

    References:
        Qin, Liu and Li (2010), "A general approximation framework for direct optimization of
        information retrieval measures", Information Retrieval.

    Example:
        >>> import torch
        >>> loss = approx_ndcg_loss(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]))
        >>> round(loss.item(), 6)  # one gain of 31 at rank 1.5: 1 - 1 / log2(2.5)
        0.243529
    """
    ahead = (-alpha * differences(keep(scores, where))).sigmoid()
    if where is not None:
        ahead = ahead * where.unsqueeze(-2)
    # The sum over all j holds sigmoid(0) = 1/2 for the item itself.
    ranks = 0.5 + ahead.sum(-1)
    require_shares(labels, where, "approxndcg")
    gains = keep(torch.exp2(grades * labels) - 1, where)
    true_ranks = torch.arange(1, labels.shape[-1] + 1, dtype=gains.dtype, device=gains.device)
    best = (gains.sort(-1, descending=True).values / torch.log2(1 + true_ranks)).sum(-1)
    reached = (gains / torch.log2(1 + ranks)).sum(-1)
    ordered = has_order(labels, where)
    values = 1 - reached / torch.where(ordered, best, 1.0)
    return over_lists(torch.where(ordered, values, 0.0), reduction)
