"""Statistics over the paths of an architecture."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from jaxtyping import Float32, Float64

from nasrank.graphs.canonical import depths
from nasrank.graphs.dag import INPUT, OUTPUT, GraphBatch

__all__ = ["path_statistics"]

MOST_PAIRED = 12
"""Most operations for which pairs of them are counted too."""
_AT_ONCE = 4096
"""Graphs processed at a time, which bounds the memory."""


def path_statistics(graphs: GraphBatch) -> Float32[np.ndarray, "items columns"]:
    """Describe the paths from inputs to outputs by how many of each operation lie on one.

    For every operation, every pair of operations, and all operations together: the mean, the
    most and the fewest over paths. The most of all operations is the depth of the architecture;
    the most of a pair is how deep it is in these two. Before them stands the logarithm of one
    plus the number of paths. An edge taken twice makes two paths. Nothing is enumerated: one
    pass over the nodes adds up what arrives, as in the shortest-path algorithm for acyclic
    graphs (Cormen et al. 2009, "Introduction to algorithms", chapter 24.2), so the number of
    paths may be large.

    Args:
        graphs: ``[items]`` canonical graphs.

    Returns:
        ``[items, 1 + 3 G]`` for G sets of operations. A graph without a path has no most or
        fewest: both are -1 there.

    Example:
        >>> operations = np.array([[0, 2, 2, 1]], np.int16)
        >>> adjacency = np.zeros((1, 4, 4), np.uint8)
        >>> for source, target in ((0, 1), (1, 2), (2, 3), (0, 3)):
        ...     adjacency[0, source, target] = 1
        >>> graph = GraphBatch(operations, adjacency, np.ones((1, 4), bool),
        ...     ("input", "output", "conv"))
        >>> path_statistics(graph)[0].astype(float).round(2).tolist()  # 2 and 0 convolutions
        [1.1, 1.0, 2.0, 0.0]
    """
    sets = _sets(len(graphs.vocabulary))
    member = np.zeros((len(graphs.vocabulary), len(sets)))
    for column, codes in enumerate(sets):
        member[list(codes), column] = 1
    parts = [
        _described(graphs[start : start + _AT_ONCE], member)
        for start in range(0, max(1, len(graphs)), _AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float32)


def _sets(vocabulary: int) -> list[tuple[int, ...]]:
    """Each operation, each pair of more than two, and all together."""
    inner = range(2, vocabulary)
    sets: list[tuple[int, ...]] = [(code,) for code in inner]
    if 2 < len(inner) <= MOST_PAIRED:
        sets += combinations(inner, 2)
    if len(inner) > 1:
        sets.append(tuple(inner))
    return sets


def _described(
    graphs: GraphBatch, member: Float64[np.ndarray, "vocabulary sets"]
) -> Float64[np.ndarray, "items columns"]:
    items, nodes = graphs.operations.shape
    shape = (items, nodes, member.shape[1])
    # Nodes by their depth: every source stands before its targets, wherever padding lies.
    order = np.argsort(depths(graphs.adjacency.astype(np.int32)), axis=1, kind="stable")
    operations = np.take_along_axis(graphs.operations, order, axis=1)
    mask = np.take_along_axis(graphs.mask, order, axis=1)
    rows = np.take_along_axis(graphs.adjacency, order[:, :, None], axis=1)
    adjacency = np.take_along_axis(rows, order[:, None, :], axis=2)
    # Of the paths that arrive at a node: their number, and sum, most and fewest operations.
    paths, sums = np.zeros((items, nodes)), np.zeros(shape)
    most, fewest = np.full(shape, -np.inf), np.full(shape, np.inf)
    begin = mask & (operations == INPUT)
    paths[begin], most[begin], fewest[begin] = 1, 0, 0
    for node in range(1, nodes):
        edges = adjacency[:, :node, node].astype(np.float64)
        inside = mask[:, node] & ~begin[:, node]
        own = member[operations[:, node]]
        arrived = (edges * paths[:, :node]).sum(axis=1)
        before = np.einsum("iu,ius->is", edges, sums[:, :node])
        taken = (edges > 0)[:, :, None]
        longest = np.where(taken, most[:, :node], -np.inf).max(axis=1)
        shortest = np.where(taken, fewest[:, :node], np.inf).min(axis=1)
        paths[inside, node] = arrived[inside]
        sums[inside, node] = (before + own * arrived[:, None])[inside]
        most[inside, node] = (longest + own)[inside]
        fewest[inside, node] = (shortest + own)[inside]
    end = mask & (operations == OUTPUT)
    ends = end[:, :, None]
    total = (paths * end).sum(axis=1)[:, None]
    columns = (
        np.log1p(total),
        (sums * ends).sum(axis=1) / np.maximum(total, 1),
        np.where(total > 0, np.where(ends, most, -np.inf).max(axis=1), -1),
        np.where(total > 0, np.where(ends, fewest, np.inf).min(axis=1), -1),
    )
    return np.concatenate(columns, axis=1)
