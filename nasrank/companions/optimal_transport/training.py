"""Train a classifier whose features keep a tree."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.cpcc import cpcc
from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.encoders import make_encoder
from nasrank.samples import Samples
from nasrank.seeds import seeded_torch, torch_generator

__all__ = ["Classifier", "Regulariser", "Trained", "clock", "train_classifier"]

_MOMENTUM, _DECAY = 0.9, 5e-4
_DROPS, _FACTOR = (1 / 3, 2 / 3), 0.2
_CHUNK = 1000


@dataclass(frozen=True)
class Regulariser:
    """What is added to the cross-entropy.

    Attributes:
        distance: Between the distributions of two classes in a mini-batch.
        weight: Factor of ``1 - CPCC``.
    """

    distance: DistanceSpec
    weight: float


class Classifier(nn.Module):
    """An encoder and a linear layer on its features.

    Args:
        encoder: Name of the encoder.
        shape: Shape of one sample.
        classes: Number of classes.
        seed: Seed of the run; it alone decides the initial weights.
    """

    def __init__(self, encoder: str, shape: tuple[int, ...], classes: int, seed: int) -> None:
        super().__init__()
        self.encoder = make_encoder(encoder, shape, seed=seed)
        with seeded_torch(seed, stream="head"):
            self.head = nn.Linear(self.encoder.features, classes)

    def forward(
        self, samples: Float[Tensor, "n *shape"]
    ) -> tuple[Float[Tensor, "n features"], Float[Tensor, "n classes"]]:
        """Return features and logits."""
        features = self.encoder(samples)
        return features, self.head(features)

    def apply_to(
        self, values: Float32[np.ndarray, "n *shape"]
    ) -> tuple[Float[Tensor, "n features"], Float[Tensor, "n classes"]]:
        """Return features and logits of any number of samples, on the CPU, in evaluation mode."""
        device = next(self.parameters()).device
        training = self.training
        self.eval()
        with torch.no_grad():
            parts = [
                self(part.to(device)) for part in torch.split(torch.from_numpy(values), _CHUNK)
            ]
        self.train(training)
        features, logits = (torch.cat(each).cpu() for each in zip(*parts, strict=True))
        return features, logits


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and how it went.

    Attributes:
        model: The model.
        batches: Mini-batches trained on.
        degenerate: Those without a correlation.
        diverged: Whether loss or weights became infinite or no number; training ended there.
        seconds: Processor time on a CPU, which other programs do not lengthen; elapsed on a GPU.
    """

    model: Classifier
    batches: int
    degenerate: int
    diverged: bool
    seconds: float


def train_classifier(
    samples: Samples,
    tree: Hierarchy | None,
    regulariser: Regulariser | None,
    *,
    encoder: str,
    batch_size: int,
    epochs: int,
    rate: float,
    seed: int,
    device: torch.device,
) -> Trained:
    r"""Minimise cross-entropy plus weight times ``1 - CPCC`` of each mini-batch.

    .. math:: L = -\frac1b \sum_k \log p(y_k \mid x_k) + \lambda (1 - \mathrm{CPCC})

    with stochastic gradient descent, momentum .9, weight decay 5e-4, the rate cut to a fifth
    after a third and after two thirds of the epochs. What does not fill a last batch is left out.
    Initial weights and batches depend on the seed alone, so that methods pair by seed.

    Args:
        samples: What to train on.
        tree: The tree of its classes; None trains without regulariser.
        regulariser: What to add, or None.
        encoder: Name of the encoder.
        batch_size: Samples of a batch; the whole set where it has fewer.
        epochs: Passes over the samples.
        rate: Learning rate at the start.
        seed: Seed of the run.
        device: Where to train.

    References:
        Zeng, Du, Yamada & Zhao (2025), "Learning structured representations by embedding class
        hierarchy with fast optimal transport", ICLR.
    """
    classes = len(samples.class_names)
    model = Classifier(encoder, samples.shape, classes, seed).to(device)
    optimiser = torch.optim.SGD(
        model.parameters(), lr=rate, momentum=_MOMENTUM, weight_decay=_DECAY
    )
    marks = sorted({max(1, round(epochs * part)) for part in _DROPS})
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, marks, _FACTOR)
    values = torch.from_numpy(samples.values).to(device)
    labels = torch.from_numpy(samples.classes).to(device)
    if tree is None:
        regulariser = None
    lengths = None if tree is None else torch.from_numpy(tree.pair_distances()).to(device)
    order = torch_generator(seed, stream="batches")
    draws = torch_generator(seed, stream="distance", part="train")
    size = min(batch_size, len(samples))
    batches = degenerate = 0
    diverged = False
    began = clock(device)
    for _ in range(epochs):
        shuffled = torch.randperm(len(samples), generator=order)
        for chosen in torch.split(shuffled[: len(samples) // size * size], size):
            own = labels[chosen]
            features, logits = model(values[chosen])
            loss = nn.functional.cross_entropy(logits, own)
            if regulariser is not None and lengths is not None:
                clouds = make_clouds(features, own, classes)
                value, none = cpcc(
                    regulariser.distance(clouds, draws), lengths, where=clouds.present
                )
                loss = loss + regulariser.weight * (1 - value)
                degenerate += int(none)
            batches += 1
            diverged = not bool(loss.isfinite())
            if diverged:
                break
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if diverged:
            break
        schedule.step()
    seconds = clock(device) - began
    # The last step is seen by no loss any more.
    diverged = diverged or not all(bool(part.isfinite().all()) for part in model.parameters())
    return Trained(model, batches, degenerate, diverged, seconds)


def clock(device: torch.device) -> float:
    """Read the clock that costs are counted by, in seconds.

    On a CPU it is the time of the processor, which other programs do not lengthen; on a GPU, which
    is waited for, it is the time of day.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()
