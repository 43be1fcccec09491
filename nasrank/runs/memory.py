"""How much memory a fleet needs, and how to stay below a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nasrank.benchmarks import Space, load_task
from nasrank.errors import UsageError
from nasrank.predictors import PREDICTORS
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import parse_predictor
from nasrank.runs.run import Run

__all__ = ["MemoryLimit", "fleet_bytes"]

_MIB = 1 << 20
_PROCESS = 400 * _MIB
"""Python with torch and all else that a training imports, before any of it."""
_LAID_OUT = 400
"""Bytes a node of the space: labels and graphs as the predictor has them."""
_WEIGHTS = (54_000, 320)
"""Numbers in the largest network, and more of them for each operation of the space."""
_COPIES = 24
"""Bytes a weight: itself, where it started, its gradient, two moments, one to spare."""
_TRAINED_NODE = 10 << 10
"""Bytes a node of a list while a step goes forward and back: 40 tensors of width 64."""
_SCORED_NODE, _SCORED_NODES = 7 << 10, 1 << 17
"""Bytes a node that is scored, and the most nodes at once."""
_OTHERS = 250 * _MIB
"""What predictors that are no networks need to work in."""
_PREDICTION = 200
"""Bytes an architecture whose score is kept."""


def fleet_bytes(
    runs: Sequence[Run], space: Space, recipe: Recipe, *, kind: str, predictions: bool = False
) -> int:
    """Estimate the most memory that training and scoring a fleet takes.

    With M networks (members times the size of an ensemble) of W weights, lists of L
    architectures, N nodes at most, C classes in the space, A architectures and n of them to
    train on, in bytes::

        process and space   400 MiB + 400 C N         (the former not on CUDA)
        networks            M (24 W + 10 KiB L N + 24 epochs n + 16 C)
        scoring             7 KiB min(M C N, 131072)
        other predictors    250 MiB + 8 members n (C + 3 n)
        scores kept         200 members A             (where asked for)

    The constants were measured on NAS-Bench-201 and NAS-Bench-Graph with ``gnn``, ``mlp``, ``gp``
    and ``trees`` and 1 to 160 members. There the estimate lies above the highest resident memory,
    by at most a half of it, but for ``mlp``, which needs no more than 0.4 of its estimate.

    Args:
        runs: Runs of one predictor on one space, at least one.
        space: The space.
        recipe: How networks are trained.
        kind: ``cpu`` or ``cuda``: where memory is counted.
        predictions: Whether every score is kept.
    """
    spec = parse_predictor(runs[0].predictor)
    options = dict(spec.options)
    n = max(run.n_train for run in runs)
    nodes, classes = space.graphs.nodes, len(space.graphs)
    networks = len(runs) * PREDICTORS.facts(spec.name).networks(options)
    total = (0 if kind == "cuda" else _PROCESS) + _LAID_OUT * classes * nodes
    if networks:
        weights = _WEIGHTS[0] + _WEIGHTS[1] * len(space.graphs.vocabulary)
        listed = -(-n // recipe.lists(n))
        own = _COPIES * (weights + recipe.epochs * n) + 16 * classes
        total += networks * (own + _TRAINED_NODE * listed * nodes)
        total += _SCORED_NODE * min(networks * classes * nodes, _SCORED_NODES)
    if PREDICTORS.facts(spec.name).seconds(n, options) > 0:
        total += _OTHERS + 8 * len(runs) * n * (classes + 3 * n)
    if predictions:
        total += _PREDICTION * len(runs) * len(space.architectures)
    return total


@dataclass(frozen=True)
class MemoryLimit:
    """What a process that trains may need.

    Attributes:
        limit: In bytes, or None for no limit.
        recipe: How networks are trained.
        kind: ``cpu`` or ``cuda``.
        predictions: Whether every score is kept.
    """

    limit: int | None
    recipe: Recipe
    kind: str
    predictions: bool = False

    def parts(self, runs: Sequence[Run]) -> tuple[tuple[Run, ...], ...]:
        """Halve a fleet until each part fits.

        Returns:
            The parts, in the order of the runs.

        Raises:
            UsageError: One run alone does not fit.
        """
        if self.limit is None:
            return (tuple(runs),)
        space = load_task(runs[0].task).space
        needed = fleet_bytes(
            runs, space, self.recipe, kind=self.kind, predictions=self.predictions
        )
        if needed <= self.limit:
            return (tuple(runs),)
        if len(runs) == 1:
            raise UsageError(
                f"--memory-limit {_shown(self.limit)}: one {runs[0].predictor} on {runs[0].task} "
                f"with {runs[0].n_train} training architectures needs about {_shown(needed)}. "
                f"Give at least {-(-needed // _MIB)}MiB"
            )
        half = len(runs) // 2
        return (*self.parts(runs[:half]), *self.parts(runs[half:]))


def _shown(size: int) -> str:
    return f"{size / _MIB:,.0f} MiB"
