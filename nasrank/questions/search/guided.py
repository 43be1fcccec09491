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
        seen: The problem as it sees it.
        order: Places of the evaluated classes in the problem, in the order of evaluation.
        rounds: The round in which each was evaluated; 0 is the start.
        seconds: The predictor's own seconds in each round: fitting and scoring, the fleet's time
            divided by its members. The start has none.
    """

    run: SearchRun
    seen: Problem
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
    evaluated, so a search ends there; a real one would not know. One that is told single trainings
    goes on, as it may take another for the best. Searches do not see each other:
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
        every.append(Found(run, _seen(problem, run), start, [0] * len(start)))
        _cut_at_optimum(every[-1])
    number = 0
    report = on_evaluated or (lambda _count: None)
    active = [found for found in every if _goes_on(found)]
    report(sum(map(_spent, every)))
    while active:
        number += 1
        before = sum(map(_spent, active))
        _round(problem, predictor, active, number)
        report(sum(map(_spent, active)) - before)
        active = [found for found in active if _goes_on(found)]
    return every


def run_control(problem: Problem, control: Control, run: SearchRun) -> Found:
    """Run a control; all it evaluates is of round 0, and it too ends at the optimum."""
    seen = _seen(problem, run)
    order = control(seen, run.seed, run.initial, run.budget).tolist()
    found = Found(run, seen, order, [0] * len(order))
    _cut_at_optimum(found)
    return found


def _seen(problem: Problem, run: SearchRun) -> Problem:
    """Return the problem as a search sees it; the oracle knows all."""
    single = run.labels == "single" and run.control != "oracle"
    return problem.seen_by(run.seed) if single else problem


def candidates_of(found: Found, number: int) -> NDArray[np.int64]:
    """Return the places a search may evaluate next.

    With ``all`` these are all that are not evaluated; with ``mutations`` the neighbours of the
    ten best evaluated ones and 100 random others, so that the search goes on from what is known
    to be good and doubt far away counts for less. Where a class is evaluated once, one place of
    each class.
    """
    problem = found.seen
    free = problem.left(found.order)
    left = np.flatnonzero(free)
    if found.run.candidates == "all" or len(left) <= _STRANGERS:
        return _one_of_each(problem, left)
    order = np.array(found.order)
    parents = order[np.argsort(-problem.labels[order], kind="stable")[:_PARENTS]]
    near = neighbourhood_of(problem.task.space)
    mutated = np.concatenate([near.of(int(problem.architecture[place])) for place in parents])
    wanted = np.zeros(len(problem), bool)
    wanted[problem.places_of(mutated)] = True
    rng = numpy_generator(found.run.seed, stream="search", part="strangers", round=number)
    wanted[rng.choice(left, _STRANGERS, replace=False)] = True
    return _one_of_each(problem, np.flatnonzero(wanted & free))


def _one_of_each(problem: Problem, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the first place of each class where one is all that can be evaluated of it."""
    if problem.protocol != "unique-strings":
        return places
    _, first = np.unique(problem.classes[places], return_index=True)
    return places[np.sort(first)]


def _round(problem: Problem, predictor: Predictor, searches: Sequence[Found], number: int) -> None:
    started = time.perf_counter()
    pools = [candidates_of(found, number) for found in searches]
    # Where all labels so far are one there is nothing to learn, and chance decides.
    taught = [len(set(found.seen.told(found.order).tolist())) > 1 for found in searches]
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
        _cut_at_optimum(found)
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
    members = [_member(found, number) for found in searches]
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


def _member(found: Found, number: int) -> Member:
    run, order, problem = found.run, found.order, found.seen
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
    if unsure:
        return *fitted.scores_and_spread(items), None
    return fitted.scores(items), None, None


def _cut_at_optimum(found: Found) -> None:
    """Drop what would be evaluated after the optimum, where a search can know it."""
    best = found.seen.labels[found.order] == found.seen.best
    if best.any() and found.run.labels is None:
        count = int(best.argmax()) + 1
        del found.order[count:], found.rounds[count:]


def _goes_on(found: Found) -> bool:
    problem, order = found.seen, found.order
    short = len(order) < found.run.budget and bool(problem.left(order).any())
    if not short or found.run.labels is not None:
        return short
    return float(problem.labels[order].max()) < problem.best


def _spent(found: Found) -> int:
    """Evaluations made, or all of them for a search that needs no more."""
    return len(found.order) if _goes_on(found) else found.run.budget
