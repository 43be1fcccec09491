"""Many batches of graphs as rows of one matrix, without padding nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasrank.graphs.dag import GraphBatch
from nasrank.graphs.features import AttributeScale, standardised_attributes

__all__ = ["Bags", "GraphStore", "PackedGraphs"]

RELATIONS = 3
"""A node hears from itself, from its sources and from its targets, in this order."""


@dataclass(frozen=True)
class Bags:
    """A sparse matrix by rows: row ``r`` sums ``weight[i] * table[index[i]]`` over its own ``i``.

    Attributes:
        index: ``[entries]`` rows of the table.
        start: ``[rows]`` where each row's entries begin.
        weight: ``[entries]``, or None where every weight is 1.
    """

    index: Tensor
    start: Tensor
    weight: Tensor | None

    def sum(self, table: Tensor) -> Tensor:
        """Multiply: ``[table rows, width]`` to ``[rows, width]``; an empty row gives zeros."""
        return torch.nn.functional.embedding_bag(
            self.index, table, self.start, mode="sum", per_sample_weights=self.weight
        )


@dataclass(frozen=True)
class PackedGraphs:
    """One batch a member of a fleet, nodes of all its graphs in one list.

    Attributes:
        members: Number of lists.
        rows: Rows of each member: its nodes, then padding up to the longest member.
        items: Graphs of each member, padding included.
        operations: ``[members, rows, vocabulary]`` one-hot operations, zero on padding.
        hear: Rows are nodes; the table has :data:`RELATIONS` rows a node.
        heard: The transpose of ``hear``, for the way back.
        read: Rows are graphs, the table has a row a node.
        graph: ``[members * rows]`` the graph each row belongs to; ``members * items`` on padding.
        attributes: ``[members, rows, A]`` standardised attributes, zero on padding; None where
            the graphs have none.
    """

    members: int
    rows: int
    items: int
    operations: Tensor
    hear: Bags
    heard: Bags
    read: Bags
    graph: Tensor
    attributes: Tensor | None = None


class GraphStore:
    """All graphs of a space, laid out so that a batch is assembled by copying ranges.

    Args:
        graphs: The graphs.
        device: Where batches are needed.
        dtype: Floating type of weights and one-hot operations.
        scale: What attributes are standardised by; the graphs' own scale if None.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        scale: AttributeScale | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self.vocabulary = graphs.vocabulary
        sizes = graphs.sizes()
        self._sizes = sizes
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        item, node = np.nonzero(graphs.mask)
        self._operation = graphs.operations[item, node].astype(np.int64)
        attributes = standardised_attributes(graphs, scale)
        self._attributes = None if attributes is None else attributes[item, node]
        # Position of every node among its own graph's nodes; the padding may lie anywhere.
        position = np.cumsum(graphs.mask, axis=1) - 1
        g, u, v = np.nonzero(graphs.adjacency)
        many = graphs.adjacency[g, u, v].astype(np.float32)
        source, target = position[g, u], position[g, v]
        own = np.arange(len(item)) - np.repeat(self._first, sizes)
        ones = np.ones(len(item), np.float32)
        # (graph, row, entry, weight): who a node hears, and its transpose.
        self._hear = _Ranges.build(
            np.concatenate([item, g, g]),
            np.concatenate([own, target, source]),
            np.concatenate([own * 3, source * 3 + 1, target * 3 + 2]),
            np.concatenate([ones, many, many]),
            sizes,
        )
        self._heard = _Ranges.build(
            np.concatenate([item, g, g]),
            np.concatenate([own * 3, source * 3 + 1, target * 3 + 2]),
            np.concatenate([own, target, source]),
            np.concatenate([ones, many, many]),
            sizes * RELATIONS,
        )

    def __len__(self) -> int:
        """Return the number of graphs."""
        return len(self._sizes)

    def pack(self, items: NDArray[np.int64]) -> PackedGraphs:
        """Assemble one batch a member.

        Args:
            items: ``[members, items]`` numbers of graphs; -1 is padding.
        """
        return self.pack_steps(items[None])[0]

    def pack_steps(self, items: NDArray[np.int64]) -> list[PackedGraphs]:
        """Assemble the batches of several steps at once, which costs little more than one.

        Args:
            items: ``[steps, members, items]`` numbers of graphs; -1 is padding.
        """
        steps, members, width = items.shape
        real = items >= 0
        graph = np.where(real, items, 0)
        sizes = np.where(real, self._sizes[graph], 0)
        rows = max(1, int(sizes.sum(axis=2).max(initial=0)))
        before = np.cumsum(sizes, axis=2) - sizes
        flat_real = real.reshape(-1)
        chosen = graph.reshape(-1)[flat_real]
        step = np.repeat(np.arange(steps), members * width)[flat_real]
        # Row of each graph's first node, counted inside its own step.
        base = (before + np.arange(members)[None, :, None] * rows).reshape(-1)[flat_real]
        hear = self._hear.take(chosen, base * RELATIONS)
        heard = self._heard.take(chosen, base)
        node_graph = np.repeat(np.arange(len(chosen)), self._sizes[chosen])
        node_row = _spans(base, self._sizes[chosen])
        node = _spans(self._first[chosen], self._sizes[chosen])
        node_operation = self._operation[node]
        node_step = step[node_graph]
        slot = np.flatnonzero(flat_real) - step * members * width

        total = members * rows
        operations = torch.zeros(
            (steps, total, len(self.vocabulary)), dtype=self.dtype, device=self.device
        )
        operations[
            torch.from_numpy(node_step),
            torch.from_numpy(node_row),
            torch.from_numpy(node_operation),
        ] = 1
        attributes = None
        if self._attributes is not None:
            width_a = self._attributes.shape[1]
            table = np.zeros((steps, total, width_a), np.float32)
            table[node_step, node_row] = self._attributes[node]
            attributes = torch.from_numpy(table).to(self.device, self.dtype)
            attributes = attributes.view(steps, members, rows, width_a)
        graph_of = np.full((steps, total), members * width, np.int64)
        graph_of[node_step, node_row] = slot[node_graph]
        graph_tensor = torch.from_numpy(graph_of).to(self.device)
        hear_bags = self._bags(hear, node_step, node_row, rows=total, steps=steps, graph_step=step)
        relation_row = (node_row[:, None] * RELATIONS + np.arange(RELATIONS)).reshape(-1)
        heard_bags = self._bags(
            heard,
            np.repeat(node_step, RELATIONS),
            relation_row,
            rows=total * RELATIONS,
            steps=steps,
            graph_step=step,
        )
        read_counts = np.zeros((steps, members * width), np.int64)
        read_counts[step, slot] = self._sizes[chosen]
        result = []
        node_bounds = np.searchsorted(node_step, np.arange(steps + 1))
        for s in range(steps):
            read = Bags(
                self._int(node_row[node_bounds[s] : node_bounds[s + 1]]),
                self._int(_starts(read_counts[s])),
                None,
            )
            result.append(
                PackedGraphs(
                    members,
                    rows,
                    width,
                    operations[s].view(members, rows, -1),
                    hear_bags[s],
                    heard_bags[s],
                    read,
                    graph_tensor[s],
                    None if attributes is None else attributes[s],
                )
            )
        return result

    def _int(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values.astype(np.int32)).to(self.device)

    def _bags(
        self,
        taken: tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
        row_step: NDArray[np.int64],
        row: NDArray[np.int64],
        *,
        rows: int,
        steps: int,
        graph_step: NDArray[np.int64],
    ) -> list[Bags]:
        index, weight, row_counts, graph_counts = taken
        counts = np.zeros((steps, rows), np.int64)
        counts[row_step, row] = row_counts
        bounds = np.concatenate(
            [[0], np.cumsum(np.bincount(graph_step, weights=graph_counts, minlength=steps))]
        ).astype(np.int64)
        index_tensor = self._int(index)
        weight_tensor = torch.from_numpy(weight).to(self.device, self.dtype)
        return [
            Bags(
                index_tensor[bounds[s] : bounds[s + 1]],
                self._int(_starts(counts[s])),
                weight_tensor[bounds[s] : bounds[s + 1]],
            )
            for s in range(steps)
        ]


@dataclass(frozen=True)
class _Ranges:
    """Bag entries of all graphs, in the order graph, row."""

    first: NDArray[np.int64]
    count: NDArray[np.int64]
    index: NDArray[np.int64]
    weight: NDArray[np.float32]
    row_first: NDArray[np.int64]
    row_total: NDArray[np.int64]
    row_count: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        graph: NDArray[np.int64],
        row: NDArray[np.int64],
        index: NDArray[np.int64],
        weight: NDArray[np.float32],
        rows: NDArray[np.int64],
    ) -> _Ranges:
        order = np.lexsort((index, row, graph))
        count = np.bincount(graph, minlength=len(rows))
        row_first = np.concatenate([[0], np.cumsum(rows)[:-1]]).astype(np.int64)
        row_count = np.bincount(row_first[graph] + row, minlength=int(rows.sum()))
        first = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
        return cls(first, count, index[order], weight[order], row_first, rows, row_count)

    def take(
        self, graphs: NDArray[np.int64], base: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Return shifted entries, weights, entries a row and entries a graph."""
        count = self.count[graphs]
        entries = _spans(self.first[graphs], count)
        rows = _spans(self.row_first[graphs], self.row_total[graphs])
        return (
            self.index[entries] + np.repeat(base, count),
            self.weight[entries],
            self.row_count[rows],
            count,
        )


def _spans(first: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate ``range(first[i], first[i] + count[i])`` over all i."""
    ends = np.cumsum(count)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(first - ends + count, count)


def _starts(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.cumsum(count) - count
