"""What is to be found, and when a stored run had found it.

``runs`` holds the first hit of four top fractions exactly. Anything else is read off
``discovery``, which knows the best architecture found after k = 0, 1, 2, 5, 10, 20, 50, ...
evaluations: the first such k that reaches the target is at most one step above the truth. With
``predictions`` every target is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from nasrank.errors import DataError, UsageError
from nasrank.metrics import ceil_share, rank_order
from nasrank.questions.budget.options import USUAL_TOP
from nasrank.runs.tables import PREDICTIONS
from nasrank.seeds import numpy_generator

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from nasrank.questions.budget.options import BudgetConfig
    from nasrank.questions.budget.stored import StoredResults

__all__ = ["Reached", "Target", "reached", "search_reached"]

_STORED = {0.001: "0.1pct", 0.005: "0.5pct", 0.01: "1pct", 0.05: "5pct"}


@dataclass(frozen=True)
class Target:
    """What has to be found.

    Attributes:
        kind: ``top``: one of the best share of all architectures; ``regret``: one at most so
            far from the best; ``better``: one strictly better than a value.
        value: A share in (0, 1], or a number in the metric's unit.
    """

    kind: Literal["top", "regret", "better"]
    value: float

    @classmethod
    def of(cls, config: BudgetConfig) -> Target:
        """Return what was asked for; one of the top 0.1 % where nothing was."""
        if config.regret is not None:
            return cls("regret", config.regret)
        if config.better_than is not None:
            return cls("better", config.better_than)
        return cls("top", USUAL_TOP if config.top is None else config.top)

    def __str__(self) -> str:
        if self.kind == "top":
            return f"one of the top {100 * self.value:g} %"
        if self.kind == "regret":
            return f"one within {self.value:g} of the best"
        return f"one better than {self.value:g}"


@dataclass(frozen=True, eq=False)
class Reached:
    """When the runs of one task had reached the target.

    Attributes:
        after: Evaluations after the training set, by run id; 0 where the training set did.
        exact: Whether they are exact; otherwise they are upper bounds.
        universe: Architectures in all.
        least: At least so many architectures reach the target.
        most: At most so many do.
    """

    after: pd.Series[float]
    exact: bool
    universe: int
    least: int
    most: int

    def top_in(self, space_size: int | None) -> tuple[int, int]:
        """Size of a space and, at most, how many in it reach the target: the same share."""
        if space_size is None:
            return self.universe, self.most
        return space_size, max(1, ceil_share(self.most / self.universe, space_size))


def reached(results: StoredResults, task: str, target: Target) -> Reached:
    """Find out when each run of a task had reached a target.

    Raises:
        UsageError: No architecture of the task can reach it.
        DataError: The table of predictions does not fit the runs.
    """
    runs = results.runs[results.runs["task"] == task].set_index("run_id")
    steps = results.discovery[results.discovery["run_id"].isin(runs.index)]
    # Best label and rank do not depend on the definition of the top.
    steps = steps[steps["top_fraction"] == steps["top_fraction"].min()].dropna(
        subset=["best_label", "regret", "best_rank"]
    )
    universe = int(runs["universe"].max())
    _check_possible(target, task, universe, steps)
    good = _good(target, universe, steps)
    least, most = _size(good, steps, universe)
    stored = _STORED.get(target.value) if target.kind == "top" else None
    if target.kind == "top":
        least = max(least, ceil_share(target.value, universe))
    if stored is not None:
        after = runs[f"first_hit_{stored}"].astype(float)
        tops = results.discovery
        tops = tops[tops["run_id"].isin(runs.index) & (tops["top_fraction"] == target.value)]
        most = int(tops["top_size"].max())
        return Reached(after, True, universe, int(tops["top_size"].min()), most)
    if (exact := _from_predictions(results, runs, target)) is not None:
        after, size = exact
        return Reached(after, True, universe, size, size)
    # The grid ends with the whole test set, by which every target that is possible is reached.
    after = steps[good].groupby("run_id")["k"].min().reindex(runs.index).astype(float)
    if after.isna().any():
        raise DataError(
            f"{results.folders[0]}: the steps of {int(after.isna().sum())} runs of {task} end "
            "before the target is reached. Repeat the command that made them"
        )
    # Up to k = 2 the grid leaves nothing out.
    return Reached(after, bool((after <= 2).all()), universe, least, most)


def search_reached(
    searches: pd.DataFrame, target: Target, universe: int
) -> pd.Series[float] | None:
    """Evaluations of each search until it had reached a target, inf where it never did.

    Args:
        searches: Rows of ``search`` of one task, method and loss.
        target: What had to be found.
        universe: Architectures in all.

    Returns:
        Evaluations by seed; None where the target is a share of less than one architecture.
    """
    if target.kind == "top":
        if target.value * universe < 1:
            return None
        good = searches["rank"] <= ceil_share(target.value, universe)
    elif target.kind == "regret":
        good = searches["regret"] <= target.value + _tolerance(target.value)
    else:
        good = _better(searches, target.value)
    first = searches[good].groupby("seed")["evaluations"].min()
    return first.reindex(sorted(searches["seed"].unique())).astype(float).fillna(np.inf)


def _check_possible(target: Target, task: str, universe: int, steps: pd.DataFrame) -> None:
    if target.kind == "top" and round(target.value * universe, 9) < 1:
        raise UsageError(
            f"--top {target.value:g} of the {universe:,} architectures of {task} is less than one "
            f"architecture. Ask for at least --top {math.ceil(1e6 / universe) / 1e6:g}"
        )
    if target.kind == "better" and not _better(steps, target.value).any():
        best = float(steps["best_label"].iloc[int(steps["regret"].argmin())])
        raise UsageError(
            f"--better-than {target.value:g}: the best of {task} is {best:.6g}, so nothing is "
            "better. Ask for less"
        )


def _good(target: Target, universe: int, steps: pd.DataFrame) -> pd.Series[bool]:
    """Whether the best found by a step reaches the target."""
    if target.kind == "top":
        return steps["best_rank"] <= ceil_share(target.value, universe)
    if target.kind == "regret":
        return steps["regret"] <= target.value + _tolerance(target.value)
    return _better(steps, target.value)


def _better(steps: pd.DataFrame, value: float) -> pd.Series[bool]:
    """Whether labels are better than a value, in the direction the tables themselves show."""
    label = steps["best_label"]
    return label < value if _lower_is_better(steps) else label > value


def _size(good: pd.Series[bool], steps: pd.DataFrame, universe: int) -> tuple[int, int]:
    """Bounds on how many architectures reach the target, from the ranks that were seen.

    An architecture of rank q has q - 1 better ones: if it reaches the target, so do q in all; if
    it does not, at most q - 1 do.
    """
    ranks = steps["best_rank"]
    least = int(ranks[good].max()) if good.any() else 1
    missed = ranks[~good]
    return least, int(missed.min()) - 1 if len(missed) else universe


def _from_predictions(
    results: StoredResults, runs: pd.DataFrame, target: Target
) -> tuple[pd.Series[float], int] | None:
    """First hits from every score, or None where a run's scores were not kept."""
    import pandas as pd

    names = [column.name for column in PREDICTIONS.columns if column.name != "architecture"]
    frames = [
        PREDICTIONS.load(folder / f"{PREDICTIONS.name}.parquet", names).to_pandas()
        for folder in results.predictions
    ]
    if not frames:
        return None
    kept = pd.concat(frames, ignore_index=True)
    kept = kept[kept["run_id"].isin(runs.index)].drop_duplicates(["run_id", "item"])
    if kept["run_id"].nunique() < len(runs):
        return None
    after, sizes = {}, []
    seeds = runs["seed"].to_dict()
    steps = results.discovery
    lower = _lower_is_better(steps[steps["run_id"].isin(runs.index)])
    for run_id, rows in kept.groupby("run_id", sort=False):
        labels = rows["label"].to_numpy(dtype=float)
        good = _reaching(-labels if lower else labels, target, lower=lower)
        trained = rows["in_train"].to_numpy(dtype=bool)
        sizes.append(int(good.sum()))
        if good[trained].any():
            after[run_id] = 0.0
            continue
        scores = rows["score"].to_numpy(dtype=float)[~trained]
        seed = int(seeds[run_id])
        ties = numpy_generator(seed, stream="ties").permutation(len(scores))
        order = rank_order(scores, ties)
        after[run_id] = 1.0 + int(np.argmax(good[~trained][order]))
    return pd.Series(after).reindex(runs.index), max(sizes)


def _reaching(worth: NDArray[np.float64], target: Target, *, lower: bool) -> NDArray[np.bool_]:
    """Whether architectures reach a target, by labels that are higher for better ones."""
    if target.kind == "top":
        place = len(worth) - ceil_share(target.value, len(worth))
        return np.asarray(worth >= np.partition(worth, place)[place])
    if target.kind == "regret":
        return np.asarray(worth.max() - worth <= target.value + _tolerance(target.value))
    return np.asarray(worth > (-target.value if lower else target.value))


def _lower_is_better(steps: pd.DataFrame) -> bool:
    """Direction of a metric, of which the tables hold no word.

    Regret is never negative: added to a label it gives the best label of all, the same in every
    row, where higher is better; subtracted, where lower is.
    """
    if steps.empty:
        return False
    added, taken = (np.ptp(steps["best_label"] + sign * steps["regret"]) for sign in (1, -1))
    return bool(added > taken)


def _tolerance(value: float) -> float:
    """Room for the rounding of a difference of labels."""
    return 1e-9 * max(1.0, value)
