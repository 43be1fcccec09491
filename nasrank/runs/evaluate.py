"""From the scores of one run to everything that is measured on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks import Task
from nasrank.benchmarks.splits import Split
from nasrank.metrics import (
    ceil_share,
    ceiling_tau,
    discovery_table,
    kendall_tau,
    rank_items,
    rank_order,
    ranking_metrics,
    replicate_tau,
    spearman_rho,
    weighted_tau,
)
from nasrank.runs.run import Run
from nasrank.runs.tables import CURVES, DISCOVERY, OWN_METRICS, PREDICTIONS, nested_in
from nasrank.seeds import numpy_generator

__all__ = ["Training", "curve_items", "evaluate", "mean_gpu_seconds", "noise_taus"]

CURVE_ITEMS = 1000


@dataclass(frozen=True)
class Training:
    """How the training of one run went.

    Attributes:
        final_loss: Mean loss of the last epoch.
        diverged: Whether a parameter is not finite.
        fit_seconds: Its share of the fleet's training time.
        predict_seconds: Its share of the fleet's scoring time.
        device: What it ran on.
        curve: Loss and tau by epoch, or None.
    """

    final_loss: float
    diverged: bool
    fit_seconds: float
    predict_seconds: float
    device: str
    curve: list[tuple[float, float]] | None = None


def evaluate(
    run: Run,
    task: Task,
    split: Split,
    scores: NDArray[np.float64],
    training: Training,
    *,
    keep_predictions: bool = False,
) -> dict[str, Any]:
    """Measure one run.

    Args:
        run: Its identity.
        task: Its task.
        split: Its data.
        scores: ``[classes]`` score of every isomorphism class of the space, higher is better.
        training: How the training went.
        keep_predictions: Also list every score.

    Returns:
        A row of :data:`~nasrank.runs.tables.FINISHED`.
    """
    predicted = scores[task.space.class_of[split.test]]
    ties = numpy_generator(run.seed, stream="ties").permutation(len(split.test))
    ranking = rank_items(
        predicted,
        split.test_labels,
        split.train_labels,
        ties,
        groups=split.groups,
        in_train=split.in_train,
    )
    sign = 1.0 if task.metric.higher_is_better else -1.0
    top = ranking_metrics(ranking)
    discovery = discovery_table(ranking)
    discovery["best_label"] = [sign * float(label or 0.0) for label in discovery["best_label"]]
    order = rank_order(predicted, ties, groups=split.groups)
    replicate, ceiling = noise_taus(task)
    return {
        "run_id": run.run_id,
        **{name: value for name, value in asdict(run).items() if name != "fingerprint"},
        "space_size": len(task),
        "n_test": len(split.test),
        "kendall_tau": _known(kendall_tau(predicted, split.test_labels)),
        "weighted_tau": _known(weighted_tau(predicted, split.test_labels)),
        "spearman_rho": _known(spearman_rho(predicted, split.test_labels)),
        **top,
        "best_possible": sign * float(top["best_possible"] or 0.0),
        "replicate_tau": replicate,
        "ceiling_tau": ceiling,
        "train_gpu_seconds": (
            None if task.cost_seconds is None else float(task.cost_seconds[split.train].sum())
        ),
        "mean_gpu_seconds": mean_gpu_seconds(task),
        "final_loss": _known(training.final_loss),
        "diverged": training.diverged,
        "fit_seconds": training.fit_seconds,
        "predict_seconds": training.predict_seconds,
        "device": training.device,
        "predicted_top": split.test[order[: max(1, ceil_share(0.01, len(order)))]].tolist(),
        **{f"{DISCOVERY.name}.{name}": values for name, values in discovery.items()},
        **_predictions(task, split, scores, sign, keep=keep_predictions),
        **_curve(training.curve),
        # Whoever is asked for metrics of others fills them in.
        **dict.fromkeys(nested_in(OWN_METRICS)),
    }


def curve_items(run: Run, split: Split) -> NDArray[np.int64]:
    """Return places within the test set on which tau is followed while training."""
    chosen = numpy_generator(run.seed, stream="curve").permutation(len(split.test))
    return np.sort(chosen[:CURVE_ITEMS])


def mean_gpu_seconds(task: Task) -> float | None:
    """Return what evaluating a labelled architecture of a task costs on average, if known."""
    if task.cost_seconds is None:
        return None
    return float(np.nanmean(task.cost_seconds[~np.isnan(task.labels)]))


@lru_cache(maxsize=64)
def noise_taus(task: Task) -> tuple[float | None, float | None]:
    """Return replicate and ceiling tau: properties of the task, the same whatever a run's seed.

    The ceiling is never below the other, since both choose alike.
    """
    values = task.oriented_values
    known = values[~np.isnan(values).all(axis=1)]
    replicate, ceiling = (
        measure(known, numpy_generator(0, stream="noise", task=task.name))
        for measure in (replicate_tau, ceiling_tau)
    )
    return replicate, ceiling


def _predictions(
    task: Task, split: Split, scores: NDArray[np.float64], sign: float, *, keep: bool
) -> Mapping[str, list[Any] | None]:
    parts = ("item", "architecture", "score", "label", "in_train")
    names = [f"{PREDICTIONS.name}.{name}" for name in parts]
    if not keep:
        return dict.fromkeys(names)
    trained = np.ones(len(split.train), bool)
    tested = np.zeros(len(split.test), bool) if split.in_train is None else split.in_train
    rest = ~tested
    item = np.concatenate([split.train, split.test[rest]])
    score = scores[task.space.class_of[item]]
    columns = (
        item.tolist(),
        [task.space.architectures[place] for place in item],
        [_known(value) for value in score],
        (sign * np.concatenate([split.train_labels, split.test_labels[rest]])).tolist(),
        np.concatenate([trained, tested[rest]]).tolist(),
    )
    return dict(zip(names, columns, strict=True))


def _curve(curve: list[tuple[float, float]] | None) -> Mapping[str, list[Any] | None]:
    names = [f"{CURVES.name}.{name}" for name in ("epoch", "loss", "kendall_tau")]
    if curve is None:
        return dict.fromkeys(names)
    columns = (
        list(range(1, len(curve) + 1)),
        [_known(loss) for loss, _ in curve],
        [_known(tau) for _, tau in curve],
    )
    return dict(zip(names, columns, strict=True))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
