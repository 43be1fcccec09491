"""Plans for an unseen task: the worst case over tasks, and how such a plan does elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nasrank.questions.budget.stored import CHOICE, runs_of, without_each

if TYPE_CHECKING:
    import pandas as pd

    from nasrank.questions.budget.targets import Reached

__all__ = ["robust_choices", "transfer_rows"]

Row = dict[str, Any]


def robust_choices(rows: Sequence[Row], limit: int | None = None) -> list[Row]:
    """For each loss the training size with the least worst case over tasks, cheapest first.

    Args:
        rows: Rows of ``plan`` without searches in rounds.
        limit: Most evaluations after the training set, or None.

    Returns:
        One row for each predictor, sampling and loss that has an answer on every task:
        ``predictor, sampling, loss, n_train``, ``evaluations`` and ``k`` of the worst task,
        ``worst_task``, and ``by_task``: the row of each task.
    """
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    by_choice: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["evaluations"] is not None and (limit is None or row["k"] <= limit):
            by_choice[tuple(row[name] for name in CHOICE)][row["task"]] = row
    best: dict[tuple[Any, ...], Row] = {}
    for choice, by_task in by_choice.items():
        if len(by_task) < len(tasks):
            continue
        worst = max(by_task.values(), key=lambda row: int(row["evaluations"]))
        found = {
            **dict(zip(CHOICE, choice, strict=True)),
            "k": worst["k"],
            "evaluations": worst["evaluations"],
            "worst_task": worst["task"],
            "by_task": {task: by_task[task] for task in tasks},
        }
        other = best.get(choice[:-1])
        if other is None or _order(found) < _order(other):
            best[choice[:-1]] = found
    return sorted(best.values(), key=_order)


def transfer_rows(
    rows: Sequence[Row],
    runs: pd.DataFrame,
    hits: Mapping[str, Reached],
    limit: int | None = None,
) -> tuple[str, list[Row]]:
    """Plan without one space (or task), and follow the plan there.

    Args:
        rows: Rows of ``plan``.
        runs: The runs behind them.
        hits: When they had reached the target, by task.
        limit: Most evaluations after the training set, or None.

    Returns:
        What was left out, ``space`` or ``task``, and rows of ``transfer``: none where there is
        one task, or where no run followed the plan on the task left out.
    """
    single = [row for row in rows if row["predictor"] is not None]
    by, groups = without_each(list(hits))
    result: list[Row] = []
    for group, tasks in groups.items() if len(groups) > 1 else ():
        planned = robust_choices([row for row in single if row["task"] not in tasks], limit)
        if not planned:
            continue
        plan = planned[0]
        for task in tasks:
            there = [r for r in single if r["task"] == task and r["evaluations"] is not None]
            if limit is not None:
                there = [row for row in there if row["k"] <= limit]
            own = runs_of(plan, runs[runs["task"] == task])
            if own.empty or not there:
                continue
            after = hits[task].after[own["run_id"]]
            same = [r for r in there if all(r[name] == plan[name] for name in CHOICE)]
            result.append(
                {
                    "left_out": group,
                    "task": task,
                    **{name: plan[name] for name in CHOICE},
                    "planned": plan["evaluations"],
                    "n_seeds": len(own),
                    "reached": int((after <= plan["k"]).sum()),
                    "needed": same[0]["evaluations"] if same else None,
                    "cheapest": min(row["evaluations"] for row in there),
                }
            )
    return by, result


def _order(row: Row) -> tuple[int, int]:
    return int(row["evaluations"]), int(row["n_train"])
