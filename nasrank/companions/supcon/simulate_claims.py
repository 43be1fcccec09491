"""What the simulation is expected to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasrank.study.claims import claim_row

__all__ = [
    "COLLAPSED",
    "LEAST_TEMPERATURE",
    "MOST_POINTS",
    "NEAR",
    "TOLERANCE",
    "simulation_claims",
]

MOST_POINTS = 40
"""Instances of a batch up to which the claims are about it."""
LEAST_TEMPERATURE = 0.3
"""Temperature from which on they are; below, gradients of separated classes vanish."""

NEAR = 0.03
"""Distance in alpha from the threshold within which descent is too slow to be judged."""
TOLERANCE = 1e-3
"""How far a variance that was reached may be from the one that was predicted."""
COLLAPSED = 1e-3
"""Variance within classes below which they count as collapsed."""

Row = Mapping[str, Any]


def simulation_claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge the claims on the points that count, for each convention of the loss.

    The estimates are the share of the tolerance that is left at the worst point of a seed, and
    half a point less the number of points on the wrong side of the threshold.

    Returns:
        Rows of ``claims``; none where no point counts.
    """
    claims = []
    for anchor in dict.fromkeys(row["method"] for row in rows):
        by_seed: dict[int, list[Row]] = {}
        for row in rows:
            if row["method"] == anchor and row["counted"]:
                by_seed.setdefault(row["seed"], []).append(row)
        if not by_seed:
            continue
        points = len(next(iter(by_seed.values())))
        data = f"free embeddings, {points} points, anchor {anchor}"
        end = f"(anchor {anchor}, {points} points)"
        within = [_error(own, "within_variance", "predicted_within") for own in by_seed.values()]
        spread = [_error(own, "view_spread", "predicted_spread") for own in by_seed.values()]
        total = [
            max(abs(1 - _number(row, "total_variance")) for row in own) for own in by_seed.values()
        ]
        claims += [
            claim_row(
                f"closed-form-{anchor}",
                f"The within-class variance is the predicted one, up to {TOLERANCE:g} {end}",
                data,
                _left(within),
                source="simulate: within_variance, predicted_within",
                measures=("within_variance",),
            ),
            claim_row(
                f"threshold-{anchor}",
                f"Classes collapse exactly where alpha is at most alpha* {end}",
                data,
                [0.5 - sum(map(_misjudged, own)) for own in by_seed.values()],
                source="simulate: within_variance, view_spread, alpha, alpha_star",
                measures=("within_variance", "view_spread"),
            ),
            claim_row(
                f"view-spread-{anchor}",
                f"The variance of an instance's views is the predicted one, up to {TOLERANCE:g} "
                f"{end}",
                data,
                _left(spread),
                source="simulate: view_spread, predicted_spread",
                measures=("view_spread",),
            ),
            claim_row(
                f"total-variance-{anchor}",
                f"The total variance is 1, up to {TOLERANCE:g} {end}",
                data,
                _left(total),
                source="simulate: total_variance",
                measures=("total_variance",),
            ),
        ]
    return claims


def _left(errors: Sequence[float]) -> list[float]:
    return [1 - error / TOLERANCE for error in errors]


def _error(rows: Sequence[Row], reached: str, predicted: str) -> float:
    return max(abs(_number(row, reached) - float(row[predicted])) for row in rows)


def _number(row: Row, name: str) -> float:
    """What a diverged point reached is wrong: no variance is that large."""
    return 2.0 if row[name] is None else float(row[name])


def _misjudged(row: Row) -> bool:
    # Views that are spread about a shared mean leave the instances collapsed.
    left = _number(row, "within_variance") - (row["view_spread"] or 0.0)
    return (left < COLLAPSED) != bool(row["alpha"] <= row["alpha_star"])
