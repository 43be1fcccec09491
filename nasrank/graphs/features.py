"""Architectures as rows of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs.dag import GraphBatch

__all__ = ["graph_features"]


def graph_features(graphs: GraphBatch) -> NDArray[np.float32]:
    """Describe each graph by counts: operations, and edges by the operations at their ends.

    The square root tempers large counts, so the Euclidean distance of two rows is their
    Hellinger-like graph distance: 0 for graphs with the same operations joined in the same way.

    Args:
        graphs: Canonical graphs.

    Returns:
        ``[items, V + V * V]`` for a vocabulary of V operations.
    """
    size = len(graphs.vocabulary)
    pairs = np.zeros((len(graphs), size * size), np.float32)
    item, source, target = np.nonzero(graphs.adjacency)
    kind = graphs.operations[item, source] * size + graphs.operations[item, target]
    np.add.at(pairs, (item, kind), graphs.adjacency[item, source, target])
    features: NDArray[np.float32] = np.concatenate([graphs.operation_counts(), pairs], axis=1)
    return np.sqrt(features)
