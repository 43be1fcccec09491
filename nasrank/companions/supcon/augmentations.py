"""Random views of samples, and shifted ones."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

__all__ = ["random_views", "turned"]

_TURN, _MOVE, _SCALE, _CONTRAST, _NOISE = 15.0, 0.1, 0.15, 0.3, 0.05
_BLUR, _DROPPED = 0.2, 0.1
_COLOURS, _SMALLEST_PART = 3, 0.6


def random_views(
    samples: Float[Tensor, "n *shape"],
    generator: torch.Generator,
    *,
    strength: float,
    deviation: Float[Tensor, "*shape"],
) -> Float[Tensor, "n *shape"]:
    """Return one random view of each sample.

    Images are turned by up to 15 degrees, moved by up to a tenth of their side, scaled and
    changed in contrast by up to 15 and 30 %, all evenly drawn, and get noise of deviation .05;
    what lies outside of an image is 0. Of images in colour a part is cut out besides, whose side
    is at least .6 of theirs, half of them are mirrored, and each colour is changed by up to 30 %.
    Vectors get noise of a fifth of each dimension's deviation, and a tenth of their values is set
    to 0.

    Args:
        samples: Images, channels first, or vectors.
        generator: Draws, on the CPU.
        strength: Factor of every amount; 0 returns the samples.
        deviation: Of the training samples, one a number of a sample; images ignore it.

    References:
        Chen et al. (2020), "A simple framework for contrastive learning of visual
        representations", ICML, for parts and colours.
    """
    if strength == 0:
        return samples
    count, device = len(samples), samples.device
    noise = torch.randn(samples.shape, generator=generator).to(device)
    if samples.ndim == 2:
        kept = torch.rand(samples.shape, generator=generator) >= min(_DROPPED * strength, 0.9)
        return (samples + strength * _BLUR * deviation * noise) * kept.to(device)
    drawn = (2 * torch.rand(count, 5, generator=generator) - 1).to(device) * strength
    angle = drawn[:, 0] * math.radians(_TURN)
    scale = torch.exp(_SCALE * drawn[:, 1])
    # The grid runs from -1 to 1, so a tenth of a side is .2 of it.
    moved = 2 * _MOVE * drawn[:, 2:4]
    if samples.shape[1] == _COLOURS:
        more = torch.rand(count, 4 + _COLOURS, generator=generator).to(device)
        part = 1 - (1 - _SMALLEST_PART) * min(strength, 1.0) * more[:, 0]
        scale, moved = scale * part, moved + (1 - part)[:, None] * (2 * more[:, 1:3] - 1)
        samples = torch.where(more[:, 3, None, None, None] < 0.5, samples.flip(-1), samples)
        factors = 1 + strength * _CONTRAST * (2 * more[:, 4:, None, None] - 1)
        samples = samples * factors
    views = _warp(samples, angle, scale, moved) * (1 + _CONTRAST * drawn[:, 4, None, None, None])
    return views + strength * _NOISE * noise


def turned(
    images: Float[Tensor, "n channels height width"], degrees: float
) -> Float[Tensor, "n channels height width"]:
    """Return images turned about their centres."""
    angle = torch.full((len(images),), math.radians(degrees), device=images.device)
    return _warp(images, angle, torch.ones_like(angle), angle.new_zeros(len(images), 2))


def _warp(
    images: Float[Tensor, "n channels height width"],
    angle: Float[Tensor, "n"],
    scale: Float[Tensor, "n"],
    moved: Float[Tensor, "n 2"],
) -> Float[Tensor, "n channels height width"]:
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    turn = torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
    grid = affine_grid(
        torch.cat([turn, moved[:, :, None]], 2), list(images.shape), align_corners=False
    )
    return grid_sample(images, grid, align_corners=False)
