"""The canonical graph: an architecture without the parts that have no effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int32, Int64

from nasrank.errors import DataError
from nasrank.graphs.dag import INPUT, OUTPUT, GraphBatch

__all__ = ["canonicalise", "depths"]

MOST_PARALLEL = int(np.iinfo(np.uint8).max)
"""Most edges from one node to another that a batch can hold."""


def canonicalise(
    batch: GraphBatch,
    *,
    drop: Sequence[str] = ("none",),
    contract: Sequence[str] = ("skip_connect",),
) -> GraphBatch:
    """Reduce every architecture to the graph of what it computes.

    Nodes named in ``drop`` are removed with their edges. Nodes named in ``contract`` pass their
    input on, so each becomes edges from its sources to its targets; a sum that then takes one
    source twice keeps two edges. What lies on no path from an input to an output is removed.
    Shared operations stay shared. The remaining nodes are packed to the front in topological
    order, inputs first and outputs last, and keep their attributes. Settings stay as they are.

    Args:
        batch: Architectures; edges may go between any two positions as long as there is no cycle.
        drop: Operations that produce nothing; names outside the vocabulary are ignored.
        contract: Operations that return their input.

    Returns:
        A batch of the same length. An architecture whose input never reaches its output keeps
        just these two nodes and no edge.

    Raises:
        DataError: A graph has a cycle, or more than 255 parallel edges.
    """
    adjacency = batch.adjacency.astype(np.int32)
    live = batch.mask & ~_named(batch, drop)
    adjacency *= live[:, :, None] & live[:, None, :]
    depths(adjacency)  # refuses a cycle before contraction could loop it onto itself
    skips = live & _named(batch, contract)
    for node in np.flatnonzero(skips.any(axis=0)):
        here = skips[:, node]
        passed = adjacency[here, :, node, None] * adjacency[here, None, node, :]
        # Chains that double would overflow; anything above the bound is refused at the end.
        adjacency[here] = np.minimum(adjacency[here] + passed, MOST_PARALLEL + 1)
        adjacency[here, :, node] = 0
        adjacency[here, node, :] = 0
    live &= ~skips
    ends = live & ((batch.operations == INPUT) | (batch.operations == OUTPUT))
    edges = _items_last(adjacency)
    live &= ends | (
        _reached(edges, live & (batch.operations == INPUT))
        & _reached(edges.transpose(1, 0, 2), live & (batch.operations == OUTPUT))
    )
    adjacency *= live[:, :, None] & live[:, None, :]
    if adjacency.max(initial=0) > MOST_PARALLEL:
        raise DataError(
            "an architecture adds the same source more than 255 times; "
            "replace its chain of skip connections with one operation"
        )
    return _pack(batch, adjacency, live)


def depths(adjacency: Int32[np.ndarray, "items nodes nodes"]) -> Int64[np.ndarray, "items nodes"]:
    """Return the number of edges on the longest path that ends at each node.

    Args:
        adjacency: Edge counts.

    Raises:
        DataError: A graph has a cycle; the message names the first such item.
    """
    items, nodes, _ = adjacency.shape
    edges = _items_last(adjacency)
    depth = np.zeros((nodes, items), np.int16)
    for _ in range(nodes + 1):
        longer = np.where(edges, depth[:, None] + np.int16(1), np.int16(0)).max(axis=0, initial=0)
        if np.array_equal(longer, depth):
            return depth.T.astype(np.int64)
        depth = longer
    cyclic = int(np.flatnonzero((depth >= nodes).any(axis=0))[0])
    raise DataError(f"architecture {cyclic} has a cycle; an architecture is an acyclic graph")


def _named(batch: GraphBatch, names: Sequence[str]) -> Bool[np.ndarray, "items nodes"]:
    codes = [code for code, name in enumerate(batch.vocabulary) if name in names]
    return np.asarray(np.isin(batch.operations, codes) & batch.mask)


def _items_last(
    adjacency: Int32[np.ndarray, "items nodes nodes"],
) -> Bool[np.ndarray, "nodes nodes items"]:
    """Return ``[source, target, item]``: reducing over nodes then runs along the memory."""
    return np.ascontiguousarray((adjacency > 0).transpose(1, 2, 0))


def _reached(
    edges: Bool[np.ndarray, "nodes nodes items"], start: Bool[np.ndarray, "items nodes"]
) -> Bool[np.ndarray, "items nodes"]:
    reached = np.ascontiguousarray(start.T)
    for _ in range(edges.shape[0]):
        further = reached | (edges & reached[:, None]).any(axis=0)
        if np.array_equal(further, reached):
            break
        reached = further
    return reached.T


def _pack(
    batch: GraphBatch,
    adjacency: Int32[np.ndarray, "items nodes nodes"],
    live: Bool[np.ndarray, "items nodes"],
) -> GraphBatch:
    rank = depths(adjacency)
    rank[batch.operations == INPUT] = -1
    rank[batch.operations == OUTPUT] = batch.nodes
    rank[~live] = batch.nodes + 1
    width = int(live.sum(axis=1).max(initial=0))
    order = np.argsort(rank, axis=1, kind="stable")[:, :width]
    mask = np.take_along_axis(live, order, axis=1)
    operations = np.where(mask, np.take_along_axis(batch.operations, order, axis=1), 0)
    rows = np.take_along_axis(adjacency, order[:, :, None], axis=1)
    packed = np.take_along_axis(rows, order[:, None, :], axis=2)
    attributes = batch.attributes
    if attributes is not None:
        kept = np.take_along_axis(attributes, order[:, :, None], axis=1)
        attributes = np.where(mask[:, :, None], kept, np.float32(np.nan))
    return replace(
        batch,
        operations=operations.astype(np.int16),
        adjacency=packed.astype(np.uint8),
        mask=mask,
        attributes=attributes,
    )
