"""Generators of architectures: cells of NAS-Bench-201 as one operation an edge."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Float32, Float64, Int64

from nasrank.benchmarks import Task, load_task
from nasrank.benchmarks.nb201 import EDGES, OPERATIONS, cell_codes, official_order
from nasrank.benchmarks.splits import Split, make_split
from nasrank.errors import UsageError
from nasrank.losses import parse
from nasrank.metrics import ceil_share, top_threshold
from nasrank.predictors.predictor import Member, Predictor
from nasrank.runs.features import predictor_on

__all__ = ["DRAWS", "CellData", "Shortlist", "load_cells", "predictor_scores", "shortlist"]

DRAWS = 1000
"""Architectures that every generator draws."""

_GOOD_SHARE, _TOP_SHARE = 0.2, 0.05


@dataclass(frozen=True, eq=False)
class CellData:
    """What a generator of cells trains on and is judged by.

    Attributes:
        task: The task.
        split: Labelled and other architectures of the run.
        train: One-hot cells to train on, as 0 and 1.
        top: Whether a class is among the true top 5 %.
        known: Whether a class has a label.
    """

    task: Task
    split: Split
    train: Float32[np.ndarray, "n choices"]
    top: Bool[np.ndarray, "classes"]
    known: Bool[np.ndarray, "classes"]

    def classes_of(self, cells: Float[np.ndarray, "n choices"]) -> Int64[np.ndarray, "n"]:
        """Return the isomorphism class of one-hot cells."""
        digits = cells.reshape(-1, len(EDGES), len(OPERATIONS)).argmax(axis=2)
        places = _place_of_code()[cell_codes(digits.astype(np.int8))]
        classes: npt.NDArray[np.int64] = self.task.space.class_of[places]
        return classes


@dataclass(frozen=True)
class Shortlist:
    """A list of distinct new classes against the true top.

    Attributes:
        size: Distinct classes without a label.
        precision: Share of them in the true top; 0 of an empty list.
        recall: Share of the top without a label that is listed; 1 where all of it has one.
    """

    size: int
    precision: float
    recall: float


def load_cells(task: str, n_labels: int, seed: int) -> CellData:
    """Load the good cells of a run.

    The labelled architectures are those that a predictor of the same seed trains on under the
    split by class; the best 20 % of them are the data. With 0 labels the data is the true top
    5 % itself, one cell a class, and everything counts as new: what a generator can do at best.

    Args:
        task: A task of NAS-Bench-201.
        n_labels: Labelled architectures, or 0.
        seed: Seed of the run.

    Raises:
        UsageError: The task is of another space, or the number does not fit.
    """
    known_task = load_task(task)
    if known_task.space.name != "nb201":
        raise UsageError(
            f"{task}: cells are generated for nb201, whose edges take one of five operations "
            "each. Use --data archs:nb201/cifar10"
        )
    split = make_split(known_task, n_labels or 2, seed)
    space = known_task.space
    labels = np.full(space.classes, np.nan)
    labels[space.class_of[split.train]] = split.train_labels
    labels[space.class_of[split.test]] = split.test_labels
    threshold = top_threshold(labels[~np.isnan(labels)], _TOP_SHARE)
    top = np.nan_to_num(labels, nan=-np.inf) >= (np.inf if threshold is None else threshold)
    known = np.zeros(space.classes, dtype=bool)
    if n_labels:
        known[space.class_of[split.train]] = True
        best = np.argsort(-split.targets, kind="stable")
        good = split.train[best[: max(1, ceil_share(_GOOD_SHARE, n_labels))]]
    else:
        good = space.first_of_class[top]
    cells = np.eye(len(OPERATIONS), dtype=np.float32)[official_order()[good]]
    return CellData(known_task, split, cells.reshape(len(good), -1), top, known)


def shortlist(data: CellData, classes: Int64[np.ndarray, "n"]) -> Shortlist:
    """Judge a list of classes; those with a label are left out, and each counts once.

    Args:
        data: What is known.
        classes: Classes in any order, as often as they come.
    """
    new = np.unique(classes)
    new = new[~data.known[new]]
    hits = int(data.top[new].sum())
    left = int((data.top & ~data.known).sum())
    return Shortlist(len(new), hits / len(new) if len(new) else 0.0, hits / left if left else 1.0)


@lru_cache(maxsize=16)
def predictor_scores(
    task: str, n_labels: int, seed: int, predictor: str
) -> tuple[Float64[np.ndarray, "classes"], float]:
    """Train a predictor on the same labels and score every class.

    Args:
        task: The task.
        n_labels: Labelled architectures.
        seed: Seed of the run.
        predictor: A predictor with options.

    Returns:
        Scores of the classes, higher is better, and the seconds of training and scoring.
    """
    data = load_cells(task, n_labels, seed)
    space = data.task.space
    member = Member(space.class_of[data.split.train], data.split.targets, parse("listmle"), seed)
    known = _predictor(task, predictor)
    began = time.perf_counter()
    scores: npt.NDArray[np.float64] = known.fit([member]).scores()[0]
    return scores, time.perf_counter() - began


@lru_cache(maxsize=2)
def _predictor(task: str, name: str) -> Predictor:
    return predictor_on(load_task(task).space, name)


@lru_cache(maxsize=1)
def _place_of_code() -> Int64[np.ndarray, "cells"]:
    """Position in the space of each cell by its number of base 5."""
    codes = cell_codes(official_order())
    places = np.empty(len(codes), dtype=np.int64)
    places[codes] = np.arange(len(codes))
    return places
