"""A graph neural network for directed acyclic graphs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.graphs.features import FeatureReference
from nasrank.graphs.packed import RELATIONS, Bags, GraphStore, PackedGraphs
from nasrank.graphs.shared_nodes import SharedNodes
from nasrank.predictors.network import Network, Parameter, Weights

__all__ = ["GNN"]

WIDTH = 64
LAYERS = 4
OPERATION_SPREAD, NUMBER_SPREAD = 0.5, 0.1
"""Deviations of the first weights of operations, and of attributes and settings.

What a network says before it is trained depends on every number alike, and training does not
unlearn those without influence. So it starts from next to nothing, and learns which matter.
"""
TYPICAL_NODES = 8
"""Divides the readout's sum, so that scores start near one for graphs of the usual size."""


class GNN(Network):
    """Graph network: messages along and against edges, gated by operation, and a sum over nodes.

    A node starts from a vector of its operation, to which a linear map of its standardised
    attributes and of the settings of the whole architecture is added where the space has any. In
    each layer all nodes are normalised over their features, and a node receives messages from
    itself, its sources and its targets through one weight matrix for each of the three, with edge
    multiplicities as factors. The sum is rectified, scaled by a gate that belongs to the node's
    operation, and added to the node. Finally the sum over all nodes goes through one hidden layer
    to one raw score.

    The gate lets an operation decide what passes through it, as in Ning et al. (2020), "A generic
    graph-based neural architecture encoding scheme for predictor-based NAS" (ECCV); residuals and
    both directions follow common practice for directed graphs.

    Args:
        graphs: The canonical graphs that can be scored, by number.
        device: Where to compute.
        dtype: Floating type.
        reference: What attributes and settings are measured against; the graphs if None.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        reference: FeatureReference | None = None,
    ) -> None:
        self._reference = FeatureReference.of(graphs) if reference is None else reference
        super().__init__(graphs, device=device, dtype=dtype)
        self._store = GraphStore(graphs, device, dtype, self._reference)
        self._batches: dict[bytes, list[SharedNodes | PackedGraphs]] = {}

    def on(self, graphs: GraphBatch) -> GNN:
        """Return the same network for other graphs, measured against the first ones."""
        return GNN(graphs, device=self.device, dtype=self.dtype, reference=self._reference)

    def describe(self) -> Sequence[Parameter]:
        """Return the weights of one member."""
        vocabulary, scale = len(self.graphs.vocabulary), 1 / math.sqrt(WIDTH)
        layers = [
            parameter
            for layer in range(LAYERS)
            for parameter in (
                Parameter(f"message{layer}", (WIDTH, RELATIONS * WIDTH), scale),
                Parameter(f"shift{layer}", (1, WIDTH), 0.0),
                Parameter(f"gate{layer}", (vocabulary, WIDTH), 0.3),
            )
        ]
        numbers = self._reference.node_numbers
        attributes = [Parameter("attribute", (numbers, WIDTH), NUMBER_SPREAD)] if numbers else []
        return [
            Parameter("operation", (vocabulary, WIDTH), OPERATION_SPREAD),
            *attributes,
            *layers,
            Parameter("hidden", (WIDTH, WIDTH), scale),
            Parameter("hidden_shift", (1, WIDTH), 0.0),
            Parameter("score", (WIDTH, 1), scale),
            Parameter("score_shift", (1, 1), 0.0),
        ]

    def batches(self, items: Int64[np.ndarray, "steps members items"]) -> Iterator[PackedGraphs]:
        """Pack the graphs of consecutive steps; see :meth:`Network.batches`."""
        yield from self._store.pack_steps(items)

    def forward(self, weights: Weights, batch: object) -> Float[Tensor, "members items"]:
        """Score a batch; see :meth:`Network.forward`."""
        return self.score(weights, self.embed(weights, batch))

    def scores(
        self, weights: Weights, items: Int64[np.ndarray, "items"]
    ) -> Float[Tensor, "members items"]:
        """Score many graphs; see :meth:`Network.scores`. Nodes that are alike are computed once.

        Members come one after the other, since the nodes of one just fit the processor's cache.
        """
        key = items.tobytes()
        if key not in self._batches:
            # Only the last: it is mostly the whole space, fleet after fleet.
            self._batches = {key: [self.batch(part) for part in self.parts(items)]}
        batches = self._batches[key]
        embedded = []
        for place in range(len(weights["operation"])):
            own = {name: weight[place : place + 1] for name, weight in weights.items()}
            embedded.append(torch.cat([self.embed_one(own, batch) for batch in batches]))
        return self.score(weights, torch.stack(embedded))

    def batch(self, items: Int64[np.ndarray, "items"]) -> SharedNodes | PackedGraphs:
        """Lay out graphs for :meth:`embed_one`.

        Args:
            items: Indices of graphs, at least one.
        """
        packed = self._store.pack(items[None])
        return packed if packed.numbers is not None else SharedNodes.of(packed, LAYERS)

    def embed_one(
        self, weights: Weights, batch: SharedNodes | PackedGraphs
    ) -> Float[Tensor, "items width"]:
        """Return the input of the last two layers by one member: summed nodes.

        Args:
            weights: Those of one member.
            batch: One of :meth:`batch`.
        """
        if isinstance(batch, PackedGraphs):
            return self.embed(weights, batch)[0]
        nodes = weights["operation"]
        for layer, colours in enumerate(batch.rounds):
            sent = torch.bmm(_normalised(nodes), weights[f"message{layer}"])
            heard = colours.hear.sum(sent.view(-1, WIDTH)) + weights[f"shift{layer}"][0]
            gate = 1 + weights[f"gate{layer}"][0]
            nodes = torch.addcmul(
                nodes[0].index_select(0, colours.own),
                torch.relu(heard),
                gate.index_select(0, colours.operation),
            )[None]
        return batch.read.sum(nodes[0]) / TYPICAL_NODES

    def score(
        self, weights: Weights, embedded: Float[Tensor, "members items width"]
    ) -> Float[Tensor, "members items"]:
        """Score embeddings: the last two layers."""
        hidden = torch.relu(torch.baddbmm(weights["hidden_shift"], embedded, weights["hidden"]))
        return torch.baddbmm(weights["score_shift"], hidden, weights["score"]).squeeze(-1)

    def embed(self, weights: Weights, batch: object) -> Float[Tensor, "members items width"]:
        """Return the input of the last two layers: summed nodes."""
        if not isinstance(batch, PackedGraphs):
            raise TypeError(f"expected PackedGraphs, not {type(batch).__name__}")
        embedded = weights["operation"]
        nodes = torch.bmm(batch.operations, embedded)
        alike = batch.numbers is None
        if batch.numbers is not None:
            nodes = torch.baddbmm(nodes, batch.numbers, weights["attribute"])
        for layer in range(LAYERS):
            message = weights[f"message{layer}"]
            if layer == 0 and alike:
                # Nodes of one operation are still equal: one product per operation suffices.
                said = torch.bmm(_normalised(embedded), message)
                sent = torch.bmm(batch.operations, said)
            else:
                sent = torch.bmm(_normalised(nodes), message)
            heard = _aggregate(sent.view(-1, WIDTH), batch.hear, batch.heard)
            gate = torch.bmm(batch.operations, 1 + weights[f"gate{layer}"])
            shifted = heard.view_as(nodes) + weights[f"shift{layer}"]
            nodes = torch.addcmul(nodes, torch.relu(shifted), gate)
        read = _read_out(nodes.reshape(-1, WIDTH), batch.read, batch.graph)
        return read.view(batch.members, batch.items, WIDTH) / TYPICAL_NODES


class _Aggregate(torch.autograd.Function):
    """A sparse product whose backward pass is the product with the transpose."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        table: Float[Tensor, "table width"],
        hear: Bags,
        heard: Bags,
    ) -> Float[Tensor, "rows width"]:
        ctx.heard = heard
        return hear.sum(table)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return ctx.heard.sum(gradient.contiguous()), None, None


class _Readout(torch.autograd.Function):
    """The sum over the nodes of each graph."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        nodes: Float[Tensor, "nodes width"],
        read: Bags,
        graph: Int64[Tensor, "nodes"],
    ) -> Float[Tensor, "graphs width"]:
        ctx.graph = graph
        return read.sum(nodes)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        # Padding rows point one past the last graph.
        padded = torch.nn.functional.pad(gradient, (0, 0, 0, 1))
        return padded.index_select(0, ctx.graph), None, None


def _normalised(
    nodes: Float[Tensor, "members nodes width"],
) -> Float[Tensor, "members nodes width"]:
    return torch.nn.functional.layer_norm(nodes, (WIDTH,))


# torch declares no types for these.
_aggregate: Callable[[Tensor, Bags, Bags], Tensor] = _Aggregate.apply
_read_out: Callable[[Tensor, Bags, Tensor], Tensor] = _Readout.apply
