"""Graphs as rows of numbers, in several views that a kernel compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.graphs.features import FeatureReference, graph_features
from nasrank.graphs.paths import PathCounts
from nasrank.predictors.gnn import GNN
from nasrank.seeds import numpy_generator, torch_generator

__all__ = ["GraphViews"]

UNTRAINED = 16
"""Untrained networks whose embeddings are put side by side."""
DIRECTIONS = 200
"""Principal directions kept of these embeddings."""
_LEARNT_FROM = 6000
_EMBEDDED_AT_ONCE = 1024


class GraphViews:
    """Views of the graphs of one space, each with one row per graph.

    ``counts``: operations and edges by their ends, square roots. ``paths``: kinds of paths,
    square roots. ``untrained``: embeddings by graph networks with random weights,
    normalised by network and reduced to its principal directions; distances there approximate
    the kernel of the infinitely wide network (Lee et al. 2018, "Deep neural networks as Gaussian
    processes", ICLR). Settings of the whole architecture are in none of them.

    Args:
        graphs: The graphs that determine kinds of paths and directions.
    """

    def __init__(self, graphs: GraphBatch) -> None:
        plain = replace(graphs, settings=None)
        self._paths = PathCounts(plain)
        self._features = FeatureReference.of(plain)
        self._network = GNN(plain)
        self._weights = self._network.initial(
            [torch_generator(part, stream="untrained") for part in range(UNTRAINED)]
        )
        chosen = np.arange(len(graphs))
        if len(graphs) > _LEARNT_FROM:
            draw = numpy_generator(0, stream="views")
            chosen = np.sort(draw.choice(len(graphs), _LEARNT_FROM, replace=False))
        embedded = np.concatenate([*self._embedded(self._network, chosen)])
        self._centre = embedded.mean(axis=0, dtype=np.float64)
        centred = embedded - self._centre
        _, directions = np.linalg.eigh(centred.T @ centred)
        self._directions = directions[:, ::-1][:, :DIRECTIONS]
        whole = len(chosen) == len(graphs)
        self.reference = self._of(self._network, [embedded] if whole else None)

    def of(self, graphs: GraphBatch) -> Mapping[str, Float64[Tensor, "items _"]]:
        """Return the views of other graphs of the same vocabulary."""
        return self._of(self._network.on(replace(graphs, settings=None)), None)

    def _of(
        self, network: GNN, embedded: Iterable[Float32[np.ndarray, "_ columns"]] | None
    ) -> Mapping[str, Float64[Tensor, "items _"]]:
        graphs = network.graphs
        parts = self._embedded(network, np.arange(len(graphs))) if embedded is None else embedded
        views = {
            "counts": graph_features(graphs, self._features).astype(np.float64),
            "paths": np.sqrt(self._paths.of(graphs).astype(np.float64)),
            "untrained": np.concatenate(
                [(part - self._centre) @ self._directions for part in parts]
            ),
        }
        return {name: torch.from_numpy(view) for name, view in views.items()}

    @torch.no_grad()
    def _embedded(
        self, network: GNN, items: Int64[np.ndarray, "items"]
    ) -> Iterator[Float32[np.ndarray, "_ columns"]]:
        """Embed with every network on its own scale, ``[items, networks * width]`` in parts."""
        for part in np.array_split(items, max(1, -(-len(items) // _EMBEDDED_AT_ONCE))):
            (batch,) = network.batches(part[None, None])
            columns = []
            for place in range(UNTRAINED):
                weights = {name: w[place : place + 1] for name, w in self._weights.items()}
                embedded = network.embed(weights, batch)[0]
                columns.append(torch.nn.functional.layer_norm(embedded, embedded.shape[1:]))
            yield torch.cat(columns, dim=1).numpy()
