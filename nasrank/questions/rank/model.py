"""What is learnt from the evaluated architectures: a scorer and its calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors.auto import Mixture
from nasrank.predictors.specification import PredictorSpec
from nasrank.questions.rank.calibration import Calibration, calibrate
from nasrank.questions.rank.case import Case
from nasrank.questions.rank.folds import folds_of
from nasrank.questions.rank.scorer import Scorer, fit_scorer, score_folds
from nasrank.study.study import SILENT, Progress

__all__ = ["Model", "Training", "learn"]

_MANY = 100


@dataclass(frozen=True)
class Training:
    """How predictors are trained.

    Attributes:
        spec: The predictor.
        loss: Canonical spelling of the loss.
        seed: Seed of folds and initial weights.
        device: Where to compute.
    """

    spec: PredictorSpec
    loss: str
    seed: int
    device: torch.device

    def fit(self, case: Case, on_step: Callable[[int, int], None] | None = None) -> Scorer:
        """Train one predictor on everything evaluated."""
        return fit_scorer(
            case, self.spec, parse(self.loss), seed=self.seed, device=self.device, on_step=on_step
        )


@dataclass(frozen=True, eq=False)
class Model:
    """A trained predictor, and what its scores are worth.

    Attributes:
        case: What was evaluated.
        training: How it was trained.
        scorer: It.
        calibration: From scores to oriented labels.
        held: ``[n]`` out-of-fold scores.
        folds: Positions held out together.
    """

    case: Case
    training: Training
    scorer: Scorer
    calibration: Calibration
    held: NDArray[np.float64]
    folds: list[NDArray[np.int64]]

    @property
    def mixture(self) -> Mixture | None:
        """What the predictor chose to be a mixture of, if it chose."""
        return self.scorer.mixture

    @property
    def tau(self) -> float:
        """Kendall tau of the out-of-fold scores; NaN where they are all equal."""
        return kendall_tau(self.held, self.case.labels)


def learn(case: Case, training: Training, confidence: float, progress: Progress = SILENT) -> Model:
    """Train on everything evaluated, and calibrate by cross-validation.

    There are ten folds up to 100 labels and five beyond. A mixture has scores of what was held out
    from its race already, and none of its models is trained once more.

    Raises:
        DataError: Training diverged.
    """
    # More folds where labels are few: predictors then learn from nearly all of them.
    most = 10 if len(case.items) <= _MANY else 5
    (folds,) = folds_of(case.units, most, 1, training.seed)
    with progress.stage("training") as tell:
        scorer = training.fit(case, tell)
    raced = None if scorer.mixture is None else scorer.mixture.held
    if raced is not None and np.isfinite(raced).all():
        held = (raced - scorer.centre) / scorer.scale
    else:
        with progress.stage("calibrating") as tell:
            held = score_folds(
                case,
                training.spec,
                [parse(training.loss)],
                [folds],
                seed=training.seed,
                device=training.device,
                on_step=tell,
            )[0, 0]
    if not np.isfinite(held).all():
        raise DataError(
            f"{case.task.name}: training {training.spec} with {training.loss} diverged. Choose "
            "another --loss"
        )
    calibration = calibrate(held, case.labels, folds, confidence)
    return Model(case, training, scorer, calibration, held, folds)
