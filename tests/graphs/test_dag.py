"""The batch of graphs, and what its import costs."""

import subprocess
import sys

import numpy as np
import pytest

from nasrank.errors import DataError
from nasrank.graphs import INPUT, OUTPUT, GraphBatch

DIAMOND = ("input conv pool output", [(0, 1), (0, 2), (1, 3), (2, 3)])
WIRE = ("input output", [(0, 1)])


def test_sizes_and_counts_leave_padding_out(write):
    batch = write(DIAMOND, WIRE)
    assert len(batch) == 2
    assert batch.nodes == 4
    assert batch.sizes().tolist() == [4, 2]
    # input, output, none, skip_connect, conv, pool; padding has code 0, the input's
    assert batch.operation_counts().tolist() == [[1, 1, 0, 0, 1, 1], [1, 1, 0, 0, 0, 0]]
    assert batch.vocabulary[INPUT] == "input"
    assert batch.vocabulary[OUTPUT] == "output"


@pytest.mark.parametrize("items", [[2, 0, 2], np.array([2, 0, 2])])
def test_choosing_repeats_and_reorders(write, items):
    chosen = write(DIAMOND, WIRE, DIAMOND)[items]
    assert chosen.sizes().tolist() == [4, 4, 4]
    assert chosen.nodes == 4


def test_choosing_none_and_a_slice(write):
    batch = write(DIAMOND, WIRE)
    assert len(batch[[]]) == 0
    assert batch[1:].sizes().tolist() == [2]


@pytest.mark.usefixtures("unchecked")
def test_arrays_that_do_not_fit_are_refused(write):
    batch = write(DIAMOND)
    with pytest.raises(DataError, match=r"adjacency \(1, 3, 3\)"):
        GraphBatch(batch.operations, batch.adjacency[:, :3, :3], batch.mask, batch.vocabulary)
    with pytest.raises(DataError, match=r"mask \(1, 2\)"):
        GraphBatch(batch.operations, batch.adjacency, batch.mask[:, :2], batch.vocabulary)
    with pytest.raises(DataError, match="starts with 'input', 'output'"):
        GraphBatch(batch.operations, batch.adjacency, batch.mask, ("conv", "input", "output"))


def test_importing_graphs_stays_light():
    heavy = "{'torch', 'torch_geometric', 'pandas', 'scipy', 'networkx'}"
    code = f"import sys, nasrank.graphs; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "[]"
