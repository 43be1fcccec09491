"""What stands in for the labels of a training set: the labels themselves, or something tamer.

A handful of failed trainings sets the scale of raw labels, and a loss that measures distances
then hardly sees the differences among the good ones. Each of these keeps the order of labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nasrank.losses.catalogue import Targets
from nasrank.losses.reduction import keep

__all__ = ["beaten_share", "transformed"]

_FARTHEST = 3.0
"""Deviations from the median at which labels are clipped."""

_Labels: TypeAlias = Float[Tensor, "*batch items"]
_Where: TypeAlias = Bool[Tensor, "*batch items"] | None


def transformed(
    targets: Targets,
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None = None,
) -> Float[Tensor, "*batch items"]:
    r"""Replace the labels of whole training sets.

    ``clipped`` is :math:`\max(-3, \min(3, (y_i - \tilde y) / (1.4826\,\text{MAD})))` with the
    median and the median absolute deviation from it, and the labels as they are where more than
    half of them are equal, so that there is no deviation. ``normal`` is
    :math:`\Phi^{-1}((r_i - 1/2) / n)` with ascending ranks r, ties sharing their mean. ``robust``
    is the mean of both, or the latter alone where there is no deviation.

    Args:
        targets: One of :data:`~nasrank.losses.catalogue.TARGETS`.
        labels: One training set per list, higher is better; any unit.
        where: True for real items, False for padding.

    Returns:
        0 at padding; on no common scale, which is left to what follows.

    Example:
        >>> labels = torch.tensor([10.0, 92.0, 93.0, 94.0])
        >>> transformed("clipped", labels)
        tensor([-3.0000, -0.3372,  0.3372,  1.0117])
        >>> transformed("robust", labels).round(decimals=2)
        tensor([-2.0800, -0.3300,  0.3300,  1.0800])
    """
    return _FUNCTIONS[targets](labels, where)


def beaten_share(
    labels: Float[Tensor, "*batch items"],
    where: Bool[Tensor, "*batch items"] | None = None,
) -> Float[Tensor, "*batch items"]:
    """Return the share of the other items that each item beats, half of those it ties with.

    The least label becomes 0, the greatest 1, and all are 0.5 if all are equal. This is the
    relevance that losses with a gain receive: architectures that failed to train take up most
    of the range of accuracies, and all good ones share the rest of it.

    Example:
        >>> beaten_share(torch.tensor([10.0, 93.0, 94.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    middle = _middle(labels, where)
    others = _count(labels, where) - 1
    return keep(torch.where(others > 0, middle / others, 0.5), where)


def _middle(labels: _Labels, where: _Where) -> _Labels:
    """Mean rank of each label among the others, counted from 0."""
    ascending = keep(labels, where, torch.inf).sort(-1).values.contiguous()
    sought = keep(labels, where).contiguous()
    worse = torch.searchsorted(ascending, sought)
    worse_or_tied = torch.searchsorted(ascending, sought, right=True)
    return (worse + worse_or_tied - 1).to(labels.dtype) / 2


def _count(labels: _Labels, where: _Where) -> Tensor:
    items = labels.shape[-1] if where is None else where.sum(-1, keepdim=True)
    return torch.as_tensor(items, device=labels.device)


def _raw(labels: _Labels, where: _Where) -> _Labels:
    return keep(labels, where)


def _normal(labels: _Labels, where: _Where) -> _Labels:
    share = (_middle(labels, where) + 0.5) / _count(labels, where).clamp_min(1)
    return keep(torch.special.ndtri(keep(share, where, 0.5)), where)


def _deviations(labels: _Labels, where: _Where) -> tuple[_Labels, Tensor]:
    """Deviations from the median in units of the MAD, clipped; and where there is no such unit."""
    away = labels - _median(labels, where)
    unit = 1.4826 * _median(away.abs(), where)
    clipped = (away / unit).clamp(-_FARTHEST, _FARTHEST)
    return keep(torch.where(unit > 0, clipped, 0.0), where), unit == 0


def _median(labels: _Labels, where: _Where) -> Float[Tensor, "*batch 1"]:
    if labels.numel() == 0:
        return labels.new_zeros(*labels.shape[:-1], 1)
    middle = keep(labels, where, torch.nan).nanquantile(0.5, dim=-1, keepdim=True)
    return middle.nan_to_num()


def _clipped(labels: _Labels, where: _Where) -> _Labels:
    clipped, flat = _deviations(labels, where)
    return torch.where(flat, keep(labels, where), clipped)


def _robust(labels: _Labels, where: _Where) -> _Labels:
    clipped, flat = _deviations(labels, where)
    ranked = _normal(labels, where)
    return torch.where(flat, ranked, (ranked + clipped) / 2)


_FUNCTIONS: Mapping[Targets, Callable[[_Labels, _Where], _Labels]] = {
    "raw": _raw,
    "clipped": _clipped,
    "robust": _robust,
    "normal": _normal,
    "rank": beaten_share,
}
