"""From finished runs to the tables of the study, and what is read of them first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.companions.hard_samples.claims import hard_claims
from nasrank.companions.hard_samples.planning import HardConfig, HardRun
from nasrank.companions.hard_samples.tables import (
    HARD,
    HARD_EPOCHS,
    HARD_SUMMARY,
    MEASURES,
    RATES,
)
from nasrank.companions.hard_samples.train import EPOCH_NUMBERS
from nasrank.metrics.retrieval import ErrorRates, rework_cost
from nasrank.statistics import mean_interval
from nasrank.study.claims import CLAIMS

if TYPE_CHECKING:
    from nasrank.samples import SampleSet

__all__ = ["headline_of", "known", "pictures_of", "tables_of"]

Row = dict[str, Any]

_SETTINGS = (
    "data", "method", "seed", "encoder", "embedding", "epochs", "batch", "images_per_class",
    "margin", "learning_rate", "weight_decay", "augmentation",
)  # fmt: skip
_SUMMARISED = (
    *MEASURES, "rework_cost", "false_accept_rate", "false_reject_rate", "triplet_loss",
    "fit_seconds",
)  # fmt: skip
_SHOWN = (
    "recall_at_1", "recall_at_2", "recall_at_4", "recall_at_8", "nmi", "f1", "separation",
    "fpr_at_95_recall", "rework_cost", "positive_coverage", "negative_coverage", "fit_seconds",
)  # fmt: skip


def tables_of(
    runs: Sequence[HardRun], kept: Mapping[str, Row], config: HardConfig
) -> dict[str, list[Row]]:
    """Make ``hard``, ``hard_epochs``, ``hard_summary`` and ``claims`` of the runs there are.

    Args:
        runs: The runs of the comparison.
        kept: Rows of `HARD_FINISHED` by run.
        config: What was asked for; costs are counted here.
    """
    present = [run for run in runs if run.run_id in kept]
    rows = [_hard_row(run, kept[run.run_id], config) for run in present]
    epochs = [
        {
            "run_id": run.run_id,
            "method": run.method,
            "augmentation": run.augmentation,
            "weight_decay": run.weight_decay,
            "seed": run.seed,
            "epoch": place + 1,
            **dict(zip(EPOCH_NUMBERS, map(known, numbers), strict=True)),
        }
        for run in present
        for place, numbers in enumerate(
            zip(*(kept[run.run_id][f"log.{name}"] for name in EPOCH_NUMBERS), strict=True)
        )
    ]
    return {
        HARD.name: rows,
        HARD_EPOCHS.name: epochs,
        HARD_SUMMARY.name: _summary_rows(rows),
        CLAIMS.name: hard_claims(rows, config.data),
    }


def _hard_row(run: HardRun, kept: Row, config: HardConfig) -> Row:
    rates = ErrorRates(*(np.array(kept[f"rates.{name}"], np.float64) for name in RATES))
    cost = rework_cost(
        rates, false_accept=config.cost_false_accept, false_reject=config.cost_false_reject,
        genuine_share=config.genuine_share,
    )  # fmt: skip
    row = {name: getattr(run, name) for name in _SETTINGS}
    row |= {column.name: kept[column.name] for column in HARD.columns if column.name in kept}
    names = ("rework_cost", "false_accept_rate", "false_reject_rate")
    return row | dict(zip(names, map(known, cost), strict=True))


def _summary_rows(rows: Sequence[Row]) -> list[Row]:
    cells: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = row["data"], row["method"], row["augmentation"], row["weight_decay"]
        cells.setdefault(key, []).append(row)
    found = []
    for (data, method, augmentation, decay), own in cells.items():
        for metric in _SUMMARISED:
            values = [row[metric] for row in own if row[metric] is not None]
            interval = mean_interval(values)
            found.append(
                {
                    "data": data,
                    "method": method,
                    "augmentation": augmentation,
                    "weight_decay": decay,
                    "metric": metric,
                    "n_seeds": len(values),
                    "mean": interval.mean,
                    "lower": interval.lower,
                    "upper": interval.upper,
                }
            )
    return found


def headline_of(rows: Sequence[Row], summary: Sequence[Row]) -> list[Row]:
    """Put the means of each method and setting into one row.

    Args:
        rows: Rows of ``hard``.
        summary: Rows of ``hard_summary``.
    """
    found: dict[tuple[Any, ...], Row] = {}
    for cell in summary:
        key = cell["method"], cell["augmentation"], cell["weight_decay"]
        own = [r for r in rows if (r["method"], r["augmentation"], r["weight_decay"]) == key]
        line = found.setdefault(
            key,
            {
                "data": cell["data"],
                "method": cell["method"],
                "augmentation": cell["augmentation"],
                "weight_decay": cell["weight_decay"],
                "n_seeds": len(own),
                "degenerate_batches": sum(row["degenerate_batches"] for row in own),
                "diverged": sum(row["diverged"] for row in own),
            },
        )
        if cell["metric"] in _SHOWN:
            line[cell["metric"]] = cell["mean"]
        if cell["metric"] == "recall_at_1":
            line |= {"recall_at_1_lower": cell["lower"], "recall_at_1_upper": cell["upper"]}
    return list(found.values())


def pictures_of(
    runs: Sequence[HardRun], kept: Mapping[str, Row], data: SampleSet
) -> dict[str, Any]:
    """Return what is to be seen of each method: the first of its runs that has pictures."""
    names = [data.class_names[number] for number in np.unique(data.train.classes)]
    found: dict[str, Any] = {}
    for run in runs:
        row = kept.get(run.run_id)
        if row is None or row["pictures"] is None or run.method in found:
            continue
        shown = json.loads(row["pictures"])
        shown["names"] = {number: names[number] for number in sorted(set(shown["classes"][0]))}
        shown["log"] = {name: row[f"log.{name}"] for name in EPOCH_NUMBERS}
        shown["seed"] = run.seed
        found[run.method] = shown
    return found


def known(value: float) -> float | None:
    """Return a number for a table, None where there is none."""
    return float(value) if np.isfinite(value) else None
