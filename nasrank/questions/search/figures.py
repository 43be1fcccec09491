"""Pictures of searches, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.benchmarks.titles import metric_unit, task_title
from nasrank.statistics import mean_interval
from nasrank.study.pictures import legend_beside, look, picture, slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["draw_searches", "mean_regret"]

Row = Mapping[str, Any]

_MOST_POINTS = 400


def draw_searches(searches: Sequence[Row], folder: Path) -> list[Path]:
    """Draw mean regret, with its 95 % interval, against evaluations: ``TASK-search.svg`` each."""
    paths = []
    for task in dict.fromkeys(row["task"] for row in searches):
        paths.append(folder / f"{slug(task)}-search.svg")
        with picture(paths[-1], (8.0, 4.2)) as figure:
            axes = figure.subplots()
            _draw_task(axes, [row for row in searches if row["task"] == task], metric_unit(task))
            title = f"{task_title(task)}: what the best one found lacks to the best there is"
            axes.set_title(title, loc="left", fontsize=9)
    return paths


def mean_regret(rows: Sequence[Row], at: Sequence[int]) -> NDArray[np.float64]:
    """Regret of each search after some numbers of evaluations.

    Args:
        rows: Rows of ``search`` of one method; what a search had in hand holds until its next
            row, and after its last.
        at: Numbers of evaluations, at least 1.

    Returns:
        ``[searches, len(at)]`` in the metric's unit.
    """
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row["run_id"], []).append(row)
    curves = []
    for own in runs.values():
        steps = np.array([row["evaluations"] for row in own])
        regret = np.array([row["regret"] for row in own], np.float64)
        curves.append(regret[np.searchsorted(steps, at, side="right") - 1])
    return np.stack(curves)


def _draw_task(axes: Axes, rows: Sequence[Row], unit: str) -> None:
    last = max(row["evaluations"] for row in rows)
    at = np.unique(np.linspace(1, last, min(last, _MOST_POINTS)).astype(np.int64)).tolist()
    drawn: list[tuple[str, Any, Any, Any]] = []
    for method, loss in dict.fromkeys((row["method"], row["loss"]) for row in rows):
        own = [row for row in rows if (row["method"], row["loss"]) == (method, loss)]
        curves = mean_regret(own, at)
        known = [mean_interval(column) for column in curves.T]
        # One search has no interval: its line is drawn alone.
        bounds = np.array([(each.lower, each.upper) for each in known], dtype=np.float64)
        bounds = np.where(np.isnan(bounds), curves.mean(axis=0)[:, None], bounds)
        name = method if loss is None else f"{method}, {loss}"
        drawn.append((name, curves.mean(axis=0), bounds[:, 0], bounds[:, 1]))
    # A logarithm has no place for zero: the axis ends below the least regret that was seen.
    positive = np.concatenate([mean[mean > 0] for _, mean, _, _ in drawn] or [np.ones(1)])
    floor = 0.7 * float(positive.min(initial=1.0))
    for place, (name, mean, lower, upper) in enumerate(drawn):
        line = {**look(place), "marker": None}
        axes.fill_between(
            at, np.maximum(lower, floor), np.maximum(upper, floor), color=line["color"],
            alpha=0.15, linewidth=0,
        )  # fmt: skip
        axes.plot(at, np.maximum(mean, floor), linewidth=1.2, label=name, **line)
    axes.set_yscale("log")
    axes.set_ylim(bottom=floor)
    axes.set_xlabel("evaluations")
    unit = f", {unit}" if unit else ""
    axes.set_ylabel(f"regret{unit}, mean and 95 % interval")
    legend_beside(axes)
