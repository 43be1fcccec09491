"""What the paths of a user cost on this machine, each beside the least that it could cost.

Times are of the processor, so that other work on the machine tells less.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from nasrank.benchmarks import load_task
from nasrank.cache import past_cache
from nasrank.predictors.gnn import GNN
from nasrank.predictors.views import GraphViews
from nasrank.questions.bench.pools import measure_pools
from nasrank.questions.bench.tables import Measurement
from nasrank.questions.bench.turns import child_seconds, clock_of, in_turns, own_seconds
from nasrank.seeds import torch_generator

__all__ = ["measure_paths"]

_TASK = "nb201/cifar10"
_COMPARE = ("compare", "--losses", "mse", "--predictors", "mlp", "--n-train", "20", "--quiet",
            "--seeds", "1", "--device", "cpu")  # fmt: skip
_MEMBERS = 4
_RANK = ("rank", "--space", _TASK, "--n-train", "60", "--device", "cpu", "--quiet")


def measure_paths(repeats: int, device: torch.device) -> Iterator[Measurement]:
    """Measure, one line after the other.

    Args:
        repeats: Repetitions of each, in turns with its floor; the medians count.
        device: Where to score; other than on the CPU what counts there is time by the clock.
    """
    with tempfile.TemporaryDirectory() as folder:
        yield from _commands(Path(folder), repeats)
        yield from measure_pools(Path(folder), repeats, device)
        yield from _views(Path(folder), repeats)
    yield from _scores(repeats, device)


def _commands(folder: Path, repeats: int) -> Iterator[Measurement]:
    # What is finished first is then repeated.
    child_seconds("-m", "nasrank", *_COMPARE, "--out", str(folder / "out"))
    lines: Mapping[str, tuple[str, ...]] = {
        "help": ("--help",),
        "data_list": ("data", "list"),
        "data_info": ("data", "info", _TASK),
        "report": ("report", str(folder / "out"), "--out", str(folder / "page.html")),
        "compare_dry_run": ("compare", "--dry-run"),
        "compare_repeated": (*_COMPARE, "--out", str(folder / "out")),
    }
    for name, line in lines.items():
        figure, floor = in_turns(
            lambda line=line: child_seconds("-m", "nasrank", *line),  # type: ignore[misc]
            lambda: child_seconds("-c", "pass"),
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
    # It takes too long to be typed again and again.
    yield Measurement(
        "rank_cpu_seconds",
        child_seconds("-m", "nasrank", *_RANK, "--out", str(folder / "ranked")),
        "s",
        f"nasrank {' '.join(_RANK)}, a process, once; the floor is python -c pass",
        floor=child_seconds("-c", "pass"),
    )


def _views(folder: Path, repeats: int) -> Iterator[Measurement]:
    graphs = load_task(_TASK).space.graphs
    with past_cache():
        first = own_seconds(lambda: GraphViews(graphs))
    before = os.environ.get("NASRANK_CACHE")
    os.environ["NASRANK_CACHE"] = str(folder / "cache")
    try:
        GraphViews(graphs)
        (kept,) = (folder / "cache" / "arrays").iterdir()
        again, floor = in_turns(
            lambda: own_seconds(lambda: GraphViews(graphs)),
            lambda: own_seconds(kept.read_bytes),
            repeats,
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
def _scores(repeats: int, device: torch.device) -> Iterator[Measurement]:
    graphs, clock = load_task(_TASK).space.graphs, clock_of(device)
    network = GNN(graphs, device=device)
    weights = network.initial([torch_generator(seed) for seed in range(_MEMBERS)])
    items = np.arange(len(graphs))
    (batch,) = network.batches(np.broadcast_to(items, (1, _MEMBERS, len(items))))
    figure, every = in_turns(
        lambda: clock(lambda: network.scores(weights, items)),
        lambda: clock(lambda: network.forward(weights, batch)),
        repeats,
    )
    nodes, width = int(graphs.mask.sum()), 64
    left = torch.ones(nodes, width, device=device)
    right = torch.ones(width, 3 * width, device=device)
    # Of the four layers' products the first is one of operations alone.
    product = _MEMBERS * 3 * min(clock(lambda: left @ right) for _ in range(max(3, repeats)))
    yield Measurement(
        "score_cpu_seconds" if device.type == "cpu" else "score_seconds",
        figure,
        "s",
        f"{len(graphs):,} graphs by {_MEMBERS} networks, {every:.2f} s where every node is "
        "computed; the floor is three matrix products of all nodes",
        floor=product,
    )
