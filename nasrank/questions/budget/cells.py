"""Stored runs as cells: one task at one training size, every loss on the same seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nasrank.errors import NothingToCompare
from nasrank.questions.budget.stored import StoredResults, make_command
from nasrank.runs.tables import DISCOVERY_AT, RUNS
from nasrank.seeds import numpy_generator
from nasrank.statistics import Verdict, compare_with_best
from nasrank.tables import Column

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["GOALS", "Cell", "Goal", "cells_of", "likeness"]

_TAU_STEP = 0.05
"""A difference of replicate tau that counts like twice the training size."""


@dataclass(frozen=True)
class Goal:
    """What a predictor is wanted for.

    Attributes:
        column: The column it is measured by.
        unit: Unit of that column, in words.
        about: What it measures, in words.
        note: What it does not measure, or None.
    """

    column: Column
    unit: str
    about: str
    note: str | None = None

    @property
    def measure(self) -> str:
        """Name of that column."""
        return self.column.name


GOALS: Mapping[str, Goal] = {
    "order": Goal(
        RUNS.column("kendall_tau"), "tau", "Kendall tau on architectures not trained on"
    ),
    "top": Goal(
        DISCOVERY_AT,
        "share of the top 1 %",
        "share of the top 1 % in hand after training and 100 evaluations more",
    ),
    "value": Goal(
        RUNS.column("regret_at_10"),
        "the metric's unit",
        "regret of the best among the 10 highest predicted against the best of all",
        "no table measures the error of predicted values, so nothing here says which loss "
        "predicts values best. Losses are compared by regret_at_10, the value of what they find; "
        "to predict a value itself, use a regression loss such as mse",
    ),
}
"""Goals by name."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One task at one training size.

    Attributes:
        task: The task.
        n_train: Training architectures.
        space_size: Architectures of the space.
        replicate_tau: Noise of the labels, or None where it is not known.
        losses: The losses.
        values: Measure ``[losses, seeds]``, higher is better whatever the goal; nan where a
            seed has none. Columns are the same seeds in every cell.
        sign: -1 where ``values`` are the negated measure, else 1.
        margin: Difference of the measure that does not matter.
    """

    task: str
    n_train: int
    space_size: int
    replicate_tau: float | None
    losses: tuple[str, ...]
    values: NDArray[np.float64]
    sign: float
    margin: float = 0.0

    @cached_property
    def best(self) -> str:
        """The loss with the best mean."""
        return self.losses[int(np.argmax(np.nanmean(self.values, axis=1)))]

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """What is known of each loss against the best one, which is equivalent to itself."""
        compared = compare_with_best(
            dict(zip(self.losses, self.values, strict=True)),
            sign=1,
            margin=self.margin,
            rng=numpy_generator(0, stream="flips"),
        )
        return {loss: c.verdict or "equivalent" for loss, c in compared.items()}

    @cached_property
    def regret(self) -> NDArray[np.float64]:
        """Regret of each loss against the best loss, ``[losses, seeds]``, lower is better.

        The best loss is chosen anew for every seed, by the mean of the other seeds: chosen on the
        seed itself, it would look better than it is. So a regret can be negative.
        """
        known = ~np.isnan(self.values)
        filled = np.where(known, self.values, 0.0)
        others = known.sum(axis=1, keepdims=True) - known
        rest = filled.sum(axis=1, keepdims=True) - filled
        mean = np.divide(rest, others, out=np.full_like(filled, -np.inf), where=others > 0)
        if self.values.shape[1] == 1 or not (others > 0).any():
            mean = np.where(known, self.values, -np.inf)
        # A best that has no value on this seed cannot be a measure for it.
        best = np.argmax(np.where(known, mean, -np.inf), axis=0)
        of_best: NDArray[np.float64] = self.values[best, np.arange(self.values.shape[1])]
        return of_best - self.values

    def cost(self, loss: str) -> float:
        """Mean regret of a loss over seeds."""
        return float(np.nanmean(self.regret[self.losses.index(loss)]))


def cells_of(
    results: StoredResults,
    goal: Goal,
    losses: Sequence[str] | None,
    tasks: Sequence[str] | None,
    notes: list[str],
) -> list[Cell]:
    """Arrange runs into cells that all hold the same losses.

    Args:
        results: The tables.
        goal: What to measure.
        losses: Losses to choose from, or None for all.
        tasks: Tasks to learn from, or None for all.
        notes: What had to be left out is appended, one line each.

    Raises:
        NothingToCompare: What was asked for is not in the tables, or fewer than two losses are
            in all cells.
    """
    runs = _measured(results, goal)
    for option, column, wanted in (("losses", "loss", losses), ("tasks", "task", tasks)):
        if wanted is None:
            continue
        known = runs[column].unique().tolist()
        absent = [name for name in wanted if name not in known]
        if absent:
            raise NothingToCompare(
                f"--{option} {', '.join(absent)}: not in the tables, which hold "
                f"{', '.join(known)}. Make it: {make_command(results, **{option: absent})}, then "
                "add --results nasrank-out/more"
            )
        runs = runs[runs[column].isin(list(wanted))]
    lost = runs[runs["value"].isna()].groupby("task").size()
    runs = runs.dropna(subset=["value"])
    notes += [
        f"{task}: {count} runs have no {goal.measure} and are left out"
        for task, count in lost.items()
    ]
    keys = ["task", "predictor", "sampling", "n_train"]
    groups = list(runs.groupby(keys, sort=False))
    everywhere = [
        loss
        for loss in runs["loss"].unique()
        if all((own["loss"] == loss).any() for _, own in groups)
    ]
    if len(everywhere) < 2:
        raise NothingToCompare(
            f"the tables hold {len(everywhere)} losses that are measured on every task and "
            "training size, and a comparison needs two. Make more: "
            f"{make_command(results, losses='mse,hr,listmle')}, then --results nasrank-out/more"
        )
    if left := [loss for loss in runs["loss"].unique() if loss not in everywhere]:
        notes.append(
            f"left out, as not measured on every task and training size: {', '.join(left)}"
        )
    seeds = sorted(runs["seed"].unique())
    sign = goal.column.sign
    cells = []
    for _, own in groups:
        table = own.pivot_table(index="loss", columns="seed", values="value", aggfunc="mean")
        noise = own["replicate_tau"].dropna()
        cells.append(
            Cell(
                str(own["task"].iloc[0]),
                int(own["n_train"].iloc[0]),
                int(own["space_size"].iloc[0]),
                float(noise.iloc[0]) if len(noise) else None,
                tuple(everywhere),
                sign * table.reindex(index=everywhere, columns=seeds).to_numpy(dtype=float),
                sign,
                goal.column.margin,
            )
        )
    return cells


def likeness(
    cells: Sequence[Cell],
    n_train: int,
    *,
    space_size: int | None = None,
    replicate_tau: float | None = None,
) -> NDArray[np.float64]:
    """How much each cell says about a case.

    ``exp(-d^2 / 2)``, where d is the distance in units of a doubling of the training size, a
    factor of ten in the size of the space, and .05 of replicate tau. Properties unknown for the
    case are ignored; a replicate tau unknown for a cell counts as one unit.

    Args:
        cells: The cells.
        n_train: Training size of the case.
        space_size: Size of its space, or None.
        replicate_tau: Noise of its labels, or None.

    Returns:
        Weights ``[cells]`` with sum 1.

    References:
        Nadaraya (1964), "On estimating regression", Theory of Probability and its Applications.
    """
    squares = []
    for cell in cells:
        square = math.log2(cell.n_train / n_train) ** 2
        if space_size is not None:
            square += math.log10(cell.space_size / space_size) ** 2
        if replicate_tau is not None:
            step = 1.0
            if cell.replicate_tau is not None:
                step = (cell.replicate_tau - replicate_tau) / _TAU_STEP
            square += step**2
        squares.append(square)
    # Far from all cells the nearest still counts: only differences of distance matter.
    weights = np.exp(-(np.array(squares) - min(squares)) / 2)
    return np.asarray(weights / weights.sum())


def _measured(results: StoredResults, goal: Goal) -> pd.DataFrame:
    """Runs with the goal's measure in ``value``, nan where a run has none or diverged."""
    runs = results.runs.copy()
    if goal.column is DISCOVERY_AT:
        steps = results.discovery
        steps = steps[(steps["top_fraction"] == 0.01) & (steps["k"] == 100)]
        found = steps.set_index("run_id")["discovery_rate"]
        runs["value"] = runs["run_id"].map(found).astype(float)
    else:
        runs["value"] = runs[goal.measure].astype(float)
    # The top of a diverged run is that of a random order, which says nothing about the loss.
    runs.loc[runs["diverged"].astype(bool), "value"] = np.nan
    return runs
