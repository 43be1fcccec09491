"""Inputs whose answer is known, for measures that the companions share.

Embeddings with classes: class means are perfect, and random labels, noise and one point are as
good as chance. Architectures: true labels are a perfect predictor, and shuffled ones a random one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.benchmarks import load_task
from nasrank.benchmarks.splits import make_split
from nasrank.metrics.embeddings import sphere_variance
from nasrank.runs.evaluate import Training, evaluate
from nasrank.runs.run import Run
from nasrank.samples import Samples, SampleSet
from nasrank.seeds import numpy_generator
from nasrank.study.controls import Control, negative, positive, unchanged
from nasrank.study.options import ARCHS
from nasrank.study.study import Job

__all__ = [
    "Labelled",
    "archs_controls",
    "class_share",
    "embedding_controls",
    "inputs_of",
    "ranking_controls",
    "variance_controls",
]

_MOST, _FAR, _SCALES = 600, 1e3, (1e6, 1e-6)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Embeddings to learn from and embeddings to ask about.

    Attributes:
        known: To learn from.
        known_classes: Theirs.
        asked: To ask about.
        asked_classes: Theirs.
    """

    known: Float64[np.ndarray, "m d"]
    known_classes: Int64[np.ndarray, "m"]
    asked: Float64[np.ndarray, "n d"]
    asked_classes: Int64[np.ndarray, "n"]

    def moved(self, factor: float, shift: float) -> Labelled:
        """Return them in another unit and about another origin."""
        return replace(self, known=factor * self.known + shift, asked=factor * self.asked + shift)


def inputs_of(data: SampleSet, group_of: Int64[np.ndarray, "classes"] | None = None) -> Labelled:
    """Take the inputs themselves for embeddings: of at most 600 samples a part, whole classes.

    Args:
        data: Training and test samples.
        group_of: Coarser classes to use instead.
    """
    parts = []
    for part in (data.train, data.test):
        chosen = _whole_classes(part)
        values = part.values[chosen].reshape(len(chosen), -1).astype(np.float64)
        classes = part.classes[chosen] if group_of is None else group_of[part.classes[chosen]]
        parts += [values, classes]
    return Labelled(*parts)


def _whole_classes(part: Samples) -> Int64[np.ndarray, "chosen"]:
    """Every class with as many samples as there is room for; fewer classes where it is tight."""
    counts = np.bincount(part.classes)
    classes = np.flatnonzero(counts)
    each = max(_MOST // max(len(classes), 1), min(4, int(counts.max(initial=1))))
    chosen = [np.flatnonzero(part.classes == c)[:each] for c in classes[: -(-_MOST // each)]]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def class_share(classes: Int64[np.ndarray, "n"]) -> float:
    """Return the share of the largest class: what guessing reaches at most."""
    return float(np.bincount(classes).max() / len(classes))


def embedding_controls(
    measure: str,
    say: Callable[[Labelled], float | None],
    given: Labelled,
    *,
    best: float = 1.0,
    shifted: bool = True,
) -> Iterator[Control]:
    """Measure embeddings that are perfect, embeddings that say nothing, and other units.

    Args:
        measure: The column.
        say: The measure.
        given: Real inputs with their classes.
        best: Its best value; chance is as much of it as the largest class has.
        shifted: Whether it is about distances; angles change with the origin.
    """
    rng = numpy_generator(0, stream="controls", measure=measure)
    chance = best * class_share(given.asked_classes)
    both = np.concatenate([given.known_classes, given.asked_classes])
    rows = np.concatenate([given.known, given.asked])
    means = np.stack([rows[both == number].mean(axis=0) for number in np.unique(both)])
    known, asked = np.split(means[np.unique(both, return_inverse=True)[1]], [len(given.known)])
    ends = {"best": best, "chance": chance}
    yield positive(measure, "class means", say(replace(given, known=known, asked=asked)), **ends)
    labels = replace(
        given,
        known_classes=rng.permutation(given.known_classes),
        asked_classes=rng.permutation(given.asked_classes),
    )
    yield negative(measure, "random labels", say(labels), **ends)
    noise = replace(
        given, known=rng.normal(size=given.known.shape), asked=rng.normal(size=given.asked.shape)
    )
    yield negative(measure, "noise", say(noise), **ends)
    point = given.known[:1]
    one = replace(
        given,
        known=np.repeat(point, len(given.known), axis=0),
        asked=np.repeat(point, len(given.asked), axis=0),
    )
    yield negative(measure, "one sample repeated", say(one), **ends)
    yield from _in_other_units(measure, say, given, best - chance, shifted=shifted)


def _in_other_units(
    measure: str,
    say: Callable[[Labelled], float | None],
    given: Labelled,
    span: float,
    *,
    shifted: bool,
) -> Iterator[Control]:
    usual = say(given)
    for factor in _SCALES:
        value = say(given.moved(factor, 0.0))
        yield unchanged(measure, f"scaled by {factor:g}", value, usual=usual, span=span)
    if shifted:
        deviation = float(given.known.std()) or 1.0
        value = say(given.moved(1.0, _FAR * deviation))
        yield unchanged(measure, f"shifted by {_FAR:g} deviations", value, usual=usual, span=span)
    order = numpy_generator(0, stream="controls", part="order").permutation(len(given.asked))
    turned = replace(given, asked=given.asked[order], asked_classes=given.asked_classes[order])
    yield unchanged(measure, "rows in another order", say(turned), usual=usual, span=span)


def variance_controls(measures: Collection[str]) -> Iterator[Control]:
    """Measure the variance within classes, on the sphere, of points and of noise.

    Args:
        measures: Columns that hold it: each is 0 of collapsed classes and 1 of noise.
    """
    rng = numpy_generator(0, stream="controls", part="sphere")
    classes = np.repeat(np.arange(10), 50)
    noise = rng.normal(size=(len(classes), 64))
    points = rng.normal(size=(10, 64))[classes]
    lengths = 10.0 ** rng.uniform(-6, 6, len(classes))[:, None]

    def say(rows: Float64[np.ndarray, "n d"]) -> float:
        return sphere_variance(rows, classes).within

    for name in measures:
        ends = {"best": 1.0, "chance": 0.0}
        yield positive(name, "noise, which no class shares", say(noise), **ends)
        yield negative(name, "one point a class", say(points), **ends)
        yield unchanged(
            name, "every row at a length of its own", say(noise * lengths), usual=say(noise),
            span=1.0,
        )  # fmt: skip


def ranking_controls(task_name: str, measures: Collection[str], n_train: int) -> list[Control]:
    """Rank a task's architectures by their true labels, at random, and all alike.

    Args:
        task_name: The task.
        measures: Columns of ``runs``; those it does not know are left out.
        n_train: Labelled architectures.
    """
    task = load_task(task_name)
    split = make_split(task, n_train, 0, split="class")
    run = Run(
        task.name, task.fingerprint, "control", "mse", n_train, 0, "class", "mean", "rest",
        "random",
    )  # fmt: skip
    truth = np.full(task.space.classes, np.nan)
    truth[task.space.class_of[split.train]] = split.train_labels
    truth[task.space.class_of[split.test]] = split.test_labels
    truth = np.nan_to_num(truth, nan=float(np.nanmin(truth)))
    rng = numpy_generator(0, stream="controls", part="ranking")

    def say(scores: Float64[np.ndarray, "classes"]) -> Mapping[str, Any]:
        nothing = Training(float("nan"), False, 0.0, 0.0, "cpu")
        return evaluate(run, task, split, scores, nothing)

    perfect, random = say(truth), say(rng.permutation(truth))
    level, turned = say(np.zeros_like(truth)), say(-truth)
    scaled = [(factor, say(factor * truth)) for factor in _SCALES]
    found = []
    for name in measures:
        if perfect.get(name) is None:
            continue
        best, worst = _number(perfect, name), _number(turned, name)
        chance = 0.0 if name.endswith("tau") else _number(random, name)
        if name.startswith("regret"):
            # No value of chance is known beforehand: nearer to the reverse order than to truth.
            chance = worst
            found += [negative(name, "the reverse order", worst, best=best, chance=worst)]
        elif not name.endswith("tau"):
            chance = float(name.rsplit("_", 1)[-1].removesuffix("pct")) / 100
        ends = {"best": best, "chance": chance}
        found += [positive(name, "true labels", best, **ends)]
        if not name.startswith("regret"):
            found += [negative(name, "shuffled labels", _known(random, name), **ends)]
            found += [negative(name, "all alike", _known(level, name), **ends)]
        found += [
            unchanged(
                name, f"scores scaled by {factor:g}", _known(row, name), usual=best,
                span=best - chance,
            )
            for factor, row in scaled
        ]  # fmt: skip
    return found


def archs_controls(job: Job[Any, Any], measures: Collection[str]) -> list[Control]:
    """Run the controls of ``archs:TASK``: its true ranking and others."""
    task = job.config.data.removeprefix(ARCHS)
    return ranking_controls(task, sorted(measures), min(job.config.n_train))


def _known(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None else float(value)


def _number(row: Mapping[str, Any], name: str) -> float:
    value = _known(row, name)
    return float("nan") if value is None else value
