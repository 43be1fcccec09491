"""Random pictures of several kinds, with the texture of natural ones."""

from __future__ import annotations

import torch

from nasrank.seeds import torch_generator

__all__ = ["COLOURS", "KINDS", "pictures_and_kinds"]

COLOURS = 3
KINDS = 10
_VARIANTS = 2
_MOST_SHIFT = 2


def pictures_and_kinds(seed: int, count: int, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw pictures.

    A picture is one of two patterns of its kind, shifted and of random contrast, plus a field of
    its own. All are random fields whose amplitude falls with frequency, as in natural images.

    Args:
        seed: Seed of the pictures and of the patterns.
        count: Number of pictures.
        side: Their side.

    Returns:
        ``[count, 3, side, side]`` pictures of about unit variance per pattern, and ``[count]``
        kinds, 0 to 9.
    """
    draw = torch_generator(seed, stream="pictures")
    patterns = _fields(KINDS * _VARIANTS, side, draw).view(KINDS, _VARIANTS, COLOURS, side, side)
    kinds = torch.randint(KINDS, (count,), generator=draw)
    variants = torch.randint(_VARIANTS, (count,), generator=draw)
    shifts = torch.randint(-_MOST_SHIFT, _MOST_SHIFT + 1, (count, 2), generator=draw)
    shifted = torch.stack(
        [
            torch.roll(pattern, (int(down), int(right)), (1, 2))
            for pattern, (down, right) in zip(patterns[kinds, variants], shifts, strict=True)
        ]
    )
    contrast = 0.4 + 0.8 * torch.rand(count, 1, 1, 1, generator=draw)
    return shifted * contrast + _fields(count, side, draw), kinds


def _fields(count: int, side: int, draw: torch.Generator) -> torch.Tensor:
    """Draw fields of zero mean and unit variance per colour, ``[count, 3, side, side]``."""
    frequency = torch.fft.fftfreq(side)
    radius = (frequency[:, None].square() + frequency.square()).sqrt()
    radius[0, 0] = 1.0 / side
    noise = torch.randn(count, COLOURS, side, side, generator=draw)
    fields: torch.Tensor = torch.fft.ifft2(torch.fft.fft2(noise) / radius).real
    centred = fields - fields.mean((2, 3), keepdim=True)
    return centred / centred.std((2, 3), keepdim=True)
