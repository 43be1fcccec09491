"""A trained predictor whose scores mean the same from fit to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.grammar import read_call
from nasrank.graphs import GraphBatch
from nasrank.losses import LossSpec, PiecewiseSpec
from nasrank.predictors import PREDICTORS
from nasrank.predictors.ensemble import Ensemble
from nasrank.predictors.predictor import Fitted, Member
from nasrank.predictors.specification import PredictorSpec, make_predictor, parse_predictor
from nasrank.questions.rank.case import Case
from nasrank.seeds import derive_seed

__all__ = ["Scorer", "fit_scorer", "own_unit", "score_folds", "with_ensemble"]

Steps = Callable[[int, int], None]

DIGITS = 5
"""Scores are rounded to so many digits, since the last ones depend on what else is in a batch."""
_PART = 2**21
"""Pairs of nodes of the graphs that are laid out at once."""


def with_ensemble(text: str, size: int) -> PredictorSpec:
    """Read a predictor and make an ensemble of it, where it can be one and does not say it is.

    Args:
        text: Such as ``gnn`` or ``gnn(ensemble=8)``.
        size: Parts of an ensemble.

    Raises:
        UsageError: There is no such predictor or option.

    Example:
        >>> str(with_ensemble("mlp", 4)), str(with_ensemble("mlp(ensemble=2)", 4))
        ('mlp(ensemble=4)', 'mlp(ensemble=2)')
    """
    spec = parse_predictor(text)
    can = "ensemble" in PREDICTORS[spec.name].options()
    if not can or "ensemble" in dict(read_call(text).options):
        return spec
    return PredictorSpec(spec.name, (*spec.options, ("ensemble", size)))


def own_unit(
    scores: NDArray[np.float64], trained: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Bring scores to mean 0 and standard deviation 1 on the predictor's own training graphs.

    Args:
        scores: Any scores of one predictor.
        trained: Its scores of the graphs it was trained on.

    Returns:
        The scores in that unit, and the standard deviation they were divided by.
    """
    # A predictor that scores all alike has no order to add; any unit will do.
    scale = float(trained.std()) or 1.0
    return (scores - trained.mean()) / scale, scale


@dataclass(frozen=True, eq=False)
class Scorer:
    """One trained predictor.

    Attributes:
        fitted: It, as the only member.
        centre: Mean of its scores on its own training graphs.
        scale: Their standard deviation.
    """

    fitted: Fitted
    centre: float
    scale: float

    def score(self, graphs: GraphBatch) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Score canonical graphs of the space's vocabulary, whatever else is in the batch.

        Returns:
            ``[graphs]`` scores, higher is better, in standard deviations of the training scores;
            and their spread in this unit, or None from a predictor that does not know.
        """
        step = max(1, _PART // max(1, graphs.nodes**2))
        parts = [self._part(graphs[at : at + step]) for at in range(0, len(graphs), step)]
        if not parts:
            return np.zeros(0), None
        spreads = [spread for _, spread in parts if spread is not None]
        return (
            np.concatenate([scores for scores, _ in parts]),
            np.concatenate(spreads) if spreads else None,
        )

    def _part(self, graphs: GraphBatch) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        here = self.fitted.on(graphs)
        if isinstance(here, Ensemble) and here.size > 1:
            # Mean and spread from one pass over the graphs.
            parts = here.parts()[0]
            scores, spread = parts.mean(axis=0), parts.std(axis=0, ddof=1)
        else:
            scores = here.scores()[0]
            known = here.spread()
            spread = None if known is None else known[0]
        rounded = np.round((scores - self.centre) / self.scale, DIGITS)
        return rounded, None if spread is None else np.round(spread / self.scale, DIGITS)


def fit_scorer(
    case: Case,
    spec: PredictorSpec,
    loss: LossSpec | PiecewiseSpec,
    *,
    seed: int,
    device: torch.device,
    on_step: Steps | None = None,
) -> Scorer:
    """Train one predictor on everything evaluated.

    Raises:
        DataError: Training diverged.
    """
    predictor = make_predictor(spec, case.graphs, device=device)
    fitted = predictor.fit([Member(case.items, case.labels, loss, seed)], on_step=on_step)
    if fitted.diverged[0]:
        raise DataError(f"{case.task.name}: training {spec} with {loss} diverged. Choose --loss")
    trained = fitted.scores(case.items)[0]
    return Scorer(fitted, float(trained.mean()), float(trained.std()) or 1.0)


def score_folds(
    case: Case,
    spec: PredictorSpec,
    losses: Sequence[LossSpec | PiecewiseSpec],
    folds: Sequence[Sequence[NDArray[np.int64]]],
    *,
    seed: int,
    device: torch.device,
    on_step: Steps | None = None,
) -> NDArray[np.float64]:
    """Score every evaluated architecture by predictors that were not trained on it, in one fit.

    Args:
        case: What is evaluated.
        spec: The predictor.
        losses: Losses to train with; all see the same folds and initial weights.
        folds: ``[repeats][folds]`` positions held out.
        seed: Seed of the run.
        device: Where to compute.
        on_step: Called with (steps done, steps in all).

    Returns:
        ``[losses, repeats, n]`` scores in the unit of each predictor's own training scores, NaN
        from those that diverged.
    """
    count = len(case.items)
    places, members = [], []
    for row, loss in enumerate(losses):
        for repeat, cut in enumerate(folds):
            for number, held in enumerate(cut):
                kept = np.setdiff1d(np.arange(count), held)
                own = derive_seed(seed, stream="fold", repeat=repeat, fold=number)
                places.append((row, repeat, held, kept))
                members.append(Member(case.items[kept], case.labels[kept], loss, own))
    fitted = make_predictor(spec, case.graphs, device=device).fit(members, on_step=on_step)
    scores = fitted.scores(case.items)
    result = np.full((len(losses), len(folds), count), np.nan)
    for member, (row, repeat, held, kept) in enumerate(places):
        own_scores, _ = own_unit(scores[member, held], scores[member, kept])
        result[row, repeat, held] = own_scores
    return result
