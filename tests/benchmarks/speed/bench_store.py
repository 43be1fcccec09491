"""An imported space as large as NAS-Bench-101: at most three seconds and one GiB to open."""

import subprocess
import sys

import numpy as np
import pytest

from nasrank.benchmarks.importers.store import (
    Provenance,
    StoredMeasurement,
    open_space,
    write_space,
)
from nasrank.benchmarks.space import Metric
from nasrank.graphs import GraphBatch

ITEMS, NODES = 423_624, 7
OPEN = """
from pathlib import Path
from nasrank.benchmarks.importers.store import open_space
open_space("big").read_graphs()
lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(lines["VmHWM"].split()[0])  # the most kilobytes it ever held
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    rng = np.random.default_rng(0)
    sizes = rng.integers(6, NODES + 1, ITEMS)
    mask = np.arange(NODES) < sizes[:, None]
    operations = np.where(mask, rng.integers(2, 5, mask.shape), 0).astype(np.int16)
    operations[:, 0] = 0
    operations[np.arange(ITEMS), sizes - 1] = 1
    wired = np.triu(rng.random((ITEMS, NODES, NODES)) < 0.4, 1)
    adjacency = (wired & mask[:, :, None] & mask[:, None, :]).astype(np.uint8)
    graphs = GraphBatch(operations, adjacency, mask, ("input", "output", "a", "b", "c"))
    metric = Metric("val_acc", "%", True, "accuracy", replicates=True)
    measurement = StoredMeasurement("d", metric, 3, Provenance("f", "", "", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASRANK_DATA", str(tmp_path_factory.mktemp("data")))
        write_space(
            *("big", "Big", [f"{n:032x}" for n in range(ITEMS)], graphs),
            [(measurement, rng.random((ITEMS, 3)))],
            drop=(),
            contract=(),
            costs={},
            parameters=None,
            chance={},
        )
        yield open_space("big")


def test_graphs(benchmark, big):
    assert len(benchmark(big.read_graphs)) == ITEMS


def test_architectures(benchmark, big):
    assert len(benchmark(big.read_architectures)) == ITEMS


def test_in_a_process_of_its_own(benchmark, big):
    done = benchmark(subprocess.run, [sys.executable, "-c", OPEN], check=True, capture_output=True)
    benchmark.extra_info["mebibytes"] = int(done.stdout) // 2**10
