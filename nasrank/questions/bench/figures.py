"""The picture of a bench: what predictors cost, and how that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.study.pictures import legend_beside, look, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_bench"]

Row = Mapping[str, Any]

_LABELS = {
    "members": "predictors trained together",
    "n_train": "training architectures",
    "architectures": "architectures of the space",
    "nodes": "nodes of the largest graph",
}
_SHOWN = (
    ("fit_seconds", "seconds to train one"),
    ("score_rate", "architectures scored a second"),
    ("peak_memory", "memory, MiB"),
)


def draw_bench(rows: Sequence[Row], folder: Path) -> Path | None:
    """Draw time, rate and memory along every axis that was measured at two points at least.

    Returns:
        The file, ``bench.svg``; None where nothing varies.
    """
    points = [row for row in rows if row["members"] is not None]
    axes_shown = [
        axis for axis in _LABELS if len({row[axis] for row in points if row["axis"] == axis}) > 1
    ]
    if not axes_shown:
        return None
    predictors = list(dict.fromkeys(row["predictor"] for row in points))
    path = folder / "bench.svg"
    with picture(path, (2.6 * len(axes_shown) + 1.6, 7.4)) as figure:
        panels = figure.subplots(len(_SHOWN), len(axes_shown), squeeze=False, sharey="row")
        for line, (name, title) in zip(panels, _SHOWN, strict=True):
            own = [row for row in points if row["name"] == name]
            for panel, axis in zip(line, axes_shown, strict=True):
                along = [row for row in own if row["axis"] == axis]
                for place, predictor in enumerate(predictors):
                    _draw(panel, axis, [r for r in along if r["predictor"] == predictor], place)
                panel.set_xscale("log")
                panel.set_yscale("log")
                ticks = sorted({row[axis] for row in along})
                panel.set_xticks(ticks, [f"{tick:,}" for tick in ticks], rotation=30)
                panel.set_xticks([], minor=True)
            line[0].set_ylabel(title)
        for panel, axis in zip(panels[-1], axes_shown, strict=True):
            panel.set_xlabel(_LABELS[axis])
        for place, predictor in enumerate(predictors):
            panels[0, -1].plot([], [], label=predictor, markersize=4, **look(place))
        legend_beside(panels[0, -1])
    return path


def _draw(panel: Axes, axis: str, rows: Sequence[Row], place: int) -> None:
    ordered = sorted(rows, key=lambda row: row[axis])
    each = [row["value"] / (row["members"] if row["unit"] == "s" else 1) for row in ordered]
    if each:
        panel.plot([row[axis] for row in ordered], each, markersize=4, **look(place))
