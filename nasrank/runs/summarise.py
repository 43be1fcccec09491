"""From runs to statements: budgets, comparisons of losses, comparisons of ways to sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.metrics import budget_rows
from nasrank.runs.tables import (
    COSTS,
    DISCOVERY,
    DISCOVERY_AT,
    DIVERGED_SHARE,
    EVALUATIONS,
    METRICS,
    OVERALL,
    OWN_METRICS,
    SUMMARY,
    TOP_STABILITY,
)
from nasrank.seeds import numpy_generator
from nasrank.statistics import (
    Comparison,
    clustered_interval,
    clustered_p,
    compare_with_best,
    holm,
    judged,
    mean_interval,
    median_interval,
    paired_interval,
    paired_p,
    top_stability,
)
from nasrank.study.view import grouped
from nasrank.tables import Column

__all__ = ["budget_table", "headline", "overall_table", "sampling_table", "summary_table"]

Row = Mapping[str, Any]

_HEADLINE_TOP, _HEADLINE_CONFIDENCE = 0.001, 0.8
_PAIR = "\n"
"""Between predictor and loss; neither holds it."""
_COMPARED = ("n_seeds", "mean", "sd", "lower", "upper", "rank", "best", "verdict", "p_holm")
_DIFFERENCE = {"mean": "difference", "lower": "difference_lower", "upper": "difference_upper"}
_TO_THE_TOP = "evaluations_0.1pct"
_FIRST_HIT = {column.name: first_hit for first_hit, column in EVALUATIONS.items()}
_PURE = (*(column for column in METRICS if column.unit == "1"), *EVALUATIONS.values())
"""What may be averaged over tasks: not labels, whose unit is the task's, nor places."""
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
        for metric in (*METRICS, *EVALUATIONS.values(), *_own_columns(runs)):
            compared = compare_with_best(
                _paired(pairs, metric.name),
                sign=metric.sign,
                margin=_margin(metric),
                rng=numpy_generator(0, stream="flips"),
                over_seeds=median_interval if _by_ratio(metric) else mean_interval,
            )
            for pair, c in compared.items():
                result.append(_line(key, pair, metric, _known(c, metric)))
        stability = {pair: _stability(own) for pair, own in pairs.items()}
        diverged = {
            pair: float(np.mean([run["diverged"] for run in own])) for pair, own in pairs.items()
        }
        result += _single(key, TOP_STABILITY, stability, pairs)
        result += _single(key, DIVERGED_SHARE, diverged, pairs)
    return result


def overall_table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows of ``overall``: every metric of every loss over tasks, spaces being the units.

    A task counts where every predictor and loss has a value, a space as the mean of its tasks.
    """
    result: list[dict[str, Any]] = []
    for key, runs in _grouped(rows, "n_train", "sampling"):
        by_task = {task: own for (task,), own in grouped(runs, ["task"]).items()}
        methods = list(dict.fromkeys((run["predictor"], run["loss"]) for run in runs))
        for metric in _PURE:
            means = {task: _typical(own, metric) for task, own in by_task.items()}
            tasks = [task for task, own in means.items() if all(m in own for m in methods)]
            if tasks:
                table = {m: np.array([means[task][m] for task in tasks]) for m in methods}
                result += _over_tasks(key, metric, tasks, table)
    return result


def _typical(runs: Sequence[Row], metric: Column) -> dict[tuple[str, str], float]:
    """Mean over seeds of each predictor and loss that has a value; the median of evaluations."""
    groups = {
        (pair["predictor"], pair["loss"]): own for pair, own in _grouped(runs, "predictor", "loss")
    }
    names = {_PAIR.join(pair): own for pair, own in groups.items()}
    values = zip(groups, _paired(names, metric.name).values(), strict=True)
    over_seeds = np.nanmedian if _by_ratio(metric) else np.nanmean
    return {pair: float(over_seeds(own)) for pair, own in values if np.isfinite(own).any()}


def _over_tasks(
    key: Row,
    metric: Column,
    tasks: Sequence[str],
    table: Mapping[tuple[str, str], NDArray[np.float64]],
) -> list[dict[str, Any]]:
    spaces = [task.split("/")[0] for task in tasks]
    means = {m: clustered_interval(own, spaces).mean or 0.0 for m, own in table.items()}
    ranks = {m: 1 + sum(metric.sign * (o - own) > 0 for o in means.values())
             for m, own in means.items()}  # fmt: skip
    best = next(m for m, rank in ranks.items() if rank == 1)
    against = {m: own - table[best] for m, own in table.items() if m != best}
    p_values = [
        clustered_p(own, spaces, numpy_generator(0, stream="flips")) for own in against.values()
    ]
    corrected = dict(zip(against, holm(p_values), strict=True))
    rows = []
    for method, mean in means.items():
        row = {
            **key,
            "predictor": method[0],
            "loss": method[1],
            "metric": metric.name,
            "n_tasks": len(tasks),
            "n_spaces": len(set(spaces)),
            "mean": math.exp(mean) if _by_ratio(metric) else mean,
            "rank": ranks[method],
            "margin": metric.margin,
            "p_holm": corrected.get(method),
        }
        if method != best:
            own = clustered_interval(against[method], spaces)
            row["verdict"] = judged(own, metric.sign, _margin(metric))
            row |= {
                name: _as_ratio(getattr(own, end)) if _by_ratio(metric) else getattr(own, end)
                for end, name in _DIFFERENCE.items()
            }
        rows.append({column.name: row.get(column.name) for column in OVERALL.columns})
    return rows


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
    compared = ("difference", "difference_lower", "difference_upper", "rank", "verdict", "p_holm")
    budgets = grouped(budget, names)
    result: list[dict[str, Any]] = []
    for key, rows in grouped(summary, names).items():
        by = {row["metric"]: row for row in rows}
        tau, found, cost_of = (by[m] for m in ("kendall_tau", DISCOVERY_AT.name, _TO_THE_TOP))
        costs = [row for row in budgets.get(key, []) if row["top_fraction"] == _HEADLINE_TOP]
        known = [row for row in costs if row["evaluations"] is not None]
        cost = next((row for row in known if row["confidence"] == _HEADLINE_CONFIDENCE), None)
        cost = cost or (known[0] if known else {})
        result.append(
            {
                **dict(zip(names, key, strict=True)),
                "n_seeds": tau["n_seeds"],
                "kendall_tau": tau["mean"],
                **{f"kendall_tau_{end}": tau[end] for end in ("lower", "upper", *compared)},
                DISCOVERY_AT.name: found["mean"],
                **{f"discovery_{end}": found[end] for end in ("lower", "upper", *compared)},
                **{f"cost_{end}": cost_of[end] for end in compared},
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
    """Return a metric of a run, evaluations as their logarithm; None where it has no value."""
    if metric == DISCOVERY_AT.name:
        return discovery_at(row, 0.01, 100)
    if metric in _FIRST_HIT:
        after = row[_FIRST_HIT[metric]]
        return None if after is None else math.log(row["n_train"] + after)
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


def _by_ratio(metric: Column) -> bool:
    return metric in EVALUATIONS.values()


def _margin(metric: Column) -> float:
    return math.log1p(metric.margin) if _by_ratio(metric) else metric.margin


def _as_ratio(logarithm: float | None) -> float | None:
    """A difference of logarithms as a ratio less 1."""
    return None if logarithm is None else math.expm1(logarithm)


def _known(compared: Comparison, metric: Column) -> dict[str, Any]:
    """Columns of ``summary`` that a comparison says; what was compared by ratio, in its unit."""
    known = {name: getattr(compared, name) for name in _COMPARED}
    difference = {} if compared.difference is None else asdict(compared.difference)
    known |= {name: difference.get(end) for end, name in _DIFFERENCE.items()}
    if _by_ratio(metric):
        known |= {name: _as_ratio(known[name]) for name in _DIFFERENCE.values()}
        known |= {
            name: None if known[name] is None else math.exp(known[name])
            for name in ("mean", "lower", "upper")
        }
    return known


def _line(key: Row, pair: str, metric: Column, known: Row) -> dict[str, Any]:
    """A row of ``summary``; None where nothing is known."""
    named = dict(zip(("predictor", "loss"), pair.split(_PAIR), strict=True))
    row = {**key, **named, "metric": metric.name, "margin": metric.margin, **known}
    return {**key, **named, **{column.name: row.get(column.name) for column in SUMMARY.columns}}


def _paired(groups: Mapping[str, Sequence[Row]], metric: str) -> dict[str, NDArray[np.float64]]:
    """Values by seed, NaN where a seed has none; the same seeds in the same order for all.

    Evaluations are as their natural logarithm.
    """
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
