"""Pictures of a comparison, as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.runs.discovery import mean_discovery
from nasrank.study.pictures import legend_beside, look, picture, slug

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_comparison"]

Row = Mapping[str, Any]

_PICTURE, _LINE = "picture", "line"


def draw_comparison(tables: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Draw tau against training size, and discovery against evaluations, for every task.

    The lines of a picture are the losses of one predictor. Where several predictors have one loss
    each, the lines are the predictors.

    Pictures are ``TASK-PREDICTOR-tau.svg`` and ``TASK-PREDICTOR-discovery.svg``, or these with
    ``predictors``.
    """
    tables = {**tables, **{name: _arranged(tables[name]) for name in ("summary", "runs")}}
    lines = list(dict.fromkeys(row[_LINE] for row in tables["summary"]))
    paths = []
    for key in dict.fromkeys(row[_PICTURE] for row in tables["summary"]):
        for kind, draw in (("tau", _draw_tau), ("discovery", _draw_discovery)):
            paths.append(folder / f"{slug(_title(key))}-{kind}.svg")
            with picture(paths[-1], (9.0, 4.2)) as figure:
                draw(figure, key, lines, tables)
    return paths


def _arranged(rows: Sequence[Row]) -> list[Row]:
    """Say of each row to which picture and to which line of it it belongs."""
    losses: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        losses[row["predictor"]].add(row["loss"])
    together = len(losses) > 1 and all(len(own) == 1 for own in losses.values())
    kind, line = ("predictors", "predictor") if together else (None, "loss")
    return [
        {
            **row,
            _PICTURE: (row["task"], kind or row["predictor"], row["sampling"]),
            _LINE: row[line],
        }
        for row in rows
    ]


def _draw_tau(
    figure: Figure,
    key: tuple[str, str, str],
    lines: Sequence[str],
    tables: Mapping[str, Sequence[Row]],
) -> None:
    axes = figure.subplots()
    rows = [
        row
        for row in tables["summary"]
        if row[_PICTURE] == key and row["metric"] == "kendall_tau" and row["mean"] is not None
    ]
    sizes = sorted({row["n_train"] for row in rows})
    for place, line in enumerate(lines):
        own = sorted((row for row in rows if row[_LINE] == line), key=lambda r: r["n_train"])
        if not own:
            continue
        # Side by side, so that intervals of different lines can be seen.
        shift = 1.012 ** (place - (len(lines) - 1) / 2)
        mean = np.array([row["mean"] for row in own])
        # One seed has no interval.
        ends = [
            [row["mean"] if row[end] is None else row[end] for row in own]
            for end in ("lower", "upper")
        ]
        axes.errorbar(
            np.array([row["n_train"] for row in own]) * shift,
            mean,
            yerr=np.abs(np.array(ends) - mean),
            capsize=2,
            linewidth=1.2,
            **look(place),
        )
    ceiling = [
        run["ceiling_tau"]
        for run in tables["runs"]
        if run[_PICTURE] == key and run["ceiling_tau"] is not None
    ]
    if ceiling:
        axes.axhline(ceiling[0], color="0.5", linewidth=0.8, linestyle=":")
        axes.annotate(
            "noise ceiling", (1, ceiling[0]), xycoords=("axes fraction", "data"),
            ha="right", va="bottom", color="0.4", fontsize=8,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("training architectures")
    axes.set_ylabel("Kendall tau (mean and 95 % interval over seeds)")
    axes.set_title(_title(key), loc="left", fontsize=9)
    _legend(axes, lines)


def _draw_discovery(
    figure: Figure,
    key: tuple[str, str, str],
    lines: Sequence[str],
    tables: Mapping[str, Sequence[Row]],
) -> None:
    runs = {run["run_id"]: run for run in tables["runs"] if run[_PICTURE] == key}
    sizes = sorted({run["n_train"] for run in runs.values()})
    names = {run_id: (run["n_train"], run[_LINE]) for run_id, run in runs.items()}
    rates = mean_discovery(names, tables["discovery"], 0.01)
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    for axes, size in zip(panels, sizes, strict=True):
        universe = next(r["n_test"] + size for r in runs.values() if r["n_train"] == size)
        for place, line in enumerate(lines):
            points = rates.get((size, line), [])
            if points:
                axes.plot(
                    [size + k for k, _ in points],
                    [100 * rate for _, rate in points],
                    markersize=3,
                    linewidth=1.2,
                    **look(place),
                )
        axes.plot(
            grid := np.geomspace(size, universe, 60),
            100 * grid / universe,
            color="0.5",
            linestyle=":",
            linewidth=1,
            label="random search",
        )
        axes.set_xscale("log")
        ticks = [t * 10**e for e in range(8) for t in (1, 2, 5) if size <= t * 10**e <= universe]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks], rotation=45)
        axes.set_xticks([], minor=True)
        axes.set_title(f"{size} trained", loc="left", fontsize=9)
        axes.set_xlabel("evaluations")
    panels[0].set_ylabel("top 1 % found, %")
    figure.suptitle(_title(key), x=0.01, ha="left", fontsize=9)
    _legend(panels[-1], lines)


def _title(key: tuple[str, str, str]) -> str:
    task, predictor, sampling = key
    return f"{task}, {predictor}" + ("" if sampling == "random" else f", {sampling} sampling")


def _legend(axes: Axes, lines: Sequence[str]) -> None:
    for place, line in enumerate(lines):
        axes.plot([], [], label=line, markersize=4, **look(place))
    legend_beside(axes)
