"""Pictures of an explanation: each architecture with what its parts add, and what is rewarded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.graphs import GraphBatch
from nasrank.graphs.canonical import depths
from nasrank.graphs.dag import INPUT, OUTPUT
from nasrank.questions.explain.edits import node_names
from nasrank.questions.explain.view import method_names
from nasrank.study.pictures import look, mean_dot, name_lines, picture
from nasrank.study.view import grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_explained"]

Row = Mapping[str, Any]

_MOST = 18
"""Parts of a picture; the largest are drawn."""
_LETTERS = 34
_UP, _DOWN = "#0072B2", "#D55E00"


def draw_explained(
    tables: Mapping[str, Sequence[Row]], graphs: Sequence[GraphBatch], unit: str, folder: Path
) -> list[Path]:
    """Draw ``architecture-PLACE.svg`` for each architecture, and ``rewards.svg``.

    Args:
        tables: Rows of the tables of ``explain``.
        graphs: The architectures, a batch of one each.
        unit: Unit of the labels.
        folder: Where to write.
    """
    names = method_names(tables["explained"])
    unit = "" if unit == "1" else f", {unit}"
    paths = []
    for (place, name), own in grouped(tables["explained"], ["place", "id"]).items():
        rows = [row for row in tables["effects"] if row["place"] == place]
        graph = graphs[place - 1]
        paths.append(folder / f"architecture-{place}.svg")
        drawn = not graph.only_settings
        lines = _largest(rows)
        size = (9.0 if drawn else 6.4, max(2.6 if drawn else 1.6, 1.4 + 0.24 * len(lines)))
        title = f"{place}. {_cut(name, 90 if drawn else 60)}"
        label = own[0]["label"]
        title += "" if label is None else f": {label:.4g}{unit.replace(',', '')}"
        with picture(paths[-1], size, title) as figure:
            panels = figure.subplots(1, 2 if drawn else 1, squeeze=False)[0]
            _draw_effects(panels[-1], lines, names, unit)
            _name_methods(figure, names)
            if drawn:
                _draw_graph(panels[0], graph, rows)
    rewards = tables["rewards"]
    kinds = list(dict.fromkeys(row["kind"] for row in rewards))
    if kinds:
        paths.append(folder / "rewards.svg")
        panels_of = {kind: _largest([r for r in rewards if r["kind"] == kind]) for kind in kinds}
        most = max(len(lines) for lines in panels_of.values())
        title = "What each method rewards in the space: mean effect and 95 % interval"
        with picture(paths[-1], (0.8 + 4.4 * len(kinds), 1.5 + 0.24 * most), title) as figure:
            panels = figure.subplots(1, len(kinds), squeeze=False)[0]
            for axes, (kind, lines) in zip(panels, panels_of.items(), strict=True):
                _draw_effects(axes, lines, names, unit)
                axes.set_title(kind, loc="left", fontsize=9)
            _name_methods(figure, names)
    return paths


def _largest(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return rows by part: those with the largest effects, in the order of the first method."""
    parts = {part: own for (part,), own in grouped(rows, ["part"]).items()}
    size = {part: max(abs(row["effect"]) for row in own) for part, own in parts.items()}
    kept = sorted(parts, key=lambda part: -size[part])[:_MOST]
    return {part: own for part, own in parts.items() if part in kept}


def _draw_effects(
    axes: Axes,
    lines: Mapping[str, Sequence[Row]],
    names: Mapping[tuple[str, str], str],
    unit: str,
) -> None:
    methods = list(names)
    for place, own in enumerate(lines.values()):
        for row in own:
            number = methods.index((row["predictor"], row["loss"]))
            shift = 0.16 * (number - (len(methods) - 1) / 2)
            mean_dot(
                axes, row["effect"], row["effect_lower"], row["effect_upper"],
                at=place + shift, colour=look(number)["color"],
            )  # fmt: skip
        if own[0]["true_effect"] is not None:
            axes.plot([own[0]["true_effect"]], [place], "kD", markersize=4, zorder=4)
    axes.axvline(0, color="black", linewidth=0.8)
    name_lines(axes, [_cut(part, _LETTERS) for part in lines])
    axes.set_xlabel(f"effect on the label{unit}, positive is better", fontsize=8)


def _name_methods(figure: Figure, names: Mapping[tuple[str, str], str]) -> None:
    """Name the colours below the picture, once for all panels."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", marker="o", markersize=4, color=look(number)["color"])
        for number in range(len(names))
    ]
    handles.append(Line2D([], [], linestyle="", marker="D", markersize=4, color="black"))
    texts = [*(_cut(name, 30) for name in names.values()), "by the labels"]
    figure.legend(handles, texts, loc="outside lower center", ncols=4, fontsize=8)


def _draw_graph(axes: Axes, graph: GraphBatch, rows: Sequence[Row]) -> None:
    """Draw the nodes by their distance from the input, coloured by what they add."""
    axes.set_axis_off()
    effect = {row["part"]: row["effect"] for row in reversed(rows)}
    largest = max((abs(value) for value in effect.values()), default=0.0) or 1.0
    names = node_names(graph, 0)
    depth = depths(graph.adjacency.astype(np.int32))[0]
    columns: dict[int, list[int]] = {}
    for node in names:
        columns.setdefault(int(depth[node]), []).append(node)
    last = max(columns)
    spot = {}
    for column, nodes in columns.items():
        for place, node in enumerate(nodes):
            # A little aside in turn, so that an edge that passes by is seen.
            aside = 0.12 * (column % 2) if len(nodes) == 1 and 0 < column < last else 0.0
            spot[node] = (-column, place - (len(nodes) - 1) / 2 + aside)
    for source, target in zip(*np.nonzero(graph.adjacency[0]), strict=True):
        far = depth[target] - depth[source] > 1
        axes.annotate(
            "",
            (spot[target][1], spot[target][0]),
            (spot[source][1], spot[source][0]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": "0.45",
                "linewidth": 0.9,
                "shrinkA": 9,
                "shrinkB": 9,
                "connectionstyle": f"arc3,rad={0.35 if far else 0.0}",
            },
        )
    for node, name in names.items():
        value = effect.get(name, 0.0)
        ends = int(graph.operations[0, node]) in {INPUT, OUTPUT}
        axes.text(
            spot[node][1],
            spot[node][0],
            _cut(name, 22),
            ha="center",
            va="center",
            fontsize=8,
            bbox={
                "boxstyle": "round,pad=0.35",
                "facecolor": "white" if ends else _tint(value / largest),
                "edgecolor": "0.45",
                "linewidth": 0.8,
            },
        )
    wide = max(len(nodes) for nodes in columns.values())
    axes.set_xlim(-0.55 * max(wide, 2), 0.55 * max(wide, 2))
    axes.set_ylim(-last - 0.5, 0.5)


def _tint(share: float) -> tuple[float, float, float]:
    """Mix white with blue for what adds, with orange for what costs."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(_UP if share > 0 else _DOWN)
    much = 0.5 * min(abs(share), 1.0)
    return 1 - much * (1 - red), 1 - much * (1 - green), 1 - much * (1 - blue)


def _cut(text: str, most: int) -> str:
    half = most // 2 - 1
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"
