"""Controls of what `supcon` measures: variances, losses, and what can be read from embeddings."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import torch

from nasrank.companions.controls import (
    Labelled,
    embedding_controls,
    inputs_of,
    variance_controls,
)
from nasrank.companions.supcon.closed_form import Batch, optimal_embedding, optimum
from nasrank.companions.supcon.coarse import Grouped
from nasrank.companions.supcon.encoding import PROJECTION
from nasrank.companions.supcon.loss import contrastive_loss, pair_up
from nasrank.metrics.embeddings import (
    LinearProbe,
    knn_accuracy,
    nearest_mean_accuracy,
    sphere_variance,
)
from nasrank.seeds import numpy_generator, torch_generator
from nasrank.study.controls import Control, negative, unchanged

__all__ = ["simulation_controls", "training_controls"]

_TEMPERATURE = 0.5
_BATCH = Batch(3, 4, 2, _TEMPERATURE, "included")
_ALPHAS = (0.0, 0.5, 1.0)
_EXACT = 1e-4
_READERS = {
    "fine_knn_accuracy": "neighbours",
    "fine_probe_accuracy": "probe",
    "fine_probe_projector": "probe",
    "fine_probe_rotated": "probe",
    "fine_probe_noisy": "probe",
    "coarse_train_accuracy": "means",
}


def training_controls(data: Grouped, measures: Collection[str]) -> list[Control]:
    """Run the controls of `supcon train` on the inputs of its own data.

    Args:
        data: Samples with fine and coarse classes.
        measures: Columns of ``train``.
    """
    found = list(variance_controls([name for name in measures if name.endswith("_within")]))
    fine = inputs_of(data.samples)
    for name in sorted(measures):
        match _READERS.get(name):
            case "probe":
                found += embedding_controls(name, _probed, fine)
            case "neighbours":
                found += embedding_controls(name, _neighbours, fine, shifted=False)
            case "means":
                found += embedding_controls(name, _by_means, _projected(data), shifted=False)
            case _:
                pass
    for name in ("final_loss", "loss_floor"):
        if name in measures:
            found += _loss_controls(name)
    return found


def simulation_controls(measures: Collection[str]) -> list[Control]:
    """Run the controls of `supcon simulate`: optimal embeddings, one point a class, and noise."""
    found = list(variance_controls({"within_variance"} & set(measures)))
    classes = np.repeat(np.arange(3), 8)
    instances = np.arange(24) // 2
    for alpha in _ALPHAS:
        rows, ideal = optimal_embedding(_BATCH, alpha), optimum(_BATCH, alpha)
        seen = sphere_variance(rows, classes)
        spread = sphere_variance(rows, instances).within
        wanted = {
            "within_variance": (seen.within, float(ideal.within_variance)),
            "total_variance": (seen.total, 1.0),
            "view_spread": (spread, 0.5 * (1 - float(ideal.view_cosine))),
        }
        for name in sorted(wanted.keys() & measures):
            value, right = wanted[name]
            found.append(
                Control(
                    name, "positive", f"optimal embeddings, alpha {alpha:g}", value,
                    right - _EXACT, right + _EXACT,
                )
            )  # fmt: skip
    point = sphere_variance(np.ones((24, 5)), classes)
    spread_of = {"total_variance": point.total, "view_spread": point.within}
    return found + [
        negative(name, "one point", spread_of[name], best=1.0, chance=0.0)
        for name in sorted(spread_of.keys() & measures)
    ]


def _projected(data: Grouped) -> Labelled:
    """All training samples with their coarse classes, in no more dimensions than projections have.

    What is measured on the samples that it was learnt from goes by their number and dimensions.
    """
    train = data.samples.train
    values = train.values.reshape(len(train), -1).astype(np.float64)
    if values.shape[1] > PROJECTION:
        rng = numpy_generator(0, stream="controls", part="projection")
        values = values @ rng.normal(size=(values.shape[1], PROJECTION))
    classes = data.coarse_of[train.classes]
    return Labelled(values, classes, values, classes)


def _loss_controls(measure: str) -> Iterator[Control]:
    """How far above its floor the loss is: of optimal embeddings not at all, of noise by far."""
    classes = torch.arange(24) // 8
    pairs = pair_up(classes[None], torch.arange(24)[None] // 2, anchor="included")
    for alpha in _ALPHAS:
        floor = float(optimum(_BATCH, alpha).loss)

        def above(rows: torch.Tensor, alpha: float = alpha, floor: float = floor) -> float:
            unit = torch.nn.functional.normalize(rows, dim=-1)[None]
            loss = contrastive_loss(unit, pairs, alpha=alpha, temperature=_TEMPERATURE)
            return float(loss) - floor

        ideal = torch.from_numpy(optimal_embedding(_BATCH, alpha))
        noise = torch.randn(24, 11, generator=torch_generator(0, stream="controls"))
        end = f"alpha {alpha:g}, above the floor"
        yield Control(
            measure, "positive", f"optimal embeddings, {end}", above(ideal), -_EXACT, _EXACT
        )
        yield Control(measure, "negative", f"noise, {end}", above(noise.double()), least=0.1)
        yield unchanged(
            measure, f"scaled by 1e+06, {end}", above(1e6 * ideal), usual=above(ideal), span=1.0
        )


def _probed(given: Labelled) -> float:
    probe = LinearProbe.fit(given.known, given.known_classes)
    return probe.accuracy(given.asked, given.asked_classes)


def _neighbours(given: Labelled) -> float:
    return knn_accuracy(given.known, given.known_classes, given.asked, given.asked_classes)


def _by_means(given: Labelled) -> float:
    count = int(given.asked_classes.max()) + 1
    means = sphere_variance(given.asked, given.asked_classes, count).class_means
    return nearest_mean_accuracy(means, given.asked, given.asked_classes)
