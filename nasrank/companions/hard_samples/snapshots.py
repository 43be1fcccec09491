"""What embeddings look like in two dimensions, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.companions.hard_samples.mining import Triplets
from nasrank.companions.hard_samples.synthesis import Batch, Synthesiser
from nasrank.seeds import numpy_generator

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.embedder import Embedder
    from nasrank.samples import Samples

__all__ = ["Look", "Points", "Shown", "flattened", "look_at"]

_CLASSES, _EACH = 6, 10


Points = dict[str, list[list[float]] | None]
"""Points of one epoch in two dimensions: ``real``, and ``positive`` and ``negative`` or None."""


@dataclass(frozen=True, eq=False)
class Look:
    """Embeddings of the shown samples after one epoch.

    Attributes:
        real: One a sample.
        positive: Generated positives, or None.
        negative: Generated negatives, or None.
    """

    real: Float[Tensor, "n e"]
    positive: Float[Tensor, "t e"] | None
    negative: Float[Tensor, "t e"] | None


@dataclass(frozen=True, eq=False)
class Shown:
    """Samples that pictures show, and a triplet for each.

    Attributes:
        places: Where they stand among the training samples.
        triplets: Places among the shown ones.
    """

    places: Int64[np.ndarray, "n"]
    triplets: Triplets

    @classmethod
    def of(cls, classes: Int64[np.ndarray, "samples"], seed: int) -> Shown:
        """Choose a few samples of a few classes, the same ones for every method of a seed."""
        rng = numpy_generator(seed, stream="pictures")
        counts = np.bincount(classes)
        chosen = rng.permutation(np.flatnonzero(counts > 1))[:_CLASSES]
        own = [rng.permutation(np.flatnonzero(classes == c))[:_EACH] for c in np.sort(chosen)]
        places = np.concatenate(own)
        number = np.repeat(np.arange(len(own)), [len(each) for each in own])
        anchor = np.arange(len(places))
        # The next sample of the class, and a random one of another class.
        start = np.searchsorted(number, number)
        size = np.bincount(number)[number]
        positive = start + (anchor - start + 1) % size
        negative = np.array(
            [rng.choice(np.flatnonzero(number != c)) if len(own) > 1 else 0 for c in number]
        )
        parts = (torch.from_numpy(each.astype(np.int64)) for each in (anchor, positive, negative))
        return cls(places, Triplets(*parts))

    def classes(
        self, classes: Int64[np.ndarray, "samples"]
    ) -> tuple[list[int], list[int], list[int]]:
        """Return the classes of the real samples, the positives and the negatives."""
        own = classes[self.places]
        return (
            own.tolist(),
            own[self.triplets.positive.numpy()].tolist(),
            own[self.triplets.negative.numpy()].tolist(),
        )


def look_at(
    shown: Shown,
    samples: Samples,
    classes: Int64[np.ndarray, "samples"],
    network: Embedder,
    synthesiser: Synthesiser | None,
) -> Look:
    """Embed the shown samples, and generate from them."""
    device = network.linear.weight.device
    features, embeddings = network.embed(samples.values[shown.places], device)
    if synthesiser is None:
        return Look(embeddings.cpu(), None, None)
    own = torch.from_numpy(classes[shown.places]).to(device)
    triplets = Triplets(*(each.to(device) for each in shown.triplets))
    batch = Batch(features, embeddings, own, triplets, network.head, 0.0, 0.0, 0.0, 1.0)
    with torch.no_grad():
        made = synthesiser.generate(batch)
    return Look(
        embeddings.cpu(),
        None if made.positive_features is None else made.positive.cpu(),
        None if made.negative_features is None else made.negative.cpu(),
    )


def flattened(looks: Sequence[Look]) -> list[Points]:
    """Show every epoch on the two main axes of the last one."""
    if not looks:
        return []
    last = looks[-1].real.double()
    centre = last.mean(dim=0)
    _, _, axes = torch.linalg.svd(last - centre, full_matrices=False)

    def flat(points: Tensor | None) -> list[list[float]] | None:
        if points is None:
            return None
        on_axes = (points.double() - centre) @ axes[:2].T
        shown: list[list[float]] = on_axes.numpy().round(3).tolist()
        return shown

    return [
        {"real": flat(each.real), "positive": flat(each.positive), "negative": flat(each.negative)}
        for each in looks
    ]
