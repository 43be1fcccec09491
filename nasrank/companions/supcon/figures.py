"""Pictures of supervised contrastive learning: phases, predictions, transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.statistics import mean_interval
from nasrank.study.pictures import look, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["draw_phases", "draw_simulation", "draw_training"]

Row = Mapping[str, Any]

_PANELS = {
    "within-class variance": {
        "predicted_within": "free embeddings, predicted",
        "projector_within": "projector, training",
        "projector_within_test": "projector, test",
        "encoder_within": "encoder, training",
    },
    "accuracy": {
        "coarse_train_accuracy": "coarse labels, training",
        "fine_probe_accuracy": "finer labels, linear probe",
        "fine_knn_accuracy": "finer labels, neighbours",
        "fine_probe_projector": "finer labels, probe of projector",
        "fine_probe_rotated": "finer labels, turned images",
        "fine_probe_noisy": "finer labels, noise",
    },
    "contrastive loss": {"final_loss": "at the end", "loss_floor": "least possible"},
}
"""Panels of a training: what stands on their axis, and the columns with their words."""


def draw_phases(
    path: Path,
    temperatures: NDArray[np.float64],
    alphas: NDArray[np.float64],
    panels: Sequence[tuple[str, NDArray[np.float64], NDArray[np.float64]]],
) -> Path:
    """Draw the optimal within-class variance over temperature and alpha, and where it is 0.

    Args:
        path: The file.
        temperatures: ``[T]``, ascending, on a logarithmic axis.
        alphas: ``[A]``, ascending.
        panels: At most six of them: title, within-class variance ``[A, T]``, and the collapse
            threshold ``[T]``.
    """
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    with picture(path, (3.2 * columns + 1.4, 2.9 * lines + 0.4)) as figure:
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        shades: Any = None
        for place, axes in enumerate(grid.flat):
            if place >= len(panels):
                axes.set_axis_off()
                continue
            title, within, edge = panels[place]
            shades = axes.contourf(
                temperatures, alphas, within, levels=np.linspace(0, 1, 11), cmap="viridis"
            )
            axes.fill_between(
                temperatures, 0, edge, facecolor="white", edgecolor="0.6", hatch="///", linewidth=0
            )
            axes.plot(temperatures, edge, color="#D55E00", linewidth=1.5, label="threshold alpha*")
            axes.set_xscale("log")
            axes.set_title(title, loc="left", fontsize=9)
            axes.set_ylim(0, 1)
            axes.grid(visible=False)
            if place % columns == 0:
                axes.set_ylabel("alpha (1: self-supervised)")
            if place + columns >= len(panels):
                axes.set_xlabel("temperature")
        grid.flat[0].legend(loc="upper left", fontsize=8, frameon=True)
        figure.colorbar(shades, ax=grid, label="optimal within-class variance")
        figure.text(0.01, 0.005, "hatched: the classes collapse", fontsize=8, color="0.3")
        figure.get_layout_engine().set(rect=(0, 0.04, 1, 0.96))  # type: ignore[union-attr, call-arg]
    return path


def draw_simulation(rows: Sequence[Row], path: Path) -> Path:
    """Draw what was reached against what was predicted, and the error against the threshold.

    Diverged rows are left out.
    """
    with picture(path, (9.0, 3.8)) as figure:
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        kinds = dict.fromkeys((row["data"], row["method"]) for row in rows)
        for place, (data, method) in enumerate(kinds):
            own = [
                row
                for row in rows
                if (row["data"], row["method"]) == (data, method) and not row["diverged"]
            ]
            style = look(place)
            for settled, fill in ((True, style["color"]), (False, "none")):
                part = [row for row in own if row["converged"] == settled]
                if not part:
                    continue
                marks = {
                    "linestyle": "",
                    "marker": style["marker"],
                    "color": style["color"],
                    "markerfacecolor": fill,
                    "markersize": 4,
                    "alpha": 0.6,
                    "label": f"{data}, anchor {method}" + ("" if settled else ", not converged"),
                }
                reached = np.array([row["within_variance"] for row in part])
                wanted = np.array([row["predicted_within"] for row in part])
                left.plot(wanted, reached, **marks)
                away = [row["alpha"] - row["alpha_star"] for row in part]
                right.plot(away, np.maximum(np.abs(reached - wanted), 1e-7), **marks)
        left.set_xlabel("predicted within-class variance")
        left.set_ylabel("reached by gradient descent")
        right.set_yscale("log")
        right.axhline(1e-3, color="0.5", linewidth=1, linestyle=":")
        right.set_xlabel("alpha - alpha*  (left of 0: collapse)")
        right.set_ylabel("absolute difference (1e-7 and below: 1e-7)")
        if any(not row["diverged"] for row in rows):
            left.legend(loc="upper left", fontsize=8)
    return path


def draw_training(rows: Sequence[Row], path: Path) -> Path:
    """Draw variance, transfer and loss of one sweep of alpha, with 95 % intervals.

    Diverged rows are left out.
    """
    rows = [row for row in rows if not row["diverged"]]
    title = f"{rows[0]['data']}, {rows[0]['method']}" if rows else ""
    with picture(path, (11.5, 3.9), title) as figure:
        edge = rows[0]["alpha_star"] if rows else 0.0
        for axes, (title, lines) in zip(figure.subplots(1, 3), _PANELS.items(), strict=True):
            for place, (name, label) in enumerate(lines.items()):
                _line(axes, rows, name, label, place)
            axes.set_ylabel(title)
            axes.axvspan(0, edge, color="0.9", linewidth=0, zorder=0)
            axes.set_xlabel("alpha (grey: theory says collapse)")
            if rows:
                axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7.5, ncols=2)
    return path


def _line(axes: Axes, rows: Sequence[Row], name: str, label: str, place: int) -> None:
    points = []
    for alpha in sorted({row["alpha"] for row in rows}):
        found = mean_interval(
            [row[name] for row in rows if row["alpha"] == alpha and row[name] is not None]
        )
        if found.mean is not None:
            half = 0.0 if found.upper is None else found.upper - found.mean
            points.append((alpha, found.mean, half))
    if points:
        at, mean, half = np.array(points).T
        axes.errorbar(at, mean, half, capsize=2, markersize=4, label=label, **look(place))
