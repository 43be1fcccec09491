"""A grid of runs, how it is cut into fleets, and what they cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from nasrank.losses import PiecewiseSpec, parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import PredictorSpec, parse_predictor
from nasrank.runs.run import Run

__all__ = ["cut", "estimated_seconds", "evenly", "losses_for", "work"]

R = TypeVar("R")

_SECONDS_PER_LIST_ITEM = {"cpu": 3.0e-5, "cuda": 2.0e-6, "mps": 1.0e-5}
"""Training time of one item of one list in a full fleet, for estimates; measured with the GNN on
two cores, assumed for the others."""
_SECONDS_PER_RUN = {"cpu": 0.15, "cuda": 0.05, "mps": 0.15}
"""Scoring the space and computing the metrics of one run, for estimates."""
_SECONDS_PER_STEP = 1e-3
"""What a member's step counts as beside predictors that have none, for progress."""
_MOST_SECONDS = {"cpu": 60.0, "cuda": 300.0, "mps": 60.0}
_MOST_MEMBERS = {"cpu": 40, "cuda": 512, "mps": 128}
"""On a CPU a larger fleet no longer fits the caches and gains nothing."""


def losses_for(predictor: PredictorSpec, losses: Sequence[str]) -> list[str]:
    """Return the losses a predictor is trained with when asked for these.

    Args:
        predictor: The predictor.
        losses: Losses by their canonical spelling.

    Returns:
        The same, or the one loss of a predictor that cannot be trained with another.

    Example:
        >>> losses_for(parse_predictor("gp"), ["hr", "listmle"])
        ['mse(targets=robust)']
    """
    own = PREDICTORS.facts(predictor.name).own_loss
    return list(losses) if own is None else [own]


def cut(
    runs: Sequence[Run], spaces: Sequence[str], kind: str, recipe: Recipe
) -> list[tuple[Run, ...]]:
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
        cost = _Cost.of(key[1])
        members = sorted(alike[key], key=_neighbours if cost.networks else _of_one_draw)
        largest = max(run.n_train for run in members)
        by_time = int(_MOST_SECONDS[kind] / cost.seconds(largest, kind, recipe))
        by_size = _MOST_MEMBERS[kind] // max(1, cost.networks)
        most = max(1, min(by_size, by_time))
        fleets += evenly(members, most)
    return fleets


def _neighbours(run: Run) -> tuple[str, str, str, int, int]:
    """Bring networks of one loss together, which is then computed once for all of them."""
    return run.loss, run.task, run.sampling, run.n_train, run.seed


def _of_one_draw(run: Run) -> tuple[str, str, int, int, str]:
    """Bring losses on one training set together: a kernel is found once for all of them."""
    return run.task, run.sampling, run.n_train, run.seed, run.loss


def evenly(members: Sequence[R], most: int) -> list[tuple[R, ...]]:
    """Cut runs into as few fleets as can be, of about equal size.

    Example:
        >>> evenly("abcde", 2)
        [('a',), ('b', 'c'), ('d', 'e')]
    """
    count = -(-len(members) // most)
    bounds = [len(members) * part // count for part in range(count + 1)]
    return [tuple(members[start:end]) for start, end in pairwise(bounds)]


def estimated_seconds(runs: Sequence[Run], kind: str, recipe: Recipe) -> float:
    """Return a rough guess of the time a grid takes, in seconds."""
    costs = {name: _Cost.of(name) for name in {run.predictor for run in runs}}
    return sum(
        costs[run.predictor].seconds(run.n_train, kind, recipe) + _SECONDS_PER_RUN[kind]
        for run in runs
    )


def work(run: Run, recipe: Recipe) -> int:
    """Say how much work a run is, for progress.

    Returns:
        Its steps, the first stage of a piecewise loss included; what has no steps counts a
        millisecond of a CPU as one.
    """
    cost, spec = _Cost.of(run.predictor), parse(run.loss)
    first = recipe.steps(spec.switch) if isinstance(spec, PiecewiseSpec) else 0
    beside = cost.beside(run.n_train) / _SECONDS_PER_STEP
    return max(1, (first + recipe.steps(run.n_train)) * cost.networks + round(beside))


@dataclass(frozen=True)
class _Cost:
    """What a predictor costs, whichever way it learns."""

    spec: PredictorSpec
    networks: int

    @classmethod
    def of(cls, predictor: str) -> _Cost:
        spec = parse_predictor(predictor)
        return cls(spec, PREDICTORS.facts(spec.name).networks(dict(spec.options)))

    def beside(self, n_train: int) -> float:
        """Seconds of one member on a CPU, without its networks."""
        return PREDICTORS.facts(self.spec.name).seconds(n_train, dict(self.spec.options))

    def seconds(self, n_train: int, kind: str, recipe: Recipe) -> float:
        """Seconds to train one member in a full fleet; never 0."""
        trained = self.networks * recipe.epochs * n_train * _SECONDS_PER_LIST_ITEM[kind]
        return max(trained + self.beside(n_train), 1e-6)
