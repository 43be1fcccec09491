"""What people see of a budget, tables and a checklist, and of a recommendation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nasrank.questions.budget.cells import GOALS
from nasrank.questions.budget.choices import RANK_ONCE
from nasrank.questions.budget.options import BudgetConfig, RecommendConfig
from nasrank.questions.budget.stored import CHOICE
from nasrank.questions.budget.targets import Target
from nasrank.study.study import Result
from nasrank.study.view import Field, Part, Sheet, bounds, joined, number, plural, with_interval

__all__ = ["view_budget", "view_recommendation"]

Row = dict[str, Any]

_MANY = 4
"""More tasks than this do not get a column each, and no more losses than this are picked out."""

_NUMBERS = (
    Field("evaluations", "evaluations\n[95 %]", right=True, keep=8),
    Field("random", "random\nsearch", right=True, keep=7),
    Field("hours", "GPU-hours", right=True, keep=4),
    Field("saved", "saved [95 %]", right=True, keep=6),
)
_MONEY = (
    Field("cost", "cost / random", right=True, keep=4),
    Field("net", "cost saved\nless overhead [95 %]", right=True, keep=6),
    Field("return", "return on\noverhead", right=True, keep=5),
)


def view_budget(result: Result[BudgetConfig]) -> Iterable[Part]:
    """Return a plan as people read it: its tables and a checklist."""
    config, rows, choices = result.config, result.rows, result.tables["choices"]
    tasks = _tasks(rows)
    once = [row for row in rows if row["method"] == RANK_ONCE]
    seeds = " or ".join(map(str, sorted({row["n_seeds"] for row in rows})))
    yield (
        f"To find {Target.of(config)} with {100 * config.confidence:g} % confidence: "
        f"{len(once)} choices of loss and training size on {plural(len(tasks), 'task')}, "
        f"{seeds} seeds each."
    )
    yield ""
    yield _cheapest(rows)
    if len(once) < len(rows):
        yield _searches([row for row in rows if row["method"] != RANK_ONCE])
    if choices:
        yield _by_loss(rows, choices)
    yield (
        "Evaluations include the training set. GPU-hours and savings are against random search "
        "with the same confidence; intervals are over seeds. The cheapest of many choices looks "
        "better than it is."
    )
    if config.space_size is not None:
        yield (
            f"Random search draws from {config.space_size:,} architectures with the same share of "
            "good ones; the evaluations of a loss are those of the benchmarks."
        )
    if any(not row["exact"] for row in rows):
        yield "<= marks an upper bound, >= a lower bound."
    yield from (f"! {note}" for note in result.notes)
    yield ""
    if config.k is not None:
        yield _within(rows, config.k)
    if result.tables["transfer"]:
        yield from _transfer(result)
    if choices:
        yield from _checklist(result)
    else:
        limit = "" if config.k is None else f" within --k {config.k}"
        yield f"No choice reaches this on every task{limit}, so there is no plan."


def _tasks(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["task"] for row in rows))


def _cheapest(rows: Sequence[Row]) -> Sheet:
    found = {row["task"]: row for row in rows if row["cheapest"]}
    lines = []
    for task in _tasks(rows):
        row = found.get(task)
        if row is None:
            any_row = next(each for each in rows if each["task"] == task)
            lines.append({"task": task, "random": any_row["random_evaluations"]})
        else:
            choice = f"{row['loss']}, {row['n_train']} + {row['k']}"
            lines.append({"task": task, "choice": choice, **_numbers(row), **_money(row)})
    fields = [Field("task", keep=9), Field("choice", "cheapest choice", keep=9), *_NUMBERS]
    if any(row["cost"] is not None for row in rows):
        fields += _MONEY
    return Sheet(
        [{**dict.fromkeys(field.key for field in fields), **line} for line in lines],
        fields,
        "The cheapest choice of each task: training set + evaluations in predicted order",
    )


def _numbers(row: Row) -> dict[str, str]:
    exact = "" if row["exact"] else "<= "
    hours, share = "-", row["savings"]
    if row["gpu_hours"] is not None:
        hours = f"{row['gpu_hours']:,.0f} / {row['random_gpu_hours']:,.0f}"
    return {
        "evaluations": f"{exact}{with_interval(row, 'evaluations', number)}",
        "random": ("" if row["random_exact"] else ">= ") + number(row["random_evaluations"]),
        "hours": hours,
        "saved": "-"
        if share is None
        else f"{100 * share:.1f} % {_percents(row, 'savings')}".rstrip(),
    }


def _money(row: Row) -> dict[str, str]:
    if row["cost"] is None:
        return {}
    back = row["return_on_work"]
    return {
        "cost": f"{row['cost']:,.0f} / {row['random_cost']:,.0f}",
        "net": with_interval(row, "net_saving", lambda value: f"{value:,.0f}"),
        "return": "-" if back is None else f"{back:,.1f} x",
    }


def _percents(row: Row, name: str) -> str:
    return bounds(row[f"{name}_lower"], row[f"{name}_upper"], lambda share: f"{100 * share:.0f}")


def _by_loss(rows: Sequence[Row], choices: Sequence[Row]) -> Sheet:
    tasks = _tasks(rows)
    each_task = tasks if 1 < len(tasks) <= _MANY else []
    known = {(row["task"], *(row[name] for name in CHOICE)): row for row in rows}
    lines = []
    for choice in choices:
        by_task = {task: known[task, *(choice[name] for name in CHOICE)] for task in tasks}
        line = {**choice, **{task: by_task[task]["evaluations"] for task in each_task}}
        lines.append(line | _numbers(by_task[choice["worst_task"]]))
    slowest = max(rows, key=lambda row: (row["random_evaluations"], row["random_gpu_hours"] or 0))
    hours = slowest["random_gpu_hours"]
    by_random = {row["task"]: row["random_evaluations"] for row in rows}
    lines.append(
        {
            **dict.fromkeys(lines[0], ""),
            **{task: by_random[task] for task in each_task},
            "loss": "random search",
            "evaluations": slowest["random_evaluations"],
            "hours": "" if hours is None else f"{hours:,.0f}",
        }
    )
    evaluations, _, *others = _NUMBERS
    if len(tasks) > 1:
        evaluations = Field("evaluations", "worst case\n[95 %]", right=True, keep=8)
    fields = [
        Field("loss", keep=9),
        Field("n_train", "n", right=True, keep=9),
        *(Field(task, task.replace("/", "/\n"), right=True, keep=3) for task in each_task),
        evaluations,
        *([Field("worst_task", "on")] if len(tasks) > _MANY else []),
        *others,
    ]
    title = "Each loss at the training size with the best worst case over tasks"
    if len(tasks) == 1:
        title = f"Each loss at its cheapest training size on {tasks[0]}"
    return Sheet(lines, fields, title)


def _searches(rows: Sequence[Row]) -> Sheet:
    names = ("task", "method", "loss")
    fields = [*(Field(name, keep=9) for name in names), *_NUMBERS]
    lines = [{**{name: row[name] for name in names}, **_numbers(row)} for row in rows]
    return Sheet(lines, [field for field in fields if field.key != "hours"], "Searches in rounds")


def _within(rows: Sequence[Row], k: int) -> Sheet:
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row["task"], row["loss"]
        share = row["reached_share"]
        if share is not None and (key not in best or share > best[key]["reached_share"]):
            best[key] = row
    shown = []
    for task in _tasks(rows):
        own = [row for row in best.values() if row["task"] == task]
        shown += sorted(own, key=lambda row: -float(row["reached_share"]))[:_MANY]
    lines = [
        {
            **row,
            "reached": f"{100 * row['reached_share']:.0f} % {_percents(row, 'reached')}",
            "random": f"{100 * row['random_reached']:.1f} %",
        }
        for row in shown
    ]
    fields = (
        Field("task", keep=9),
        Field("loss", keep=9),
        Field("n_train", "n", right=True, keep=8),
        Field("reached", "found by n + k\n[95 %]", right=True, keep=8),
        Field("random", "random search\nwith n + k", right=True, keep=7),
    )
    title = (
        f"Share of seeds that find it within k = {k}: the {_MANY} best losses of each task, at "
        "their best n"
    )
    return Sheet(lines, fields, title)


def _transfer(result: Result[BudgetConfig]) -> Iterable[Part]:
    rows, by = result.tables["transfer"], (result.record or {})["transfer_left_out"]
    lines = [
        {
            **row,
            "choice": f"{row['loss']}, {row['n_train']} + {row['planned'] - row['n_train']}",
            "reached": f"{row['reached']} of {row['n_seeds']}",
        }
        for row in rows
    ]
    fields = (
        Field("task", "followed on", keep=9),
        Field("choice", f"plan made without its {by}", keep=9),
        Field("reached", "seeds that\nfind it", right=True, keep=8),
        Field("needed", "evaluations this\nchoice needs", right=True, keep=7),
        Field("cheapest", "its own\ncheapest", right=True, keep=6),
    )
    title = f"If your space is unlike these: plans made without a {by}, then followed on it"
    yield Sheet(lines, fields, title)
    # Every task counts as much as another, however many seeds it was run with.
    kept = sum(row["reached"] / row["n_seeds"] for row in rows) / len(rows)
    yield f"Planned for {100 * result.config.confidence:g} %, reached {100 * kept:.0f} %."
    yield ""


def _checklist(result: Result[BudgetConfig]) -> Iterable[str]:
    best, *_ = result.tables["choices"]
    tasks = _tasks(result.rows)
    over = f" on {best['worst_task']}, the worst of {len(tasks)} tasks" if len(tasks) > 1 else ""
    total = f"{best['n_train']:,} + {best['k']:,} = {best['evaluations']:,} evaluations"
    yield f"The plan: {best['loss']}, {total}{over}"
    for place, stage in enumerate(result.tables["stages"], 1):
        hours, cost = stage["gpu_hours"], stage["cost"]
        spent = joined(
            [
                plural(stage["evaluations"], "evaluation"),
                "" if hours is None else f"{hours:,.0f} GPU-hours",
                "" if cost is None else f"cost {cost:,.0f}",
            ]
        )
        about = f" ({spent}; {stage['total']:,} in all)" if stage["evaluations"] else ""
        yield f"[ ] {place}. {stage['stage']}{about}"
        yield f"      {stage['what']}"
        if stage["command"]:
            yield f"      $ {stage['command']}"


_READING = (
    "Regret: the measure of each cell's best loss minus that of this one, on seeds the best was "
    "not chosen by; negative where the best did worse there. A cell is a task at a training size, "
    "weighted by its likeness to your case. Surely: by a 95 % interval over seeds and a margin."
)
_COST = Field("cost", "regret\n[95 %]", right=True, keep=8)
_WORST = Field("worst", "worst\nregret", right=True, keep=6)
_MEASURED = (
    Field("mean", right=True, keep=7),
    _COST,
    _WORST,
    Field("best", "best in", right=True),
    Field("equivalent", "surely as\ngood in", right=True, keep=4),
    Field("worse", "surely\nworse in", right=True, keep=4),
)


def view_recommendation(result: Result[RecommendConfig]) -> Iterable[Part]:
    """Return a recommendation as people read it: losses, and how well it held elsewhere."""
    goal = GOALS[result.config.goal]
    direction = f"{goal.column.better} is better"
    yield f"Goal {result.config.goal}: {goal.about}, {direction}."
    yield ""
    several = len({row["n_train"] for row in result.rows}) > 1
    yield _sizes(result.rows) if several else _losses(result.rows)
    yield _READING
    yield from (f"! {note}" for note in result.notes)
    rules, by = result.tables["rules"], (result.record or {})["holdout_left_out"]
    if not rules:
        return
    yield ""
    groups = len({row["left_out"] for row in result.tables["holdout"]})
    yield _rules(
        rules,
        f"The advice tested: {groups} {by}s left out in turn, {rules[0]['cells']} cells; "
        "* is followed",
    )
    yield _verdict(rules, by)
    if by == "task":
        yield "All tasks are of one space; this says nothing about others. Add --results of one."


def _sizes(rows: Sequence[Row]) -> Sheet:
    lines = []
    for n_train in dict.fromkeys(row["n_train"] for row in rows):
        first, *others = (row for row in rows if row["n_train"] == n_train)
        named = {
            f"{verdict}_here": _some([row["loss"] for row in others if row["verdict"] == verdict])
            for verdict in ("equivalent", "better")
        }
        lines.append(_cells(first) | named)
    fields = (
        Field("n_train", "n", right=True, keep=9),
        Field("loss", "use", keep=9),
        *_MEASURED,
        Field("equivalent_here", "surely as good here", keep=3),
        Field("better_here", "surely better here", keep=3),
    )
    return Sheet(lines, fields)


def _some(losses: Sequence[str]) -> str:
    more = f" and {len(losses) - _MANY} more" if len(losses) > _MANY else ""
    return ", ".join(losses[:_MANY]) + more or "none"


def _losses(rows: Sequence[Row]) -> Sheet:
    lines = [_cells(row) | {"verdict": row["verdict"] or "recommended"} for row in rows]
    verdict = Field("verdict", "regret against it", keep=9)
    title = f"n = {rows[0]['n_train']:,}: use {rows[0]['loss']}"
    return Sheet(lines, (Field("loss", keep=9), verdict, *_MEASURED), title)


def _cells(row: Row) -> Row:
    return {
        **row,
        "mean": f"{row['mean']:.3f}",
        "cost": with_interval(row, "cost", _three),
        "worst": f"{row['cost_worst']:.3f}",
        **_counts(row),
    }


def _counts(row: Row) -> Row:
    return {name: f"{row[name]} of {row['cells']}" for name in ("best", "equivalent", "worse")}


_NAMES = {
    "recommend": "the loss of cells like it",
    "best-on-average": "the best on average",
    "any-loss": "any loss, drawn blindly",
}


def _name(rule: str) -> str:
    return _NAMES.get(rule, f"always {rule}")


def _rules(rules: Sequence[Row], title: str) -> Sheet:
    lines = [
        {
            "rule": _name(row["rule"]),
            "mark": "*" if row["followed"] else "",
            **{n: f"{100 * row[n]:.0f} %" for n in ("best", "equivalent", "worse")},
            "cost": with_interval(row, "cost", _three),
            "worst": f"{row['cost_worst']:.3f}",
            "difference": "" if row["verdict"] is None
            else with_interval(row, "difference", _three),
        }
        for row in rules
    ]  # fmt: skip
    fields = (
        Field("rule", keep=9),
        Field("mark", "", keep=9),
        Field("best", "took\nthe best", right=True, keep=5),
        Field("equivalent", "surely\nas good", right=True, keep=4),
        Field("worse", "surely\nworse", right=True, keep=4),
        _COST,
        _WORST,
        Field("difference", "less the\nsimplest [95 %]", right=True, keep=7),
    )
    return Sheet(lines, fields, title)


def _verdict(rules: Sequence[Row], by: str) -> str:
    simplest, *others = rules
    name, groups = _name(simplest["rule"]), f"{simplest['groups']} {by}s"
    blind = next(row for row in others if row["rule"] == "any-loss")
    own = next(row for row in rules if row["followed"])
    over = f"Intervals are over the {groups} that were left out."
    if own is simplest:
        return (
            f"On {by}s left out, no rule has surely less regret than {name}, the simplest, so the "
            f"advice is that.{_against_blind(simplest, blind)} {over}"
        )
    return (
        f"On {by}s left out, {_name(own['rule'])} has surely less regret than {name}, the "
        f"simplest rule, so the advice is that.{_against_blind(own, blind)} {over}"
    )


def _against_blind(own: Row, blind: Row) -> str:
    """Say whether a rule is any better than a blind draw."""
    if own["cost"] < blind["cost"]:
        return f" A blind draw costs {_three(blind['cost'])}, it {_three(own['cost'])}."
    return (
        f" It is no better than a blind draw, whose regret is {_three(blind['cost'])} against "
        f"{_three(own['cost'])}."
    )


def _three(value: float) -> str:
    # Adding 0 turns a rounded -0.0 into 0.0.
    return f"{round(value, 3) + 0.0:.3f}"
