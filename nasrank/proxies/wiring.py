"""Cells as the networks read them: nodes in canonical order, similar cells side by side."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs import INPUT, OUTPUT, GraphBatch, canonicalise
from nasrank.graphs.canonical import depths
from nasrank.proxies.operations import Operation, find_operation

__all__ = ["NOTHING", "Cells", "require_known", "wire"]

NOTHING = -1
"""Code of a place without a node."""

_MIX = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)

_WAYS = tuple(np.uint64((way * int(_MIX[0])) % 2**64) for way in (1, 2, 3))


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells without what has no effect, their first node the input.

    Attributes:
        codes: ``[cells, nodes]`` what each node does, into ``names``; `NOTHING` for the input and
            for padding. Nodes come after their sources.
        edges: ``[cells, nodes, nodes]`` how often a node (last) takes a source (middle).
        leaving: ``[cells, nodes]`` how often the output takes each node.
        names: Names of operations in the table of operations.
        operations: Their definitions.
    """

    codes: NDArray[np.int64]
    edges: NDArray[np.float32]
    leaving: NDArray[np.float32]
    names: tuple[str, ...]
    operations: tuple[Operation, ...]

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.codes)

    def __getitem__(self, items: NDArray[np.int64]) -> Cells:
        """Return some cells, without places that none of them uses."""
        codes = self.codes[items]
        width = 1 + int(np.count_nonzero(codes != NOTHING, axis=1).max(initial=0))
        return Cells(
            codes[:, :width],
            self.edges[items, :width, :width],
            self.leaving[items, :width],
            self.names,
            self.operations,
        )

    def in_batches(self, size: int) -> list[NDArray[np.int64]]:
        """Split the cells so that those of a batch have much in common."""
        nodes = np.count_nonzero(self.codes != NOTHING, axis=1)
        order = np.lexsort((*self.codes.T[::-1], nodes))
        return [order[start : start + size] for start in range(0, len(order), size)]


def wire(graphs: GraphBatch) -> Cells:
    """Reduce graphs to what they compute and put their nodes in a canonical order.

    The order is by depth, operation and surroundings, so it does not depend on the order in
    which a graph lists its nodes. Several inputs are one, as are several outputs. Attributes of
    nodes are ignored.

    Args:
        graphs: Graphs of operations on pictures.

    Raises:
        UsageError: An operation is not known.
        DataError: A graph has a cycle, or more than 255 parallel edges.
    """
    found = _meanings(graphs)
    drop = [graphs.vocabulary[code] for code, (_, meaning) in found.items() if meaning is None]
    idle = [
        graphs.vocabulary[code] for code, (_, meaning) in found.items() if meaning == Operation()
    ]
    plain = canonicalise(graphs, drop=drop, contract=idle)
    kept = {
        name: meaning for name, meaning in found.values() if meaning is not None and meaning.steps
    }
    names = tuple(sorted(kept))
    number = np.full(len(graphs.vocabulary), NOTHING, np.int64)
    for code, (name, _) in found.items():
        if name in kept:
            number[code] = names.index(name)
    return _ordered(plain, number, names, tuple(kept[name] for name in names))


def require_known(graphs: GraphBatch) -> None:
    """Refuse graphs that proxies cannot be computed for.

    Raises:
        UsageError: An operation is not known.
    """
    _meanings(graphs)


def _meanings(graphs: GraphBatch) -> dict[int, tuple[str, Operation | None]]:
    """Look up the operations that occur, by code."""
    return {
        int(code): find_operation(graphs.vocabulary[code])
        for code in np.unique(graphs.operations[graphs.mask])
        if code not in (INPUT, OUTPUT)
    }


def _ordered(
    plain: GraphBatch,
    number: NDArray[np.int64],
    names: tuple[str, ...],
    operations: tuple[Operation, ...],
) -> Cells:
    items = len(plain)
    codes = np.where(plain.mask, number[plain.operations], NOTHING)
    entering = plain.mask & (plain.operations == INPUT)
    ending = plain.mask & (plain.operations == OUTPUT)
    adjacency = plain.adjacency.astype(np.int32)
    rank = depths(adjacency)
    inner = codes != NOTHING
    colours = _colours(plain, names, codes)
    # Other nodes than inner ones go last and are cut off.
    keys = (
        colours.view(np.int64),
        np.where(inner, codes, 0),
        np.where(inner, rank, plain.nodes + 1),
    )
    order = np.lexsort(keys, axis=1)
    width = int(inner.sum(axis=1).max(initial=0))
    order = order[:, :width]
    taken = np.take_along_axis(inner, order, axis=1)
    rows = np.take_along_axis(adjacency, order[:, :, None], axis=1)
    between = np.take_along_axis(rows, order[:, None, :], axis=2)
    first = (adjacency * entering[:, :, None]).sum(axis=1)
    last = (adjacency * ending[:, None, :]).sum(axis=2)
    edges = np.zeros((items, 1 + width, 1 + width), np.float32)
    edges[:, 1:, 1:] = between * taken[:, :, None] * taken[:, None, :]
    edges[:, 0, 1:] = np.take_along_axis(first, order, axis=1) * taken
    leaving = np.zeros((items, 1 + width), np.float32)
    leaving[:, 0] = (last * entering).sum(axis=1)
    leaving[:, 1:] = np.take_along_axis(last, order, axis=1) * taken
    all_codes = np.full((items, 1 + width), NOTHING, np.int64)
    all_codes[:, 1:] = np.where(taken, np.take_along_axis(codes, order, axis=1), NOTHING)
    return Cells(all_codes, edges, leaving, names, operations)


def _colours(
    plain: GraphBatch, names: tuple[str, ...], codes: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Give nodes numbers that encode their operation and surroundings.

    Unlike numbers counted over all graphs, these do not depend on the other graphs. Nodes that
    still share a number are distinguished one by one.
    """
    of_name = [
        int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        for name in (*names, "input", "output")
    ]
    kind = np.where(codes != NOTHING, codes, len(names) + (plain.operations == OUTPUT))
    colours = np.array(of_name, np.uint64)[kind]
    colours[~plain.mask] = 0
    edges = plain.adjacency.astype(np.uint64)
    colours = _refined(colours, edges, plain.mask)
    for _ in range(plain.nodes):
        ordered = np.sort(np.where(plain.mask, colours, 0), axis=1)
        tied = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > 0)
        rows = np.flatnonzero(tied.any(axis=1))
        if len(rows) == 0:
            break
        shared = ordered[rows, 1 + tied[rows].argmax(axis=1)]
        node = (colours[rows] == shared[:, None]).argmax(axis=1)
        colours[rows, node] = _mixed(colours[rows, node], 0)
        colours[rows] = _refined(colours[rows], edges[rows], plain.mask[rows])
    return colours


def _refined(
    colours: NDArray[np.uint64], edges: NDArray[np.uint64], mask: NDArray[np.bool_]
) -> NDArray[np.uint64]:
    there = edges > 0
    for _ in range(colours.shape[1]):
        times = edges * _MIX[0]
        heard = np.where(there, _mixed(colours[:, :, None] + times, 1), 0).sum(1, np.uint64)
        sent = np.where(there, _mixed(colours[:, None, :] + times, 2), 0).sum(2, np.uint64)
        colours = np.where(mask, _mixed(colours * _MIX[1] + heard + sent * _MIX[2], 0), 0)
    return colours


def _mixed(numbers: NDArray[np.uint64], way: int) -> NDArray[np.uint64]:
    """Scramble 64 bits, in one of several ways."""
    numbers = numbers + _WAYS[way]
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _MIX[1]
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _MIX[2]
    return numbers ^ (numbers >> np.uint64(31))
