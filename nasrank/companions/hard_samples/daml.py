"""Deep adversarial metric learning: negatives near the anchor, and still themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from nasrank.companions.hard_samples.generators import Conditional
from nasrank.companions.hard_samples.synthesis import Batch, Generated, Sizes, descend
from nasrank.named import Positive

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.synthesis import Synthesiser

__all__ = ["Daml", "generator_loss"]


def generator_loss(
    anchor: Float[Tensor, "triplets f"],
    positive: Float[Tensor, "triplets f"],
    negative: Float[Tensor, "triplets f"],
    generated: Float[Tensor, "triplets f"],
    *,
    keep: float,
    reverse: float,
    alpha: float,
) -> Float[Tensor, ""]:
    r"""What a generated negative should be like, in features.

    .. math:: \|\tilde x - x_a\|^2 + \lambda_1 \|\tilde x - x_n\|^2
        + \lambda_2 [\|\tilde x - x_a\|^2 - \|x_p - x_a\|^2 - \alpha]_+

    It is to be near the anchor, near the negative it was made of, and not further from the anchor
    than the positive is, by a slack. The last term is a reverse triplet of fixed threshold.

    Args:
        anchor: Features, one a triplet.
        positive: Likewise.
        negative: Likewise.
        generated: Likewise.
        keep: Weight of staying near the negative.
        reverse: Weight of the reverse triplet.
        alpha: Its slack.

    Returns:
        The mean over triplets.

    References:
        Duan et al. (2018), "Deep adversarial metric learning", CVPR.

    Example:
        The squares are 4 to the anchor, 1 to the negative, 1 from the positive to the anchor,
        so 4 + 1 + 2 * (4 - 1 - 1):

        >>> x = [torch.tensor([[value]]) for value in (0.0, 1.0, 3.0, 2.0)]
        >>> generator_loss(*x, keep=1.0, reverse=2.0, alpha=1.0).item()
        9.0
    """
    to_anchor = (generated - anchor).square().sum(dim=-1)
    to_negative = (generated - negative).square().sum(dim=-1)
    between = (positive - anchor).square().sum(dim=-1)
    pushed = (to_anchor - between - alpha).clamp(min=0)
    return (to_anchor + keep * to_negative + reverse * pushed).mean()


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

    def combine(self, real: Float[Tensor, ""], synthetic: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Add both."""
        return (real + self._weight * synthetic) / (1 + self._weight)


def _scale(features: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    return features.square().mean().sqrt().clamp(min=1e-6)


if TYPE_CHECKING:
    _KIND: type[Synthesiser] = Daml
