"""Train one embedding, with or without generated samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.companions.hard_samples.batches import Batches, augment
from nasrank.companions.hard_samples.embedder import Embedder
from nasrank.companions.hard_samples.methods import make_synthesiser, parse_method
from nasrank.companions.hard_samples.mining import (
    Triplets,
    mean_distances,
    mine,
    triplet_loss,
)
from nasrank.companions.hard_samples.snapshots import Look, Points, Shown, flattened, look_at
from nasrank.companions.hard_samples.synthesis import Batch, Sizes, Synthesiser
from nasrank.encoders import make_encoder
from nasrank.errors import DataError
from nasrank.seeds import seeded_torch, torch_generator
from nasrank.study.finished import Identity

if TYPE_CHECKING:
    from nasrank.samples import Samples, SampleSet

__all__ = ["EPOCH_NUMBERS", "HardRun", "Trained", "train"]

FEATURES = 128
"""Width between encoder and head, where generators work."""

EPOCH_NUMBERS = (
    "triplet_loss", "within", "between", "synthetic_loss", "synthetic_positive",
    "synthetic_negative", "active_share", "threshold", "met_share", "generator_loss",
)  # fmt: skip
"""What the log of an epoch says; means over its batches, nan where there is nothing to say."""

_COLLAPSED = 1e-6
_MOST_LOOKED_AT = 2048


@dataclass(frozen=True)
class HardRun(Identity):
    """The identity of a run: everything that its numbers depend on.

    Most fields are columns of ``hard``.

    Attributes:
        fingerprint: Digest of the samples of both parts, after the cut by class.
        held_out: Whether it is measured on some of the seen classes.
        warm_up: Share of the epochs in which generators learn but the metric does not use them.
    """

    data: str
    fingerprint: str
    held_out: bool
    method: str
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
    pictures: list[Points] = field(default_factory=list)
    picture_classes: tuple[list[int], list[int], list[int]] = ([], [], [])
    degenerate: int = 0
    diverged: bool = False
    seconds: float = 0.0


def train(
    data: SampleSet, run: HardRun, device: torch.device, *, pictures: bool = False
) -> Trained:
    """Train an embedding on the training part of a data set.

    Seeds give every method the same initial weights and the same batches, not the same triplets.

    Args:
        data: Only its training part is looked at.
        run: How to train.
        device: Where to compute.
        pictures: Whether to keep pictures of the epochs.

    Raises:
        UsageError: A name or option is invalid, or an extra is not installed.
        DataError: No class has two samples.
    """
    began = time.perf_counter()
    samples, classes = data.train, _renumbered(data.train)
    if len(classes) == 0 or np.bincount(classes).max() < 2:
        raise DataError(
            f"{data.name}: no training class has two samples, so no pair to learn from. Give more"
        )
    network = _network(samples, run).to(device)
    sizes = Sizes(FEATURES, run.embedding, int(classes.max()) + 1, run.margin)
    with seeded_torch(run.seed, stream="generators"):
        synthesiser = make_synthesiser(parse_method(run.method), sizes, device)
    result = Trained(network, synthesiser)
    shown = Shown.of(classes, run.seed) if pictures else None
    looks: list[Look] = []
    with seeded_torch(run.seed, stream="mining"):
        for epoch in _epochs(samples, classes, run, device, result):
            result.log.append(epoch)
            if shown is not None:
                looks.append(look_at(shown, samples, classes, network, synthesiser))
    if shown is not None:
        result.pictures = flattened(looks)
        result.picture_classes = shown.classes(classes)
    if not result.diverged:
        # What fell into one point on the training data says nothing on other data.
        _, embeddings = network.embed(samples.values[:_MOST_LOOKED_AT], device)
        spread = embeddings.std(dim=0).max() if len(embeddings) > 1 else torch.ones(())
        result.diverged = not bool(spread > _COLLAPSED)
    result.seconds = time.perf_counter() - began
    return result


def _network(samples: Samples, run: HardRun) -> Embedder:
    encoder = make_encoder(run.encoder, samples.shape, features=FEATURES, seed=run.seed)
    if len(samples.shape) == 1:
        # Columns of a table come in units of their own.
        centre = torch.from_numpy(samples.values.mean(axis=0))
        spread = torch.from_numpy(samples.values.std(axis=0))
        scale = torch.where(spread > 0, spread, 1.0)
    else:
        centre, scale = torch.tensor(0.5), torch.tensor(0.5)
    with seeded_torch(run.seed, stream="head"):
        return Embedder(encoder, FEATURES, run.embedding, centre, scale)


def _epochs(
    samples: Samples,
    classes: Int64[np.ndarray, "n"],
    run: HardRun,
    device: torch.device,
    result: Trained,
) -> Iterator[dict[str, float]]:
    if not run.epochs:
        return
    network, synthesiser = result.network, result.synthesiser
    batches = Batches(
        classes, size=run.batch, images_per_class=run.images_per_class, seed=run.seed
    )
    miner = parse_method(run.method).miner
    weights = list(network.parameters())
    optimiser = torch.optim.AdamW(
        weights, lr=run.learning_rate, weight_decay=run.weight_decay, fused=True
    )
    values, labels = torch.from_numpy(samples.values), torch.from_numpy(classes)
    changes = torch_generator(run.seed, stream="augmentation")
    steps = run.epochs * batches.per_epoch
    step = 0
    for epoch in range(run.epochs):
        seen: list[dict[str, float]] = []
        for places in batches.epoch():
            step += 1
            chosen = values[places]
            if run.augmentation:
                chosen = augment(chosen, changes)
            own = labels[places].to(device)
            features = network.features(chosen.to(device))
            embeddings = network.head(features)
            if not torch.isfinite(embeddings).all():
                result.diverged = True
                return
            triplets = mine(miner, embeddings.cpu(), own.cpu(), margin=run.margin)
            if not triplets.found:
                result.degenerate += 1
                continue
            triplets = Triplets(*(each.to(device) for each in triplets))
            real = triplet_loss(embeddings, triplets, margin=run.margin)
            within, between = mean_distances(embeddings.detach(), own)
            numbers = dict.fromkeys(EPOCH_NUMBERS, float("nan"))
            numbers |= {"triplet_loss": real.item(), "within": within, "between": between}
            loss = real
            if synthesiser is not None:
                # Limiting draws from the same numbers as the miners, and only where something
                # generates. So runs of one seed share initial weights and batches (and with them
                # the changes of samples) but, from the second batch on, not the triplets drawn by
                # chance: not even in the warm-up. Methods that generate from random triplets share
                # those with one another.
                batch = Batch(
                    features, embeddings, own, triplets.limited(len(own)), network.head,
                    real.item(), within, between, step / steps,
                )  # fmt: skip
                synthesiser.learn(batch)
                loss = _with_synthetic(
                    batch, synthesiser, real, numbers, used=epoch >= run.warm_up * run.epochs,
                    margin=run.margin,
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
    real: Float[Tensor, ""],
    numbers: dict[str, float],
    *,
    used: bool,
    margin: float,
) -> Float[Tensor, ""]:
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
        met = far - near + synthesiser.threshold <= 0
        numbers |= {"threshold": synthesiser.threshold, "met_share": met.float().mean().item()}
    return synthesiser.combine(real, synthetic) if used else real


def _renumbered(samples: Samples) -> Int64[np.ndarray, "n"]:
    """Number the classes that have samples from 0 on."""
    _, numbers = np.unique(samples.classes, return_inverse=True)
    return numbers.astype(np.int64)


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
