"""Train generators for a choice of precision and recall, and write what they reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nasrank.benchmarks import load_task
from nasrank.companions.precision_recall.architectures import load_cells
from nasrank.companions.precision_recall.checkpoints import checkpoint_digest, load_checkpoint
from nasrank.companions.precision_recall.claims import claims_of
from nasrank.companions.precision_recall.material import Material, load_material
from nasrank.companions.precision_recall.planning import (
    PRRun,
    TrainConfig,
    cut_fleets,
    plan_runs,
    seeded_runs,
)
from nasrank.companions.precision_recall.running import Runner, networks_for
from nasrank.companions.precision_recall.tables import FRONTIERS, KEPT, PR, TARGETS
from nasrank.companions.precision_recall.targets import (
    MOST_TRIED,
    Tried,
    bisect_lambda,
    target_rows,
)
from nasrank.errors import DataError
from nasrank.files import remove_stale_parts
from nasrank.predictors.specification import parse_predictor
from nasrank.runs.tabulate import write_run_tables
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.finished import FinishedRuns
from nasrank.study.finishing import Progress, absences, finish, missing
from nasrank.tables import write_json

__all__ = ["Estimate", "TrainConfig", "Trainings", "estimate", "train"]


@dataclass(frozen=True)
class Trainings:
    """Finished trainings.

    Attributes:
        out: The folder they were written to.
        tables: Rows of every table written, by name.
        samples: Some draws of every run, one after another, by run.
        shape: Shape of one sample.
        left_out: What is missing, one line each.
        trained: Number of runs that this call computed.
    """

    out: Path
    tables: dict[str, list[dict[str, Any]]]
    samples: dict[str, list[float]]
    shape: tuple[int, ...]
    left_out: tuple[str, ...]
    trained: int


@dataclass(frozen=True)
class Estimate:
    """What a command would do.

    Attributes:
        runs: All its runs.
        missing: How many of them are not finished.
        steps: Steps of the generator in all that would be trained.
        device: Kind of device they would run on.
    """

    runs: int
    missing: int
    steps: int
    device: str


def train(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    keep_models: bool = False,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Trainings:
    """Train the models that are missing and write their tables.

    Args:
        config: What to train.
        out: Folder for ``runs.d``, ``pr``, ``pr_frontiers``, ``claims`` and ``run.json``; with a
            target ``pr_targets``, with architectures ``runs`` and ``discovery``.
        data_dir: Folder of image files.
        keep_models: Write every trained model to ``models`` in the folder.
        progress: Hears how far it is; a step of a model, or measuring it, is 1.
        only_cached: Train nothing; report what is there.
        force: Train every model again.

    Raises:
        UsageError: The configuration cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished fleets are kept.
    """
    device = choose_device(config.device)
    material, runs = _planned(config, data_dir)
    about = {"command": "pr train", "config": _recorded(config)}
    # Written first: a folder that cannot be written must not cost a training.
    write_json(about, out / "run.json")
    remove_stale_parts(out)
    finished = FinishedRuns(out / "runs.d", table=KEPT, kind=PRRun)
    runner = Runner(
        material,
        device,
        checkpoint=config.fine_tune,
        models=out / "models" if keep_models else None,
        on_work=None if progress is None else progress.advance,
    )
    side = _target(config)
    sought = None if progress is None or side is None else _Sought(progress)
    work = partial(
        finish,
        compute=runner.compute,
        finished=finished,
        what="models",
        work=lambda run: run.steps + 1,
        progress=progress if sought is None else sought,
        only_cached=only_cached,
        force=force,
    )
    kept: dict[str, dict[str, Any]] = {}
    trained = 0
    tables: dict[str, list[dict[str, Any]]] = {}
    if side is not None:
        runs_tried: list[PRRun] = []

        def measure(lambdas: Sequence[float]) -> list[Tried]:
            nonlocal trained
            asked = [run for lam in lambdas for run in seeded_runs(runs, lam)]
            rows, count = work(cut_fleets(asked))
            kept.update(rows)
            runs_tried.extend(asked)
            trained += count
            return [
                _tried(lam, [(run, rows.get(run.run_id)) for run in asked if run.lam == lam])
                for lam in lambdas
            ]

        wanted = config.target_precision or config.target_recall or 0.0
        tried, chosen = bisect_lambda(
            measure, side, wanted, min(config.lambdas), max(config.lambdas)
        )
        tables[TARGETS.name] = target_rows(config.data, side, wanted, tried, chosen)
        runs = tuple(runs_tried)
    else:
        kept, trained = work(cut_fleets(runs))
    present = [kept[run.run_id] for run in runs if run.run_id in kept]
    names = [column.name for column in PR.columns]
    tables[PR.name] = [{name: row[name] for name in names} for row in present]
    tables[FRONTIERS.name] = [point for row in present for point in _frontier(row)]
    # What `compare` would say of a model: of architectures alone.
    as_runs = [json.loads(row["finished"] or "{}") for row in present]
    judged = [
        {**row, "regret_at_10": run.get("regret_at_10")}
        for row, run in zip(tables[PR.name], as_runs, strict=True)
    ]
    tables[CLAIMS.name] = [] if TARGETS.name in tables else claims_of(judged)
    for table in (PR, FRONTIERS, CLAIMS, TARGETS):
        if table.name in tables:
            table.write(tables[table.name], out / f"{table.name}.parquet", about)
    # One predictor on one data set is one run, whatever it is compared with.
    distinct = {run["run_id"]: run for run in as_runs if run}
    if distinct:
        write_run_tables(list(distinct.values()), out, about)
    return Trainings(
        out,
        tables,
        {row["run_id"]: row["sample"] for row in present},
        () if material is None else material.shape,
        absences(runs, kept, finished, what="models"),
        trained,
    )


def estimate(
    config: TrainConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Estimate:
    """Say what a command would do, without training or writing anything.

    A search for a target is counted at its longest.

    Args:
        config: What to train.
        out: Folder of the runs.
        data_dir: Folder of image files.
        only_cached: Train nothing.
        force: Train every model again.
    """
    _, runs = _planned(config, data_dir)
    if _target(config) is not None:
        spread = np.geomspace(min(config.lambdas), max(config.lambdas), MOST_TRIED)
        runs = tuple(run for lam in spread for run in seeded_runs(runs, float(lam)))
    finished = FinishedRuns(out / "runs.d", table=KEPT, kind=PRRun)
    left = missing(runs, finished, only_cached=only_cached, force=force)
    device = choose_device(config.device).type
    return Estimate(len(runs), len(left), sum(run.steps for run in left), device)


class _Sought:
    """Progress of a search for a target: of unknown length, and counted at its longest.

    Args:
        progress: What hears of it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress, self._started = progress, False

    def start(self, work: int, runs: int, finished: int) -> None:
        """Say how much there may be to do, once: the first call is for two lambdas."""
        if not self._started:
            self._started = True
            times = MOST_TRIED // 2
            self._progress.start(times * work, times * runs, finished)

    def advance(self, work: int) -> None:
        """Pass on."""
        self._progress.advance(work)

    def saved(self, runs: int) -> None:
        """Pass on."""
        self._progress.saved(runs)


def _target(config: TrainConfig) -> str | None:
    if config.target_precision is not None:
        return "precision"
    return None if config.target_recall is None else "recall"


def _planned(
    config: TrainConfig, data_dir: Path | None
) -> tuple[Material | None, tuple[PRRun, ...]]:
    start = None if config.fine_tune is None else checkpoint_digest(config.fine_tune)
    if config.is_archs:
        parse_predictor(config.predictor)
        fingerprint = load_task(config.task).fingerprint
        config = config.model_copy(update={"data": f"archs:{config.task}"})
        runs = plan_runs(config, fingerprint, images=False, start=start)
        for n_labels in config.n_labels:
            # What cannot be drawn is refused before anything is trained.
            load_cells(config.task, n_labels, config.seed)
        _check_start(config, runs, (30,))
        return None, runs
    material = load_material(
        config.data,
        data_dir=data_dir,
        label=config.label,
        most=config.most,
        side=config.side,
        mode_weights=config.mode_weights,
    )
    if len(material.real) <= config.neighbours:
        raise DataError(
            f"{config.data}: {len(material.real)} test samples for --neighbours "
            f"{config.neighbours}. Give more samples, or fewer neighbours"
        )
    fingerprint = material.fingerprint
    if config.side is not None:
        fingerprint += f"-{config.side}"
    if not config.data.startswith("ring"):
        fingerprint += f"-{config.most}"
    runs = plan_runs(
        config, fingerprint, images=material.is_images, samples=len(material.train), start=start
    )
    # Networks that do not fit the data are refused before anything is trained.
    for first in {run.model: run for run in runs if run.model}.values():
        networks_for(first, material.shape)
    _check_start(config, runs, material.shape)
    return material, runs


def _check_start(config: TrainConfig, runs: Sequence[PRRun], shape: tuple[int, ...]) -> None:
    if config.fine_tune is not None:
        for run in {run.model: run for run in runs if run.start is not None}.values():
            load_checkpoint(config.fine_tune, networks_for(run, shape), 1)


def _recorded(config: TrainConfig) -> dict[str, Any]:
    return config.model_dump(mode="json")


def _tried(lam: float, pairs: Sequence[tuple[PRRun, dict[str, Any] | None]]) -> Tried:
    rows = [row for _, row in pairs if row is not None]
    good = [row for row in rows if row["precision"] is not None]

    def mean(column: str) -> float:
        return float(np.mean([row[column] for row in good])) if good else float("nan")

    return Tried(
        lam,
        mean("precision"),
        mean("recall"),
        sum(row["steps"] for row in rows),
        sum(row["fit_seconds"] for row in rows),
    )


def _frontier(row: dict[str, Any]) -> list[dict[str, Any]]:
    lists = (row[f"frontier.{name}"] for name in ("kind", "lambda", "alpha"))
    return [
        {"run_id": row["run_id"], "kind": kind, "lambda": lam, "alpha": alpha, "beta": alpha / lam}
        for kind, lam, alpha in zip(*lists, strict=True)
    ]
