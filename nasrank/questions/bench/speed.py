"""How fast nasrank runs on this machine, against its goals."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import median
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.benchmarks import Task, load_task, nb201
from nasrank.benchmarks.splits import Split, make_split
from nasrank.graphs import canonicalise, isomorphism_classes
from nasrank.losses import parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.fleet import Fleet, train_fleet
from nasrank.predictors.gnn import GNN
from nasrank.predictors.network import Network
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.questions.bench.matrix_rate import products_of, replay
from nasrank.questions.bench.paths import measure_paths
from nasrank.questions.bench.scaling import (
    Series,
    installed,
    measure_scaling,
    trains_networks_alone,
)
from nasrank.questions.bench.tables import Measurement
from nasrank.questions.compare.options import CompareConfig
from nasrank.questions.compare.study import plan_runs
from nasrank.runs.evaluate import Training, evaluate
from nasrank.runs.run import Run
from nasrank.runs.train import split_of
from nasrank.study.measurement import seconds_of
from nasrank.study.options import checked

__all__ = ["FULL", "QUICK", "USUAL", "Effort", "measure"]

TASK = "nb201/cifar10"
PREDICTOR = "gnn"
LOSSES = ("mse", "hr", "listmle", "ew")
_SCALED_EPOCHS = 5
"""Epochs timed at each point of a series, of which there are many."""
HEAVY = ("torch", "torch_geometric", "pandas", "pyarrow", "scipy", "numpy", "matplotlib")
"""What ``--help`` must not import. It may import pydantic, which Typer itself uses."""


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes:
        members: Predictors of the fleet.
        n_train: Training architectures of each.
        epochs: Epochs that are timed; times of a whole training are scaled up from them.
        alone: How many of the members are also trained one after another.
        rounds: Times that fleet and lone members are trained, in turns.
        repeats: Repetitions of what is short.
        whole_command: Whether to run the default command itself.
        paths: Whether to measure what commands and reading cost, beside their floors.
        scaling: What of the cost of each predictor to measure: ``none``, ``fleets`` or ``all``.
    """

    members: int = 40
    n_train: int = 156
    epochs: int = 20
    alone: int = 40
    rounds: int = 3
    repeats: int = 5
    whole_command: bool = True
    paths: bool = False
    scaling: Literal["none", "fleets", "all"] = "none"


FULL = Effort(paths=True, scaling="all")
"""Within a quarter of an hour on two idle cores."""
USUAL = Effort(
    epochs=4, alone=8, rounds=2, repeats=1, whole_command=False, paths=True, scaling="fleets"
)
"""Within a minute on two idle cores."""
QUICK = Effort(epochs=3, alone=8, rounds=2, repeats=1, whole_command=False)
"""Within twenty seconds on two idle cores."""


def measure(effort: Effort, device: torch.device) -> Iterator[Measurement]:
    """Measure, one line after the other.

    Yields:
        The lines, each as soon as it is known.

    Raises:
        DataError: The data of NAS-Bench-201 is missing or damaged.
    """
    bench = _Bench(effort, device)
    found: dict[str, float] = {}
    for group in (_start_up, _data, _training, _scoring, _default_command):
        for measurement in group(bench, found):
            found[measurement.name] = measurement.value
            yield measurement
    if effort.paths:
        yield from measure_paths(effort.repeats, device)
    if effort.scaling != "none":
        yield from measure_scaling(
            _series(effort.scaling, device),
            bench.task.space.graphs,
            device,
            epochs=min(_SCALED_EPOCHS, effort.epochs),
            repeats=1,
        )


def _series(scaling: Literal["fleets", "all"], device: torch.device) -> list[Series]:
    """What is worth a wait: networks in fleets, which is what they are for, and all else alone."""
    known = installed(PREDICTORS.names())
    networks = tuple(name for name in known if trains_networks_alone(name))
    others = tuple(name for name in known if name not in networks)
    fleets = (1, 8, 40) if scaling == "fleets" else (1, 4, 16, 64)
    if device.type == "cuda":
        fleets = (*fleets, 256, 1024)
    series = [Series("members", fleets, networks), Series("members", (1,), others)]
    if scaling == "all":
        several = (*networks, *others)
        series += [
            Series("n_train", (39, 156, 625, 2500), several),
            Series("architectures", (1_000, 5_000, 25_000, 100_000), several),
            Series("nodes", (8, 16, 32, 64), several, n_train=78, architectures=1_000),
        ]
    return series


class _Bench:
    """What several measurements share."""

    def __init__(self, effort: Effort, device: torch.device) -> None:
        self.effort, self.device = effort, device
        self.recipe = Recipe(epochs=effort.epochs)
        self.scale = Recipe().epochs / effort.epochs
        """From the epochs timed to a whole training."""

    @cached_property
    def task(self) -> Task:
        return load_task(TASK)

    @cached_property
    def network(self) -> Network:
        return GNN(self.task.space.graphs, device=self.device)

    @cached_property
    def members(self) -> list[Member]:
        seeds = -(-self.effort.members // len(LOSSES))
        splits = [make_split(self.task, self.effort.n_train, seed) for seed in range(seeds)]
        class_of = self.task.space.class_of
        return [
            Member(class_of[split.train], split.targets, parse(loss), seed)
            for loss in LOSSES
            for seed, split in enumerate(splits)
        ][: self.effort.members]

    @property
    def lone_members(self) -> list[Member]:
        """Spread over the fleet, so that every loss has its share."""
        places = np.linspace(0, len(self.members) - 1, self.effort.alone).round().astype(int)
        return [self.members[place] for place in places]

    def seconds(self, work: Callable[[], object]) -> float:
        return seconds_of(work, self.device)

    def median_seconds(self, work: Callable[[], object]) -> float:
        return median(self.seconds(work) for _ in range(self.effort.repeats))


def _start_up(bench: _Bench, _found: Mapping[str, float]) -> Iterator[Measurement]:
    _python("-m", "nasrank", "--help")  # so that nothing is left to compile
    yield Measurement(
        "help_seconds",
        median(
            bench.seconds(lambda: _python("-m", "nasrank", "--help"))
            for _ in range(2 * bench.effort.repeats + 1)
        ),
        "s",
        "nasrank --help, a process of its own",
        goal=0.5,
    )
    loaded = _python("-c", _HELP_IMPORTS).splitlines()[-1].split()
    heavy = [module for module in HEAVY if module in loaded]
    yield Measurement(
        "help_heavy_imports",
        len(heavy),
        "modules",
        f"imported by nasrank --help: {', '.join(heavy) or 'none'} of {', '.join(HEAVY)}",
        goal=0,
    )
    yield Measurement(
        "start_seconds",
        bench.median_seconds(lambda: _python("-c", "import nasrank.runs.train")),
        "s",
        "Python and all imports of a command that trains",
    )


def _data(bench: _Bench, _found: Mapping[str, float]) -> Iterator[Measurement]:
    with tempfile.TemporaryDirectory() as folder:
        first = float(_python("-c", _LOAD, NASRANK_CACHE=folder))
        later = median(
            float(_python("-c", _LOAD, NASRANK_CACHE=folder)) for _ in range(bench.effort.repeats)
        )
    yield Measurement("load_seconds", later, "s", f"{TASK} with its classes, from the cache")
    yield Measurement(
        "first_load_extra_seconds",
        first - later,
        "s",
        f"{TASK} without a cache: reading, checking, finding classes",
        goal=20,
    )
    digits = nb201.official_order()
    graphs = nb201.cell_graphs(digits)
    yield Measurement(
        "classes_seconds",
        bench.median_seconds(lambda: isomorphism_classes(canonicalise(graphs))),
        "s",
        f"canonical graphs and isomorphism classes of {len(digits):,} cells",
    )


def _training(bench: _Bench, _found: Mapping[str, float]) -> Iterator[Measurement]:
    effort, network, members = bench.effort, bench.network, bench.members
    products = products_of(lambda: train_fleet(network, members, Recipe(epochs=1)))
    again = replay(products, bench.device, network.dtype)
    again()
    lone = bench.lone_members
    fleet, alone, multiplied = [], [], []
    for _ in range(effort.rounds):
        # In turns, so that whatever else the machine does falls on all of them.
        fleet.append(bench.seconds(lambda: train_fleet(network, members, bench.recipe)))
        with _one_thread():
            alone.append(
                bench.seconds(lambda: [train_fleet(network, [m], bench.recipe) for m in lone])
            )
        multiplied.append(bench.seconds(again))
    what = f"{PREDICTOR}, {len(members)} members, n_train {effort.n_train}"
    how = f"{effort.epochs} of {Recipe().epochs} epochs timed, {effort.rounds} times"
    ratios = [
        (one / len(lone)) / (all_ / len(members)) for one, all_ in zip(alone, fleet, strict=True)
    ]
    yield Measurement(
        "fleet_speedup",
        median(ratios),
        "times",
        f"{what}: one after another ({len(lone)} timed) against together; {how}",
        goal=5,
        better="higher",
    )
    yield Measurement(
        "fleet_seconds_per_predictor",
        bench.scale * median(fleet) / len(members),
        "s",
        f"{what}, whole training; {how}; the floor is its matrix products and nothing else",
        floor=Recipe().epochs * median(multiplied) / len(members),
    )
    yield Measurement(
        "alone_seconds_per_predictor",
        bench.scale * median(alone) / len(lone),
        "s",
        f"{PREDICTOR} alone, n_train {effort.n_train}, whole training; {how}",
    )
    work = sum(product.flops * count for product, count in products.items())
    yield Measurement(
        "training_rate",
        work * effort.epochs / median(fleet) / 1e9,
        "GFLOP/s",
        "matrix products of the fleet's training, forward and backward, over all its time",
        better="higher",
    )
    yield Measurement(
        "matrix_rate",
        work / median(multiplied) / 1e9,
        "GFLOP/s",
        "the same products and nothing else",
        better="higher",
    )
    yield Measurement(
        "share_of_matrix_rate",
        100 * median(m * effort.epochs / f for m, f in zip(multiplied, fleet, strict=True)),
        "%",
        "of the fleet's training time goes into matrix products at full rate",
        better="higher",
    )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let a single predictor run at its best: threads that wait for one another slow it down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _scoring(bench: _Bench, _found: Mapping[str, float]) -> Iterator[Measurement]:
    space = bench.task.space
    for name, members, goal in (
        ("score_rate", bench.members[:1], 50_000),
        ("fleet_score_rate", bench.members, None),
    ):
        fleet = train_fleet(bench.network, members, Recipe(epochs=1))
        seconds = bench.median_seconds(partial(_score_all, fleet, space.class_of))
        count = "one predictor" if len(members) == 1 else f"{len(members)} predictors"
        yield Measurement(
            name,
            len(members) * len(space) / seconds,
            "architectures/s",
            f"all {len(space):,} of {space.name} by {count}, each class scored once",
            goal=goal,
            better="higher",
        )


def _default_command(bench: _Bench, found: Mapping[str, float]) -> Iterator[Measurement]:
    plan = plan_runs(checked(CompareConfig, {"device": bench.device.type}))
    space = bench.task.space
    scores = train_fleet(bench.network, bench.members[:1], Recipe(epochs=1)).scores()[0]
    train = 0.0
    evaluated: list[float] = []
    for fleet in plan.fleets:
        splits = [split_of(run) for run in fleet]
        members = [
            Member(space.class_of[split.train], split.targets, parse(run.loss), run.seed)
            for run, split in zip(fleet, splits, strict=True)
        ]
        train += bench.scale * bench.seconds(
            partial(train_fleet, bench.network, members, bench.recipe)
        )
        evaluated += [
            bench.seconds(partial(_evaluate, bench, run, split, scores))
            for run, split in list(zip(fleet, splits, strict=True))[:2]
        ]
    count = len(plan.runs)
    what = f"{count} runs"
    yield Measurement("default_train_seconds", train, "s", f"training of {what}, estimated")
    score = count * len(space) / found["fleet_score_rate"]
    yield Measurement("default_score_seconds", score, "s", f"scoring of {what}, estimated")
    # The first also finds the noise of the task, which is then known.
    evaluating = evaluated[0] + median(evaluated[1:]) * (count - 1)
    yield Measurement("default_evaluate_seconds", evaluating, "s", f"metrics of {what}, estimated")
    if bench.effort.whole_command:
        with tempfile.TemporaryDirectory() as folder:
            command = ("-m", "nasrank", "compare", "--device", bench.device.type, "--quiet")
            whole = bench.seconds(lambda: _python(*command, "--out", folder))
        note = "nasrank compare as it is, with a warm cache"
    else:
        parts = ("start_seconds", "load_seconds")
        whole = train + score + evaluating + sum(found[part] for part in parts)
        note = "nasrank compare: start, load, training, scoring and metrics added up"
    yield Measurement(
        "default_command_seconds",
        whole,
        "s",
        f"{note}; the floor is the matrix products of its training",
        goal=60,
        floor=train * found["share_of_matrix_rate"] / 100,
    )


def _score_all(fleet: Fleet, class_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score every architecture: its class once, then spread to all members of the class."""
    scores: NDArray[np.float64] = fleet.scores()[:, class_of]
    return scores


def _evaluate(bench: _Bench, run: Run, split: Split, scores: NDArray[np.float64]) -> object:
    training = Training(0.0, diverged=False, fit_seconds=0, predict_seconds=0, device="cpu")
    return evaluate(run, bench.task, split, scores, training)


_HELP_IMPORTS = """
import sys
from nasrank.cli import run
sys.argv = ["nasrank", "--help"]
try:
    run()
except SystemExit:
    print()
    print(*sys.modules)
"""
_LOAD = f"""
import time
from nasrank.benchmarks import load_task
started = time.perf_counter()
load_task("{TASK}")
print(time.perf_counter() - started)
"""


def _python(*arguments: str, **environment: str) -> str:
    """Run this very Python in a process of its own and return what it prints."""
    done = subprocess.run(  # noqa: S603 - our own interpreter with our own words
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout
