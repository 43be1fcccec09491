"""The study of ``nasrank hard`` on samples, declared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.companions.files import why_diverged
from nasrank.companions.hard_samples.archs import TIERS
from nasrank.companions.hard_samples.claims import hard_claims
from nasrank.companions.hard_samples.controls import hard_controls
from nasrank.companions.hard_samples.options import HardConfig
from nasrank.companions.hard_samples.plan import plan_study
from nasrank.companions.hard_samples.tables import (
    HARD,
    HARD_EPOCHS,
    HARD_KEPT,
    HARD_SENSITIVITY,
    HARD_SUMMARY,
    HARD_TUNING,
    HARD_VARIANTS,
    MEASURES,
    RATES,
)
from nasrank.companions.hard_samples.training import EPOCH_NUMBERS, HardRun
from nasrank.companions.hard_samples.variants import best_of_all, sensitivity_rows, tuning_rows
from nasrank.companions.hard_samples.view import draw_samples, view_samples
from nasrank.companions.hard_samples.worker import finite_or_none, train_runs
from nasrank.metrics.retrieval import ErrorRates, rework_cost
from nasrank.statistics import mean_interval
from nasrank.study.claims import CLAIMS
from nasrank.study.study import Answer, Job, Runs, Study
from nasrank.study.view import grouped

if TYPE_CHECKING:
    from nasrank.samples import SampleSet

__all__ = ["SAMPLES", "study_of_data"]

Row = dict[str, Any]

_COSTS = ("rework_cost", "false_accept_rate", "false_reject_rate")
_SUMMARISED = (*MEASURES, *_COSTS, "triplet_loss", "constraint_met", "fit_seconds")


def _answer(job: Job[HardConfig, HardRun]) -> Answer:
    config, grid = job.config, job.plan.context
    kept = {row["run_id"]: row for row in job.rows}
    present = [run for run in grid.runs if run.run_id in kept]
    rows = [_public(kept[run.run_id], config) for run in present]
    others = [
        _public(kept[run.run_id], config) | {"held_out": run.held_out}
        for run in job.runs
        if run not in grid.runs
    ]
    tables = {
        HARD: rows,
        HARD_EPOCHS: _epochs(present, kept),
        HARD_SUMMARY: _summarised(rows),
        CLAIMS: hard_claims(rows, config.data),
    }
    known = {each.run for each in grid.tuned}
    added = [run for run in job.runs if run.held_out and run not in known]
    tuned = tuning_rows(grid.tuned, added, kept)
    swept = sensitivity_rows(grid.runs, grid.swept, kept) if grid.swept else []
    further = {HARD_SENSITIVITY: swept, HARD_TUNING: tuned, HARD_VARIANTS: others}
    tables |= {table: found for table, found in further.items() if found}
    proposed = next((row for row in tuned if row["proposed"]), None)
    return Answer(
        tables,
        record=None if proposed is None else {"proposed": proposed},
        notes=(
            *_classes_of_one(grid.data),
            *why_diverged(job.rows, grid.data, "Lower --learning-rate"),
        ),
        left_out=_without_costs([*rows, *others]),
        shown=_pictures(present, kept, grid.data),
    )


def _public(row: Row, config: HardConfig) -> Row:
    return HARD.project(row) | _costs(row, config)


def _costs(row: Row, config: HardConfig) -> Row:
    """Count what wrong decisions cost, from error rates or, without them, the final table."""
    accept, reject, share = (
        config.cost_false_accept,
        config.cost_false_reject,
        config.genuine_share,
    )
    if row["rates.accept"] is not None:
        rates = ErrorRates(*(np.array(row[f"rates.{name}"], np.float64) for name in RATES))
        found = rework_cost(rates, false_accept=accept, false_reject=reject, genuine_share=share)
        return dict(zip(_COSTS, map(finite_or_none, found), strict=True))
    cost, accepted, rejected = (row[name] for name in _COSTS)
    if cost is not None:
        # One threshold is known, that for the costs of then. Are they those of now?
        now = 1000 * ((1 - share) * accept * accepted + share * reject * rejected)
        if isclose(cost, now, rel_tol=1e-9):
            return {}
    return dict.fromkeys(_COSTS)


def _without_costs(rows: Sequence[Row]) -> tuple[str, ...]:
    count = sum(row["rework_cost"] is None and row["recall_at_1"] is not None for row in rows)
    if not count:
        return ()
    line = f"rework costs of {count} of {len(rows)} runs: their error rates are not kept"
    return (f"{line}. Give --force to train them again",)


def _epochs(runs: Sequence[HardRun], kept: Mapping[str, Row]) -> list[Row]:
    return [
        {
            "run_id": run.run_id,
            "method": run.method,
            "augmentation": run.augmentation,
            "weight_decay": run.weight_decay,
            "seed": run.seed,
            "epoch": place + 1,
            **dict(zip(EPOCH_NUMBERS, numbers, strict=True)),
        }
        for run in runs
        for place, numbers in enumerate(zip(*_log(kept[run.run_id]).values(), strict=True))
    ]


def _log(row: Row) -> dict[str, list[float | None]]:
    known = {name: row[f"hard_epochs.{name}"] for name in EPOCH_NUMBERS}
    epochs = max((len(numbers) for numbers in known.values() if numbers), default=0)
    return {name: numbers or [None] * epochs for name, numbers in known.items()}


def _summarised(rows: Sequence[Row]) -> list[Row]:
    by = ("data", "method", "augmentation", "weight_decay")
    found = []
    for key, own in grouped(rows, by).items():
        for metric in _SUMMARISED:
            over = mean_interval([row[metric] for row in own if row[metric] is not None])
            numbers = {name: getattr(over, name) for name in ("n_seeds", "mean", "lower", "upper")}
            found.append({**dict(zip(by, key, strict=True)), "metric": metric, **numbers})
    return found


def _pictures(runs: Sequence[HardRun], kept: Mapping[str, Row], data: SampleSet) -> dict[str, Any]:
    """Return what is to be seen of each method: the first of its runs that has pictures."""
    names = [data.class_names[number] for number in np.unique(data.train.classes)]
    found: dict[str, Any] = {}
    for run in runs:
        row = kept[run.run_id]
        if row["pictures"] is None or run.method in found:
            continue
        shown = json.loads(row["pictures"])
        shown["names"] = {number: names[number] for number in sorted(set(shown["classes"][0]))}
        found[run.method] = {**shown, "log": _log(row), "seed": run.seed}
    return found


def _classes_of_one(data: SampleSet) -> tuple[str, ...]:
    lines = []
    for part, samples, use in (
        ("training", data.train, "only negatives"), ("unseen", data.test, "no queries"),
    ):  # fmt: skip
        count = int(np.sum(np.bincount(samples.classes) == 1))
        if count:
            lines.append(f"{part} classes of {data.name} with one sample, so {use}: {count}")
    return tuple(lines)


SAMPLES = Study(
    config=HardConfig,
    main=HARD,
    runs=Runs(
        identity=HardRun,
        kept=HARD_KEPT,
        plan=plan_study,
        worker=train_runs,
        more=lambda _config, plan, rows: [(run,) for run in best_of_all(plan.context.tuned, rows)],
        more_runs=lambda config, _plan: config.seeds if config.tune else 0,
    ),
    answer=_answer,
    view=view_samples,
    pictures=draw_samples,
    controls=lambda job, measures: hard_controls(job.plan.context.data, measures, job.rows),
    extras={"pytorch_metric_learning": "metric", "sklearn": "metric"},
)


def study_of_data(config: HardConfig) -> Study[HardConfig, Any]:
    """Return the study of what ``--data`` names: samples, or the architectures of a task."""
    return TIERS if config.kind == "archs" else SAMPLES
