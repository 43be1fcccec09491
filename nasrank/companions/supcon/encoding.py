"""One encoder: trained with coarse labels, judged by finer ones."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from numpy.typing import NDArray
from torch import Tensor, nn

from nasrank.companions.supcon.augmentations import random_views, turned
from nasrank.companions.supcon.closed_form import Batch, alpha_star, optimum
from nasrank.companions.supcon.coarse import Grouped
from nasrank.companions.supcon.loss import contrastive_loss, pair_up
from nasrank.companions.supcon.tables import TRAINING
from nasrank.encoders import make_encoder
from nasrank.metrics.embeddings import (
    LinearProbe,
    effective_rank,
    knn_accuracy,
    nearest_mean_accuracy,
    sphere_variance,
)
from nasrank.predictors.recipe import one_cycle
from nasrank.seeds import numpy_generator, seeded_torch, torch_generator
from nasrank.study.finished import Identity

__all__ = ["PROJECTION", "Encoding", "train_encoder"]

_RATE, _DECAY = 2e-3, 1e-4
PROJECTION = 128
"""Length of what the loss is taken on."""
_TURN, _NOISE = 20.0, 0.5
_AT_ONCE = 2_000
_MEASURES = tuple(column.name for column in TRAINING.columns if column.null is not None)
Row = dict[str, Any]
Numbers: TypeAlias = Int64[NDArray[np.int64], "n"]


@dataclass(frozen=True)
class Encoding(Identity):
    """An encoder to train: everything that its numbers depend on.

    Most fields are columns of ``train``.

    Attributes:
        fingerprint: Digest of the data's values.
        coarse_of: Coarse class of each fine class.
        features: Length of the encoder's features; 0 for its own default.
        seed: Seed of the run. First weights, batches, views and wrong labels depend on it and
            not on alpha or temperature.
    """

    data: str
    fingerprint: str
    coarse_of: tuple[int, ...]
    encoder: str
    features: int
    initial_scale: float
    instances: int
    views: int
    temperature: float
    alpha: float
    anchor: str
    augmentation: float
    imbalance: float
    label_noise: float
    steps: int
    seed: int

    @property
    def classes(self) -> int:
        """Coarse classes."""
        return max(self.coarse_of) + 1


def train_encoder(run: Encoding, data: Grouped, device: torch.device) -> Row:
    """Train an encoder and a projector with the contrastive loss, and measure both.

    A batch has the same number of instances of every coarse class. Where classes are imbalanced
    it is drawn from all samples alike, and then a class may have no pair in it. AdamW runs with
    a rate that rises over the first tenth of the steps and falls along a cosine.

    Returns:
        A row of :data:`~nasrank.companions.supcon.tables.TRAINING`. Should the loss stop being
        finite, training ends and every measure is None.
    """
    began = time.perf_counter()
    chosen, coarse = _training_set(run, data)
    values = torch.from_numpy(data.samples.train.values[chosen]).to(device)
    with seeded_torch(run.seed, stream="projector"):
        body = make_encoder(
            run.encoder, data.samples.shape, features=run.features or None, seed=run.seed
        )
        head = nn.Sequential(
            nn.Linear(body.features, body.features),
            nn.ReLU(),
            nn.Linear(body.features, PROJECTION),
        )
    with torch.no_grad():
        for weight in body.parameters():
            if weight.ndim > 1:
                weight.mul_(run.initial_scale)
    model = nn.Sequential(body, head).to(device)
    curve, degenerate = _descend(run, model, values, coarse)
    seconds = time.perf_counter() - began
    finite = bool(np.isfinite(curve).all()) and len(curve) == run.steps
    batch = Batch(run.classes, run.instances, run.views, run.temperature, run.anchor)
    ideal = optimum(batch, run.alpha)
    shown = {c.name: getattr(run, c.name) for c in TRAINING.columns if hasattr(run, c.name)}
    measured: Row = dict.fromkeys(_MEASURES)
    if finite:
        measured |= _measure(run, data, model, chosen, device)
        measured["final_loss"] = float(np.mean(curve[-max(run.steps // 10, 1) :]))
        finite = all(value is None or math.isfinite(value) for value in measured.values())
    return {
        **shown,
        "method": f"{run.encoder}, {run.anchor}",
        "features": body.features,
        "train_size": len(chosen),
        "alpha_star": float(alpha_star(batch)),
        "predicted_within": float(ideal.within_variance),
        "loss_floor": float(ideal.loss),
        **(measured if finite else dict.fromkeys(_MEASURES)),
        "degenerate_batches": degenerate,
        "diverged": not finite,
        "fit_seconds": seconds,
        "device": device.type,
    }


def _training_set(run: Encoding, data: Grouped) -> tuple[Numbers, Numbers]:
    """Places of the training samples, and the coarse labels that training is told."""
    truth = np.array(run.coarse_of)[data.samples.train.classes]
    places = np.arange(len(truth))
    if run.imbalance > 1:
        sizes = np.bincount(truth, minlength=run.classes)
        rank = np.arange(run.classes) / (run.classes - 1)
        wanted = np.maximum(sizes.min() * run.imbalance**-rank, 2).astype(np.int64)
        order = numpy_generator(run.seed, stream="imbalance").permutation(len(truth))
        places = np.sort(
            np.concatenate([order[truth[order] == c][: wanted[c]] for c in range(run.classes)])
        )
    told = truth[places]
    draw = numpy_generator(run.seed, stream="label-noise")
    order, shift = draw.permutation(len(told)), draw.integers(1, run.classes, len(told))
    wrong = order[: round(run.label_noise * len(told))]
    told[wrong] = (told[wrong] + shift[wrong]) % run.classes
    return places, told


def _descend(
    run: Encoding,
    model: nn.Module,
    values: Float[Tensor, "n *shape"],
    coarse: Int64[np.ndarray, "n"],
) -> tuple[list[float], int]:
    device = values.device
    deviation = values.std(dim=0) if len(values) > 1 else torch.zeros_like(values[0])
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_DECAY)
    draw = numpy_generator(run.seed, stream="batches")
    views = torch_generator(run.seed, stream="views")
    labels = torch.from_numpy(coarse)
    members = [np.flatnonzero(coarse == c) for c in range(run.classes)]
    curve: list[float] = []
    degenerate = 0
    model.train()
    for step in range(run.steps):
        optimizer.param_groups[0]["lr"] = _RATE * one_cycle((step + 1) / run.steps)
        picked = torch.from_numpy(_batch(run, members, len(coarse), draw)).repeat(run.views)
        pairs = pair_up(labels[picked].to(device), picked.to(device), anchor=run.anchor)
        degenerate += bool(pairs.degenerate)
        shown = random_views(
            values[picked.to(device)], views, strength=run.augmentation, deviation=deviation
        )
        embedded = nn.functional.normalize(model(shown), dim=-1)
        loss = contrastive_loss(embedded, pairs, alpha=run.alpha, temperature=run.temperature)
        curve.append(loss.item())
        if not math.isfinite(curve[-1]):
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval()
    return curve, degenerate


def _batch(
    run: Encoding, members: list[NDArray[np.intp]], count: int, draw: np.random.Generator
) -> NDArray[np.intp]:
    if run.imbalance > 1:
        return draw.permutation(count)[: run.classes * run.instances]
    # Small classes are drawn from again; a sample that comes twice has more views.
    return np.concatenate(
        [
            draw.choice(own, run.instances, replace=len(own) < run.instances)
            for own in members
            if len(own)
        ]
    )


@torch.no_grad()
def _embed(
    model: nn.Module, values: Float[Tensor, "n *shape"]
) -> tuple[Float64[np.ndarray, "n features"], Float64[np.ndarray, "n projections"]]:
    """Features and projections."""
    body, head = model.children()
    features = torch.cat([body(part) for part in torch.split(values, _AT_ONCE)])
    return features.double().cpu().numpy(), head(features).double().cpu().numpy()


def _measure(
    run: Encoding, data: Grouped, model: nn.Module, chosen: Numbers, device: torch.device
) -> Row:
    train, test = data.samples.train, data.samples.test
    above = np.array(run.coarse_of)
    coarse, coarse_test = above[train.classes], above[test.classes]
    values, asked = (torch.from_numpy(part.values).to(device) for part in (train, test))
    features, projected = _embed(model, values)
    features_test, projected_test = _embed(model, asked)
    own, own_coarse = projected[chosen], coarse[chosen]
    spread = sphere_variance(own, own_coarse, run.classes)
    in_encoder = sphere_variance(features[chosen], own_coarse, run.classes)
    in_test = sphere_variance(projected_test, coarse_test, run.classes)
    sizes = np.bincount(own_coarse, minlength=run.classes)
    probe = LinearProbe.fit(features, train.classes)
    deviation = values.std(dim=0) if values.ndim == 2 else values.std()
    noise = torch.randn(asked.shape, generator=torch_generator(run.seed, stream="test-noise"))
    noisy = _embed(model, asked + _NOISE * deviation * noise.to(device))[0]
    rotated = None
    if values.ndim == 4:
        rotated = probe.accuracy(_embed(model, turned(asked, _TURN))[0], test.classes)
    return {
        "projector_within": spread.within,
        "projector_total": spread.total,
        "projector_within_test": in_test.within,
        "projector_view_spread": _view_spread(run, model, values[chosen[:_AT_ONCE]]),
        "encoder_within": in_encoder.within,
        "encoder_total": in_encoder.total,
        "smallest_class_within": float(spread.class_within[sizes.argmin()]),
        "largest_class_within": float(spread.class_within[sizes.argmax()]),
        "projector_rank": effective_rank(own),
        "encoder_rank": effective_rank(features[chosen]),
        "coarse_train_accuracy": nearest_mean_accuracy(spread.class_means, own, own_coarse),
        "coarse_test_accuracy": nearest_mean_accuracy(
            spread.class_means, projected_test, coarse_test
        ),
        "fine_knn_accuracy": knn_accuracy(features, train.classes, features_test, test.classes),
        "fine_probe_accuracy": probe.accuracy(features_test, test.classes),
        "fine_probe_projector": LinearProbe.fit(projected, train.classes).accuracy(
            projected_test, test.classes
        ),
        "fine_probe_rotated": rotated,
        "fine_probe_noisy": probe.accuracy(noisy, test.classes),
    }


def _view_spread(run: Encoding, model: nn.Module, values: Float[Tensor, "n *shape"]) -> float:
    """Variance of the views of an instance, as training makes them."""
    draw = torch_generator(run.seed, stream="spread")
    deviation = values.std(dim=0) if len(values) > 1 else torch.zeros_like(values[0])
    views = (
        random_views(values, draw, strength=run.augmentation, deviation=deviation)
        for _ in range(run.views)
    )
    seen = [_embed(model, each)[1] for each in views]
    number = np.tile(np.arange(len(values)), run.views)
    return sphere_variance(np.concatenate(seen), number).within
