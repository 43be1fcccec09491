"""The tables of searches, and what one search says row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nasrank.questions.search.problem import Problem
from nasrank.tables import Column, Table

__all__ = ["SEARCH", "SEARCHED", "SEARCH_SUMMARY", "search_rows"]

_UNIT = "metric"
_CONTROL = "a control, which no predictor guides"
_HOUR = 3600.0

SEARCHED = Table(
    "searched",
    "One search, as it is kept once it is finished",
    (
        Column("run_id", "string", "", "Hash of the search's configuration and data"),
        Column("evaluated", "list<int64>", "", "Positions of the architectures, in order"),
        Column("round", "list<int64>", "", "Round of each; 0 is the start"),
        Column("seconds", "list<double>", "s", "The predictor's own time in each round"),
    ),
)

SEARCH = Table(
    "search",
    "One search after an evaluation: one that found something better, or the last of a round",
    (
        Column("run_id", "string", "", "Hash of the search's configuration and data"),
        Column("task", "string", "", "space/dataset, with :metric where it is not the default"),
        Column("universe", "int64", "architectures", "Different architectures with a label"),
        Column("method", "string", "", "The control, or predictor and acquisition"),
        Column("predictor", "string", "", "Name of the predictor", _CONTROL),
        Column("loss", "string", "", "Canonical spelling of the loss", _CONTROL),
        Column("seed", "int64", "", "Seed of the search"),
        Column("round", "int64", "", "Fits so far; 0 is the start", _CONTROL),
        Column("evaluations", "int64", "evaluations", "Architectures evaluated so far"),
        Column("best_label", "double", _UNIT, "Label of the best one so far"),
        Column(
            "test_label",
            "double",
            _UNIT,
            "Test label of that one, in the direction of its own metric",
            "the task has no test metric, or it is missing there",
        ),
        Column("regret", "double", _UNIT, "How far that is from the best there is; 0 is best"),
        Column("rank", "int64", "rank", "Its place among all, 1 is best, ties share the best"),
        Column(
            "within_noise",
            "bool",
            "",
            "Whether it is within one standard error of the best one's mean",
            "the task has one training seed",
        ),
        Column(
            "gpu_hours",
            "double",
            "h",
            "Training time of what is evaluated, as the benchmark reports it",
            "the space has no training times",
        ),
        Column("predictor_seconds", "double", "s", "Fitting and scoring so far", _CONTROL),
    ),
)

SEARCH_SUMMARY = Table(
    "search_summary",
    "One number of one method over its searches, compared with the headline method",
    (
        Column("task", "string", "", "space/dataset, with :metric where it is not the default"),
        Column("method", "string", "", "The control, or predictor and acquisition"),
        Column("loss", "string", "", "Canonical spelling of the loss", _CONTROL),
        Column(
            "metric",
            "string",
            "",
            "evaluations_to_ or gpu_hours_to_ optimum or noise, hit_share or noise_share, "
            "predictor_seconds, or best_label, test_label or regret _at_ evaluations",
        ),
        Column("statistic", "string", "", "median of searches that may not get there, or mean"),
        Column("budget", "int64", "evaluations", "Most evaluations of a search"),
        Column("n_seeds", "int64", "searches", "Searches that count"),
        Column("n_missed", "int64", "searches", "Those that did not get there within the budget"),
        Column(
            "value",
            "double",
            _UNIT,
            "The statistic",
            "half of the searches or more did not get there, so it lies beyond the budget",
        ),
        Column("lower", "double", _UNIT, "95 % bootstrap over seeds", "beyond the budget"),
        Column(
            "upper", "double", _UNIT, "95 % bootstrap over seeds", "beyond the budget, or one seed"
        ),
        Column("against", "string", "", "The headline method", "the headline itself"),
        Column(
            "difference",
            "double",
            _UNIT,
            "Mean difference to it on the same seeds; what missed counts as the budget and one",
            "the headline itself, or no shared value",
        ),
        Column(
            "p_holm",
            "double",
            "1",
            "Paired sign-flip test of that difference, Holm-corrected over methods",
            "the headline itself, or no shared value",
        ),
    ),
)


def search_rows(
    problem: Problem, about: Mapping[str, Any], kept: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Tell what a search had in hand as it went on.

    Args:
        problem: What was searched.
        about: ``run_id``, ``task``, ``method``, ``predictor``, ``loss`` and ``seed``.
        kept: Its row of :data:`SEARCHED`.

    Returns:
        Rows of :data:`SEARCH`: after every evaluation that found something better, and after the
        last one of each round. A control has no rounds, so its last row is that of its budget.
    """
    order = np.searchsorted(problem.classes, problem.task.space.class_of[kept["evaluated"]])
    rounds = np.array(kept["round"], np.int64)
    labels = problem.labels[order]
    best = np.maximum.accumulate(labels)
    better = np.diff(best, prepend=-np.inf) > 0
    # Where the best so far stands among the evaluated: the last place that was better.
    holder = order[np.maximum.accumulate(np.where(better, np.arange(len(order)), 0))]
    ends = np.append(np.diff(rounds) > 0, True)
    ranks = problem.ranks()
    hours = None
    if problem.cost_seconds is not None:
        hours = np.cumsum(problem.cost_seconds[order]) / _HOUR
    seconds = np.cumsum(kept["seconds"])
    guided = about["predictor"] is not None
    rows = []
    for at in np.flatnonzero(better | ends).tolist():
        place = int(holder[at])
        test = None if problem.test_labels is None else float(problem.test_labels[place])
        regret = problem.best - float(problem.labels[place])
        rows.append(
            {
                **about,
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
