"""From a goal to lambda: bisection over trained models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["MOST_TRIED", "Tried", "best_of", "replay", "target_rows"]

Row = Mapping[str, Any]

MOST_TRIED = 8
"""Lambdas that are tried at most: both ends, and six halvings."""

_CLOSE = 0.02


@dataclass(frozen=True)
class Tried:
    """One lambda and what models trained for it reach.

    Attributes:
        lam: Weight of precision.
        precision: Mean precision over seeds; nan if all models diverged.
        recall: Mean recall over seeds, likewise.
        steps: Steps of the generator, of all models together.
        seconds: Training time of all models together.
    """

    lam: float
    precision: float
    recall: float
    steps: int
    seconds: float

    @classmethod
    def by(cls, lam: float, rows: Sequence[Row]) -> Tried | None:
        """Put the rows of ``pr`` of one lambda together; None where there are none."""
        if not rows:
            return None
        good = [row for row in rows if row["precision"] is not None]

        def mean(column: str) -> float:
            return float(np.mean([row[column] for row in good])) if good else math.nan

        return cls(
            lam,
            mean("precision"),
            mean("recall"),
            sum(row["steps"] for row in rows),
            sum(row["fit_seconds"] for row in rows),
        )

    def of(self, side: str) -> float:
        """Return its ``precision`` or ``recall``."""
        return self.precision if side == "precision" else self.recall


def replay(
    known: Callable[[float], Tried | None], side: str, wanted: float, low: float, high: float
) -> tuple[list[Tried], list[float]]:
    """Bisect for the lambda whose models have a wanted precision, or recall, as far as is known.

    Precision rises with lambda and recall falls. Both ends are tried first; then the middle of
    the bracket on a logarithmic scale, until a value is within 0.02 of the goal, at most six
    times. A value at an end that is on the good side already is not improved upon: the goal is a
    minimum.

    Args:
        known: What models trained for a lambda reach; None where none are trained yet.
        side: ``precision`` or ``recall``.
        wanted: The goal, in (0, 1).
        low: Least lambda, above 0.
        high: Largest lambda, above it.

    Returns:
        What was tried, in order, and the lambdas to try next: none when the search is over.

    Example:
        >>> trained = {lam: Tried(lam, lam / 10, 1 - lam / 10, 1, 1.0) for lam in (0.1, 10.0)}
        >>> tried, following = replay(trained.get, "precision", 0.5, 0.1, 10.0)
        >>> [each.lam for each in tried], following
        ([0.1, 10.0], [1.0])
    """
    ends = {lam: known(lam) for lam in (low, high)}
    tried = [each for each in ends.values() if each is not None]
    if len(tried) < len(ends):
        return tried, [lam for lam, each in ends.items() if each is None]
    # The end where this side is small, and the one where it is large.
    first, last = tried if side == "precision" else reversed(tried)
    if first.of(side) >= wanted or last.of(side) < wanted - _CLOSE:
        return tried, []
    poor, rich = first.lam, last.lam
    while len(tried) < MOST_TRIED and not any(_close(each.of(side), wanted) for each in tried):
        middle = math.sqrt(poor * rich)
        found = known(middle)
        if found is None:
            return tried, [middle]
        tried.append(found)
        # A nan counts as not enough, and is left behind on the poor side.
        if found.of(side) >= wanted:
            rich = middle
        else:
            poor = middle
    return tried, []


def _close(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= _CLOSE


def best_of(tried: Sequence[Tried], side: str, wanted: float) -> int:
    """Return the place of the answer among what was tried.

    Args:
        tried: At least one lambda.
        side: ``precision`` or ``recall``.
        wanted: The goal.

    Returns:
        Of those that reach the goal the one with most of the other side, and if none does, the
        one that comes closest.
    """
    other = "recall" if side == "precision" else "precision"
    enough = [place for place, each in enumerate(tried) if each.of(side) >= wanted - _CLOSE]
    if enough:
        return max(enough, key=lambda place: tried[place].of(other))
    known = [place for place, each in enumerate(tried) if not math.isnan(each.of(side))]
    return max(known or [0], key=lambda place: tried[place].of(side))


def target_rows(
    data: str, side: str, wanted: float, tried: Sequence[Tried]
) -> list[dict[str, Any]]:
    """Return rows of ``pr_targets``; cost adds up from step to step."""
    rows = []
    chosen = best_of(tried, side, wanted)
    steps, seconds = 0, 0.0
    for place, each in enumerate(tried):
        steps, seconds = steps + each.steps, seconds + each.seconds
        rows.append(
            {
                "data": data,
                "target": side,
                "wanted": wanted,
                "step": place + 1,
                "lambda": each.lam,
                "precision": None if math.isnan(each.precision) else each.precision,
                "recall": None if math.isnan(each.recall) else each.recall,
                "generator_steps": steps,
                "fit_seconds": seconds,
                "chosen": place == chosen,
                "reached": each.of(side) >= wanted - _CLOSE,
            }
        )
    return rows
