"""Pictures of metric learning with hard samples, and embeddings to be played by epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrank.companions.hard_samples.tables import HARD, HARD_ARCHS, spelled_setting
from nasrank.files import replacing
from nasrank.statistics import mean_interval
from nasrank.study.pictures import look, mean_dot, name_lines, picture

__all__ = ["draw_archs", "draw_hard", "write_embeddings"]

Row = Mapping[str, Any]

_METRICS = (
    ("recall_at_1", "Recall@1"),
    ("separation", "separation between / within"),
    ("fpr_at_95_recall", "false positives at 95 % recall"),
)
_CURVES = (
    ("triplet_loss", "triplet loss of real triplets"),
    ("active_share", "generated triplets within the margin"),
    ("synthetic_negative", "distance to the generated negative"),
    ("met_share", "generated negatives as near as is asked for"),
)


def draw_hard(tables: Mapping[str, Sequence[Row]], folder: Path) -> list[Path]:
    """Draw what the tables say; a picture without anything to show is left out.

    Args:
        tables: Rows of ``hard_summary`` and ``hard_epochs``, and of ``hard_sensitivity`` where it
            was swept.
        folder: Where to write ``methods.svg``, ``epochs.svg`` and ``sensitivity.svg``.
    """
    drawn = {
        "methods.svg": (
            _draw_methods,
            [r for r in tables["hard_summary"] if r["mean"] is not None],
        ),
        "epochs.svg": (_draw_epochs, tables["hard_epochs"]),
        "sensitivity.svg": (
            _draw_sensitivity,
            [r for r in tables.get("hard_sensitivity", ()) if r["difference"] is not None],
        ),
    }
    paths = []
    for name, (draw, rows) in drawn.items():
        if rows:
            paths.append(folder / name)
            draw(rows, paths[-1])
    return paths


def _draw_methods(rows: Sequence[Row], path: Path) -> None:
    names = list(dict.fromkeys(map(spelled_setting, rows)))
    with picture(path, (11.0, 1.1 + 0.28 * len(names))) as figure:
        every = figure.subplots(1, len(_METRICS), sharey=True)
        for axes, (metric, title) in zip(every, _METRICS, strict=True):
            for row in rows:
                if row["metric"] == metric:
                    mean_dot(
                        axes, row["mean"], row["lower"], row["upper"],
                        at=names.index(spelled_setting(row)),
                        colour=look(0 if "two-stage" in row["method"] else 1)["color"],
                    )  # fmt: skip
            better = HARD.column(metric).better
            axes.set_title(f"{title}, {better} is better", loc="left", fontsize=9)
            name_lines(axes, names)
        figure.supxlabel("mean and 95 % interval over seeds, unseen classes", fontsize=8)


def _draw_epochs(rows: Sequence[Row], path: Path) -> None:
    with picture(path, (11.0, 6.4)) as figure:
        handles: dict[str, Any] = {}
        for axes, (column, title) in zip(figure.subplots(2, 2).flat, _CURVES, strict=True):
            for place, setting in enumerate(dict.fromkeys(map(spelled_setting, rows))):
                by_epoch: dict[int, list[float]] = {}
                for row in rows:
                    if spelled_setting(row) == setting and row[column] is not None:
                        by_epoch.setdefault(row["epoch"], []).append(row[column])
                if by_epoch:
                    means = [sum(values) / len(values) for values in by_epoch.values()]
                    axes.plot(
                        list(by_epoch), means, markersize=3, linewidth=1, label=setting,
                        **look(place),
                    )  # fmt: skip
            axes.set_title(title, loc="left", fontsize=9)
            axes.set_xlabel("epoch")
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        figure.legend(handles.values(), handles.keys(), loc="outside right upper", fontsize=8)


def _draw_sensitivity(rows: Sequence[Row], path: Path) -> None:
    colours = {"better": look(2)["color"], "worse": look(1)["color"]}
    with picture(path, (7.0, 1.1 + 0.24 * len(rows))) as figure:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            mean_dot(
                axes, row["difference"], row["lower"], row["upper"], at=place,
                colour=colours.get(row["matters"], "#777777"),
            )  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8)
        name_lines(axes, [f"{row['option']} = {row['value']}" for row in rows])
        axes.set_xlabel("Recall@1 less that of the settings asked for, 95 % interval over seeds")
        axes.set_title(f"{rows[0]['data']}, {rows[0]['method']}", loc="left", fontsize=9)


def draw_archs(rows: Sequence[Row], folder: Path) -> Path:
    """Draw Kendall's tau and precision at the top by method and size: ``architectures.svg``."""
    path = folder / "architectures.svg"
    settings = list(dict.fromkeys((row["n_train"], row["method"]) for row in rows))
    metrics = {"kendall_tau": "Kendall's tau", "precision_at_5pct": "precision at 5 %"}
    with picture(path, (9.0, 1.1 + 0.28 * len(settings))) as figure:
        every = figure.subplots(1, 2, sharey=True)
        for axes, (metric, title) in zip(every, metrics.items(), strict=True):
            for place, setting in enumerate(settings):
                own = [row for row in rows if (row["n_train"], row["method"]) == setting]
                found = mean_interval([row[metric] for row in own if row[metric] is not None])
                mean_dot(
                    axes, found.mean, found.lower, found.upper, at=place,
                    colour=look(1 if setting[1] == "plain" else 0)["color"],
                )  # fmt: skip
            better = HARD_ARCHS.column(metric).better
            axes.set_title(f"{title}, {better} is better", loc="left", fontsize=9)
            name_lines(axes, [f"n = {n_train}, {method}" for n_train, method in settings])
        figure.supxlabel("mean and 95 % interval over seeds", fontsize=8)
    return path


def write_embeddings(pictures: Mapping[str, Any], path: Path) -> None:
    """Write real and generated embeddings epoch by epoch, as ``nasrank report`` plays them.

    Args:
        pictures: By method: ``classes`` (of real samples, generated positives and generated
            negatives), ``names`` of classes, ``epochs`` (points ``real``, ``positive`` and
            ``negative`` by epoch), ``log`` (numbers by epoch) and ``seed``.
        path: The file, as JSON.

    Raises:
        DataError: The folder cannot be written.
    """
    content = json.dumps(_plain(dict(pictures)), separators=(",", ":"), allow_nan=False)
    with replacing(path) as part:
        part.write_text(content + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON has many types
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
