"""A batch of architectures as dense padded arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64, UInt8

from nasrank.errors import DataError
from nasrank.graphs.settings import Settings

__all__ = ["INPUT", "OUTPUT", "GraphBatch"]

INPUT = 0
"""Operation code of the node where data enters."""
OUTPUT = 1
"""Operation code of the node where data leaves."""


@dataclass(frozen=True)
class GraphBatch:
    """Directed acyclic multigraphs whose nodes carry operations, with settings of the whole.

    Architectures that are nothing but settings are graphs from input to output without any
    operation, see :meth:`of_settings`.

    Attributes:
        operations: Codes into ``vocabulary``; 0 where ``mask`` is False.

        adjacency: ``adjacency[i, u, v]`` is the number of edges from
            ``u`` to ``v``. More than one edge means that a sum takes the same source repeatedly.

        mask: True for nodes, False for padding.
        vocabulary: Operation names; the first two are ``input`` and ``output``.
        attributes: ``[items, nodes, A]`` numbers per node, such as widths; NaN where a node has
            none, and on padding. None where no node of the batch has any.
        attribute_names: ``[A]`` their names; empty without attributes.
        settings: Settings of each architecture as a whole, or None.
    """

    operations: Int16[np.ndarray, "items nodes"]
    adjacency: UInt8[np.ndarray, "items nodes nodes"]
    mask: Bool[np.ndarray, "items nodes"]
    vocabulary: tuple[str, ...]
    attributes: Float32[np.ndarray, "items nodes attributes"] | None = None
    attribute_names: tuple[str, ...] = ()
    settings: Settings | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together.

        Raises:
            DataError: Shapes disagree, the vocabulary lacks the two fixed names, or an attribute
                is infinite or has no name of its own.
        """
        items, nodes = self.operations.shape
        if self.adjacency.shape != (items, nodes, nodes) or self.mask.shape != (items, nodes):
            msg = (
                f"graph arrays disagree: operations {self.operations.shape}, adjacency "
                f"{self.adjacency.shape}, mask {self.mask.shape}. "
                "Rebuild the batch from its source"
            )
            raise DataError(msg)
        if self.vocabulary[:2] != ("input", "output"):
            msg = f"a vocabulary starts with 'input', 'output', not {self.vocabulary[:2]}"
            raise DataError(msg)
        self._check_attributes()
        if self.settings is not None and len(self.settings) != items:
            raise DataError(f"{len(self.settings)} rows of settings for {items} architectures")

    def _check_attributes(self) -> None:
        names = self.attribute_names
        if self.attributes is None:
            if names:
                raise DataError(f"the attributes {', '.join(names)} have no values. Give both")
            return
        shape = (*self.operations.shape, len(names))
        if self.attributes.shape != shape or not names or len(set(names)) != len(names):
            raise DataError(
                f"attributes of shape {self.attributes.shape} do not fit {shape[0]} graphs of "
                f"{shape[1]} nodes with the attributes {names}. Give one number per node and name"
            )
        if np.isinf(self.attributes).any():
            item = int(np.isinf(self.attributes).any(axis=(1, 2)).argmax())
            raise DataError(f"architecture {item} has an infinite attribute. Give finite numbers")

    def __len__(self) -> int:
        """Return the number of architectures."""
        return len(self.operations)

    def __getitem__(
        self, items: Int64[np.ndarray, "chosen"] | Sequence[int] | slice
    ) -> GraphBatch:
        """Return the chosen architectures, padded as before."""
        index = items if isinstance(items, slice) else np.asarray(items, dtype=np.int64)
        return replace(
            self,
            operations=self.operations[index],
            adjacency=self.adjacency[index],
            mask=self.mask[index],
            attributes=None if self.attributes is None else self.attributes[index],
            settings=None if self.settings is None else self.settings[index],
        )

    @classmethod
    def of_settings(cls, settings: Settings) -> GraphBatch:
        """Return architectures that are nothing but their settings: input, edge, output."""
        items = len(settings)
        operations = np.tile(np.array([INPUT, OUTPUT], np.int16), (items, 1))
        adjacency = np.tile(np.array([[0, 1], [0, 0]], np.uint8), (items, 1, 1))
        mask = np.ones((items, 2), np.bool_)
        return cls(operations, adjacency, mask, ("input", "output"), settings=settings)

    @property
    def only_settings(self) -> bool:
        """Whether no architecture has an operation, so that only settings tell them apart."""
        return self.settings is not None and len(self.vocabulary) == 2

    @property
    def nodes(self) -> int:
        """Width of the padding: the most nodes any architecture has."""
        return int(self.operations.shape[1])

    def sizes(self) -> Int64[np.ndarray, "items"]:
        """Return the number of nodes of each architecture, input and output included."""
        return np.asarray(np.count_nonzero(self.mask, axis=1), np.int64)

    def operation_counts(self) -> Float32[np.ndarray, "items vocabulary"]:
        """Return how often each architecture has each operation."""
        counts = np.zeros((len(self), len(self.vocabulary)), np.float32)
        for code in range(len(self.vocabulary)):
            counts[:, code] = ((self.operations == code) & self.mask).sum(axis=1)
        return counts
