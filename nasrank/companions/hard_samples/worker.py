"""What does the runs of a plan: trains, measures, and keeps what tables are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.companions.hard_samples.measures import judge, judge_generated
from nasrank.companions.hard_samples.tables import HARD, HARD_KEPT, RATES
from nasrank.companions.hard_samples.training import EPOCH_NUMBERS, HardRun, train
from nasrank.metrics.retrieval import ErrorRates, error_rates
from nasrank.study.device import choose_device

if TYPE_CHECKING:
    import torch

    from nasrank.companions.hard_samples.options import HardConfig
    from nasrank.companions.hard_samples.plan import Grid
    from nasrank.study.study import OnWork, Plan, Worker

__all__ = ["finite_or_none", "train_runs"]

Row = dict[str, Any]


def train_runs(config: HardConfig, plan: Plan[HardRun]) -> Worker[HardRun]:
    """Make what trains the runs of a plan, one after the other."""
    device = choose_device(config.device)

    def train_all(fleet: Sequence[HardRun], _on_work: OnWork) -> list[Row]:
        return [_train_one(run, plan.context, config.seed, device) for run in fleet]

    return train_all


def _train_one(run: HardRun, grid: Grid, first_seed: int, device: torch.device) -> Row:
    data = grid.inner if run.held_out and grid.inner is not None else grid.data
    seen_first = run.seed == first_seed and not run.held_out
    trained = train(data, run, device, pictures=seen_first)
    row: Row = dict.fromkeys(column.name for column in HARD_KEPT.columns)
    row |= {c.name: getattr(run, c.name) for c in HARD.columns if hasattr(run, c.name)}
    row |= {
        "train_classes": len(np.unique(data.train.classes)),
        "test_classes": len(np.unique(data.test.classes)),
        "n_train": len(data.train),
        "n_test": len(data.test),
        "triplet_loss": finite_or_none(trained.log[-1]["triplet_loss"]) if trained.log else None,
        "constraint_met": finite_or_none(trained.log[-1]["met_share"]) if trained.log else None,
        "degenerate_batches": trained.degenerate,
        "diverged": trained.diverged,
        "fit_seconds": trained.seconds,
        "device": device.type,
    }
    none = np.zeros(0)
    rates = ErrorRates(none, none, none, none)
    if not trained.diverged:
        embeddings = trained.network.embed(data.test.values, device)[1].cpu().double().numpy()
        numbers, halves = judge(embeddings, data.test.classes, seed=run.seed)
        numbers |= judge_generated(trained, data.train, device, seed=run.seed)
        row |= {name: finite_or_none(value) for name, value in numbers.items()}
        rates = error_rates(*halves)
    row |= {f"rates.{name}": getattr(rates, name).tolist() for name in RATES}
    for name in EPOCH_NUMBERS:
        row[f"hard_epochs.{name}"] = [finite_or_none(epoch[name]) for epoch in trained.log]
    if trained.pictures:
        row["pictures"] = json.dumps(
            {"classes": trained.picture_classes, "epochs": trained.pictures}
        )
    return row


def finite_or_none(value: float) -> float | None:
    """Return a number for a table, None where there is none."""
    return float(value) if isfinite(value) else None
