"""Negatives generated in one stage: what two stages are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nasrank.companions.hard_samples.daml import generator_loss
from nasrank.companions.hard_samples.generators import Conditional, relative_error
from nasrank.companions.hard_samples.hdml import harden_negative, real_weight
from nasrank.companions.hard_samples.synthesis import Batch, Classifier, Generated, Sizes, descend
from nasrank.errors import UsageError
from nasrank.named import Positive

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.synthesis import Synthesiser

__all__ = ["Daml", "Hdml"]

_MEMORY = 0.9


class Hdml:
    """Pulls negatives towards the anchor, then makes features of them that keep their class.

    The metric learns from real anchors and positives with generated negatives, weighed against
    real triplets by the generator's own loss.

    Args:
        sizes: Widths.
        device: Where to compute.
        alpha: See `~nasrank.companions.hard_samples.hdml.harden_negative`. J is here the running
            mean of the batches' triplet loss, each the mean over the triplets whose loss is above
            0, and alpha is in units of that. The published code sums over a batch, so its values
            are larger.
        beta: See `~nasrank.companions.hard_samples.hdml.real_weight`; published values divided by
            10,000, the factor they have in common with the loss.
        balance: Weight of the class against reconstruction in the generator's loss, in (0, 1).

    Raises:
        UsageError: The balance is 1 or more.

    References:
        Zheng et al. (2019), "Hardness-aware deep metric learning", CVPR.
    """

    def __init__(
        self,
        sizes: Sizes,
        device: torch.device,
        *,
        alpha: Positive = 0.1,
        beta: Positive = 0.5,
        balance: Positive = 0.5,
    ) -> None:
        if balance >= 1:
            raise UsageError(
                f"hdml: a balance of {balance:g} leaves no weight for reconstruction. Give less "
                "than 1"
            )
        self.threshold: float | None = None
        self.generator_loss = float("nan")
        self._alpha, self._beta, self._balance = alpha, beta, balance
        self._average: float | None = None
        self._average_generator = float("inf")
        self._net = Conditional(sizes.embedding, sizes.features, None).to(device)
        self._classifier = Classifier(sizes, device)
        self._optimiser = descend(self._net)

    def learn(self, batch: Batch) -> None:
        """Take one step: copy real features, and keep the class of hardened negatives."""
        real = batch.detached()
        self._classifier.learn(real)
        self._average = _running(self._average, real.loss)
        copied = relative_error(self._net(real.embeddings, real.classes), real.features)
        made = self._net(self._hardened(real), real.classes)
        kept = self._classifier.loss(made, real.classes[real.triplets.negative])
        loss = (1 - self._balance) * copied + self._balance * kept
        self._optimiser.zero_grad()
        loss.backward(inputs=list(self._net.parameters()))  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.generator_loss = loss.item()
        before = None if self._average_generator == float("inf") else self._average_generator
        self._average_generator = _running(before, self.generator_loss)

    def generate(self, batch: Batch) -> Generated:
        """Make the negatives of the batch's triplets."""
        made = self._net(self._hardened(batch), batch.classes)
        return Generated(
            batch.embeddings[batch.triplets.anchor],
            batch.embeddings[batch.triplets.positive],
            batch.head(made),
            negative_features=made,
        )

    def combine(self, real: Tensor, synthetic: Tensor) -> Tensor:
        """Trust synthetic triplets as far as the generator's loss allows."""
        weight = real_weight(self._average_generator, beta=self._beta)
        return weight * real + (1 - weight) * synthetic

    def _hardened(self, batch: Batch) -> Tensor:
        ends = (batch.embeddings[places] for places in batch.triplets)
        average = batch.loss if self._average is None else self._average
        return harden_negative(*ends, alpha=self._alpha, average_loss=average)


class Daml:
    """Moves the features of negatives towards the anchor, with a reverse triplet of fixed slack.

    Features are divided by the root of their mean square for the generator's loss, so that its
    published weights mean the same on every encoder. The metric learns from real and from
    generated triplets alike.

    Args:
        sizes: Widths.
        device: Where to compute.
        keep: Weight of staying near the negative.
        reverse: Weight of the reverse triplet.
        alpha: Its slack, in squared units of scaled features.
        hinge: Weight of the metric's triplet loss in the generator's.
        weight: Weight of generated triplets in the metric's loss.

    References:
        Duan et al. (2018), "Deep adversarial metric learning", CVPR.
    """

    def __init__(
        self,
        sizes: Sizes,
        device: torch.device,
        *,
        keep: Positive = 1.0,
        reverse: Positive = 50.0,
        alpha: Positive = 1.0,
        hinge: Positive = 1.0,
        weight: Positive = 1.0,
    ) -> None:
        self.threshold: float | None = None
        self.generator_loss = float("nan")
        self._keep, self._reverse, self._alpha = keep, reverse, alpha
        self._hinge, self._weight, self._margin = hinge, weight, sizes.margin
        self._net = Conditional(3 * sizes.features, sizes.features, None).to(device)
        self._optimiser = descend(self._net)

    def learn(self, batch: Batch) -> None:
        """Take one step of the generator."""
        real = batch.detached()
        scale = _scale(real.features)
        anchor, positive, negative = (real.features[places] / scale for places in real.triplets)
        made = self.generate(real)
        if made.negative_features is None:
            return
        loss = generator_loss(
            anchor,
            positive,
            negative,
            made.negative_features / scale,
            keep=self._keep,
            reverse=self._reverse,
            alpha=self._alpha,
        )
        loss = loss / real.features.shape[1] + self._hinge * made.loss(self._margin)
        self._optimiser.zero_grad()
        loss.backward(inputs=list(self._net.parameters()))  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.generator_loss = loss.item()

    def generate(self, batch: Batch) -> Generated:
        """Make the negatives of the batch's triplets."""
        parts = [batch.features[places] for places in batch.triplets]
        scale = _scale(batch.features.detach())
        made = scale * self._net(torch.cat(parts, dim=1) / scale, batch.classes)
        return Generated(
            batch.embeddings[batch.triplets.anchor],
            batch.embeddings[batch.triplets.positive],
            batch.head(made),
            negative_features=made,
        )

    def combine(self, real: Tensor, synthetic: Tensor) -> Tensor:
        """Add both."""
        return (real + self._weight * synthetic) / (1 + self._weight)


def _scale(features: Tensor) -> Tensor:
    return features.square().mean().sqrt().clamp(min=1e-6)


def _running(before: float | None, value: float) -> float:
    return value if before is None else _MEMORY * before + (1 - _MEMORY) * value


if TYPE_CHECKING:
    _KINDS: list[type[Synthesiser]] = [Hdml, Daml]
