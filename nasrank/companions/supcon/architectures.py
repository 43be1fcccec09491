"""Does contrastive pre-training with tiers of accuracy help a predictor of architectures?"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from nasrank.benchmarks import load_task, parse_task
from nasrank.benchmarks.splits import largest_train_size
from nasrank.companions.supcon.archs_claims import archs_claims
from nasrank.companions.supcon.closed_form import alpha_star, optimum, temperature_star
from nasrank.companions.supcon.pretraining import Contrast, Pretrained, contrast_cells
from nasrank.companions.supcon.tables import ARCHS, PRETRAINED
from nasrank.errors import UsageError
from nasrank.files import remove_stale_parts
from nasrank.losses import parse
from nasrank.runs.side import train_with_side
from nasrank.runs.tabulate import write_run_tables
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.finished import FinishedRuns, Identity
from nasrank.study.finishing import Progress, finish, missing
from nasrank.tables import write_json

__all__ = [
    "PREFIX",
    "ArchRun",
    "ArchsConfig",
    "ArchsTrained",
    "plan_archs",
    "planned_archs",
    "train_archs",
]

PREFIX = "archs:"
"""Beginning of the names of data that is a task of architectures."""
_MOST_EMBEDDINGS = 2_048
Row = dict[str, Any]


class ArchsConfig(BaseModel):
    """What to pre-train; the names are those of the command's options.

    Attributes:
        data: ``archs:`` and a task.
        alphas: Shares of the self-supervised loss.
        temperatures: Temperatures; the first is the base, the others are tried alone.
        anchors: Conventions of the loss; likewise.
        classes: Tiers of accuracy; likewise.
        instances: Cells of a tier in a batch; likewise.
        varied_alphas: Alphas of what is tried alone.
        views: Views of a cell.
        n_train: Labelled architectures.
        loss: Loss of the predictor.
        steps: Steps of pre-training.
        seeds: Runs of each setting.
        seed: The first seed.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = "archs:nb201/cifar10"
    alphas: tuple[float, ...] = Field((0.0, 0.05, 0.2, 0.5, 0.8, 1.0), min_length=1)
    varied_alphas: tuple[float, ...] = (0.0, 0.5)
    temperatures: tuple[float, ...] = Field((0.5,), min_length=1)
    anchors: tuple[str, ...] = Field(("included",), min_length=1)
    classes: tuple[int, ...] = Field((3,), min_length=1)
    instances: tuple[int, ...] = Field((8,), min_length=1)
    views: int = Field(2, ge=2, le=100)
    n_train: tuple[int, ...] = Field((39, 78), min_length=1)
    loss: str = "listmle"
    steps: int = Field(150, ge=10, le=1_000_000)
    seeds: int = Field(3, ge=1, le=10_000)
    seed: int = Field(0, ge=0, lt=2**62)
    device: str = "auto"


@dataclass(frozen=True)
class ArchRun(Identity):
    """A predictor to train: everything that its numbers depend on.

    Attributes:
        task: Canonical name of the task.
        fingerprint: Digest of its data.
        n_train: Labelled architectures.
        loss: Canonical spelling of the loss.
        seed: Seed of the run.
        contrast: How it is pre-trained; None for not at all.
    """

    task: str
    fingerprint: str
    n_train: int
    loss: str
    seed: int
    contrast: Contrast | None

    @property
    def method(self) -> str:
        """Its name in tables."""
        if self.contrast is None:
            return "gnn"
        how = self.contrast
        return (
            f"supcon(alpha={how.alpha:g},anchor={how.anchor},instances={how.instances},"
            f"temperature={how.temperature:g},tiers={how.tiers})"
        )


@dataclass(frozen=True)
class ArchsTrained:
    """Trained predictors.

    Attributes:
        out: The folder they were written to.
        rows: Rows of ``archs``.
        claims: Rows of ``claims``.
        computed: Number of predictors that this call trained.
    """

    out: Path
    rows: list[Row]
    claims: list[Row]
    computed: int


def plan_archs(config: ArchsConfig) -> tuple[tuple[ArchRun, ...], ...]:
    """Spell out the predictors, in fleets that differ in their seed alone.

    Raises:
        UsageError: A value cannot be meant.
        DataError: The task's data is missing or damaged.
    """
    name = str(parse_task(config.data.removeprefix(PREFIX)))
    loss = str(parse(config.loss))
    base = Contrast(
        config.classes[0],
        config.instances[0],
        config.views,
        config.temperatures[0],
        0.0,
        config.anchors[0],
        config.steps,
    )
    kinds = [Contrast(**{**asdict(base), "alpha": alpha}) for alpha in config.alphas]
    for field, values in (
        ("temperature", config.temperatures),
        ("anchor", config.anchors),
        ("tiers", config.classes),
        ("instances", config.instances),
    ):
        kinds += [
            Contrast(**{**asdict(base), field: value, "alpha": alpha})
            for value in values[1:]
            for alpha in config.varied_alphas
        ]
    for how in kinds:
        # For what they refuse.
        temperature_star(how.tiers, how.instances, how.views, how.alpha, anchor=how.anchor)
        alpha_star(how.tiers, how.instances, how.views, how.temperature, anchor=how.anchor)
        size = how.tiers * how.instances * how.views
        if size > _MOST_EMBEDDINGS:
            raise UsageError(
                f"a batch of {size:,} cells needs too much memory. Ask for {_MOST_EMBEDDINGS:,} "
                "or fewer: classes x instances x views"
            )
        if how.tiers > min(config.n_train):
            raise UsageError(
                f"--classes {how.tiers} tiers of {min(config.n_train)} architectures: give fewer"
            )
    task = load_task(name)
    largest = largest_train_size(task, "class")
    if max(config.n_train) > largest or min(config.n_train) < 2:
        raise UsageError(f"--n-train is out of range for {name}: choose 2 to {largest}")
    seeds = range(config.seed, config.seed + config.seeds)
    return tuple(
        tuple(ArchRun(task.name, task.fingerprint, size, loss, seed, how) for seed in seeds)
        for size in dict.fromkeys(config.n_train)
        for how in (None, *dict.fromkeys(kinds))
    )


def train_archs(
    config: ArchsConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> ArchsTrained:
    """Train the predictors that are missing and write their tables.

    Args:
        config: What to train.
        out: Folder for ``runs.d``, ``archs``, ``claims``, ``run.json``, and the ordinary
            ``runs``, ``discovery`` and ``summary``.
        progress: Hears how far it is.
        only_cached: Train nothing; report what is there.
        force: Train every predictor again.

    Raises:
        UsageError: The configuration cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and nothing is there.
        Interrupted: Stopped by the user; what is finished is kept.
    """
    device = choose_device(config.device)
    fleets = plan_archs(config)
    about = {"command": "supcon train", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    remove_stale_parts(out)

    def compute(fleet: Sequence[ArchRun]) -> list[Row]:
        rows = _train_fleet(fleet, device.type)
        if progress is not None:
            progress.advance(len(fleet))
        return rows

    kept, computed = finish(
        fleets,
        compute,
        FinishedRuns(out / "runs.d", table=PRETRAINED, kind=ArchRun),
        what="predictors",
        progress=progress,
        only_cached=only_cached,
        force=force,
    )
    done = [kept[run.run_id] for fleet in fleets for run in fleet if run.run_id in kept]
    rows = [_archs_row(row) for row in done]
    claims = archs_claims(rows)
    ARCHS.write(rows, out / "archs.parquet", about)
    CLAIMS.write(claims, out / "claims.parquet", about)
    write_run_tables(done, out, about)
    return ArchsTrained(out, rows, claims, computed)


def planned_archs(
    config: ArchsConfig, out: Path, *, only_cached: bool = False, force: bool = False
) -> tuple[int, int]:
    """Count the predictors of a command, and those that it would train.

    Args:
        config: What to train.
        out: Its folder.
        only_cached: Train nothing.
        force: Train every predictor again.
    """
    choose_device(config.device)
    runs = [run for fleet in plan_archs(config) for run in fleet]
    finished = FinishedRuns(out / "runs.d", table=PRETRAINED, kind=ArchRun)
    return len(runs), len(missing(runs, finished, only_cached=only_cached, force=force))


def _train_fleet(fleet: Sequence[ArchRun], device: str) -> list[Row]:
    first = fleet[0]
    how = first.contrast
    seen: list[tuple[Pretrained, float]] = []

    def start(network: Any, members: Any) -> dict[str, Any]:  # noqa: ANN401 - heavy types
        began = time.perf_counter()
        if how is None:
            return {}
        found = contrast_cells(network, members, load_task(first.task).space, how)
        seen.append((found, (time.perf_counter() - began) / len(fleet)))
        return found.weights

    trained = train_with_side(
        first.task,
        first.method,
        first.n_train,
        [run.seed for run in fleet],
        start=None if how is None else start,
        loss=first.loss,
        device=device,
    )
    return [
        {**row, "run_id": run.run_id, **_pre(run, place, seen)}
        for place, (run, row) in enumerate(zip(fleet, trained, strict=True))
    ]


def _pre(run: ArchRun, place: int, seen: Sequence[tuple[Pretrained, float]]) -> Row:
    how = run.contrast
    names = (
        "alpha", "temperature", "anchor", "tiers", "instances", "steps", "alpha_star",
        "predicted_within", "projector_within", "projector_total", "encoder_rank",
        "contrastive_loss",
    )  # fmt: skip
    if how is None:
        return {**dict.fromkeys(names), "degenerate_batches": 0, "pretrain_seconds": 0.0}
    ((found, seconds),) = seen
    setting = (how.tiers, how.instances, how.views, how.temperature)
    values = (
        how.alpha,
        how.temperature,
        how.anchor,
        how.tiers,
        how.instances,
        how.steps,
        float(alpha_star(*setting, anchor=how.anchor)),
        float(optimum(*setting, how.alpha, anchor=how.anchor).within_variance),
        *(
            float(each[place]) if np.isfinite(each[place]) else None
            for each in (found.within, found.total, found.rank, found.loss)
        ),
    )
    return {
        **dict(zip(names, values, strict=True)),
        "degenerate_batches": int(found.degenerate[place]),
        "pretrain_seconds": seconds,
    }


def _archs_row(row: Mapping[str, Any]) -> Row:
    renamed = {**row, "data": PREFIX + row["task"], "method": row["predictor"]}
    return {column.name: renamed[column.name] for column in ARCHS.columns}
