"""Ways to choose which architectures are worth a label, before any label is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.space import Task
from nasrank.graphs.features import graph_features
from nasrank.registry import unknown_name
from nasrank.seeds import numpy_generator

__all__ = ["SAMPLINGS", "order_classes"]

SAMPLINGS = ("random", "stratified", "diverse")
_STRATA = 10


def order_classes(
    task: Task, candidates: NDArray[np.int64], seed: int, sampling: str, count: int
) -> NDArray[np.int64]:
    """Return the candidates to train first; no label is used.

    * ``random``: in their given order.
    * ``stratified``: one of each tenth of the candidates by parameter count in turn (by number
      of operations where parameters are unknown), so that every prefix covers all sizes.
    * ``diverse``: each next one is the farthest from all before it, by the distance of their
      :func:`~nasrank.graphs.features.graph_features`. The candidates are a seeded half of all,
      since the farthest ones of the whole space would be nearly the same for every seed; the
      other half follows in the same way once the first is used up.

    Args:
        task: The task; only its space and its parameter counts are used.
        candidates: Positions of one architecture of each class, in seeded random order.
        seed: Seed of the run.
        sampling: One of :data:`SAMPLINGS`.
        count: How many are wanted.

    Returns:
        ``[min(count, candidates)]`` positions in order; a smaller count gives a prefix for the
        same seed.

    Raises:
        UsageError: There is no such sampling.
    """
    if sampling == "random":
        return candidates[:count]
    if sampling == "stratified":
        return _stratified(task, candidates)[:count]
    if sampling == "diverse":
        return _diverse(task, candidates, seed, count)
    raise unknown_name("sampling", sampling, SAMPLINGS)


def _stratified(task: Task, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    if task.parameters is None:
        size = task.space.graphs.sizes()[task.space.class_of[candidates]].astype(np.float64)
    else:
        size = task.parameters[candidates]
    stratum = np.empty(len(candidates), np.int64)
    stratum[np.argsort(size, kind="stable")] = (
        np.arange(len(candidates)) * _STRATA // len(candidates)
    )
    turn = np.empty(len(candidates), np.int64)
    for number in range(_STRATA):
        members = np.flatnonzero(stratum == number)
        turn[members] = np.arange(len(members))
    # Within a turn the strata follow in the candidates' own random order.
    return candidates[np.argsort(turn, kind="stable")]


def _diverse(
    task: Task, candidates: NDArray[np.int64], seed: int, count: int
) -> NDArray[np.int64]:
    half = max(1, (len(candidates) + 1) // 2)
    drawn = candidates if count > half else candidates[:half]
    features = graph_features(task.space.graphs)[task.space.class_of[drawn]]
    # Ties between equally far ones are broken by the seed, not by the order of the space.
    noise = numpy_generator(seed, stream="diverse", space=task.space.name).random(len(drawn))
    order = np.zeros(min(count, len(drawn)), np.int64)
    distance = np.full(len(drawn), np.inf)
    closed = np.arange(len(drawn)) >= half
    for place in range(1, len(order)):
        newest = features[order[place - 1]]
        distance = np.minimum(distance, ((features - newest) ** 2).sum(axis=1))
        distance[order[place - 1]] = -1.0
        if place == half:
            closed[:] = False
        order[place] = int(np.argmax(np.where(closed, -2.0, distance + 1e-9 * noise)))
    return drawn[order]
