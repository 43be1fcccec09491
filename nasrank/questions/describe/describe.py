"""What is known about a task before anything is trained on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import Task, class_labels, load_task, parse_task
from nasrank.benchmarks.setting_facts import setting_rows
from nasrank.benchmarks.sources import SourceFile
from nasrank.benchmarks.splits import SPLITS, largest_train_size
from nasrank.errors import DataError
from nasrank.questions.describe.cautions import cautions, seed_deviation, tied_share
from nasrank.questions.describe.histogram import histogram_of
from nasrank.runs.evaluate import noise_taus

__all__ = ["BINS", "LISTED_BEST", "describe_task"]

BINS = 20
"""Bins of the histogram of labels."""
LISTED_BEST = 5
"""Architectures listed as the best ones."""


def describe_task(name: str) -> dict[str, Any]:
    """Describe a task by its labels: the means over training seeds, in the metric's direction.

    Args:
        name: As in :func:`~nasrank.benchmarks.load_task`.

    Returns:
        These keys, in this order; numbers are in the metric's unit unless said otherwise:

        - task, space, title, dataset: its names.
        - metric: name, description, unit, better (``higher`` or ``lower``).
        - architectures, labelled, failed: how many there are, how many have a label, and how many
          have none since training failed.
        - told_by: what tells architectures apart, ``graph`` or ``settings`` alone.
        - classes, labelled_classes: how many differ in graph or settings.
        - field_classes: the classes as the field counts them, by its string form; or None.
        - attributes: names of the numbers that nodes have.
        - settings: of the different architectures, see
          :func:`nasrank.benchmarks.setting_facts.setting_rows`; empty without settings.
        - groups: how many groups no split by class tears apart; None without groups.
        - warnings: see :func:`nasrank.questions.describe.cautions.cautions`.
        - best: the best architectures: label, architecture, class.
        - best_class_label: the best mean label of a class.
        - spread: min, quarter, median, three_quarters, max, mean, sd.
        - ties: distinct_labels, largest (architectures sharing one label), tied_pairs (share of
          all pairs).
        - replicates: most (training seeds of an architecture), architectures (how many have each
          number of seeds), seed_sd (root of the mean variance between seeds, or None).
        - ceiling_tau, replicate_tau: as in :mod:`nasrank.metrics`; None without replicates.
        - chance: what guessing scores, or None.
        - cost_gpu_seconds: total, mean, min, max over architectures; or None.
        - largest_n_train: for each kind of split.
        - note: what to keep in mind about the numbers; may be empty.
        - sources: package (or the file that was imported), version, path, sha256, known (whether
          the project was built with this very content), state (``known``, ``other``,
          ``imported``), licence, citation.
        - fingerprint: digest of what the numbers come from.
        - histogram: edges (one more than counts), counts of labels and scale, see
          :mod:`nasrank.questions.describe.histogram`.

    Raises:
        UsageError: There is no such task.
        DataError: Its data is missing or damaged, or holds no label.
    """
    task = load_task(name)
    parsed = parse_task(name)
    space = task.space
    labelled = ~np.isnan(task.labels)
    labels = task.labels[labelled]
    if len(labels) == 0:
        raise DataError(f"{task.name}: no architecture has a label. Import its data again")
    of_classes = class_labels(task.oriented_labels, space.class_of, space.classes)
    sign = 1.0 if task.metric.higher_is_better else -1.0
    replicate, ceiling = noise_taus(task)
    graphs = space.graphs
    return {
        "task": task.name,
        "space": parsed.benchmark.name,
        "title": parsed.benchmark.title,
        "dataset": task.dataset,
        "metric": {
            "name": task.metric.name,
            "description": task.metric.description,
            "unit": task.metric.unit,
            "better": "higher" if task.metric.higher_is_better else "lower",
        },
        "architectures": len(task),
        "labelled": len(labels),
        "failed": 0 if task.failed is None else int(task.failed.sum()),
        "told_by": "settings" if graphs.only_settings else "graph",
        "classes": space.classes,
        "labelled_classes": int((~np.isnan(of_classes)).sum()),
        "field_classes": None if space.field_classes is None else space.field_classes(),
        "attributes": list(graphs.attribute_names),
        "settings": [] if graphs.settings is None else setting_rows(graphs.settings),
        "groups": None
        if task.group_of is None
        else len(np.unique(task.group_of[task.group_of >= 0])),
        "warnings": cautions(task, replicate, ceiling),
        "best": _best(task),
        "best_class_label": sign * float(np.nanmax(of_classes)),
        "spread": _spread(labels),
        "ties": _ties(labels),
        "replicates": _replicates(task),
        "ceiling_tau": ceiling,
        "replicate_tau": replicate,
        "chance": task.chance,
        "cost_gpu_seconds": _cost(task.cost_seconds),
        "largest_n_train": {split: largest_train_size(task, split) for split in SPLITS},
        "note": task.note,
        "sources": [_source(source) for source in task.sources],
        "fingerprint": task.fingerprint,
        "histogram": histogram_of(labels, BINS),
    }


def _best(task: Task) -> list[dict[str, Any]]:
    oriented = task.oriented_labels
    first = np.argsort(-oriented, kind="stable")[:LISTED_BEST]
    return [
        {
            "label": float(task.labels[item]),
            "architecture": task.space.architectures[item],
            "class": int(task.space.class_of[item]),
        }
        for item in first.tolist()
        if not np.isnan(oriented[item])
    ]


def _spread(labels: NDArray[np.float64]) -> dict[str, float]:
    quarter, median, three_quarters = np.quantile(labels, (0.25, 0.5, 0.75))
    return {
        "min": float(labels.min()),
        "quarter": float(quarter),
        "median": float(median),
        "three_quarters": float(three_quarters),
        "max": float(labels.max()),
        "mean": float(labels.mean()),
        "sd": float(labels.std(ddof=1)) if len(labels) > 1 else 0.0,
    }


def _ties(labels: NDArray[np.float64]) -> dict[str, float]:
    _, sizes = np.unique(labels, return_counts=True)
    return {
        "distinct_labels": len(sizes),
        "largest": int(sizes.max()),
        "tied_pairs": tied_share(sizes),
    }


def _replicates(task: Task) -> dict[str, Any]:
    seeds = (~np.isnan(task.values)).sum(axis=1)
    numbers, architectures = np.unique(seeds[seeds > 0], return_counts=True)
    return {
        "most": int(numbers.max()),
        "architectures": {
            str(number): count
            for number, count in zip(numbers.tolist(), architectures.tolist(), strict=True)
        },
        "seed_sd": seed_deviation(task),
    }


def _cost(seconds: NDArray[np.float64] | None) -> dict[str, float] | None:
    known = None if seconds is None else seconds[~np.isnan(seconds)]
    if known is None or len(known) == 0:
        return None
    return {
        "total": float(known.sum()),
        "mean": float(known.mean()),
        "min": float(known.min()),
        "max": float(known.max()),
    }


def _source(source: SourceFile) -> dict[str, Any]:
    return {
        "package": source.origin.package,
        "version": source.origin.version,
        "path": str(source.path),
        "sha256": source.sha256,
        "known": source.known,
        "state": source.state,
        "licence": source.origin.licence,
        "citation": source.citation,
    }
