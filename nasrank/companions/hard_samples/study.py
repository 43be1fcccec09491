"""The study: from a configuration to tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.companions.hard_samples.architectures import (
    KEPT,
    PREFIX,
    ArchsRun,
    architectures_headline,
    plan_architectures,
    train_architectures,
)
from nasrank.companions.hard_samples.comparing import best_of_all, sensitivity_rows, tuning_rows
from nasrank.companions.hard_samples.planning import (
    HardConfig,
    HardRun,
    held_out,
    load_data,
    plan_runs,
    training_of,
)
from nasrank.companions.hard_samples.tables import (
    HARD,
    HARD_EPOCHS,
    HARD_FINISHED,
    HARD_SENSITIVITY,
    HARD_SUMMARY,
    HARD_TUNING,
    RATES,
)
from nasrank.companions.hard_samples.tabulating import headline_of, known, pictures_of, tables_of
from nasrank.companions.hard_samples.variants import Variant, generating_run, variants
from nasrank.errors import UsageError
from nasrank.files import remove_stale_parts
from nasrank.metrics.retrieval import ErrorRates, error_rates
from nasrank.study.claims import CLAIMS
from nasrank.study.finished import FinishedRuns
from nasrank.study.finishing import Progress, absences, finish, missing
from nasrank.tables import write_json

if TYPE_CHECKING:
    import torch

    from nasrank.samples import SampleSet

__all__ = ["HardEstimate", "HardResult", "estimate_hard", "hard"]

Row = dict[str, Any]


@dataclass(frozen=True)
class HardResult:
    """What the study found.

    Attributes:
        out: The folder of the tables.
        tables: Rows of every table written, by name.
        headline: What to read first: one row a method and setting.
        pictures: By method, real and generated embeddings by epoch of the first seed.
        left_out: What is missing, one line each.
        computed: Runs that this call trained.
    """

    out: Path
    tables: dict[str, list[Row]]
    headline: list[Row]
    pictures: dict[str, Any]
    left_out: tuple[str, ...]
    computed: int


@dataclass(frozen=True)
class HardEstimate:
    """What a command would do.

    Attributes:
        runs: Number of its runs; those of a proposal's last setting are not known before.
        missing: How many of them are not finished.
        device: Kind of device they would run on.
    """

    runs: int
    missing: int
    device: str


def hard(
    config: HardConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> HardResult:
    """Train what is missing and write the tables.

    Args:
        config: What to train.
        out: Folder for ``runs.d``, the tables and ``run.json``.
        progress: Hears how far it is, in runs.
        only_cached: Train nothing; report what is there.
        force: Train every model again.

    Raises:
        UsageError: The configuration cannot be meant, or an extra is not installed.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished runs are kept.
    """
    from nasrank.study.device import choose_device

    if config.data.startswith(PREFIX):
        tables, left, trained = train_architectures(
            config, out, progress=progress, only_cached=only_cached, force=force
        )
        return HardResult(
            out, tables, architectures_headline(tables["hard_archs"]), {}, left, trained
        )
    device = choose_device(config.device)
    data = load_data(config)
    runs = plan_runs(config, data)
    swept = _swept(config, runs)
    tuned = _tuned(config, runs, data)
    # Written first: a folder that cannot be written must not cost a run.
    about = {"command": "hard", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    remove_stale_parts(out)
    finished = FinishedRuns(out / "runs.d", table=HARD_FINISHED, kind=HardRun)
    _require_extras()

    def work(todo: Sequence[HardRun]) -> tuple[dict[str, Row], int]:
        return finish(
            [(run,) for run in dict.fromkeys(todo)],
            lambda fleet: [_compute(run, config, device, progress) for run in fleet],
            finished,
            what="runs",
            progress=progress,
            only_cached=only_cached,
            force=force,
        )

    kept, computed = work([*runs, *(each.run for each in swept), *(each.run for each in tuned)])
    tables = tables_of(runs, kept, config)
    if swept:
        tables[HARD_SENSITIVITY.name] = sensitivity_rows(runs, swept, kept)
    if tuned:
        extra = best_of_all(tuned, kept)
        more, count = work(extra) if extra else ({}, 0)
        computed += count
        tables[HARD_TUNING.name] = tuning_rows(tuned, extra, {**kept, **more})
    for table in (HARD, HARD_EPOCHS, HARD_SUMMARY, CLAIMS, HARD_SENSITIVITY, HARD_TUNING):
        if table.name in tables:
            table.write(tables[table.name], out / f"{table.name}.parquet", about)
    left_out = [*absences(runs, kept, finished, what="runs"), *_lonely(data)]
    return HardResult(
        out,
        tables,
        headline_of(tables[HARD.name], tables[HARD_SUMMARY.name]),
        pictures_of(runs, kept, data),
        tuple(left_out),
        computed,
    )


def estimate_hard(
    config: HardConfig, out: Path, *, only_cached: bool = False, force: bool = False
) -> HardEstimate:
    """Say what a command would do, without training or writing anything.

    Args:
        config: What to train.
        out: Folder of the runs.
        only_cached: Train nothing.
        force: Train every model again.
    """
    from nasrank.study.device import choose_device

    device = choose_device(config.device).type
    if config.data.startswith(PREFIX):
        planned = [run for fleet in plan_architectures(config) for run in fleet]
        folder = FinishedRuns(out / "runs.d", table=KEPT, kind=ArchsRun)
        left = missing(planned, folder, only_cached=only_cached, force=force)
        return HardEstimate(len(planned), len(left), device)
    data = load_data(config)
    runs = plan_runs(config, data)
    every = [
        *runs,
        *(v.run for v in _swept(config, runs)),
        *(v.run for v in _tuned(config, runs, data)),
    ]
    every = list(dict.fromkeys(every))
    finished = FinishedRuns(out / "runs.d", table=HARD_FINISHED, kind=HardRun)
    todo = missing(every, finished, only_cached=only_cached, force=force)
    return HardEstimate(len(every), len(todo), device)


def _swept(config: HardConfig, runs: Sequence[HardRun]) -> list[Variant]:
    if not config.sensitivity:
        return []
    chosen = generating_run(runs)
    return [each for seed in config.all_seeds for each in variants(replace(chosen, seed=seed))]


def _tuned(config: HardConfig, runs: Sequence[HardRun], data: SampleSet) -> list[Variant]:
    """Variants on held-out classes, the settings asked for first, under the option ''."""
    if not config.tune:
        return []
    inside = replace(generating_run(runs), held_out=True, fingerprint=held_out(data).fingerprint)
    found = []
    for seed in config.all_seeds:
        base = replace(inside, seed=seed)
        found += [Variant("", "", base), *variants(base)]
    return found


def _compute(
    run: HardRun, config: HardConfig, device: torch.device, progress: Progress | None
) -> Row:
    from nasrank.companions.hard_samples.measures import QUALITY, RETRIEVAL, judge, judge_generated
    from nasrank.companions.hard_samples.train import EPOCH_NUMBERS, train

    data = load_data(config)
    if run.held_out:
        data = held_out(data)
    traced = run.seed == config.seed and not run.held_out
    trained = train(data, training_of(run), device, pictures=traced)
    row: Row = {
        "run_id": run.run_id,
        "train_classes": len(np.unique(data.train.classes)),
        "test_classes": len(np.unique(data.test.classes)),
        "n_train": len(data.train),
        "n_test": len(data.test),
        **dict.fromkeys((*RETRIEVAL, *QUALITY)),
        "triplet_loss": known(trained.log[-1]["triplet_loss"]) if trained.log else None,
        "degenerate_batches": trained.degenerate,
        "diverged": trained.diverged,
        "fit_seconds": trained.seconds,
        "device": device.type,
        "pictures": None,
    }
    none = np.zeros(0)
    rates = ErrorRates(none, none, none, none)
    if not trained.diverged:
        embeddings = trained.network.embed(data.test.values, device)[1].cpu().double().numpy()
        numbers, halves = judge(embeddings, data.test.classes, seed=run.seed)
        numbers |= judge_generated(trained, data.train, device, seed=run.seed)
        row |= {name: known(value) for name, value in numbers.items()}
        rates = error_rates(*halves)
    row |= {f"rates.{name}": getattr(rates, name).tolist() for name in RATES}
    row |= {f"log.{name}": [epoch[name] for epoch in trained.log] for name in EPOCH_NUMBERS}
    if trained.pictures:
        shown = {
            "classes": trained.picture_classes,
            "epochs": [
                {
                    kind: None if (points := getattr(picture, kind)) is None
                    else points.round(3).tolist()
                    for kind in ("real", "positive", "negative")
                }
                for picture in trained.pictures
            ],
        }  # fmt: skip
        row["pictures"] = json.dumps(shown)
    if progress is not None:
        progress.advance(1)
    return row


def _lonely(data: SampleSet) -> list[str]:
    lines = []
    for part, samples in (("training", data.train), ("unseen", data.test)):
        count = int(np.sum(np.bincount(samples.classes) == 1))
        if count:
            use = "only negatives" if part == "training" else "no queries"
            lines.append(f"{part} classes of {data.name} with one sample, so {use}: {count}")
    return lines


def _require_extras() -> None:
    """Fail before any work where an extra is missing."""
    for package in ("pytorch_metric_learning", "sklearn"):
        try:
            __import__(package)
        except ImportError as error:
            raise UsageError(
                f"hard samples need {package.replace('_', '-')}. Install it with: "
                "pip install 'nasrank[metric]'"
            ) from error
