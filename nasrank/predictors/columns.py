"""Graphs as the columns that trees are split on."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Float64

from nasrank.graphs import GraphBatch
from nasrank.graphs.features import FeatureReference, graph_features
from nasrank.graphs.path_statistics import path_statistics
from nasrank.graphs.paths import PathCounts
from nasrank.predictors.predictor import required_proxies

__all__ = ["GraphColumns"]


class GraphColumns:
    """Counts of operations, edges and kinds of paths, statistics over paths, and proxies if any.

    The statistics matter most: a single split on the depth in convolutions replaces many splits on
    counts of paths.

    Args:
        graphs: Canonical graphs that determine the columns.
        proxies: Those of the same graphs, or None.
    """

    def __init__(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> None:
        self._features = FeatureReference.of(graphs)
        self._paths = PathCounts(graphs)
        self._with_proxies = proxies is not None
        self.reference = self.of(graphs, proxies)

    def of(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Float32[np.ndarray, "items columns"]:
        """Describe graphs of the same vocabulary.

        Args:
            graphs: ``[items]`` canonical graphs.
            proxies: Theirs, where these columns were made with some.

        Returns:
            One row per graph; contiguous, as trees expect it.

        Raises:
            UsageError: Proxies are needed and there are none.
        """
        columns = [
            graph_features(graphs, self._features),
            self._paths.of(graphs),
            path_statistics(graphs),
        ]
        if self._with_proxies:
            columns.append(required_proxies(proxies).astype(np.float32))
        return np.ascontiguousarray(np.concatenate(columns, axis=1), np.float32)
