"""Losses that weight the best items more than the rest."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from nasrank.losses.preparation import GAP, upper_bound
from nasrank.losses.reduction import (
    Reduction,
    differences,
    keep,
    mean_over_items,
    ordered_pairs,
    over_lists,
    require_shares,
)
from nasrank.named import Positive

__all__ = ["exponential_loss", "lambdarank_loss", "mape_loss", "warp_loss"]

EULER_GAMMA = 0.57721566490153286


def exponential_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    best: Float[Tensor, "*#batch 1"] | None = None,
    spread: Float[Tensor, "*#batch 1"] | None = None,
    variant: Literal["exp", "expm1"] = "exp",
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared error weighted by an exponential of the label.

    .. math:: \ell(s, y) = \frac{1}{n} \sum_i e^{u_i - 1} (s_i - y_i)^2 \quad\text{or}\quad
              \frac{1}{n} \sum_i \frac{e^{u_i} - 1}{e - 1} (s_i - y_i)^2,
              \qquad u_i = 1 + \frac{y_i - \text{best}}{\text{spread}}

    The weight depends on where a label lies between the worst, u = 0, and the best, u = 1, of the
    training set. Over that range it grows 2.7-fold; taken from accuracies as fractions, as
    published, it grows 1.15-fold between 80 and 94 % and the loss hardly differs from ``mse``.
    The error itself keeps the unit of the labels, since a predictor starts at that scale.

    Args:
        scores: Predicted labels, higher is better; in the unit of ``labels``.
        labels: Higher is better; any unit.
        best: Greatest label of the training set, one per list; 1 if None.
        spread: Greatest minus least label of the training set, one per list; 1 if None. Without
            either the labels are assumed to lie in [0, 1], as published.
        variant: ``"exp"`` is what the authors' code computes; ``"expm1"`` is the printed
            formula, which gives the worst item no weight at all.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without items.

    References:
        Shi et al. (2020), "Bridging the gap between sample-based and one-shot neural
        architecture search with BONAS", NeurIPS.

    Example:
        >>> import torch
        >>> exponential_loss(torch.tensor([3.0]), torch.tensor([1.0])).item()
        4.0
    """
    if best is None and spread is None:
        require_shares(labels, where, "ew")
    scores, labels = keep(scores, where), keep(labels, where)
    above = (labels - (1 if best is None else best)) / (1 if spread is None else spread)
    weights = above.exp() if variant == "exp" else (1 + above).expm1() / math.expm1(1)
    # At padding the label 0 may lie far above the best, so that its weight overflows.
    weights = keep(weights, where)
    return over_lists(mean_over_items(weights * (scores - labels).square(), where), reduction)


def mape_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    bound: Float[Tensor, "*#batch 1"] | None = None,
    gap: Positive = GAP,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error relative to the distance of the label from an upper bound.

    .. math:: \ell(s, y) = \frac{1}{n} \sum_i \frac{|s_i - y_i|}{b - y_i}

    It is published for errors and a lower bound of them, which is the same with all signs
    flipped. Rescaling scores, labels and bound together changes nothing.

    Args:
        scores: Predicted labels, higher is better; in the unit of ``labels``.
        labels: Higher is better; z-scored over the training set.
        bound: Above every label, in the unit of ``labels``; one value per list. Without it each
            list makes its own, as the training set does: its maximum plus ``gap`` times its
            interquartile range.
        gap: Distance of that bound from the best label, in interquartile ranges; the smaller,
            the more of the loss the very best items carry.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without items.

    References:
        White, Neiswanger and Savani (2021), "BANANAS: Bayesian optimization with neural
        architectures for neural architecture search", AAAI.

    Example:
        >>> import torch
        >>> scores, labels = torch.tensor([1.0, 1.0]), torch.tensor([0.0, 2.0])
        >>> mape_loss(scores, labels, bound=torch.tensor([4.0])).item()  # (1/4 + 1/2) / 2
        0.375
    """
    if bound is None:
        bound = upper_bound(labels, gap=gap, where=where)
    labels = keep(labels, where)
    room = keep(bound - labels, where, 1.0)
    return over_lists(
        mean_over_items((keep(scores, where) - labels).abs() / room, where), reduction
    )


def warp_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    margin: Positive = 1.0,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Hinge in which the items that should rank first weigh most (WARP).

    .. math:: \ell(s, y) = \frac{1}{|V|} \sum_{i \in V} \frac{H(v_i)}{v_i}
              \sum_{y_i > y_j} \max(0, m - (s_i - s_j)), \quad H(k) = \sum_{t=1}^{k} \frac{1}{t}

    Violators of item i are the worse items that do not trail it by the margin; there are
    :math:`v_i` of them, and V holds the items with at least one. The published loss estimates
    their number by sampling; on lists of this length all of them are counted, so the loss is
    deterministic. No gradient flows through the weights.

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Higher is better; only their order matters. Equal labels form no pair.
        margin: By how much the better item has to lead, in the unit of ``scores``.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without a violator.

    References:
        Weston, Bengio and Usunier (2011), "WSABIE: scaling up to large vocabulary image
        annotation", IJCAI.

    Example:
        >>> import torch
        >>> loss = warp_loss(torch.tensor([0.0, 0.0, 0.0]), torch.tensor([3.0, 2.0, 1.0]))
        >>> round(loss.item(), 6)  # ((1 + 1/2)/2 * 2 + 1/1 * 1) / 2
        1.25
    """
    lead = differences(keep(scores, where))
    hinge = (margin - lead).relu() * ordered_pairs(labels, where)
    violators = hinge.detach().sign().sum(-1)
    harmonic = torch.digamma(violators + 1) + EULER_GAMMA
    rows = hinge.sum(-1) * (harmonic / violators.clamp_min(1))
    return over_lists(rows.sum(-1) / violators.sign().sum(-1).clamp_min(1), reduction)


def lambdarank_loss(
    scores: Float[Tensor, "*batch items"],
    labels: Float[Tensor, "*batch items"],
    *,
    grades: Positive = 5.0,
    where: Bool[Tensor, "*batch items"] | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Logistic loss of pairs, each weighted by what swapping the two would change in NDCG.

    .. math:: \ell(s, y) = \frac{\sum_{y_i > y_j} w_{ij} \log(1 + e^{-(s_i - s_j)})}
              {\sum_{y_i > y_j} w_{ij}}, \quad
              w_{ij} = (2^{g y_i} - 2^{g y_j})
              \Big| \frac{1}{\log_2(1 + r_i)} - \frac{1}{\log_2(1 + r_j)} \Big|

    Ranks r are those by score, and of equal scores the worse item ranks first, so that a
    predictor without an opinion still learns. No gradient flows through the weights. Dividing
    by their sum changes the size of the step but not its direction, and makes the loss
    comparable with ``lr`` at any list length.

    Args:
        scores: Predicted scores, higher is better; no unit.
        labels: Relevance in [0, 1], higher is better: the share of the training set an item
            beats. Raw accuracies would not work: a few failed architectures push all good ones
            into the last percent of the range, where all gains are equal.
        grades: The number of times the gain doubles from the worst item to the best.
        where: True for real items, False for padding.
        reduction: ``"mean"`` over lists, or ``"none"`` for one value per list.

    Returns:
        A scalar or ``[*batch]``; exactly 0 with a zero gradient for a list without a pair.

    References:
        Burges, Ragno and Le (2006), "Learning to rank with nonsmooth cost functions", NIPS.

    Example:
        >>> import torch
        >>> loss = lambdarank_loss(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 1.0]))
        >>> round(loss.item(), 6)  # one pair, whatever its weight: log 2
        0.693147
    """
    require_shares(labels, where, "lambdarank")
    lead = differences(keep(scores, where))
    pairs = ordered_pairs(labels, where)
    # 1 where item j ranks before item i: j scores higher, or the same and is worse.
    ahead = (pairs - lead.detach().sign()).clamp(0, 1)
    if where is not None:
        ahead = ahead * where.unsqueeze(-2)
    discounts = 1 / torch.log2(2 + ahead.sum(-1))
    gains = torch.exp2(grades * keep(labels.detach(), where))
    change = pairs * differences(gains) * differences(discounts).abs()
    total = change.sum((-2, -1), keepdim=True)
    weights = change / torch.where(total > 0, total, 1.0)
    return over_lists((weights * -logsigmoid(lead)).sum((-2, -1)), reduction)
