"""A grid of runs, and how it is cut into fleets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nasrank.predictors.recipe import Recipe
from nasrank.studies.runs import Run

__all__ = ["FleetPlan", "cut", "estimated_seconds"]

_SECONDS_PER_LIST_ITEM = {"cpu": 3.0e-5, "cuda": 2.0e-6}
"""Training time of one item of one list in a full fleet, for estimates; measured with the GNN on
two cores, assumed for CUDA."""
_SECONDS_PER_RUN = {"cpu": 0.15, "cuda": 0.05}
"""Scoring the space and computing the metrics of one run, for estimates."""
_MOST_SECONDS = {"cpu": 60.0, "cuda": 300.0}
_MOST_MEMBERS = {"cpu": 40, "cuda": 512}
"""On a CPU a larger fleet no longer fits the caches and gains nothing."""


@dataclass(frozen=True)
class FleetPlan:
    """Runs that are trained together.

    Attributes:
        runs: Runs of one predictor on one set of architectures with one number of steps.
    """

    runs: tuple[Run, ...]


def cut(runs: Sequence[Run], spaces: Sequence[str], kind: str, recipe: Recipe) -> list[FleetPlan]:
    """Cut a grid into fleets.

    Runs go together if they share predictor, architectures and number of steps, so no member
    waits for another. The rule knows the grid and the kind of device, and nothing of what is
    finished already. Of a fleet that is finished in part only the missing members are trained.

    Args:
        runs: The whole grid.
        spaces: Name of the set of architectures of each run.
        kind: ``cpu`` or ``cuda``.
        recipe: Settings of the training.

    Returns:
        Fleets of at most about a minute each on a CPU, and five on CUDA; the small ones first.
    """
    alike: dict[tuple[int, str, str], list[Run]] = defaultdict(list)
    for run, space in zip(runs, spaces, strict=True):
        alike[recipe.steps(run.n_train), run.predictor, space].append(run)
    fleets = []
    for key in sorted(alike):
        # Neighbours share a loss, which is then computed once for all of them.
        members = sorted(alike[key], key=lambda r: (r.loss, r.task, r.sampling, r.n_train, r.seed))
        largest = max(run.n_train for run in members)
        each = recipe.epochs * largest * _SECONDS_PER_LIST_ITEM[kind]
        most = max(1, min(_MOST_MEMBERS[kind], int(_MOST_SECONDS[kind] / each)))
        count = -(-len(members) // most)
        bounds = [len(members) * part // count for part in range(count + 1)]
        fleets += [FleetPlan(tuple(members[start:end])) for start, end in pairwise(bounds)]
    return fleets


def estimated_seconds(runs: Sequence[Run], kind: str, recipe: Recipe) -> float:
    """Return a rough guess of the time a grid takes, in seconds."""
    per_item = _SECONDS_PER_LIST_ITEM[kind]
    return sum(recipe.epochs * run.n_train * per_item + _SECONDS_PER_RUN[kind] for run in runs)
