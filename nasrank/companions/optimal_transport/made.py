"""Made data whose classes have one mode or two, to see what the mean of a class hides."""

from __future__ import annotations

import numpy as np

from nasrank.samples import Samples, SampleSet
from nasrank.seeds import numpy_generator

__all__ = ["MADE", "make_mixture"]

MADE = ("one-mode", "two-modes")
"""Names of the made data sets."""

_WIDTH, _EACH = 16, 120
_RADIUS, _NOISE, _OWN = 4.0, 0.4, 0.5


def make_mixture(name: str, seed: int) -> SampleSet:
    """Make six classes in two groups of three, classes of a group near one another.

    Class c has a direction: that of its group, turned towards one of its own. With one mode its
    samples are noise around that place; with two, half of them are around it and half around its
    mirror image, so that all classes have mean 0 and differ by their shape alone. Places, and so
    the exact distances of classes in the limit of no noise, are the same for both: that of the
    places.

    Args:
        name: ``one-mode`` or ``two-modes``.
        seed: Seed of directions and noise.

    Returns:
        Classes ``a`` to ``f`` with 120 training and 120 test samples each, of 16 dimensions.
    """
    rng = numpy_generator(seed, stream="mixture")
    axes = np.linalg.qr(rng.standard_normal((_WIDTH, _WIDTH)))[0]
    group = np.arange(6) // 3
    places = axes[group] + _OWN * axes[2 + np.arange(6)]
    places *= _RADIUS / np.linalg.norm(places, axis=1, keepdims=True)
    parts = []
    for _ in range(2):
        classes = np.tile(np.arange(6), _EACH)
        sign = np.repeat(rng.permutation(np.resize([1.0, -1.0], _EACH)), 6)
        if name == "one-mode":
            sign = np.abs(sign)
        values = sign[:, None] * places[classes]
        values = values + _NOISE * rng.standard_normal(values.shape)
        parts.append(Samples(values.astype(np.float32), classes.astype(np.int64), tuple("abcdef")))
    return SampleSet(name, parts[0], parts[1])
