"""Metric learning on the embeddings of a whole fleet of predictors, beside their ranking loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from nasrank.companions.hard_samples.adaptive import Rule, hardness, pressed
from nasrank.companions.hard_samples.stretching import Shape, stretch, stretch_factor
from nasrank.companions.hard_samples.tiers import tiers_of
from nasrank.companions.hard_samples.two_stage import LeftOut
from nasrank.seeds import torch_generator

__all__ = ["Drawn", "FleetTwoStage", "TierLoss", "draw_triplets"]

_HIDDEN, _RATE, _MEMORY = 64, 1e-3, 0.9

Features: TypeAlias = Float[Tensor, "members items width"]
Parts: TypeAlias = tuple[Features, Features, Features]
"""Anchor, positive and negative of every item."""
Numbers: TypeAlias = Float[Tensor, "members items"]
Places: TypeAlias = Int64[Tensor, "members items"]
Flags: TypeAlias = Bool[Tensor, "members items"]
OneEach: TypeAlias = Float[Tensor, "members"]


class Drawn(NamedTuple):
    """A triplet for every item.

    Attributes:
        tiers: Its tier, -1 on padding.
        positive: Place of its positive.
        negative: Place of its negative.
        valid: Whether it has both.
    """

    tiers: Places
    positive: Places
    negative: Places
    valid: Flags


def draw_triplets(tiers: Places, generators: Sequence[torch.Generator]) -> Drawn:
    """Draw a positive and a negative for every item that has both.

    Args:
        tiers: -1 on padding.
        generators: One a member, so that a member draws what it would draw alone.
    """
    count = tiers.shape[1]
    chance = torch.stack([torch.rand(2, count, count, generator=each) for each in generators])
    chance = chance.to(tiers.device)
    real = tiers >= 0
    both = real[:, :, None] & real[:, None, :]
    same = (tiers[:, :, None] == tiers[:, None, :]) & both
    near = same & ~torch.eye(count, dtype=torch.bool, device=tiers.device)
    far = ~same & both
    positive = chance[:, 0].masked_fill(~near, -1).argmax(dim=-1)
    negative = chance[:, 1].masked_fill(~far, -1).argmax(dim=-1)
    return Drawn(tiers, positive, negative, near.any(dim=-1) & far.any(dim=-1))


class TierLoss:
    """A triplet loss on embeddings, with tiers of accuracy as classes; generated ones if wanted.

    Args:
        seeds: Of the members, in their order.
        tiers: Classes that the labels of a list are cut into; nothing but training labels is
            looked at.
        margin: Of the triplet loss, on the unit sphere.
        weight: Of this loss beside the ranking loss.
        generator: Makes more triplets, or None.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        *,
        tiers: int,
        margin: float,
        weight: float,
        generator: FleetTwoStage | None = None,
    ) -> None:
        self._tiers, self._margin, self._weight = tiers, margin, weight
        self._generator = generator
        self._chance = [torch_generator(seed, stream="tiers") for seed in seeds]
        self.degenerate = torch.zeros(len(seeds), dtype=torch.int64)

    def __call__(
        self, embeddings: Features, targets: Numbers, where: Flags, _items: Places
    ) -> OneEach:
        """Return one loss a member, and count the lists without a triplet.

        Args:
            embeddings: One an item.
            targets: Higher is better.
            where: Which items are real.
        """
        drawn = draw_triplets(tiers_of(targets, self._tiers, where=where), self._chance)
        self.degenerate += (~drawn.valid.any(dim=1)).long().cpu()
        real = _triplet_means(_parts(embeddings, drawn), drawn.valid, self._margin)
        if self._generator is None:
            return self._weight * real
        made = self._generator.learn_and_generate(embeddings, drawn, real.detach())
        share = self._generator.weight
        synthetic = _triplet_means(made, drawn.valid, self._margin)
        return self._weight * (real + share * synthetic) / (1 + share)


class FleetTwoStage:
    """The two-stage reconstruction for many predictors at a time, each with nets of its own.

    Options are those of `~nasrank.companions.hard_samples.two_stage.TwoStage`; embeddings of the
    predictor are the features, and their direction is what distances are measured on.

    Args:
        seeds: Of the members, in their order.
        width: Of the embeddings.
        tiers: Number of classes.
        steps: Length of the training, for the rule ``schedule``.
        device: Where to compute.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        width: int,
        tiers: int,
        steps: int,
        *,
        device: torch.device | None = None,
        stretch: float = 0.2,
        reach: float = 1.0,
        shape: Shape = "linear",
        adaptive: Rule = "gap",
        start: float = -0.2,
        end: float = 0.0,
        alpha: float = 0.1,
        gap_scale: float = 1.0,
        reverse: float = 1.0,
        meet: float = 0.9,
        adversarial: float = 0.1,
        keep_class: float = 1.0,
        keep_place: float = 1.0,
        weight: float = 0.5,
        without: LeftOut = "nothing",
    ) -> None:
        self.weight = weight
        self._tiers, self._steps, self._step = tiers, steps, 0
        self._stretch, self._reach, self._shape = stretch, reach, shape
        self._rule: Rule = "fixed" if without == "adaptation" else adaptive
        self._start, self._end, self._alpha, self._gap_scale = start, end, alpha, gap_scale
        self._reverse, self._adversarial = reverse, adversarial
        self._meet, self._pressure = meet, [1.0] * len(seeds)
        self._keep_class, self._keep_place = keep_class, keep_place
        self._one, self._two = without != "stage-one", without != "stage-two"
        self._told = 0 if without == "condition" else tiers
        generators = [torch_generator(seed, stream="generators") for seed in seeds]
        self._positives = _Nets(generators, width + self._told, width, device, still=True)
        self._negatives = _Nets(generators, 3 * width + self._told, width, device, still=True)
        self._critic = _Nets(generators, width + self._told, 1, device)
        self._classifier = _Nets(generators, width, tiers, device)
        self._makers = [*self._positives.weights, *self._negatives.weights]
        self._judges = [*self._critic.weights, *self._classifier.weights]
        self._optimiser = torch.optim.Adam(self._makers, lr=_RATE, betas=(0.5, 0.999))
        self._judge_optimiser = torch.optim.Adam(self._judges, lr=_RATE, betas=(0.5, 0.999))
        self._loss: Tensor | None = None
        self._gap: Tensor | None = None

    def learn_and_generate(self, embeddings: Features, drawn: Drawn, loss: OneEach) -> Parts:
        """Take a step of the nets, and make triplets."""
        self._step += 1
        scale = embeddings.detach().square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=1e-6)
        real = embeddings.detach() / scale
        threshold = self._threshold(real, drawn, loss)
        self._judge(real, drawn)
        losses = self._makers_loss(real, drawn, threshold)
        self._optimiser.zero_grad()
        losses.sum().backward(inputs=self._makers)  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return self._make(embeddings / scale, drawn)

    def _make(self, features: Features, drawn: Drawn) -> Parts:
        """Features of anchor, positive and negative of every item."""
        anchor, near, far = _parts(features, drawn)
        own = self._tell(drawn.tiers)
        if self._one:
            joined = torch.cat(self._stretched(anchor, near), dim=1)
            told = torch.cat([own, own], dim=1)
            anchor, near = (joined + self._positives(joined, told)).chunk(2, dim=1)
        if self._two:
            given = torch.cat([_unit(anchor), _unit(near), _unit(far)], dim=-1)
            far = far + self._negatives(given, self._tell(_tiers_of_negatives(drawn)))
        return anchor, near, far

    def _stretched(self, anchor: Features, near: Features) -> tuple[Features, Features]:
        apart = torch.linalg.vector_norm(_unit(anchor) - _unit(near), dim=-1).detach()
        factor = stretch_factor(apart, by=self._stretch, reach=self._reach, shape=self._shape)
        return stretch(anchor, near, factor)

    def _makers_loss(self, real: Features, drawn: Drawn, threshold: OneEach) -> OneEach:
        anchor, near, far = self._make(real, drawn)
        before = _parts(real, drawn)
        losses = real.new_zeros(len(real))
        if self._one:
            joined = torch.cat([anchor, near], dim=1)
            tiers, valid = drawn.tiers.repeat(1, 2), drawn.valid.repeat(1, 2)
            score = self._critic(joined, self._tell(tiers))[..., 0]
            fooled = _mean(nn.functional.softplus(-score), valid)
            stretched = torch.cat(self._stretched(*before[:2]), dim=1)
            stayed = _mean((joined - stretched).square().mean(dim=-1), valid)
            kept = self._class_loss(joined, tiers, valid)
            losses = losses + self._adversarial * fooled
            losses = losses + self._keep_class * kept + self._keep_place * stayed
        if self._two:
            to_positive, to_negative = _distances((anchor.detach(), near.detach(), far))
            pushed = (to_negative - to_positive + threshold[:, None]).clamp(min=0)
            stayed = _mean((far - before[2]).square().mean(dim=-1), drawn.valid)
            kept = self._class_loss(far, _tiers_of_negatives(drawn), drawn.valid)
            losses = losses + self._weights(pushed, drawn.valid) * _mean(pushed, drawn.valid)
            losses = losses + self._keep_class * kept + self._keep_place * stayed
        return losses

    def _weights(self, pushed: Numbers, valid: Flags) -> OneEach:
        """Weight of the reverse triplet of each member, which grows until negatives are near."""
        if self._meet:
            met = _mean((pushed == 0).float(), valid).tolist()
            self._pressure = [
                pressed(factor, share, self._meet)
                for factor, share in zip(self._pressure, met, strict=True)
            ]
        return self._reverse * pushed.new_tensor(self._pressure)

    def _judge(self, real: Features, drawn: Drawn) -> None:
        """Take a step of discriminators and classifiers."""
        with torch.no_grad():
            anchor, near, _ = self._make(real, drawn)
        softplus = nn.functional.softplus
        there = drawn.tiers >= 0
        losses = self._class_loss(real, drawn.tiers, there)
        if self._one:
            told = self._tell(drawn.tiers.repeat(1, 2))
            made = self._critic(torch.cat([anchor, near], dim=1), told)[..., 0]
            known = self._critic(real, self._tell(drawn.tiers))[..., 0]
            losses = losses + _mean(softplus(made), drawn.valid.repeat(1, 2))
            losses = losses + _mean(softplus(-known), there)
        self._judge_optimiser.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        self._judge_optimiser.step()

    def _class_loss(self, features: Features, tiers: Places, where: Flags) -> OneEach:
        scores = self._classifier(features, features[..., :0])
        losses = nn.functional.cross_entropy(
            scores.transpose(1, 2), tiers.clamp(min=0), reduction="none"
        )
        return _mean(losses, where)

    def _tell(self, tiers: Places) -> Float[Tensor, "members items told"]:
        """What nets are told of the class; nothing without the condition."""
        return nn.functional.one_hot(tiers.clamp(min=0), self._tiers)[..., : self._told].float()

    def _threshold(self, real: Features, drawn: Drawn, loss: OneEach) -> OneEach:
        """Threshold of each member, following its own loss and gap."""
        to_positive, to_negative = _distances(_parts(real, drawn))
        gap = _mean(to_negative - to_positive, drawn.valid)
        if self._loss is None or self._gap is None:
            self._loss, self._gap = loss, gap
        else:
            self._loss = _MEMORY * self._loss + (1 - _MEMORY) * loss
            self._gap = _MEMORY * self._gap + (1 - _MEMORY) * gap
        shares = [
            hardness(
                self._rule, loss=loss, gap=gap, progress=self._step / self._steps,
                alpha=self._alpha, gap_scale=self._gap_scale,
            )
            for loss, gap in zip(self._loss.tolist(), self._gap.tolist(), strict=True)
        ]  # fmt: skip
        share = real.new_tensor(shares)
        return (1 - share) * self._start + share * self._end


class _Nets:
    """One net of one hidden layer for each member."""

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        inputs: int,
        outputs: int,
        device: torch.device | None,
        *,
        still: bool = False,
    ) -> None:
        def drawn(
            rows: int, columns: int, bound: float
        ) -> Float[Tensor, "members {rows} {columns}"]:
            parts = [torch.rand(rows, columns, generator=each) for each in generators]
            return (bound * (2 * torch.stack(parts) - 1)).to(device).requires_grad_()

        self.weights = [
            drawn(inputs, _HIDDEN, inputs**-0.5),
            drawn(1, _HIDDEN, inputs**-0.5),
            drawn(_HIDDEN, outputs, 0.0 if still else _HIDDEN**-0.5),
            drawn(1, outputs, 0.0 if still else _HIDDEN**-0.5),
        ]

    def __call__(
        self,
        given: Float[Tensor, "members items inputs"],
        told: Float[Tensor, "members items told"],
    ) -> Float[Tensor, "members items outputs"]:
        first, shift, second, last = self.weights
        hidden = torch.baddbmm(shift, torch.cat([given, told], dim=-1), first).relu()
        return torch.baddbmm(last, hidden, second)


def _tiers_of_negatives(drawn: Drawn) -> Places:
    return drawn.tiers.gather(1, drawn.negative)


def _parts(features: Features, drawn: Drawn) -> Parts:
    def at(places: Places) -> Features:
        return features.gather(1, places[..., None].expand(-1, -1, features.shape[-1]))

    return features, at(drawn.positive), at(drawn.negative)


def _distances(parts: Parts) -> tuple[Numbers, Numbers]:
    anchor, positive, negative = (_unit(part) for part in parts)
    return (
        torch.linalg.vector_norm(anchor - positive, dim=-1),
        torch.linalg.vector_norm(anchor - negative, dim=-1),
    )


def _triplet_means(parts: Parts, valid: Flags, margin: float) -> OneEach:
    near, far = _distances(parts)
    losses = (near - far + margin).clamp(min=0).where(valid, torch.zeros(()).to(near))
    return losses.sum(dim=1) / (losses > 0).sum(dim=1).clamp(min=1)


def _mean(values: Numbers, where: Flags) -> OneEach:
    kept = values.where(where, torch.zeros(()).to(values))
    return kept.sum(dim=1) / where.sum(dim=1).clamp(min=1)


def _unit(features: Features) -> Features:
    return nn.functional.normalize(features, dim=-1)
