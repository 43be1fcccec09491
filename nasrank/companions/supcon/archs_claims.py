"""What contrastive pre-training of a predictor is expected to show."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nasrank.companions.supcon.advice import guideline
from nasrank.companions.supcon.closed_form import Batch
from nasrank.companions.supcon.tables import ARCHITECTURES
from nasrank.companions.supcon.train_claims import base_rows
from nasrank.study.claims import Ahead, Claim, Of, Rises, judge
from nasrank.study.view import grouped

__all__ = ["ARCH_FACTORS", "archs_claims"]

Row = dict[str, Any]

ARCH_FACTORS = ("temperature", "anchor", "tiers", "instances")
"""Columns of ``archs`` that are varied one at a time."""


def archs_claims(rows: Sequence[Row]) -> list[Row]:
    """Judge what pre-training does, for each number of labelled architectures.

    Args:
        rows: Rows of ``archs``, those of the first values first.

    Returns:
        Rows of ``claims``.
    """
    base = base_rows(rows, ARCH_FACTORS)
    at = next((row for row in base if row["alpha"] is not None), None)
    if at is None:
        return []
    alphas = sorted({row["alpha"] for row in base} - {None})
    advice = guideline(Batch(at["tiers"], at["instances"], 2, at["temperature"], at["anchor"]))
    moderate = advice.nearest(alphas)
    claims = []
    for (size,), own in grouped(base, ["n_train"]).items():
        declared = _declared(f"({size} labelled)", alphas, moderate, at["alpha_star"])
        claims += judge(
            declared, own, data=f"{at['data']}, {size} labelled", table=ARCHITECTURES.name
        )
    return claims


def _declared(end: str, alphas: Sequence[float], moderate: float, star: float) -> Iterable[Claim]:
    low = alphas[0]
    yield Rises(
        "tier-variance-rises",
        f"The measured within-tier variance rises with alpha, as predicted {end}",
        _of("projector_within"),
        "alpha",
    )
    yield Ahead(
        "pre-training-raises-tau",
        f"Pre-training (alpha {moderate:g}) raises the predictor's tau {end}",
        _of("kendall_tau", alpha=moderate),
        _of("kendall_tau", alpha=None),
    )
    yield Ahead(
        "pre-training-saves-evaluations",
        f"Pre-training (alpha {moderate:g}) meets one of the top 0.1 % sooner (difference of log "
        f"evaluations) {end}",
        _of("first_hit_0.1pct", math.log1p, alpha=moderate),
        _of("first_hit_0.1pct", math.log1p, alpha=None),
    )
    if low < moderate and low <= star < moderate:
        yield Ahead(
            "collapse-lowers-tau",
            f"Collapsed pre-training (alpha {low:g}) gives a lower tau than moderate variance "
            f"(alpha {moderate:g}) {end}",
            _of("kendall_tau", alpha=moderate),
            _of("kendall_tau", alpha=low),
        )
    if 1.0 in alphas and moderate < 1:
        yield Ahead(
            "tiers-beat-self-supervision",
            f"Pre-training with tiers (alpha {moderate:g}) gives a higher tau than pure "
            f"self-supervision {end}",
            _of("kendall_tau", alpha=moderate),
            _of("kendall_tau", alpha=1.0),
        )


def _of(name: str, scale: Callable[[float], float] = float, **where: float | None) -> Of:
    return Of(ARCHITECTURES.column(name), where, scale=scale)
