"""Architectures as rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from numpy.typing import NDArray

from nasrank.graphs.canonical import depths
from nasrank.graphs.dag import GraphBatch
from nasrank.graphs.setting_columns import SettingColumns

__all__ = [
    "AttributeScale",
    "FeatureReference",
    "graph_features",
    "node_numbers",
    "standardised_attributes",
]


@dataclass(frozen=True, eq=False)
class AttributeScale:
    """Mean and deviation of the attributes over the nodes that have them.

    Attributes:
        mean: Mean of each attribute.

        deviation: Its standard deviation (division by the number of nodes); 0 where it
            is the same everywhere or no node has it.
    """

    mean: Float64[np.ndarray, "attributes"]
    deviation: Float64[np.ndarray, "attributes"]

    @classmethod
    def of(cls, graphs: GraphBatch) -> AttributeScale | None:
        """Measure graphs; None where they have no attributes."""
        if graphs.attributes is None:
            return None
        mean, deviation = np.zeros((2, graphs.attributes.shape[2]))
        for number in range(len(mean)):
            column = graphs.attributes[:, :, number]
            values = column[graphs.mask & ~np.isnan(column)].astype(np.float64)
            # Rounding gives equal numbers a tiny deviation, which would blow up when divided by.
            if len(values) and values.min() < values.max():
                mean[number], deviation[number] = values.mean(), values.std()
        return cls(mean, deviation)


@dataclass(frozen=True, eq=False)
class FeatureReference:
    """What numbers are measured against, which makes the rows of two calls comparable.

    Attributes:
        scale: Spread of the attributes, or None without any.
        levels: Nodes on the longest path; deeper nodes of other graphs are left out. 0 without
            attributes.
        settings: How settings become columns, or None without any.
    """

    scale: AttributeScale | None
    levels: int
    settings: SettingColumns | None

    @property
    def node_numbers(self) -> int:
        """Columns of :func:`node_numbers`; 0 where it is None."""
        attributes = 0 if self.scale is None else len(self.scale.mean)
        return attributes + (0 if self.settings is None else len(self.settings.names))

    @classmethod
    def of(cls, graphs: GraphBatch) -> FeatureReference:
        """Take canonical graphs as the reference."""
        scale = AttributeScale.of(graphs)
        settings = None if graphs.settings is None else SettingColumns.of(graphs.settings)
        if scale is None:
            return cls(None, 0, settings)
        levels = int(depths(graphs.adjacency.astype(np.int32)).max(initial=0)) + 1
        return cls(scale, levels, settings)


def graph_features(
    graphs: GraphBatch, reference: FeatureReference | None = None
) -> Float32[np.ndarray, "items columns"]:
    """Describe each graph by counts: operations, and edges by the operations at their ends.

    The square root tempers large counts, so the Euclidean distance of two rows is their
    Hellinger-like graph distance: 0 for graphs with the same operations joined in the same way.
    Attributes are standardised and summed over the nodes of each operation, and over the nodes
    at each depth, which in a sequence is the layer. Settings of the whole architecture follow as
    the columns of :class:`~nasrank.graphs.setting_columns.SettingColumns`.

    Args:
        graphs: Canonical graphs.
        reference: Reference for attributes, depths and settings; the graphs themselves if None.

    Returns:
        ``[items, V + V * V]`` for a vocabulary of V operations, followed by ``A * (V + D)``
        columns for A attributes and reference graphs of D nodes on their longest path, and by
        the columns of the settings.
    """
    size = len(graphs.vocabulary)
    pairs = np.zeros((len(graphs), size * size), np.float32)
    item, source, target = np.nonzero(graphs.adjacency)
    kind = graphs.operations[item, source] * size + graphs.operations[item, target]
    np.add.at(pairs, (item, kind), graphs.adjacency[item, source, target])
    features: NDArray[np.float32] = np.concatenate([graphs.operation_counts(), pairs], axis=1)
    known = FeatureReference.of(graphs) if reference is None else reference
    parts = [np.sqrt(features), *_attribute_sums(graphs, known)]
    if known.settings is not None and graphs.settings is not None:
        parts.append(known.settings.rows(graphs.settings).astype(np.float32))
    described: NDArray[np.float32] = np.concatenate(parts, axis=1)
    return described


def _attribute_sums(
    graphs: GraphBatch, known: FeatureReference
) -> list[Float32[np.ndarray, "items columns"]]:
    """Sums of standardised attributes, by operation and by depth; nothing without attributes."""
    attributes = standardised_attributes(graphs, known.scale)
    if attributes is None:
        return []
    size = len(graphs.vocabulary)
    rows, numbers = len(graphs), len(graphs.attribute_names)
    of_operation = np.zeros((rows, size, numbers), np.float32)
    item, node = np.nonzero(graphs.mask)
    np.add.at(of_operation, (item, graphs.operations[item, node]), attributes[item, node])
    depth = depths(graphs.adjacency.astype(np.int32))
    of_depth = np.zeros((rows, known.levels, numbers), np.float32)
    near = depth[item, node] < known.levels
    item, node = item[near], node[near]
    np.add.at(of_depth, (item, depth[item, node]), attributes[item, node])
    return [of_operation.reshape(rows, -1), of_depth.reshape(rows, -1)]


def node_numbers(
    graphs: GraphBatch, reference: FeatureReference
) -> Float32[np.ndarray, "items nodes numbers"] | None:
    """Describe every node by its standardised attributes and the settings of the whole.

    Args:
        graphs: Graphs with the attributes and settings of the reference.
        reference: What they are measured against.

    Returns:
        Attributes first, then the columns of the settings, the same at all nodes of a graph; 0 on
        padding. None where there are neither.
    """
    parts = []
    attributes = standardised_attributes(graphs, reference.scale)
    if attributes is not None:
        parts.append(attributes)
    if reference.settings is not None and graphs.settings is not None:
        rows = reference.settings.rows(graphs.settings).astype(np.float32)
        parts.append(rows[:, None, :] * graphs.mask[:, :, None])
    if sum(part.shape[2] for part in parts) == 0:
        return None
    numbers: NDArray[np.float32] = np.concatenate(parts, axis=2)
    return numbers


def standardised_attributes(
    graphs: GraphBatch, scale: AttributeScale | None = None
) -> Float32[np.ndarray, "items nodes attributes"] | None:
    r"""Bring each attribute to mean 0 and standard deviation 1 over the nodes that have it.

    .. math:: z_{iv} = (a_{iv} - \bar a) / s_a

    A width of 512 and a kernel of 3 then count equally. The deviation is that of all these nodes
    (division by their number). An attribute that is the same everywhere becomes 0.

    Args:
        graphs: All graphs of a space, or any graphs with that scale.
        scale: Mean and deviation to use; those of the graphs themselves if None.

    Returns:
        ``[items, nodes, A]``; 0, which is the mean, where a node has none and on padding. None
        without attributes.

    Example:
        >>> operations, mask = np.array([[0, 2, 2, 1]], np.int16), np.ones((1, 4), bool)
        >>> adjacency = np.eye(4, k=1, dtype=np.uint8)[None]
        >>> widths = np.array([[[np.nan], [16], [48], [np.nan]]], np.float32)
        >>> names = ("input", "output", "conv")
        >>> graphs = GraphBatch(operations, adjacency, mask, names, widths, ("width",))
        >>> standardised_attributes(graphs)[0, :, 0].tolist()
        [0.0, -1.0, 1.0, 0.0]
    """
    known_scale = AttributeScale.of(graphs) if scale is None else scale
    if graphs.attributes is None or known_scale is None:
        return None
    result = np.zeros(graphs.attributes.shape, np.float32)
    for number in range(len(graphs.attribute_names)):
        column = graphs.attributes[:, :, number]
        known = graphs.mask & ~np.isnan(column)
        deviation = known_scale.deviation[number]
        if deviation > 0:
            values = column[known].astype(np.float64)
            result[known, number] = (values - known_scale.mean[number]) / deviation
    return result
