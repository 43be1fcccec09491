"""From runs to statements: budgets, comparisons of losses, comparisons of ways to sample."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.metrics import budget_rows
from nasrank.runs.tables import (
    COSTS,
    DISCOVERY,
    DISCOVERY_AT,
    DIVERGED_SHARE,
    METRICS,
    OWN_METRICS,
    SUMMARY,
    TOP_STABILITY,
)
from nasrank.seeds import numpy_generator
from nasrank.statistics import compare_with_best, paired_interval, paired_p, top_stability
from nasrank.study.view import grouped
from nasrank.tables import Column

__all__ = ["budget_table", "headline", "sampling_table", "summary_table"]

Row = Mapping[str, Any]

_HEADLINE_TOP, _HEADLINE_CONFIDENCE = 0.001, 0.8
_PAIR = "\n"
"""Between predictor and loss; neither holds it."""
_COMPARED = ("n_seeds", "mean", "sd", "lower", "upper", "rank", "best", "verdict", "p_holm")
_TOPS = {0.001: "0.1pct", 0.005: "0.5pct", 0.01: "1pct", 0.05: "5pct"}


def budget_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of ``budget``: what each loss needs to reach the top, against random search."""
    result: list[dict[str, Any]] = []
    for key, runs in _grouped(rows, "task", "predictor", "loss", "n_train", "sampling"):
        hits: dict[float, list[int]] = {}
        sizes: dict[float, list[int]] = {}
        for fraction, name in _TOPS.items():
            first = [run[f"first_hit_{name}"] for run in runs]
            if None in first:
                continue
            hits[fraction] = first
            sizes[fraction] = [_top_size(run, fraction) for run in runs]
        universe = runs[0]["n_test"] + (runs[0]["n_train"] if runs[0]["test"] == "rest" else 0)
        budget = budget_rows(
            key["n_train"],
            hits,
            universe,
            sizes,
            mean_seconds=runs[0]["mean_gpu_seconds"],
        )
        result += [{**key, **row} for row in budget]
    return result


def summary_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of ``summary``: every metric of every loss, compared on shared seeds.

    With several predictors each pair of predictor and loss stands among all pairs.
    """
    result: list[dict[str, Any]] = []
    for key, runs in _grouped(rows, "task", "n_train", "sampling"):
        pairs = {
            _PAIR.join(pair.values()): own for pair, own in _grouped(runs, "predictor", "loss")
        }
        for metric in (*METRICS, *_own_columns(runs)):
            compared = compare_with_best(
                _paired(pairs, metric.name),
                sign=metric.sign,
                margin=metric.margin,
                rng=numpy_generator(0, stream="flips"),
            )
            for pair, c in compared.items():
                known = {name: getattr(c, name) for name in _COMPARED}
                if c.difference is not None:
                    known |= {
                        "difference": c.difference.mean,
                        "difference_lower": c.difference.lower,
                        "difference_upper": c.difference.upper,
                    }
                result.append(_line(key, pair, metric, known))
        stability = {pair: _stability(own) for pair, own in pairs.items()}
        diverged = {
            pair: float(np.mean([run["diverged"] for run in own])) for pair, own in pairs.items()
        }
        result += _single(key, TOP_STABILITY, stability, pairs)
        result += _single(key, DIVERGED_SHARE, diverged, pairs)
    return result


def sampling_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of ``sampling``: each way to sample against the first, paired by seed."""
    result: list[dict[str, Any]] = []
    for key, runs in _grouped(rows, "task", "predictor", "loss", "n_train"):
        ways = {way: own for (way,), own in grouped(runs, ["sampling"]).items()}
        against, *others = ways
        for metric in METRICS:
            values = _paired(ways, metric.name)
            for way in others:
                interval = paired_interval(values[way], values[against])
                result.append(
                    {
                        **key,
                        "metric": metric.name,
                        "sampling": way,
                        "against": against,
                        "n_seeds": interval.n_seeds,
                        "difference": interval.mean,
                        "lower": interval.lower,
                        "upper": interval.upper,
                        "p_value": paired_p(
                            values[way], values[against], numpy_generator(0, stream="flips")
                        ),
                    }
                )
    return result


def headline(summary: Sequence[Row], budget: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what to read first: order, discovery, evaluations and savings of each loss.

    The confidence is 80 % where there are seeds enough for it, else 50 %.
    """
    names = ("task", "predictor", "sampling", "loss", "n_train")
    ends = ("lower", "upper", "rank", "p_holm")
    budgets = grouped(budget, names)
    result: list[dict[str, Any]] = []
    for key, rows in grouped(summary, names).items():
        by = {row["metric"]: row for row in rows}
        tau, found, hit = (by[m] for m in ("kendall_tau", DISCOVERY_AT.name, "first_hit_0.1pct"))
        costs = [row for row in budgets.get(key, []) if row["top_fraction"] == _HEADLINE_TOP]
        known = [row for row in costs if row["evaluations"] is not None]
        cost = next((row for row in known if row["confidence"] == _HEADLINE_CONFIDENCE), None)
        cost = cost or (known[0] if known else {})
        result.append(
            {
                **dict(zip(names, key, strict=True)),
                "n_seeds": tau["n_seeds"],
                "kendall_tau": tau["mean"],
                **{f"kendall_tau_{end}": tau[end] for end in ends},
                DISCOVERY_AT.name: found["mean"],
                **{f"discovery_{end}": found[end] for end in ends},
                **{f"first_hit_{end}": hit[end] for end in ends[2:]},
                **{name: cost.get(name) for name in COSTS},
                **{c.name: by[c.name]["mean"] for c in (TOP_STABILITY, DIVERGED_SHARE)},
            }
        )
    groups = list(dict.fromkeys((row["task"], row["sampling"]) for row in result))
    return sorted(
        result,
        key=lambda row: (groups.index((row["task"], row["sampling"])), row["n_train"]),
    )


def discovery_at(row: Row, fraction: float, evaluations: int) -> float | None:
    """Return the discovery rate of a run's row after so many evaluations, or None if unknown."""
    columns = (row[f"{DISCOVERY.name}.{name}"] for name in ("top_fraction", "k", "discovery_rate"))
    for top, k, rate in zip(*columns, strict=True):
        if top == fraction and k == evaluations:
            return float(rate)
    return None


def _own_columns(rows: Sequence[Row]) -> list[Column]:
    """Declare the metrics of the user's own that runs have."""
    found: dict[str, Column] = {}
    for row in rows:
        parts = (row.get(f"{OWN_METRICS.name}.{name}") or () for name in ("metric", "better"))
        for metric, better in zip(*parts, strict=True):
            found.setdefault(
                metric, replace(OWN_METRICS.column("value"), name=metric, better=better)
            )
    return list(found.values())


def _value(row: Row, metric: str) -> float | None:
    """Return a metric of a run; None where the run has no such value."""
    if metric == DISCOVERY_AT.name:
        return discovery_at(row, 0.01, 100)
    if metric in row:
        return row[metric]  # type: ignore[no-any-return]
    parts = (row[f"{OWN_METRICS.name}.{name}"] or () for name in ("metric", "value"))
    return dict(zip(*parts, strict=True)).get(metric)


def _stability(runs: Sequence[Row]) -> float | None:
    """How alike the predicted tops of several seeds are, where they are kept."""
    tops = [run["predicted_top"] for run in runs]
    return None if None in tops else top_stability(tops)


def _single(
    key: dict[str, Any],
    metric: Column,
    values: Mapping[str, float | None],
    pairs: Mapping[str, Sequence[Row]],
) -> list[dict[str, Any]]:
    """Rows of a metric with one value for all seeds together: a place, but no interval."""
    known = [value for value in values.values() if value is not None]
    result = []
    for pair, value in values.items():
        rank = None
        if value is not None:
            rank = 1 + sum(metric.sign * (other - value) > 0 for other in known)
        place = {"n_seeds": len(pairs[pair]), "mean": value, "rank": rank, "best": rank == 1}
        result.append(_line(key, pair, metric, place))
    return result


def _line(key: Row, pair: str, metric: Column, known: Row) -> dict[str, Any]:
    """A row of ``summary``; None where nothing is known."""
    named = dict(zip(("predictor", "loss"), pair.split(_PAIR), strict=True))
    row = {**key, **named, "metric": metric.name, "margin": metric.margin, **known}
    return {**key, **named, **{column.name: row.get(column.name) for column in SUMMARY.columns}}


def _paired(groups: Mapping[str, Sequence[Row]], metric: str) -> dict[str, NDArray[np.float64]]:
    """Values by seed, NaN where a seed has none; the same seeds in the same order for all."""
    seeds = sorted({run["seed"] for runs in groups.values() for run in runs})
    result = {}
    for name, runs in groups.items():
        values = np.full(len(seeds), np.nan)
        for run in runs:
            value = _value(run, metric)
            # The top of a diverged run is that of a random order, nothing about the loss.
            if value is not None and not run["diverged"]:
                values[seeds.index(run["seed"])] = value
        result[name] = values
    return result


def _top_size(row: Row, fraction: float) -> int:
    tops = row[f"{DISCOVERY.name}.top_fraction"]
    return int(row[f"{DISCOVERY.name}.top_size"][tops.index(fraction)])


def _grouped(rows: Iterable[Row], *names: str) -> Iterable[tuple[dict[str, Any], list[Row]]]:
    for key, own in grouped(rows, names).items():
        yield dict(zip(names, key, strict=True)), own
