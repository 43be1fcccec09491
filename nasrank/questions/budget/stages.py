"""A plan to follow: sample, train, evaluate the top, stop, refit for the value."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nasrank.questions.budget.stored import runs_of

if TYPE_CHECKING:
    import pandas as pd

    from nasrank.questions.budget.targets import Target

__all__ = ["staged_plan"]

Row = dict[str, Any]

VALUE_LOSS = "mse"
"""The regression loss whose scores are in the metric's unit."""


def staged_plan(
    target: Target,
    choices: Sequence[Row],
    runs: pd.DataFrame,
    halfway: int,
) -> list[Row]:
    """Turn the choice with the least worst case into steps.

    Args:
        target: What has to be found.
        choices: What `~nasrank.questions.budget.transfer.robust_choices` found, at least one.
        runs: The runs behind them.
        halfway: Evaluations after training by which half of the worst task's runs had it.

    Returns:
        Rows of :data:`~nasrank.questions.budget.tables.STAGES`, in order.
    """
    best = choices[0]
    n_train, k = int(best["n_train"]), int(best["k"])
    worst = best["by_task"][best["worst_task"]]
    hours, price = (_unit(worst, name) for name in ("gpu_hours", "cost"))
    by_random = int(worst["random_evaluations"])
    lowest, highest = _tau_range(best, runs)

    def stage(name: str, what: str, evaluations: int, total: int, command: str | None) -> Row:
        return {
            "stage": name,
            "what": what,
            "evaluations": evaluations,
            "total": total,
            "gpu_hours": None if hours is None else evaluations * hours,
            "cost": None if price is None else evaluations * price,
            "command": command,
        }

    loss = best["loss"]
    stages = [
        stage(
            "sample",
            f"Draw {n_train:,} architectures at random, no two with the same graph, and evaluate "
            "them.",
            n_train,
            n_train,
            "nasrank data import my-space archs.csv",
        ),
        stage(
            "train",
            f"Train with {loss} on some of them and check its order on the rest. Kendall tau was "
            f"{lowest:.2f} to {highest:.2f} in the runs behind this plan; if yours is far below, "
            "plan for random search.",
            0,
            n_train,
            _typed("compare", tasks="my-space/own", losses=loss, n_train=n_train // 2),
        ),
    ]
    if k:
        stages.append(
            stage(
                "evaluate",
                f"Evaluate the {k:,} highest predicted, best first"
                + (
                    f"; half of the runs had found it after {halfway:,}."
                    if 0 < halfway < k
                    else "."
                ),
                k,
                n_train + k,
                _typed("rank", space="my-space", loss=loss, top=k),
            )
        )
    stages += [
        stage("stop", _stop_rule(target, n_train, k, by_random), 0, n_train + k, None),
        stage(
            "value",
            f"Refit with {VALUE_LOSS} on the better half of what is evaluated: a regression "
            "predicts the value, other losses only the order. The tables behind this plan do not "
            "measure the error of values, so hold out a few evaluated architectures to see it.",
            0,
            n_train + k,
            _typed("rank", space="my-space", loss=VALUE_LOSS),
        ),
    ]
    return stages


def _stop_rule(target: Target, n_train: int, k: int, by_random: int) -> str:
    seen = (
        f"Stop as soon as one is better than {target.value:g}."
        if target.kind == "better"
        else "A search cannot see for itself that the target is reached, so stop at this number."
    )
    if n_train + k >= by_random:
        return f"{seen} Random search needs no more than that, {by_random:,}: use it instead."
    if not k:
        return f"{seen} The training set alone reached the target."
    return (
        f"{seen} If nothing better than the first {n_train:,} has been found by then, train once "
        f"more on all {n_train + k:,} and evaluate {k:,} more; never go beyond {by_random:,}, "
        "which is what random search needs."
    )


def _unit(row: Row, name: str) -> float | None:
    return None if row[name] is None else float(row[name] / row["evaluations"])


def _tau_range(best: Row, runs: pd.DataFrame) -> tuple[float, float]:
    taus = runs_of(best, runs)["kendall_tau"].dropna()
    return (float(taus.min()), float(taus.max())) if len(taus) else (math.nan, math.nan)


def _typed(command: str, **options: object) -> str:
    """Spell a command as it can be typed, whatever the names in tables look like."""
    words = ["nasrank", command]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
