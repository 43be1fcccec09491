"""Convolutions and pools of small pictures as plain matrices, which multiply far faster."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch.nn import functional

from nasrank.proxies.operations import Convolution
from nasrank.seeds import torch_generator

__all__ = ["LinearMap", "Maps", "Taps", "as_matrix"]


@dataclass(frozen=True, eq=False)
class Taps:
    """Where each weight of a convolution is in its matrix.

    Attributes:
        entries: ``[weights * most]`` entries of the flat matrix, by weight; padded with 0.
        real: ``[weights, most]`` 1 for entries, 0 for padding.
    """

    entries: torch.Tensor
    real: torch.Tensor


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A linear map of flat pictures, in the order row, column, channel.

    Attributes:
        matrix: ``[numbers in, numbers out]``.
        weights: ``[weights]`` of the convolution, or None for a pool.
        taps: Where they are in the matrix, or None for a pool.
        channels: Output channels.
    """

    matrix: torch.Tensor
    weights: torch.Tensor | None
    taps: Taps | None
    channels: int


def as_matrix(
    function: Callable[[torch.Tensor], torch.Tensor], channels: int, side: int
) -> torch.Tensor:
    """Return the matrix of a linear function of pictures.

    Args:
        function: Maps ``[items, channels, side, side]`` to pictures of any size.
        channels: Input channels.
        side: Side of the input pictures.

    Returns:
        ``[side * side * channels, numbers out]``, both in the order row, column, channel.
    """
    size = side * side * channels
    unit = torch.eye(size).view(size, side, side, channels).permute(0, 3, 1, 2)
    return function(unit).permute(0, 2, 3, 1).reshape(size, -1).contiguous()


class Maps:
    """All maps of the networks of one seed, the same for every architecture.

    Differences between scores then come from the architectures, not from the draw.

    Args:
        seed: Seed of the weights.
        device: Device of the matrices.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed, self._device = seed, device
        self._known: dict[str, LinearMap] = {}

    def draw(self, place: str, shape: tuple[int, ...]) -> torch.Tensor:
        """Return weights of variance 2 / fan-in, which depend on seed and place alone."""
        generator = torch_generator(self._seed, stream="proxies", place=place)
        fan = math.prod(shape[1:])
        return torch.randn(shape, generator=generator) * math.sqrt(2.0 / fan)

    def kernel(self, place: str, step: Convolution, entering: int, leaving: int) -> torch.Tensor:
        """Return the ``[leaving, entering or 1, side, side]`` kernel of a convolution.

        A separable one is the product of its two kernels.
        """
        square = (step.kernel, step.kernel)
        if step.kind == "full":
            return self.draw(place, (leaving, entering, *square))
        depthwise = self.draw(place, (entering, 1, *square))
        if step.kind == "depthwise":
            return depthwise
        across = self.draw(f"{place}.across", (leaving, entering, 1, 1))
        return across * depthwise[None, :, 0]

    def convolution(
        self,
        place: str,
        step: Convolution,
        entering: int,
        leaving: int,
        *,
        side: int,
        stride: int = 1,
    ) -> LinearMap:
        """Return a convolution's map.

        Args:
            place: Its place in the network, on which its weights depend.
            step: The convolution.
            entering: Input channels.
            leaving: Output channels.
            side: Side of the input pictures.
            stride: Stride of the kernel.
        """
        key = f"{place} {step} {entering} {leaving} {side} {stride}"
        if key not in self._known:
            kernel = self.kernel(place, step, entering, leaving)
            matrix = _matrix(kernel, entering, side, stride, step.dilation)
            taps = _taps(tuple(kernel.shape), entering, side, stride, step.dilation)
            self._known[key] = LinearMap(
                matrix.to(self._device),
                kernel.reshape(-1).to(self._device),
                Taps(taps.entries.to(self._device), taps.real.to(self._device)),
                len(kernel),
            )
        return self._known[key]

    def average(self, channels: int, side: int) -> LinearMap:
        """Return the mean over three by three neighbours within the picture."""

        def pool(pictures: torch.Tensor) -> torch.Tensor:
            return functional.avg_pool2d(pictures, 3, 1, 1, count_include_pad=False)

        return self._pool(f"average {channels} {side}", pool, channels, side)

    def halving(self, channels: int, side: int) -> LinearMap:
        """Return the mean over two by two neighbours, side rounded up."""

        def pool(pictures: torch.Tensor) -> torch.Tensor:
            return functional.avg_pool2d(pictures, 2, ceil_mode=True, count_include_pad=False)

        return self._pool(f"halving {channels} {side}", pool, channels, side)

    def _pool(
        self, key: str, pool: Callable[[torch.Tensor], torch.Tensor], channels: int, side: int
    ) -> LinearMap:
        if key not in self._known:
            matrix = as_matrix(pool, channels, side).to(self._device)
            self._known[key] = LinearMap(matrix, None, None, channels)
        return self._known[key]


def _matrix(
    kernel: torch.Tensor, entering: int, side: int, stride: int, dilation: int
) -> torch.Tensor:
    def convolve(pictures: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(
            pictures,
            kernel,
            stride=stride,
            padding=dilation * (kernel.shape[2] // 2),
            dilation=dilation,
            groups=entering // kernel.shape[1],
        )

    return as_matrix(convolve, entering, side)


@cache
def _taps(shape: tuple[int, ...], entering: int, side: int, stride: int, dilation: int) -> Taps:
    """Convolve with the indices of the weights: every entry is at most one of them."""
    count = math.prod(shape)
    numbers = torch.arange(1.0, count + 1).view(shape)
    numbered = _matrix(numbers, entering, side, stride, dilation).round().long().view(-1)
    entries = torch.nonzero(numbered)[:, 0]
    weight = numbered[entries] - 1
    order = torch.argsort(weight, stable=True)
    entries, weight = entries[order], weight[order]
    uses = torch.bincount(weight, minlength=count)
    column = torch.arange(len(entries)) - (torch.cumsum(uses, 0) - uses)[weight]
    table = torch.zeros(count, int(uses.max()), dtype=torch.long)
    real = torch.zeros(table.shape)
    table[weight, column] = entries
    real[weight, column] = 1.0
    return Taps(table.view(-1), real)
