"""Batches of P classes with K samples each, and small changes of samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor, nn

from nasrank.seeds import numpy_generator

__all__ = ["Batches", "augment"]

_SHIFT_SHARE = 0.1
_IMAGE_NOISE, _VECTOR_NOISE = 0.05, 0.1


class Batches:
    """Draws P classes and K samples of each, none twice in a batch.

    Classes of fewer than K samples give all they have, and at least two where they have two, so a
    batch may be smaller than P K. Every class is drawn equally often, however large it is.

    Args:
        classes: Numbers from 0 on.
        size: Samples of a batch, about.
        images_per_class: K.
        seed: The run's seed; all methods of a run see the same batches.
    """

    def __init__(
        self, classes: Int64[np.ndarray, "n"], *, size: int, images_per_class: int, seed: int
    ) -> None:
        self._own = [
            places for c in range(int(classes.max()) + 1)
            if len(places := np.flatnonzero(classes == c))
        ]  # fmt: skip
        self._each = min(images_per_class, max(len(own) for own in self._own))
        self._classes = min(len(self._own), max(2, size // self._each))
        self.per_epoch = max(1, round(len(classes) / (self._each * self._classes)))
        self._rng = numpy_generator(seed, stream="batches")

    def epoch(self) -> Iterator[Int64[NDArray[np.intp], "batch"]]:
        """Yield the places of each batch of one epoch."""
        for _ in range(self.per_epoch):
            chosen = self._rng.permutation(len(self._own))[: self._classes]
            drawn = [self._rng.permutation(self._own[c])[: self._each] for c in chosen]
            yield np.concatenate(drawn)


def augment(
    samples: Float[Tensor, "n *shape"], generator: torch.Generator
) -> Float[Tensor, "n *shape"]:
    """Shift images by up to a tenth of their sides and add a little noise; vectors get noise.

    Edges are repeated where an image moves away from its border. Noise has a standard deviation
    of .05 on pixels in [0, 1] and of .1 on vectors of variance 1.

    Args:
        samples: Images, channels first, or vectors, on the CPU.
        generator: Where chance comes from.
    """
    noise = torch.randn(samples.shape, generator=generator)
    if samples.ndim == 2:
        return samples + _VECTOR_NOISE * noise
    count, _, height, width = samples.shape
    most = max(1, round(_SHIFT_SHARE * min(height, width)))
    padded = nn.functional.pad(samples, (most,) * 4, mode="replicate")
    down, right = torch.randint(0, 2 * most + 1, (2, count, 1), generator=generator)
    rows = (down + torch.arange(height))[:, :, None]
    columns = (right + torch.arange(width))[:, None, :]
    places = torch.arange(count)[:, None, None]
    return padded[places, :, rows, columns].movedim(3, 1) + _IMAGE_NOISE * noise
