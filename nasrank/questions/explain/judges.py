"""Trained methods that say what they think of graphs, in labels and with their doubt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.graphs import GraphBatch
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors.predictor import Fitted, Member
from nasrank.predictors.specification import PredictorSpec, make_predictor
from nasrank.questions.rank.calibration import Calibration, calibrate
from nasrank.questions.rank.case import Case
from nasrank.questions.rank.folds import folds_of
from nasrank.questions.rank.scorer import own_unit
from nasrank.statistics import mean_interval

__all__ = ["Judge", "jackknife", "learn_judge"]

_FOLDS, _CONFIDENCE = 8, 0.9
_PART = 2**21
"""Pairs of nodes of the graphs that are laid out at once."""


@dataclass(frozen=True, eq=False)
class Judge:
    """A method: trained on everything evaluated, and once more without each fold.

    Attributes:
        predictor: Canonical spelling of the predictor.
        loss: Canonical spelling of the loss.
        fitted: All these trainings; the first has everything.
        centre: ``[1 + folds]`` mean score of each on its own training graphs.
        scale: ``[1 + folds]`` their standard deviation.
        calibration: From scores to oriented labels.
        tau: Kendall tau of out-of-fold scores; NaN where they are all equal.
    """

    predictor: str
    loss: str
    fitted: Fitted
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    calibration: Calibration
    tau: float

    @property
    def name(self) -> str:
        """Predictor and loss."""
        return f"{self.predictor} {self.loss}"

    def values(self, graphs: GraphBatch) -> NDArray[np.float64]:
        """Return ``[1 + folds, graphs]`` oriented labels that each training predicts."""
        step = max(1, _PART // max(1, graphs.nodes**2))
        parts = [
            self.fitted.on(graphs[at : at + step]).scores() for at in range(0, len(graphs), step)
        ]
        if not parts:
            return np.zeros((len(self.centre), 0))
        units = (np.concatenate(parts, axis=1) - self.centre[:, None]) / self.scale[:, None]
        return np.stack([self.calibration.values(row) for row in units])


def learn_judge(
    case: Case,
    spec: PredictorSpec,
    loss: str,
    *,
    seed: int,
    device: torch.device,
    on_step: Callable[[int, int], None] | None = None,
) -> Judge:
    """Train a method on everything evaluated, and without each of up to eight folds.

    Scores become labels as in ``rank``, by a monotone map of the out-of-fold scores, the same
    for all trainings.

    Raises:
        DataError: Training diverged.
    """
    (folds,) = folds_of(case.units, _FOLDS, 1, seed)
    everything = np.arange(len(case.items))
    kept = [everything, *(np.setdiff1d(everything, held) for held in folds)]
    own = parse(loss)
    members = [Member(case.items[rows], case.labels[rows], own, seed) for rows in kept]
    fitted = make_predictor(spec, case.graphs, device=device).fit(members, on_step=on_step)
    if fitted.diverged.any():
        raise DataError(
            f"{case.task.name}: training {spec} with {loss} diverged. Choose other --losses"
        )
    scores = fitted.scores(case.items)
    centre = np.array([row[rows].mean() for row, rows in zip(scores, kept, strict=True)])
    held = np.zeros(len(everything))
    scale = np.ones(len(kept))
    for place, rows in enumerate(kept):
        units, scale[place] = own_unit(scores[place], scores[place][rows])
        if place:
            held[folds[place - 1]] = units[folds[place - 1]]
    calibration = calibrate(held, case.labels, folds, _CONFIDENCE)
    tau = kendall_tau(held, case.labels)
    return Judge(str(spec), loss, fitted, centre, scale, calibration, tau)


def jackknife(values: NDArray[np.float64]) -> tuple[float, float, float]:
    r"""Return an estimate with its 95 % interval, from the same one without each fold.

    .. math:: s^2 = \frac{K - 1}{K} \sum_k (\theta_{-k} - \bar\theta)^2

    Args:
        values: ``[1 + K]`` the estimate, and that without each of the K folds, at least two.

    Returns:
        The estimate, and the ends of its interval by Student's t with K - 1 degrees of freedom.

    References:
        Shao and Wu (1989), "A general theory for jackknife variance estimation", Annals of
        Statistics 17.

    Example:
        >>> [round(each, 3) for each in jackknife(np.array([2.0, 1.0, 3.0]))]
        [2.0, -10.706, 14.706]
    """
    left_out = values[1:]
    # The error of a mean of K is sd / sqrt(K); that of the jackknife is K - 1 times as large.
    found = mean_interval(left_out.tolist())
    half = 0.0 if found.upper is None or found.mean is None else found.upper - found.mean
    reach = (len(left_out) - 1) * half
    return float(values[0]), float(values[0] - reach), float(values[0] + reach)
