"""Identical architectures: isomorphism classes of labelled acyclic multigraphs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int64

from nasrank.graphs.dag import GraphBatch

__all__ = ["isomorphism_classes"]


def isomorphism_classes(batch: GraphBatch) -> Int64[np.ndarray, "items"]:
    """Number the architectures so that two get the same number exactly if they are isomorphic.

    Colours are refined by the colours of sources and targets until nothing changes. Where two
    nodes of one graph still share a colour, each of them in turn gets a colour of its own and the
    refinement continues; the least of the resulting forms represents the graph. The search is
    exact, and all graphs go through every step together. Nodes that differ in an attribute are
    different, and so are architectures that differ in a setting; two that both lack it do not
    differ.

    Args:
        batch: Graphs to compare as they are; apply :func:`~nasrank.graphs.canonicalise` first to
            compare what they compute.

    Returns:
        Class numbers, counted from 0 in the order of first occurrence.

    References:
        McKay and Piperno (2014), "Practical graph isomorphism, II", J. Symbolic Computation.
    """
    if len(batch) == 0:
        return np.zeros(0, np.int64)
    kinds = _kinds(batch)
    labelled = np.concatenate(
        [
            kinds[:, :, None] + 1,
            batch.adjacency.astype(np.int64),
        ],
        axis=2,
    )
    labelled *= batch.mask[:, :, None]
    # Most spaces repeat the same labelled graph many times; search each only once.
    same = _row_numbers(labelled.reshape(len(batch), -1))
    _, first = np.unique(same, return_index=True)
    adjacency = batch.adjacency[first].astype(np.int64)
    mask = batch.mask[first]
    colours = np.where(mask, kinds[first] + 1, 0)
    number = _forms(colours, adjacency, mask)[same]
    if batch.settings is not None:
        rows = np.concatenate([number[:, None], _codes(batch.settings.values)], axis=1)
        number = _row_numbers(rows)
    return _by_first_occurrence(number)


def _kinds(batch: GraphBatch) -> Int64[np.ndarray, "items nodes"]:
    """Number the nodes by what they are on their own: operation and attributes."""
    operations = batch.operations.astype(np.int64)
    if batch.attributes is None:
        return operations
    rows = np.concatenate([operations[:, :, None], _codes(batch.attributes)], axis=2)
    return _row_numbers(rows.reshape(-1, rows.shape[2])).reshape(operations.shape)


def _codes(numbers: Float[np.ndarray, "..."]) -> Int64[np.ndarray, "..."]:
    """Number the distinct numbers densely: equal ones alike, all NaN alike."""
    # `unique` takes 0.0 and -0.0, and all NaN, for one value each.
    _, codes = np.unique(numbers, return_inverse=True)
    return codes.reshape(numbers.shape).astype(np.int64)


def _forms(
    colours: Int64[np.ndarray, "graphs nodes"],
    adjacency: Int64[np.ndarray, "graphs nodes nodes"],
    mask: Bool[np.ndarray, "graphs nodes"],
) -> Int64[np.ndarray, "graphs"]:
    """Return one number per graph, equal exactly for isomorphic graphs."""
    form = np.full(len(colours), -1, np.int64)
    owner = np.arange(len(colours))
    offset = 0
    while len(owner):
        colours = _refine(colours, adjacency[owner], mask[owner])
        last = np.iinfo(np.int64).max
        order = np.argsort(np.where(mask[owner], colours, last), axis=1, kind="stable")
        ordered = np.take_along_axis(colours, order, axis=1)
        # Padding has colour 0 and stands last, so it is never tied with a node.
        tied = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
        settled = ~tied.any(axis=1)
        if settled.any():
            rows = np.take_along_axis(adjacency[owner[settled]], order[settled][:, :, None], 1)
            rows = np.take_along_axis(rows, order[settled][:, None, :], axis=2)
            # A colour stands for its node's kind, so colours and edges determine the graph.
            # Numbers are shared by all graphs, and isomorphic graphs settle in the same round
            # with the same set of numbers, so the least one identifies them.
            width = rows.shape[1] * rows.shape[2]
            number = offset + _row_numbers(
                np.concatenate([ordered[settled], rows.reshape(-1, width)], axis=1)
            )
            least = np.full(len(form), last)
            np.minimum.at(least, owner[settled], number)
            form = np.where(least < last, least, form)
            offset = int(number.max()) + 1
        open_ = form[owner] < 0
        colours, owner = _branch(
            colours[open_], owner[open_], ordered[open_], tied[open_], adjacency
        )
    return form


def _branch(
    colours: Int64[np.ndarray, "branches nodes"],
    owner: Int64[np.ndarray, "branches"],
    ordered: Int64[np.ndarray, "branches nodes"],
    tied: Bool[np.ndarray, "branches nodes-1"],
    adjacency: Int64[np.ndarray, "graphs nodes nodes"],
) -> tuple[Int64[np.ndarray, "children nodes"], Int64[np.ndarray, "children"]]:
    """Branch on the least shared colour of each graph: one child per node that has it."""
    if len(owner) == 0:
        return colours, owner
    shared = np.take_along_axis(ordered, tied.argmax(axis=1)[:, None], axis=1)
    members = colours == shared
    first = members.argmax(axis=1)
    rows = np.arange(len(owner))
    edges = adjacency[owner]
    same_targets = (edges == edges[rows, first][:, None, :]).all(axis=2)
    same_sources = (edges == edges[rows, :, first][:, :, None]).all(axis=1)
    twins = ((same_targets & same_sources) | ~members).all(axis=1)
    # Exchanging twins changes nothing, so one of them represents all.
    members[twins] = False
    members[rows[twins], first[twins]] = True
    row, node = np.nonzero(members)
    children = colours[row]
    children[np.arange(len(row)), node] = colours.max() + 1
    return children, owner[row]


def _refine(
    colours: Int64[np.ndarray, "branches nodes"],
    adjacency: Int64[np.ndarray, "branches nodes nodes"],
    mask: Bool[np.ndarray, "branches nodes"],
) -> Int64[np.ndarray, "branches nodes"]:
    """Split colours by the colours of sources and targets until their number is stable."""
    rows, nodes = colours.shape
    edge_base = int(adjacency.max(initial=0)) + 1
    count = len(np.unique(colours[mask]))
    while True:
        away = np.where(adjacency > 0, colours[:, None, :] * edge_base + adjacency, 0)
        back = np.where(adjacency > 0, colours[:, :, None] * edge_base + adjacency, 0)
        keys = np.concatenate(
            [
                colours[:, :, None],
                np.sort(away, axis=2),
                np.sort(back, axis=1).transpose(0, 2, 1),
            ],
            axis=2,
        )
        refined = np.zeros_like(colours)
        refined[mask] = _row_numbers(keys.reshape(rows * nodes, -1)[mask.reshape(-1)]) + 1
        finer = int(refined.max(initial=0))
        colours = refined
        if finer == count:
            return colours
        count = finer


def _row_numbers(rows: Int64[np.ndarray, "rows columns"]) -> Int64[np.ndarray, "rows"]:
    """Give equal rows equal numbers, by folding one column at a time into a dense code."""
    code = np.zeros(len(rows), np.int64)
    for column in rows.T:
        low = int(column.min(initial=0))
        span = int(column.max(initial=0)) - low + 1
        if span > 1:
            _, code = np.unique(code * span + (column - low), return_inverse=True)
    return code


def _by_first_occurrence(numbers: Int64[np.ndarray, "items"]) -> Int64[np.ndarray, "items"]:
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
