"""The cophenetic correlation: how well distances of classes follow a tree."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["cpcc"]


def cpcc(
    distances: Float[Tensor, "*batch pairs"],
    tree: Float[Tensor, "pairs"] | Float[Tensor, "*batch pairs"],
    *,
    where: Bool[Tensor, "*batch pairs"] | None = None,
) -> tuple[Float[Tensor, "*batch"], Bool[Tensor, "*batch"]]:
    r"""Cophenetic correlation coefficient, differentiable in the distances.

    .. math:: \mathrm{CPCC} = \frac{\sum_{i<j} (t_{ij} - \bar t)(\rho_{ij} - \bar\rho)}
        {\sqrt{\sum_{i<j} (t_{ij} - \bar t)^2 \sum_{i<j} (\rho_{ij} - \bar\rho)^2}}

    Higher is better, 1 if and only if the distances are a rising affine function of those in the
    tree; scale and shift of the distances do not matter.

    Args:
        distances: One a pair of classes.
        tree: Path lengths in the tree.
        where: Which pairs count; all by default.

    Returns:
        The coefficient, and whether it is degenerate: fewer than two pairs, or one of the two
        constant. A degenerate coefficient is 1 and has no gradient, so that such a batch
        teaches nothing.

    References:
        Sokal & Rohlf (1962), "The comparison of dendrograms by objective methods", Taxon.

    Example:
        >>> value, degenerate = cpcc(torch.tensor([1.0, 3.0, 3.0]), torch.tensor([2.0, 4.0, 4.0]))
        >>> round(float(value), 6), bool(degenerate)
        (1.0, False)
    """
    tree = tree.to(distances).expand(distances.shape)
    real = torch.ones_like(tree) if where is None else where.to(distances)
    pairs = real.sum(dim=-1, keepdim=True).clamp(min=1)

    def centred(
        values: Float[Tensor, "*batch pairs"],
    ) -> tuple[Float[Tensor, "*batch pairs"], Bool[Tensor, "*batch"]]:
        # Pairs that do not count may hold anything but must not reach the mean or the gradient.
        kept = torch.where(real > 0, values, 0.0)
        away = (kept - kept.sum(dim=-1, keepdim=True) / pairs) * real
        with torch.no_grad():
            rounding = 8 * torch.finfo(values.dtype).eps * kept.norm(dim=-1)
            constant = away.norm(dim=-1) <= rounding
        return away, constant

    (t, flat_tree), (rho, flat) = centred(tree), centred(distances)
    degenerate = (real.sum(dim=-1) < 2) | flat_tree | flat
    together = (t * rho).sum(dim=-1)
    spread = t.square().sum(dim=-1) * rho.square().sum(dim=-1)
    safe = torch.where(degenerate, 1.0, spread)
    value = torch.where(degenerate, 1.0, torch.where(degenerate, 0.0, together) / safe.sqrt())
    return value, degenerate
