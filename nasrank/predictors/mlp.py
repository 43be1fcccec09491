"""A perceptron on counts of operations and edges: a baseline that never sees the whole graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.graphs.features import FeatureReference, graph_features
from nasrank.predictors.network import Network, Parameter, Weights

__all__ = ["MLP"]

WIDTH = 128


@dataclass(frozen=True)
class _Rows:
    features: Float[Tensor, "members items columns"]


@dataclass(frozen=True, eq=False)
class _Columns:
    """Which features are inputs, and their reference."""

    reference: FeatureReference
    varies: Bool[np.ndarray, "columns"]

    @classmethod
    def of(cls, graphs: GraphBatch) -> _Columns:
        reference = FeatureReference.of(graphs)
        # Constant columns carry no information; at least one column must stay.
        varies = np.ptp(graph_features(graphs, reference), axis=0) > 0
        varies[0] |= not varies.any()
        return cls(reference, varies)

    def rows(self, graphs: GraphBatch) -> Float32[np.ndarray, "items varying"]:
        return graph_features(graphs, self.reference)[:, self.varies]


class MLP(Network):
    """Two hidden layers on counts of operations, edges and paths, and settings.

    The features count operations and edges by the operations at their ends, so graphs that
    differ only in how these are connected get one score. It stands for the encodings with a
    multilayer perceptron of, among others, Dudziak et al. (2020) and White et al. (2021) in a
    comparison of losses across predictors.

    Args:
        graphs: The canonical graphs that can be scored, by number.
        device: Where to compute.
        dtype: Floating type.
        columns: Which features to use; those that vary over the graphs if None.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        columns: _Columns | None = None,
    ) -> None:
        self._columns = _Columns.of(graphs) if columns is None else columns
        super().__init__(graphs, device=device, dtype=dtype)
        rows = self._columns.rows(graphs)
        self._features = torch.from_numpy(rows).to(self.device, dtype)

    def on(self, graphs: GraphBatch) -> MLP:
        """Return the same network for other graphs, with the features of the first ones."""
        return MLP(graphs, device=self.device, dtype=self.dtype, columns=self._columns)

    def describe(self) -> Sequence[Parameter]:
        """Return the weights of one member."""
        inputs = int(self._columns.varies.sum())
        return [
            Parameter("first", (inputs, WIDTH), math.sqrt(2 / inputs)),
            Parameter("first_shift", (1, WIDTH), 0.0),
            Parameter("second", (WIDTH, WIDTH), math.sqrt(2 / WIDTH)),
            Parameter("second_shift", (1, WIDTH), 0.0),
            Parameter("score", (WIDTH, 1), 1 / math.sqrt(WIDTH)),
            Parameter("score_shift", (1, 1), 0.0),
        ]

    def batches(self, items: Int64[np.ndarray, "steps members items"]) -> Iterator[_Rows]:
        """Gather the features of consecutive steps; see :meth:`Network.batches`."""
        for step in items:
            index = torch.from_numpy(np.maximum(step, 0)).to(self.device)
            yield _Rows(self._features[index])

    def forward(self, weights: Weights, batch: object) -> Float[Tensor, "members items"]:
        """Score a batch; see :meth:`Network.forward`."""
        if not isinstance(batch, _Rows):
            raise TypeError(f"expected rows of features, not {type(batch).__name__}")
        hidden = torch.baddbmm(weights["first_shift"], batch.features, weights["first"]).relu()
        hidden = torch.baddbmm(weights["second_shift"], hidden, weights["second"]).relu()
        return torch.baddbmm(weights["score_shift"], hidden, weights["score"]).squeeze(-1)
