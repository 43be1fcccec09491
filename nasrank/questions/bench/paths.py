"""What the paths of a user cost on this machine, each beside the least that it could cost.

Times are of the processor, so that other work on the machine tells less.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from nasrank.benchmarks import load_task
from nasrank.benchmarks.importers.plain_tables import plain_chunks
from nasrank.cache import past_cache
from nasrank.graphs import canonicalise
from nasrank.predictors.gnn import GNN
from nasrank.predictors.views import GraphViews
from nasrank.questions.bench.tables import Measurement
from nasrank.seeds import numpy_generator, torch_generator
from nasrank.tables import write_parquet

__all__ = ["measure_paths"]

_TASK = "nb201/cifar10"
_COMPARE = ("compare", "--losses", "mse", "--predictors", "mlp", "--n-train", "20", "--quiet",
            "--seeds", "1", "--device", "cpu")  # fmt: skip
_OPERATIONS = ("conv1x1", "conv3x3", "pool", "skip_connect", "none")
_ROWS = 50_000
_MEMBERS = 4


def measure_paths(repeats: int) -> Iterator[Measurement]:
    """Measure, one line after the other; the device does not matter.

    Args:
        repeats: Repetitions of each, in turns with its floor; the medians count.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield from _commands(Path(folder), repeats)
        yield from _pool(Path(folder), repeats)
        yield from _views(Path(folder), repeats)
    yield from _scores(repeats)


def _commands(folder: Path, repeats: int) -> Iterator[Measurement]:
    # What is finished first is then repeated.
    _child("-m", "nasrank", *_COMPARE, "--out", str(folder / "out"))
    lines: Mapping[str, tuple[str, ...]] = {
        "help": ("--help",),
        "data_list": ("data", "list"),
        "data_info": ("data", "info", _TASK),
        "report": ("report", str(folder / "out"), "--out", str(folder / "page.html")),
        "compare_dry_run": ("compare", "--dry-run"),
        "compare_repeated": (*_COMPARE, "--out", str(folder / "out")),
    }
    for name, line in lines.items():
        figure, floor = _in_turns(
            lambda line=line: _child("-m", "nasrank", *line),  # type: ignore[misc]
            lambda: _child("-c", "pass"),
            repeats,
        )
        shown = " ".join(word for word in line if str(folder) not in word)
        yield Measurement(
            f"{name}_cpu_seconds",
            figure,
            "s",
            f"nasrank {shown}, a process; the floor is python -c pass",
            floor=floor,
        )


def _pool(folder: Path, repeats: int) -> Iterator[Measurement]:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    vocabulary = ("input", "output", *_OPERATIONS)
    table = pa.table(_drawn_rows())
    paths = {"csv": folder / "pool.csv", "parquet": folder / "pool.parquet"}
    csv.write_csv(table, paths["csv"], csv.WriteOptions(quoting_style="none"))
    write_parquet(table, paths["parquet"])
    readers: Mapping[str, Callable[[Path], Any]] = {
        "csv": lambda path: csv.read_csv(path, csv.ReadOptions(use_threads=False)),
        "parquet": lambda path: pq.read_table(path, use_threads=False),
    }
    for kind, path in paths.items():

        def read(path: Path = path) -> None:
            for rows in plain_chunks(path, 16_384, vocabulary):
                canonicalise(rows.graphs)

        def least(path: Path = path, kind: str = kind) -> None:
            readers[kind](path)

        figure, floor = _in_turns(lambda: _own(read), lambda: _own(least), repeats)
        yield Measurement(
            f"pool_{kind}_microseconds",
            1e6 * figure / _ROWS,
            "us/row",
            f"{_ROWS:,} rows from {kind} to canonical graphs of up to 8 nodes; the floor is Arrow "
            "reading the file",
            floor=1e6 * floor / _ROWS,
        )


def _drawn_rows() -> dict[str, list[str]]:
    """Chains of four to six operations with shortcuts."""
    draw = numpy_generator(0, stream="pool")
    columns: dict[str, list[str]] = {"id": [], "operations": [], "edges": []}
    for number in range(_ROWS):
        inner = draw.choice(_OPERATIONS, int(draw.integers(4, 7))).tolist()
        nodes = len(inner) + 2
        wired = np.triu(draw.random((nodes, nodes)) < 0.3, 1)
        wired[np.arange(nodes - 1), np.arange(1, nodes)] = True
        columns["id"].append(f"a{number}")
        columns["operations"].append(";".join(["input", *inner, "output"]))
        columns["edges"].append(";".join(f"{a}-{b}" for a, b in np.argwhere(wired).tolist()))
    return columns


def _views(folder: Path, repeats: int) -> Iterator[Measurement]:
    graphs = load_task(_TASK).space.graphs
    with past_cache():
        first = _own(lambda: GraphViews(graphs))
    before = os.environ.get("NASRANK_CACHE")
    os.environ["NASRANK_CACHE"] = str(folder / "cache")
    try:
        GraphViews(graphs)
        (kept,) = (folder / "cache" / "arrays").iterdir()
        again, floor = _in_turns(
            lambda: _own(lambda: GraphViews(graphs)), lambda: _own(kept.read_bytes), repeats
        )
    finally:
        if before is None:
            del os.environ["NASRANK_CACHE"]
        else:
            os.environ["NASRANK_CACHE"] = before
    yield Measurement(
        "views_again_cpu_seconds",
        again,
        "s",
        f"views of {len(graphs):,} graphs from the cache, {first:.2f} s the first time; the floor "
        "is reading the file",
        floor=floor,
    )


@torch.no_grad()
def _scores(repeats: int) -> Iterator[Measurement]:
    graphs = load_task(_TASK).space.graphs
    network = GNN(graphs)
    weights = network.initial([torch_generator(seed) for seed in range(_MEMBERS)])
    items = np.arange(len(graphs))
    (batch,) = network.batches(np.broadcast_to(items, (1, _MEMBERS, len(items))))
    figure, every = _in_turns(
        lambda: _own(lambda: network.scores(weights, items)),
        lambda: _own(lambda: network.forward(weights, batch)),
        repeats,
    )
    nodes, width = int(graphs.mask.sum()), 64
    left, right = torch.ones(nodes, width), torch.ones(width, 3 * width)
    # Of the four layers' products the first is one of operations alone.
    product = _MEMBERS * 3 * min(_own(lambda: left @ right) for _ in range(max(3, repeats)))
    yield Measurement(
        "score_cpu_seconds",
        figure,
        "s",
        f"{len(graphs):,} graphs by {_MEMBERS} networks, {every:.2f} s where every node is "
        "computed; the floor is three matrix products of all nodes",
        floor=product,
    )


def _in_turns(
    work: Callable[[], float], least: Callable[[], float], repeats: int
) -> tuple[float, float]:
    """Return the medians of both, measured in turns after one time that does not count."""
    work()
    pairs = [(work(), least()) for _ in range(repeats)]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


def _own(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _child(*arguments: str) -> float:
    """Run this very Python and return the seconds of the processor that it took."""
    before = os.times()
    subprocess.run(  # noqa: S603 - our own interpreter with our own words
        [sys.executable, *arguments], capture_output=True, check=True
    )
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])
