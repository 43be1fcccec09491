"""Train the missing runs of a grid, fleet by fleet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from nasrank.benchmarks import Space, load_task
from nasrank.benchmarks.splits import Split, make_split
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors.predictor import Epoch, Fitted, Member, Predictor
from nasrank.predictors.recipe import Recipe
from nasrank.runs.evaluate import Training, curve_items, evaluate
from nasrank.runs.extras import Extras
from nasrank.runs.features import predictor_on
from nasrank.runs.grid import work
from nasrank.runs.own_metrics import own_metrics
from nasrank.runs.run import Run

__all__ = ["Trainer", "fit_and_measure", "split_of"]

_LOG = logging.getLogger("nasrank")


def split_of(run: Run) -> Split:
    """Return the data of a run."""
    return make_split(
        load_task(run.task),
        run.n_train,
        run.seed,
        split=run.split,
        labels=run.labels,
        test=run.test,
        sampling=run.sampling,
    )


def fit_and_measure(
    runs: Sequence[Run],
    fit: Callable[[Sequence[Member], Sequence[Split]], Fitted],
    device: str,
    *,
    predictions: bool = False,
    curves: Sequence[list[tuple[float, float]]] | None = None,
    metrics: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Fit the runs of a fleet together, and measure each.

    Args:
        runs: Runs on one set of architectures.
        fit: Fits members to their splits.
        device: What it runs on, as tables call it.
        predictions: Whether to keep every score.
        curves: Loss and tau by epoch of each run, which ``fit`` fills; None for none.
        metrics: Further metrics to measure.

    Returns:
        Rows of :data:`~nasrank.runs.tables.FINISHED`, in the order of the runs.
    """
    tasks = {run.task: load_task(run.task) for run in runs}
    splits = [split_of(run) for run in runs]
    space = tasks[runs[0].task].space
    members = [
        Member(space.class_of[split.train], split.targets, parse(run.loss), run.seed)
        for run, split in zip(runs, splits, strict=True)
    ]
    began = time.perf_counter()
    found = fit(members, splits)
    fitted = time.perf_counter()
    scores = found.scores()
    scored = time.perf_counter()
    diverged = found.diverged
    rows = [
        evaluate(
            run,
            tasks[run.task],
            split,
            scores[place],
            Training(
                final_loss=float(found.final_loss[place]),
                diverged=bool(diverged[place]),
                fit_seconds=(fitted - began) / len(runs),
                predict_seconds=(scored - fitted) / len(runs),
                device=device,
                curve=None if curves is None else curves[place],
            ),
            keep_predictions=predictions,
        )
        for place, (run, split) in enumerate(zip(runs, splits, strict=True))
    ]
    if metrics:
        for row, split, own in zip(rows, splits, scores, strict=True):
            predicted = own[space.class_of[split.test]]
            row.update(own_metrics(metrics, predicted, split.test_labels))
    return rows


class Trainer:
    """Trains runs on one device.

    Args:
        device: Where to compute.
        recipe: How networks are trained.
        extras: What to keep beyond the rows.
    """

    def __init__(self, device: torch.device, recipe: Recipe, extras: Extras | None = None) -> None:
        self.device, self.recipe = device, recipe
        self.extras = extras or Extras()
        self._predictors: dict[tuple[str, str], Predictor] = {}

    def train(
        self, runs: Sequence[Run], on_work: Callable[[int], None] | None = None
    ) -> list[dict[str, Any]]:
        """Train the missing runs of one fleet together.

        If the device runs out of memory, the two halves are trained one after the other.

        Args:
            runs: Runs of one predictor on one set of architectures.
            on_work: Called with the work just done; what a fleet is in all,
                :func:`~nasrank.runs.grid.work` of its runs says.

        Returns:
            Their rows, in their order.
        """
        try:
            return self._train(runs, on_work)
        except torch.OutOfMemoryError:
            if len(runs) == 1:
                raise
        _LOG.warning("a fleet of %d runs does not fit the device; it is halved", len(runs))
        torch.cuda.empty_cache()
        half = len(runs) // 2
        return [*self.train(runs[:half], on_work), *self.train(runs[half:], on_work)]

    def _train(
        self, runs: Sequence[Run], on_work: Callable[[int], None] | None
    ) -> list[dict[str, Any]]:
        curves: list[list[tuple[float, float]]] = [[] for _ in runs]

        def fit(members: Sequence[Member], splits: Sequence[Split]) -> Fitted:
            space = load_task(runs[0].task).space
            found = self._predictor(runs[0].predictor, space).fit(
                members,
                on_step=None if on_work is None else _shares(on_work, self._work(runs)),
                on_epoch=_follow(runs, splits, curves) if self.extras.curves else None,
            )
            if self.device.type == "cuda":
                # It runs ahead of the clock.
                torch.cuda.synchronize(self.device)
            return found

        return fit_and_measure(
            runs,
            fit,
            _device_name(self.device),
            predictions=self.extras.predictions,
            curves=curves if self.extras.curves else None,
            metrics=self.extras.metrics,
        )

    def _predictor(self, predictor: str, space: Space) -> Predictor:
        """Graphs are laid out once for all fleets on the same architectures."""
        key = predictor, space.name
        if key not in self._predictors:
            self._predictors[key] = predictor_on(
                space, predictor, device=self.device, recipe=self.recipe
            )
        return self._predictors[key]

    def _work(self, runs: Sequence[Run]) -> int:
        return sum(work(run, self.recipe) for run in runs)


def _shares(on_work: Callable[[int], None], whole: int) -> Callable[[int, int], None]:
    """Turn steps, of whatever size, into shares of the whole work that add up to it."""
    told = 0

    def on_step(done: int, steps: int) -> None:
        nonlocal told
        now = whole * done // steps
        on_work(now - told)
        told = now

    return on_step


def _follow(
    runs: Sequence[Run],
    splits: Sequence[Split],
    curves: list[list[tuple[float, float]]],
) -> Callable[[Epoch], None]:
    places = [curve_items(run, split) for run, split in zip(runs, splits, strict=True)]
    items = [
        load_task(run.task).space.class_of[split.test[place]]
        for run, split, place in zip(runs, splits, places, strict=True)
    ]
    everything = np.unique(np.concatenate(items))

    def follow(epoch: Epoch) -> None:
        scores = epoch.fitted.scores(everything)
        for member in np.flatnonzero(epoch.finished).tolist():
            predicted = scores[member][np.searchsorted(everything, items[member])]
            labels = splits[member].test_labels[places[member]]
            tau = kendall_tau(predicted, labels)
            curves[member].append((float(epoch.fitted.final_loss[member]), tau))

    return follow


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
