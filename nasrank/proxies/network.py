"""Small networks of many cells at once, forward and backward without autograd."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from nasrank.proxies.maps import LinearMap, Maps
from nasrank.proxies.operations import (
    AveragePool,
    Convolution,
    MaxPool,
    Norm,
    Operation,
    Relu,
)
from nasrank.proxies.pictures import COLOURS, KINDS
from nasrank.proxies.steps import Backward, Record, linear, max_pool, norm, relu
from nasrank.proxies.wiring import NOTHING, Cells

__all__ = ["Networks", "Shape"]

LOUDEST = 1e9
"""Signals of a larger root mean square are scaled down: sums of sums would overflow."""


@dataclass(frozen=True)
class Shape:
    """How a cell becomes a network: a stem, stages of equal cells, and a classifier.

    Between two stages a residual block halves the side and doubles the channels, as in
    NAS-Bench-201.

    Attributes:
        stages: Number of stages.
        repeats: Cells per stage.
        channels: Channels of the first stage.
        side: Side of the pictures.
        pictures: Number of pictures.
    """

    stages: int = 3
    repeats: int = 3
    channels: int = 4
    side: int = 6
    pictures: int = 32


class Networks:
    """One network per cell, all with the weights of one seed.

    Args:
        cells: The cells.
        maps: Their weights.
        shape: Their skeleton.
        device: Where to compute.

    Attributes:
        record: Sums over layers, complete once `forward` and `backward` have run.
        loudness: ``[stages, cells]`` mean square of the output of each stage.
        kernels: ``[stages, cells, pictures, pictures]`` inner products of the output of each
            stage, after the mean over the pictures is subtracted.
        slopes: ``[stages, cells, 3]`` mean squared gradient at the start of each stage, relative
            to that at the end of the last one, by pass.
    """

    def __init__(self, cells: Cells, maps: Maps, shape: Shape, device: torch.device) -> None:
        self._cells, self._maps, self._shape, self._device = cells, maps, shape, device
        self._edges = torch.from_numpy(cells.edges).to(device)
        self._leaving = torch.from_numpy(cells.leaving).to(device)
        self._runs = [
            list(_runs(cells.codes[:, node].tolist())) for node in range(cells.codes.shape[1])
        ]
        self._sides = [shape.side]
        for _ in range(shape.stages - 1):
            self._sides.append(-(-self._sides[-1] // 2))
        count, pictures = len(cells), shape.pictures
        self._all = slice(0, count)
        self.record = Record(
            torch.zeros(shape.stages + 1, count, pictures, pictures, device=device),
            torch.zeros(shape.stages + 1, count, device=device),
        )
        self.loudness = torch.zeros(shape.stages, count, device=device)
        self.kernels = torch.zeros(shape.stages, count, pictures, pictures, device=device)
        self.slopes = torch.zeros(shape.stages, count, 3, device=device)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Return ``[cells, pictures, kinds]`` outputs for ``[pictures, 3, side, side]``."""
        shape, maps = self._shape, self._maps
        flat = pictures.permute(0, 2, 3, 1).reshape(1, shape.pictures, -1).to(self._device)
        stem = maps.convolution("stem", Convolution(3), COLOURS, shape.channels, side=shape.side)
        self._stem = stem
        # The stem comes before all cells, so it is the same for all.
        first, self._stem_back = norm(flat @ stem.matrix, shape.channels, slice(0, 1), None)
        signal = first.expand(len(self._cells), -1, -1).contiguous()
        self._blocks: list[tuple[int | None, Backward]] = []
        for stage in range(shape.stages):
            self.record.level = stage
            for repeat in range(shape.repeats):
                signal, back = self._cell(signal, stage, repeat)
                self._blocks.append((stage if repeat == 0 else None, back))
            self.loudness[stage] = signal.square().mean((1, 2))
            centred = signal - signal.mean(1, keepdim=True)
            self.kernels[stage] = torch.bmm(centred, centred.transpose(1, 2))
            if stage + 1 < shape.stages:
                signal, back = self._shrink(signal, stage)
                self._blocks.append((None, back))
        return self._classify(signal)

    def backward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return gradients of the pictures in three passes and fill in the rest of the record.

        Args:
            outputs: ``[cells, 2, pictures, kinds]`` gradients of the outputs of two passes: any,
                and those of a loss. The third pass starts with a random gradient of the last
                signal, so that its size is that of the whole Jacobian.

        Returns:
            ``[cells, 3, pictures, numbers]``.
        """
        count, _, pictures, _ = outputs.shape
        positions = self._sides[-1] ** 2
        pooled = (outputs @ self._classifier.T).repeat(1, 1, 1, positions) / positions
        third = self._random.expand(count, 1, -1, -1)
        gradient = torch.cat([self._relu_back(pooled), third], dim=1)
        gradient = self._norm_back(gradient)
        end = _mean_square(gradient)
        for begins, back in reversed(self._blocks):
            gradient = back(gradient)
            if begins is not None:
                self.slopes[begins] = _mean_square(gradient) / end.clamp_min(1e-30)
        gradient = self._stem_back(gradient.reshape(1, count * 3, pictures, -1))
        flat = gradient.view(count * 3 * pictures, -1) @ self._stem.matrix.T
        return flat.view(count, 3, pictures, -1)

    def _cell(
        self, entering: torch.Tensor, stage: int, repeat: int
    ) -> tuple[torch.Tensor, Backward]:
        count, pictures, numbers = entering.shape
        nodes = self._cells.codes.shape[1]
        values = entering.new_empty(count, nodes, pictures, numbers)
        values[:, 0] = entering
        tape: list[tuple[slice, int, Backward]] = []
        for node in range(1, nodes):
            for cells, code in self._runs[node]:
                if code == NOTHING:
                    values[cells, node] = 0.0
                    continue
                weights = self._edges[cells, :node, node].unsqueeze(1)
                summed = torch.bmm(weights, values[cells, :node].flatten(2))
                place = f"{stage}.{repeat}.{node}.{self._cells.names[code]}"
                result, back = self._operation(
                    self._cells.operations[code],
                    summed.view(-1, pictures, numbers),
                    cells,
                    stage,
                    place,
                )
                values[cells, node] = result
                tape.append((cells, node, back))
        leaving = torch.bmm(self._leaving.unsqueeze(1), values.flatten(2)).view_as(entering)
        loudness = leaving.square().mean((1, 2), keepdim=True).sqrt()
        quieter = (LOUDEST / loudness.clamp_min(1.0)).clamp_max(1.0)

        def through(gradient: torch.Tensor) -> torch.Tensor:
            gradient = gradient * quieter[:, None]
            spread = torch.bmm(self._leaving.unsqueeze(2), gradient.reshape(count, 1, -1))
            spread = spread.view(count, nodes, -1, pictures, numbers)
            for cells, node, back in reversed(tape):
                own = back(spread[cells, node])
                for source in range(node):
                    weights = self._cells.edges[cells, source, node]
                    if not weights.any():
                        continue
                    target = spread[cells, source]
                    if (weights == 1).all():
                        target += own
                    else:
                        factor = self._edges[cells, source, node].view(-1, 1, 1, 1)
                        target.addcmul_(own, factor)
            return spread[:, 0]

        return leaving * quieter, through

    def _operation(
        self, operation: Operation, entering: torch.Tensor, cells: slice, stage: int, place: str
    ) -> tuple[torch.Tensor, Backward]:
        base, side = self._shape.channels * 2**stage, self._sides[stage]
        channels, signal = base, entering
        backs: list[Backward] = []
        for number, step in enumerate(operation.steps):
            match step:
                case Relu():
                    signal, back = relu(signal, cells, self.record)
                case Norm():
                    signal, back = norm(signal, channels, cells, self.record)
                case MaxPool():
                    signal, back = max_pool(signal, channels, side)
                case AveragePool():
                    how = self._maps.average(channels, side)
                    signal, back = linear(signal, how, cells, self.record)
                case Convolution():
                    leaving = channels if step.kind == "depthwise" else base * step.width
                    how = self._maps.convolution(
                        f"{place}.{number}", step, channels, leaving, side=side
                    )
                    signal, back = linear(signal, how, cells, self.record)
                    channels = leaving
            backs.append(back)

        def through(gradient: torch.Tensor) -> torch.Tensor:
            whole = gradient.clone() if operation.residual else None
            for back in reversed(backs):
                gradient = back(gradient)
            return gradient if whole is None else gradient + whole

        return (signal + entering if operation.residual else signal), through

    def _shrink(self, entering: torch.Tensor, stage: int) -> tuple[torch.Tensor, Backward]:
        """Halve the side and double the channels by a residual block."""
        narrow, record, every = self._shape.channels * 2**stage, self.record, self._all
        wide, side, smaller = 2 * narrow, self._sides[stage], self._sides[stage + 1]

        def convolution(
            name: str, kernel: int, entering: int, side: int, stride: int
        ) -> LinearMap:
            step = Convolution(kernel)
            return self._maps.convolution(
                f"{stage}.{name}", step, entering, wide, side=side, stride=stride
            )

        signal, relu_1 = relu(entering, every, record)
        signal, conv_1 = linear(signal, convolution("shrink", 3, narrow, side, 2), every, record)
        record.level += 1
        signal, norm_1 = norm(signal, wide, every, record)
        signal, relu_2 = relu(signal, every, record)
        signal, conv_2 = linear(signal, convolution("keep", 3, wide, smaller, 1), every, record)
        signal, norm_2 = norm(signal, wide, every, record)
        pooled, pool = linear(entering, self._maps.halving(narrow, side), every, record)
        short, across = linear(pooled, convolution("short", 1, narrow, smaller, 1), every, record)

        def through(gradient: torch.Tensor) -> torch.Tensor:
            long = relu_1(conv_1(norm_1(relu_2(conv_2(norm_2(gradient))))))
            return long + pool(across(gradient))

        return signal + short, through

    def _classify(self, signal: torch.Tensor) -> torch.Tensor:
        shape = self._shape
        channels = shape.channels * 2 ** (shape.stages - 1)
        self.record.level = shape.stages
        signal, self._norm_back = norm(signal, channels, self._all, self.record)
        self._random = self._maps.draw("probe", (1, 1, *signal.shape[1:])).to(self._device)
        signal, self._relu_back = relu(signal, self._all, self.record)
        pooled = signal.view(*signal.shape[:2], -1, channels).mean(2)
        drawn = self._maps.draw("classifier", (KINDS, channels)) / math.sqrt(2.0)
        self._classifier = drawn.T.contiguous().to(self._device)
        return pooled @ self._classifier


def _runs(codes: list[int]) -> Iterator[tuple[slice, int]]:
    """Yield stretches of neighbours with the same code."""
    start = 0
    for stop in range(1, len(codes) + 1):
        if stop == len(codes) or codes[stop] != codes[start]:
            yield slice(start, stop), codes[start]
            start = stop


def _mean_square(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.square().mean((2, 3))
