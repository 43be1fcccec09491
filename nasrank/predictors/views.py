"""Graphs as rows of numbers, in several views that a kernel compares."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from nasrank.cache import Arrays, cached_arrays
from nasrank.code import source_digest
from nasrank.graphs import GraphBatch
from nasrank.graphs.features import FeatureReference, graph_features
from nasrank.graphs.paths import PathCounts
from nasrank.predictors.gnn import GNN
from nasrank.predictors.network import Weights
from nasrank.seeds import numpy_generator, torch_generator

__all__ = ["GraphViews"]

UNTRAINED = 16
"""Untrained networks whose embeddings are put side by side."""
DIRECTIONS = 200
"""Principal directions kept of these embeddings."""
_LEARNT_FROM = 6000
_EMBEDDED_AT_ONCE = 1024
_KEPT_FROM = 1000
"""Graphs whose views take longer to compute than to look up."""


class GraphViews:
    """Views of the graphs of one space, each with one row per graph.

    ``counts``: operations and edges by their ends, square roots. ``paths``: kinds of paths,
    square roots. ``untrained``: embeddings by graph networks with random weights,
    normalised by network and reduced to its principal directions; distances there approximate
    the kernel of the infinitely wide network (Lee et al. 2018, "Deep neural networks as Gaussian
    processes", ICLR). Settings of the whole architecture are in none of them.

    They take seconds, so those of large sets of graphs are kept in the user's cache.

    Args:
        graphs: The graphs that determine kinds of paths and directions.
    """

    def __init__(self, graphs: GraphBatch) -> None:
        self._graphs = replace(graphs, settings=None)
        if len(graphs) < _KEPT_FROM:
            made = self._make()
        else:
            what = f"views of {len(graphs):,} graphs"
            key = _key(self._graphs)
            made = cached_arrays("views", key, what, self._make)
        self._centre, self._directions = made.pop("centre"), made.pop("directions")
        self.reference: Mapping[str, Float64[Tensor, "items _"]] = {
            name: torch.from_numpy(view) for name, view in made.items()
        }

    @cached_property
    def _paths(self) -> PathCounts:
        return PathCounts(self._graphs)

    @cached_property
    def _features(self) -> FeatureReference:
        return FeatureReference.of(self._graphs)

    @cached_property
    def _network(self) -> GNN:
        return GNN(self._graphs)

    @cached_property
    def _weights(self) -> Weights:
        return self._network.initial(
            [torch_generator(part, stream="untrained") for part in range(UNTRAINED)]
        )

    def _make(self) -> Arrays:
        """Learn the directions, and look at the graphs themselves."""
        graphs = self._graphs
        chosen = np.arange(len(graphs))
        if len(graphs) > _LEARNT_FROM:
            draw = numpy_generator(0, stream="views")
            chosen = np.sort(draw.choice(len(graphs), _LEARNT_FROM, replace=False))
        embedded = np.concatenate([*self._embedded(self._network, chosen)])
        self._centre = embedded.mean(axis=0, dtype=np.float64)
        centred = embedded - self._centre
        _, directions = np.linalg.eigh(centred.T @ centred)
        self._directions = np.ascontiguousarray(directions[:, ::-1][:, :DIRECTIONS])
        whole = len(chosen) == len(graphs)
        views = self._of(self._network, [embedded] if whole else None)
        return {**views, "centre": self._centre, "directions": self._directions}

    def of(self, graphs: GraphBatch) -> Mapping[str, Float64[Tensor, "items _"]]:
        """Return the views of other graphs of the same vocabulary."""
        views = self._of(self._network.on(replace(graphs, settings=None)), None)
        return {name: torch.from_numpy(view) for name, view in views.items()}

    def _of(
        self, network: GNN, embedded: Iterable[Float32[np.ndarray, "_ columns"]] | None
    ) -> dict[str, Float64[np.ndarray, "items _"]]:
        graphs = network.graphs
        parts = self._embedded(network, np.arange(len(graphs))) if embedded is None else embedded
        return {
            "counts": graph_features(graphs, self._features).astype(np.float64),
            "paths": np.sqrt(self._paths.of(graphs).astype(np.float64)),
            "untrained": np.concatenate(
                [(part - self._centre) @ self._directions for part in parts]
            ),
        }

    @torch.no_grad()
    def _embedded(
        self, network: GNN, items: Int64[np.ndarray, "items"]
    ) -> Iterator[Float32[np.ndarray, "_ columns"]]:
        """Embed with every network on its own scale, ``[items, networks * width]`` in parts."""
        for part in np.array_split(items, max(1, -(-len(items) // _EMBEDDED_AT_ONCE))):
            batch = network.batch(part)
            columns = []
            for place in range(UNTRAINED):
                weights = {name: w[place : place + 1] for name, w in self._weights.items()}
                embedded = network.embed_one(weights, batch)
                columns.append(torch.nn.functional.layer_norm(embedded, embedded.shape[1:]))
            yield torch.cat(columns, dim=1).numpy()


def _key(graphs: GraphBatch) -> str:
    """Return a digest of graphs, and of what computes their views."""
    digest = hashlib.sha256(torch.__version__.encode())
    digest.update(source_digest([__name__], ("nasrank.graphs", "nasrank.predictors")).encode())
    digest.update(repr((graphs.vocabulary, graphs.attribute_names)).encode())
    for array in (graphs.operations, graphs.adjacency, graphs.mask, graphs.attributes):
        if array is not None:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
