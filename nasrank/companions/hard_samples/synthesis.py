"""What every way to generate hard samples is asked for during training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from nasrank.companions.hard_samples.mining import Triplets

__all__ = ["Batch", "Classifier", "Generated", "Sizes", "Synthesiser", "descend"]

_RATE = 1e-3


@dataclass(frozen=True)
class Sizes:
    """Widths that generators are built for.

    Attributes:
        features: Of the encoder.
        embedding: Of the metric's embedding.
        classes: Training classes.
        margin: Of the triplet loss.
    """

    features: int
    embedding: int
    classes: int
    margin: float


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch as generators see it.

    Attributes:
        features: From the encoder.
        embeddings: On the unit sphere.
        classes: Theirs.
        triplets: Triplets of it, at least one.
        head: From features to embeddings.
        loss: Triplet loss of the real triplets.
        within: Mean distance within classes.
        between: Mean distance between classes.
        progress: Share of the training that is done.
    """

    features: Float[Tensor, "n f"]
    embeddings: Float[Tensor, "n e"]
    classes: Int64[Tensor, "n"]
    triplets: Triplets
    head: Callable[[Float[Tensor, "m f"]], Float[Tensor, "m e"]]
    loss: float
    within: float
    between: float
    progress: float

    def detached(self) -> Batch:
        """Return it without the history of its tensors."""
        return Batch(
            self.features.detach(), self.embeddings.detach(), self.classes, self.triplets,
            self.head, self.loss, self.within, self.between, self.progress,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Generated:
    """What a generator made of triplets.

    Attributes:
        anchor: Embeddings.
        positive: Embeddings.
        negative: Embeddings.
        positive_features: None where positives are real.
        negative_features: None where negatives are real.
    """

    anchor: Float[Tensor, "triplets e"]
    positive: Float[Tensor, "triplets e"]
    negative: Float[Tensor, "triplets e"]
    positive_features: Float[Tensor, "triplets f"] | None = None
    negative_features: Float[Tensor, "triplets f"] | None = None

    @property
    def distances(self) -> tuple[Float[Tensor, "triplets"], Float[Tensor, "triplets"]]:
        """Distances to positive and negative."""
        return (
            torch.linalg.vector_norm(self.anchor - self.positive, dim=-1),
            torch.linalg.vector_norm(self.anchor - self.negative, dim=-1),
        )

    def loss(self, margin: float) -> Float[Tensor, ""]:
        """Mean of the triplet losses above 0, and 0 where none is."""
        near, far = self.distances
        losses = (near - far + margin).clamp(min=0)
        return losses.sum() / (losses > 0).sum().clamp(min=1)


@runtime_checkable
class Synthesiser(Protocol):
    """Makes hard samples, and learns to.

    Attributes:
        threshold: What adapts, as of the last batch; None where nothing does.
        generator_loss: Loss of the generators in the last batch.
    """

    threshold: float | None
    generator_loss: float

    def learn(self, batch: Batch) -> None:
        """Take one step of the generators; the metric stays as it is."""

    def generate(self, batch: Batch) -> Generated:
        """Make samples of the batch's triplets, with their history."""

    def combine(self, real: Float[Tensor, ""], synthetic: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Weigh the loss of real triplets and that of synthetic ones."""


class Classifier:
    """Tells the classes of features apart, so that generated ones can be asked for theirs."""

    def __init__(self, sizes: Sizes, device: torch.device) -> None:
        self.net = nn.Linear(sizes.features, sizes.classes).to(device)
        self._optimiser = descend(self.net)

    def learn(self, batch: Batch) -> None:
        """Take one step on the real features of a batch."""
        loss = self.loss(batch.features, batch.classes)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()

    def loss(
        self, features: Float[Tensor, "n f"], classes: Int64[Tensor, "n"]
    ) -> Float[Tensor, ""]:
        """Return the cross-entropy of features being of classes."""
        return nn.functional.cross_entropy(self.net(features), classes)


def descend(*nets: nn.Module) -> torch.optim.Optimizer:
    """Return Adam for the weights of some nets."""
    weights = [weight for net in nets for weight in net.parameters()]
    return torch.optim.Adam(weights, lr=_RATE, betas=(0.5, 0.999), fused=True)
