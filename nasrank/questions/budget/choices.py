"""What one choice needs on one task: evaluations, hours and cost, beside random search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.metrics import random_confidence, random_evaluations, savings
from nasrank.questions.budget.stored import CHOICE, StoredResults
from nasrank.questions.budget.targets import Reached, Target, search_reached
from nasrank.statistics import order_statistic, share_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nasrank.questions.budget.options import BudgetConfig

__all__ = ["RANK_ONCE", "plan_rows", "search_rows"]

Row = dict[str, Any]

RANK_ONCE = "rank-once"
"""The method of ``compare``: train once, then evaluate in the predicted order."""


def plan_rows(
    config: BudgetConfig, stored: StoredResults, runs: pd.DataFrame, hits: Reached
) -> list[Row]:
    """Return rows of ``plan`` for the choices of one task that train once.

    Args:
        config: What was asked.
        stored: The tables.
        runs: Those runs of theirs on the task that were asked for.
        hits: When they had reached the target.
    """
    task = runs["task"].iloc[0]
    rows = []
    for key, own in runs.groupby(list(CHOICE), sort=False):
        choice = dict(zip(CHOICE, key, strict=True))
        n_train = int(own["n_train"].iloc[0])
        after = np.asarray(hits.after[own["run_id"]], dtype=np.float64)
        row = _answer(config, stored.hours.get(task), hits, n_train + after)
        taken = row["evaluations"]
        rows.append(
            {
                "task": task,
                "method": RANK_ONCE,
                **choice,
                "n_train": n_train,
                **row,
                "k": None if taken is None else taken - n_train,
                **_within(config, hits, n_train, after),
                "kendall_tau": _known(own["kendall_tau"].mean()),
            }
        )
    return rows


def search_rows(
    config: BudgetConfig, stored: StoredResults, task: str, hits: Reached
) -> list[Row]:
    """Return rows of ``plan`` for searches in rounds on a task; none where there are none.

    A loss that was not asked for is left out; controls without a loss stay.
    """
    if stored.search is None:
        return []
    searches = stored.search[stored.search["task"] == task]
    if config.losses is not None:
        known = searches["loss"].isin(list(config.losses))
        searches = searches[known | searches["loss"].isna()]
    rows = []
    for (method, loss), own in searches.groupby(["method", "loss"], sort=False, dropna=False):
        universe = int(own["universe"].max())
        evaluations = search_reached(own, Target.of(config), universe)
        if evaluations is None:
            continue
        row = _answer(
            config,
            stored.hours.get(task),
            hits,
            np.asarray(evaluations, dtype=np.float64),
        )
        rows.append(
            {
                "task": task,
                "method": str(method),
                "predictor": None,
                "sampling": None,
                "loss": loss if isinstance(loss, str) and loss else None,
                "n_train": None,
                **row,
                "exact": True,
                "k": row["evaluations"],
                **dict.fromkeys(
                    ("reached_share", "reached_lower", "reached_upper", "random_reached")
                ),
                "kendall_tau": None,
            }
        )
    return rows


def _answer(
    config: BudgetConfig,
    task_hours: float | None,
    hits: Reached,
    evaluations: NDArray[np.float64],
) -> Row:
    """Evaluations, hours and cost of one choice, and of random search beside it."""
    needed = order_statistic(evaluations, config.confidence)
    taken, lower, upper = (
        None if value is None or math.isinf(value) else int(value)
        for value in (needed.value, needed.lower, needed.upper)
    )
    size, top = hits.top_in(config.space_size)
    by_random = random_evaluations(size, top, config.confidence)
    hours = config.hours_per_eval or task_hours
    price = _price(config, hours)
    saved = {
        "": savings(taken, by_random),
        "_lower": savings(upper, by_random),
        "_upper": savings(lower, by_random),
    }
    nets: Row = {}
    for end, share in saved.items():
        known = share is not None and price is not None
        nets[f"net_saving{end}"] = (
            share * by_random * price - (config.overhead or 0) if known else None  # type: ignore[operator]
        )
    gained = None if saved[""] is None or price is None else saved[""] * by_random * price
    return {
        "confidence": config.confidence,
        "n_seeds": len(evaluations),
        "evaluations": taken,
        "evaluations_lower": lower,
        "evaluations_upper": upper,
        "exact": hits.exact,
        "random_evaluations": by_random,
        "random_exact": hits.least == hits.most,
        **{f"savings{end}": share for end, share in saved.items()},
        "gpu_hours": None if taken is None or hours is None else taken * hours,
        "random_gpu_hours": None if hours is None else by_random * hours,
        "cost": None if taken is None or price is None else taken * price,
        "random_cost": None if price is None else by_random * price,
        **nets,
        "return_on_work": (gained / config.overhead if gained is not None and config.overhead
                           else None),
        "cheapest": False,
    }  # fmt: skip


def _price(config: BudgetConfig, hours: float | None) -> float | None:
    """Price of one evaluation: its own and that of its hours."""
    if config.cost_per_hour is None:
        return config.cost_per_eval
    if hours is None:
        return None
    return (config.cost_per_eval or 0.0) + config.cost_per_hour * hours


def _within(config: BudgetConfig, hits: Reached, n_train: int, after: NDArray[np.float64]) -> Row:
    """How likely the target is reached within ``--k``, beside random search with as many."""
    names = ("reached_share", "reached_lower", "reached_upper", "random_reached")
    if config.k is None:
        return dict.fromkeys(names)
    count = int(np.count_nonzero(after <= config.k))
    chance = random_confidence(*hits.top_in(config.space_size), n_train + config.k)
    values = (count / len(after), *share_interval(count, len(after)), chance)
    return dict(zip(names, values, strict=True))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
