"""From runs to rows: train the models of a fleet and measure each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float

from nasrank.companions.precision_recall.checkpoints import load_checkpoint, save_checkpoint
from nasrank.companions.precision_recall.material import Material
from nasrank.companions.precision_recall.measures import (
    CURVE_LAMBDAS,
    neighbour_frontier,
    neighbour_precision_recall,
)
from nasrank.companions.precision_recall.networks import Weights
from nasrank.companions.precision_recall.recipes import (
    networks_for,
    recipe_for,
    trained_before,
)
from nasrank.companions.precision_recall.ring import Ring, histogram_pair
from nasrank.companions.precision_recall.run import PRRun
from nasrank.companions.precision_recall.tables import KEPT
from nasrank.companions.precision_recall.training import Member, Trained, fit
from nasrank.study.study import OnWork

__all__ = ["Runner"]

Row = dict[str, Any]
FloatArray = npt.NDArray[np.floating]

_TRUTH_DRAWS = 50_000
_KEPT_POINTS, _KEPT_IMAGES = 300, 10


class Runner:
    """Computes fleets: rows of `KEPT` in the order of their runs.

    Args:
        material: The data.
        device: Where to compute.
        checkpoint: What ``pr`` starts from.
        models: Folder to keep trained models in, or None to keep none.
    """

    def __init__(
        self,
        material: Material,
        device: torch.device,
        *,
        checkpoint: Path | None = None,
        models: Path | None = None,
    ) -> None:
        self._material, self._device = material, device
        self._checkpoint, self._models = checkpoint, models
        self._name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type

    def __call__(self, fleet: Sequence[PRRun], on_work: OnWork) -> list[Row]:
        """Train and measure the runs of one fleet."""
        if fleet[0].method == "data":
            return [self._ceiling(run) for run in fleet]
        trained = self._train(fleet, on_work)
        return [self._row(run, trained, place) for place, run in enumerate(fleet)]

    def _train(self, fleet: Sequence[PRRun], on_work: OnWork) -> Trained:
        first, shape = fleet[0], self._material.shape
        networks, recipe = networks_for(first, shape), recipe_for(first, shape)
        data = torch.as_tensor(self._material.train, device=self._device)
        members = [
            Member("pr" if run.method == "tuned" else run.method, run.lam or 1.0, run.seed,
                   run.auxiliary or "chi2")
            for run in fleet
        ]  # fmt: skip
        start: tuple[Weights, Weights] | None = None
        before = trained_before(first)
        if before is not None:
            seeds = sorted({run.seed for run in fleet})
            earlier = [Member(before.method, 1.0, seed) for seed in seeds]
            base = fit(earlier, *networks, data, recipe_for(before, shape))
            chosen = torch.tensor([seeds.index(run.seed) for run in fleet])
            start = (
                {name: each[chosen] for name, each in base.weights.items()},
                {name: each[chosen] for name, each in base.critic_weights.items()},
            )
        elif self._checkpoint is not None and first.start is not None:
            start = load_checkpoint(self._checkpoint, networks, len(fleet))
        trained = fit(members, *networks, data, recipe, start=start, on_step=on_work)
        if self._models is not None:
            for place, run in enumerate(fleet):
                about: dict[str, str | int] = {
                    "data": run.data,
                    "model": run.model,
                    "width": run.width,
                }
                save_checkpoint(self._models / f"{run.run_id}.npz", trained, place, about)
        return trained

    def _ceiling(self, run: PRRun) -> Row:
        material = self._material
        row = {
            **_blank(run, self._name),
            **_against(material, material.ceiling, run),
            "sample": _sample(material, material.restore(material.train[:_KEPT_POINTS])),
        }
        if material.ring is not None:
            # What a perfect model would read on the grid, whose cells see noise as a difference.
            _add_truth(row, material.ring, material.ring.draw(_TRUTH_DRAWS, "ceiling"), None)
        return row

    def _row(self, run: PRRun, trained: Trained, place: int) -> Row:
        diverged = bool(trained.diverged[place])
        row = {
            **_blank(run, self._name),
            "gradient_norm": _known(trained.gradient_norm[place]),
            "saturation": _known(trained.saturation[place]),
            "accuracy": _known(trained.accuracy[place]),
            "degenerate_batches": int(trained.degenerate[place]),
            "diverged": diverged,
            "fit_seconds": trained.seconds,
        }
        return row if diverged else {**row, **self._measured(run, trained, place)}

    def _measured(self, run: PRRun, trained: Trained, place: int) -> Row:
        material = self._material
        ring = material.ring
        count = len(material.real) if ring is None else _TRUTH_DRAWS
        scaled = trained.draw(place, count, run.seed).cpu().numpy()
        if not np.isfinite(scaled).all():
            return {"diverged": True}
        draws = material.restore(scaled).astype(np.float32)
        row = {
            "collapsed": bool(scaled.std(axis=0).max() < 1e-3),
            **_against(material, material.measured(draws[: len(material.real)]), run),
            "sample": _sample(material, draws),
        }
        if ring is not None:
            _add_truth(row, ring, draws, run.lam)
        return row


def _against(material: Material, fake: Float[FloatArray, "n d"], run: PRRun) -> Row:
    """Measure draws against the test samples."""
    real = material.real
    precision, recall = neighbour_precision_recall(real, fake, run.neighbours)
    # There may be fewer training samples than test samples, and the classifier wants even kinds.
    count = min(len(real), len(fake))
    row = {
        "measure": material.measure.format(run.neighbours),
        "precision": precision,
        "recall": recall,
    }
    _add_frontier(
        row, "classifier", run.lam, partial(neighbour_frontier, real[:count], fake[:count])
    )
    return row


def _sample(material: Material, draws: Float[FloatArray, "n d"]) -> list[float]:
    kept = _KEPT_IMAGES if material.is_images else _KEPT_POINTS
    # Four digits are enough for pictures.
    sample: list[float] = draws[:kept].round(4).ravel().astype(float).tolist()
    return sample


def _add_truth(row: Row, ring: Ring, draws: Float[FloatArray, "n d"], lam: float | None) -> None:
    """Measure draws against the ring's density."""
    _add_frontier(row, "grid", lam, histogram_pair(ring, draws).alpha)
    own = ring.recalls(draws)
    row |= {
        "modes_found": int((np.nan_to_num(own) >= 0.2).sum()),
        "rare_recall": float(own[ring.rare].mean()) if ring.rare.any() else None,
    }


def _add_frontier(
    row: Row,
    kind: str,
    lam: float | None,
    alpha: Callable[[Sequence[float]], Float[FloatArray, "lambdas"]],
) -> None:
    """Add a frontier, and some of its points as columns of their own."""
    count = len(CURVE_LAMBDAS)
    own = [] if lam is None else [lam]
    found = [float(each) for each in alpha([*CURVE_LAMBDAS, 10.0, 0.1, 1.0, *own])]
    for name, values in (
        ("kind", [kind] * count), ("lambda", CURVE_LAMBDAS), ("alpha", found[:count]),
    ):  # fmt: skip
        row[f"pr_frontiers.{name}"] = [*row.get(f"pr_frontiers.{name}", ()), *values]
    start = "true" if kind == "grid" else kind
    row[f"{start}_alpha_10"] = found[count]
    row[f"{start}_beta_0.1"] = found[count + 1] / 0.1
    row[f"{start}_alpha_1"] = found[count + 2]
    if lam is not None:
        row["objective"] = found[-1] / min(1.0, lam)


def _blank(run: PRRun, device: str) -> Row:
    """A row of a run of which nothing has been measured."""
    row: Row = {
        column.name: [] if column.type.startswith("list") else None for column in KEPT.columns
    }
    known = asdict(run)
    row |= {name: known[name] for name in row.keys() & known.keys()}
    return {
        **row,
        "run_id": run.run_id,
        "lambda": run.lam,
        "measure": "",
        "degenerate_batches": 0,
        "collapsed": False,
        "diverged": False,
        "fit_seconds": 0.0,
        "device": device,
    }


def _known(value: Float[torch.Tensor, ""]) -> float | None:
    return float(value) if bool(torch.isfinite(value)) else None
