"""What a guided search has to beat: searches that train nothing, and one that knows it all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.neighbours import neighbourhood_of
from nasrank.questions.search.problem import Problem
from nasrank.seeds import numpy_generator

__all__ = ["CONTROLS", "POPULATION", "TOURNAMENT", "Control", "starting_order"]

POPULATION = 10
"""Regularised evolution: architectures alive at a time."""
TOURNAMENT = 3
"""Regularised evolution: architectures drawn from them, the best of which has the child."""
_FREE_CHILDREN = 50
"""Children in a row that are known already before a random architecture is drawn."""

Order = NDArray[np.int64]
Control = Callable[[Problem, int, int, int], Order]


def starting_order(problem: Problem, seed: int) -> Order:
    """Return a random order of all places, the same for every method of a seed.

    Every search begins with the head of it, and random search is all of it. Of texts whose class
    is evaluated once, the first of each class is left.
    """
    order = numpy_generator(seed, stream="search").permutation(len(problem)).astype(np.int64)
    if problem.protocol == "unique-strings":
        _, first = np.unique(problem.classes[order], return_index=True)
        order = order[np.sort(first)]
    return order


def random_search(problem: Problem, seed: int, _initial: int, budget: int) -> Order:
    """Evaluate classes in random order, each as likely as any other.

    A search that draws architectures instead meets large classes more often, and the best
    architectures of benchmarks are mostly alone in theirs: this control is the stronger one.
    """
    return starting_order(problem, seed)[:budget]


def evolution(problem: Problem, seed: int, initial: int, budget: int) -> Order:
    """Regularised evolution: the best of a small tournament has a mutated child, the oldest dies.

    The start is the first population. A child that is known already joins without an evaluation,
    as its label is at hand.

    References:
        Real et al. (2019), "Regularized evolution for image classifier architecture search",
        AAAI.
    """
    walk = _Walk(problem, seed, initial, budget)
    population = deque(walk.order[-POPULATION:], maxlen=POPULATION)
    known = 0
    while walk.goes_on:
        # With replacement, as in the paper: a tournament may hold one architecture twice.
        drawn = walk.rng.integers(0, len(population), TOURNAMENT)
        parent = max((population[int(each)] for each in drawn), key=problem.labels.__getitem__)
        near = walk.near(parent)
        if len(near) == 0 or known >= _FREE_CHILDREN:
            child = walk.fresh()
        else:
            child = int(near[walk.rng.integers(len(near))])
        known = 0 if walk.evaluate(child) else known + 1
        population.append(child)
    return np.array(walk.order, np.int64)


def local_search(problem: Problem, seed: int, initial: int, budget: int) -> Order:
    """Local search: from the best of the start to the best neighbour, until none is better.

    All neighbours are evaluated, in random order, before a step; at a local optimum it begins
    again with a random architecture.

    References:
        White et al. (2021), "Exploring the loss landscape in neural architecture search", UAI.
    """
    walk = _Walk(problem, seed, initial, budget)
    here = max(walk.order, key=problem.labels.__getitem__)
    while walk.goes_on:
        near = walk.rng.permutation(walk.near(here))
        for place in near.tolist():
            if walk.goes_on:
                walk.evaluate(place)
        best = max((p for p in near.tolist() if p in walk.seen), default=here,
                   key=problem.labels.__getitem__)  # fmt: skip
        if problem.labels[best] > problem.labels[here]:
            here = best
        elif walk.goes_on:
            here = walk.fresh()
            walk.evaluate(here)
    return np.array(walk.order, np.int64)


def oracle(problem: Problem, _seed: int, _initial: int, budget: int) -> Order:
    """Evaluate in the true order, from the best down and without a start: nobody can be faster.

    Its first evaluation is the optimum. It shows what the rest of the table could be, and that
    labels, ranks and regret are those of the task.
    """
    order = np.argsort(-problem.labels, kind="stable").astype(np.int64)
    if problem.protocol == "unique-strings":
        _, first = np.unique(problem.classes[order], return_index=True)
        order = order[np.sort(first)]
    return order[:budget]


CONTROLS: Mapping[str, Control] = {
    "random": random_search,
    "evolution": evolution,
    "local": local_search,
    "oracle": oracle,
}
"""Controls by name: from problem, seed, initial and budget to the classes in order, by place."""


class _Walk:
    """A search that goes from architecture to architecture by mutation."""

    def __init__(self, problem: Problem, seed: int, initial: int, budget: int) -> None:
        start = starting_order(problem, seed)
        self.rng = numpy_generator(seed, stream="search", part="mutations")
        self.order = start[: min(initial, budget)].tolist()
        self.seen = set(self.order)
        self._problem, self._fresh = problem, iter(start[len(self.order) :].tolist())
        self._budget = min(budget, len(start))
        # What a class is evaluated by; places, where its texts can be evaluated one by one.
        self._by_class = problem.protocol == "unique-strings"
        self._taken = {self._key(place) for place in self.order}

    @property
    def goes_on(self) -> bool:
        return len(self.order) < self._budget

    def evaluate(self, place: int) -> bool:
        """Evaluate a place unless that is done; say whether it was new."""
        if self._key(place) in self._taken:
            return False
        self._taken.add(self._key(place))
        self.seen.add(place)
        self.order.append(place)
        return True

    def fresh(self) -> int:
        """Return the next place of the random order that is not evaluated."""
        fresh: int = next(place for place in self._fresh if self._key(place) not in self._taken)
        return fresh

    def _key(self, place: int) -> int:
        return int(self._problem.classes[place]) if self._by_class else place

    def near(self, place: int) -> NDArray[np.int64]:
        """Return the other places that one mutation of its architecture leads to."""
        problem = self._problem
        found = neighbourhood_of(problem.task.space).of(int(problem.architecture[place]))
        at = problem.places_of(found)
        others: NDArray[np.int64] = at[at != place]
        return others
