"""Are these embeddings collapsed, and which alpha would have kept them from it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.companions.supcon.tables import TRAINING
from nasrank.companions.supcon.train_claims import base_rows
from nasrank.errors import DataError
from nasrank.metrics.embeddings import (
    effective_rank,
    on_sphere,
    simplex_distance,
    sphere_variance,
)
from nasrank.samples import Reading, read_samples
from nasrank.study.view import grouped

__all__ = [
    "COLLAPSED",
    "NEAR",
    "Diagnosis",
    "SweepCheck",
    "check_sweep",
    "diagnose",
    "verdict",
]

COLLAPSED = 0.05
"""Share of the variance that lies within classes, below which they are collapsed. In centred
embeddings two members of a class then have a mean cosine above .95, which is 18 degrees: no more
than random views of one sample leave in trained encoders."""
NEAR = 0.15
"""Share below which they are nearly so: a mean cosine above .85, or 32 degrees."""

_CHANCE = 4.0
"""Standard errors by which neighbours of one class must be more frequent than by chance."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Diagnosis:
    """What embeddings say of their classes.

    Attributes:
        rows: Rows of ``diagnosis``: one for all embeddings and one for each class.
        simplex_distance: How far the class means are from a regular simplex, 0 to 1.41.
        total_variance: Of the unit embeddings, at most 1; far below, they share a direction.
        neighbours: Share of embeddings, of classes of several, whose nearest other one is of
            their class.
        verdict: collapsed, near, not learned or healthy.
        reason: Why, in one sentence.
        notes: What the reader of the file says.
    """

    rows: list[Row]
    simplex_distance: float
    total_variance: float
    neighbours: float
    verdict: str
    reason: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SweepCheck:
    """What a sweep of `nasrank supcon train` says of a suggested alpha.

    Attributes:
        alpha: The alpha of the sweep that is nearest to the suggestion.
        accuracy: Mean accuracy on finer labels there, 0 to 1.
        best_alpha: The alpha of the sweep with the highest one.
        best_accuracy: That accuracy.
        seeds: Runs of each alpha.
    """

    alpha: float
    accuracy: float
    best_alpha: float
    best_accuracy: float
    seeds: int


def diagnose(path: Path, label: str | None = None, reading: Reading | None = None) -> Diagnosis:
    """Measure embeddings from a file.

    Args:
        path: A .parquet file with a class column, or a .npz file with ``values`` and ``classes``.
        label: The class column or array.
        reading: How to read it.

    Raises:
        UsageError: The file is of another kind, or has no such column.
        DataError: It is missing or damaged, holds NaN, or has fewer than two classes, no class
            with two embeddings, or an embedding of length 0.
    """
    labels = () if label is None else (label,)
    name, samples = str(path), read_samples(path, labels, reading).samples
    rows, classes = samples.values.reshape(len(samples), -1), samples.classes
    sizes = np.bincount(classes, minlength=len(samples.class_names))
    if (sizes > 0).sum() < 2:
        raise DataError(
            f"{name}: it has one class, and two are needed. Name a class column with --label, "
            "or store 'classes' in a .npz file"
        )
    if sizes.max() < 2:
        raise DataError(
            f"{name}: every class has one embedding, so none can collapse. Choose another --label"
        )
    unit = on_sphere(rows)
    empty = np.flatnonzero(~unit.any(axis=1))
    if len(empty):
        raise DataError(f"{name}: row {empty[0]} has length 0 and no direction. Drop such rows")
    spread = sphere_variance(unit, classes, len(sizes))
    centre = unit.mean(axis=0)
    lines = [_row("all", unit, spread.within, spread.between, spread.total)]
    for number, each in enumerate(samples.class_names):
        if sizes[number]:
            mean = spread.class_means[number]
            between = float(np.sum((mean - centre) ** 2))
            within = float(spread.class_within[number])
            lines.append(_row(each, unit[classes == number], within, between, spread.total))
    lines[0]["mean_cosine"] = _pair_cosine(unit, classes)
    share = lines[0]["within_share"]
    near = _own_neighbours(unit, classes)
    # A class of one embedding has no other, and asks nothing.
    asked = sizes[sizes > 1]
    chance = float((asked * (asked - 1)).sum() / (asked.sum() * (len(unit) - 1)))
    found = verdict(share, near - chance, _CHANCE * (chance * (1 - chance) / asked.sum()) ** 0.5)
    if found == "not learned":
        for line in lines:
            # Variance within a class that is not there says nothing good of it.
            line["verdict"] = found if line["verdict"] == "healthy" else line["verdict"]
    return Diagnosis(
        lines,
        simplex_distance(spread.class_means[sizes > 0]),
        spread.total,
        near,
        found,
        _reason(
            found,
            share,
            [line for line in lines[1:] if line["embeddings"] > 1],
            f"{100 * near:.1f} % of them, as {100 * chance:.1f} % would by chance",
        ),
        samples.notes,
    )


def verdict(share: float, lead: float = 1.0, noise: float = 0.0) -> str:
    """Judge by the share of the variance that lies within classes, and by the neighbours.

    Args:
        share: Within-class variance over total variance, 0 to 1.
        lead: By how much the share of embeddings whose nearest other one is of their class is
            above that of chance.
        noise: What of this chance alone explains.

    Returns:
        ``collapsed`` below `COLLAPSED`, ``near`` below `NEAR`, ``not learned`` where neighbours
        are no more often of one class than by chance, or ``healthy``.
    """
    if share < COLLAPSED:
        return "collapsed"
    if share < NEAR:
        return "near"
    return "healthy" if lead > noise else "not learned"


def check_sweep(folder: Path, alpha: float) -> SweepCheck:
    """Look an alpha up in the table of a sweep.

    Args:
        folder: Where ``nasrank supcon train`` wrote ``train.parquet``.
        alpha: The alpha to look up; the nearest one counts.

    Raises:
        DataError: There is no such table, or nothing in it converged.
    """
    path = folder / "train.parquet"
    rows = TRAINING.read(path)
    known = [row for row in base_rows(rows) if row["fine_probe_accuracy"] is not None]
    if not known:
        raise DataError(f"{path}: it has no trained encoder. Run nasrank supcon train again")
    values = {
        alpha: [row["fine_probe_accuracy"] for row in own]
        for (alpha,), own in grouped(known, ["alpha"]).items()
    }
    means = {each: sum(own) / len(own) for each, own in values.items()}
    best = max(means, key=lambda each: means[each])
    near = min(means, key=lambda each: abs(each - alpha))
    return SweepCheck(near, means[near], best, means[best], min(map(len, values.values())))


def _row(
    name: str, unit: Float64[np.ndarray, "n d"], within: float, between: float, total: float
) -> Row:
    count = len(unit)
    share = within / total if total > 1e-12 else 0.0
    cosine = None
    if count > 1:
        # The mean over all pairs holds each embedding with itself, at cosine 1.
        cosine = ((1 - within) * count - 1) / (count - 1)
    return {
        "class": name,
        "embeddings": count,
        "within_variance": within,
        "between_variance": between,
        "within_share": share,
        "mean_cosine": cosine,
        "effective_rank": effective_rank(unit),
        "verdict": verdict(share) if count > 1 else "one embedding",
    }


def _pair_cosine(unit: Float64[np.ndarray, "n d"], classes: Int64[np.ndarray, "n"]) -> float:
    """Mean cosine over all pairs of one class."""
    total, pairs = 0.0, 0
    for number in np.unique(classes):
        own = unit[classes == number]
        total += float(np.sum(own.sum(axis=0) ** 2)) - len(own)
        pairs += len(own) * (len(own) - 1)
    return total / pairs


def _own_neighbours(unit: Float64[np.ndarray, "n d"], classes: Int64[np.ndarray, "n"]) -> float:
    """Share of those with another of their class whose nearest other one is of it."""
    right = 0
    size = max(1, 2_000_000 // len(unit))
    for start in range(0, len(unit), size):
        likeness = unit[start : start + size] @ unit.T
        here = np.arange(len(likeness))
        likeness[here, start + here] = -np.inf
        right += int((classes[likeness.argmax(axis=1)] == classes[start : start + size]).sum())
    asks = np.bincount(classes)[classes] > 1
    return right / int(asks.sum())


def _reason(found: str, share: float, lines: Sequence[Row], near: str) -> str:
    said = f"{100 * share:.1f} % of the variance lies within classes"
    match found:
        case "collapsed":
            return (
                f"{said}, below {100 * COLLAPSED:g} %: members of a class differ less than "
                "random views of one of them usually do, so nothing finer can be read"
            )
        case "near":
            return (
                f"{said}, below {100 * NEAR:g} %: members of a class have a mean cosine above "
                f"{1 - NEAR:g}, so finer differences are faint"
            )
        case "not learned":
            return (
                f"{said}, and the nearest other embedding is of the same class for {near}: these "
                "classes are not in the embeddings"
            )
        case _:
            gone = [line["class"] for line in lines if line["verdict"] == "collapsed"]
            if gone:
                return f"{said}, but these classes are collapsed: {', '.join(gone[:5])}"
            return f"{said}, {100 * NEAR:g} % or more, and no class is collapsed"
