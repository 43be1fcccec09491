"""Fleets: many independent predictors trained as one batched tensor program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor

from nasrank.graphs import GraphBatch
from nasrank.losses import LossFunction, PiecewiseSpec, prepare, resolve
from nasrank.predictors.descent import AdamW
from nasrank.predictors.gnn import GNN
from nasrank.predictors.network import Network, Weights
from nasrank.predictors.predictor import Epoch, Fitted, Member
from nasrank.predictors.recipe import Recipe
from nasrank.seeds import numpy_generator, torch_generator

__all__ = ["Fleet", "SideLoss", "train_fleet"]

SideLoss: TypeAlias = Callable[
    [
        Float[Tensor, "members items width"],
        Float[Tensor, "members items"],
        Bool[Tensor, "members items"],
        Int64[Tensor, "members items"],
    ],
    Float[Tensor, "members"],
]
"""A loss on embeddings beside that on scores.

Takes embeddings, targets in the task's unit and oriented so that higher is better, which of the
items are real, and their indices in the network (anything on padding). Returns one loss per
member, lower is better, that is added to the loss of the scores.
"""

_PACKED_STEPS = 32
"""Steps whose batches are assembled at once; more save no time and cost memory."""


@dataclass(frozen=True, eq=False)
class Fleet(Fitted):
    """Trained predictors.

    Attributes:
        network: Their architecture.
        weights: Their parameters by name.
        final_loss: Mean loss over the lists of the last epoch finished.
    """

    network: Network
    weights: Weights
    final_loss: Float64[np.ndarray, "members"]

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where a parameter is not finite; such a member scores NaN."""
        finite = [torch.isfinite(w).flatten(1).all(dim=1) for w in self.weights.values()]
        result: NDArray[np.bool_] = ~torch.stack(finite).all(dim=0).cpu().numpy()
        return result

    @torch.no_grad()
    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Score graphs with every member.

        Args:
            items: Indices of graphs; all of the network's by default.

        Returns:
            Raw scores, higher is better; NaN for a diverged member.
        """
        chosen = np.arange(len(self.network.graphs)) if items is None else items
        members = len(self.final_loss)
        if len(chosen) == 0:
            return np.zeros((members, 0))
        scores = self.network.scores(self.weights, chosen)
        result: NDArray[np.float64] = scores.cpu().double().numpy()
        # A ReLU can hide an infinite weight from the scores.
        result[self.diverged] = np.nan
        return result

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fleet:
        """Return the same members for other graphs; see :meth:`Fitted.on`."""
        return replace(self, network=self.network.on(graphs))


def train_fleet(
    network: Network,
    members: Sequence[Member],
    recipe: Recipe | None = None,
    *,
    start: Mapping[str, Float[Tensor, "members ..."]] | None = None,
    side: SideLoss | None = None,
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fleet:
    """Train every member on its own data with its own loss, all in the same matrix products.

    A member is what it would be if trained alone, up to rounding. Its lists are padded and masked,
    and after its last step it is no longer updated: no decay, no momentum.

    Args:
        network: The predictor, which also fixes device and floating type.
        members: At least one; training sets may differ in size.
        recipe: Settings; the default recipe if None.
        start: First weights by name; members draw their own for names
            that are not in it.
        side: A loss on embeddings that is added to every member's own; of a network that has
            embeddings.
        on_step: Called with (steps done, steps in all) after every step.
        on_epoch: Called when members finish an epoch. With a piecewise loss the epochs of its
            first stage are not reported.

    Raises:
        TypeError: A side loss is given and the network has no embeddings.
    """
    recipe = recipe or Recipe()
    if side is not None and not isinstance(network, GNN):
        raise TypeError(f"{type(network).__name__} has no embeddings for a side loss")
    weights = network.initial([torch_generator(m.seed, stream="initialisation") for m in members])
    for name, weight in (start or {}).items():
        weights[name] = weight.detach().to(weights[name], copy=True)
    early = [
        (place, replace(m, items=m.items[: p.switch], targets=m.targets[: p.switch], loss=p.first))
        for place, m in enumerate(members)
        if isinstance(p := m.loss, PiecewiseSpec)
    ]
    stages = [_Stage(network, [m for _, m in early], recipe, side)] if early else []
    stages.append(
        _Stage(
            network,
            [
                replace(m, loss=m.loss.then) if isinstance(m.loss, PiecewiseSpec) else m
                for m in members
            ],
            recipe,
            side,
        )
    )
    total = sum(stage.steps for stage in stages)

    def tick(done: int) -> None:
        if on_step is not None:
            on_step(done, total)

    if early:
        places = torch.tensor([place for place, _ in early], device=network.device)
        begun = stages[0].run({name: w[places] for name, w in weights.items()}, tick, None)
        for name, weight in weights.items():
            weight[places] = begun.weights[name]
    done = total - stages[-1].steps
    return stages[-1].run(weights, lambda step: tick(done + step), on_epoch)


@dataclass(frozen=True, eq=False)
class _Group:
    """Neighbouring members with the same loss."""

    members: slice
    function: LossFunction
    arguments: dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class _Part:
    """Neighbouring members with the same number of steps."""

    members: slice
    steps: int
    adam: AdamW


class _Stage:
    """One training from given weights: plain losses only."""

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        recipe: Recipe,
        side: SideLoss | None,
    ) -> None:
        self.network, self.recipe, self.side = network, recipe, side
        # Members that stop together share a slice of the optimizer, and among them those of
        # one loss share a slice of the scores.
        self.order = sorted(
            range(len(members)),
            key=lambda place: (recipe.steps(len(members[place].items)), str(members[place].loss)),
        )
        self.members = [members[place] for place in self.order]
        self.lists = np.array([recipe.lists(len(m.items)) for m in self.members])
        self.ends = np.array([recipe.steps(len(m.items)) for m in self.members])
        self.steps = int(self.ends.max())

    def run(
        self,
        start: Weights,
        on_step: Callable[[int], None],
        on_epoch: Callable[[Epoch], None] | None,
    ) -> Fleet:
        schedule = self._schedule()
        items, labels, groups = self._prepare()
        member = np.arange(len(self.members))[None, :, None]
        # Separate leaves: the gradient of a product then reaches them without a copy.
        weights = {name: w[self.order].requires_grad_() for name, w in start.items()}
        parts = self._parts(weights)
        device = self.network.device
        epoch_loss = torch.zeros(len(self.members), dtype=self.network.dtype, device=device)
        final = torch.full_like(epoch_loss, torch.nan)
        lists = torch.from_numpy(self.lists).to(device)
        for step in range(self.steps):
            place = step % _PACKED_STEPS
            if place == 0:
                chunk = schedule[step : step + _PACKED_STEPS]
                numbers = np.where(chunk >= 0, items[member, np.maximum(chunk, 0)], -1)
                batches = self.network.batches(numbers)
                position = torch.from_numpy(np.maximum(chunk, 0)).to(device)
                real = torch.from_numpy(chunk >= 0).to(device)
            scores, embedded = self._forward(weights, next(batches))
            targets = labels.gather(1, position[place])
            losses = torch.cat(
                [
                    group.function(
                        scores[group.members],
                        targets[group.members],
                        where=real[place, group.members],
                        reduction="none",
                        **group.arguments,
                    )
                    for group in groups
                ]
            )
            if self.side is not None and embedded is not None:
                wanted = self._targets.gather(1, position[place])
                drawn = torch.from_numpy(numbers[place]).to(device)
                losses = losses + self.side(embedded, wanted, real[place], drawn)
            for weight in weights.values():
                weight.grad = None
            losses.sum().backward()  # type: ignore[no-untyped-call]
            self._shorten([weight.grad for weight in weights.values()])
            self._step(parts, weights, step)
            on_step(step + 1)
            epoch_loss += losses.detach()
            finished = ((step + 1) % self.lists == 0) & (step < self.ends)
            if finished.any():
                ended = torch.from_numpy(finished).to(device)
                final = torch.where(ended, epoch_loss / lists, final)
                epoch_loss = torch.where(ended, 0.0, epoch_loss)
                if on_epoch is not None:
                    number = np.minimum(step + 1, self.ends) // self.lists
                    back = np.argsort(self.order)
                    on_epoch(Epoch(number[back], finished[back], self._fleet(weights, final)))
        return self._fleet(weights, final)

    def _forward(
        self, weights: Weights, batch: object
    ) -> tuple[Float[Tensor, "members items"], Float[Tensor, "members items width"] | None]:
        """Return scores, and the embeddings behind them where a side loss needs them."""
        if self.side is None or not isinstance(self.network, GNN):
            return self.network.forward(weights, batch), None
        embedded = self.network.embed(weights, batch)
        return self.network.score(weights, embedded), embedded

    def _shorten(self, gradients: Sequence[Tensor | None]) -> None:
        """Scale each member's gradient, over all its weights, to at most the recipe's length."""
        known = [gradient for gradient in gradients if gradient is not None]
        squares = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in known]
        length = torch.linalg.vector_norm(torch.stack(squares), dim=0)
        # A zero gradient has no direction to keep; the least number avoids 0 / 0.
        tiny = torch.finfo(length.dtype).tiny
        scale = (self.recipe.clip / length.clamp_min(tiny)).clamp_max(1)
        for gradient in known:
            gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))

    def _parts(self, weights: Weights) -> list[_Part]:
        """One part for each length of training: its members share their rate."""
        parts = []
        for end in np.unique(self.ends):
            places = np.flatnonzero(self.ends == end)
            members = slice(int(places[0]), int(places[-1]) + 1)
            views = [w.detach()[members] for w in weights.values()]
            adam = AdamW(views, self.recipe.betas, self.recipe.weight_decay)
            parts.append(_Part(members, int(end), adam))
        return parts

    def _step(self, parts: Sequence[_Part], weights: Weights, step: int) -> None:
        """Update the members that are not past their last step."""
        for part in parts:
            if step < part.steps:
                gradients = [
                    None if weight.grad is None else weight.grad[part.members]
                    for weight in weights.values()
                ]
                part.adam.step(gradients, self.recipe.rate(step, part.steps))

    def _fleet(self, weights: Weights, final: Float[Tensor, "members"]) -> Fleet:
        """Put members back into the caller's order."""
        back = np.argsort(self.order)
        return Fleet(
            self.network,
            {name: weight.detach()[back] for name, weight in weights.items()},
            final.cpu().double().numpy()[back],
        )

    def _schedule(self) -> Int64[np.ndarray, "steps members longest"]:
        own = [
            self.recipe.schedule(
                len(m.items), numpy_generator(m.seed, stream="order", n=len(m.items))
            )
            for m in self.members
        ]
        width = max(each.shape[1] for each in own)
        result = np.full((self.steps, len(own), width), -1, np.int64)
        for member, each in enumerate(own):
            result[: len(each), member, : each.shape[1]] = each
        return result

    def _prepare(
        self,
    ) -> tuple[Int64[np.ndarray, "members items"], Float[Tensor, "members items"], list[_Group]]:
        longest = max(len(m.items) for m in self.members)
        items = np.zeros((len(self.members), longest), np.int64)
        targets = torch.zeros(len(self.members), longest, dtype=torch.float64)
        real = torch.zeros(len(self.members), longest, dtype=torch.bool)
        for row, m in enumerate(self.members):
            items[row, : len(m.items)] = m.items
            targets[row, : len(m.items)] = torch.from_numpy(np.ascontiguousarray(m.targets))
            real[row, : len(m.items)] = True
        labels = torch.zeros(targets.shape, dtype=self.network.dtype, device=self.network.device)
        self._targets = targets.to(labels)
        groups, start = [], 0
        for loss, same in groupby(self.members, key=lambda m: m.loss):
            if isinstance(loss, PiecewiseSpec):
                raise TypeError("a stage trains with plain losses")
            members = slice(start, start := start + len(list(same)))
            # In double precision: labels of 93.1 and 93.2 percent differ late in the digits.
            prepared = prepare(loss, targets[members], real[members])
            labels[members] = prepared.labels.to(labels)
            arguments = {key: value.to(labels) for key, value in prepared.arguments.items()}
            groups.append(_Group(members, resolve(loss), arguments))
        return items, labels, groups
