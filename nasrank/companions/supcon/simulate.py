"""Gradient descent on the loss, beside what theory says it ends at."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nasrank.companions.supcon.closed_form import Batch, alpha_star, optimum
from nasrank.companions.supcon.loss import contrastive_loss, pair_up
from nasrank.companions.supcon.simulate_claims import LEAST_TEMPERATURE, MOST_POINTS, NEAR
from nasrank.seeds import torch_generator
from nasrank.study.finished import Identity
from nasrank.study.study import OnWork

__all__ = ["Problem", "solve_problems"]

_RATE = {"free": 0.3, "net": 0.03}
_HELD = 0.5
"""Share of the steps with the full rate, which then falls to a thousandth along a cosine."""
_SMALL_DRIFT, _SMALL_GRADIENT = 1e-3, 3e-4
Row = dict[str, Any]


@dataclass(frozen=True)
class Problem(Identity):
    """A problem and its random start: everything that its result depends on.

    Fields are columns of ``simulate``, where ``model`` (free or net) is the data and ``anchor``
    the method.
    """

    model: str
    classes: int
    instances: int
    views: int
    temperature: float
    alpha: float
    anchor: str
    steps: int
    seed: int

    @property
    def count(self) -> int:
        """Embeddings."""
        return self.classes * self.instances * self.views

    @property
    def dimension(self) -> int:
        """Length of an embedding: the least in which every optimum has room."""
        points = self.classes * self.instances
        if self.anchor == "included" or self.views == 1:
            return points - 1
        return max(points - 1, self.classes - 1 + points * (self.views - 1))


def solve_problems(
    problems: Sequence[Problem],
    on_work: OnWork | None = None,
    *,
    device: torch.device | None = None,
) -> list[Row]:
    """Minimise problems of one model and number of steps, all as one batch.

    Shorter ones are padded with embeddings that nothing competes with. Adam moves all of them
    with one rate, which is held and then falls along a cosine.

    Args:
        problems: The problems, at least one.
        on_work: Told of every step.
        device: Where to compute; the CPU if None.

    Returns:
        Rows of :data:`~nasrank.companions.supcon.tables.SIMULATION`, in order. A problem has
        ``converged`` where neither its variances over the last quarter of the steps nor its loss
        at the end have a tendency to change.
    """
    device = torch.device("cpu") if device is None else device
    began = time.perf_counter()
    batch = _Batch(problems, device)
    rate, steps = _RATE[problems[0].model], problems[0].steps
    optimizer = torch.optim.Adam(batch.weights, lr=rate, betas=(0.9, 0.99))
    before = batch.measure()
    for step in range(steps):
        if step == 3 * steps // 4:
            before = batch.measure()
        optimizer.param_groups[0]["lr"] = rate * _share(step / steps)
        optimizer.zero_grad()
        batch.losses(batch.embeddings()).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if on_work is not None:
            on_work(len(problems))
    after = batch.measure()
    free = batch.embeddings().detach().requires_grad_()
    losses = batch.losses(free)
    (gradient,) = torch.autograd.grad(losses.sum(), free)
    # Along the spheres: what only lengthens an embedding changes nothing.
    along = gradient - (gradient * free).sum(dim=-1, keepdim=True) * free
    seconds = (time.perf_counter() - began) / len(problems)
    measured = {
        **dict(zip(("within_variance", "total_variance", "view_spread"), after, strict=True)),
        "loss": losses.detach(),
        "gradient_norm": along.flatten(1).norm(dim=1),
        "drift": (after - before).abs().amax(dim=0),
    }
    rows = _rows(problems, {name: each.tolist() for name, each in measured.items()}, seconds)
    return [row | {"device": device.type} for row in rows]


class _Batch:
    """Problems side by side, shorter ones padded."""

    def __init__(self, problems: Sequence[Problem], device: torch.device) -> None:
        count = max(each.count for each in problems)
        width = max(each.dimension for each in problems)
        classes = torch.full((len(problems), count), -1)
        instances = torch.full((len(problems), count), -1)
        room = torch.zeros(len(problems), 1, width)
        for place, each in enumerate(problems):
            number = torch.arange(each.count)
            classes[place, : each.count] = number // (each.instances * each.views)
            instances[place, : each.count] = number // each.views
            room[place, :, : each.dimension] = 1
        classes, instances = classes.to(device), instances.to(device)
        self._room = room.to(device)
        self._there = classes >= 0
        self._pairs = pair_up(classes, instances, anchor=problems[0].anchor, where=self._there)
        self._alpha = torch.tensor([each.alpha for each in problems], device=device)
        self._temperature = torch.tensor([each.temperature for each in problems], device=device)
        self._instance_means = _averages(instances, self._there)
        self._class_means = _averages(classes, self._there)
        self._points: Tensor | None = None
        starts = [_start(each, count, width) for each in problems]
        if problems[0].model == "free":
            self.weights = [torch.stack(starts).to(device).requires_grad_()]
        else:
            self._points = torch.stack(starts).to(device)
            drawn = [_layers(each, width) for each in problems]
            self.weights = [
                torch.stack(layer).to(device).requires_grad_()
                for layer in zip(*drawn, strict=True)
            ]

    def embeddings(self) -> Float[Tensor, "problems n d"]:
        if self._points is None:
            raw = self.weights[0]
        else:
            first, shift, second, last = self.weights
            raw = torch.baddbmm(
                last, torch.relu(torch.baddbmm(shift, self._points, first)), second
            )
        return torch.nn.functional.normalize(raw * self._room, dim=-1)

    def losses(self, embeddings: Float[Tensor, "problems n d"]) -> Float[Tensor, "problems"]:
        return contrastive_loss(
            embeddings, self._pairs, alpha=self._alpha, temperature=self._temperature
        )

    @torch.no_grad()
    def measure(self) -> Float[Tensor, "3 problems"]:
        """Variance within classes, in all, and within instances."""
        u = self.embeddings()
        there = self._there
        count = there.sum(dim=1)
        centre = (u * there[..., None]).sum(dim=1) / count[:, None]
        within, spread = (
            1 - ((mean @ u).pow(2).sum(dim=-1) * there).sum(dim=1) / count
            for mean in (self._class_means, self._instance_means)
        )
        return torch.stack([within, 1 - centre.pow(2).sum(dim=-1), spread])


def _averages(
    groups: Int[Tensor, "problems n"], there: Bool[Tensor, "problems n"]
) -> Float[Tensor, "problems n n"]:
    """What takes embeddings to the mean of their group."""
    same = (groups.unsqueeze(-1) == groups.unsqueeze(-2)) & there.unsqueeze(-1)
    return same / same.sum(dim=-1, keepdim=True).clamp(min=1)


def _start(problem: Problem, count: int, width: int) -> Float[Tensor, "{count} {width}"]:
    """Random embeddings, or random points about a corner of their class along the diagonal."""
    draw = torch_generator(
        problem.seed,
        stream="simulation",
        model=problem.model,
        classes=problem.classes,
        instances=problem.instances,
        views=problem.views,
    )
    start = torch.zeros(count, width)
    points = torch.randn(problem.count, problem.dimension, generator=draw)
    if problem.model == "net":
        number = torch.arange(problem.count) // (problem.instances * problem.views)
        points += number[:, None]
    start[: problem.count, : problem.dimension] = points
    return start


def _layers(
    problem: Problem, width: int
) -> tuple[
    Float[Tensor, "width width"],
    Float[Tensor, "1 width"],
    Float[Tensor, "width width"],
    Float[Tensor, "1 width"],
]:
    """First weights of a net whose two layers are as wide as its embeddings are long."""
    draw = torch_generator(
        problem.seed, stream="net", classes=problem.classes, instances=problem.instances
    )
    inner = problem.dimension
    weights = torch.zeros(2, width, width)
    weights[:, :inner, :inner] = torch.randn(2, inner, inner, generator=draw) * (2 / inner) ** 0.5
    return weights[0], torch.zeros(1, width), weights[1], torch.zeros(1, width)


def _share(done: float) -> float:
    if done < _HELD:
        return 1.0
    return max(0.5 * (1 + float(np.cos(np.pi * (done - _HELD) / (1 - _HELD)))), 1e-3)


def _rows(
    problems: Sequence[Problem], measured: Mapping[str, Sequence[float]], seconds: float
) -> list[Row]:
    columns = ("classes", "instances", "views", "temperature", "alpha")
    m, n, p, t, alpha = (np.array([getattr(each, name) for each in problems]) for name in columns)
    anchor = problems[0].anchor
    batch = Batch(m, n, p, t, anchor)
    wanted = optimum(batch, alpha)
    edges = alpha_star(batch)
    rows = []
    for place, each in enumerate(problems):
        numbers = {name: values[place] for name, values in measured.items()}
        finite = bool(np.isfinite(list(numbers.values())).all())
        edge = float(edges[place])
        small = numbers["drift"] < _SMALL_DRIFT and numbers["gradient_norm"] < _SMALL_GRADIENT
        rows.append(
            {
                "run_id": each.run_id,
                "data": each.model,
                "method": anchor,
                "seed": each.seed,
                **{name: getattr(each, name) for name in columns},
                "dimension": each.dimension,
                "steps": each.steps,
                "alpha_star": edge,
                "predicted_within": float(wanted.within_variance[place]),
                "predicted_spread": (1 - 1 / each.views) * (1 - float(wanted.view_cosine[place])),
                "predicted_loss": float(wanted.loss[place]),
                **(numbers if finite else dict.fromkeys(numbers)),
                "converged": finite and small,
                "counted": each.model == "free"
                and each.classes * each.instances <= MOST_POINTS
                and each.temperature >= LEAST_TEMPERATURE
                and abs(each.alpha - edge) > NEAR,
                "degenerate_batches": 0,
                "diverged": not finite,
                "fit_seconds": seconds,
            }
        )
    return rows
