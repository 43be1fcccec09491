"""What makes a task hard to learn from, with the number and what to do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nasrank.benchmarks import Task, class_labels
from nasrank.benchmarks.splits import MINIMUM_TEST, largest_train_size

__all__ = ["cautions", "seed_deviation", "tied_share"]

FEW_CLASSES = 200
"""Labelled classes below which results scatter too much to compare losses."""
MANY_TIES = 0.02
"""Share of tied pairs that matters."""
MANY_TWINS = 0.1
"""Share of architectures with the graph of another that matters."""
LOW_CEILING = 0.93
"""Ceiling of tau below which noise dominates."""
FAR_OUT = 3.0
"""Interquartile ranges below the first quartile: Tukey's outer fence."""


def cautions(task: Task, replicate: float | None, ceiling: float | None) -> list[dict[str, Any]]:
    """Look for what makes a task hard to learn from.

    Args:
        task: A task with at least one label.
        replicate: Its tau between single trainings and the others, None where it has no
            replicates.
        ceiling: Its ceiling of tau, None where it has no replicates.

    Returns:
        For each finding, gravest first: kind (``constant``, ``few_labels``, ``small_space``,
        ``noise``, ``failed_trials``, ``failed``, ``ties``, ``twins``, ``unlabelled``,
        ``large_group``, ``constant_attribute``), value (the number it is about) and text (one
        line, with what to do).
    """
    labels = task.labels[~np.isnan(task.labels)]
    space = task.space
    of_classes = class_labels(task.labels, space.class_of, space.classes)
    labelled_classes = int((~np.isnan(of_classes)).sum())
    found = [
        _constant(labels),
        _few_labels(task, labelled_classes),
        _small_space(space.classes),
        _noise(replicate, ceiling),
        _failed_trials(task),
        _failed(task),
        _ties(labels),
        _twins(task),
        _unlabelled(len(task), int(task.evaluated.sum())),
        _large_group(task),
        *_constant_attributes(task),
    ]
    return [
        {"kind": kind, "value": value, "text": text}
        for kind, value, text in (each for each in found if each is not None)
    ]


def seed_deviation(task: Task) -> float | None:
    """Return the root of the mean variance between training seeds; None where none repeats."""
    repeated = task.values[(~np.isnan(task.values)).sum(axis=1) >= 2]
    return float(np.sqrt(np.nanvar(repeated, axis=1, ddof=1).mean())) if len(repeated) else None


def tied_share(sizes: np.ndarray[Any, Any]) -> float:
    """Return the share of pairs with equal labels, of how often each label occurs.

    Example:
        >>> tied_share(np.array([2, 1, 1]))  # one of six pairs
        0.16666666666666666
    """
    count = int(sizes.sum())
    tied = float((sizes * (sizes - 1) / 2).sum())
    return tied / (count * (count - 1) / 2) if count > 1 else 0.0


_Found = tuple[str, float, str] | None


def _constant(labels: np.ndarray[Any, Any]) -> _Found:
    if labels.min() < labels.max():
        return None
    return (
        "constant",
        float(labels[0]),
        (
            f"all {len(labels):,} labels are {labels[0]:g}, so there is nothing to rank: check "
            "the label column, or choose another metric"
        ),
    )


def _few_labels(task: Task, labelled: int) -> _Found:
    if labelled >= FEW_CLASSES:
        return None
    largest = largest_train_size(task, "class")
    if largest < 2:
        text = (
            f"only {labelled:,} different architectures are labelled, too few to train on 2 and "
            f"test on {MINIMUM_TEST}: label more"
        )
    else:
        # Standard deviation of Kendall's tau between unrelated orders.
        n = max(2, labelled - largest)
        sd = math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1)))
        text = (
            f"only {labelled:,} different architectures are labelled: at most {largest:,} can be "
            f"trained on, and on {n:,} test items tau scatters by {sd:.2f} by chance alone. Label "
            "more, or use many seeds and read the intervals"
        )
    return "few_labels", labelled, text


def _small_space(classes: int) -> _Found:
    if classes >= 100:
        return None
    return (
        "small_space",
        classes,
        (
            f"the space has only {classes:,} different architectures, so its top 1 % is less than "
            "one: add candidates, or evaluate all of them"
        ),
    )


def _noise(replicate: float | None, ceiling: float | None) -> _Found:
    if ceiling is None or ceiling >= LOW_CEILING:
        return None
    agreement = "" if replicate is None else f" (tau {replicate:.2f})"
    return (
        "noise",
        ceiling,
        (
            f"trainings of the same architectures disagree about their order{agreement}: expect "
            f"no predictor above a tau of {ceiling:.2f}. Train each architecture with more seeds, "
            "and take differences between losses with care"
        ),
    )


def _failed_trials(task: Task) -> _Found:
    count = 0 if task.failed is None else int(task.failed.sum())
    if count == 0:
        return None
    return (
        "failed_trials",
        count,
        (
            f"{count:,} trainings failed ({_percent(count, int(task.evaluated.sum()))} of those "
            "tried): each counts as an evaluation spent, level with the worst label where it is "
            "trained on, and is neither tested on nor proposed"
        ),
    )


def _failed(task: Task) -> _Found:
    oriented = task.oriented_labels[~np.isnan(task.labels)]
    quarter, three_quarters = np.quantile(oriented, (0.25, 0.75))
    if quarter == three_quarters:
        return None
    fence = quarter - FAR_OUT * (three_quarters - quarter)
    count = int((oriented < fence).sum())
    if count == 0:
        return None
    higher = task.metric.higher_is_better
    limit = fence if higher else -fence
    worst = oriented.min() if higher else -oriented.min()
    side = "below" if higher else "above"
    chance = ""
    if task.chance is not None:
        near = int((task.labels <= 1.1 * task.chance).sum())
        chance = f", {near:,} of them near chance ({task.chance:g})" if near else ""
    return (
        "failed",
        count,
        (
            f"{count:,} labels ({_percent(count, len(oriented))}) lie far {side} the rest, past "
            f"{limit:.4g} and up to {worst:.4g}{chance}: failed trainings, or architectures that "
            "do not work. Give the former the status failed; mse is dominated by such values, "
            "losses such as hr and listmle see only their order"
        ),
    )


def _ties(labels: np.ndarray[Any, Any]) -> _Found:
    _, sizes = np.unique(labels, return_counts=True)
    share = tied_share(sizes)
    if share < MANY_TIES or len(sizes) == 1:
        return None
    return (
        "ties",
        share,
        (
            f"{100 * share:.3g} % of pairs share a label (only {len(sizes):,} values differ): "
            "no predictor can order those. Give labels with more digits, or means of more seeds"
        ),
    )


def _twins(task: Task) -> _Found:
    architectures = len(task)
    twins = architectures - task.space.classes
    if twins < MANY_TWINS * architectures:
        return None
    what, then = "compute the same as an earlier one", ", and do not spend labels on both"
    if task.space.graphs.only_settings:
        what, then = "have the settings of an earlier one, as replicates do", ""
    return (
        "twins",
        twins,
        (
            f"{twins:,} architectures ({_percent(twins, architectures)}) {what}: keep --split "
            f"class, since a random split has them on both sides{then}"
        ),
    )


def _unlabelled(architectures: int, evaluated: int) -> _Found:
    if evaluated == architectures:
        return None
    missing = architectures - evaluated
    return (
        "unlabelled",
        missing,
        (
            f"{missing:,} architectures ({_percent(missing, architectures)}) have no label: they "
            "are candidates, and no comparison trains or tests on them"
        ),
    )


def _large_group(task: Task) -> _Found:
    if task.group_of is None:
        return None
    known = (task.group_of >= 0) & ~np.isnan(task.labels)
    _, sizes = np.unique(task.group_of[known], return_counts=True)
    largest = int(sizes.max(initial=0))
    labelled = int((~np.isnan(task.labels)).sum())
    if 2 * largest <= labelled:
        return None
    return (
        "large_group",
        largest,
        (
            f"one group has {largest:,} of {labelled:,} labelled architectures: since it has to "
            "be on one side of a split, it is only trained on where --n-train leaves no other "
            "choice. Divide it, or drop the column group"
        ),
    )


def _constant_attributes(task: Task) -> list[_Found]:
    graphs = task.space.graphs
    if graphs.attributes is None:
        return []
    found: list[_Found] = []
    for number, name in enumerate(graphs.attribute_names):
        values = graphs.attributes[:, :, number]
        values = values[~np.isnan(values)]
        if len(values) == 0 or values.min() == values.max():
            value = float(values[0]) if len(values) else math.nan
            text = (
                f"the attribute {name} is the same everywhere and carries no information: drop it"
            )
            found.append(("constant_attribute", value, text))
    return found


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.2g} %"
