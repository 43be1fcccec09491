"""Controls of what `pr` measures: other real samples, noise, blank and blended ones, one sample.

Precision asks whether draws are good, whatever their variety: one real sample repeated is good.
Recall asks how much of the variety is drawn, whatever else is: noise covers everything. So each is
controlled by what is bad in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nasrank.companions.precision_recall.material import Material
from nasrank.companions.precision_recall.measures import (
    neighbour_frontier,
    neighbour_precision_recall,
)
from nasrank.companions.precision_recall.ring import Ring, histogram_pair
from nasrank.seeds import numpy_generator
from nasrank.study.controls import Control, negative, positive, unchanged

__all__ = ["pr_controls"]

_MOST, _BLENDED, _TRUE_DRAWS = 1_000, 50, 50_000


@dataclass(frozen=True, eq=False)
class _Input:
    """Draws of a model that nobody trained.

    Attributes:
        name: What they are.
        draws: In the samples' own units.
        good: Whether each of them is good.
        varied: Whether they cover everything; None where that depends on how it is meant.
    """

    name: str
    draws: Float[np.ndarray, "n d"]
    good: bool
    varied: bool | None


def pr_controls(material: Material, neighbours: int, measures: Collection[str]) -> list[Control]:
    """Run the controls of `pr train` on the way in which it measures its own data.

    Args:
        material: The data.
        neighbours: k of precision and recall.
        measures: Columns of ``pr``.
    """
    inputs = list(_inputs(material))
    found: list[Control] = []
    if {"precision", "recall"} & set(measures):
        found += _neighbour_controls(material, inputs, neighbours, measures)
    if material.ring is not None:
        truth = list(_ring_inputs(material.ring))
        found += _true_controls(material.ring, truth, measures)
    elif "objective" in measures:
        found += _objective_controls(material, inputs)
    return found


def _inputs(material: Material) -> Iterator[_Input]:
    rng = numpy_generator(0, stream="controls", part="draws")
    own = material.restore(material.train).astype(np.float32)
    count = min(len(material.real), len(own), _MOST)
    chosen = own[rng.permutation(len(own))[:count]]
    yield _Input("other real samples", chosen, good=True, varied=True)
    yield _Input("one sample repeated", np.repeat(own[:1], count, axis=0), good=True, varied=False)
    low, high = (0.0, 1.0) if material.is_images else _wide(own)
    noise = rng.uniform(low, high, chosen.shape).astype(np.float32)
    yield _Input("uniform noise", noise, good=False, varied=None)
    blend = np.stack([own[rng.integers(0, len(own), _BLENDED)].mean(axis=0) for _ in range(count)])
    yield _Input(f"means of {_BLENDED} samples", blend, good=False, varied=False)
    if material.is_images:
        # Of few dimensions shuffled ones are often real: a pixel is not.
        mixed = np.stack([rng.permutation(column) for column in chosen.T], axis=1)
        yield _Input("every pixel shuffled", mixed, good=False, varied=None)
        yield _Input("blank", np.zeros_like(chosen), good=False, varied=False)


def _wide(
    own: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d"]]:
    """Bounds three times as far apart as the data's: little of what lies there is real."""
    low, high = own.min(axis=0).astype(np.float64), own.max(axis=0).astype(np.float64)
    room = np.where(high > low, high - low, 1.0)
    return low - room, high + room


def _measured(
    measure: str, name: str, value: float | None, *, right: bool, best: float
) -> Control:
    make: Callable[..., Control] = positive if right else negative
    return make(measure, name, value, best=best, chance=0.0)


def _neighbour_controls(
    material: Material, inputs: list[_Input], neighbours: int, measures: Collection[str]
) -> Iterator[Control]:
    real = material.real[:_MOST]
    for place, name in enumerate(("precision", "recall")):
        if name not in measures:
            continue
        for each in inputs:
            right = each.good if name == "precision" else each.varied
            if right is None:
                continue
            seen = material.measured(each.draws)
            value = neighbour_precision_recall(real, seen, neighbours)[place]
            yield _measured(name, each.name, value, right=right, best=1.0)
        fake = material.measured(inputs[0].draws).astype(np.float64)
        wide = real.astype(np.float64)
        usual = neighbour_precision_recall(wide, fake, neighbours)[place]
        for factor, shift, words in ((1e6, 0.0, "scaled by 1e+06"), (1e-6, 0.0, "scaled by 1e-06"),
                                     (1.0, 1e3, "shifted by 1000")):  # fmt: skip
            value = neighbour_precision_recall(
                factor * wide + shift, factor * fake + shift, neighbours
            )[place]
            yield unchanged(name, words, value, usual=usual, span=1.0)


def _objective_controls(material: Material, inputs: list[_Input]) -> Iterator[Control]:
    """What lambda 1 asks for, by the classifier: of real draws nearly all, of others little."""
    for each in inputs:
        count = min(len(material.real), len(each.draws))
        seen = material.measured(each.draws[:count])
        value = float(neighbour_frontier(material.real[:count], seen, [1.0])[0])
        right = each.good and bool(each.varied)
        yield _measured("objective", f"{each.name}, lambda 1", value, right=right, best=1.0)


def _ring_inputs(ring: Ring) -> Iterator[_Input]:
    rng = numpy_generator(0, stream="controls", part="ring")
    own = ring.draw(_TRUE_DRAWS, "controls").astype(np.float64)
    yield _Input("other real samples", own, good=True, varied=True)
    yield _Input("one sample repeated", np.repeat(own[:1], len(own), axis=0), good=True,
                 varied=False)  # fmt: skip
    noise = rng.uniform(*_wide(own), own.shape)
    yield _Input("uniform noise", noise, good=False, varied=None)
    blend = own[rng.integers(0, len(own), (len(own), _BLENDED))].mean(axis=1)
    yield _Input(f"means of {_BLENDED} samples", blend, good=False, varied=False)


def _true_controls(
    ring: Ring, inputs: list[_Input], measures: Collection[str]
) -> Iterator[Control]:
    """Points of the true frontier, and what of the rare modes is drawn."""
    for each in inputs:
        alpha = histogram_pair(ring, each.draws).alpha([10.0, 0.1, 1.0])
        high, low, level = (float(value) for value in alpha)
        values = {
            # One cell of the grid cannot hold ten times the mass that the data has there.
            "true_alpha_10": (high, each.good if each.varied is not False else False),
            "true_beta_0.1": (low / 0.1, each.varied),
            "objective": (level, each.good and bool(each.varied)),
        }
        if ring.rare.any():
            rare = float(np.nan_to_num(ring.recalls(each.draws))[ring.rare].mean())
            values["rare_recall"] = (rare, each.varied)
        for name, (value, right) in values.items():
            if name in measures and right is not None:
                yield _measured(name, each.name, value, right=right, best=1.0)
