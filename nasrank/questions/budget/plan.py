"""From stored runs to a plan: evaluations, hours and money until a target is reached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.errors import NothingToCompare, UsageError
from nasrank.losses import parse
from nasrank.metrics import seeds_needed
from nasrank.questions.budget.choices import RANK_ONCE, plan_rows, search_rows
from nasrank.questions.budget.stages import Stage, staged_plan
from nasrank.questions.budget.stored import (
    CHOICE,
    StoredResults,
    load_results,
    make_command,
    seed_range,
)
from nasrank.questions.budget.tables import PLAN, TRANSFER
from nasrank.questions.budget.targets import Reached, Target, reached
from nasrank.questions.budget.transfer import robust_choices, transfer_rows
from nasrank.tables import write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BudgetConfig", "BudgetPlan", "plan_budget"]

Row = dict[str, Any]


class BudgetConfig(BaseModel):
    """What to plan for; the names are those of the command's options.

    Attributes:
        top: Find one of this share of all architectures.
        regret: Find one at most so far from the best, in the metric's unit.
        better_than: Find one strictly better than this, in the metric's unit.
        confidence: Wanted probability of finding it.
        n_train: Training set sizes to look at; all of the tables by default.
        k: Most evaluations after the training set.
        losses: Losses to look at; all of the tables by default.
        tasks: Tasks to look at; all of the tables by default.
        space_size: Architectures of one's own space, for random search.
        hours_per_eval: GPU-hours of one evaluation; the benchmark's by default.
        cost_per_hour: Money for one GPU-hour.
        cost_per_eval: Money for one evaluation, beyond its GPU-hours.
        overhead: Money for the work of using a predictor at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    top: float | None = None
    regret: float | None = None
    better_than: float | None = None
    confidence: float = Field(0.8, gt=0, lt=1)
    n_train: tuple[PositiveInt, ...] | None = Field(None, min_length=1)
    k: int | None = Field(None, ge=0)
    losses: tuple[str, ...] | None = Field(None, min_length=1)
    tasks: tuple[str, ...] | None = Field(None, min_length=1)
    space_size: PositiveInt | None = None
    hours_per_eval: float | None = Field(None, gt=0)
    cost_per_hour: float | None = Field(None, ge=0)
    cost_per_eval: float | None = Field(None, ge=0)
    overhead: float | None = Field(None, ge=0)

    @property
    def target(self) -> Target:
        """What has to be found; one of the top 0.1 % where nothing is asked for.

        Raises:
            UsageError: Two targets are given, or one that nothing can reach.
        """
        given = [
            ("top", self.top),
            ("regret", self.regret),
            ("better", self.better_than),
        ]
        asked = [(kind, value) for kind, value in given if value is not None]
        if len(asked) > 1:
            raise UsageError("give one of --top, --regret and --better-than, not several")
        kind, value = asked[0] if asked else ("top", 0.001)
        target = Target(kind, value)  # type: ignore[arg-type]
        if kind == "top" and self.space_size is not None and round(value * self.space_size, 9) < 1:
            raise UsageError(
                f"--top {value:g} of {self.space_size:,} architectures is less than one "
                f"architecture. Ask for at least --top {math.ceil(1e6 / self.space_size) / 1e6:g}"
            )
        return target


@dataclass(frozen=True)
class BudgetPlan:
    """An answer.

    Attributes:
        target: What has to be found.
        config: What was asked.
        rows: Rows of :data:`~nasrank.questions.budget.tables.PLAN`, cheapest first in each task.
        choices: What each loss takes where it is decided on before the task is known: its
            training size with the least worst case over tasks, cheapest first.
        transfer: Rows of :data:`~nasrank.questions.budget.tables.TRANSFER`.
        transfer_by: ``space`` or ``task``: what was left out in turn.
        stages: The plan to carry out, empty where no choice reaches the target.
        left_out: What could not be answered and why, one line each.
        sources: Folders the answer was read from.
    """

    target: Target
    config: BudgetConfig
    rows: list[Row]
    choices: list[Row]
    transfer: list[Row]
    transfer_by: str
    stages: list[Stage]
    left_out: tuple[str, ...]
    sources: tuple[Path, ...]

    @property
    def tasks(self) -> list[str]:
        """Tasks that have an answer."""
        return list(dict.fromkeys(row["task"] for row in self.rows))

    @property
    def cheapest(self) -> list[Row]:
        """For each task the row that takes the fewest evaluations."""
        return [row for row in self.rows if row["cheapest"]]

    def document(self) -> Row:
        """Return all of it as JSON has it."""
        return {
            "target": {"kind": self.target.kind, "value": self.target.value},
            "config": self.config.model_dump(mode="json"),
            "results": [str(path) for path in self.sources],
            "stages": [stage.document() for stage in self.stages],
            "cheapest": self.cheapest,
            "choices": self.choices,
            "transfer": {"left_out": self.transfer_by, "rows": self.transfer},
            "rows": self.rows,
            "not_answered": list(self.left_out),
        }


def plan_budget(
    config: BudgetConfig, out: Path | None = None, *, results: StoredResults | None = None
) -> BudgetPlan:
    """Answer what reaching a target takes, from runs that were made before. Trains nothing.

    Args:
        config: What to plan for.
        out: Folder for ``plan.parquet``, ``transfer.parquet``, ``plan.json`` and ``run.json``;
            None writes nothing.
        results: The tables; the reference results by default.

    Raises:
        UsageError: The question cannot be meant, or nothing can reach the target.
        DataError: A table is missing, damaged or of another version, or the folder cannot be
            written.
        NothingToCompare: The tables hold no run of what was asked for, or too few seeds.
    """
    target = config.target
    stored = load_results() if results is None else results
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
        if target.kind == "top" and config.space_size is not None:
            largest = int(chosen["universe"].max())
            raise UsageError(
                f"--top {target.value:g}: the tables know spaces of up to {largest:,} different "
                "architectures, where that is less than one. Ask for at least --top "
                f"{math.ceil(1e6 / largest) / 1e6:g}, or give --results of a larger space"
            )
        raise refused[0]
    left_out += [str(error) for error in refused]
    _check_seeds(config, stored, rows)
    left_out += _inexact(stored, target, rows)
    _mark_cheapest(rows, config)
    order = {task: place for place, task in enumerate(hits)}
    rows.sort(key=lambda row: (order[row["task"]], row["evaluations"] or math.inf))
    choices = robust_choices([r for r in rows if r["method"] == RANK_ONCE], config.k)
    frame = chosen[chosen["task"].isin(list(hits))]
    by, transfer = transfer_rows(rows, frame, hits, config.k)
    plan = BudgetPlan(
        target,
        config,
        rows,
        choices,
        transfer,
        by,
        staged_plan(target, choices, frame, _halfway(choices[0], frame, hits)) if choices else [],
        tuple(left_out),
        stored.folders,
    )
    if out is not None:
        _write(plan, out)
    return plan


def _chosen(config: BudgetConfig, stored: StoredResults, left_out: list[str]) -> pd.DataFrame:
    """Runs that were asked for; names what was asked for and is not there."""
    runs = stored.runs
    losses = None if config.losses is None else [str(parse(loss)) for loss in config.losses]
    wanted = (("tasks", "task", config.tasks), ("losses", "loss", losses),
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
    own = runs[runs["task"] == best["worst_task"]]
    for name in CHOICE:
        own = own[own[name] == best[name]]
    after = hits[best["worst_task"]].after[own["run_id"]]
    return math.ceil(float(after.median()))


def _check_seeds(config: BudgetConfig, stored: StoredResults, rows: Sequence[Row]) -> None:
    seeds = seeds_needed(config.confidence)
    if all(row["n_seeds"] < seeds for row in rows):
        most = max(row["n_seeds"] for row in rows)
        raise NothingToCompare(
            f"--confidence {config.confidence:g} needs {seeds} seeds and the tables hold "
            f"{seed_range(stored)}: they answer up to --confidence "
            f"{math.floor(1000 * most / (most + 1)) / 1000:g}. Make more: "
            f"{make_command(stored, seeds=seeds)}, then add --results nasrank-out/more"
        )


def _inexact(stored: StoredResults, target: Target, rows: Sequence[Row]) -> list[str]:
    """What the tables know only roughly, and the command that makes it exact."""
    if all(row["exact"] for row in rows) and all(row["random_exact"] for row in rows):
        return []
    command = make_command(stored, keep_predictions=True)
    line = (
        f"{target}: evaluations are upper bounds at the stored steps of k (1, 2, 5, 10, 20, ...), "
        "and random search gets the fewest that the tables allow. Exact numbers need every "
        f"score: {command}, then --results nasrank-out/more"
    )
    return [line]


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


def _write(plan: BudgetPlan, out: Path) -> None:
    config = plan.config.model_dump(mode="json")
    about = {"command": "budget", "config": config, "results": [str(p) for p in plan.sources]}
    write_json(about, out / "run.json")
    names = [column.name for column in PLAN.columns]
    PLAN.write([{name: row[name] for name in names} for row in plan.rows],
               out / "plan.parquet", about)  # fmt: skip
    TRANSFER.write(plan.transfer, out / "transfer.parquet", about)
    write_json(plan.document(), out / "plan.json")
