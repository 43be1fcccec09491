"""Pictures of class hierarchies in features, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.companions.optimal_transport.plan import PLAIN
from nasrank.study.pictures import file_stem, legend_beside, look, move_apart, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "draw_features",
    "draw_geometry",
    "draw_measures",
    "draw_speed",
    "draw_sweep",
    "draw_trained",
]

Row = Mapping[str, Any]

_LACKING = "1 - TestCPCC, lower is better"
_SCALES = {
    "test_cpcc": "by its own distance",
    "test_cpcc_l2": "by l2",
    "test_cpcc_emd": "by emd",
}
_MOST_NAMED = 30
"""With more classes than that a picture names their groups alone."""


def draw_trained(rows: Sequence[Row], tree: Hierarchy, folder: Path) -> list[Path]:
    """Draw what was trained on samples: measures, features and what the grid varies.

    Measures and features are of the first weight and the first batch size.

    Args:
        rows: Rows of `KEPT`, in the order of the grid.
        tree: The tree of the classes.
        folder: Where to draw.
    """
    first = rows[0]
    stem, title = file_stem(first["data"]), f"{first['data']}, {first['encoder']}"
    kept = [row for row in rows if row["method"] != PLAIN]
    size, weight = first["batch_size"], kept[0]["weight"] if kept else 0.0
    base = [row for row in rows if row["batch_size"] == size and row["weight"] in {0.0, weight}]
    paths = [folder / f"{stem}-measures.svg"]
    draw_measures(base, title, paths[0])
    seen = [row for row in base if row["seed"] == first["seed"] and row["shown"] is not None]
    if seen:
        paths.append(folder / f"{stem}-features.svg")
        words = f"{title}: test features on their principal axes, seed {first['seed']}"
        draw_features(seen, tree, words, paths[-1])
    for axis, other, value in (("weight", "batch_size", size), ("batch_size", "weight", weight)):
        own = [row for row in rows if row[other] == value or row["method"] == PLAIN]
        if len({row[axis] for row in own if row["method"] != PLAIN}) > 1:
            paths.append(folder / f"{stem}-{file_stem(axis)}.svg")
            draw_sweep(own, axis, title, paths[-1])
    return paths


def draw_features(rows: Sequence[Row], tree: Hierarchy, title: str, path: Path) -> None:
    """Draw test features of models side by side, and below each the tree that they make.

    The trees join classes by average linkage of their distances; the wanted tree stands first.
    """
    with picture(path, (2.6 * (len(rows) + 1), 5.0), title) as figure:
        axes = figure.subplots(2, len(rows) + 1, squeeze=False)
        _legend(axes[0, 0], tree)
        _dendrogram(axes[1, 0], tree.pair_distances(), tree)
        axes[1, 0].set_title("the tree to keep", fontsize=8, loc="left")
        axes[1, 0].set_ylabel("distance of classes")
        for column, row in enumerate(rows, start=1):
            _scatter(axes[0, column], row, tree)
            _dendrogram(axes[1, column], np.array(row["class_distances"]), tree)
            axes[1, column].set_title("by average linkage of emd", fontsize=8, loc="left")
        for panel in axes[0, 1:]:
            move_apart(panel)


def draw_measures(rows: Sequence[Row], title: str, path: Path) -> None:
    """Draw what each method does to the tree, to retrieval and to mistakes; one dot a run."""
    panels: list[tuple[str, Sequence[tuple[str, str]]]] = [
        (_LACKING, list(_SCALES.items())),
        ("retrieval mAP, %", [("fine_map", "fine"), ("coarse_map", "coarse")]),
        ("accuracy, %", [("fine_accuracy", "fine"), ("coarse_accuracy", "coarse")]),
        ("edges per mistake", [("mistake_distance", "true to predicted class")]),
    ]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    with picture(path, (2.9 * len(panels), 1.4 + 0.35 * len(methods)), title) as figure:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for place, (label, metrics) in enumerate(panels):
            own = axes[place]
            for number, (metric, name) in enumerate(metrics):
                shift = 0.2 * (number - (len(metrics) - 1) / 2)
                style = {"color": look(number)["color"], "marker": look(number)["marker"]}
                for at, method in enumerate(methods):
                    values = [r[metric] for r in rows if r["method"] == method]
                    values = [value for value in values if value is not None]
                    if label == _LACKING:
                        # Near 1 the differences are in what is lacking.
                        values = [max(1 - value, 1e-6) for value in values]
                    if values:
                        own.scatter(
                            values, [at + shift] * len(values), s=8, alpha=0.4, linewidths=0,
                            **style,
                        )  # fmt: skip
                        own.scatter([np.mean(values)], [at + shift], s=30, **style)
                own.scatter([], [], s=30, label=name, **style)
            own.set_xlabel(label)
            # Where all trainings diverged there is nothing to scale.
            measured = any(row[metric] is not None for row in rows for metric, _ in metrics)
            if label == _LACKING and measured:
                own.set_xscale("log")
            own.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1)
        axes[0].set_yticks(range(len(methods)), methods)
        axes[0].invert_yaxis()


def draw_sweep(rows: Sequence[Row], axis: str, title: str, path: Path) -> None:
    """Draw TestCPCC against ``weight`` or ``batch_size``, mean and range of seeds."""
    methods = [m for m in dict.fromkeys(row["method"] for row in rows) if m != PLAIN]
    settings = sorted({row[axis] for row in rows if row["method"] != PLAIN})
    with picture(path, (9.0, 3.2), f"{title} (mean and range of seeds)") as figure:
        axes = figure.subplots(1, len(_SCALES), sharey=True, squeeze=False)[0]
        for place, (metric, words) in enumerate(_SCALES.items()):
            for number, method in enumerate(methods):
                own = [r for r in rows if r["method"] == method and r[metric] is not None]
                cells = {
                    setting: [row[metric] for row in own if row[axis] == setting]
                    for setting in sorted({row[axis] for row in own})
                }
                if not cells:
                    continue
                style = look(number)
                axes[place].fill_between(
                    list(cells), list(map(min, cells.values())), list(map(max, cells.values())),
                    color=style["color"], alpha=0.15, linewidth=0,
                )  # fmt: skip
                means = [np.mean(cell) for cell in cells.values()]
                axes[place].plot(list(cells), means, label=method, markersize=4, **style)
            axes[place].set_xscale("log")
            axes[place].set_xticks(settings, [f"{each:g}" for each in settings])
            axes[place].minorticks_off()
            axes[place].set_xlabel(axis.replace("_", " "))
            axes[place].set_title(words, fontsize=8, loc="left")
        axes[0].set_ylabel("TestCPCC")
        # Where all trainings diverged there is nothing to explain.
        if axes[-1].lines:
            legend_beside(axes[-1])


def draw_speed(rows: Sequence[Row], slopes: Sequence[Row], path: Path) -> Path:
    """Draw time and memory of every distance against samples, dimension and classes."""
    names = {"samples": "samples of a class", "dimension": "dimension", "classes": "classes"}
    units = {"seconds": "seconds", "mebibytes": "MiB"}
    growth = {(row["distance"], row["axis"]): row["slope"] for row in slopes}
    distances = list(dict.fromkeys(row["distance"] for row in rows))
    title = "value and gradient of all pairs of one batch, median of repeats"
    with picture(path, (10.5, 6.0), title) as figure:
        axes = figure.subplots(2, 3, sharex="col", sharey="row")
        for column, (axis, words) in enumerate(names.items()):
            for line, (quantity, unit) in enumerate(units.items()):
                panel = axes[line, column]
                for number, distance in enumerate(distances):
                    cells: dict[int, list[float]] = {}
                    for row in rows:
                        if (row["distance"], row["axis"]) == (distance, axis) and row[quantity]:
                            cells.setdefault(row[axis], []).append(row[quantity])
                    slope = growth.get((distance, axis))
                    label = distance if slope is None else f"{distance}: {slope:.1f}"
                    panel.plot(
                        list(cells), [float(np.median(cell)) for cell in cells.values()],
                        label=label, markersize=3, linewidth=1, **look(number),
                    )  # fmt: skip
                panel.set_xscale("log", base=2)
                panel.set_yscale("log")
                if column == 0:
                    panel.set_ylabel(unit)
                if line == 1:
                    panel.set_xlabel(words)
                else:
                    panel.legend(fontsize=7, title="slope of log time", title_fontsize=7)
        # Room for the legends above the lines.
        low, high = axes[0, 0].get_ylim()
        axes[0, 0].set_ylim(low, high * (high / low) ** 0.5)
    return path


def draw_geometry(rows: Sequence[Row], title: str, path: Path) -> Path:
    """Draw EMD against the distance of the means, as it is and for classes of one shape."""
    with picture(path, (4.8, 3.6)) as figure:
        axes = figure.subplots()
        l2 = [row["l2"] for row in rows]
        for number, (name, words) in enumerate(
            (("emd", "these features"), ("one_shape", "normal clouds of one shape"))
        ):
            style = look(number)
            axes.scatter(
                l2, [row[name] for row in rows], s=14, color=style["color"],
                marker=style["marker"], label=words,
            )  # fmt: skip
        axes.axline((0, 0), slope=1, color="#999999", linewidth=0.8)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("l2, distance of the means")
        axes.set_ylabel("emd")
        axes.set_title(title, fontsize=9, loc="left")
        axes.legend(fontsize=8)
    return path


def _style(tree: Hierarchy, number: int) -> dict[str, Any]:
    """Return colour and marker of a class: those of its group."""
    return _of_group(int(tree.group_of[number]))


def _of_group(group: int) -> dict[str, Any]:
    return {name: look(group)[name] for name in ("color", "marker")}


def _leaves(tree: Hierarchy) -> list[str]:
    return [path[-1] for path in tree.paths]


def _scatter(axes: Axes, row: Row, tree: Hierarchy) -> None:
    points, classes = np.array(row["shown"]).reshape(-1, 2), np.array(row["shown_classes"])
    for number, name in enumerate(_leaves(tree)):
        own = points[classes == number]
        if not len(own):
            continue
        axes.scatter(own[:, 0], own[:, 1], s=7, alpha=0.5, linewidths=0, **_style(tree, number))
        if len(tree) > _MOST_NAMED:
            continue
        x, y = own.mean(axis=0).tolist()
        axes.text(
            x, y, name, fontsize=7, ha="center", va="center",
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.7, "linewidth": 0},
        )  # fmt: skip
    axes.set_title(row["method"], fontsize=8, loc="left")
    axes.set_xticks([])
    axes.set_yticks([])


def _legend(axes: Axes, tree: Hierarchy) -> None:
    axes.axis("off")
    members: dict[int, list[str]] = {}
    for path, group in zip(tree.paths, tree.group_of.tolist(), strict=True):
        members.setdefault(group, []).append(path[0 if len(tree) > _MOST_NAMED else -1])
    for group, each in members.items():
        names = list(dict.fromkeys(each))
        shown = ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
        axes.scatter([], [], s=20, label=shown, **_of_group(group))
    axes.legend(
        fontsize=7, loc="center left", title="coarsest groups", title_fontsize=8, alignment="left"
    )


def _dendrogram(axes: Axes, distances: NDArray[np.float64], tree: Hierarchy) -> None:
    from scipy.cluster.hierarchy import dendrogram, linkage

    named = len(tree) <= _MOST_NAMED
    made = dendrogram(
        linkage(distances, "average"), ax=axes, leaf_font_size=7 if named else 3,
        labels=_leaves(tree) if named else ["\N{BLACK SQUARE}"] * len(tree),
        color_threshold=0, above_threshold_color="#555555", leaf_rotation=90,
    )  # fmt: skip
    for label, number in zip(axes.get_xticklabels(), made["leaves"] or [], strict=True):
        label.set_color(_style(tree, number)["color"])
    axes.grid(visible=False, axis="x")
