"""A trained predictor whose scores mean the same from fit to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri

from nasrank.benchmarks.proxies import space_proxies
from nasrank.errors import DataError
from nasrank.grammar import read_call
from nasrank.graphs import GraphBatch
from nasrank.losses import LossSpec, PiecewiseSpec
from nasrank.predictors import PREDICTORS
from nasrank.predictors.auto import Mixed, Mixture
from nasrank.predictors.predictor import Fitted, Member, Predictor
from nasrank.predictors.specification import PredictorSpec, make_predictor, parse_predictor
from nasrank.predictors.targets import normal_scores
from nasrank.proxies import compute_proxies
from nasrank.questions.rank.case import Case
from nasrank.seeds import derive_seed

__all__ = [
    "ProxyScale",
    "Scorer",
    "fit_scorer",
    "own_unit",
    "predictor_of",
    "score_folds",
    "with_ensemble",
]

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
class ProxyScale:
    """Training-free proxies of a space as normal quantiles, and those of other graphs beside it.

    Attributes:
        known: ``[P, classes]`` proxies of the space, each in ascending order.
        of_space: ``[classes, P]`` the quantiles of the space's graphs.
    """

    known: NDArray[np.float64]
    of_space: NDArray[np.float64]

    @classmethod
    def of(cls, case: Case) -> ProxyScale:
        """Measure the proxies of a space, from the user's cache where they are known.

        Raises:
            UsageError: The space has operations without proxies.
        """
        raw = space_proxies(case.task.space.name, case.graphs)
        own = np.stack([normal_scores(column) for column in raw.T], axis=1)
        return cls(np.sort(raw.T, axis=1), own)

    def read(self, graphs: GraphBatch) -> NDArray[np.float64]:
        """Return ``[graphs, P]`` the proxies of any graphs as quantiles of the space."""
        raw, count = compute_proxies(graphs), self.known.shape[1]
        quantiles = np.empty(raw.shape)
        for column, (values, known) in enumerate(zip(raw.T, self.known, strict=True)):
            place = (np.searchsorted(known, values) + np.searchsorted(known, values, "right")) / 2
            quantiles[:, column] = ndtri(np.clip(place, 0.5, count - 0.5) / count)
        return quantiles


def predictor_of(case: Case, spec: PredictorSpec, device: torch.device) -> Predictor:
    """Make a predictor for the graphs of a space, with their proxies where it asks for them.

    Raises:
        UsageError: The space has operations without proxies.
    """
    proxies = ProxyScale.of(case).of_space if spec.needs_proxies else None
    return make_predictor(spec, case.graphs, proxies=proxies, device=device)


@dataclass(frozen=True, eq=False)
class Scorer:
    """One trained predictor.

    Attributes:
        fitted: It, as the only member.
        centre: Mean of its scores on its own training graphs.
        scale: Their standard deviation.
        proxies: How it sees proxies, or None.
    """

    fitted: Fitted
    centre: float
    scale: float
    proxies: ProxyScale | None = None

    @property
    def mixture(self) -> Mixture | None:
        """What it is a mixture of, and why, where it chose that itself."""
        return self.fitted.mixtures[0] if isinstance(self.fitted, Mixed) else None

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
        proxies = None if self.proxies is None else self.proxies.read(graphs)
        here = self.fitted.on(graphs, proxies)
        (scores,), spread = here.scores_and_spread()
        rounded = np.round((scores - self.centre) / self.scale, DIGITS)
        return rounded, None if spread is None else np.round(spread[0] / self.scale, DIGITS)


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
    predictor = predictor_of(case, spec, device)
    fitted = predictor.fit(
        [Member(case.items, case.labels, loss, seed, case.units)], on_step=on_step
    )
    if fitted.diverged[0]:
        raise DataError(f"{case.task.name}: training {spec} with {loss} diverged. Choose --loss")
    trained = fitted.scores(case.items)[0]
    measured = ProxyScale.of(case) if spec.needs_proxies else None
    return Scorer(fitted, float(trained.mean()), float(trained.std()) or 1.0, measured)


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
                members.append(
                    Member(case.items[kept], case.labels[kept], loss, own, case.units[kept])
                )
    fitted = predictor_of(case, spec, device).fit(members, on_step=on_step)
    scores = fitted.scores(case.items)
    result = np.full((len(losses), len(folds), count), np.nan)
    for member, (row, repeat, held, kept) in enumerate(places):
        own_scores, _ = own_unit(scores[member, held], scores[member, kept])
        result[row, repeat, held] = own_scores
    return result
