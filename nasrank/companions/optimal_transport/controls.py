"""Controls of what `ot` measures: trees that are kept or not, mistakes that are mended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float64, Int64

from nasrank.companions.controls import Labelled, class_share, embedding_controls, inputs_of
from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.companions.optimal_transport.measures import (
    confusion_matrix,
    feature_cpcc,
    mistake_costs,
    one_shot_accuracy,
    retrieval_map,
)
from nasrank.companions.optimal_transport.problem import Problem
from nasrank.seeds import numpy_generator
from nasrank.study.controls import Control, negative, positive, unchanged

__all__ = ["ot_controls"]

_COMPARED = ("l2", "emd", "fastft")
_PER_CLASS = 24
_SPREAD = 0.06
"""Standard error wanted of a mean of correlations that are 0 in truth."""
_MOST_DRAWS = 40


def ot_controls(
    problem: Problem, methods: Iterable[str], measures: Collection[str]
) -> list[Control]:
    """Run the controls of `ot train` on the inputs of its own data.

    Args:
        problem: Data and tree.
        methods: Distances that models were trained with; those that claims compare are looked at.
        measures: Columns of ``ot``.
    """
    own = [DistanceSpec(each) for each in _COMPARED if each in set(methods)]
    by = {
        "test_cpcc": own,
        **{f"{part}_cpcc_{name}": [DistanceSpec(name)] for part in ("test", "raw")
           for name in ("l2", "emd")},
    }  # fmt: skip
    given = inputs_of(problem.data)
    grouped = inputs_of(problem.data, problem.tree.group_of)
    found: list[Control] = []
    known: dict[str, list[Control]] = {}
    for measure, specs in by.items():
        for spec in specs if measure in measures else ():
            if str(spec) not in known:
                known[str(spec)] = list(_tree_controls(measure, problem.tree, spec, given))
            found += [replace(each, measure=measure) for each in known[str(spec)]]
    angles = {"best": 100.0, "shifted": False}
    for measure, inputs in (("fine_map", given), ("coarse_map", grouped)):
        if measure in measures:
            found += embedding_controls(measure, _map, inputs, **angles)  # type: ignore[arg-type]
    if "unseen_fine_accuracy" in measures:
        found += embedding_controls("unseen_fine_accuracy", _one_shot, given, best=100.0)
    for measure, inputs in (("fine_accuracy", given), ("unseen_coarse_accuracy", grouped)):
        if measure in measures:
            found += _accuracy_controls(measure, inputs.asked_classes)
    for measure in ("mean_distance", "mistake_distance"):
        if measure in measures:
            found += _mistake_controls(measure, problem.tree)
    return found


def _map(given: Labelled) -> float:
    known, asked = torch.from_numpy(given.known), torch.from_numpy(given.asked)
    return retrieval_map(known, given.known_classes, asked, given.asked_classes)


def _one_shot(given: Labelled) -> float:
    known, asked = torch.from_numpy(given.known), torch.from_numpy(given.asked)
    return one_shot_accuracy(known, given.known_classes, asked, given.asked_classes, seed=0)


def _tree_controls(
    measure: str, tree: Hierarchy, spec: DistanceSpec, given: Labelled
) -> Iterator[Control]:
    """CPCC of codes that follow the tree, of random classes, of one point, and in other units."""
    rng = numpy_generator(0, stream="controls", part=str(spec))
    classes = np.repeat(np.arange(len(tree)), 4)
    ends = {"best": 1.0, "chance": 0.0}

    def say(features: Float64[np.ndarray, "n d"], own: Int64[np.ndarray, "n"]) -> float | None:
        rows = torch.from_numpy(features)
        return feature_cpcc(rows, own, tree, spec, per_class=_PER_CLASS)[0]

    codes = _codes(tree)
    spread = codes[classes] + 1e-3 * rng.normal(size=(len(classes), codes.shape[1]))
    yield positive(measure, f"codes that follow the tree, by {spec}", say(spread, classes), **ends)
    pairs = len(tree) * (len(tree) - 1) // 2
    draws = min(int(np.ceil(1 / (_SPREAD**2 * max(pairs - 1, 1)))), _MOST_DRAWS)
    random = [say(given.asked, rng.permutation(given.asked_classes)) for _ in range(draws)]
    known = [each for each in random if each is not None]
    yield negative(
        measure, f"random classes, by {spec}", float(np.mean(known)) if known else None, **ends
    )
    point = np.repeat(given.asked[:1], len(given.asked), axis=0)
    yield negative(
        measure, f"one sample repeated, by {spec}", say(point, given.asked_classes), **ends
    )
    usual = say(given.asked, given.asked_classes)
    for factor, shift, words in ((1e6, 0.0, "scaled by 1e+06"), (1e-6, 0.0, "scaled by 1e-06"),
                                 (1.0, 1e3, "shifted by 1000")):  # fmt: skip
        value = say(factor * given.asked + shift, given.asked_classes)
        yield unchanged(measure, f"{words}, by {spec}", value, usual=usual, span=1.0)


def _codes(tree: Hierarchy) -> Float64[np.ndarray, "classes nodes"]:
    """Place every class so that squared distances are the edges between them."""
    nodes: dict[tuple[str, ...], int] = {}
    steps = []
    for place, path in enumerate(tree.paths):
        above = [path[:depth] for depth in range(1, len(path))]
        # Leaves are told apart by their place: two may have one name.
        own = [*above, (*path, f"leaf {place}")]
        steps.append([nodes.setdefault(each, len(nodes)) for each in own])
    codes = np.zeros((len(tree), len(nodes)))
    for place, each in enumerate(steps):
        codes[place, each] = 1.0
    return codes


def _accuracy_controls(measure: str, true: Int64[np.ndarray, "n"]) -> Iterator[Control]:
    """Shares of right answers where all are right, where they are guessed, and all the same."""
    rng = numpy_generator(0, stream="controls", measure=measure)
    ends = {"best": 100.0, "chance": 100.0 * class_share(true)}

    def say(predicted: Int64[np.ndarray, "n"]) -> float:
        counts = confusion_matrix(true, predicted, int(true.max()) + 1)
        return 100.0 * float(np.trace(counts) / counts.sum())

    yield positive(measure, "true classes", say(true), **ends)
    yield negative(measure, "guesses", say(rng.permutation(true)), **ends)
    yield negative(measure, "one class for all", say(np.full_like(true, true[0])), **ends)


def _mistake_controls(measure: str, tree: Hierarchy) -> Iterator[Control]:
    """What mistakes cost where there are none, where all are the worst, and where some are mended.

    To mend half of the mistakes that are near in the tree, and no other, is better in every way.
    """
    count = len(tree)

    def say(confusion: Int64[np.ndarray, "classes classes"]) -> float | None:
        return mistake_costs(confusion, tree)[measure]

    guessed = np.full((count, count), 100)
    farthest = tree.distances.argmax(axis=1)
    worst = float(tree.distances.max(axis=1).mean())
    usual = say(guessed)
    right, wrong = np.diag(np.full(count, 100)), np.zeros((count, count), np.int64)
    wrong[np.arange(count), farthest] = 100
    yield positive(measure, "no mistake", say(right), best=0.0, chance=worst)
    yield negative(measure, "all taken for strangers", say(wrong), best=0.0, chance=worst)
    least = tree.distances[tree.distances > 0].min()
    near = (tree.distances == least) & ~np.eye(count, dtype=bool)
    mended = guessed - 50 * near + np.diag(50 * near.sum(axis=1))
    yield Control(measure, "positive", "half of the near mistakes mended", say(mended), most=usual)
