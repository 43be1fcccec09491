"""From runs to rows: train the models of a fleet and measure each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float64, Int64

from nasrank.companions.precision_recall.cells import (
    DRAWS,
    CellData,
    load_cells,
    predictor_scores,
    shortlist,
)
from nasrank.companions.precision_recall.checkpoints import load_checkpoint, save_checkpoint
from nasrank.companions.precision_recall.material import Material
from nasrank.companions.precision_recall.measures import (
    CURVE_LAMBDAS,
    neighbour_frontier,
    neighbour_precision_recall,
)
from nasrank.companions.precision_recall.networks import Network, Weights
from nasrank.companions.precision_recall.recipes import (
    networks_for,
    recipe_for,
    trained_before,
)
from nasrank.companions.precision_recall.ring import Ring, histogram_pair
from nasrank.companions.precision_recall.run import PRRun
from nasrank.companions.precision_recall.tables import KEPT
from nasrank.companions.precision_recall.training import Member, Trained, fit
from nasrank.runs.evaluate import Training, evaluate
from nasrank.runs.run import Run
from nasrank.study.options import ARCHS
from nasrank.study.study import OnWork

__all__ = ["Runner", "as_run"]

Row = dict[str, Any]
FloatArray = npt.NDArray[np.floating]

_TRUTH_DRAWS = 50_000
_KEPT_POINTS, _KEPT_IMAGES = 300, 10
_CELL_MEASURE = f"true top 5 % among distinct new classes of {DRAWS:,} draws"


class Runner:
    """Computes fleets: rows of `KEPT` in the order of their runs.

    Args:
        material: The data, or None of architectures.
        device: Where to compute.
        checkpoint: What ``pr`` starts from.
        models: Folder to keep trained models in, or None to keep none.
    """

    def __init__(
        self,
        material: Material | None,
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
        first = fleet[0]
        if first.method == "data":
            return [self._ceiling(run) for run in fleet]
        if first.data.startswith(ARCHS):
            return self._architectures(fleet, on_work)
        material = self._held
        networks = networks_for(first, material.shape)
        data = torch.as_tensor(material.train, device=self._device)
        trained = self._train(fleet, networks, data, material.shape, on_work)
        return [
            self._row(run, trained, place, partial(self._measured, run, trained, place))
            for place, run in enumerate(fleet)
        ]

    @property
    def _held(self) -> Material:
        if self._material is None:
            raise ValueError("runs on samples need their material")
        return self._material

    def _train(
        self,
        fleet: Sequence[PRRun],
        networks: tuple[Network, Network],
        data: torch.Tensor,
        shape: tuple[int, ...],
        on_work: OnWork,
    ) -> Trained:
        first = fleet[0]
        recipe = recipe_for(first, shape)
        members = [
            Member("pr" if run.method in {"tuned", "oracle"} else run.method, run.lam or 1.0,
                   run.seed, run.auxiliary or "chi2")
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
        material = self._held
        row = {
            **_blank(run, self._name),
            **_against(material, material.ceiling, run),
            "sample": _sample(material, material.restore(material.train[:_KEPT_POINTS])),
        }
        if material.ring is not None:
            # What a perfect model would read on the grid, whose cells see noise as a difference.
            _add_truth(row, material.ring, material.ring.draw(_TRUTH_DRAWS, "ceiling"), None)
        return row

    def _row(self, run: PRRun, trained: Trained, place: int, measure: Callable[[], Row]) -> Row:
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
        return row if diverged else {**row, **measure()}

    def _measured(self, run: PRRun, trained: Trained, place: int) -> Row:
        material = self._held
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

    def _architectures(self, fleet: Sequence[PRRun], on_work: OnWork) -> list[Row]:
        first = fleet[0]
        task = first.data.removeprefix(ARCHS)
        cells = load_cells(task, first.n_labels or 0, first.seed)
        if first.method == "predictor":
            return [self._by_predictor(run, load_cells(task, run.n_labels or 0, run.seed))
                    for run in fleet]  # fmt: skip
        data = torch.as_tensor(cells.train, device=self._device)
        shape = (cells.train.shape[1],)
        trained = self._train(fleet, networks_for(first, shape), data, shape, on_work)
        return [
            self._row(run, trained, place, partial(self._drawn, run, cells, trained, place))
            for place, run in enumerate(fleet)
        ]

    def _drawn(self, run: PRRun, cells: CellData, trained: Trained, place: int) -> Row:
        drawn = trained.draw(place, DRAWS, run.seed).cpu().numpy()
        if not np.isfinite(drawn).all():
            return {"diverged": True}
        classes = cells.classes_of(drawn)
        listed = shortlist(cells, classes)
        row: Row = {
            "measure": _CELL_MEASURE,
            "precision": listed.precision,
            "recall": listed.recall,
            "collapsed": len(np.unique(classes)) == 1,
            "draws": DRAWS,
            "distinct_new": listed.size,
            "sample": classes.astype(float).tolist(),
        }
        if not run.n_labels:
            return row
        scores, _ = predictor_scores(
            run.data.removeprefix(ARCHS), run.n_labels, run.seed, run.predictor or "gp"
        )
        equal = shortlist(cells, _highest_new(cells, scores, listed.size))
        often = np.bincount(classes, minlength=cells.task.space.classes).astype(np.float64)
        return {
            **row,
            "predictor_precision": equal.precision,
            "predictor_recall": equal.recall,
            "finished": _finished(run, cells, often, trained.seconds, self._name),
        }

    def _by_predictor(self, run: PRRun, cells: CellData) -> Row:
        task, predictor = run.data.removeprefix(ARCHS), run.predictor or "gp"
        scores, seconds = predictor_scores(task, run.n_labels or 0, run.seed, predictor)
        # As many as there are in the true top: precision and recall are then the same.
        size = int((cells.top & ~cells.known).sum())
        listed = shortlist(cells, _highest_new(cells, scores, size))
        return {
            **_blank(run, self._name),
            "measure": f"true top 5 % among the {predictor}'s highest, as many as there are",
            "precision": listed.precision,
            "recall": listed.recall,
            "distinct_new": listed.size,
            "fit_seconds": seconds,
            "finished": _finished(run, cells, scores, seconds, self._name),
        }


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


def _highest_new(
    cells: CellData, scores: Float64[np.ndarray, "classes"], size: int
) -> Int64[np.ndarray, "chosen"]:
    """Classes of the highest scores among those tested without a label."""
    tested = cells.task.space.class_of[cells.split.test]
    order = np.argsort(-scores[tested], kind="stable")
    chosen: npt.NDArray[np.int64] = tested[order[:size]]
    return chosen


def _finished(
    run: PRRun,
    cells: CellData,
    scores: Float64[np.ndarray, "classes"],
    seconds: float,
    device: str,
) -> str:
    """Measure scores of classes as `compare` does: how often it was drawn, or a predictor's."""
    training = Training(float("nan"), False, seconds, 0.0, device)
    return json.dumps(evaluate(as_run(run), cells.task, cells.split, scores, training))


def as_run(run: PRRun) -> Run:
    """Return what `compare` would call a run on architectures."""
    drawn = run.method != "predictor"
    loss = f"{run.method}(lambda={run.lam:g})" if run.lam is not None else run.method
    return Run(
        run.data.removeprefix(ARCHS),
        run.fingerprint,
        f"generator-{run.model}" if drawn else str(run.predictor),
        loss if drawn else "listmle",
        run.n_labels or 0,
        run.seed,
        "class",
        "mean",
        "rest",
        "random",
    )


def _known(value: Float[torch.Tensor, ""]) -> float | None:
    return float(value) if bool(torch.isfinite(value)) else None
