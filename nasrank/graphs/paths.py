"""Architectures as counts of the paths that data can take through them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from nasrank.graphs.dag import INPUT, OUTPUT, GraphBatch

__all__ = ["PathCounts"]

MOST_OPERATIONS = 6
"""Longer paths are counted by their prefix."""
MOST_KINDS = 128
"""Kinds of prefixes followed at each length, the commonest first: spaces of many operations
have more kinds than architectures."""


class PathCounts:
    """The kinds of paths of a space, and how often each graph has them.

    A path runs from an input to an output, and its kind is the operations on its way. An edge
    taken twice makes two paths. Counting paths instead of nodes is the encoding of White et al.
    (2021), "BANANAS: Bayesian optimization with neural architectures for neural architecture
    search" (AAAI); here with counts instead of indicators.

    Args:
        graphs: The graphs that say which kinds there are, canonical.

    Example:
        >>> operations = np.array([[0, 2, 3, 1]], np.int16)
        >>> adjacency = np.zeros((1, 4, 4), np.uint8)
        >>> for source, target in ((0, 1), (1, 2), (2, 3), (0, 2)):
        ...     adjacency[0, source, target] = 1
        >>> names = ("input", "output", "conv", "pool")
        >>> graphs = GraphBatch(operations, adjacency, np.ones((1, 4), bool), names)
        >>> PathCounts(graphs).kinds  # input-pool-output, input-conv-pool-output
        [(3,), (2, 3)]
    """

    def __init__(self, graphs: GraphBatch) -> None:
        self.vocabulary = graphs.vocabulary
        self._followed: list[list[tuple[int, ...]]] = []
        self.kinds: list[tuple[int, ...]] = []
        self._walk(graphs, learn=True)

    def of(self, graphs: GraphBatch) -> Float32[np.ndarray, "items kinds"]:
        """Count the paths of each kind.

        Args:
            graphs: ``[items]`` canonical graphs of the same vocabulary; kinds that the space
                does not have are not counted.

        Returns:
            How often each architecture has each of `kinds`.
        """
        return self._walk(graphs, learn=False)

    def _walk(self, graphs: GraphBatch, *, learn: bool) -> Float32[np.ndarray, "items kinds"]:
        adjacency = graphs.adjacency.astype(np.float32)
        ends = (graphs.mask & (graphs.operations == OUTPUT)).astype(np.float32)
        start = (graphs.mask & (graphs.operations == INPUT)).astype(np.float32)
        inner = range(2, len(self.vocabulary))
        at = {
            code: (graphs.mask & (graphs.operations == code)).astype(np.float32) for code in inner
        }
        counts: dict[tuple[int, ...], NDArray[np.float32]] = {}
        # How often each prefix arrives at each node, [items, nodes].
        arrived: dict[tuple[int, ...], NDArray[np.float32]] = {(): start}
        for length in range(MOST_OPERATIONS + 1):
            onward = {
                kind: np.matmul(nodes[:, None], adjacency)[:, 0] for kind, nodes in arrived.items()
            }
            last = length == MOST_OPERATIONS
            for kind, nodes in onward.items():
                # The longest prefixes kept represent all paths that begin with them.
                counts[kind] = (nodes if last else nodes * ends).sum(axis=1)
            if last:
                break
            longer = {
                (*kind, code): reached
                for kind, nodes in onward.items()
                for code in inner
                if (not learn and (*kind, code) in self._followed[length])
                or (learn and (nodes * at[code]).any())
                for reached in [nodes * at[code]]
            }
            if learn:
                common = sorted(longer, key=lambda k: -int((longer[k] > 0).any(axis=1).sum()))
                self._followed.append(sorted(common[:MOST_KINDS]))
            arrived = {kind: longer[kind] for kind in self._followed[length]}
            if not arrived:
                break
        if learn:
            self.kinds = [kind for kind in counts if counts[kind].any()]
        columns = [counts[kind] for kind in self.kinds]
        if not columns:
            return np.zeros((len(graphs), 0), np.float32)
        return np.stack(columns, axis=1).astype(np.float32)
