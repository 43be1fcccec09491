"""Many batches of graphs as rows of one matrix, without padding nodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, Int64
from torch import Tensor

from nasrank.graphs.dag import GraphBatch
from nasrank.graphs.features import FeatureReference, node_numbers

__all__ = ["Bags", "GraphStore", "PackedGraphs"]

RELATIONS = 3
"""A node receives from itself, from its sources and from its targets, in this order."""


@dataclass(frozen=True)
class Bags:
    """A sparse matrix by rows: row ``r`` sums ``weight[i] * table[index[i]]`` over its own ``i``.

    Attributes:
        index: Rows of the table.

        start: Where each row's entries begin.

        weight: One per entry, or None where every weight is 1.
    """

    index: Int[Tensor, "entries"]
    start: Int[Tensor, "rows"]
    weight: Float[Tensor, "entries"] | None

    def sum(self, table: Float[Tensor, "table width"]) -> Float[Tensor, "rows width"]:
        """Multiply with the rows of a table; an empty row gives zeros."""
        return torch.nn.functional.embedding_bag(
            self.index, table, self.start, mode="sum", per_sample_weights=self.weight
        )


@dataclass(frozen=True)
class PackedGraphs:
    """One batch per member of a fleet, with the nodes of all its graphs in one list.

    Attributes:
        members: Number of lists.
        rows: Rows of each member: its nodes, then padding up to the longest member.
        items: Graphs of each member, padding included.

        operations: One-hot operations, zero on padding.
        hear: Messages: rows are nodes; the table has :data:`RELATIONS` rows per node.
        heard: The transpose of ``hear``, for the backward pass.
        read: Readout: rows are graphs; the table has one row per node.

        graph: The graph each row belongs to; ``members * items`` on padding.

        numbers: Standardised attributes of each row's node and settings of its graph, zero on
            padding; None where the graphs have neither.
    """

    members: int
    rows: int
    items: int

    operations: Float[Tensor, "members rows vocabulary"]
    hear: Bags
    heard: Bags
    read: Bags
    graph: Int64[Tensor, "members*rows"]
    numbers: Float[Tensor, "members rows numbers"] | None = None


class GraphStore:
    """All graphs of a space, laid out so that a batch is assembled by copying ranges.

    Args:
        graphs: The graphs.
        device: Where batches are needed.
        dtype: Floating type of weights and one-hot operations.
        reference: What attributes and settings are measured against; the graphs if None.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        reference: FeatureReference | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype
        self.vocabulary = graphs.vocabulary
        sizes = graphs.sizes()
        self._sizes = sizes
        self._first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        item, node = np.nonzero(graphs.mask)
        self._operation = graphs.operations[item, node].astype(np.int64)
        numbers = node_numbers(graphs, reference or FeatureReference.of(graphs))
        self._numbers = None if numbers is None else numbers[item, node]
        # Position of every node among its own graph's nodes; the padding may lie anywhere.
        position = np.cumsum(graphs.mask, axis=1) - 1
        g, u, v = np.nonzero(graphs.adjacency)
        many = graphs.adjacency[g, u, v].astype(np.float32)
        source, target = position[g, u], position[g, v]
        own = np.arange(len(item)) - np.repeat(self._first, sizes)
        ones = np.ones(len(item), np.float32)
        # (graph, row, entry, weight): from whom a node receives, and the transpose.
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

    def pack(self, items: Int64[np.ndarray, "members items"]) -> PackedGraphs:
        """Assemble one batch per member.

        Args:
            items: Indices of graphs; -1 is padding.
        """
        return self.pack_steps(items[None])[0]

    def pack_steps(self, items: Int64[np.ndarray, "steps members items"]) -> list[PackedGraphs]:
        """Assemble the batches of several steps at once, which costs little more than one.

        Args:
            items: Indices of graphs; -1 is padding.
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
        numbers = None
        if self._numbers is not None:
            table = np.zeros((steps, total, self._numbers.shape[1]), np.float32)
            table[node_step, node_row] = self._numbers[node]
            numbers = torch.from_numpy(table).to(self.device, self.dtype)
            numbers = numbers.view(steps, members, rows, -1)
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
                    None if numbers is None else numbers[s],
                )
            )
        return result

    def _int(self, values: Int64[np.ndarray, "n"]) -> Int32[Tensor, "n"]:
        return torch.from_numpy(values.astype(np.int32)).to(self.device)

    def _bags(
        self,
        taken: tuple[
            Int64[np.ndarray, "entries"],
            Float32[np.ndarray, "entries"],
            Int64[np.ndarray, "taken"],
            Int64[np.ndarray, "graphs"],
        ],
        row_step: Int64[np.ndarray, "taken"],
        row: Int64[np.ndarray, "taken"],
        *,
        rows: int,
        steps: int,
        graph_step: Int64[np.ndarray, "graphs"],
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

    first: Int64[np.ndarray, "graphs"]
    count: Int64[np.ndarray, "graphs"]
    index: Int64[np.ndarray, "entries"]
    weight: Float32[np.ndarray, "entries"]
    row_first: Int64[np.ndarray, "graphs"]
    row_total: Int64[np.ndarray, "graphs"]
    row_count: Int64[np.ndarray, "rows"]

    @classmethod
    def build(
        cls,
        graph: Int64[np.ndarray, "entries"],
        row: Int64[np.ndarray, "entries"],
        index: Int64[np.ndarray, "entries"],
        weight: Float32[np.ndarray, "entries"],
        rows: Int64[np.ndarray, "graphs"],
    ) -> _Ranges:
        order = np.lexsort((index, row, graph))
        count = np.bincount(graph, minlength=len(rows))
        row_first = np.concatenate([[0], np.cumsum(rows)[:-1]]).astype(np.int64)
        row_count = np.bincount(row_first[graph] + row, minlength=int(rows.sum()))
        first = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64)
        return cls(first, count, index[order], weight[order], row_first, rows, row_count)

    def take(
        self, graphs: Int64[np.ndarray, "taken"], base: Int64[np.ndarray, "taken"]
    ) -> tuple[
        Int64[np.ndarray, "entries"],
        Float32[np.ndarray, "entries"],
        Int64[np.ndarray, "rows"],
        Int64[np.ndarray, "taken"],
    ]:
        """Return shifted entries, weights, entries per row and entries per graph."""
        count = self.count[graphs]
        entries = _spans(self.first[graphs], count)
        rows = _spans(self.row_first[graphs], self.row_total[graphs])
        return (
            self.index[entries] + np.repeat(base, count),
            self.weight[entries],
            self.row_count[rows],
            count,
        )


def _spans(
    first: Int64[np.ndarray, "n"], count: Int64[np.ndarray, "n"]
) -> Int64[np.ndarray, "span"]:
    """Concatenate ``range(first[i], first[i] + count[i])`` over all i."""
    ends = np.cumsum(count)
    whole = np.arange(int(ends[-1]) if len(ends) else 0)
    return np.asarray(whole + np.repeat(first - ends + count, count))


def _starts(count: Int64[np.ndarray, "n"]) -> Int64[np.ndarray, "n"]:
    return np.asarray(np.cumsum(count) - count)
