"""An imported space as large as NAS-Bench-101: at most three seconds and one GiB to open.

Nearly all its architectures are different classes, since its nodes have attributes.
"""

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
{what}
lines = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(lines["VmHWM"].split()[0])  # the most kilobytes it ever held
"""
WHAT = {
    "graphs": "from nasrank.benchmarks.importers.store import open_space as s; "
    "s('big').read_graphs()",
    "task": "from nasrank.benchmarks import load_task; load_task('big/d')",
}


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
    numbers = rng.integers(1, 9, (*mask.shape, 2))
    widths = np.where(mask[:, :, None], numbers, np.nan).astype(np.float32)
    names = ("input", "output", "a", "b", "c")
    graphs = GraphBatch(operations, adjacency, mask, names, widths, ("width", "kernel"))
    metric = Metric("val_acc", "%", True, "accuracy", replicates=True)
    measurement = StoredMeasurement("d", metric, 3, Provenance("f", "", "", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASRANK_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setenv("NASRANK_CACHE", str(tmp_path_factory.mktemp("cache")))
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


@pytest.mark.parametrize("what", WHAT)
def test_in_a_process_of_its_own(benchmark, big, what):
    """Classes are found once, at the import."""
    command = [sys.executable, "-c", OPEN.format(what=WHAT[what])]
    done = benchmark.pedantic(
        subprocess.run,
        (command,),
        {"check": True, "capture_output": True},
        rounds=3,
        warmup_rounds=1,
    )
    benchmark.extra_info["mebibytes"] = int(done.stdout) // 2**10
