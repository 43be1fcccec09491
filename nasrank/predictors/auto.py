"""The predictor that chooses: candidates raced on folds of the training set, and their mix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Unpack, cast

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch
from nasrank.predictors.boosting import Boosting
from nasrank.predictors.evidence import label_tau
from nasrank.predictors.kernel import FOLDS, KernelMachine, Machines, cut_folds
from nasrank.predictors.networks import GNNPredictor
from nasrank.predictors.predictor import (
    Epoch,
    FeaturePredictor,
    Fitted,
    GivenFeatures,
    Member,
    Predictor,
)
from nasrank.predictors.ridge import Ridge
from nasrank.predictors.targets import robust_scores
from nasrank.seeds import derive_seed
from nasrank.statistics import paired_interval

__all__ = ["CANDIDATES", "Auto", "Mixed", "Mixture", "Standing"]

FLOOR = "gp"
"""The candidate that is never stopped, and decides where folds cannot."""
CANDIDATES: Mapping[str, float] = {
    "gp": 1.0,
    "kernel": 1.0,
    "gnn": 2.0,
    "boosting": 0.5,
    "ridge": 0.25,
}
"""Candidates, and what each weighs where folds do not tell them apart."""
_WORSE_BY = 0.04
"""Loss of tau at which a candidate weighs e times less."""
_TOLD_FROM = 3
"""Folds after which a candidate may be stopped."""
_ALPHA = 0.05
"""Level of the test by which a candidate is stopped."""
_REPEATS = ((80, 2),)
"""Below so many labels so many repeats of the folds; one from there on."""
_LEAST = 0.02
"""Least share in the score that is worth its time."""
_COVERED = 0.6827
"""Share of the labels that lie within one standard deviation, as of a normal distribution."""
_BOOSTERS: Mapping[str, int] = {"rounds": 100, "ensemble": 2}
"""Sizes of what is made of trees, small, as it is fitted once a fold."""


@dataclass(frozen=True)
class Standing:
    """How a candidate did in the race.

    Attributes:
        name: The candidate.
        kendall_tau: Mean Kendall tau over the folds it was tried on; NaN without any.
        folds: How many these are.
        stopped: Whether it was stopped before the last fold, being worse than the best.
        weight: Its share in the score; the weights add to 1.
    """

    name: str
    kendall_tau: float
    folds: int
    stopped: bool
    weight: float


@dataclass(frozen=True, eq=False)
class Mixture:
    """What is chosen for one training set, and why.

    Attributes:
        standings: The candidates, those of the greatest weight first.
        reason: Why, in a sentence.
        slopes: Of the targets over each candidate's held-out scores, by name.
        held: Scores of the mixture by models that did not see the label, with weights that did
            not see it either; NaN where nothing can be left out.
        widening: What deviations of the mixture are multiplied with, so that they hold.
    """

    standings: tuple[Standing, ...]
    reason: str
    slopes: Mapping[str, float]
    held: Float64[np.ndarray, "n"]
    widening: float

    @property
    def weights(self) -> dict[str, float]:
        """The share of every candidate that has one."""
        return {each.name: each.weight for each in self.standings if each.weight > 0}


class Auto(FeaturePredictor):
    r"""Chooses among the predictors by cross-validation, and mixes the best.

    Candidates are :data:`CANDIDATES`, ``boosting`` where scikit-learn is installed,
    ``kernel`` and ``gnn`` with the asked loss. All are raced on the same stratified folds, five
    a repeat, two repeats below 80 labels. After each fold from the third on a candidate stops
    whose Kendall tau is worse than that of the best by a paired t test over folds that allows for
    shared training data (Nadeau and Bengio 2003), p at most .05; the Gaussian process, the floor,
    never stops. The others share the score:

    .. math:: s = \sum_c w_c b_c z_c, \qquad w_c \propto p_c e^{(\tau_c - \max_d \tau_d) / .04}

    with :math:`z_c` the scores of a candidate in the unit of its training scores, :math:`b_c` the
    slope, at least 0, of the robust scores of the labels over its held-out :math:`z_c`, and
    :math:`p_c` what it weighs beforehand. As a few labels cannot tell good candidates apart, a
    mean loses less than a choice (Wolpert 1992, "Stacked generalization", Neural Networks).

    Architectures that are given more than once count once, with their mean label. Where no folds
    can be cut, or all labels are equal, the score is the floor's.

    What :meth:`fit` returns says in ``mixtures`` what it chose for each member, and why.
    """

    def __init__(self, graphs: GraphBatch, **given: Unpack[GivenFeatures]) -> None:
        super().__init__(graphs, **given)
        self._kernel = KernelMachine(graphs, **given)
        self._others: dict[str, Predictor] = {
            "gnn": GNNPredictor(graphs, **given),
            "ridge": Ridge(graphs, **given),
        }
        if _has_boosting():
            self._others["boosting"] = Boosting(graphs, **_BOOSTERS, **given)

    @classmethod
    def networks(cls, options: Mapping[str, float | int | str]) -> int:
        """One for each fold of a repeat and for the whole; see :meth:`Predictor.networks`."""
        return FOLDS + 1

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Estimate the time of the others, see :meth:`Predictor.seconds`; measured on NB201."""
        once = KernelMachine.seconds(n, {}) + Ridge.seconds(n, {})
        if _has_boosting():
            once += Boosting.seconds(n, _BOOSTERS)
        return (1 + FOLDS * _repeats(n)) * once

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Mixed:
        """Fit every member; see :meth:`Predictor.fit`. A step is a race."""
        mixtures, tidied = [], []
        for place, member in enumerate(members):
            tidy, copies = _tidied(member)
            mixture = self._race(tidy)
            mixtures.append(replace(mixture, held=mixture.held[copies]))
            tidied.append(tidy)
            if on_step is not None:
                on_step(place + 1, len(members))
        members = tidied
        machines = self._kernel.fit(members)
        every = np.arange(len(members))
        parts = [
            _Part.of(machines.processes, every, members, "gp"),
            _Part.of(machines, every, members, "kernel"),
        ]
        for name, predictor in self._others.items():
            asked = [row for row, each in enumerate(mixtures) if name in each.weights]
            # One by one: rounding in a fleet is another than alone, and networks let it grow.
            for row in asked:
                fitted = predictor.fit([members[row]])
                parts.append(_Part.of(fitted, np.array([row]), members, name))
        return Mixed(parts, mixtures)

    def _race(self, member: Member) -> Mixture:
        """Race the candidates on one training set."""
        units = member.items if member.units is None else member.units
        repeats = _repeats(len(np.unique(units)))
        cut = cut_folds(units, member.targets, member.seed, repeats).numpy()
        if len(cut) == 0 or np.ptp(member.targets) == 0:
            few = "there are too few different architectures"
            return _floor_alone(member, "all labels are equal" if len(cut) else few)
        here = {"gp", "kernel", *self._others}
        laps = {name: _Laps.none(cut) for name in CANDIDATES if name in here}
        racing = list(laps)
        noise = []
        folds = [_without(member, out, fold) for fold, out in enumerate(cut)]
        # A fleet on all folds takes little longer than one network on the first few.
        fleet = self._others["gnn"].fit(folds)
        for fold, part in enumerate(folds):
            machines = self._kernel.fit([part])
            noise += machines.noise.tolist()
            given = {"gp": machines.processes, "kernel": machines}
            for name in racing:
                if name == "gnn":
                    laps[name].add(fleet, member, cut[fold], fold, row=fold)
                    continue
                fitted = given[name] if name in given else self._others[name].fit([part])
                laps[name].add(fitted, member, cut[fold], fold)
            if fold + 1 >= _TOLD_FROM:
                racing = _still_racing({name: laps[name].taus for name in racing})
        return _mixture(laps, racing, cut, member.targets, float(np.mean(noise)))


def _tidied(member: Member) -> tuple[Member, Int64[np.ndarray, "n"]]:
    """Bring a training set into the order of its graphs, each once with the mean of its labels.

    Returns:
        The member, and where each of its items went.
    """
    items, first, place = np.unique(member.items, return_index=True, return_inverse=True)
    targets = np.bincount(place, member.targets) / np.bincount(place)
    units = None if member.units is None else member.units[first]
    return replace(member, items=items, targets=targets, units=units), place


def _has_boosting() -> bool:
    try:
        Boosting.require_extra()
    except UsageError:
        return False
    return True


def _repeats(n: int) -> int:
    return next((repeats for below, repeats in _REPEATS if n < below), 1)


def _without(member: Member, out: Bool[np.ndarray, "n"], fold: int) -> Member:
    return replace(
        member,
        items=member.items[~out],
        targets=member.targets[~out],
        seed=derive_seed(member.seed, stream="fold", fold=fold),
        units=None if member.units is None else member.units[~out],
    )


@dataclass(frozen=True, eq=False)
class _Laps:
    """What a candidate did on the folds so far.

    Attributes:
        taus: Kendall tau of each fold that it was tried on.
        scores: Scores of what each fold leaves out, in the unit of the training scores; else NaN.
        spreads: Their standard deviations, 0 from a candidate that knows none.
    """

    taus: list[float]
    scores: Float64[np.ndarray, "folds n"]
    spreads: Float64[np.ndarray, "folds n"]

    @classmethod
    def none(cls, cut: Bool[np.ndarray, "folds n"]) -> _Laps:
        return cls([], np.full(cut.shape, np.nan), np.full(cut.shape, np.nan))

    def add(
        self,
        fitted: Fitted,
        member: Member,
        out: Bool[np.ndarray, "n"],
        fold: int,
        row: int = 0,
    ) -> None:
        """Put down what the model of a fold, in a row of what was fitted, says of the rest."""
        every, spreads = fitted.scores_and_spread(member.items)
        scores = every[row]
        centre, scale = _unit(scores[~out])
        self.scores[fold, out] = (scores[out] - centre) / scale
        self.spreads[fold, out] = 0.0 if spreads is None else spreads[row, out] / scale
        self.taus.append(label_tau(scores[out], member.targets[out]))


def _unit(trained: Float64[np.ndarray, "n"]) -> tuple[float, float]:
    """Mean and standard deviation of training scores; 1 where these are all alike."""
    return float(trained.mean()), float(trained.std()) or 1.0


def _still_racing(taus: Mapping[str, Sequence[float]]) -> list[str]:
    """Leave out who is worse than the best beyond doubt; never the floor."""
    best = max(taus, key=lambda name: float(np.mean(taus[name])))
    going = []
    for name, own in taus.items():
        apart = paired_interval(taus[best], own, held_out=1 / FOLDS)
        beaten = apart.p_value is not None and apart.p_value <= _ALPHA and bool(apart.mean)
        if name == FLOOR or not beaten:
            going.append(name)
    return going


def _weights(taus: Mapping[str, float]) -> dict[str, float]:
    """Share of each candidate, by its mean tau; small shares are not worth their time."""
    best = max(taus.values())
    raw = {
        name: CANDIDATES[name] * float(np.exp((tau - best) / _WORSE_BY))
        for name, tau in taus.items()
    }
    total = sum(raw.values())
    kept = {name: each for name, each in raw.items() if each >= _LEAST * total or name == FLOOR}
    return {name: each / sum(kept.values()) for name, each in kept.items()}


def _slope(scores: Float64[np.ndarray, "n"], targets: Float64[np.ndarray, "n"]) -> float:
    """Slope of targets over scores, at least 0."""
    off = scores - scores.mean()
    size = float(off @ off)
    return max(0.0, float(off @ targets) / size) if size > 0 else 0.0


def _mixture(
    laps: Mapping[str, _Laps],
    racing: Sequence[str],
    cut: Bool[np.ndarray, "folds n"],
    labels: Float64[np.ndarray, "n"],
    noise: float,
) -> Mixture:
    """Weigh those that are still racing."""
    targets = robust_scores(labels)
    means = {name: np.nanmean(laps[name].scores, axis=0) for name in racing}
    weights = _weights({name: float(np.mean(laps[name].taus)) for name in racing})
    slopes = {name: _slope(means[name], targets) for name in weights}
    if not any(slopes.values()):
        slopes[FLOOR] = 1.0
    held, doubt = np.full((2, *cut.shape), np.nan)
    for fold, out in enumerate(cut):
        # Neither models nor weights nor slopes have seen the label that they speak of.
        others = np.arange(len(cut)) != fold
        own = _weights(
            {name: float(np.mean(np.array(laps[name].taus)[others])) for name in racing}
        )
        steep = {name: _slope(means[name][~out], targets[~out]) for name in own}
        shares = np.array(list(own.values()))[:, None]
        said = np.stack([steep[name] * laps[name].scores[fold, out] for name in own])
        unsure = np.stack([steep[name] * laps[name].spreads[fold, out] for name in own])
        held[fold, out], doubt[fold, out] = _together(said, unsure, shares)
    away = np.abs(targets - targets.mean() - np.nanmean(held, axis=0))
    widening = np.quantile(away / np.sqrt(np.nanmean(doubt**2, axis=0) + noise), _COVERED)
    standings = [
        Standing(
            name,
            float(np.mean(lap.taus)),
            len(lap.taus),
            stopped=name not in racing,
            weight=weights.get(name, 0.0),
        )
        for name, lap in laps.items()
    ]
    standings.sort(key=lambda each: -each.weight)
    return Mixture(
        tuple(standings),
        _reason(standings, len(labels)),
        slopes,
        np.nanmean(held, axis=0),
        float(widening),
    )


def _together(
    said: Float64[np.ndarray, "parts items"],
    unsure: Float64[np.ndarray, "parts items"],
    shares: Float64[np.ndarray, "parts 1"],
) -> tuple[Float64[np.ndarray, "items"], Float64[np.ndarray, "items"]]:
    """Mean and standard deviation of a mixture of normal distributions."""
    mean = (shares * said).sum(axis=0)
    deviation = np.sqrt((shares * (unsure**2 + (said - mean) ** 2)).sum(axis=0))
    return mean, deviation


def _reason(standings: Sequence[Standing], count: int) -> str:
    """Say in a sentence what the folds showed."""
    told = [f"{each.name} {each.kendall_tau:.2f}" for each in standings if each.weight > 0]
    verb = "shares" if len(told) == 1 else "share"
    text = f"by Kendall tau on folds of {count} labels {_listed(told)} {verb} the score"
    stopped = [each.name for each in standings if each.stopped]
    return text + (f"; {_listed(stopped)} stopped early, being worse" if stopped else "")


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _floor_alone(member: Member, why: str) -> Mixture:
    """Nothing can be compared."""
    return Mixture(
        (Standing(FLOOR, np.nan, 0, stopped=False, weight=1.0),),
        f"{why}, so {FLOOR} alone gives the score",
        {FLOOR: 1.0},
        np.full(len(member.items), np.nan),
        1.0,
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """A candidate fitted to some members.

    Attributes:
        name: The candidate.
        fitted: It.
        rows: Which members.
        units: ``[fitted, 2]`` mean and standard deviation of its training scores.
    """

    name: str
    fitted: Fitted
    rows: Int64[np.ndarray, "fitted"]
    units: Float64[np.ndarray, "fitted 2"]

    @classmethod
    def of(
        cls,
        fitted: Fitted,
        rows: Int64[np.ndarray, "fitted"],
        members: Sequence[Member],
        name: str,
    ) -> _Part:
        every = np.unique(np.concatenate([members[row].items for row in rows]))
        own = [np.searchsorted(every, members[row].items) for row in rows]
        scores = fitted.scores(every)
        units = [_unit(each[at]) for each, at in zip(scores, own, strict=True)]
        return cls(name, fitted, rows, np.array(units))

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None
    ) -> _Part:
        return replace(self, fitted=self.fitted.on(graphs, proxies))


class Mixed(Fitted):
    """What was chosen for each member.

    Args:
        parts: Candidates, those of all members first: kernel machines after their processes.
        mixtures: What each member makes of them, and why.
    """

    def __init__(self, parts: Sequence[_Part], mixtures: Sequence[Mixture]) -> None:
        self._parts, self.mixtures = tuple(parts), tuple(mixtures)
        self.final_loss = np.full(len(mixtures), np.nan)

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where a part of the score diverged."""
        failed = np.zeros(len(self.mixtures), np.bool_)
        for part in self._parts:
            for row, own in zip(part.rows.tolist(), part.fitted.diverged, strict=True):
                failed[row] |= own and part.name in self.mixtures[row].weights
        return failed

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return the weighted mean, in the unit of robust scores of the labels."""
        return np.stack([mean for mean, _ in self._both(items, doubt=False)])

    def spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return standard deviations without the noise of a label, widened to hold on folds."""
        return self.scores_and_spread(items)[1]

    def scores_and_spread(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> tuple[Float64[np.ndarray, "members graphs"], Float64[np.ndarray, "members graphs"]]:
        """Return both; see :meth:`Fitted.scores_and_spread`."""
        means, deviations = zip(*self._both(items, doubt=True), strict=True)
        wide = np.array([[mixture.widening] for mixture in self.mixtures])
        return np.stack(means), wide * np.stack(deviations)

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Mixed:
        """Return the same members for other graphs; see :meth:`Fitted.on`."""
        gp, *others = self._parts
        moved = [part.on(graphs, proxies) for part in others]
        # Processes stand on the rows of the machines, which take long to make.
        processes = cast(Machines, moved[0].fitted).processes
        return Mixed([replace(gp, fitted=processes), *moved], self.mixtures)

    def _both(
        self, items: Int64[np.ndarray, "graphs"] | None, *, doubt: bool
    ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Mean and deviation of every member; the latter of no use unless asked for."""
        told: list[list[tuple[float, NDArray[np.float64], NDArray[np.float64]]]]
        told = [[] for _ in self.mixtures]
        for part in self._parts:
            if doubt:
                scores, spreads = part.fitted.scores_and_spread(items)
            else:
                scores, spreads = part.fitted.scores(items), None
            for place, row in enumerate(part.rows.tolist()):
                mixture = self.mixtures[row]
                if part.name not in mixture.weights:
                    continue
                centre, scale = part.units[place]
                unit = mixture.slopes[part.name] / scale
                unsure = np.zeros(scores.shape[1]) if spreads is None else spreads[place] * unit
                told[row].append(
                    (mixture.weights[part.name], (scores[place] - centre) * unit, unsure)
                )
        return [
            _together(
                np.stack([said for _, said, _ in each]),
                np.stack([unsure for _, _, unsure in each]),
                np.array([[share] for share, _, _ in each]),
            )
            for each in told
        ]
