"""The distance that knows of a class nothing but its mean."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import Clouds

__all__ = ["l2"]


def l2(clouds: Clouds, _draws: torch.Generator) -> Float[Tensor, "*batch pairs"]:
    r"""Euclidean distance of the class means.

    .. math:: \rho(i, j) = \lVert \bar x_i - \bar x_j \rVert

    Every sample of a class gets the same gradient, the unit vector between the means over the
    number of samples; classes of equal means are 0 apart, whatever their shapes. Linear in the
    samples, and at most any other distance here but ``swd`` (Jensen).

    Returns:
        One a pair; 0 where a class has no sample.

    References:
        Zeng, Des Combes & Zhao (2023), "Learning structured representations by embedding class
        hierarchy", ICLR.

    Example:
        >>> from nasrank.seeds import torch_generator
        >>> points = torch.tensor([[[0.0, 0.0], [0.0, 2.0]], [[3.0, 5.0], [3.0, 5.0]]])
        >>> float(l2(Clouds(points, torch.full((2, 2), 0.5)), torch_generator(0)))
        5.0
    """
    first, second = clouds.pairs
    means = clouds.means()
    ways = means[..., first, :] - means[..., second, :]
    lengths: Tensor = torch.linalg.vector_norm(ways, dim=-1)
    return lengths * clouds.present
