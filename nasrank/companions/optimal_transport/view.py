"""What people see of the studies of ``nasrank ot``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from nasrank.companions.optimal_transport.options import (
    DiagnoseConfig,
    SpeedConfig,
    TrainConfig,
)
from nasrank.companions.optimal_transport.plan import PLAIN
from nasrank.companions.optimal_transport.speed import AXES
from nasrank.companions.optimal_transport.tables import CLASSES, CONFUSIONS, SLOPES
from nasrank.study.study import Result
from nasrank.study.view import (
    SPREAD,
    Field,
    Measure,
    Part,
    Sheet,
    differing,
    fixed,
    grouped,
    over_seeds,
    plural,
    seeds_of,
)

__all__ = ["view_diagnosis", "view_speed", "view_trained"]

Row = dict[str, Any]

_MEASURES = (
    Measure("test_cpcc", "TestCPCC\nown", keep=8),
    Measure("test_cpcc_l2", "by\nl2", keep=8),
    Measure("test_cpcc_emd", "by\nemd", keep=8),
    Measure("fine_accuracy", "accuracy\nfine %", digits=1, keep=7),
    Measure("coarse_accuracy", "coarse\n%", digits=1, keep=6),
    Measure("fine_map", "mAP\nfine %", digits=1, keep=6),
    Measure("coarse_map", "coarse\n%", digits=1),
    Measure("mistake_distance", "edges a\nmistake", digits=2),
    Measure("expected_cost", "cost a\nsample", keep=7),
    Measure("unseen_fine_accuracy", "unseen\nfine %", digits=1, keep=4),
    Measure("unseen_coarse_accuracy", "coarse\n%", digits=1, keep=4),
    Measure("fit_seconds", "seconds\na run", digits=1, spread=False, keep=3),
    Measure("diverged", "diverged,\ncollapsed", over="sum", keep=8),
)


def view_trained(result: Result[TrainConfig]) -> Iterable[Part]:
    """Show means over seeds of each method, and the mistakes that moved most."""
    rows, first = result.rows, result.rows[0]
    varied = differing([r for r in rows if r["method"] != PLAIN], ("weight", "batch_size"))
    yield over_seeds(
        rows,
        ["method", *varied],
        _MEASURES,
        f"{first['data']}, tree {first['tree']}, {first['encoder']}, {first['n_train']:,} "
        f"training samples, {_epochs(rows)}, {seeds_of(rows)}",
    )
    yield (
        f"{SPREAD} TestCPCC: do distances of classes in test features follow the tree (1: fully)? "
        "Own distances are on different scales: compare by l2 and emd."
    )
    none = sum(row["degenerate_batches"] for row in rows)
    if none:
        total = sum(row["batches"] for row in rows)
        yield f"{none:,} of {total:,} mini-batches had no correlation and taught no tree."
    yield from _mistakes(result.tables[CONFUSIONS.name])


def _epochs(rows: Sequence[Row]) -> str:
    lengths = sorted({row["epochs"] for row in rows})
    if len(lengths) > 1:
        return f"{lengths[0]} to {lengths[-1]} epochs"
    return plural(lengths[0], "epoch")


def _mistakes(rows: Sequence[Row]) -> Iterable[Part]:
    """Show the three mistakes that moved most, method by method, in the first setting."""
    first: dict[str, Sequence[Mapping[str, Any]]] = {}
    for (method, *_), own in grouped(rows, ("method", "weight", "batch_size")).items():
        first.setdefault(method, own[:3])
    shown = [row for own in first.values() for row in own]
    if not shown:
        return
    yield Sheet(
        shown,
        (
            Field("method", keep=9),
            Field("mistake", of=_mistake, keep=9),
            Field("tree_distance", "edges", "{:g}".format, right=True, keep=6),
            Field("before", "plain %", fixed(2), right=True, keep=7),
            Field("after", "with tree %", fixed(2), right=True, keep=7),
            Field("change", "change", "{:+.2f}".format, right=True, keep=8),
        ),
        "Mistakes that moved most, share of the true class",
    )


def _mistake(row: Mapping[str, Any]) -> str:
    return f"{row['true_class']} taken for {row['predicted_class']}"


def view_diagnosis(result: Result[DiagnoseConfig]) -> Iterable[Part]:
    """Show the answer, what it goes by, and the classes with most components."""
    record = result.rows[0]
    numbers = (
        ("mean_components_bic", "components of a class by BIC, mean"),
        ("mean_components_aic", "components of a class by AIC, mean"),
        ("multi_modal_share", "share of classes with two or more by BIC"),
        ("l2_emd_correlation", "correlation of l2 and emd over pairs of classes"),
        ("one_shape_correlation", "the same for normal classes of one shape"),
        ("cpcc_l2", "CPCC with the tree by l2"),
        ("cpcc_emd", "CPCC with the tree by emd"),
    )
    yield (
        "Do class means hide structure that transport sees? "
        f"{record['answer'].upper()}: {record['reason']}."
    )
    yield Sheet(
        [
            {"number": words, "value": f"{record[name]:.3f}"}
            for name, words in numbers
            if record[name] is not None
        ],
        (Field("number", keep=9), Field("value", right=True, keep=9)),
        f"{record['data']}: {record['samples']:,} samples of {record['classes']} classes, "
        f"{record['dimensions']} dimensions",
    )
    every = result.tables[CLASSES.name]
    classes = sorted(every, key=lambda row: -(row["components_bic"] or 0))[:12]
    yield Sheet(
        classes,
        (
            Field("class", keep=9),
            Field("samples", right=True),
            Field("axes", right=True),
            Field("components_bic", "BIC", right=True, keep=9),
            Field("components_aic", "AIC", right=True, keep=8),
        ),
        "Normal components of each class"
        + (", the 12 with most" if len(every) > len(classes) else ""),
    )
    yield (
        "Long tails take several components as well as several modes do; the correlation decides. "
        "The answer is about these features; what training with transport gains, ot train shows."
    )


def view_speed(result: Result[SpeedConfig]) -> Iterable[Part]:
    """Show times of every distance, one table for each thing that varies."""
    words = {"samples": "samples of each of 4 classes", "dimension": "dimensions"}
    for axis in AXES:
        rows = [row for row in result.rows if row["axis"] == axis]
        slopes = {
            row["distance"]: row["slope"]
            for row in result.tables[SLOPES.name]
            if row["axis"] == axis
        }
        settings = list(dict.fromkeys(row[axis] for row in rows))
        yield Sheet(
            [
                _speed_line([row for row in rows if row["distance"] == name], axis, slopes[name])
                for name in dict.fromkeys(row["distance"] for row in rows)
            ],
            (
                Field("distance", keep=9),
                *(Field(str(each), f"{each:,}", fixed(2), right=True) for each in settings),
                Field("slope", show=fixed(2), right=True, keep=8),
                Field("memory", "most MiB", right=True, keep=4),
            ),
            f"Milliseconds by {words.get(axis, axis)}",
        )
    yield "Median of repeats; slope 1 is linear, 2 quadratic, over the larger half."


def _speed_line(rows: Sequence[Row], axis: str, slope: float | None) -> Row:
    times = {
        str(setting): 1e3 * median(row["seconds"] for row in own)
        for (setting,), own in grouped(rows, (axis,)).items()
    }
    memory = [row["mebibytes"] for row in rows if row["mebibytes"] is not None]
    return {
        "distance": rows[0]["distance"],
        **times,
        "slope": slope,
        "memory": round(max(memory)) if memory else None,
    }
