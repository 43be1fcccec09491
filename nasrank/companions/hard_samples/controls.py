"""Controls of what `hard` measures: retrieval, and what generators make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.companions.controls import Labelled, embedding_controls, inputs_of
from nasrank.companions.hard_samples.claims import MET
from nasrank.companions.hard_samples.measures import own_and_other, variance_within
from nasrank.metrics.retrieval import recall_at
from nasrank.samples import SampleSet
from nasrank.seeds import numpy_generator
from nasrank.study.controls import Control, negative, positive, unchanged

__all__ = ["hard_controls", "second_stage"]


def hard_controls(
    data: SampleSet, measures: Collection[str], rows: Iterable[Mapping[str, Any]] = ()
) -> list[Control]:
    """Run the controls of `hard` on the inputs of its own data.

    Args:
        data: Classes to train on and classes to retrieve.
        measures: Columns of ``hard``.
        rows: Rows of ``hard``: whether their second stage does what it is there for.
    """
    given = inputs_of(data)
    found: list[Control] = []
    if "recall_at_1" in measures:
        found += embedding_controls("recall_at_1", _recall, given)
    if "positive_spread" in measures:
        found += _spread_controls(given)
    if MET in measures:
        found.append(second_stage(rows))
    distances = [name for name in measures if name.endswith("_distance")]
    if distances:
        found += _distance_controls(distances, given)
    return found


def second_stage(rows: Iterable[Mapping[str, Any]]) -> Control:
    """Ask for half of the negatives of ``two-stage`` to be as near as its threshold says.

    Args:
        rows: Rows of ``hard``; without one that has a share of them there is nothing to ask.
    """
    met = [row[MET] for row in rows if row["method"] == "two-stage" and row[MET] is not None]
    value = float(np.mean(met)) if met else None
    return Control(MET, "positive", "generated negatives as near as asked for", value, least=0.5)


def _recall(given: Labelled) -> float:
    return recall_at(given.asked, given.asked_classes, ks=(1,))[1]


def _spread_controls(given: Labelled) -> Iterator[Control]:
    """Spread of generated samples over that of real ones: other real ones, and copies of one."""
    real, classes = given.known, given.known_classes
    first = np.zeros(len(classes), dtype=bool)
    for number in np.unique(classes):
        first[np.flatnonzero(classes == number)[::2]] = True
    ends = {"best": 1.0, "chance": 0.0}

    def say(made: Float64[np.ndarray, "n d"], own: Int64[np.ndarray, "n"]) -> float | None:
        # Half of the samples stand for generated ones: the others are the real ones.
        whole = variance_within(real[~first], classes[~first])
        return variance_within(made, own) / whole if whole else None

    name, own = "positive_spread", classes[first]
    usual = say(real[first], own)
    yield positive(name, "other real samples", usual, **ends)
    lead = [np.flatnonzero(own == number)[0] for number in own]
    yield negative(name, "one sample of each class repeated", say(real[first][lead], own), **ends)
    moved = say(real[first] + 1e3, own)
    yield unchanged(name, "shifted by 1000", moved, usual=usual, span=1.0)


def _distance_controls(measures: Collection[str], given: Labelled) -> Iterator[Control]:
    """What lies nearer: by the lead of other classes over the own one, as the claim takes it."""
    real, classes = given.known, given.known_classes
    rng = numpy_generator(0, stream="controls", part="distances")

    def say(own: Int64[np.ndarray, "n"], factor: float = 1.0) -> float | None:
        # A sample is no neighbour of itself.
        leads = []
        for part in (slice(0, None, 2), slice(1, None, 2)):
            others = np.ones(len(classes), dtype=bool)
            others[part] = False
            near, far = own_and_other(
                factor * real[part], own[part], factor * real[others], classes[others]
            )
            leads.append(far - near)
        lead = np.concatenate(leads)
        lead = lead[np.isfinite(lead)]
        return float(lead.mean()) / factor if len(lead) else None

    usual, shuffled = say(classes), say(rng.permutation(classes))
    for name in measures:
        yield Control(name, "positive", "real samples under their class", usual, least=0.0)
        yield Control(name, "negative", "real samples under random classes", shuffled, most=0.0)
        span = abs(usual or 1.0)
        for factor in (1e6, 1e-6):
            yield unchanged(
                name, f"scaled by {factor:g}", say(classes, factor), usual=usual, span=span
            )
