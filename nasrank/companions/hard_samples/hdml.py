"""Hardness-aware metric learning: negatives pulled towards the anchor, as hard as suits."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from nasrank.companions.hard_samples.generators import Conditional, relative_error
from nasrank.companions.hard_samples.synthesis import Batch, Classifier, Generated, Sizes, descend
from nasrank.errors import UsageError
from nasrank.named import Positive

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.synthesis import Synthesiser

__all__ = ["Hdml", "harden_negative", "real_weight"]

_MEMORY = 0.9


def harden_negative(
    anchor: Float[Tensor, "triplets d"],
    positive: Float[Tensor, "triplets d"],
    negative: Float[Tensor, "triplets d"],
    *,
    alpha: float,
    average_loss: float,
) -> Float[Tensor, "triplets d"]:
    r"""Move negatives on the line to their anchor, never nearer than the positive.

    .. math:: \hat n = a + (n - a) \frac{d(a, p) + [d(a, n) - d(a, p)]\, e^{-\alpha / J}}{d(a, n)}

    where :math:`d(a, n) > d(a, p)`, and :math:`\hat n = n` otherwise. A large loss J leaves the
    negative where it is; as J falls to 0 it comes to the distance of the positive.

    Args:
        anchor: One a triplet.
        positive: Likewise.
        negative: Likewise.
        alpha: In units of the loss, above 0. Published values belong to losses summed over a
            batch, and are larger by its triplets.
        average_loss: J, running mean of the triplet loss, from 0 on; of each batch the mean over
            its triplets whose loss is above 0.

    Returns:
        The negatives, moved.

    References:
        Zheng et al. (2019), "Hardness-aware deep metric learning", CVPR.

    Example:
        With exp(-alpha / J) = 1/2 the negative comes from 3 half the way to the positive at 1:

        >>> zero, one, three = (torch.tensor([[value]]) for value in (0.0, 1.0, 3.0))
        >>> harden_negative(zero, one, three, alpha=0.6931472, average_loss=1.0).item()
        2.0
    """
    near = torch.linalg.vector_norm(anchor - positive, dim=-1, keepdim=True)
    far = torch.linalg.vector_norm(anchor - negative, dim=-1, keepdim=True)
    left = exp(-alpha / average_loss) if average_loss > 0 else 0.0
    share = (near + (far - near) * left) / far.clamp(min=1e-12)
    return torch.where(far > near, anchor + (negative - anchor) * share, negative)


def real_weight(generator_loss: float, *, beta: float) -> float:
    r"""Weight of real triplets against synthetic ones, by how good the generator is.

    .. math:: J = e^{-\beta / J_{gen}} J_{real} + (1 - e^{-\beta / J_{gen}}) J_{syn}

    Args:
        generator_loss: Running mean of the generator's loss, from 0 on.
        beta: In units of that loss, above 0.

    Returns:
        A number in [0, 1]; 1 from a generator that makes nothing of use.

    Example:
        >>> round(real_weight(1.0, beta=0.5), 4), real_weight(0.0, beta=0.5)
        (0.6065, 0.0)
    """
    return exp(-beta / generator_loss) if generator_loss > 0 else 0.0


class Hdml:
    """Pulls negatives towards the anchor, then makes features of them that keep their class.

    The metric learns from real anchors and positives with generated negatives, weighed against
    real triplets by the generator's own loss.

    Args:
        sizes: Widths.
        device: Where to compute.
        alpha: See `harden_negative`. J is here the running
            mean of the batches' triplet loss, each the mean over the triplets whose loss is above
            0, and alpha is in units of that. The published code sums over a batch, so its values
            are larger.
        beta: See `real_weight`; published values divided by
            10,000, the factor they have in common with the loss.
        balance: Weight of the class against reconstruction in the generator's loss, in (0, 1).

    Raises:
        UsageError: The balance is 1 or more.
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

    def combine(self, real: Float[Tensor, ""], synthetic: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Trust synthetic triplets as far as the generator's loss allows."""
        weight = real_weight(self._average_generator, beta=self._beta)
        return weight * real + (1 - weight) * synthetic

    def _hardened(self, batch: Batch) -> Float[Tensor, "triplets d"]:
        ends = (batch.embeddings[places] for places in batch.triplets)
        average = batch.loss if self._average is None else self._average
        return harden_negative(*ends, alpha=self._alpha, average_loss=average)


def _running(before: float | None, value: float) -> float:
    return value if before is None else _MEMORY * before + (1 - _MEMORY) * value


if TYPE_CHECKING:
    _KIND: type[Synthesiser] = Hdml
