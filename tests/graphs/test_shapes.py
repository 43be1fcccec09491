"""Shapes are checked wherever a test calls graphs; this test would notice if they were not."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.graphs import GraphBatch
from nasrank.graphs.canonical import depths
from nasrank.graphs.features import AttributeScale
from nasrank.graphs.packed import Bags, GraphStore

WIRE = ("input output", [(0, 1)])


def test_batches_of_other_shapes_are_refused(write):
    batch = write(WIRE)
    with pytest.raises(TypeCheckError, match="adjacency"):
        GraphBatch(batch.operations, batch.adjacency[:, :1], batch.mask, batch.vocabulary)
    with pytest.raises(TypeCheckError, match="mask"):
        GraphBatch(batch.operations, batch.adjacency, batch.mask[0], batch.vocabulary)
    with pytest.raises(TypeCheckError, match="items"):
        batch[np.zeros((1, 1), np.int64)]


def test_edges_and_scales_of_other_shapes_are_refused():
    with pytest.raises(TypeCheckError, match="adjacency"):
        depths(np.zeros((1, 2, 3), np.int32))
    with pytest.raises(TypeCheckError, match="deviation"):
        AttributeScale(np.zeros(2), np.zeros(1))


def test_packed_graphs_of_other_shapes_are_refused(write):
    with pytest.raises(TypeCheckError, match="items"):
        GraphStore(write(WIRE)).pack(np.zeros(1, np.int64))
    with pytest.raises(TypeCheckError, match="weight"):
        Bags(torch.zeros(3).long(), torch.zeros(1).long(), torch.zeros(2))
