"""The steps of an operation for many cells at once, each with its own backward pass.

Signals are ``[cells, pictures, numbers]``, gradients ``[cells, passes, pictures, numbers]``. A
step returns its result and a function from gradients of the result to those of its input, which
may overwrite its argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch.nn import functional

from nasrank.proxies.maps import LinearMap

__all__ = ["LOSS", "Backward", "Record", "linear", "max_pool", "norm", "relu"]

LOSS = 1
"""The pass whose gradients are those of a loss."""
EPSILON = 1e-5

Backward = Callable[[torch.Tensor], torch.Tensor]


@dataclass(eq=False)
class Record:
    """Sums over the layers of each level, filled in by the steps.

    Levels are the stages and, last, the final activation.

    Attributes:
        codes: ``[levels, cells, pictures, pictures]`` units that are on for both pictures.
        units: ``[levels, cells]`` number of units.
        gradient: ``[levels, cells]`` squared gradients of the weights.
        saliency: ``[levels, cells]`` magnitudes of weight times gradient.
        fisher: ``[levels, cells]`` squared sums over positions of activation times gradient.
        level: The level that steps add to.
    """

    codes: torch.Tensor
    units: torch.Tensor
    gradient: torch.Tensor = field(init=False)
    saliency: torch.Tensor = field(init=False)
    fisher: torch.Tensor = field(init=False)
    level: int = 0

    def __post_init__(self) -> None:
        """Start every sum at zero."""
        self.gradient, self.saliency, self.fisher = (
            torch.zeros_like(self.units) for _ in range(3)
        )


def relu(entering: torch.Tensor, cells: slice, record: Record) -> tuple[torch.Tensor, Backward]:
    """Set negative values to zero, and count units that are on for both pictures."""
    on = (entering > 0).to(entering.dtype)
    record.codes[record.level, cells].baddbmm_(on, on.transpose(1, 2))
    record.units[record.level, cells] += on.shape[2]
    return entering * on, lambda gradient: gradient.mul_(on[:, None])


def linear(
    entering: torch.Tensor, how: LinearMap, cells: slice, record: Record
) -> tuple[torch.Tensor, Backward]:
    """Apply a map; in the backward pass, measure the gradients of its weights."""
    items, pictures, numbers = entering.shape
    level = record.level

    def back(gradient: torch.Tensor) -> torch.Tensor:
        if how.taps is not None and how.weights is not None:
            whole = torch.bmm(entering.transpose(1, 2), gradient[:, LOSS]).view(items, -1)
            taken = whole.index_select(1, how.taps.entries).view(items, *how.taps.real.shape)
            weights = (taken * how.taps.real).sum(2)
            record.gradient[level, cells] += weights.square().sum(1)
            record.saliency[level, cells] += (weights * how.weights).abs().sum(1)
        passes = gradient.shape[1]
        flat = gradient.reshape(items * passes * pictures, -1)
        return (flat @ how.matrix.T).view(items, passes, pictures, numbers)

    flat = entering.reshape(items * pictures, numbers)
    return (flat @ how.matrix).view(items, pictures, -1), back


def norm(
    entering: torch.Tensor, channels: int, cells: slice, record: Record | None
) -> tuple[torch.Tensor, Backward]:
    """Normalise every channel of every cell over pictures and positions."""
    items, pictures, numbers = entering.shape
    positions = numbers // channels
    level = 0 if record is None else record.level

    def mean(summed: torch.Tensor) -> torch.Tensor:
        """Finish a mean: sum sums over pictures over positions."""
        split = summed.view(*summed.shape[:-1], positions, channels)
        return split.sum(-2) / (pictures * positions)

    def everywhere(by_channel: torch.Tensor) -> torch.Tensor:
        row = by_channel.unsqueeze(-2).expand(*by_channel.shape[:-1], positions, channels)
        return row.reshape(*by_channel.shape[:-1], 1, numbers)

    centre = mean(entering.sum(1))
    variance = (mean(entering.square().sum(1)) - centre.square()).clamp_min(0.0)
    scale = (variance + EPSILON).rsqrt()
    factor = everywhere(scale)
    result = torch.addcmul(everywhere(-centre * scale), entering, factor)

    def back(gradient: torch.Tensor) -> torch.Tensor:
        product = gradient * result[:, None]
        if record is not None:
            by_channel = product[:, LOSS].view(items, pictures, positions, channels).sum(2)
            record.fisher[level, cells] += by_channel.square().sum((1, 2))
        slope, offset = (mean(part.sum(2)) * scale[:, None] for part in (product, gradient))
        out = gradient * factor[:, None]
        out.addcmul_(result[:, None], everywhere(slope), value=-1.0)
        return out.sub_(everywhere(offset))

    return result, back


def max_pool(entering: torch.Tensor, channels: int, side: int) -> tuple[torch.Tensor, Backward]:
    """Take the largest of three by three neighbours; the first of equals gets the gradient."""
    items, pictures, numbers = entering.shape
    planes = entering.view(items * pictures, side, side, channels).permute(0, 3, 1, 2)
    largest, where = functional.max_pool2d(planes, 3, 1, 1, return_indices=True)
    # Positions of the largest, in the layout of the signals.
    at = where.permute(0, 2, 3, 1).reshape(items, 1, pictures, side * side, channels)

    def back(gradient: torch.Tensor) -> torch.Tensor:
        split = gradient.reshape(*gradient.shape[:3], side * side, channels)
        out = torch.zeros_like(split).scatter_add_(3, at.expand_as(split), split)
        return out.view(gradient.shape)

    return largest.permute(0, 2, 3, 1).reshape(items, pictures, numbers), back
