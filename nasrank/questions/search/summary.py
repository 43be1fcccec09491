"""From searches to statements: how many evaluations, how often, and against the headline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nasrank.questions.search.tables import CHECKPOINTS, EVALUATIONS_MARGIN, SEARCH_METHODS
from nasrank.seeds import numpy_generator
from nasrank.statistics import (
    Interval,
    Verdict,
    holm,
    judged,
    mean_interval,
    median_interval,
    order_statistic,
    paired_p,
    share_interval,
)

__all__ = ["Censored", "censored_median", "checkpoints", "method_rows", "summary_rows"]

Row = Mapping[str, Any]
FloatArray = NDArray[np.float64]


_SHARES = ("hit_share", "noise_share")


@dataclass(frozen=True)
class Censored:
    """A median over searches of which some never got there.

    Attributes:
        median: None where it lies beyond the budget.
        lower: Lower end of the exact binomial 95 % interval; None where it is open: beyond the
            budget, or fewer than six searches.
        upper: Upper end, likewise.
        missed: Searches that did not get there.
    """

    median: float | None
    lower: float | None
    upper: float | None
    missed: int


def checkpoints(budget: int) -> list[int]:
    """Return the published checkpoints up to a budget, and the budget."""
    return sorted({*(at for at in CHECKPOINTS if at < budget), budget})


def censored_median(values: FloatArray) -> Censored:
    """Return the median of times to reach something, inf for those cut off before.

    What was cut off counts as longer than all others, which is all a median asks for, as long as
    fewer than half are.

    Args:
        values: ``[S]`` one for each search, inf where it did not get there.

    Example:
        Four searches took 10, 20, 30 and more than they had: the middle two are 20 and 30.

        >>> values = np.array([10.0, np.inf, 30.0, 20.0])
        >>> result = censored_median(values)
        >>> result.median, result.missed
        (25.0, 1)
        >>> censored_median(np.array([10.0, np.inf])).median is None
        True
    """
    missed = int(np.isinf(values).sum())
    ordered = np.sort(values)
    # inf where either of the middle values is.
    median = float(ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2
    known = order_statistic(values, 0.5)
    return Censored(None if np.isinf(median) else median, known.lower, known.upper, missed)


def summary_rows(
    searches: Sequence[Row],
    budget: int,
    headline: tuple[str, str | None],
    within: float = 0.0,
) -> list[dict[str, Any]]:
    """Summarise every method of every task.

    Args:
        searches: Rows of ``search``, those of one search in order.
        budget: Most evaluations of a search.
        headline: Method and loss that the others are compared with.
        within: Regret at which the best counts as found.

    Returns:
        Rows of ``search_summary``.
    """
    rows: list[dict[str, Any]] = []
    for task in dict.fromkeys(row["task"] for row in searches):
        runs: dict[tuple[str, str | None], dict[int, list[Row]]] = {}
        for row in searches:
            if row["task"] == task:
                own = runs.setdefault((row["method"], row["loss"]), {})
                own.setdefault(row["seed"], []).append(row)
        rows += _of_task(task, runs, budget, headline, within)
    return rows


def method_rows(summary: Sequence[Row], headline: tuple[str, str | None]) -> list[dict[str, Any]]:
    """Put what to read first of each method into one row.

    Args:
        summary: Rows of ``search_summary``.
        headline: Method and loss that the others are compared with.

    Returns:
        Rows of ``search_methods``; what the summary lacks is None.
    """
    cells: dict[tuple[str, str, str | None], dict[str, Row]] = {}
    for row in summary:
        key = row["task"], row["method"], row["loss"]
        cells.setdefault(key, {})[row["metric"]] = row
    return [
        {
            "task": task,
            "method": method,
            "loss": loss,
            "headline": (method, loss) == headline,
            **{name: own["hit_share"][name] for name in ("n_seeds", "budget")},
            **{name: _cell(own, name) for name in _CELLS},
        }
        for (task, method, loss), own in cells.items()
    ]


_CELLS = [column.name for column in SEARCH_METHODS.columns[6:]]
"""Columns of ``search_methods`` that come from a row of the summary each."""


def _cell(own: Mapping[str, Row], name: str) -> float | str | None:
    part = next(
        (end for end in ("lower", "upper", "verdict", "p_holm") if name.endswith(f"_{end}")),
        "value",
    )
    metric = name.removesuffix(f"_{part}")
    if metric.endswith("_at_budget"):
        metric = metric.removesuffix("budget") + str(own["hit_share"]["budget"])
    value: float | str | None = own[metric][part] if metric in own else None
    return value


@dataclass(frozen=True)
class _Metric:
    name: str
    statistic: Literal["median", "mean"]
    values: Mapping[tuple[str, str | None], Mapping[int, float]]
    # 1 where more is better, -1 where less is; None where that depends on the task.
    sign: float | None = None
    # What a search that did not get there counts as in ratios, by method and seed.
    missed_as: Mapping[tuple[str, str | None], Mapping[int, float]] | None = None

    @property
    def margin(self) -> float:
        return 0.0 if self.missed_as is None else EVALUATIONS_MARGIN


def _of_task(
    task: str,
    runs: Mapping[tuple[str, str | None], Mapping[int, Sequence[Row]]],
    budget: int,
    headline: tuple[str, str | None],
    within: float,
) -> Iterable[dict[str, Any]]:
    for metric in _metrics(runs, budget, within):
        compared = _compared(metric, headline)
        corrected = dict(zip(compared, holm([c.p for c in compared.values()]), strict=True))
        for key, by_seed in metric.values.items():
            values = np.array(list(by_seed.values()))
            if metric.statistic == "median":
                of = censored_median(values)
            elif metric.name in _SHARES:
                bounds = share_interval(int(values.sum()), len(values))
                of = Censored(float(values.mean()), *bounds, 0)
            else:
                mean = mean_interval(values)
                of = Censored(float(values.mean()), mean.lower, mean.upper, 0)
            yield {
                "task": task,
                "method": key[0],
                "loss": key[1],
                "metric": metric.name,
                "statistic": metric.statistic,
                "budget": budget,
                "n_seeds": len(values),
                "n_missed": of.missed,
                "value": of.median,
                "lower": of.lower,
                "upper": of.upper,
                "against": " ".join(filter(None, headline)) if key in compared else None,
                **(compared[key].columns if key in compared else dict.fromkeys(_DIFFERENCE)),
                "margin": metric.margin,
                "p_holm": corrected.get(key),
            }


def _metrics(
    runs: Mapping[tuple[str, str | None], Mapping[int, Sequence[Row]]],
    budget: int,
    within: float,
) -> Iterable[_Metric]:
    for goal, share in zip(("optimum", "noise"), _SHARES, strict=True):
        first = {
            key: {seed: _first(rows, goal, within) for seed, rows in own.items()}
            for key, own in runs.items()
        }
        some = next(iter(next(iter(runs.values())).values()))[0]
        if goal == "noise" and some["within_noise"] is None:
            continue
        for column in ("evaluations", "gpu_hours"):
            if some[column] is None:
                continue
            times = {
                key: {s: np.inf if row is None else float(row[column]) for s, row in own.items()}
                for key, own in first.items()
            }
            spent = {
                key: {
                    seed: budget + 1.0 if column == "evaluations" else float(rows[-1][column])
                    for seed, rows in own.items()
                }
                for key, own in runs.items()
            }
            yield _Metric(f"{column}_to_{goal}", "median", times, -1.0, spent)
        yield _Metric(
            share,
            "mean",
            {key: {s: float(row is not None) for s, row in own.items()}
             for key, own in first.items()},
            1.0,
        )  # fmt: skip
    for at in checkpoints(budget):
        for column in ("best_label", "test_label", "regret"):
            values = {
                key: {
                    seed: last[column]
                    for seed, rows in own.items()
                    if (last := _last_by(rows, at))[column] is not None
                }
                for key, own in runs.items()
            }
            if all(values.values()):
                sign = -1.0 if column == "regret" else None
                yield _Metric(f"{column}_at_{at}", "mean", values, sign)
    seconds = {
        key: {seed: rows[-1]["predictor_seconds"] for seed, rows in own.items()}
        for key, own in runs.items()
        if key[1] is not None
    }
    yield _Metric("predictor_seconds", "mean", seconds, -1.0)


def _first(rows: Sequence[Row], goal: str, within: float) -> Row | None:
    """The row in which a search got there."""
    there = (
        row
        for row in rows
        if (row["rank"] == 1 or row["regret"] <= within if goal == "optimum"
            else row["within_noise"])
    )  # fmt: skip
    return next(there, None)


def _last_by(rows: Sequence[Row], evaluations: int) -> Row:
    """What a search had in hand by then; its first evaluation has a row, its last holds on."""
    return [row for row in rows if row["evaluations"] <= evaluations][-1]


_DIFFERENCE = ("difference", "difference_lower", "difference_upper", "verdict")


@dataclass(frozen=True)
class _Against:
    """A method against the headline."""

    difference: Interval
    verdict: Verdict | None
    p: float | None

    @property
    def columns(self) -> dict[str, Any]:
        own = self.difference
        return dict(zip(_DIFFERENCE, (own.mean, own.lower, own.upper, self.verdict), strict=True))


def _compared(
    metric: _Metric, headline: tuple[str, str | None]
) -> dict[tuple[str, str | None], _Against]:
    """Difference from the headline on the same seeds, by method."""
    if headline not in metric.values:
        return {}
    return {
        key: _against(metric, key, headline)
        for key, own in metric.values.items()
        if key != headline and any(seed in metric.values[headline] for seed in own)
    }


def _against(
    metric: _Metric, key: tuple[str, str | None], headline: tuple[str, str | None]
) -> _Against:
    seeds = [seed for seed in metric.values[key] if seed in metric.values[headline]]
    here, there = (
        np.array([metric.values[side][seed] for seed in seeds]) for side in (key, headline)
    )
    if metric.missed_as is None:
        difference = mean_interval(here - there)
        p = paired_p(here, there, numpy_generator(0, stream="flips"))
        verdict = None if metric.sign is None else judged(difference, metric.sign)
        return _Against(difference, verdict, p)
    spent = [
        np.array([metric.missed_as[side][seed] for seed in seeds]) for side in (key, headline)
    ]
    # What missed took longer than what it spent; by how much nobody knows.
    here, there = np.log(np.minimum(here, spent[0])), np.log(np.minimum(there, spent[1]))
    ratio = median_interval(here - there)
    verdict = judged(ratio, -1.0, math.log1p(metric.margin))
    found = Interval(
        ratio.n_seeds, _less_1(ratio.mean), _less_1(ratio.lower), _less_1(ratio.upper), None
    )
    p = paired_p(here, there, numpy_generator(0, stream="flips"))
    return _Against(found, verdict, p)


def _less_1(logarithm: float | None) -> float | None:
    """A ratio less 1, from its logarithm."""
    return None if logarithm is None else math.expm1(logarithm)
