"""Architectures as PyTorch Geometric data, for use with your own model.

Importing this module imports ``torch_geometric``, which takes seconds; nothing else here does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped
from numpy.typing import ArrayLike
from torch import Tensor
from torch_geometric.data import Batch, Data, InMemoryDataset

from nasrank.errors import DataError
from nasrank.graphs.dag import GraphBatch
from nasrank.graphs.features import FeatureReference, node_numbers

__all__ = ["ArchitectureDataset", "BatchedGraphs", "to_data"]


def to_data(batch: GraphBatch, item: int, label: float | None = None) -> Data:
    """Return one architecture as PyG data.

    Args:
        batch: Architectures; padding may lie anywhere and is left out.
        item: Which of them.
        label: Its true score, in any unit.

    Returns:
        ``x``: ``[n]`` int64 operation codes into ``batch.vocabulary``. They are names, not
        quantities: feed them to ``torch.nn.Embedding(len(batch.vocabulary), width)``.
        ``edge_index``: ``[2, e]`` int64, sources above targets, so that PyG's default flow sends
        messages along the data flow; flip it for the other direction. ``edge_weight``: ``[e]``
        float32, how many times a target adds that source. ``attributes``: ``[n, A]`` float32, the
        numbers of ``batch.attribute_names`` as they are, NaN where a node has none; absent from
        batches without attributes. ``y``: ``[1]`` float32, absent without a label.

    Raises:
        IndexError: The batch has no such item.

    Examples:
        A convolution of the input, added to the input taken twice:

        >>> import numpy as np
        >>> from nasrank.graphs import GraphBatch
        >>> edges = np.array([[[0, 1, 2], [0, 0, 1], [0, 0, 0]]], np.uint8)
        >>> operations = np.array([[0, 2, 1]], np.int16)
        >>> names = ("input", "output", "conv")
        >>> graphs = GraphBatch(operations, edges, np.ones((1, 3), bool), names)
        >>> data = to_data(graphs, 0, label=93.5)
        >>> data.x.tolist(), data.edge_index.tolist()
        ([0, 2, 1], [[0, 0, 1], [1, 2, 2]])
        >>> data.edge_weight.tolist(), data.y.tolist()
        ([1.0, 2.0, 1.0], [93.5])

    References:
        Fey and Lenssen (2019), "Fast Graph Representation Learning with PyTorch Geometric".
    """
    columns = _Columns.of(batch[[item]])
    data = Data(x=columns.x, edge_index=columns.edge_index, edge_weight=columns.edge_weight)
    if columns.attributes is not None:
        data.attributes = columns.attributes
    if label is not None:
        data.y = torch.tensor([label], dtype=torch.float32)
    return data


class ArchitectureDataset(InMemoryDataset):  # type: ignore[misc]
    """Architectures and their labels as a PyG dataset, in memory only.

    An element is what :func:`to_data` returns, and besides ``item`` (``[1]`` int64, its position
    in ``graphs``, which survives shuffling and batching) and, where given, ``class_of`` and
    ``name``. All of PyG's indexing, splitting and batching works.

    Args:
        graphs: The architectures.
        labels: ``[items]`` true scores, kept as float32; a missing one may be NaN. Without
            labels the elements have no ``y``.
        class_of: ``[items]`` numbers of the isomorphism classes.
        names: One string per architecture.
        transform: Applied to each element on every access.

    Attributes:
        vocabulary: Operation names, in the order of the codes in ``x``.

    Raises:
        DataError: An array does not have one entry per architecture.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        labels: ArrayLike | None = None,
        *,
        class_of: ArrayLike | None = None,
        names: Sequence[str] | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        super().__init__(None, transform)
        self.vocabulary = graphs.vocabulary
        items = len(graphs)
        columns = _Columns.of(graphs)
        data = Data(x=columns.x, edge_index=columns.edge_index, edge_weight=columns.edge_weight)
        one_each = torch.arange(items + 1)
        slices = {
            "x": columns.node_bounds,
            "edge_index": columns.edge_bounds,
            "edge_weight": columns.edge_bounds,
            "item": one_each,
        }
        if columns.attributes is not None:
            data.attributes = columns.attributes
            slices["attributes"] = columns.node_bounds
        data.item = torch.arange(items)
        if labels is not None:
            data.y = _column("labels", labels, items, torch.float32)
            slices["y"] = one_each
        if class_of is not None:
            data.class_of = _column("class_of", class_of, items, torch.int64)
            slices["class_of"] = one_each
        if names is not None:
            _one_each("names", (len(names),), items)
            # PyG returns a single element as it is stored, without slicing it from a list.
            data.name = list(names) if items != 1 else names[0]
            slices["name"] = one_each
        self.data, self.slices = data, slices


class BatchedGraphs:
    """Architectures laid out once, for mini-batches of any of them.

    Args:
        graphs: Canonical architectures.
        reference: What attributes and settings are measured against; the graphs if None.

    Attributes:
        numbers: Columns of ``numbers``; 0 where there are neither attributes nor settings.

    Example:
        >>> import numpy as np
        >>> from nasrank.graphs import GraphBatch
        >>> edges = np.array([[[0, 1], [0, 0]], [[0, 1], [0, 0]]], np.uint8)
        >>> operations = np.array([[0, 1], [0, 1]], np.int16)
        >>> graphs = GraphBatch(operations, edges, np.ones((2, 2), bool), ("input", "output"))
        >>> batch = BatchedGraphs(graphs).batch(np.array([1, 0]))
        >>> batch.edge_index.tolist(), batch.batch.tolist()
        ([[0, 2], [1, 3]], [0, 0, 1, 1])
    """

    def __init__(self, graphs: GraphBatch, reference: FeatureReference | None = None) -> None:
        self._reference = FeatureReference.of(graphs) if reference is None else reference
        self._columns = _Columns.of(graphs)
        numbers = node_numbers(graphs, self._reference)
        self.numbers = self._reference.node_numbers
        self._numbers = torch.from_numpy(
            np.zeros((len(self._columns.x), 0), np.float32)
            if numbers is None
            else numbers[graphs.mask]
        )

    def __len__(self) -> int:
        return len(self._columns.node_bounds) - 1

    def on(self, graphs: GraphBatch) -> BatchedGraphs:
        """Lay out other graphs of the same vocabulary, measured against the first ones."""
        return BatchedGraphs(graphs, self._reference)

    def batch(self, items: Int64[np.ndarray, "graphs"]) -> Batch:
        """Return a mini-batch.

        Args:
            items: Which architectures, in this order; they may repeat.

        Returns:
            ``x``: ``[nodes]`` int64 operation codes. ``edge_index``, ``edge_weight``: as
            :func:`to_data` says. ``numbers``: ``[nodes, N]`` float32, the standardised
            attributes of a node and the settings of its architecture. ``batch``: ``[nodes]``
            the place of each node's architecture in ``items``.
        """
        columns = self._columns
        nodes, of_node, starts = _ranges(columns.node_bounds.numpy(), items)
        edges, of_edge, _ = _ranges(columns.edge_bounds.numpy(), items)
        moved = columns.edge_index[:, torch.from_numpy(edges)] + torch.from_numpy(starts[of_edge])
        return Batch(
            x=columns.x[torch.from_numpy(nodes)],
            edge_index=moved,
            edge_weight=columns.edge_weight[torch.from_numpy(edges)],
            numbers=self._numbers[torch.from_numpy(nodes)],
            batch=torch.from_numpy(of_node),
            ptr=torch.from_numpy(np.append(starts, len(nodes))),
        )


def _ranges(
    bounds: Int64[np.ndarray, "starts"], items: Int64[np.ndarray, "graphs"]
) -> tuple[Int64[np.ndarray, "places"], Int64[np.ndarray, "places"], Int64[np.ndarray, "graphs"]]:
    """Return the places of several ranges, which range each is of, and where each range begins."""
    sizes = bounds[items + 1] - bounds[items]
    starts = np.cumsum(sizes) - sizes
    of = np.repeat(np.arange(len(items)), sizes)
    return bounds[items][of] + np.arange(len(of)) - starts[of], of, starts


@dataclass(frozen=True)
class _Columns:
    """Nodes and edges of all graphs one after the other, and where each graph's begin and end.

    Node numbers in ``edge_index`` count from 0 in every graph.
    """

    x: Int64[Tensor, "nodes"]
    edge_index: Int64[Tensor, "2 edges"]
    edge_weight: Float[Tensor, "edges"]
    attributes: Float[Tensor, "nodes attributes"] | None
    node_bounds: Int64[Tensor, "starts"]
    edge_bounds: Int64[Tensor, "starts"]

    @classmethod
    def of(cls, batch: GraphBatch) -> _Columns:
        mask = batch.mask
        many = batch.adjacency * (mask[:, :, None] & mask[:, None, :])
        position = np.cumsum(mask, axis=1) - 1
        graph, source, target = np.nonzero(many)
        ends = np.stack([position[graph, source], position[graph, target]])
        edges = np.bincount(graph, minlength=len(batch))
        return cls(
            x=torch.from_numpy(batch.operations[mask].astype(np.int64)),
            edge_index=torch.from_numpy(ends),
            edge_weight=torch.from_numpy(many[graph, source, target].astype(np.float32)),
            attributes=(
                None if batch.attributes is None else torch.from_numpy(batch.attributes[mask])
            ),
            node_bounds=torch.from_numpy(np.concatenate([[0], np.cumsum(batch.sizes())])),
            edge_bounds=torch.from_numpy(np.concatenate([[0], np.cumsum(edges)])),
        )


def _column(
    name: str, values: ArrayLike, items: int, dtype: torch.dtype
) -> Shaped[Tensor, "{items}"]:
    array = np.asarray(values)
    _one_each(name, array.shape, items)
    return torch.tensor(array, dtype=dtype)


def _one_each(name: str, shape: tuple[int, ...], items: int) -> None:
    if shape != (items,):
        raise DataError(
            f"'{name}' has shape {shape} for {items} architectures; "
            f"give one entry per architecture, in the order of the graphs"
        )
