"""Tiers of accuracy: the classes that labelled architectures are cut into."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["tiers_of"]


def tiers_of(
    targets: Float[Tensor, "*lists items"],
    tiers: int,
    *,
    where: Bool[Tensor, "*lists items"] | None = None,
) -> Int64[Tensor, "*lists items"]:
    """Cut the items of every list into tiers of equal size by their targets.

    Args:
        targets: Higher is better; equal ones keep their order.
        tiers: Number of tiers.
        where: Which items are real; all by default.

    Returns:
        From 0, the worst, to ``tiers - 1``; -1 on padding.

    Example:
        >>> targets = torch.tensor([[3.0, 1.0, 2.0, 4.0, 9.0]])
        >>> where = torch.tensor([[True, True, True, True, False]])
        >>> tiers_of(targets, 2, where=where).tolist()
        [[1, 0, 0, 1, -1]]
    """
    if where is None:
        where = torch.ones_like(targets, dtype=torch.bool)
    ranks = targets.masked_fill(~where, torch.inf).argsort(dim=-1, stable=True).argsort(dim=-1)
    found = (tiers * ranks) // where.sum(dim=-1, keepdim=True).clamp(min=1)
    return torch.where(where, found, -1)
