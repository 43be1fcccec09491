"""Pictures of metric learning with hard samples: SVG, and one page that plays the epochs."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.companions.hard_samples.tables import HARD, HARD_ARCHS, spelled_setting
from nasrank.files import replacing
from nasrank.statistics import mean_interval
from nasrank.study.pictures import drawing, look, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_archs", "draw_hard", "write_page"]

Row = Mapping[str, Any]

_PAGE = "embeddings.html"

_METRICS = (
    ("recall_at_1", "Recall@1"),
    ("separation", "separation between / within"),
    ("fpr_at_95_recall", "false positives at 95 % recall"),
)
_CURVES = (
    ("triplet_loss", "triplet loss of real triplets"),
    ("active_share", "generated triplets within the margin"),
    ("synthetic_negative", "distance to the generated negative"),
    ("threshold", "threshold of the reverse triplet"),
)


def draw_hard(tables: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Draw what the tables say.

    Args:
        tables: Rows of ``hard_summary`` and ``hard_epochs``, and of ``hard_sensitivity`` where it
            was swept.
        folder: Where to write ``methods.svg``, ``epochs.svg`` and ``sensitivity.svg``.

    Returns:
        The files written; a picture without anything to show is left out.

    Raises:
        UsageError: matplotlib is not installed.
        DataError: The folder cannot be written.
    """
    paths = []
    with drawing() as figures:
        rows = [row for row in tables["hard_summary"] if row["mean"] is not None]
        if rows:
            names = list(dict.fromkeys(map(spelled_setting, rows)))
            figure = figures(figsize=(11.0, 1.1 + 0.28 * len(names)), layout="constrained")
            every = figure.subplots(1, len(_METRICS), sharey=True)
            for axes, (metric, title) in zip(every, _METRICS, strict=True):
                _dots(axes, [row for row in rows if row["metric"] == metric], names)
                axes.set_title(
                    f"{title}, {HARD.column(metric).better} is better", loc="left", fontsize=9
                )
            figure.supxlabel("mean and 95 % interval over seeds, unseen classes", fontsize=8)
            paths.append(folder / "methods.svg")
            save(figure, paths[-1])
        epochs = tables["hard_epochs"]
        if epochs:
            figure = figures(figsize=(11.0, 6.4), layout="constrained")
            for axes, (column, title) in zip(figure.subplots(2, 2).flat, _CURVES, strict=True):
                _curves(axes, epochs, column)
                axes.set_title(title, loc="left", fontsize=9)
                axes.set_xlabel("epoch")
            handles: dict[str, Any] = {}
            for axes in figure.axes:
                for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                    handles.setdefault(label, handle)
            figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)
            paths.append(folder / "epochs.svg")
            save(figure, paths[-1])
        swept = [r for r in tables.get("hard_sensitivity", ()) if r["difference"] is not None]
        if swept:
            figure = figures(figsize=(7.0, 1.1 + 0.24 * len(swept)), layout="constrained")
            axes = figure.subplots()
            _differences(axes, swept)
            axes.set_title(f"{swept[0]['data']}, {swept[0]['method']}", loc="left", fontsize=9)
            paths.append(folder / "sensitivity.svg")
            save(figure, paths[-1])
    return paths


def draw_archs(rows: Sequence[Row], folder: Path) -> Path:
    """Draw Kendall's tau and precision at the top by method and size.

    Args:
        rows: Rows of ``hard_archs``.
        folder: Where to write ``architectures.svg``.

    Returns:
        The file written.

    Raises:
        UsageError: matplotlib is not installed.
        DataError: The folder cannot be written.
    """
    path = folder / "architectures.svg"
    settings = list(dict.fromkeys((row["n_train"], row["method"]) for row in rows))
    names = [f"n = {n_train}, {method}" for n_train, method in settings]
    with drawing() as figures:
        figure = figures(figsize=(9.0, 1.1 + 0.28 * len(settings)), layout="constrained")
        every = figure.subplots(1, 2, sharey=True)
        for axes, (metric, title) in zip(
            every, (("kendall_tau", "Kendall's tau"), ("precision_at_5pct", "precision at 5 %")),
            strict=True,
        ):  # fmt: skip
            for place, setting in enumerate(settings):
                own = [row for row in rows if (row["n_train"], row["method"]) == setting]
                found = mean_interval([row[metric] for row in own if row[metric] is not None])
                colour = look(1 if setting[1] == "plain" else 0)["color"]
                _mean(axes, found.mean, (found.lower, found.upper), place, colour)
            better = HARD_ARCHS.column(metric).better
            axes.set_title(f"{title}, {better} is better", loc="left", fontsize=9)
            axes.set_yticks(range(len(names)), names, fontsize=8)
            axes.set_ylim(len(names) - 0.5, -0.5)
        figure.supxlabel("mean and 95 % interval over seeds", fontsize=8)
        save(figure, path)
    return path


def write_page(pictures: Mapping[str, Any], data: str, path: Path) -> None:
    """Write a page that plays real and generated embeddings epoch by epoch.

    The page holds everything it needs, its script included, and asks nothing of a network.

    Args:
        pictures: By method: ``classes`` (of real samples, generated positives and generated
            negatives), ``names`` of classes, ``epochs`` (points ``real``, ``positive`` and
            ``negative`` by epoch), ``log`` (numbers by epoch) and ``seed``.
        data: Name of the data.
        path: Where to write it.

    Raises:
        DataError: The folder cannot be written.
    """
    # In a script "</" could end it.
    content = json.dumps(_plain(dict(pictures)), separators=(",", ":")).replace("</", "<\\/")
    page = files(__package__).joinpath(_PAGE).read_text(encoding="utf-8")
    page = page.replace("%TITLE%", html.escape(f"Hard samples on {data}"))
    with replacing(path) as part:
        part.write_text(page.replace("%DATA%", content), encoding="utf-8")


def _mean(
    axes: Axes,
    mean: float | None,
    bounds: tuple[float | None, float | None],
    place: int,
    colour: str,
) -> None:
    lower, upper = bounds
    if lower is not None and upper is not None:
        axes.plot([lower, upper], [place, place], color=colour, linewidth=1)
    if mean is not None:
        axes.plot([mean], [place], "o", color=colour, markersize=4)


def _dots(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    for row in rows:
        place = names.index(spelled_setting(row))
        colour = look(0 if "two-stage" in row["method"] else 1)["color"]
        _mean(axes, row["mean"], (row["lower"], row["upper"]), place, colour)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _curves(axes: Axes, rows: Sequence[Row], column: str) -> None:
    for place, setting in enumerate(dict.fromkeys(map(spelled_setting, rows))):
        by_epoch: dict[int, list[float]] = {}
        for row in rows:
            if spelled_setting(row) == setting and row[column] is not None:
                by_epoch.setdefault(row["epoch"], []).append(row[column])
        if by_epoch:
            means = [sum(values) / len(values) for values in by_epoch.values()]
            axes.plot(
                list(by_epoch), means, markersize=3, linewidth=1, label=setting, **look(place)
            )


def _differences(axes: Axes, rows: Sequence[Row]) -> None:
    colours = {"better": look(2)["color"], "worse": look(1)["color"]}
    for place, row in enumerate(rows):
        colour = colours.get(row["matters"], "#777777")
        axes.plot([row["lower"], row["upper"]], [place, place], color=colour, linewidth=1)
        axes.plot([row["difference"]], [place], "o", color=colour, markersize=4)
    axes.axvline(0, color="black", linewidth=0.8)
    names = [f"{row['option']} = {row['value']}" for row in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("Recall@1 less that of the settings asked for, 95 % interval over seeds")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON has many types
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
