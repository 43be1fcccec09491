"""The grid of a study of searches: what is asked for, spelled out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from nasrank.benchmarks import parse_task
from nasrank.benchmarks.neighbours import neighbourhood_of
from nasrank.errors import UsageError
from nasrank.losses import parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import PredictorSpec, parse_predictor
from nasrank.questions.search.acquisition import needs_spread, parse_acquisition
from nasrank.questions.search.controls import CONTROLS
from nasrank.questions.search.identity import SearchRun
from nasrank.questions.search.options import SearchConfig
from nasrank.questions.search.problem import Problem, load_problem
from nasrank.runs.grid import evenly, losses_for

__all__ = ["cut_fleets", "plan_searches"]

_MANY_NEIGHBOURS = 8.0
"""Neighbours of an architecture, on average, from which ``auto`` takes mutations."""
_LARGE = 50_000
"""Classes above which it always does, as scoring them all would take longer than the fits."""
_MOST_MEMBERS = {"cpu": 20, "cuda": 512, "mps": 128}
"""Trainings at a time. On a CPU more gain little, and a fleet is kept when all of it is done."""


def plan_searches(config: SearchConfig) -> tuple[SearchRun, ...]:
    """Spell out the searches, guided ones first, and refuse what does not go together.

    Raises:
        UsageError: A name, an option or a size is invalid.
        DataError: A task's data is missing, damaged, or holds nothing to find.
    """
    tasks = list(dict.fromkeys(str(parse_task(task)) for task in config.tasks))
    losses = list(dict.fromkeys(str(parse(loss)) for loss in config.losses))
    predictors = list(dict.fromkeys(parse_predictor(each) for each in config.predictors))
    acquisitions = list(dict.fromkeys(parse_acquisition(each) for each in config.acquisitions))
    if config.initial >= config.budget:
        raise UsageError(
            f"--budget {config.budget} is used up by --initial {config.initial} random "
            "evaluations. Raise --budget"
        )
    for predictor in predictors:
        unsure = next((each for each in acquisitions if needs_spread(each)), None)
        if unsure is not None and not _has_uncertainty(predictor):
            raise UsageError(
                f"--acquisitions {unsure} needs a predictor with an uncertainty, which "
                f"{predictor} lacks. Use --predictors '{predictor.name}(ensemble=4)', or "
                "--acquisitions greedy"
            )
    runs: list[SearchRun] = []
    for name in tasks:
        problem = load_problem(name, config.protocol)
        if config.labels == "single" and not problem.is_repeated:
            raise UsageError(
                f"--labels single needs several trainings of an architecture, and {name} has one "
                "of each; use --labels mean"
            )
        if config.initial >= len(problem):
            raise UsageError(
                f"--initial {config.initial}: {name} has {len(problem):,} different "
                "architectures with a label. Ask for fewer"
            )
        candidates = _candidates(problem) if config.candidates == "auto" else config.candidates
        base = SearchRun(
            task=name,
            fingerprint=problem.task.fingerprint,
            initial=config.initial,
            budget=config.budget,
            seed=config.seed,
            labels=None if config.labels == "mean" else config.labels,
            protocol=None if config.protocol == "classes" else config.protocol,
        )
        guided = [
            replace(
                base,
                predictor=str(predictor),
                acquisition=str(acquisition),
                loss=loss,
                batch=config.per_round,
                candidates=candidates,
            )
            for predictor in predictors
            for acquisition in acquisitions
            for loss in losses_for(predictor, losses)
        ]
        methods = [*guided, *(replace(base, control=control) for control in CONTROLS)]
        runs += [replace(method, seed=seed) for method in methods for seed in config.all_seeds]
    return tuple(runs)


def cut_fleets(runs: Sequence[SearchRun], kind: str) -> list[tuple[SearchRun, ...]]:
    """Cut a grid into fleets of searches on one task by one method with one loss.

    The rule knows the grid alone and nothing of what is finished.

    Returns:
        Fleets, in the order of the grid.
    """
    alike: dict[tuple[str, str, str | None], list[SearchRun]] = {}
    for run in runs:
        alike.setdefault((run.task, run.method, run.loss), []).append(run)
    return [fleet for own in alike.values() for fleet in evenly(own, _most_members(own[0], kind))]


def _most_members(run: SearchRun, kind: str) -> int:
    """Count the searches like one that a fleet may hold; controls train nothing."""
    if run.predictor is None:
        return sys.maxsize
    return max(1, _MOST_MEMBERS[kind] // _ensemble(parse_predictor(run.predictor)))


def _ensemble(predictor: PredictorSpec) -> int:
    known = PREDICTORS[predictor.name].options()
    default = known["ensemble"].default if "ensemble" in known else 1
    return int(dict(predictor.options).get("ensemble", default) or 1)


def _has_uncertainty(predictor: PredictorSpec) -> bool:
    return PREDICTORS[predictor.name].knows_spread(dict(predictor.options))


def _candidates(problem: Problem) -> str:
    space = problem.task.space
    if space.graphs.only_settings:
        # Among numbers that were drawn, how many are near was decided by us, not by the space.
        return "mutations" if len(problem) > _LARGE else "all"
    near = neighbourhood_of(space)
    probed = problem.architecture[:: -(-len(problem) // 100)]
    neighbours = sum(len(near.of(int(each))) for each in probed) / len(probed)
    return "mutations" if len(problem) > _LARGE or neighbours >= _MANY_NEIGHBOURS else "all"
