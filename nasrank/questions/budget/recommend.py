"""Which loss to train with, learnt from stored runs, and how well that advice holds elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrank.questions.budget.cells import GOALS, Cell, Goal, cells_of, likeness
from nasrank.questions.budget.options import RecommendConfig
from nasrank.questions.budget.stored import StoredResults, make_command, without_each
from nasrank.questions.budget.tables import HOLDOUT, RECOMMENDATION, RULES
from nasrank.statistics import (
    Interval,
    clustered_interval,
    judged,
    mean_interval,
    paired_interval,
)
from nasrank.study.study import Answer

__all__ = ["recommend"]

Row = dict[str, Any]

NAIVE = "listmle"
"""What the simplest rule always takes."""

OWN, AVERAGE, BLIND = "recommend", "best-on-average", "any-loss"
"""Rules by name: likeness, the least mean regret whatever the case, and a blind draw."""


def recommend(config: RecommendConfig, stored: StoredResults) -> Answer:
    """Learn from stored runs which loss to use. Trains nothing.

    Every task at every training size is a cell. A cell counts by its likeness to what is asked
    (`~nasrank.questions.budget.cells.likeness`), and the loss with the least regret against each
    cell's best loss, on this weighted average, is the candidate. This rule and simpler ones are
    then tested on each space, or task where there is one space, having learnt from the others
    alone. Its candidate is recommended only if its regret there is surely less than that of the
    simplest rule, always one loss; else what the simplest rule takes is. With one task nothing
    can be left out, and the candidate is recommended untested.

    Returns:
        Rows of ``recommendation``, best first for each training size; of ``holdout``, none with
        one task; and of ``rules``, each over all of ``holdout``.

    Raises:
        NothingToCompare: The tables hold fewer than two losses on the same data.
    """
    goal = GOALS[config.goal]
    notes: list[str] = [] if goal.note is None else [goal.note]
    cells = cells_of(stored, goal, config.losses, config.tasks, notes)
    sizes = config.n_train or tuple(sorted({cell.n_train for cell in cells}))
    by, holdout = _hold_out(cells)
    rules = _rules(holdout, goal.column.margin)
    followed = next((row["rule"] for row in rules if row["followed"]), OWN)
    rows = [row for n_train in sizes for row in _advice(config, goal, cells, n_train, followed)]
    notes += _beyond(config, cells, sizes)
    if not holdout:
        command = make_command(stored, tasks="OTHER/TASK")
        notes.append(
            "with one task, how well the advice transfers cannot be measured. Add another: "
            f"{command}, then add --results nasrank-out/more"
        )
    sources = [str(path) for path in stored.folders]
    return Answer(
        {RECOMMENDATION: rows, HOLDOUT: holdout, RULES: rules},
        record={
            "measure": goal.measure,
            "unit": goal.unit,
            "margin": goal.column.margin,
            "rule": followed,
            "results": sources,
            "holdout_left_out": by,
        },
        notes=tuple(notes),
        about={"results": sources},
    )


def _advice(
    config: RecommendConfig, goal: Goal, cells: Sequence[Cell], n_train: int, rule: str
) -> list[Row]:
    weights = likeness(
        cells, n_train, space_size=config.space_size, replicate_tau=config.replicate_tau
    )
    losses = cells[0].losses
    regret = _average([cell.regret for cell in cells], weights)
    worth = _average([cell.values for cell in cells], weights)
    cost = np.nanmean(regret, axis=1)
    order = np.argsort(cost, kind="stable").tolist()
    chosen = order[0] if rule == OWN else losses.index(_choice(rule, cells))
    order.remove(chosen)
    rows = []
    for rank, place in enumerate([chosen, *order], 1):
        loss = losses[place]
        interval = mean_interval(regret[place])
        # Losses that every cell has are compared on the seeds that all of them have.
        difference = None if place == chosen else paired_interval(regret[place], regret[chosen])
        rows.append(
            {
                "goal": config.goal,
                "measure": goal.measure,
                "n_train": n_train,
                "loss": loss,
                "place": rank,
                "rule": rule,
                "mean": float(cells[0].sign * np.nanmean(worth[place])),
                "cost": float(cost[place]),
                "cost_lower": interval.lower,
                "cost_upper": interval.upper,
                "cost_worst": max(cell.cost(loss) for cell in cells),
                "best": sum(loss == cell.best for cell in cells),
                "equivalent": sum(cell.verdicts[loss] == "equivalent" for cell in cells),
                "worse": sum(cell.verdicts[loss] == "worse" for cell in cells),
                "cells": len(cells),
                **_against(difference, goal.column.margin),
                "margin": goal.column.margin,
            }
        )
    return rows


def _against(difference: Interval | None, margin: float) -> Row:
    """Columns of a difference of regret, where less is better."""
    names = ("difference", "difference_lower", "difference_upper", "verdict")
    if difference is None:
        return dict.fromkeys(names)
    verdict = judged(difference, -1, margin)
    ends = (difference.mean, difference.lower, difference.upper, verdict)
    return dict(zip(names, ends, strict=True))


def _choice(rule: str, cells: Sequence[Cell]) -> str:
    """What a rule takes that does not look at the case."""
    return rule if rule == NAIVE else _pick(cells, np.ones(len(cells)))


def _average(values: Sequence[Any], weights: Any) -> Any:  # noqa: ANN401 - arrays of seeds
    """Weighted mean over cells ``[losses, seeds]``, of those cells that have the seed."""
    stacked = np.stack(values)
    share = np.where(np.isnan(stacked), 0.0, np.asarray(weights)[:, None, None])
    total = share.sum(axis=0)
    mean = np.nansum(stacked * share, axis=0)
    return np.divide(mean, total, out=np.full_like(mean, np.nan), where=total > 0)


def _hold_out(cells: Sequence[Cell]) -> tuple[str, list[Row]]:
    """Test every rule on cells it has not seen, the simplest rule first."""
    by, groups = without_each(list(dict.fromkeys(cell.task for cell in cells)))
    rows: list[Row] = []
    for group, tasks in groups.items() if len(groups) > 1 else ():
        seen = [cell for cell in cells if cell.task not in tasks]
        simple = [rule for rule in (NAIVE, AVERAGE) if rule != NAIVE or NAIVE in cells[0].losses]
        always = {rule: _choice(rule, seen) for rule in simple}
        for cell in (each for each in cells if each.task in tasks):
            alike = likeness(
                seen,
                cell.n_train,
                space_size=cell.space_size,
                replicate_tau=cell.replicate_tau,
            )
            rules: dict[str, str | None] = {**always, OWN: _pick(seen, alike), BLIND: None}
            for rule, loss in rules.items():
                chosen = cell.losses if loss is None else (loss,)
                verdicts = [cell.verdicts[name] for name in chosen]
                rows.append(
                    {
                        "left_out": group,
                        "task": cell.task,
                        "n_train": cell.n_train,
                        "rule": rule,
                        "loss": loss,
                        "best": float(np.mean([name == cell.best for name in chosen])),
                        "equivalent": verdicts.count("equivalent") / len(chosen),
                        "worse": verdicts.count("worse") / len(chosen),
                        "cost": float(np.mean([cell.cost(name) for name in chosen])),
                        "best_loss": cell.best,
                    }
                )
    return by, rows


def _pick(cells: Sequence[Cell], weights: Any) -> str:  # noqa: ANN401
    cost = [[cell.cost(loss) for loss in cells[0].losses] for cell in cells]
    return cells[0].losses[int(np.argmin(np.average(cost, axis=0, weights=weights)))]


def _rules(holdout: Sequence[Row], margin: float) -> list[Row]:
    """Judge rules by their regret; what was left out is the unit, as advice is for another one."""
    rows: list[Row] = []
    groups = [row["left_out"] for row in holdout if row["rule"] == BLIND]
    costs = {
        rule: np.array([row["cost"] for row in holdout if row["rule"] == rule])
        for rule in dict.fromkeys(row["rule"] for row in holdout)
    }
    for rule, cost in costs.items():
        own = [row for row in holdout if row["rule"] == rule]
        simplest = next(iter(costs))
        interval = clustered_interval(cost, groups)
        difference = (
            None if rule == simplest else clustered_interval(cost - costs[simplest], groups)
        )
        rows.append(
            {
                "rule": rule,
                "cells": len(own),
                "groups": interval.n_seeds,
                **{
                    name: float(np.mean([row[name] for row in own]))
                    for name in ("best", "equivalent", "worse")
                },
                "cost": interval.mean,
                "cost_lower": interval.lower,
                "cost_upper": interval.upper,
                "cost_worst": float(cost.max()),
                **_against(difference, margin),
            }
        )
    better = [row for row in rows if row["rule"] != BLIND and _surely_less(row)]
    followed = min(better, key=lambda row: float(row["cost"])) if better else next(iter(rows), {})
    return [{**row, "followed": row is followed} for row in rows]


def _surely_less(row: Row) -> bool:
    """Whether a rule's regret is surely below that of the simplest, by however little."""
    upper = row["difference_upper"]
    return upper is not None and upper < 0


def _beyond(config: RecommendConfig, cells: Sequence[Cell], sizes: Sequence[int]) -> list[str]:
    """Say what is asked for beyond the range of the tables."""
    trained = [cell.n_train for cell in cells]
    notes = [
        f"n {n_train}: the tables cover {min(trained)} to {max(trained)}, so this is extrapolated "
        "from the nearest"
        for n_train in sizes
        if not min(trained) <= n_train <= max(trained)
    ]
    asked = (
        ("--space-size", config.space_size, [cell.space_size for cell in cells]),
        ("--replicate-tau", config.replicate_tau,
         [cell.replicate_tau for cell in cells if cell.replicate_tau is not None]),
    )  # fmt: skip
    for option, value, known in asked:
        if value is None:
            continue
        if not known:
            notes.append(f"{option} has no effect: the tables hold no such value")
            continue
        low, high = min(known), max(known)
        if low == high:
            notes.append(f"{option} has no effect: the tables hold one value, {low:,.6g}")
        elif not low <= value <= high:
            notes.append(
                f"{option} {value:,}: the tables cover {low:,.6g} to {high:,.6g}, so this is "
                "extrapolated from the nearest"
            )
    return notes
