"""Positives and negatives generated in two stages: a reconstruction.

Published are the stages and what they are for: anchor-positive pairs are stretched piecewise
linearly and made to look real by a conditional GAN, then negatives are made under an adaptive
reverse metric constraint. The pieces, the losses beside them and the rule that adapts are choices
made here, each an option.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.companions.hard_samples.adaptive import (
    Rule,
    Threshold,
    pressed,
    reverse_triplet,
)
from nasrank.companions.hard_samples.generators import (
    Conditional,
    adversarial_losses,
    relative_error,
)
from nasrank.companions.hard_samples.mining import distances_of
from nasrank.companions.hard_samples.stretching import Shape, stretch, stretch_factor
from nasrank.companions.hard_samples.synthesis import Batch, Classifier, Generated, Sizes, descend
from nasrank.errors import UsageError
from nasrank.named import Positive

if TYPE_CHECKING:
    from nasrank.companions.hard_samples.synthesis import Synthesiser

__all__ = ["LeftOut", "TwoStage"]

LeftOut = Literal["nothing", "stage-one", "stage-two", "condition", "adaptation"]
"""What an ablation may leave out."""

Ends: TypeAlias = tuple[Float[Tensor, "triplets f"], Float[Tensor, "triplets f"]]
"""Features of both ends of pairs."""


class TwoStage:
    """Stretched pairs made real-looking, and negatives that come nearer as the metric improves.

    Stage one: embeddings of an anchor and its positive are stretched, and a generator, told the
    class, makes features of them that a discriminator, told the class, cannot tell from real
    ones, that a classifier takes for their class, and that copy real features where nothing is
    stretched. Stage two: a second generator, told the class, moves the features of the negative so
    that the reverse triplet with the stretched pair is met, and the class and the place are kept.
    The metric learns from real and from generated triplets.

    A reverse triplet with a fixed weight is drowned by what keeps a negative in its place as soon
    as classes are apart. So the weight grows while fewer negatives than wanted meet the
    constraint, and falls back where more do.

    Without adaptation the threshold stands at ``end`` throughout, so that control differs from
    adaptive ones in level too. ``two-stage(adaptive=fixed,start=X,end=X)`` fixes it at any level.

    Args:
        sizes: Widths.
        device: Where to compute.
        stretch: How far close pairs are stretched; see
            `~nasrank.companions.hard_samples.stretching.stretch_factor`, as for the next two.
        reach: Distance from which on pairs stay as they are.
        shape: ``linear`` or ``flat``.
        adaptive: What the threshold of the reverse triplet follows; see
            `~nasrank.companions.hard_samples.adaptive.hardness`.
        start: Threshold where nothing is asked of the negative yet, in units of distance.
        end: Threshold at its hardest.
        alpha: Of the rule ``loss``.
        gap_scale: Of the rule ``gap``.
        reverse: Weight of the reverse triplet, at least.
        meet: Share of negatives that should meet it; the weight grows until they do. 0 keeps
            it fixed.
        adversarial: Weight of misleading the discriminator.
        keep_class: Weight of being of one's class, in both stages.
        keep_place: Weight of copying real features, and of negatives staying where they are.
        weight: Weight of generated triplets in the metric's loss.
        without: Leaves something out: a stage, the class that nets are told, or the adaptation.

    Raises:
        UsageError: The threshold ends below its start, or a share is not one.
    """

    def __init__(
        self,
        sizes: Sizes,
        device: torch.device,
        *,
        stretch: Positive = 0.2,
        reach: Positive = 1.0,
        shape: Shape = "linear",
        adaptive: Rule = "gap",
        start: float = -0.2,
        end: float = 0.0,
        alpha: Positive = 0.1,
        gap_scale: Positive = 1.0,
        reverse: Positive = 1.0,
        meet: float = 0.9,
        adversarial: Positive = 0.1,
        keep_class: Positive = 1.0,
        keep_place: Positive = 1.0,
        weight: Positive = 0.5,
        without: LeftOut = "nothing",
    ) -> None:
        if end < start:
            raise UsageError(
                f"two-stage: the threshold ends at {end:g}, below its start {start:g}, and would "
                "make negatives easier. Raise end"
            )
        if not 0 <= meet <= 1:
            raise UsageError(f"two-stage: meet {meet:g} should be a share, from 0 to 1")
        self.threshold: float | None = start
        self.generator_loss = float("nan")
        self._stretch, self._reach, self._shape = stretch, reach, shape
        self._adversarial, self._keep_class, self._keep_place = adversarial, keep_class, keep_place
        self._reverse, self._weight = reverse, weight
        self._meet, self._pressure = meet, 1.0
        self._one, self._two = without != "stage-one", without != "stage-two"
        told = None if without == "condition" else sizes.classes
        self._positives = Conditional(sizes.features, sizes.features, told, still=True).to(device)
        self._negatives = Conditional(3 * sizes.embedding, sizes.features, told, still=True).to(
            device
        )
        self._critic = Conditional(sizes.features, 1, told, normalise=True).to(device)
        self._classifier = Classifier(sizes, device)
        self._optimiser = descend(self._positives, self._negatives)
        self._critic_optimiser = descend(self._critic)
        rule: Rule = "fixed" if without == "adaptation" else adaptive
        self._rule = Threshold(rule, start=start, end=end, alpha=alpha, gap_scale=gap_scale)

    def learn(self, batch: Batch) -> None:
        """Take one step of both generators, the discriminator and the classifier."""
        real = batch.detached()
        self._classifier.learn(real)
        self.threshold = self._rule.update(real.loss, real.between - real.within, real.progress)
        near = self._pair(real)
        loss = self._positive_loss(real, near) + self._negative_loss(real, near)
        self._optimiser.zero_grad()
        weights = [*self._positives.parameters(), *self._negatives.parameters()]
        loss.backward(inputs=weights)  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.generator_loss = loss.item()

    def generate(self, batch: Batch) -> Generated:
        """Make both ends of the pairs, then their negatives."""
        near = self._pair(batch)
        ends = self._ends(batch, near)
        negative, made = self._far(batch, ends)
        return Generated(
            *ends, negative, positive_features=None if near is None else near[1],
            negative_features=made,
        )  # fmt: skip

    def combine(self, real: Float[Tensor, ""], synthetic: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Weigh both."""
        return (real + self._weight * synthetic) / (1 + self._weight)

    def _pair(self, batch: Batch) -> Ends | None:
        """Features of both stretched ends; None without stage one."""
        if not self._one:
            return None
        ends, classes = self._stretched(batch)
        first, second = (ends + self._positives(ends, classes)).chunk(2)
        return first, second

    def _stretched(self, batch: Batch) -> tuple[Float[Tensor, "ends f"], Int64[Tensor, "ends"]]:
        """Features of all anchors, then of all positives, and the class of each."""
        anchor, positive, _ = batch.triplets
        near, _ = distances_of(batch.embeddings.detach(), batch.triplets)
        factor = stretch_factor(near, by=self._stretch, reach=self._reach, shape=self._shape)
        ends = stretch(batch.features[anchor], batch.features[positive], factor)
        return torch.cat(ends), batch.classes[anchor].repeat(2)

    def _ends(
        self, batch: Batch, near: Ends | None
    ) -> tuple[Float[Tensor, "triplets e"], Float[Tensor, "triplets e"]]:
        if near is None:
            return (
                batch.embeddings[batch.triplets.anchor],
                batch.embeddings[batch.triplets.positive],
            )
        first, second = batch.head(torch.cat(near)).chunk(2)
        return first, second

    def _far(
        self, batch: Batch, ends: tuple[Float[Tensor, "triplets e"], Float[Tensor, "triplets e"]]
    ) -> tuple[Float[Tensor, "triplets e"], Float[Tensor, "triplets f"] | None]:
        place = batch.triplets.negative
        if not self._two:
            return batch.embeddings[place], None
        given = torch.cat([*ends, batch.embeddings[place]], dim=1)
        made = batch.features[place] + self._negatives(given, batch.classes[place])
        return batch.head(made), made

    def _positive_loss(self, real: Batch, near: Ends | None) -> Float[Tensor, ""]:
        """Loss of stage one, after a step of the discriminator; 0 without the stage."""
        if near is None:
            return real.features.new_zeros(())
        made = torch.cat(near)
        ends, classes = self._stretched(real)
        critic_loss, _ = adversarial_losses(
            self._critic(real.features, real.classes), self._critic(made.detach(), classes)
        )
        self._critic_optimiser.zero_grad()
        critic_loss.backward()  # type: ignore[no-untyped-call]
        self._critic_optimiser.step()
        _, fooled = adversarial_losses(made.new_zeros(1), self._critic(made, classes))
        kept = self._classifier.loss(made, classes)
        stayed = relative_error(made, ends)
        return self._adversarial * fooled + self._keep_class * kept + self._keep_place * stayed

    def _negative_loss(self, real: Batch, near: Ends | None) -> Float[Tensor, ""]:
        """Loss of stage two; 0 without the stage."""
        first, second = (each.detach() for each in self._ends(real, near))
        negative, made = self._far(real, (first, second))
        if made is None or self.threshold is None:
            return real.features.new_zeros(())
        place = real.triplets.negative
        reverse = reverse_triplet(first, second, negative, self.threshold)
        if self._meet:
            met = (reverse == 0).float().mean().item()
            self._pressure = pressed(self._pressure, met, self._meet)
        kept = self._classifier.loss(made, real.classes[place])
        stayed = relative_error(made, real.features[place])
        weight = self._reverse * self._pressure
        return weight * reverse.mean() + self._keep_class * kept + self._keep_place * stayed


if TYPE_CHECKING:
    _KINDS: list[type[Synthesiser]] = [TwoStage]
