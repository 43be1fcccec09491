"""Accuracy tiers as classes: hard triplets beside the ranking loss of a predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from nasrank.benchmarks import load_task, parse_task
from nasrank.benchmarks.splits import make_split
from nasrank.companions.hard_samples.methods import parse_method
from nasrank.companions.hard_samples.mining import MINERS
from nasrank.companions.hard_samples.planning import HardConfig, possible_method
from nasrank.companions.hard_samples.tier_loss import FleetTwoStage, TierLoss
from nasrank.errors import UsageError
from nasrank.files import remove_stale_parts
from nasrank.predictors.gnn import WIDTH
from nasrank.predictors.recipe import Recipe
from nasrank.runs.run import Run
from nasrank.runs.side import train_with_side
from nasrank.runs.tables import FINISHED
from nasrank.runs.tabulate import write_run_tables
from nasrank.statistics import mean_interval
from nasrank.study.claims import CLAIMS, paired_claim
from nasrank.study.device import choose_device
from nasrank.study.finished import FinishedRuns, Identity
from nasrank.study.finishing import Progress, absences, finish
from nasrank.tables import Column, Table, write_json

__all__ = [
    "HARD_ARCHS",
    "KEPT",
    "PREFIX",
    "ArchsRun",
    "architectures_headline",
    "plan_architectures",
    "train_architectures",
]

PREFIX = "archs:"
"""How data starts that is the architectures of a task."""

_LOSS, _PLAIN = "listmle", "plain"
_METRICS = ("kendall_tau", "precision_at_1pct", "precision_at_5pct", "regret_at_10")
_COPIED = {column.name: column for column in FINISHED.columns}

HARD_ARCHS = Table(
    "hard_archs",
    "One predictor trained once",
    (
        Column("run_id", "string", "", "Hash of the run's configuration and data"),
        Column("data", "string", "", "archs: and the task"),
        Column("method", "string", "", "Triplets beside the ranking loss, or plain for none; "
               "two-stage is a reconstruction"),
        Column("seed", "int64", "", "Seed of the run"),
        Column("tiers", "int64", "1", "Classes that labels are cut into", "none are"),
        Column("margin", "double", "distance", "Margin of the triplet loss", "there is none"),
        Column("side_weight", "double", "1", "Weight of the triplet loss"),
        _COPIED["n_train"],
        _COPIED["n_test"],
        *(_COPIED[name] for name in _METRICS),
        Column("degenerate_batches", "int64", "batches", "Lists without a triplet"),
        _COPIED["diverged"],
        _COPIED["fit_seconds"],
        _COPIED["device"],
    ),
)  # fmt: skip

KEPT = Table("hard_archs_kept", FINISHED.about, (*FINISHED.columns, HARD_ARCHS.columns[-4]))

Row = dict[str, Any]


@dataclass(frozen=True)
class ArchsRun(Identity):
    """What the numbers of a run depend on: those of `Run`, and the triplet loss.

    Attributes:
        run: Attributes of the `Run`.
        method: Canonical spelling of the method, or ``plain``.
        tiers: Classes; None for ``plain``.
        margin: Of the triplet loss; None for ``plain``.
        weight: Of the triplet loss.
    """

    run: dict[str, Any]
    method: str
    tiers: int | None
    margin: float | None
    weight: float

    @cached_property
    def run_id(self) -> str:
        """The identity of the run in ``runs``, whose predictor's name holds the method."""
        return Run(**self.run).run_id


def plan_architectures(config: HardConfig) -> list[list[ArchsRun]]:
    """Spell out the runs, one fleet for each method and size, the plain predictor first.

    Raises:
        UsageError: The task, a method or a size cannot be meant.
        DataError: The task's data is missing or damaged.
    """
    for option, on in (("--sensitivity", config.sensitivity), ("--tune", config.tune)):
        if on:
            raise UsageError(f"{option} is for samples, not for archs:TASK. Leave it out")
    known = load_task(str(parse_task(config.data.removeprefix(PREFIX))))
    asked = dict.fromkeys(possible_method(text) for text in config.methods)
    for each in asked:
        if each.miner != MINERS[0] or each.generator not in {None, "two-stage"}:
            raise UsageError(
                f"archs:TASK knows {MINERS[0]} and two-stage, not {each}. Change --methods"
            )
    fleets = []
    for n_train in dict.fromkeys(config.n_train):
        # Refused here, before anything is trained or written.
        make_split(known, n_train, config.seed, split="class")
        shortest = n_train // Recipe().lists(n_train)
        if shortest < 2 * config.tiers:
            raise UsageError(
                f"--tiers {config.tiers} of lists of {shortest} architectures leave tiers of one, "
                f"without a pair. Ask for {shortest // 2} tiers or fewer, or for more --n-train"
            )
        for method in (_PLAIN, *map(str, asked)):
            plain = method == _PLAIN
            name = f"gnn+{method}[{config.tiers},{config.margin:g}]*{config.side_weight:g}"
            run = {
                "task": known.name, "fingerprint": known.fingerprint,
                "predictor": "gnn" if plain else name,
                "loss": _LOSS, "n_train": n_train, "split": "class", "labels": "mean",
                "test": "rest", "sampling": "random",
            }  # fmt: skip
            fleets.append(
                [
                    ArchsRun(
                        {**run, "seed": seed},
                        method,
                        None if plain else config.tiers,
                        None if plain else config.margin,
                        0.0 if plain else config.side_weight,
                    )
                    for seed in config.all_seeds
                ]
            )
    return fleets


def train_architectures(
    config: HardConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> tuple[dict[str, list[Row]], tuple[str, ...], int]:
    """Train graph predictors with and without triplets, and measure them as `compare` does.

    Args:
        config: What to train; ``data`` is ``archs:TASK``.
        out: Folder for ``runs.d``, ``hard_archs``, ``runs``, ``discovery``, ``summary``,
            ``claims`` and ``run.json``.
        progress: Hears how far it is, in runs.
        only_cached: Train nothing; report what is there.
        force: Train every model again.

    Returns:
        Rows of ``hard_archs`` and ``claims``, what is missing in words, and how many predictors
        were trained.

    Raises:
        UsageError: The task, a method or a size cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished fleets are kept.
    """
    device = choose_device(config.device).type
    fleets = plan_architectures(config)
    runs = [run for fleet in fleets for run in fleet]
    about = {"command": "hard", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    remove_stale_parts(out)
    finished = FinishedRuns(out / "runs.d", table=KEPT, kind=ArchsRun)

    def compute(fleet: Sequence[ArchsRun]) -> list[Row]:
        rows = _train(fleet, device)
        if progress is not None:
            progress.advance(len(fleet))
        return rows

    kept, trained = finish(
        fleets, compute, finished, what="runs", progress=progress, only_cached=only_cached,
        force=force,
    )  # fmt: skip
    present = [run for run in runs if run.run_id in kept]
    left_out = absences(runs, kept, finished, what="runs")
    rows = [_public(config.data, run, kept[run.run_id]) for run in present]
    claims = _claims(rows)
    HARD_ARCHS.write(rows, out / f"{HARD_ARCHS.name}.parquet", about)
    CLAIMS.write(claims, out / f"{CLAIMS.name}.parquet", about)
    write_run_tables([kept[run.run_id] for run in present], out, about)
    return {HARD_ARCHS.name: rows, CLAIMS.name: claims}, left_out, trained


def architectures_headline(rows: Sequence[Row]) -> list[Row]:
    """Put the means of each size and method into one row, with their 95 % intervals."""
    found = []
    for n_train, method in dict.fromkeys((row["n_train"], row["method"]) for row in rows):
        own = [row for row in rows if (row["n_train"], row["method"]) == (n_train, method)]
        line: Row = {
            "data": own[0]["data"],
            "n_train": n_train,
            "method": method,
            "n_seeds": len(own),
            "degenerate_batches": sum(row["degenerate_batches"] for row in own),
            "diverged": sum(row["diverged"] for row in own),
        }
        for metric in ("kendall_tau", "precision_at_5pct", "regret_at_10", "fit_seconds"):
            values = [row[metric] for row in own if row[metric] is not None]
            interval = mean_interval(values)
            line[metric] = interval.mean
            line |= {f"{metric}_lower": interval.lower, f"{metric}_upper": interval.upper}
        found.append(line)
    return found


def _train(fleet: Sequence[ArchsRun], device: str) -> list[Row]:
    first = fleet[0]
    seeds = [run.run["seed"] for run in fleet]
    n_train = first.run["n_train"]
    side = None
    if first.tiers is not None and first.margin is not None:
        generator = None
        method = parse_method(first.method)
        if method.generator is not None:
            options: dict[str, Any] = dict(method.options)
            generator = FleetTwoStage(
                seeds, WIDTH, first.tiers, Recipe().steps(n_train), device=torch.device(device),
                **options,
            )  # fmt: skip
        side = TierLoss(
            seeds, tiers=first.tiers, margin=first.margin, weight=first.weight, generator=generator
        )
    rows = train_with_side(
        first.run["task"], first.run["predictor"], n_train, seeds, side=side, loss=_LOSS,
        device=device,
    )  # fmt: skip
    degenerate = [0] * len(rows) if side is None else side.degenerate.tolist()
    return [{**row, "degenerate_batches": n} for row, n in zip(rows, degenerate, strict=True)]


def _public(data: str, run: ArchsRun, kept: Mapping[str, Any]) -> Row:
    own = {
        "data": data, "method": run.method, "tiers": run.tiers, "margin": run.margin,
        "side_weight": run.weight,
    }  # fmt: skip
    return {c.name: own[c.name] if c.name in own else kept[c.name] for c in HARD_ARCHS.columns}


def _claims(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Judge whether triplets help the predictor, and whether generated ones help more."""

    def values(method: str, n_train: int, metric: str) -> dict[int, float]:
        return {
            row["seed"]: row[metric]
            for row in rows
            if (row["method"], row["n_train"]) == (method, n_train) and row[metric] is not None
        }

    methods = [m for m in dict.fromkeys(row["method"] for row in rows) if m != _PLAIN]
    pairs = [(method, _PLAIN) for method in methods]
    pairs += [(m, MINERS[0]) for m in methods if m != MINERS[0] and MINERS[0] in methods]
    return [
        paired_claim(
            f"hard-archs-{better}-over-{worse}-{metric}-n{n_train}",
            f"{words} with {better} than {worse}, n = {n_train}",
            rows[0]["data"],
            values(better, n_train, metric),
            values(worse, n_train, metric),
            source=f"{HARD_ARCHS.name}: {metric}",
            sign=HARD_ARCHS.column(metric).sign,
        )
        for n_train in dict.fromkeys(row["n_train"] for row in rows)
        for better, worse in pairs
        for metric, words in (
            ("kendall_tau", "Kendall's tau higher"),
            ("precision_at_5pct", "precision at 5 % higher"),
            ("regret_at_10", "regret at 10 lower"),
        )
    ]
