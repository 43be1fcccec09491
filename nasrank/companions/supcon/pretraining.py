"""Contrastive pre-training of the graph encoder with tiers of accuracy."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from nasrank.benchmarks import Space, load_task
from nasrank.benchmarks.neighbours import neighbourhood_of
from nasrank.companions.supcon.closed_form import Batch, alpha_star, optimum
from nasrank.companions.supcon.loss import contrastive_loss, pair_up
from nasrank.companions.tiers import tiers_of
from nasrank.metrics.embeddings import effective_rank, sphere_variance
from nasrank.predictors.gnn import GNN, WIDTH
from nasrank.predictors.network import Weights
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import one_cycle
from nasrank.runs.beside import Beside, BesideRun
from nasrank.seeds import numpy_generator, torch_generator
from nasrank.study.finished import Identity

__all__ = ["Contrast", "ContrastRun", "Pretrained", "contrast_cells", "pretrain"]

_RATE, _DECAY = 3e-3, 1e-2
_KEPT = ("operation", "attribute", "message", "shift", "gate")
"""Beginnings of the names of the weights that embed a graph; its scoring starts afresh."""


@dataclass(frozen=True)
class Contrast:
    """How to pre-train.

    Attributes:
        tiers: Tiers of accuracy, the classes.
        instances: Cells of a tier in a batch.
        views: Views of a cell: the cell itself and small edits.
        temperature: Temperature.
        alpha: Share of the self-supervised loss.
        anchor: Convention of the loss.
        steps: Steps of AdamW.
    """

    tiers: int
    instances: int
    views: int
    temperature: float
    alpha: float
    anchor: str
    steps: int

    @property
    def batch(self) -> Batch:
        """Its batches."""
        return Batch(self.tiers, self.instances, self.views, self.temperature, self.anchor)

    @property
    def method(self) -> str:
        """Its name in tables."""
        return (
            f"supcon(alpha={self.alpha:g},anchor={self.anchor},instances={self.instances},"
            f"temperature={self.temperature:g},tiers={self.tiers})"
        )


@dataclass(frozen=True)
class _Hashed(Identity):
    """What the numbers of a predictor depend on."""

    task: str
    fingerprint: str
    n_train: int
    loss: str
    seed: int
    contrast: Contrast | None


class ContrastRun(BesideRun):
    """A predictor to pre-train, or not, and to train on."""

    @property
    def contrast(self) -> Contrast | None:
        """How it is pre-trained; None for not at all."""
        return None if self.settings["alpha"] is None else Contrast(**self.settings)

    @cached_property
    def run_id(self) -> str:
        """Its identity, which names the settings one by one."""
        names = ("task", "fingerprint", "n_train", "loss", "seed")
        return _Hashed(**{name: self.run[name] for name in names}, contrast=self.contrast).run_id


@dataclass(frozen=True)
class Pretrained:
    """Pre-trained members.

    Attributes:
        weights: Weights that embed graphs, by name.
        within: Within-tier variance of the projected training cells.
        total: Total variance of them.
        rank: Effective rank of the embeddings of the training cells.
        loss: Mean loss of the last tenth of the steps.
        degenerate: Batches in which supervision said nothing.
    """

    weights: Weights
    within: Float64[np.ndarray, "members"]
    total: Float64[np.ndarray, "members"]
    rank: Float64[np.ndarray, "members"]
    loss: Float64[np.ndarray, "members"]
    degenerate: Int64[np.ndarray, "members"]


def pretrain(fleet: Sequence[ContrastRun], _device: str) -> Beside:
    """Pre-train the predictors of a fleet, which differ in their seed alone."""
    how = fleet[0].contrast
    if how is None:
        return Beside(
            measured=lambda _place: {**dict.fromkeys(_MEASURED), "pretrain_seconds": 0.0}
        )
    theory = {
        "alpha_star": float(alpha_star(how.batch)),
        "predicted_within": float(optimum(how.batch, how.alpha).within_variance),
    }
    seen: list[tuple[Pretrained, float]] = []

    def start(network: GNN, members: Sequence[Member]) -> Weights:
        began = time.perf_counter()
        found = contrast_cells(network, members, load_task(fleet[0].run["task"]).space, how)
        seen.append((found, (time.perf_counter() - began) / len(fleet)))
        return found.weights

    def measured(place: int) -> dict[str, Any]:
        ((found, seconds),) = seen
        numbers = (found.within[place], found.total[place], found.rank[place], found.loss[place])
        values = (float(each) if np.isfinite(each) else None for each in numbers)
        return {
            **theory,
            **dict(zip(_MEASURED[2:], values, strict=True)),
            "degenerate_batches": int(found.degenerate[place]),
            "pretrain_seconds": seconds,
        }

    return Beside(start=start, measured=measured)


_MEASURED = (
    "alpha_star", "predicted_within", "projector_within", "projector_total", "encoder_rank",
    "contrastive_loss",
)  # fmt: skip


def contrast_cells(
    network: GNN, members: Sequence[Member], space: Space, how: Contrast
) -> Pretrained:
    """Pull the training cells of a tier together and cells of different tiers apart.

    Members start from the weights that `nasrank compare` would start from. The first view of a
    cell is the cell; the others are random neighbours, which differ from it in one token of
    their text. Isomorphic rewrites have one canonical graph, so they are one view by
    construction. Projections, which the loss is about, come from a hidden layer that is thrown
    away.

    References:
        Khosla et al. (2020), "Supervised contrastive learning", NeurIPS.
    """
    tiers = [tiers_of(torch.from_numpy(m.targets), how.tiers).numpy() for m in members]
    near = _neighbours(members, space)
    draws = [numpy_generator(m.seed, stream="contrast", n=len(m.items)) for m in members]
    initial = network.initial([torch_generator(m.seed, stream="initialisation") for m in members])
    kept = {name: w for name, w in initial.items() if name.startswith(_KEPT)}
    weights = {**kept, **_head(network, members)}
    for weight in weights.values():
        weight.requires_grad_()
    # The embedding reads no other weight.
    optimizer = torch.optim.AdamW(list(weights.values()), lr=_RATE, weight_decay=_DECAY)
    number = torch.arange(how.tiers * how.instances * how.views, device=network.device)
    classes = (number // (how.instances * how.views)).expand(len(members), -1)
    curve, degenerate = [], np.zeros(len(members), np.int64)
    drawn = [
        [_draw(own, member.items, near, draw, how) for _ in range(how.steps)]
        for own, member, draw in zip(tiers, members, draws, strict=True)
    ]
    # [steps, members, embeddings] the graphs, and the cells they are views of.
    shown, owners = (
        np.array([[each[part] for each in member] for member in drawn]).swapaxes(0, 1)
        for part in (0, 1)
    )
    batches = zip(network.batches(shown), owners, strict=True)
    for step, (batch, instances) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = _RATE * one_cycle((step + 1) / how.steps)
        pairs = pair_up(classes, torch.from_numpy(instances).to(network.device), anchor=how.anchor)
        degenerate += pairs.degenerate.cpu().numpy()
        _, projected = _project(network, weights, batch)
        losses = contrastive_loss(projected, pairs, alpha=how.alpha, temperature=how.temperature)
        curve.append(losses.detach().double().cpu().numpy())
        optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    within, total, rank = _measure(network, weights, members, tiers)
    return Pretrained(
        {name: weights[name].detach() for name in kept},
        within,
        total,
        rank,
        np.mean(curve[-max(how.steps // 10, 1) :], axis=0),
        degenerate,
    )


def _neighbours(members: Sequence[Member], space: Space) -> dict[int, Int64[np.ndarray, "_"]]:
    """Graphs next to each training graph; the graph itself where it has no neighbour."""
    near = neighbourhood_of(space)
    found = {}
    for item in {int(item) for member in members for item in member.items}:
        around = np.unique(space.class_of[near.of(int(space.first_of_class[item]))])
        around = around[around != item]
        found[item] = around if len(around) else np.array([item])
    return found


def _head(network: GNN, members: Sequence[Member]) -> Weights:
    shapes = {"head_in": (WIDTH, WIDTH), "head_out": (WIDTH, WIDTH)}
    drawn: dict[str, list[Tensor]] = {name: [] for name in shapes}
    for member in members:
        draw = torch_generator(member.seed, stream="contrast", part="head")
        for name, shape in shapes.items():
            drawn[name].append(torch.randn(shape, generator=draw) * (2 / WIDTH) ** 0.5)
    return {
        name: torch.stack(each).to(network.device, network.dtype) for name, each in drawn.items()
    }


def _project(
    network: GNN, weights: Weights, batch: object
) -> tuple[Float[Tensor, "members items width"], Float[Tensor, "members items head"]]:
    read = network.embed(weights, batch)
    hidden = torch.relu(read @ weights["head_in"])
    return read, torch.nn.functional.normalize(hidden @ weights["head_out"], dim=-1)


def _draw(
    tiers: Int64[np.ndarray, "n"],
    items: Int64[np.ndarray, "n"],
    near: dict[int, Int64[np.ndarray, "_"]],
    draw: np.random.Generator,
    how: Contrast,
) -> tuple[Int64[np.ndarray, "embeddings"], Int64[np.ndarray, "embeddings"]]:
    """Graphs of a batch, and the cell each is a view of."""
    chosen = np.concatenate(
        [
            draw.choice(own, how.instances, replace=len(own) < how.instances)
            for own in (np.flatnonzero(tiers == tier) for tier in range(how.tiers))
        ]
    )
    cells = items[chosen]
    views = [cells] + [
        np.array([draw.choice(near[int(cell)]) for cell in cells]) for _ in range(how.views - 1)
    ]
    return np.stack(views, axis=1).ravel(), np.repeat(chosen, how.views)


@torch.no_grad()
def _measure(
    network: GNN,
    weights: Weights,
    members: Sequence[Member],
    tiers: Sequence[Int64[np.ndarray, "n"]],
) -> tuple[
    Float64[np.ndarray, "members"], Float64[np.ndarray, "members"], Float64[np.ndarray, "members"]
]:
    (batch,) = network.batches(np.stack([member.items for member in members])[None])
    read, projected = (each.double().cpu().numpy() for each in _project(network, weights, batch))
    found = []
    for place, own in enumerate(tiers):
        if not np.isfinite(projected[place]).all() or not np.isfinite(read[place]).all():
            found.append((np.nan, np.nan, np.nan))
            continue
        spread = sphere_variance(projected[place], own)
        found.append((spread.within, spread.total, effective_rank(read[place])))
    within, total, rank = np.array(found).T
    return within, total, rank
