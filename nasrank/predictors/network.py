"""What a fleet asks of a network: parameters as one row a member, and a batched forward pass."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasrank.graphs import GraphBatch

__all__ = ["Network", "Parameter"]


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
        """Return the weights in the order in which they lie in a row."""

    @abstractmethod
    def batches(self, items: NDArray[np.int64]) -> Iterator[object]:
        """Prepare the batches of consecutive steps.

        Args:
            items: ``[steps, members, items]`` numbers of graphs; -1 is padding.

        Yields:
            One batch a step, for :meth:`forward`.
        """

    @abstractmethod
    def forward(self, weights: dict[str, Tensor], batch: object) -> Tensor:
        """Score a batch.

        Args:
            weights: Every weight by name, ``[members, *shape]``.
            batch: One of :meth:`batches`.

        Returns:
            ``[members, items]`` raw scores, higher is better; anything on padding.
        """

    @property
    def size(self) -> int:
        """Number of parameters of one member."""
        return sum(parameter.size for parameter in self.parameters)

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw one member's first parameters, ``[size]``, on the CPU in double precision."""
        return torch.cat(
            [
                torch.randn(parameter.size, generator=generator, dtype=torch.float64)
                * parameter.spread
                for parameter in self.parameters
            ]
        )

    def score(self, rows: Tensor, batch: object) -> Tensor:
        """Score a batch with parameters given as ``[members, size]``."""
        sizes = [parameter.size for parameter in self.parameters]
        return self.forward(
            {
                parameter.name: part.view(len(rows), *parameter.shape)
                for parameter, part in zip(
                    self.parameters, torch.split(rows, sizes, dim=1), strict=True
                )
            },
            batch,
        )
