"""Pictures of a comparison, as SVG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.benchmarks.titles import task_title
from nasrank.losses import LossSpec, parse
from nasrank.runs.discovery import mean_discovery
from nasrank.statistics import paired_interval
from nasrank.study.pictures import look, move_apart, name_ends, picture, slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_comparison"]

Row = Mapping[str, Any]

_PICTURE, _LINE = "picture", "line"
_PREDICTORS = "predictors"
"""Stands in the name of a picture in place of a predictor, where its lines are predictors."""
_LETTER = 0.012
"""Width of a letter beside a point, as a share of its panel."""
_MOST_COLOURS = 6
"""Lines up to which all are in colour; of more, two fewer and the first that was named."""


def draw_comparison(tables: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Draw tau against training size, and discovery against evaluations, for every task.

    The lines of a picture are the losses of one predictor. Where several predictors have one loss
    each, the lines are the predictors, and one more picture sets their tau against their seconds.
    Where a loss is fed with several targets, one more for each predictor says what they gain.
    Of many lines the best few and the first that was named are in colour.

    Pictures are ``TASK-PREDICTOR-tau.svg`` and ``TASK-PREDICTOR-discovery.svg``, or these with
    ``predictors`` and ``predictors-seconds.svg``; and ``PREDICTOR-targets.svg``.
    """
    tables = {**tables, **{name: _arranged(tables[name]) for name in ("summary", "runs")}}
    lines = list(dict.fromkeys(row[_LINE] for row in tables["summary"]))
    paths = []
    for key in dict.fromkeys(row[_PICTURE] for row in tables["summary"]):
        styles = _styles(key, lines, tables["summary"])
        for kind, draw in (("tau", _draw_tau), ("discovery", _draw_discovery)):
            paths.append(folder / f"{slug(_file(key))}-{kind}.svg")
            with picture(paths[-1], (9.0, 4.2)) as figure:
                draw(figure, key, styles, tables)
    timed = [run for run in tables["runs"] if run[_PICTURE][1] == _PREDICTORS and _timed(run)]
    if timed:
        paths.append(folder / "predictors-seconds.svg")
        with picture(paths[-1], (9.0, 5.0)) as figure:
            _draw_seconds(figure, timed, lines)
    for (predictor, sampling), fed in _fed(tables["runs"]).items():
        paths.append(folder / f"{slug(_file((predictor, 'targets', sampling)))}.svg")
        tall = 1.4 + 0.26 * len({run["task"] for run in fed})
        with picture(paths[-1], (9.0, tall)) as figure:
            _draw_targets(figure, fed, lines)
    return paths


def _fed(runs: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return runs by predictor and sampling, of those with one loss on several targets."""
    alike: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for run in runs:
        if run[_PICTURE][1] != _PREDICTORS:
            alike[run["predictor"], run["sampling"]].append(run)
    return {key: own for key, own in alike.items() if len(_targets(own)) > 1}


def _targets(runs: Sequence[Row]) -> set[str]:
    """Return what the first loss that has several targets is fed with."""
    fed: dict[str, set[str]] = defaultdict(set)
    for loss in dict.fromkeys(run["loss"] for run in runs):
        spec = parse(loss)
        if isinstance(spec, LossSpec):
            fed[spec.name].add(spec.targets)
    return next((own for own in fed.values() if len(own) > 1), set())


def _draw_targets(figure: Figure, runs: Sequence[Row], lines: Sequence[str]) -> None:
    """Draw what every loss gains over the first, task by task, a panel for each size."""
    taus: dict[tuple[int, str, str], dict[int, float]] = defaultdict(dict)
    for run in runs:
        if run["kendall_tau"] is not None:
            taus[run["n_train"], run["task"], run["loss"]][run["seed"]] = run["kendall_tau"]
    own = {run["loss"] for run in runs}
    first, *others = [line for line in lines if line in own]
    tasks = list(dict.fromkeys(run["task"] for run in runs))
    sizes = sorted({run["n_train"] for run in runs})
    panels = figure.subplots(1, len(sizes), sharey=True, sharex=True, squeeze=False)[0]
    for axes, size in zip(panels, sizes, strict=True):
        axes.axvline(0, color="0.5", linewidth=0.8)
        for place, line in enumerate(others):
            drawn = []
            for row, task in enumerate(tasks):
                base, told = taus[size, task, first], taus[size, task, line]
                shared = [(told[seed], base[seed]) for seed in told if seed in base]
                if shared:
                    gain = paired_interval(*np.transpose(shared))
                    # Side by side, so that intervals of different lines can be seen.
                    off = 0.6 * ((place + 0.5) / len(others) - 0.5)
                    drawn.append((row + off, gain.mean, gain.lower, gain.upper))
            for at, _, lower, upper in drawn:
                # One seed has no interval.
                if lower is not None and upper is not None:
                    axes.plot([lower, upper], [at, at], color=look(place)["color"], linewidth=0.9)
            axes.plot(
                [mean for _, mean, *_ in drawn], [at for at, *_ in drawn],
                label=line, markersize=3, **{**look(place), "linestyle": "none"},
            )  # fmt: skip
        axes.set_title(f"{size:,} labels", loc="left", fontsize=9)
    panels[0].set_yticks(range(len(tasks)), [task_title(task) for task in tasks], fontsize=8)
    panels[0].invert_yaxis()
    panels[len(sizes) // 2].set_xlabel(
        f"{runs[0]['predictor']}: Kendall's tau above that of {first}, mean and 95 % interval"
    )
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper left",
        ncols=min(5, len(others)), fontsize=8,
    )  # fmt: skip


def _timed(run: Row) -> bool:
    known = [run.get(name) for name in ("kendall_tau", "fit_seconds", "predict_seconds")]
    return None not in known


def _draw_seconds(figure: Figure, runs: Sequence[Row], lines: Sequence[str]) -> None:
    """Set tau against seconds at the largest size, both as means over tasks."""
    size = max(run["n_train"] for run in runs)
    cells: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for run in runs:
        if run["n_train"] == size:
            seconds = run["fit_seconds"] + run["predict_seconds"]
            cells[run[_LINE], run["task"]].append((seconds, run["kendall_tau"]))
    tasks = {task for _, task in cells}
    axes, named = figure.subplots(), []
    for place, line in enumerate(lines):
        own = [np.array(cells[line, task]) for task in tasks if (line, task) in cells]
        # A mean over other tasks would compare tasks.
        if len(own) < len(tasks):
            continue
        # One run that waited for other work would decide a mean.
        seconds = np.exp(np.mean([np.log(np.median(each[:, 0])) for each in own]))
        tau = np.mean([each[:, 1].mean() for each in own])
        others, colour = ":" in line, str(look(place)["color"])
        axes.plot(
            [seconds], [tau], "o", markersize=6, color=colour,
            markerfacecolor="white" if others else colour,
        )  # fmt: skip
        named.append((seconds, tau, line.split(":")[-1], colour))
    axes.set_xscale("log")
    axes.margins(x=0.12)
    at = axes.transAxes.inverted().transform(
        axes.transData.transform([(seconds, tau) for seconds, tau, *_ in named])
    )
    low, high = axes.get_xlim()
    for (seconds, tau, name, colour), place in zip(named, at, strict=True):
        # On the left where a point would lie under the name.
        across, up = (at - place).T
        taken = (across > 0) & (across < _LETTER * (len(name) + 2)) & (np.abs(up) < _LETTER)
        side, alignment = (-1, "right") if taken.any() else (1, "left")
        beside = seconds * (high / low) ** (0.01 * side)
        axes.text(beside, tau, name, color=colour, fontsize=8, va="center", ha=alignment)
    axes.set_xlabel("seconds to fit and to score the space, one thread; geometric mean over tasks")
    axes.set_ylabel("Kendall's tau, mean over tasks")
    about = task_title(*tasks) if len(tasks) == 1 else f"{len(tasks)} tasks"
    axes.set_title(
        f"{about}, {size:,} labels: order of what was not trained on, and time. "
        "Hollow: other libraries and own code",
        loc="left",
        fontsize=9,
    )
    move_apart(axes)


def _styles(
    key: tuple[str, str, str], lines: Sequence[str], summary: Sequence[Row]
) -> dict[str, dict[str, Any]]:
    """Return how each line looks: many are grey, so that a few can be followed."""
    taus: dict[str, list[float]] = {line: [] for line in lines}
    for row in summary:
        if row[_PICTURE] == key and row["metric"] == "kendall_tau" and row["mean"] is not None:
            taus[row[_LINE]].append(row["mean"])
    here = [line for line in lines if taus[line]]
    best = sorted(here, key=lambda line: -sum(taus[line]) / len(taus[line]))
    chosen = {*here} if len(here) <= _MOST_COLOURS else {*best[: _MOST_COLOURS - 2], lines[0]}
    grey = {"color": "0.72", "linestyle": "-", "marker": None, "zorder": 1}
    return {line: look(lines.index(line)) if line in chosen else grey for line in reversed(best)}


def _arranged(rows: Sequence[Row]) -> list[Row]:
    """Say of each row to which picture and to which line of it it belongs."""
    losses: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        losses[row["predictor"]].add(row["loss"])
    together = len(losses) > 1 and all(len(own) == 1 for own in losses.values())
    kind, line = (_PREDICTORS, "predictor") if together else (None, "loss")
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
    styles: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Sequence[Row]],
) -> None:
    axes = figure.subplots()
    rows = [
        row
        for row in tables["summary"]
        if row[_PICTURE] == key and row["metric"] == "kendall_tau" and row["mean"] is not None
    ]
    sizes = sorted({row["n_train"] for row in rows})
    ends = []
    for place, (line, style) in enumerate(styles.items()):
        own = sorted((row for row in rows if row[_LINE] == line), key=lambda r: r["n_train"])
        ends.append((own[-1]["mean"], line, _ink(style)))
        if style["marker"] is None:
            axes.plot([r["n_train"] for r in own], [r["mean"] for r in own], linewidth=1, **style)
            continue
        # Side by side, so that intervals of different lines can be seen.
        shift = 1.012 ** (place - (len(styles) - 1) / 2)
        mean = np.array([row["mean"] for row in own])
        # One seed has no interval.
        bounds = [
            [row["mean"] if row[end] is None else row[end] for row in own]
            for end in ("lower", "upper")
        ]
        axes.errorbar(
            np.array([row["n_train"] for row in own]) * shift,
            mean,
            yerr=np.abs(np.array(bounds) - mean),
            capsize=2,
            linewidth=1.4,
            markersize=4,
            **style,
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
    axes.set_ylabel("Kendall's tau, mean and 95 % interval")
    axes.set_title(f"{_title(key)}: order of what was not trained on", loc="left", fontsize=9)
    name_ends(axes, ends)


def _draw_discovery(
    figure: Figure,
    key: tuple[str, str, str],
    styles: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Sequence[Row]],
) -> None:
    runs = {run["run_id"]: run for run in tables["runs"] if run[_PICTURE] == key}
    sizes = sorted({run["n_train"] for run in runs.values()})
    names = {run_id: (run["n_train"], run[_LINE]) for run_id, run in runs.items()}
    rates = mean_discovery(names, tables["discovery"], 0.01)
    figure.suptitle(f"{_title(key)}: share of the best 1 % in hand", x=0.01, ha="left", fontsize=9)
    panels = figure.subplots(1, len(sizes), sharey=True, squeeze=False)[0]
    universe = 1
    for axes, size in zip(panels, sizes, strict=True):
        universe = next(r["n_test"] + size for r in runs.values() if r["n_train"] == size)
        for line, style in styles.items():
            points = rates.get((size, line), [])
            if points:
                axes.plot(
                    [size + k for k, _ in points],
                    [100 * rate for _, rate in points],
                    markersize=3,
                    linewidth=1 if style["marker"] is None else 1.4,
                    **style,
                )
        grid = np.geomspace(size, universe, 60)
        axes.plot(grid, 100 * grid / universe, color="0.5", linestyle=":", linewidth=1.2)
        axes.set_xscale("log")
        round_ = [t * 10**e for e in range(1, 8) for t in (1, 2, 5)]
        ticks = [each for each in round_ if size <= each <= universe]
        coarse = [each for each in ticks if str(each).startswith("1")]
        ticks = coarse if len(coarse) > 1 else [*ticks[:1], *ticks[1:][-1:]]
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_title(f"{size:,} trained", loc="left", fontsize=9)
        axes.set_xlabel("evaluations")
    panels[0].set_ylabel("best 1 % found, %")
    # Lines meet at the end, so they are named by their height half way.
    last, height = panels[-1], []
    middle = (sizes[-1] * universe) ** 0.5
    for line, style in styles.items():
        points = rates.get((sizes[-1], line), [])
        if points:
            steps, shares = zip(*points, strict=True)
            at = np.interp(np.log(middle), np.log(np.array(steps) + sizes[-1]), shares)
            height.append((100 * float(at), line, _ink(style)))
    height.append((100 * middle / universe, "random search", "0.35"))
    name_ends(last, height)


def _title(key: tuple[str, str, str]) -> str:
    task, predictor, sampling = key
    return f"{task_title(task)}, {predictor}" + (
        "" if sampling == "random" else f", {sampling} sampling"
    )


def _file(key: tuple[str, str, str]) -> str:
    task, predictor, sampling = key
    return f"{task}, {predictor}" + ("" if sampling == "random" else f", {sampling} sampling")


def _ink(style: Mapping[str, Any]) -> str:
    """Return the colour of a line's name: grey ones are darker, to be read."""
    return "0.45" if style["marker"] is None else str(style["color"])
