"""Stage one of the reconstruction, first half: pull an anchor and its positive apart."""

from __future__ import annotations

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

__all__ = ["SHAPES", "Shape", "stretch", "stretch_factor"]

Shape = Literal["linear", "flat"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
"""How the stretch depends on the distance; only ``linear`` is continuous."""


def stretch_factor(
    distance: Float[Tensor, "*pairs"], *, by: float, reach: float, shape: Shape = "linear"
) -> Float[Tensor, "*pairs"]:
    r"""How far either end moves, as a share of the distance.

    .. math:: k(d) = \gamma \max(0, 1 - d / d_0) \;\text{(linear)}, \quad
        k(d) = \gamma\, 1[d < d_0] \;\text{(flat)}

    Up to :math:`\gamma = 1/2` the linear one keeps the order of distances; beyond that, close
    pairs may end further apart than wide ones.

    Args:
        distance: From 0 on.
        by: Gamma, the most.
        reach: The distance d0 from which on nothing is stretched, above 0.
        shape: ``linear`` falls to 0 at the reach, ``flat`` jumps there.

    Returns:
        From 0 to ``by``.

    Example:
        >>> import torch
        >>> stretch_factor(torch.tensor([0.0, 0.5, 1.0, 2.0]), by=0.5, reach=1.0).tolist()
        [0.5, 0.25, 0.0, 0.0]
    """
    if shape == "flat":
        return by * (distance < reach).to(distance.dtype)
    return by * (1 - distance / reach).clamp(min=0)


def stretch(
    anchor: Float[Tensor, "*pairs d"],
    positive: Float[Tensor, "*pairs d"],
    factor: Float[Tensor, "*pairs"],
) -> tuple[Float[Tensor, "*pairs d"], Float[Tensor, "*pairs d"]]:
    r"""Move both ends of a pair outward on their line.

    .. math:: a^* = a + k (a - p), \quad p^* = p + k (p - a), \quad d^* = (1 + 2 k)\, d

    The middle and the direction stay, and the distance never shrinks. What is linear in both ends
    is stretched alike: features stretched by a factor have embeddings, before they are brought to
    length 1, that are stretched by it too.

    Args:
        anchor: One a pair.
        positive: Of the same class.
        factor: k, from 0 on; see `stretch_factor`.

    Returns:
        Both ends; not normalised, so pairs on a sphere leave it.

    Example:
        At half the reach the linear factor is half of .4, so d = 1 becomes 1.4:

        >>> import torch
        >>> k = stretch_factor(torch.tensor(1.0), by=0.4, reach=2.0)
        >>> ends = stretch(torch.tensor([0.0]), torch.tensor([1.0]), k)
        >>> [round(end.item(), 4) for end in ends]
        [-0.2, 1.2]
    """
    moved = factor[..., None] * (anchor - positive)
    return anchor + moved, positive - moved
