"""The tables of searches, and what one search says row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.tables import (
    Column,
    Table,
    bounds,
    count,
    flag,
    number,
    share,
    spelling,
    text,
)

if TYPE_CHECKING:
    from nasrank.questions.search.guided import Found
    from nasrank.questions.search.identity import SearchRun
    from nasrank.questions.search.problem import Problem

__all__ = [
    "CHECKPOINTS",
    "EVALUATIONS_MARGIN",
    "SEARCH",
    "SEARCHED",
    "SEARCH_METHODS",
    "SEARCH_SUMMARY",
    "kept_row",
    "rows_of",
    "search_rows",
]

CHECKPOINTS = (50, 100, 150)
"""Evaluations at which published searches are compared."""

EVALUATIONS_MARGIN = 0.1
"""A ratio of evaluations, or of their GPU-hours, of 1.1, either way, does not matter."""

_UNIT = "metric"
_CONTROL = "a control, which no predictor guides"
_INTERVAL = "95 % interval over seeds: exact binomial for medians and shares, Student for means"
_OPEN = "open: beyond the budget, or fewer than six searches; or the mean of one"
_HOUR = 3600.0

SEARCH = Table(
    "search",
    "One search after an evaluation that found something better, or after the last of a round",
    (
        text("run_id", "Hash of the search's configuration and data"),
        text("task", "space/dataset, with :metric where it is not the default"),
        count("universe", "architectures", "Different architectures with a label"),
        text("method", "The control, or predictor and acquisition"),
        spelling("predictor", "Name of the predictor", _CONTROL),
        spelling("loss", "Canonical spelling of the loss", _CONTROL),
        count("seed", "", "Seed of the search"),
        count("round", "", "Fits so far; 0 is the start", _CONTROL),
        count("evaluations", "evaluations", "Architectures evaluated so far"),
        number("best_label", _UNIT, "Label of the best one so far, as far as it was told"),
        number("test_label", _UNIT, "Test label of that one, in the direction of its own metric",
               "the task has no test metric, or it is missing there"),
        number("regret", _UNIT, "Regret against the best there is; 0 is best", better="lower"),
        count("rank", "rank", "Its rank among all, 1 is best, ties share the best",
              better="lower"),
        flag("within_noise", "Whether it is within one standard error of the best one's mean",
             "the task has one training seed", better="higher"),
        number("gpu_hours", "h", "Training time of what is evaluated, as the benchmark reports it",
               "the space has no training times"),
        number("predictor_seconds", "s", "Fitting and scoring so far", _CONTROL, better="lower"),
    ),
)  # fmt: skip

_OF_THE_RUN = ("run_id", "task", "method", "predictor", "loss", "seed")
"""Columns of ``search`` that the identity of a search says."""
_ON_THE_WAY = tuple(column for column in SEARCH.columns if column.name not in _OF_THE_RUN)

SEARCHED = Table(
    "searched",
    "One search with all its rows of search, as it is kept once it is finished",
    (
        SEARCH.columns[0],
        *(
            Column(f"search.{each.name}", f"list<{each.type}>", each.unit, each.about)
            for each in _ON_THE_WAY
        ),
    ),
)

SEARCH_SUMMARY = Table(
    "search_summary",
    "One number of one method over its searches, compared with the headline method",
    (
        *SEARCH.pick("task", "method", "loss"),
        text("metric", "evaluations_to_ or gpu_hours_to_ optimum or noise, hit_share or "
             "noise_share, predictor_seconds, or best_label, test_label or regret _at_ "
             "evaluations"),
        text("statistic", "median, of searches that may not reach it, or mean"),
        count("budget", "evaluations", "Most evaluations of a search"),
        count("n_seeds", "searches", "Searches that count"),
        count("n_missed", "searches", "Those that did not reach it within the budget"),
        number("value", _UNIT, "The statistic",
               "half of the searches or more did not reach it, so it lies beyond the budget"),
        *bounds(_UNIT, _INTERVAL, _OPEN),
        text("against", "The headline method", "the headline itself"),
        number("difference", _UNIT,
               "Mean difference to it on the same seeds; of evaluations and hours the median of "
               "ratios to it, minus 1, where what missed counts as what was spent and one more",
               "the headline itself, or no shared value"),
        *bounds(_UNIT, "95 % interval: Student for means, exact for medians",
                "the headline itself, or too few searches", of="difference"),
        number("margin", _UNIT, "Difference that does not matter, either way; of evaluations and "
               "hours a ratio that does not"),
        text("verdict", "better or worse than the headline where the interval is beyond the "
             "margin, equivalent where it is all within, or undecided",
             "the headline itself, or neither more nor less is better"),
        share("p_holm", "Paired sign-flip test of that difference, Holm-corrected over methods",
              "the headline itself, or no shared value"),
    ),
)  # fmt: skip

_BEYOND = "half of the searches or more did not reach it, or the noise is not known"
_SMALL = "the budget is smaller"


def _compared(name: str, unit: str, about: str, null: str) -> tuple[Column, ...]:
    return (
        number(name, unit, about, null, better="lower"),
        *bounds(unit, _INTERVAL, f"{null}; {_OPEN}", of=name),
        text(f"{name}_verdict", "Against the headline, see search_summary",
             f"the headline itself, or no shared value; {null}"),
        share(f"{name}_p_holm",
              "Paired sign-flip test against the headline, Holm-corrected over methods",
              f"the headline itself, or no shared value; {null}"),
    )  # fmt: skip


SEARCH_METHODS = Table(
    "search_methods",
    "One method on one task",
    (
        *SEARCH.pick("task", "method", "loss"),
        flag("headline", "Whether the others are compared with it"),
        *SEARCH_SUMMARY.pick("n_seeds", "budget"),
        *_compared(
            "evaluations_to_optimum",
            "evaluations",
            "Median until the best, or what is --within of it, is found",
            _BEYOND,
        ),
        share("hit_share", "Share that found the best", better="higher"),
        *_compared(
            "evaluations_to_noise",
            "evaluations",
            "Median until something within noise of the best is found",
            _BEYOND,
        ),
        share("noise_share", "Share that found something within noise of the best",
              "the task has one training seed", better="higher"),
        *(
            column
            for goal, found in (("optimum", "the best is found"), ("noise", "within its noise"))
            for column in _compared(
                f"gpu_hours_to_{goal}", "h", f"Median training time until {found}",
                f"{_BEYOND}, or there are no training times",
            )
        ),
        number("predictor_seconds", "s", "Mean of fitting and scoring", _CONTROL),
        *(
            column
            for at in CHECKPOINTS
            for column in _compared(
                f"regret_at_{at}", _UNIT, f"Mean regret after {at} evaluations", _SMALL
            )
        ),
        *_compared("regret_at_budget", _UNIT, "Mean regret in the end", "no regret is known"),
        number("best_label_at_budget", _UNIT, "Mean label of the best in the end"),
        number("test_label_at_budget", _UNIT,
               "Mean test label of that one, in the direction of its own metric",
               "the task has no test metric, or it is missing there"),
    ),
)  # fmt: skip


def search_rows(problem: Problem, found: Found) -> list[dict[str, Any]]:
    """Tell what a search had in hand as it went on.

    Returns:
        Rows of :data:`SEARCH`: after every evaluation that found something better, and after the
        last one of each round. A control has no rounds, so its last row is that of its budget.
    """
    order, rounds = np.array(found.order, np.int64), np.array(found.rounds, np.int64)
    best = np.maximum.accumulate(found.seen.labels[order])
    better = np.diff(best, prepend=-np.inf) > 0
    # Where the best so far stands among the evaluated: the last place that was better.
    holder = order[np.maximum.accumulate(np.where(better, np.arange(len(order)), 0))]
    ends = np.append(np.diff(rounds) > 0, True)
    ranks = problem.ranks()
    hours = None
    if problem.cost_seconds is not None:
        hours = np.cumsum(problem.cost_seconds[order]) / _HOUR
    seconds = np.cumsum(found.seconds)
    guided = found.run.predictor is not None
    rows = []
    for at in np.flatnonzero(better | ends).tolist():
        place = int(holder[at])
        test = None if problem.test_labels is None else float(problem.test_labels[place])
        regret = problem.best - float(problem.labels[place])
        rows.append(
            {
                **_of_the_run(found.run),
                "universe": len(problem),
                "round": int(rounds[at]) if guided else None,
                "evaluations": at + 1,
                "best_label": problem.sign * float(problem.labels[place]),
                "test_label": None if test is None or np.isnan(test) else test,
                "regret": regret,
                "rank": int(ranks[place]),
                "within_noise": (
                    None if problem.tolerance is None else regret <= problem.tolerance
                ),
                "gpu_hours": None if hours is None else float(hours[at]),
                "predictor_seconds": float(seconds[rounds[at]]) if guided else None,
            }
        )
    return rows


def kept_row(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the row of :data:`SEARCHED` of a search's rows of :data:`SEARCH`."""
    lists = {f"search.{each.name}": [row[each.name] for row in rows] for each in _ON_THE_WAY}
    return {"run_id": rows[0]["run_id"], **lists}


def rows_of(run: SearchRun, kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of :data:`SEARCH` of what is kept of a search."""
    names = [each.name for each in _ON_THE_WAY]
    lines = zip(*(kept[f"search.{name}"] for name in names), strict=True)
    return [{**_of_the_run(run), **dict(zip(names, line, strict=True))} for line in lines]


def _of_the_run(run: SearchRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _OF_THE_RUN}
