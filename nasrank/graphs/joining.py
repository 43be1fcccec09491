"""Putting graphs of one vocabulary into one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nasrank.graphs.dag import GraphBatch

__all__ = ["joined"]


def joined(batches: Sequence[GraphBatch]) -> GraphBatch:
    """Return the graphs of all batches in order, padded to the widest.

    Args:
        batches: At least one; vocabulary, attributes and settings mean what
            they mean in the first.
    """
    first = batches[0]
    nodes = max(batch.nodes for batch in batches)
    wide = [nodes - batch.nodes for batch in batches]
    attributes = None
    if first.attributes is not None:
        attributes = np.concatenate([
            np.pad(batch.attributes, ((0, 0), (0, more), (0, 0)), constant_values=np.nan)
            for batch, more in zip(batches, wide, strict=True)
            if batch.attributes is not None
        ])  # fmt: skip
    pairs = list(zip(batches, wide, strict=True))
    settings = None
    if first.settings is not None:
        rows = [batch.settings.values for batch in batches if batch.settings is not None]
        settings = replace(first.settings, values=np.concatenate(rows))
    return GraphBatch(
        np.concatenate([np.pad(b.operations, ((0, 0), (0, more))) for b, more in pairs]),
        np.concatenate([np.pad(b.adjacency, ((0, 0), (0, more), (0, more))) for b, more in pairs]),
        np.concatenate([np.pad(b.mask, ((0, 0), (0, more))) for b, more in pairs]),
        first.vocabulary,
        attributes,
        first.attribute_names,
        settings,
    )
