"""From a goal to lambda: bisection over trained models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["MOST_TRIED", "Tried", "bisect_lambda", "target_rows"]

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


def bisect_lambda(
    measure: Callable[[Sequence[float]], list[Tried]],
    side: str,
    wanted: float,
    low: float,
    high: float,
) -> tuple[list[Tried], int]:
    """Find the lambda whose models have a wanted precision, or recall.

    Precision rises with lambda and recall falls. Both ends are tried first; then the middle of
    the bracket on a logarithmic scale, until a value is within 0.02 of the goal, at most six
    times. A value at an end that is on the good side already is not improved upon: the goal is a
    minimum.

    Args:
        measure: Trains for some lambdas at once.
        side: ``precision`` or ``recall``.
        wanted: The goal, in (0, 1).
        low: Least lambda, above 0.
        high: Largest lambda, above it.

    Returns:
        What was tried in order, and which of it is the answer: of those that reach the goal the
        one with most of the other side, and if none does, the one that comes closest.

    Example:
        >>> line = lambda lams: [Tried(l, l / 10, 1 - l / 10, 1, 1.0) for l in lams]
        >>> tried, chosen = bisect_lambda(line, "precision", 0.5, 0.1, 10.0)
        >>> len(tried), round(tried[chosen].lam, 2)
        (7, 4.87)
    """
    other = "recall" if side == "precision" else "precision"

    def value(each: Tried) -> float:
        return float(getattr(each, side))

    tried = measure([low, high])
    # The end where this side is large, and the one where it is small.
    poor, rich = (low, high) if side == "precision" else (high, low)
    ends = {each.lam: value(each) for each in tried}
    if not (ends[poor] >= wanted or ends[rich] < wanted - _CLOSE):
        for _ in range(MOST_TRIED - 2):
            if any(abs(value(each) - wanted) <= _CLOSE for each in tried):
                break
            middle = math.sqrt(poor * rich)
            tried += measure([middle])
            # A nan counts as not enough, and is left behind on the poor side.
            if value(tried[-1]) >= wanted:
                rich = middle
            else:
                poor = middle
    enough = [place for place, each in enumerate(tried) if value(each) >= wanted - _CLOSE]
    if enough:
        return tried, max(enough, key=lambda place: getattr(tried[place], other))
    known = [place for place, each in enumerate(tried) if not math.isnan(value(each))]
    return tried, max(known or [0], key=lambda place: value(tried[place]))


def target_rows(
    data: str, side: str, wanted: float, tried: Sequence[Tried], chosen: int
) -> list[dict[str, Any]]:
    """Return rows of ``pr_targets``; cost adds up from step to step."""
    rows = []
    steps, seconds = 0, 0.0
    for place, each in enumerate(tried):
        steps, seconds = steps + each.steps, seconds + each.seconds
        value = getattr(each, side)
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
                "reached": value >= wanted - _CLOSE,
            }
        )
    return rows
