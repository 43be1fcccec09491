"""Train many generators side by side: adversarially, or flows by maximum likelihood."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nasrank.companions.precision_recall.networks import CouplingFlow, Network, Weights
from nasrank.companions.precision_recall.objectives import Objective, make_objective
from nasrank.seeds import torch_generator

__all__ = ["Member", "Recipe", "Trained", "fit"]

OnStep = Callable[[int], None]


@dataclass(frozen=True)
class Recipe:
    """How models are trained.

    Attributes:
        steps: Steps of the generator.
        batch: Samples of a step, and as many draws.
        critic_steps: Steps of the critic before each of the generator.
        rate: Learning rate of Adam, for both.
        betas: Decay of Adam's moments.
        noise: Standard deviation of normal noise on all that the critic sees, at the start and
            in the units of the scaled data. It falls to 0, and keeps the ratio from being flat
            where data and draws do not touch yet.
        noise_until: Share of the steps after which there is none.
        average: Length of the moving average of the generator's weights, which is what draws, as
            a share of the steps.
        average_from: Share of the steps after which it is taken.

    References:
        Sønderby et al. (2017), "Amortised MAP Inference for Image Super-resolution", ICLR, for
        the noise.
    """

    steps: int = 1500
    batch: int = 128
    critic_steps: int = 2
    rate: float = 2e-3
    betas: tuple[float, float] = (0.5, 0.99)
    noise: float = 0.5
    noise_until: float = 0.8
    average: float = 0.13
    average_from: float = 0.25

    def noise_at(self, step: int) -> float:
        """Return the noise of a step, counted from 0."""
        return self.noise * max(0.0, 1 - step / max(1.0, self.noise_until * self.steps))


@dataclass(frozen=True)
class Member:
    """One model to train.

    Attributes:
        method: See `make_objective`; or ``mle`` for a flow by maximum likelihood.
        lam: Weight of precision; anything above 0 where the method has none.
        seed: Seed of first weights, batches and noise; they do not depend on the method.
        auxiliary: Auxiliary divergence of ``pr``.
    """

    method: str
    lam: float
    seed: int
    auxiliary: str = "chi2"


@dataclass(frozen=True, eq=False)
class Trained:
    """Models after training.

    Attributes:
        generator: What they draw with.
        weights: Averaged weights of the generators by name, ``[models, ...]``.
        critic_weights: Weights of the critics, likewise; empty by maximum likelihood.
        gradient_norm: Mean norm of the generator's gradient in the second half.
        saturation: Mean share of draws at which the ratio is at an end of its range, in the
            second half; nan by maximum likelihood.
        accuracy: Mean share of data and draws that the critic tells apart, in the
            second half; 0.5 is no better than chance; nan by maximum likelihood.
        degenerate: Steps with a loss that is not finite, or all draws the same.
        seconds: Time of the whole training, divided by the models.
    """

    generator: Network
    weights: Weights
    critic_weights: Weights
    gradient_norm: Float[Tensor, "models"]
    saturation: Float[Tensor, "models"]
    accuracy: Float[Tensor, "models"]
    degenerate: Int[Tensor, "models"]
    seconds: float

    @property
    def diverged(self) -> Bool[Tensor, "models"]:
        """Whether a weight of a model is not finite."""
        finite = [torch.isfinite(each).flatten(1).all(dim=1) for each in self.weights.values()]
        return ~torch.stack(finite).all(dim=0)

    @torch.no_grad()
    def draw(self, place: int, count: int, seed: int) -> Float[Tensor, "{count} outputs"]:
        """Draw from one model, in the units of the scaled data."""
        own = {name: each[place : place + 1] for name, each in self.weights.items()}
        device = next(iter(own.values())).device
        noise = torch_generator(seed, stream="draws")
        latent = torch.randn(1, count, self.generator.inputs, generator=noise).to(device)
        return self.generator(own, latent)[0]


def fit(
    members: Sequence[Member],
    generator: Network,
    critic: Network,
    data: Float[Tensor, "n outputs"],
    recipe: Recipe,
    *,
    start: tuple[Weights, Weights] | None = None,
    on_step: OnStep | None = None,
) -> Trained:
    """Train models at once; each is what it would be alone, up to rounding.

    A model whose numbers are not finite any more goes on so and harms no other.

    Args:
        members: At least one; all by maximum likelihood, or none.
        generator: Their generator.
        critic: Their critic; not used by maximum likelihood.
        data: Scaled samples on the device to compute on.
        recipe: How to train.
        start: First weights of generators and critics; drawn from the seeds
            if None. A critic's weights that are not in it are drawn.
        on_step: Called after every step with the number of models.
    """
    began = time.perf_counter()
    seeds = [member.seed for member in members]
    weights = _on(data, generator.initial(seeds, "generator"))
    critics = _on(data, critic.initial(seeds, "critic"))
    if start is not None:
        weights |= _on(data, start[0])
        critics |= _on(data, start[1])
    fleet = _Fleet(members, generator, critic, data, recipe, weights=weights, critics=critics)
    step = fleet.likelihood_step if members[0].method == "mle" else fleet.adversarial_step
    for number in range(recipe.steps):
        step(number)
        fleet.average(number)
        if on_step is not None:
            on_step(len(members))
    if data.is_cuda:
        torch.cuda.synchronize()
    return fleet.trained((time.perf_counter() - began) / len(members))


class _Fleet:
    """State of a training under way."""

    def __init__(
        self,
        members: Sequence[Member],
        generator: Network,
        critic: Network,
        data: Float[Tensor, "n outputs"],
        recipe: Recipe,
        *,
        weights: dict[str, Float[Tensor, "models ..."]],
        critics: dict[str, Float[Tensor, "models ..."]],
    ) -> None:
        self.generator, self.critic, self.data, self.recipe = generator, critic, data, recipe
        self.weights = {name: each.requires_grad_() for name, each in weights.items()}
        self.critics = {name: each.requires_grad_() for name, each in critics.items()}
        self.averaged = {name: each.detach().clone() for name, each in weights.items()}
        rate, betas = recipe.rate, recipe.betas
        self.optimiser = torch.optim.Adam(self.weights.values(), lr=rate, betas=betas)
        self.critic_optimiser = torch.optim.Adam(self.critics.values(), lr=rate, betas=betas)
        seeds = sorted({member.seed for member in members})
        # Members of one seed see the same numbers, drawn once; a member alone draws the same.
        self.place = torch.tensor([seeds.index(m.seed) for m in members], device=data.device)
        self.chance = [
            {name: torch_generator(seed, stream=name) for name in ("batches", "latent", "noise")}
            for seed in seeds
        ]
        self.lam = torch.tensor([member.lam for member in members], device=data.device)
        self.groups: list[tuple[Tensor, Objective]] = []
        kinds = [(member.method, member.auxiliary) for member in members]
        for kind in dict.fromkeys(kinds):
            if kind[0] != "mle":
                own = [place for place, each in enumerate(kinds) if each == kind]
                group = torch.tensor(own, device=data.device)
                self.groups.append((group, make_objective(*kind)))
        count = len(members)
        self.sums = torch.zeros(3, count, device=data.device)
        self.seen = torch.zeros(3, device=data.device)
        self.degenerate = torch.zeros(count, dtype=torch.int64, device=data.device)

    def adversarial_step(self, number: int) -> None:
        late = number >= self.recipe.steps // 2
        for _ in range(self.recipe.critic_steps):
            self.critic_step(number, late=late)
        draws = self.generator(self.weights, self.latent())
        fixed = {name: each.detach() for name, each in self.critics.items()}
        fake = self.critic(fixed, self.blurred(draws, number))[..., 0]
        loss = self.losses(lambda objective, own: objective.generator(fake[own], self.lam[own]))
        self.descend(self.optimiser, loss)
        same = draws.detach().std(dim=1).amax(dim=-1) < 1e-3
        self.degenerate += same | ~torch.isfinite(loss.detach())
        if late:
            saturated = self.losses(
                lambda objective, own: (
                    objective.saturated(fake[own], self.lam[own]).to(fake.dtype).mean(-1)
                )
            )
            self.note(0, self.gradient_norms())
            self.note(1, saturated.detach())

    def critic_step(self, number: int, *, late: bool) -> None:
        real, latent = self.batch(), self.latent()
        with torch.no_grad():
            draws = self.generator(self.weights, latent)
        both = self.blurred(torch.cat([real, draws], dim=1), number)
        values = self.critic(self.critics, both)[..., 0]
        told, made = values[:, : self.recipe.batch], values[:, self.recipe.batch :]
        self.descend(
            self.critic_optimiser,
            self.losses(
                lambda objective, own: objective.critic(told[own], made[own], self.lam[own])
            ),
        )
        if late:
            neutral = self.losses(lambda objective, own: objective.neutral(self.lam[own]))
            right = (told > neutral[:, None]).float().mean(-1)
            wrong = (made > neutral[:, None]).float().mean(-1)
            self.note(2, (right + 1 - wrong) / 2)

    def likelihood_step(self, number: int) -> None:
        assumed = self.generator
        if not isinstance(assumed, CouplingFlow):
            raise TypeError("maximum likelihood needs a flow")
        loss = -assumed.log_density(self.weights, self.blurred(self.batch(), number)).mean(-1)
        self.descend(self.optimiser, loss)
        self.degenerate += ~torch.isfinite(loss.detach())
        if number >= self.recipe.steps // 2:
            self.note(0, self.gradient_norms())

    def average(self, number: int) -> None:
        """Move the averaged weights; before the average begins they follow at once."""
        kept = 1 - 1 / max(1.0, self.recipe.average * self.recipe.steps)
        if number < self.recipe.average_from * self.recipe.steps:
            kept = 0.0
        with torch.no_grad():
            for name, each in self.averaged.items():
                each.lerp_(self.weights[name], 1 - kept)

    def trained(self, seconds: float) -> Trained:
        mean = (self.sums / self.seen[:, None]).cpu()
        return Trained(
            self.generator,
            self.averaged,
            {name: each.detach() for name, each in self.critics.items()} if self.groups else {},
            mean[0],
            mean[1],
            mean[2],
            self.degenerate.cpu(),
            seconds,
        )

    def losses(
        self, of: Callable[[Objective, Int[Tensor, "own"]], Float[Tensor, "own"]]
    ) -> Float[Tensor, "models"]:
        """Put what every group computes for its members in the members' order."""
        parts = [of(objective, own) for own, objective in self.groups]
        order = torch.cat([own for own, _ in self.groups]).argsort()
        return torch.cat(parts)[order]

    @staticmethod
    def descend(optimiser: torch.optim.Optimizer, loss: Float[Tensor, "models"]) -> None:
        optimiser.zero_grad()
        # Members share no weight, so the gradient of the sum is each one's own.
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def gradient_norms(self) -> Float[Tensor, "models"]:
        squares = [
            each.grad.flatten(1).square().sum(dim=1)
            for each in self.weights.values()
            if each.grad is not None
        ]
        return torch.stack(squares).sum(dim=0).sqrt()

    def note(self, what: int, values: Float[Tensor, "models"]) -> None:
        self.sums[what] += values
        self.seen[what] += 1

    def batch(self) -> Float[Tensor, "models items outputs"]:
        size = (self.recipe.batch,)
        rows = torch.stack(
            [
                torch.randint(len(self.data), size, generator=each["batches"])
                for each in self.chance
            ]
        )
        return self.data[rows.to(self.data.device)][self.place]

    def latent(self) -> Float[Tensor, "models items inputs"]:
        return self.normal("latent", self.recipe.batch, self.generator.inputs)

    def blurred(
        self, values: Float[Tensor, "models items outputs"], number: int
    ) -> Float[Tensor, "models items outputs"]:
        spread = self.recipe.noise_at(number)
        if spread == 0:
            return values
        return values + spread * self.normal("noise", *values.shape[1:])

    def normal(self, stream: str, *shape: int) -> Float[Tensor, "models ..."]:
        drawn = [torch.randn(*shape, generator=each[stream]) for each in self.chance]
        return torch.stack(drawn).to(self.data.device)[self.place]


def _on(data: Tensor, weights: Weights) -> dict[str, Float[Tensor, "models ..."]]:
    return {name: each.detach().clone().to(data.device) for name, each in weights.items()}
