"""Train one embedding, with or without generated samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasrank.encoders import make_encoder
from nasrank.errors import DataError
from nasrank.seeds import numpy_generator, seeded_torch, torch_generator
from nasrank.studies.hard_samples.batches import Batches, augment
from nasrank.studies.hard_samples.methods import Method, make_synthesiser
from nasrank.studies.hard_samples.mining import (
    Triplets,
    mean_distances,
    mine,
    triplet_loss,
)
from nasrank.studies.hard_samples.synthesis import Batch, Sizes, Synthesiser

if TYPE_CHECKING:
    from nasrank.samples import Samples, SampleSet

__all__ = ["EPOCH_NUMBERS", "Embedder", "Picture", "Trained", "Training", "train"]

FEATURES = 128
"""Width between encoder and head, where generators work."""

EPOCH_NUMBERS = (
    "triplet_loss", "within", "between", "synthetic_loss", "synthetic_positive",
    "synthetic_negative", "active_share", "threshold", "generator_loss",
)  # fmt: skip
"""What the log of an epoch says; means over its batches, nan where there is nothing to say."""

_PICTURE_CLASSES, _PICTURE_EACH = 6, 10
_COLLAPSED = 1e-6
_CHUNK = 512


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes:
        method: Where triplets come from.
        encoder: Name of the encoder.
        embedding: Width of the embedding.
        epochs: Passes over as many samples as there are.
        batch: Samples of a batch, about.
        images_per_class: Samples of each class in a batch.
        margin: Of the triplet loss, in units of distance on the unit sphere.
        learning_rate: Of Adam.
        weight_decay: Decoupled, on the encoder and the head.
        augmentation: Whether samples are shifted and noised.
        warm_up: Share of the epochs in which generators learn but the metric does not use them.
        seed: Of the run.
    """

    method: Method
    encoder: str
    embedding: int
    epochs: int
    batch: int
    images_per_class: int
    margin: float
    learning_rate: float
    weight_decay: float
    augmentation: bool
    warm_up: float
    seed: int


@dataclass(frozen=True, eq=False)
class Picture:
    """Embeddings of a few samples after one epoch, in two dimensions.

    Attributes:
        real: ``[n, 2]``.
        positive: ``[t, 2]`` generated positives, or None.
        negative: ``[t, 2]`` generated negatives, or None.
    """

    real: NDArray[np.float64]
    positive: NDArray[np.float64] | None
    negative: NDArray[np.float64] | None


@dataclass(eq=False)
class Trained:
    """A trained embedding and how it came about.

    Attributes:
        network: From samples to features and embeddings.
        synthesiser: What generated, or None.
        log: For each epoch the numbers of `EPOCH_NUMBERS`.
        pictures: One for each epoch, where asked for.
        picture_classes: Classes of the real samples and of the generated ones in them.
        degenerate: Batches without a triplet, which taught nothing.
        diverged: Whether the loss stopped being finite, or all embeddings fell into one point.
        seconds: Time of the training.
    """

    network: Embedder
    synthesiser: Synthesiser | None
    log: list[dict[str, float]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    picture_classes: tuple[list[int], list[int], list[int]] = ([], [], [])
    degenerate: int = 0
    diverged: bool = False
    seconds: float = 0.0


class Embedder(nn.Module):
    """An encoder with a linear head onto the unit sphere.

    Args:
        encoder: From samples to features.
        features: Their width.
        embedding: Width of the embedding.
        centre: ``[d]`` what is taken from vectors, or a number.
        scale: ``[d]`` what they are divided by, or a number.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self, encoder: nn.Module, features: int, embedding: int, centre: Tensor, scale: Tensor
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(features, embedding)
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)

    def features(self, samples: Tensor) -> Tensor:
        """Return features ``[n, f]`` of samples as the data set holds them."""
        out: Tensor = self.encoder((samples - self.centre) / self.scale)
        return out

    def head(self, features: Tensor) -> Tensor:
        """Return embeddings ``[n, e]`` of length 1."""
        return nn.functional.normalize(self.linear(features), dim=-1)

    @torch.no_grad()
    def embed(self, samples: NDArray[np.float32], device: torch.device) -> tuple[Tensor, Tensor]:
        """Return features and embeddings of many samples, as in use and not in training."""
        self.eval()
        parts = [
            self.features(torch.from_numpy(samples[start : start + _CHUNK]).to(device))
            for start in range(0, len(samples), _CHUNK)
        ]
        features = torch.cat(parts)
        self.train()
        return features, self.head(features)


def train(
    data: SampleSet, how: Training, device: torch.device, *, pictures: bool = False
) -> Trained:
    """Train an embedding on the training part of a data set.

    Seeds give every method the same initial weights and the same batches.

    Args:
        data: Only its training part is looked at.
        how: How to train.
        device: Where to compute.
        pictures: Whether to keep pictures of the epochs.

    Raises:
        UsageError: A name or option cannot be meant, or an extra is not installed.
        DataError: No class has two samples.
    """
    began = time.perf_counter()
    samples, classes = data.train, _renumbered(data.train)
    if len(classes) == 0 or np.bincount(classes).max() < 2:
        raise DataError(
            f"{data.name}: no training class has two samples, so no pair to learn from. Give more"
        )
    network = _network(samples, how).to(device)
    sizes = Sizes(FEATURES, how.embedding, int(classes.max()) + 1, how.margin)
    with seeded_torch(how.seed, stream="generators"):
        synthesiser = make_synthesiser(how.method, sizes, device)
    result = Trained(network, synthesiser)
    shown = _Shown.of(classes, how.seed) if pictures else None
    kept: list[tuple[Tensor, Tensor | None, Tensor | None]] = []
    with seeded_torch(how.seed, stream="mining"):
        for epoch in _epochs(samples, classes, how, device, result):
            result.log.append(epoch)
            if shown is not None:
                kept.append(_look(shown, samples, classes, result, device))
    if shown is not None:
        result.pictures = _flattened(kept)
        result.picture_classes = shown.classes(classes)
    if not result.diverged:
        # What fell into one point on the training data says nothing on other data.
        _, embeddings = network.embed(samples.values[: 4 * _CHUNK], device)
        spread = embeddings.std(dim=0).max() if len(embeddings) > 1 else torch.ones(())
        result.diverged = not bool(spread > _COLLAPSED)
    result.seconds = time.perf_counter() - began
    return result


def _network(samples: Samples, how: Training) -> Embedder:
    encoder = make_encoder(how.encoder, samples.shape, features=FEATURES, seed=how.seed)
    if len(samples.shape) == 1:
        # Columns of a table come in units of their own.
        centre = torch.from_numpy(samples.values.mean(axis=0))
        spread = torch.from_numpy(samples.values.std(axis=0))
        scale = torch.where(spread > 0, spread, 1.0)
    else:
        centre, scale = torch.tensor(0.5), torch.tensor(0.5)
    with seeded_torch(how.seed, stream="head"):
        return Embedder(encoder, FEATURES, how.embedding, centre, scale)


def _epochs(
    samples: Samples,
    classes: NDArray[np.int64],
    how: Training,
    device: torch.device,
    result: Trained,
) -> Iterator[dict[str, float]]:
    network, synthesiser = result.network, result.synthesiser
    batches = Batches(
        classes, size=how.batch, images_per_class=how.images_per_class, seed=how.seed
    )
    weights = list(network.parameters())
    optimiser = torch.optim.AdamW(
        weights, lr=how.learning_rate, weight_decay=how.weight_decay, fused=True
    )
    values, labels = torch.from_numpy(samples.values), torch.from_numpy(classes)
    changes = torch_generator(how.seed, stream="augmentation")
    steps = how.epochs * batches.per_epoch
    step = 0
    for epoch in range(how.epochs):
        seen: list[dict[str, float]] = []
        for places in batches.epoch():
            step += 1
            chosen = values[places]
            if how.augmentation:
                chosen = augment(chosen, changes)
            own = labels[places].to(device)
            features = network.features(chosen.to(device))
            embeddings = network.head(features)
            if not torch.isfinite(embeddings).all():
                result.diverged = True
                return
            triplets = mine(how.method.miner, embeddings.cpu(), own.cpu(), margin=how.margin)
            if not triplets.found:
                result.degenerate += 1
                continue
            triplets = Triplets(*(each.to(device) for each in triplets))
            real = triplet_loss(embeddings, triplets, margin=how.margin)
            within, between = mean_distances(embeddings.detach(), own)
            numbers = dict.fromkeys(EPOCH_NUMBERS, float("nan"))
            numbers |= {"triplet_loss": real.item(), "within": within, "between": between}
            loss = real
            if synthesiser is not None:
                batch = Batch(
                    features, embeddings, own, triplets.limited(len(own)), network.head,
                    real.item(), within, between, step / steps,
                )  # fmt: skip
                synthesiser.learn(batch)
                loss = _with_synthetic(
                    batch, synthesiser, real, numbers, used=epoch >= how.warm_up * how.epochs,
                    margin=how.margin,
                )  # fmt: skip
            if not torch.isfinite(loss):
                result.diverged = True
                return
            optimiser.zero_grad()
            loss.backward(inputs=weights)  # type: ignore[no-untyped-call]
            optimiser.step()
            seen.append(numbers)
        yield {name: _mean([numbers[name] for numbers in seen]) for name in EPOCH_NUMBERS}


def _with_synthetic(
    batch: Batch,
    synthesiser: Synthesiser,
    real: Tensor,
    numbers: dict[str, float],
    *,
    used: bool,
    margin: float,
) -> Tensor:
    """Add generated triplets to the loss, and what they are like to the numbers."""
    with torch.set_grad_enabled(used):
        made = synthesiser.generate(batch if used else batch.detached())
        synthetic = made.loss(margin)
    with torch.no_grad():
        near, far = made.distances
        numbers |= {
            "synthetic_loss": synthetic.item(),
            "synthetic_positive": near.mean().item(),
            "synthetic_negative": far.mean().item(),
            "active_share": (near - far + margin > 0).float().mean().item(),
            "generator_loss": synthesiser.generator_loss,
        }
    if synthesiser.threshold is not None:
        numbers["threshold"] = synthesiser.threshold
    return synthesiser.combine(real, synthetic) if used else real


@dataclass(frozen=True, eq=False)
class _Shown:
    """Samples that pictures show, and triplets of them."""

    places: NDArray[np.intp]
    triplets: Triplets

    @classmethod
    def of(cls, classes: NDArray[np.int64], seed: int) -> _Shown:
        rng = numpy_generator(seed, stream="pictures")
        counts = np.bincount(classes)
        chosen = rng.permutation(np.flatnonzero(counts > 1))[:_PICTURE_CLASSES]
        own = [
            rng.permutation(np.flatnonzero(classes == c))[:_PICTURE_EACH] for c in np.sort(chosen)
        ]
        places = np.concatenate(own)
        number = np.repeat(np.arange(len(own)), [len(each) for each in own])
        anchor = np.arange(len(places))
        # The next sample of the class, and a random one of another class.
        start = np.searchsorted(number, number)
        size = np.bincount(number)[number]
        positive = start + (anchor - start + 1) % size
        negative = np.array([rng.choice(np.flatnonzero(number != c)) if len(own) > 1 else 0
                             for c in number])  # fmt: skip
        parts = (torch.from_numpy(each.astype(np.int64)) for each in (anchor, positive, negative))
        return cls(places, Triplets(*parts))

    def classes(self, classes: NDArray[np.int64]) -> tuple[list[int], list[int], list[int]]:
        own = classes[self.places]
        return (
            own.tolist(),
            own[self.triplets.positive.numpy()].tolist(),
            own[self.triplets.negative.numpy()].tolist(),
        )


def _look(
    shown: _Shown,
    samples: Samples,
    classes: NDArray[np.int64],
    result: Trained,
    device: torch.device,
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    network = result.network
    features, embeddings = network.embed(samples.values[shown.places], device)
    if result.synthesiser is None:
        return embeddings.cpu(), None, None
    own = torch.from_numpy(classes[shown.places]).to(device)
    triplets = Triplets(*(each.to(device) for each in shown.triplets))
    batch = Batch(features, embeddings, own, triplets, network.head, 0.0, 0.0, 0.0, 1.0)
    with torch.no_grad():
        made = result.synthesiser.generate(batch)
    return (
        embeddings.cpu(),
        None if made.positive_features is None else made.positive.cpu(),
        None if made.negative_features is None else made.negative.cpu(),
    )


def _flattened(kept: list[tuple[Tensor, Tensor | None, Tensor | None]]) -> list[Picture]:
    """Show every epoch on the two main axes of the last one."""
    if not kept:
        return []
    last = kept[-1][0].double()
    centre = last.mean(dim=0)
    _, _, axes = torch.linalg.svd(last - centre, full_matrices=False)

    def flat(points: Tensor | None) -> NDArray[np.float64] | None:
        return None if points is None else ((points.double() - centre) @ axes[:2].T).numpy()

    pictures = []
    for real, positive, negative in kept:
        shown = flat(real)
        if shown is not None:
            pictures.append(Picture(shown, flat(positive), flat(negative)))
    return pictures


def _renumbered(samples: Samples) -> NDArray[np.int64]:
    """Number the classes that have samples from 0 on."""
    _, numbers = np.unique(samples.classes, return_inverse=True)
    return numbers.astype(np.int64)


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
