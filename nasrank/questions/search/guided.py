"""Searches guided by a predictor, many at a time: each round is one fit for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.neighbours import neighbourhood_of
from nasrank.losses import PiecewiseSpec, parse
from nasrank.predictors.ensemble import Ensemble
from nasrank.predictors.predictor import Fitted, Member, Predictor
from nasrank.questions.search.acquisition import (
    AcquisitionSpec,
    Outlook,
    choose,
    needs_spread,
    parse_acquisition,
)
from nasrank.questions.search.controls import Control, starting_order
from nasrank.questions.search.identity import SearchRun
from nasrank.questions.search.problem import Problem
from nasrank.seeds import derive_seed, numpy_generator

__all__ = ["Found", "candidates_of", "run_control", "search_fleet"]

_PARENTS = 10
"""Best architectures whose mutations are candidates where not all of a space are."""
_STRANGERS = 100
"""Random architectures among the candidates there, without which a search may be caught."""


@dataclass(eq=False)
class Found:
    """One search and what it has evaluated.

    Attributes:
        run: Its identity.
        order: Places of the evaluated classes in the problem, in the order of evaluation.
        rounds: The round in which each was evaluated; 0 is the start.
        seconds: The predictor's own seconds in each round: fitting and scoring, the fleet's time
            divided by its members. The start has none.
    """

    run: SearchRun
    order: list[int]
    rounds: list[int]
    seconds: list[float] = field(default_factory=lambda: [0.0])


def search_fleet(
    problem: Problem,
    predictor: Predictor,
    runs: Sequence[SearchRun],
    *,
    on_evaluated: Callable[[int], None] | None = None,
) -> list[Found]:
    """Run searches side by side until each holds the optimum or its budget is spent.

    In every round each search fits the predictor to all it has evaluated, from new weights, and
    evaluates the batch its acquisition prefers. Nothing can be gained once the optimum is
    evaluated, so a search ends there; a real one would not know. Searches do not see each other:
    one alone is the same, up to rounding.

    Args:
        problem: What is searched.
        predictor: Made for the classes of the problem's space.
        runs: Searches on this problem with this predictor, few enough to be fitted at a time.
        on_evaluated: Called with the number of evaluations just made or found needless.

    Returns:
        What each has found, in the order of the runs.
    """
    every = []
    for run in runs:
        start = starting_order(problem, run.seed)[: min(run.initial, run.budget)].tolist()
        every.append(Found(run, start, [0] * len(start)))
        _cut_at_optimum(problem, every[-1])
    number = 0
    report = on_evaluated or (lambda _count: None)
    active = [found for found in every if _goes_on(problem, found)]
    report(sum(_spent(problem, found) for found in every))
    while active:
        number += 1
        before = sum(_spent(problem, found) for found in active)
        _round(problem, predictor, active, number)
        report(sum(_spent(problem, found) for found in active) - before)
        active = [found for found in active if _goes_on(problem, found)]
    return every


def run_control(problem: Problem, control: Control, run: SearchRun) -> Found:
    """Run a control; all it evaluates is of round 0, and it too ends at the optimum."""
    order = control(problem, run.seed, run.initial, run.budget).tolist()
    found = Found(run, order, [0] * len(order))
    _cut_at_optimum(problem, found)
    return found


def candidates_of(problem: Problem, found: Found, number: int) -> NDArray[np.int64]:
    """Return the places a search may evaluate next.

    With ``all`` these are all that are not evaluated; with ``mutations`` the neighbours of the
    ten best evaluated ones and 100 random others, so that the search goes on from what is known
    to be good and doubt far away counts for less.
    """
    free = np.ones(len(problem), bool)
    free[found.order] = False
    left = np.flatnonzero(free)
    if found.run.candidates == "all" or len(left) <= _STRANGERS:
        return left
    space = problem.task.space
    order = np.array(found.order)
    parents = order[np.argsort(-problem.labels[order], kind="stable")[:_PARENTS]]
    near = neighbourhood_of(space)
    mutated = np.concatenate([near.of(int(problem.architecture[place])) for place in parents])
    wanted = np.isin(problem.classes, space.class_of[mutated])
    rng = numpy_generator(found.run.seed, stream="search", part="strangers", round=number)
    wanted[rng.choice(left, _STRANGERS, replace=False)] = True
    return np.flatnonzero(wanted & free)


def _round(problem: Problem, predictor: Predictor, searches: Sequence[Found], number: int) -> None:
    started = time.perf_counter()
    pools = [candidates_of(problem, found, number) for found in searches]
    # Where all labels so far are one there is nothing to learn, and chance decides.
    taught = [len(set(problem.told(found.order).tolist())) > 1 for found in searches]
    students = [found for found, can in zip(searches, taught, strict=True) if can]
    outlooks = iter(
        _outlooks(
            problem,
            predictor,
            students,
            [pool for pool, can in zip(pools, taught, strict=True) if can],
            number,
        )
    )
    for found, pool, can in zip(searches, pools, taught, strict=True):
        run = found.run
        rng = numpy_generator(run.seed, stream="search", part="acquisition", round=number)
        picks = min(run.batch or 1, run.budget - len(found.order), len(pool))
        worth = np.zeros((1, len(pool)))
        if can:
            worth = parse_acquisition(run.acquisition or "").function(next(outlooks), picks, rng)
        chosen = pool[choose(worth, picks, rng)].tolist()
        found.order += chosen
        found.rounds += [number] * len(chosen)
        _cut_at_optimum(problem, found)
    share = (time.perf_counter() - started) / len(searches)
    for found in searches:
        found.seconds.append(share)


def _outlooks(
    problem: Problem,
    predictor: Predictor,
    searches: Sequence[Found],
    pools: Sequence[NDArray[np.int64]],
    number: int,
) -> Iterable[Outlook]:
    """Fit once, score once, and say what each search makes of it."""
    if not searches:
        return
    members = [_member(problem, found, number) for found in searches]
    fitted = predictor.fit(members)
    wanted = np.unique(np.concatenate([*pools, *(found.order for found in searches)]))
    acquisitions = [parse_acquisition(found.run.acquisition or "") for found in searches]
    scores, spread, opinions = _views(fitted, problem.classes[wanted], acquisitions)
    for row, (found, pool) in enumerate(zip(searches, pools, strict=True)):
        at = np.searchsorted(wanted, pool)
        done = scores[row, np.searchsorted(wanted, found.order)]
        yield Outlook(
            scores=scores[row, at],
            spread=None if spread is None else spread[row, at],
            best=float(done.max()),
            opinions=None if opinions is None else opinions[row][:, at],
        )


def _member(problem: Problem, found: Found, number: int) -> Member:
    run, order = found.run, found.order
    loss = parse(run.loss or "")
    if isinstance(loss, PiecewiseSpec):
        loss = loss.at(len(order))
    seed = derive_seed(run.seed, stream="search", part="predictor", round=number)
    return Member(problem.classes[order], problem.told(order), loss, seed)


def _views(
    fitted: Fitted, items: NDArray[np.int64], acquisitions: Sequence[AcquisitionSpec]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Scores, spread and opinions; graphs are scored once where that gives all of them."""
    if isinstance(fitted, Ensemble) and fitted.size > 1:
        parts = fitted.parts(items)
        return parts.mean(axis=1), parts.std(axis=1, ddof=1), parts
    unsure = any(needs_spread(spec) for spec in acquisitions)
    return fitted.scores(items), fitted.spread(items) if unsure else None, None


def _cut_at_optimum(problem: Problem, found: Found) -> None:
    """Drop what would be evaluated after the optimum."""
    best = problem.labels[found.order] == problem.best
    if best.any():
        count = int(best.argmax()) + 1
        del found.order[count:], found.rounds[count:]


def _goes_on(problem: Problem, found: Found) -> bool:
    short = len(found.order) < min(found.run.budget, len(problem))
    return short and float(problem.labels[found.order].max()) < problem.best


def _spent(problem: Problem, found: Found) -> int:
    """Evaluations made, or all of them for a search that needs no more."""
    return len(found.order) if _goes_on(problem, found) else found.run.budget
