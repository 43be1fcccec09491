"""From stored runs to a plan: evaluations, hours and cost until a target is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nasrank.errors import NothingToCompare, UsageError
from nasrank.questions.budget.choices import RANK_ONCE, plan_rows, search_rows
from nasrank.questions.budget.options import BudgetConfig
from nasrank.questions.budget.stages import staged_plan
from nasrank.questions.budget.stored import StoredResults, make_command, runs_of, seed_range
from nasrank.questions.budget.tables import CHOICES, PLAN, STAGES, TRANSFER
from nasrank.questions.budget.targets import Reached, Target, reached
from nasrank.questions.budget.transfer import robust_choices, transfer_rows
from nasrank.statistics import seeds_needed
from nasrank.study.study import Answer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["plan_budget"]

Row = dict[str, Any]


def plan_budget(config: BudgetConfig, stored: StoredResults) -> Answer:
    """Say what reaching a target takes, from stored runs. Trains nothing.

    Returns:
        Rows of ``plan``, cheapest first in each task; of ``choices``, what each loss takes when
        chosen before the task is known; of ``transfer``; and of ``stages``, the plan
        to carry out, none where no choice reaches the target.

    Raises:
        UsageError: Nothing can reach the target.
        NothingToCompare: The tables hold no run of what was asked for, or too few seeds.
    """
    target = Target.of(config)
    left_out: list[str] = []
    chosen = _chosen(config, stored, left_out)
    rows: list[Row] = []
    hits: dict[str, Reached] = {}
    refused: list[UsageError] = []
    for task in chosen["task"].unique():
        try:
            hits[task] = reached(stored, task, target)
        except UsageError as error:
            refused.append(error)
            continue
        rows += plan_rows(config, stored, chosen[chosen["task"] == task], hits[task])
        rows += search_rows(config, stored, task, hits[task])
    if not rows:
        raise _unreachable(config, target, chosen, refused)
    _check_seeds(config, stored, rows)
    _mark_cheapest(rows, config)
    order = {task: place for place, task in enumerate(hits)}
    rows.sort(key=lambda row: (order[row["task"]], row["evaluations"] or math.inf))
    choices = robust_choices([r for r in rows if r["method"] == RANK_ONCE], config.k)
    frame = chosen[chosen["task"].isin(list(hits))]
    by, transfer = transfer_rows(rows, frame, hits, config.k)
    stages = (
        staged_plan(target, choices, frame, _halfway(choices[0], frame, hits)) if choices else []
    )
    sources = [str(path) for path in stored.folders]
    return Answer(
        {
            PLAN: [PLAN.project(row) for row in rows],
            CHOICES: [CHOICES.project(row) for row in choices],
            TRANSFER: transfer,
            STAGES: stages,
        },
        record={"target": asdict(target), "results": sources, "transfer_left_out": by},
        notes=_inexact(stored, target, rows),
        left_out=(*left_out, *map(str, refused)),
        about={"results": sources},
    )


def _unreachable(
    config: BudgetConfig, target: Target, runs: pd.DataFrame, refused: Sequence[UsageError]
) -> UsageError:
    """Say why no task has an answer."""
    if target.kind != "top" or config.space_size is None:
        return refused[0]
    largest = int(runs["universe"].max())
    return UsageError(
        f"--top {target.value:g}: the largest space in the tables has {largest:,} different "
        "architectures, where that is less than one. Ask for at least --top "
        f"{math.ceil(1e6 / largest) / 1e6:g}, or give --results of a larger space"
    )


def _chosen(config: BudgetConfig, stored: StoredResults, left_out: list[str]) -> pd.DataFrame:
    """Runs that were asked for; names what was asked for and is not there."""
    runs = stored.runs
    wanted = (("tasks", "task", config.tasks), ("losses", "loss", config.losses),
              ("n_train", "n_train", config.n_train))  # fmt: skip
    for option, column, values in wanted:
        if values is None:
            continue
        known = runs[column].unique().tolist()
        absent = [value for value in values if value not in known]
        if absent:
            shown = ", ".join(map(str, absent))
            command = make_command(stored, **{option: list(absent)})
            line = (
                f"--{option.replace('_', '-')} {shown}: not in the tables, which hold "
                f"{', '.join(map(str, known))}. Make it: {command}, then add --results "
                "nasrank-out/more"
            )
            if len(absent) == len(values):
                raise NothingToCompare(line)
            left_out.append(line)
        runs = runs[runs[column].isin(list(values))]
    if runs.empty:
        raise NothingToCompare(
            "the tables hold no run with this --tasks, --losses and --n-train together. Leave "
            "one of them out"
        )
    return runs


def _halfway(best: Row, runs: pd.DataFrame, hits: dict[str, Reached]) -> int:
    """Evaluations after training by which half of the worst task's runs had reached the target."""
    own = runs_of(best, runs[runs["task"] == best["worst_task"]])
    after = hits[best["worst_task"]].after[own["run_id"]]
    return math.ceil(float(after.median()))


def _check_seeds(config: BudgetConfig, stored: StoredResults, rows: Sequence[Row]) -> None:
    seeds = seeds_needed(config.confidence)
    if all(row["n_seeds"] < seeds for row in rows):
        most = max(row["n_seeds"] for row in rows)
        raise NothingToCompare(
            f"--confidence {config.confidence:g} needs {seeds} seeds and the tables hold "
            f"{seed_range(stored)}: which is enough for --confidence "
            f"{math.floor(1000 * most / (most + 1)) / 1000:g}. Make more: "
            f"{make_command(stored, seeds=seeds)}, then add --results nasrank-out/more"
        )


def _inexact(stored: StoredResults, target: Target, rows: Sequence[Row]) -> tuple[str, ...]:
    """Say what the tables give only bounds of, and the command that makes it exact."""
    if all(row["exact"] for row in rows) and all(row["random_exact"] for row in rows):
        return ()
    command = make_command(stored, keep_predictions=True)
    line = (
        f"{target}: evaluations are upper bounds at the stored steps of k (1, 2, 5, 10, 20, ...), "
        "and those of random search are lower bounds. Exact numbers need every score: "
        f"{command}, then --results nasrank-out/more"
    )
    return (line,)


def _mark_cheapest(rows: Sequence[Row], config: BudgetConfig) -> None:
    for task in {row["task"] for row in rows}:
        known = [
            row
            for row in rows
            if row["task"] == task
            and row["method"] == RANK_ONCE
            and row["evaluations"] is not None
            and (config.k is None or row["k"] <= config.k)
        ]
        if known:
            # Of equals the one with the smaller training set can stop earlier.
            best = min(known, key=lambda row: (row["evaluations"], row["n_train"]))
            best["cheapest"] = True
