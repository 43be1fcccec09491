"""Sliced optimal transport: many problems on a line in place of one in space."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import Clouds
from nasrank.companions.optimal_transport.transport import compress, greedy_plan
from nasrank.named import Count

__all__ = ["sliced", "swd"]


def swd(
    clouds: Clouds, draws: torch.Generator, *, projections: Count = 10
) -> Float[Tensor, "*batch pairs"]:
    r"""Sliced 2-Wasserstein distance over random directions, drawn anew at each call.

    .. math:: \rho(i, j) = \Big(\frac1L \sum_{l=1}^L
        W_2^2(\theta_l^\top x_i, \theta_l^\top x_j)\Big)^{1/2}

    On a line the greedy plan between sorted points is optimal, so that all pairs and directions
    are solved at once. One direction sees on average 1/d of a squared length, so that values are
    smaller than the other distances'; a correlation does not mind.

    Args:
        clouds: The clouds.
        draws: Draws the directions.
        projections: Number of directions L.

    Returns:
        One a pair; 0 where a class has no sample.

    References:
        Rabin et al. (2011), "Wasserstein barycenter and its application to texture mixing".
    """
    width = clouds.points.shape[-1]
    directions = torch.randn(width, projections, generator=draws, dtype=torch.float64)
    directions = directions / directions.norm(dim=0)
    return sliced(clouds, directions.to(clouds.points))


def sliced(
    clouds: Clouds, directions: Float[Tensor, "d directions"]
) -> Float[Tensor, "*batch pairs"]:
    """Sliced 2-Wasserstein distance over given directions.

    Args:
        clouds: The clouds.
        directions: Unit vectors, one a column.

    Returns:
        One a pair; 0 where a class has no sample.

    Example:
        Along the only axis there is, {0, 2} and {1, 5} are sqrt((1 + 9) / 2) apart.

        >>> points = torch.tensor([[[0.0], [2.0]], [[5.0], [1.0]]])
        >>> clouds = Clouds(points, torch.full((2, 2), 0.5))
        >>> round(float(sliced(clouds, torch.ones(1, 1))), 4)
        2.2361
    """
    first, second = clouds.pairs
    shadows = (clouds.points @ directions).transpose(-1, -2)
    weights = clouds.weights.unsqueeze(-2).expand(shadows.shape)
    with torch.no_grad():
        order = shadows.masked_fill(weights == 0, torch.inf).argsort(dim=-1)
        shares = weights.gather(-1, order)
        plan = compress(greedy_plan(shares[..., first, :, :], shares[..., second, :, :]))
    shadows = shadows.gather(-1, order)
    gaps = shadows[..., first, :, :].gather(-1, plan.rows)
    gaps = gaps - shadows[..., second, :, :].gather(-1, plan.columns)
    squares = (plan.flow.to(gaps) * gaps.square()).sum(dim=-1).mean(dim=-1)
    # The root has no slope at 0; below the smallest number it is taken as flat.
    return squares.clamp(min=torch.finfo(squares.dtype).tiny).sqrt() * clouds.present
