"""Which loss to train with, learnt from stored runs, and how well that advice holds elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nasrank.questions.budget.cells import GOALS, Cell, cells_of, likeness
from nasrank.questions.budget.options import RecommendConfig
from nasrank.questions.budget.stored import StoredResults, make_command, without_each
from nasrank.questions.budget.tables import HOLDOUT, RECOMMENDATION, RULES
from nasrank.seeds import numpy_generator
from nasrank.statistics import compare_with_best, mean_interval
from nasrank.study.study import Answer

__all__ = ["recommend"]

Row = dict[str, Any]

NAIVE = "listmle"
"""What the naive rule always takes."""


def recommend(config: RecommendConfig, stored: StoredResults) -> Answer:
    """Learn from stored runs which loss to use. Trains nothing.

    Every task at every training size is a cell. A cell counts by its likeness to what is asked
    (`~nasrank.questions.budget.cells.likeness`), and the loss with the least regret against each
    cell's best loss, on this weighted average, is recommended. The same rule is then tested on
    each space, or task where there is one space, having learnt from the others alone.

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
    rows = [row for n_train in sizes for row in _advice(config, goal.measure, cells, n_train)]
    notes += _beyond(config, cells, sizes)
    by, holdout, costs = _hold_out(cells)
    if not holdout:
        command = make_command(stored, tasks="OTHER/TASK")
        notes.append(
            "with one task, how well the advice transfers cannot be measured. Add another: "
            f"{command}, then add --results nasrank-out/more"
        )
    sources = [str(path) for path in stored.folders]
    return Answer(
        {RECOMMENDATION: rows, HOLDOUT: holdout, RULES: _rules(holdout, costs)},
        record={
            "measure": goal.measure,
            "unit": goal.unit,
            "results": sources,
            "holdout_left_out": by,
        },
        notes=tuple(notes),
        about={"results": sources},
    )


def _advice(
    config: RecommendConfig, measure: str, cells: Sequence[Cell], n_train: int
) -> list[Row]:
    weights = likeness(
        cells, n_train, space_size=config.space_size, replicate_tau=config.replicate_tau
    )
    losses = cells[0].losses
    regret = _average([cell.regret for cell in cells], weights)
    worth = _average([cell.values for cell in cells], weights)
    # Losses that every cell has are compared on the seeds that all of them have.
    cost = np.nanmean(regret, axis=1)
    order = np.argsort(cost, kind="stable")
    compared = compare_with_best(
        {loss: -regret[place] for place, loss in enumerate(losses)},
        sign=1,
        rng=numpy_generator(0, stream="flips"),
    )
    rows = []
    for rank, place in enumerate(order, 1):
        loss = losses[place]
        interval = mean_interval(regret[place])
        rows.append(
            {
                "goal": config.goal,
                "measure": measure,
                "n_train": n_train,
                "loss": loss,
                "place": rank,
                "mean": float(cells[0].sign * np.nanmean(worth[place])),
                "cost": float(cost[place]),
                "cost_lower": interval.lower,
                "cost_upper": interval.upper,
                "cost_worst": max(cell.cost(loss) for cell in cells),
                "best": sum(loss == cell.best for cell in cells),
                "as_good": sum(loss in cell.as_good for cell in cells),
                "cells": len(cells),
                "p_holm": compared[loss].p_holm,
            }
        )
    return rows


def _average(values: Sequence[Any], weights: Any) -> Any:  # noqa: ANN401 - arrays of seeds
    """Weighted mean over cells ``[losses, seeds]``, of those cells that have the seed."""
    stacked = np.stack(values)
    share = np.where(np.isnan(stacked), 0.0, np.asarray(weights)[:, None, None])
    total = share.sum(axis=0)
    mean = np.nansum(stacked * share, axis=0)
    return np.divide(mean, total, out=np.full_like(mean, np.nan), where=total > 0)


def _hold_out(cells: Sequence[Cell]) -> tuple[str, list[Row], dict[str, list[Any]]]:
    """Test every rule on cells it has not seen; also return the regret of its choice by seed."""
    by, groups = without_each(list(dict.fromkeys(cell.task for cell in cells)))
    rows: list[Row] = []
    costs: dict[str, list[Any]] = {}
    for group, tasks in groups.items() if len(groups) > 1 else ():
        seen = [cell for cell in cells if cell.task not in tasks]
        everywhere = _pick(seen, np.ones(len(seen)))
        for cell in (each for each in cells if each.task in tasks):
            alike = likeness(
                seen,
                cell.n_train,
                space_size=cell.space_size,
                replicate_tau=cell.replicate_tau,
            )
            rules: dict[str, str | None] = {
                "recommend": _pick(seen, alike),
                "best-on-average": everywhere,
            }
            if NAIVE in cell.losses:
                rules[NAIVE] = NAIVE
            rules["any-loss"] = None
            for rule, loss in rules.items():
                chosen = cell.losses if loss is None else (loss,)
                own = np.stack([cell.regret[cell.losses.index(name)] for name in chosen])
                costs.setdefault(rule, []).append(own.mean(axis=0))
                rows.append(
                    {
                        "left_out": group,
                        "task": cell.task,
                        "n_train": cell.n_train,
                        "rule": rule,
                        "loss": loss,
                        "best": float(np.mean([name == cell.best for name in chosen])),
                        "as_good": float(np.mean([name in cell.as_good for name in chosen])),
                        "cost": float(np.mean([cell.cost(name) for name in chosen])),
                        "best_loss": cell.best,
                    }
                )
    return by, rows, costs


def _pick(cells: Sequence[Cell], weights: Any) -> str:  # noqa: ANN401
    cost = [[cell.cost(loss) for loss in cells[0].losses] for cell in cells]
    return cells[0].losses[int(np.argmin(np.average(cost, axis=0, weights=weights)))]


def _rules(holdout: Sequence[Row], costs: dict[str, list[Any]]) -> list[Row]:
    rows = []
    for rule, by_seed in costs.items():
        own = [row for row in holdout if row["rule"] == rule]
        # A seed draws the same training sets in every cell of a space, so seeds are the units.
        with_seed = _average([each[None] for each in by_seed], np.ones(len(by_seed)))[0]
        interval = mean_interval(with_seed)
        rows.append(
            {
                "rule": rule,
                "cells": len(own),
                "best": float(np.mean([row["best"] for row in own])),
                "as_good": float(np.mean([row["as_good"] for row in own])),
                "cost": float(np.mean([row["cost"] for row in own])),
                "cost_lower": interval.lower,
                "cost_upper": interval.upper,
                "cost_worst": max(row["cost"] for row in own),
            }
        )
    return rows


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
