"""What a fleet needs from a network: parameters of many members, and a batched forward pass."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.graphs import GraphBatch

__all__ = ["Network", "Parameter", "Weights"]

_SCORED_ROWS = 1 << 17
"""Nodes times members scored at once, which keeps those of a layer near 200 MB."""

Weights: TypeAlias = dict[str, Float[Tensor, "members ..."]]
"""Weights by name."""


@dataclass(frozen=True)
class Parameter:
    """One weight of a network.

    Attributes:
        name: Its name within the network.
        shape: Its shape in one member.
        spread: Standard deviation of its initial values; 0 starts it at zero.
    """

    name: str
    shape: tuple[int, ...]
    spread: float

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


class Network(ABC):
    """A predictor architecture that scores graphs of one space for many members at once.

    Args:
        graphs: The graphs that can be scored, by number.
        device: Where to compute.
        dtype: Floating type.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.graphs = graphs
        self.device = torch.device(device)
        self.dtype = dtype
        self.parameters: Sequence[Parameter] = self.describe()

    @abstractmethod
    def describe(self) -> Sequence[Parameter]:
        """Return the weights of one member."""

    @abstractmethod
    def batches(self, items: Int64[np.ndarray, "steps members items"]) -> Iterator[object]:
        """Prepare the batches of consecutive steps.

        Args:
            items: Indices of graphs; -1 is padding.

        Yields:
            One batch per step, for :meth:`forward`.
        """

    @abstractmethod
    def forward(self, weights: Weights, batch: object) -> Float[Tensor, "members items"]:
        """Score a batch.

        Args:
            weights: Every weight by name.
            batch: One of :meth:`batches`.

        Returns:
            ``[members, items]`` raw scores, higher is better; anything on padding.
        """

    def scores(
        self, weights: Weights, items: Int64[np.ndarray, "items"]
    ) -> Float[Tensor, "members items"]:
        """Score many graphs with every member.

        Args:
            weights: Every weight by name.
            items: Indices of graphs, at least one.

        Returns:
            ``[members, items]`` raw scores, higher is better.
        """
        members = len(next(iter(weights.values())))
        parts = []
        for part in self.parts(items, members):
            (batch,) = self.batches(np.broadcast_to(part, (1, members, len(part))))
            parts.append(self.forward(weights, batch))
        return torch.cat(parts, dim=1)

    def parts(
        self, items: Int64[np.ndarray, "items"], members: int = 1
    ) -> list[Int64[np.ndarray, "_"]]:
        """Cut indices of graphs into parts that fit into memory, scored by so many members."""
        step = max(1, _SCORED_ROWS // (members * max(1, self.graphs.nodes)))
        return [items[start : start + step] for start in range(0, len(items), step)]

    def on(self, graphs: GraphBatch) -> Network:
        """Return the same network for other graphs of the same vocabulary.

        A graph's score must not depend on what else is in its batch: a network with statistics of
        the graphs it was made for has to pass them on here.
        """
        return type(self)(graphs, device=self.device, dtype=self.dtype)

    @property
    def size(self) -> int:
        """Number of parameters of one member."""
        return sum(parameter.size for parameter in self.parameters)

    def initial(self, generators: Sequence[torch.Generator]) -> Weights:
        """Draw initial parameters by name.

        They are drawn on the CPU in double precision, one member after the other, so that they
        are the same on every device, in every floating type, and beside any other members.

        Args:
            generators: One per member.
        """
        drawn = [
            {
                parameter.name: parameter.spread
                * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                for parameter in self.parameters
            }
            for generator in generators
        ]
        return {
            parameter.name: torch.stack([member[parameter.name] for member in drawn]).to(
                self.device, self.dtype
            )
            for parameter in self.parameters
        }
