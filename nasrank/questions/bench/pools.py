"""What a row of a table costs: read for an import, read as a candidate, ranked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nasrank.benchmarks.importers import user
from nasrank.benchmarks.importers.plain_tables import plain_chunks
from nasrank.benchmarks.nb201 import architecture_string, official_order
from nasrank.graphs import canonicalise
from nasrank.questions.bench.matrix_rate import products_of, replay
from nasrank.questions.bench.tables import Measurement
from nasrank.questions.bench.turns import clock_of, in_turns, own_seconds
from nasrank.questions.rank.case import load_case
from nasrank.questions.rank.model import Model, Training, learn
from nasrank.questions.rank.pool import rank_pool
from nasrank.questions.rank.pool_file import CHUNK, PoolFile
from nasrank.questions.rank.scorer import with_ensemble
from nasrank.seeds import numpy_generator
from nasrank.tables import write_parquet

__all__ = ["measure_pools"]

_OPERATIONS = ("conv1x1", "conv3x3", "pool", "skip_connect", "none")
_ROWS = 50_000
_TASK, _LABELS, _PREDICTOR, _MEMBERS = "nb201/cifar10", 156, "mlp", 4
_KEPT = 1_000
_MANY = 10**9
_BYTES_A_NAME = 8


def measure_pools(folder: Path, repeats: int, device: torch.device) -> Iterator[Measurement]:
    """Measure, one line after the other.

    Args:
        folder: Where to write tables.
        repeats: Repetitions of each, in turns with its floor; the medians count.
        device: Where to score.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv, json

    table = pa.table(_drawn_rows())
    kinds = ("csv", "parquet", "jsonl")
    paths = {kind: folder / f"table.{kind}" for kind in kinds}
    csv.write_csv(table, paths["csv"], csv.WriteOptions(quoting_style="none"))
    write_parquet(table, paths["parquet"])
    _write_lines(table.to_pylist(), paths["jsonl"])
    readers: Mapping[str, Callable[[Path], Any]] = {
        "csv": lambda path: csv.read_csv(path, csv.ReadOptions(use_threads=False)),
        "parquet": lambda path: pq.read_table(path, use_threads=False),
        "jsonl": lambda path: json.read_json(path, json.ReadOptions(use_threads=False)),
    }
    vocabulary = ("input", "output", *_OPERATIONS)

    def as_pool(path: Path) -> None:
        for rows in plain_chunks(path, CHUNK, vocabulary):
            canonicalise(rows.graphs)

    ways: Mapping[str, tuple[Callable[[Path], Any], str]] = {
        "import": (user.read, "packed graphs, names and labels"),
        "pool": (as_pool, "canonical graphs"),
    }
    for way, (read, what) in ways.items():
        for kind, path in paths.items():
            figure, floor = in_turns(
                lambda read=read, path=path: own_seconds(lambda: read(path)),  # type: ignore[misc]
                lambda kind=kind, path=path: own_seconds(lambda: readers[kind](path)),  # type: ignore[misc]
                repeats,
            )
            yield Measurement(
                f"{way}_{kind}_microseconds",
                1e6 * figure / _ROWS,
                "us/row",
                f"{_ROWS:,} rows from {kind} to {what} of up to 8 nodes; the floor is Arrow "
                "reading the file",
                floor=1e6 * floor / _ROWS,
            )
    yield from _ranked(folder, repeats, device)


def _ranked(folder: Path, repeats: int, device: torch.device) -> Iterator[Measurement]:
    training = Training(with_ensemble(_PREDICTOR, _MEMBERS), "listmle", 0, device)
    model = learn(load_case(_TASK, _LABELS), training, 0.9)
    path, scores, clock = folder / "pool.parquet", folder / "scores", clock_of(device)
    _write_cells(path)
    graphs = model.case.graphs
    pool = PoolFile(path, graphs.vocabulary, (), model.case.reduction)
    sample = graphs[numpy_generator(0, stream="pool").integers(0, len(graphs), CHUNK)]
    # A first time, for what is made once, such as libraries.
    model.scorer.score(sample)
    products = products_of(lambda: model.scorer.score(sample))
    least = replay(products, device, torch.float32)
    figure, floor = in_turns(
        lambda: clock(lambda: _rank(model, pool, scores)), lambda: clock(least), repeats
    )
    on_disk = sum(part.stat().st_size for part in scores.glob("*.parquet")) / _ROWS
    each, least_each = 1e6 * figure / _ROWS, 1e6 * floor / CHUNK
    yield Measurement(
        "rank_pool_microseconds",
        each,
        "us/row",
        f"{_ROWS:,} cells of NAS-Bench-201 from Parquet, scored by {_PREDICTOR} with {_MEMBERS} "
        "members in one process, the best kept; the floor is its matrix products",
        floor=least_each,
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    workers = (cores or 1) if device.type == "cpu" else 1
    hours = _MANY / 1e6 / 3600 / workers
    yield Measurement(
        "rank_billion_hours",
        each * hours,
        "h",
        f"a model: {_MANY:,} such rows with --engine processes on {workers} of these "
        f"{'cores' if device.type == 'cpu' else 'devices'}, {_BYTES_A_NAME * _MANY / 1e9:.0f} GB "
        f"of memory for names and {on_disk * _MANY / 1e9:.0f} GB of disk for scores until it is "
        "done; the floor is that of a row",
        floor=least_each * hours,
    )


def _rank(model: Model, pool: PoolFile, folder: Path) -> None:
    # Or the second time would find the scores of the first.
    for part in folder.glob("part-*.parquet"):
        part.unlink()
    rank_pool(model, pool, _KEPT, folder, keep_scores=True, on_progress=lambda _done, _of: None)


def _write_cells(path: Path) -> None:
    import pyarrow as pa

    known = [architecture_string(cell) for cell in official_order().tolist()]
    drawn = numpy_generator(1, stream="pool").integers(0, len(known), _ROWS)
    names = [f"c{row}" for row in range(_ROWS)]
    cells = [known[cell] for cell in drawn.tolist()]
    write_parquet(pa.table({"id": names, "arch_str": cells}), path)


def _write_lines(rows: list[dict[str, Any]], path: Path) -> None:
    import json

    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _drawn_rows() -> dict[str, list[Any]]:
    """Chains of four to six operations with shortcuts, and labels."""
    draw = numpy_generator(0, stream="pool")
    columns: dict[str, list[Any]] = {"id": [], "operations": [], "edges": [], "label": []}
    for number in range(_ROWS):
        inner = draw.choice(_OPERATIONS, int(draw.integers(4, 7))).tolist()
        nodes = len(inner) + 2
        wired = np.triu(draw.random((nodes, nodes)) < 0.3, 1)
        wired[np.arange(nodes - 1), np.arange(1, nodes)] = True
        columns["id"].append(f"a{number}")
        columns["operations"].append(";".join(["input", *inner, "output"]))
        columns["edges"].append(";".join(f"{a}-{b}" for a, b in np.argwhere(wired).tolist()))
        columns["label"].append(round(float(draw.normal(90, 3)), 2))
    return columns
