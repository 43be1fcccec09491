"""Pictures of precision-recall divergences and of generators trained on them, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.companions.precision_recall.run import WEIGHTED
from nasrank.study.pictures import file_stem, legend_beside, look, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["draw_theory", "draw_trainings"]

Row = Mapping[str, Any]

_NAMES = {
    "pr": "PR",
    "naive": "naive dual",
    "dual": "bounded dual",
    "tuned": "PR, fine-tuned",
    "hinge": "hinge GAN",
    "kl": "f-GAN, KL",
    "rkl": "f-GAN, reverse KL",
    "chi2": "f-GAN, chi2",
    "mle": "maximum likelihood",
    "data": "training samples",
}


def draw_theory(
    frontier: Sequence[Row], weights: Sequence[Row], pair: str, folder: Path
) -> list[Path]:
    """Draw the frontier of a pair and the weights that divergences give to lambda.

    Args:
        frontier: Rows with ``lambda``, ``alpha`` and ``beta``, ascending in lambda.
        weights: Rows with ``divergence``, ``lambda``, ``weight`` (None leaves a row out) and
            ``formula``.
        pair: The pair in words.
        folder: Where to write ``frontier.svg`` and ``weights.svg``.
    """
    paths = [folder / "frontier.svg", folder / "weights.svg"]
    with picture(paths[0], (4.6, 4.2)) as figure:
        axes = figure.subplots()
        axes.plot(
            [row["beta"] for row in frontier], [row["alpha"] for row in frontier], **look(0),
            markersize=4,
        )  # fmt: skip
        for row in frontier:
            axes.annotate(
                f"{row['lambda']:g}", (row["beta"], row["alpha"]), xytext=(5, 4),
                textcoords="offset points", fontsize=7,
            )  # fmt: skip
        _unit_square(axes)
        axes.set_xlabel("recall, beta")
        axes.set_ylabel("precision, alpha")
        axes.set_title(f"{pair}\n(points: lambda)", loc="left", fontsize=9)
    with picture(paths[1], (6.4, 4.0)) as figure:
        axes = figure.subplots()
        names = dict.fromkeys(row["divergence"] for row in weights if row["weight"] is not None)
        for place, name in enumerate(names):
            own = [row for row in weights if row["divergence"] == name]
            axes.loglog(
                [row["lambda"] for row in own], [row["weight"] for row in own],
                label=f"{name}: {own[0]['formula']}", **look(place), markersize=3,
            )  # fmt: skip
        axes.axvline(1, color="0.6", linewidth=0.8)
        axes.set_xlabel("lambda (left: recall, right: precision; total variation is all at 1)")
        axes.set_ylabel("weight")
        axes.set_title("weight of each lambda in an f-divergence", loc="left", fontsize=9)
        axes.legend(fontsize=7)
    return paths


def draw_trainings(
    rows: Sequence[Row],
    frontiers: Sequence[Row],
    samples: Mapping[str, Sequence[float]],
    shape: tuple[int, ...],
    folder: Path,
) -> list[Path]:
    """Draw what trained models reach, and what they draw.

    For every model: precision and recall against lambda and against each other, with the mean
    over seeds and every seed; frontiers of each lambda; draws by lambda of the first seed, where
    they are points of a plane or images.

    Args:
        rows: Rows of ``pr``.
        frontiers: Rows of ``pr_frontiers``.
        samples: Some draws of every run, one after another, by ``run_id``.
        shape: Shape of one sample.
        folder: Where to write ``NAME-lambda.svg``, ``NAME-frontiers.svg``, ``NAME-samples.svg``.
    """
    paths = []
    trained = [row for row in rows if row["precision"] is not None]
    for model in dict.fromkeys(row["model"] for row in trained if row["method"] != "data"):
        own = [row for row in trained if row["model"] in {model, ""}]
        data = own[0]["data"]
        stem, title = f"{file_stem(data)}-{model}", f"{data}, {model}"
        paths.append(folder / f"{stem}-lambda.svg")
        _draw_lambdas(own, title, paths[-1])
        known = {row["run_id"]: row for row in own if row["method"] == "pr"}
        points = [row for row in frontiers if row["run_id"] in known]
        if points:
            paths.append(folder / f"{stem}-frontiers.svg")
            _draw_frontiers(known, points, title, paths[-1])
        seen = _seen(own, samples)
        if seen and (shape == (2,) or len(shape) == 3):
            paths.append(folder / f"{stem}-samples.svg")
            _draw_samples(seen, samples, shape, title, paths[-1])
    return paths


def _draw_lambdas(rows: Sequence[Row], title: str, path: Path) -> None:
    with picture(path, (10.0, 3.6), f"{title}: mean over seeds; dots are seeds") as figure:
        first, second, plane = figure.subplots(1, 3)
        methods = list(dict.fromkeys(row["method"] for row in rows))
        for place, method in enumerate(methods):
            own = [row for row in rows if row["method"] == method]
            name = _NAMES.get(method, method)
            if method in WEIGHTED:
                lambdas = sorted({row["lambda"] for row in own})
                means = {
                    side: [_mean(own, side, lam) for lam in lambdas]
                    for side in ("precision", "recall")
                }
                for axes, side in ((first, "precision"), (second, "recall")):
                    axes.plot(lambdas, means[side], label=name, **look(place), markersize=4)
                    axes.plot(
                        [row["lambda"] for row in own], [row[side] for row in own], ".",
                        color=look(place)["color"], alpha=0.35, markersize=4,
                    )  # fmt: skip
                plane.plot(
                    means["recall"], means["precision"], label=name, **look(place), markersize=4
                )
            else:
                for axes, side in ((first, "precision"), (second, "recall")):
                    axes.axhline(
                        _mean(own, side), label=name, color=look(place)["color"], linewidth=1,
                        linestyle=":",
                    )  # fmt: skip
                style = {**look(place), "linestyle": "none"}
                plane.plot([_mean(own, "recall")], [_mean(own, "precision")], label=name, **style)
        for axes, side in ((first, "precision"), (second, "recall")):
            axes.set_xscale("log")
            axes.set_ylim(-0.03, 1.03)
            axes.set_xlabel("lambda")
            axes.set_ylabel(side)
        _unit_square(plane)
        plane.set_xlabel("recall")
        plane.set_ylabel("precision")
        legend_beside(plane, size=7)


def _draw_frontiers(
    known: Mapping[str, Row], points: Sequence[Row], title: str, path: Path
) -> None:
    kinds = list(dict.fromkeys(row["kind"] for row in points))
    with picture(path, (1.2 + 3.6 * len(kinds), 3.6), f"{title}: mean over seeds") as figure:
        every = figure.subplots(1, len(kinds), squeeze=False)[0]
        lambdas = sorted({row["lambda"] for row in known.values()})
        for axes, kind in zip(every, kinds, strict=True):
            for place, lam in enumerate(lambdas):
                curve: dict[float, list[tuple[float, float]]] = {}
                for row in points:
                    if row["kind"] == kind and known[row["run_id"]]["lambda"] == lam:
                        curve.setdefault(row["lambda"], []).append((row["beta"], row["alpha"]))
                mean = np.array([np.mean(curve[at], axis=0) for at in sorted(curve)])
                style = {**look(place), "marker": ""}
                axes.plot(mean[:, 0], mean[:, 1], label=f"{lam:g}", **style)
            _unit_square(axes)
            axes.set_xlabel("recall, beta")
            axes.set_ylabel("precision, alpha")
            axes.set_title(
                "true frontier (grid)" if kind == "grid" else "frontier by classifier",
                loc="left", fontsize=9,
            )  # fmt: skip
        legend_beside(every[-1], size=7, title="trained\nfor lambda", title_fontsize=7)


def _seen(rows: Sequence[Row], samples: Mapping[str, Sequence[float]]) -> list[Row]:
    """Runs of the first seed whose draws are kept: those of pr by lambda, then the others."""
    seed = min(row["seed"] for row in rows)
    kept = [row for row in rows if row["seed"] == seed and samples.get(row["run_id"])]
    pr = sorted((row for row in kept if row["method"] == "pr"), key=lambda row: row["lambda"])
    return [*pr, *(row for row in kept if row["method"] not in WEIGHTED)]


def _draw_samples(
    rows: Sequence[Row],
    samples: Mapping[str, Sequence[float]],
    shape: tuple[int, ...],
    title: str,
    path: Path,
) -> None:
    """Draw points of the plane in a panel a run, or images in a line a run."""
    names = [
        f"lambda {row['lambda']:g}" if row["lambda"] is not None else _NAMES[row["method"]]
        for row in rows
    ]
    draws = [np.array(samples[row["run_id"]]).reshape(-1, *shape) for row in rows]
    words = f"{title}: draws, seed {rows[0]['seed']}"
    if len(shape) == 3:
        count = min(len(each) for each in draws)
        with picture(path, (0.55 * count + 1.8, 0.6 * len(names) + 0.3), words) as figure:
            every = figure.subplots(len(names), 1, squeeze=False)[:, 0]
            for axes, name, images in zip(every, names, draws, strict=True):
                _image_line(axes, name, images[:count])
        return
    columns = min(len(names), 4)
    lines = -(-len(names) // columns)
    data = [each for row, each in zip(rows, draws, strict=True) if row["method"] == "data"]
    end = 1.05 * float(np.quantile(np.abs(np.concatenate(draws)), 0.995))
    with picture(path, (1.9 * columns, 2.0 * lines + 0.3), words) as figure:
        figure.set_dpi(150)
        every = figure.subplots(lines, columns, squeeze=False).ravel()
        for axes, name, points in zip(every, names, draws, strict=False):
            # The data lies behind, in grey.
            for cloud, colour in (*((each, "0.85") for each in data), (points, look(0)["color"])):
                axes.plot(
                    cloud[:, 0], cloud[:, 1], ".", color=colour, markersize=1.5, rasterized=True
                )
            axes.set(xlim=(-end, end), ylim=(-end, end), aspect="equal", xticks=[], yticks=[])
            axes.set_title(name, fontsize=8)
        for axes in every[len(names) :]:
            axes.set_axis_off()


def _image_line(axes: Axes, name: str, images: NDArray[np.float64]) -> None:
    # One strip, with a white pixel between images.
    channels = images.transpose(0, 2, 3, 1)
    padded = np.pad(channels, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=1.0)
    strip = np.concatenate(list(padded), axis=1)
    grey = strip.shape[2] == 1
    axes.imshow(
        strip[..., 0] if grey else strip[..., :3], cmap="gray", vmin=0, vmax=1,
        interpolation="nearest",
    )  # fmt: skip
    axes.set(xticks=[], yticks=[], anchor="E")
    axes.grid(visible=False)
    axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)


def _mean(rows: Sequence[Row], column: str, lam: float | None = None) -> float:
    return float(np.mean([row[column] for row in rows if lam is None or row["lambda"] == lam]))


def _unit_square(axes: Axes) -> None:
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
