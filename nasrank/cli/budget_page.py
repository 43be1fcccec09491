"""A budget as people read it: tables, and the plan as a checklist."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.markup import escape

from nasrank.cli.output import Column, rich_table, shown

if TYPE_CHECKING:
    from nasrank.questions.budget.plan import BudgetPlan

__all__ = ["budget_page"]

_MANY = 4
"""More tasks than this do not get a column each, and no more losses than this are picked out."""


def budget_page(plan: BudgetPlan) -> list[RenderableType]:
    """Return all that people get to see of a plan: its tables and a checklist."""
    config = plan.config
    goal = f"{plan.target} with {100 * config.confidence:g} % confidence"
    rows = sum(1 for row in plan.rows if row["method"] == "rank-once")
    seeds = sorted({row["n_seeds"] for row in plan.rows})
    parts: list[RenderableType] = [
        escape(
            f"To find {goal}: {rows} choices of loss and training size on {len(plan.tasks)} "
            f"task{'s' * (len(plan.tasks) > 1)}, {shown(seeds)} seeds each."
        ),
        "",
        _cheapest(plan),
    ]
    if searches := [row for row in plan.rows if row["method"] != "rank-once"]:
        parts += ["", _searches(searches)]
    if plan.choices:
        parts += ["", _by_loss(plan)]
    parts += ["", *_reading_help(plan)]
    if config.k is not None:
        parts += ["", _within(plan)]
    if plan.transfer:
        parts += ["", _transfer(plan)]
    if plan.stages:
        parts += ["", *_checklist(plan)]
    else:
        limit = "" if config.k is None else f" within --k {config.k}"
        parts += ["", f"No choice reaches this on every task{limit}, so there is no plan to give."]
    return parts


def _reading_help(plan: BudgetPlan) -> list[RenderableType]:
    """What the two tables above it do and do not say."""
    about = (
        "Evaluations count the training set. GPU-hours and saved stand beside random search with "
        "the same confidence; intervals are over seeds. The cheapest of many choices looks better "
        "than it is."
    )
    lines = [about]
    if plan.config.space_size is not None:
        lines.append(
            f"Random search draws from {plan.config.space_size:,} architectures with the same "
            "share of good ones; the evaluations of a loss are those of the benchmarks."
        )
    if any(not row["exact"] for row in plan.rows):
        lines.append("<= is an upper bound, >= a lower one.")
    notes = [f"! {note}" for note in plan.left_out]
    return [
        escape(line)
        for text in [*lines, *notes]
        for line in textwrap.wrap(text, 100, break_on_hyphens=False, break_long_words=False)
    ]


def _cheapest(plan: BudgetPlan) -> RenderableType:
    columns = [
        Column("task", "task"),
        Column("choice", "cheapest choice"),
        Column("evaluations", "evaluations\n[95 %]", right=True),
        Column("random", "random\nsearch", right=True),
        Column("hours", "GPU-hours", right=True),
        Column("saved", "saved [95 %]", right=True),
    ]
    rows = []
    for task in plan.tasks:
        found = next((row for row in plan.cheapest if row["task"] == task), None)
        if found is None:
            any_row = next(row for row in plan.rows if row["task"] == task)
            rows.append(
                {
                    **dict.fromkeys((column.key for column in columns), "-"),
                    "task": escape(task),
                    "random": shown(any_row["random_evaluations"]),
                }
            )
            continue
        rows.append(
            {
                "task": escape(task),
                "choice": escape(f"{found['loss']}, {found['n_train']} + {found['k']}"),
                **_numbers(found),
            }
        )
    if any(row["cost"] is not None for row in plan.rows):
        columns += [
            Column("cost", "cost / random", right=True),
            Column("net", "saved money\nless overhead [95 %]", right=True),
            Column("return", "return on\noverhead", right=True),
        ]
        found_on = {row["task"]: row for row in plan.cheapest}
        rows = [
            {**row, **_money(found_on.get(task))}
            for row, task in zip(rows, plan.tasks, strict=True)
        ]
    title = "The cheapest choice of each task: training set + evaluations in predicted order"
    return rich_table(rows, [_as_is(column) for column in columns], title=title)


def _numbers(row: dict[str, Any]) -> dict[str, str]:
    sign = "" if row["exact"] else "<= "
    hours = "-"
    if row["gpu_hours"] is not None:
        hours = f"{row['gpu_hours']:,.0f} / {row['random_gpu_hours']:,.0f}"
    share = row["savings"]
    return {
        "evaluations": f"{sign}{shown(row['evaluations'])}"
        + _interval(row["evaluations_lower"], row["evaluations_upper"], shown),
        "random": ("" if row["random_exact"] else ">= ") + shown(row["random_evaluations"]),
        "hours": hours,
        "saved": "-"
        if share is None
        else f"{100 * share:.1f} %"
        + _interval(row["savings_lower"], row["savings_upper"], lambda s: f"{100 * s:.0f}"),
    }


def _money(row: dict[str, Any] | None) -> dict[str, str]:
    if row is None or row["cost"] is None:
        return {"cost": "-", "net": "-", "return": "-"}
    bounds = _interval(
        row["net_saving_lower"], row["net_saving_upper"], lambda value: f"{value:,.0f}"
    )
    ratio = row["return_on_work"]
    return {
        "cost": f"{row['cost']:,.0f} / {row['random_cost']:,.0f}",
        "net": f"{row['net_saving']:,.0f}{bounds}",
        "return": "-" if ratio is None else f"{ratio:,.1f} x",
    }


def _interval(lower: Any, upper: Any, show: Callable[[Any], str]) -> str:  # noqa: ANN401
    return "" if lower is None or upper is None else escape(f" [{show(lower)}, {show(upper)}]")


def _by_loss(plan: BudgetPlan) -> RenderableType:
    tasks = plan.tasks
    columns = [Column("loss"), Column("n_train", "n", right=True)]
    if 1 < len(tasks) <= _MANY:
        columns += [Column(task, task.replace("/", "/\n"), right=True) for task in tasks]
    columns += [
        Column("evaluations", "worst case\n[95 %]" if len(tasks) > 1 else "evaluations\n[95 %]",
               right=True),
        Column("hours", "GPU-hours", right=True),
        Column("saved", "saved [95 %]", right=True),
    ]  # fmt: skip
    if len(tasks) > _MANY:
        columns.insert(3, Column("worst_task", "on"))
    rows = []
    for choice in plan.choices:
        worst = choice["by_task"][choice["worst_task"]]
        each = {task: shown(row["evaluations"]) for task, row in choice["by_task"].items()}
        rows.append(
            {
                "loss": escape(choice["loss"]),
                "n_train": shown(choice["n_train"]),
                "worst_task": escape(choice["worst_task"]),
                **each,
                **_numbers(worst),
            }
        )
    last = {column.key: "" for column in columns}
    slowest = max(plan.rows, key=lambda r: (r["random_evaluations"], r["random_gpu_hours"] or 0))
    last |= {"loss": "random search", "evaluations": shown(slowest["random_evaluations"])}
    if slowest["random_gpu_hours"] is not None:
        last["hours"] = f"{slowest['random_gpu_hours']:,.0f}"
    if 1 < len(tasks) <= _MANY:
        for task in tasks:
            row = next(row for row in plan.rows if row["task"] == task)
            last[task] = shown(row["random_evaluations"])
    rows.append(last)
    title = "Each loss at the training size whose worst case over tasks is least"
    if len(tasks) == 1:
        title = f"Each loss at its cheapest training size on {tasks[0]}"
    return rich_table(rows, [_as_is(column) for column in columns], title=escape(title))


def _searches(rows: list[dict[str, Any]]) -> RenderableType:
    columns = [
        Column("task"),
        Column("method"),
        Column("loss"),
        Column("evaluations", "evaluations\n[95 %]", right=True),
        Column("random", "random\nsearch", right=True),
        Column("saved", "saved [95 %]", right=True),
    ]
    table = [
        {
            **{name: escape(shown(row[name])) for name in ("task", "method", "loss")},
            **_numbers(row),
        }
        for row in rows
    ]
    return rich_table(table, [_as_is(c) for c in columns], title="Searches in rounds")


def _within(plan: BudgetPlan) -> RenderableType:
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for row in plan.rows:
        if row["reached_share"] is None:
            continue
        key = row["task"], row["loss"]
        if key not in best or row["reached_share"] > best[key]["reached_share"]:
            best[key] = row
    rows = [
        {
            "task": escape(row["task"]),
            "loss": escape(row["loss"]),
            "n_train": shown(row["n_train"]),
            "reached": f"{100 * row['reached_share']:.0f} %"
            + _interval(row["reached_lower"], row["reached_upper"], lambda s: f"{100 * s:.0f}"),
            "random": f"{100 * row['random_reached']:.1f} %",
        }
        for task in plan.tasks
        for row in sorted(
            (row for row in best.values() if row["task"] == task),
            key=lambda row: -float(row["reached_share"]),
        )[:_MANY]
    ]
    columns = [
        Column("task"),
        Column("loss"),
        Column("n_train", "n", right=True),
        Column("reached", "found by n + k\n[95 %]", right=True),
        Column("random", "random search\nwith n + k", right=True),
    ]
    title = (
        f"Share of seeds that find it within k = {plan.config.k}: the {_MANY} best losses of each "
        "task, at their best n"
    )
    return rich_table(rows, [_as_is(column) for column in columns], title=title)


def _transfer(plan: BudgetPlan) -> RenderableType:
    rows = [
        {
            "task": escape(row["task"]),
            "choice": escape(
                f"{row['loss']}, {row['n_train']} + {row['planned'] - row['n_train']}"
            ),
            "reached": f"{row['reached']} of {row['n_seeds']}",
            "needed": shown(row["needed"]),
            "cheapest": shown(row["cheapest"]),
        }
        for row in plan.transfer
    ]
    columns = [
        Column("task", "carried out on"),
        Column("choice", "plan made without it"),
        Column("reached", "seeds that\nfind it", right=True),
        Column("needed", "evaluations this\nchoice needs", right=True),
        Column("cheapest", "its own\ncheapest", right=True),
    ]
    kept = sum(row["reached"] for row in plan.transfer)
    seeds = sum(row["n_seeds"] for row in plan.transfer)
    title = (
        f"If your space is unlike these: plans made without a {plan.transfer_by}, carried out on "
        f"it.\nPromised {100 * plan.config.confidence:g} %, kept {100 * kept / seeds:.0f} %"
    )
    return rich_table(rows, [_as_is(column) for column in columns], title=title)


def _checklist(plan: BudgetPlan) -> list[RenderableType]:
    best = plan.choices[0]
    over = f" on {best['worst_task']}, the worst of {len(plan.tasks)} tasks"
    total = f"{best['n_train']:,} + {best['k']:,} = {best['evaluations']:,} evaluations"
    lines = [f"The plan: {best['loss']}, {total}{over if len(plan.tasks) > 1 else ''}"]
    for number, stage in enumerate(plan.stages, 1):
        spent = ""
        if stage.evaluations:
            spent = f" ({stage.evaluations:,} evaluation{'s' * (stage.evaluations > 1)}"
            if stage.gpu_hours is not None:
                spent += f", {stage.gpu_hours:,.0f} GPU-hours"
            if stage.cost is not None:
                spent += f", cost {stage.cost:,.0f}"
            spent += f"; {stage.total:,} in all)"
        lines.append(f"[ ] {number}. {stage.name}{spent}")
        # A pipe is as wide as its widest line; prose must not be that line.
        lines += textwrap.wrap(stage.what, 94, initial_indent=" " * 6, subsequent_indent=" " * 6)
        if stage.command:
            lines.append(f"      $ {stage.command}")
    return [escape(line) for line in lines]


def _as_is(column: Column) -> Column:
    """Cells hold markup already."""
    return Column(column.key, column.title, show=str, right=column.right)
