"""What contrastive pre-training of a predictor is expected to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nasrank.companions.supcon.advice import guideline
from nasrank.study.claims import claim_row, paired_claim, trend_claim

__all__ = ["archs_claims", "base_archs"]

Row = dict[str, Any]


def base_archs(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without pre-training, and those with the first setting of it.

    Args:
        rows: Rows of ``archs``, those of the first values first.
    """
    names = ("temperature", "anchor", "tiers", "instances")
    first = next((row for row in rows if row["alpha"] is not None), None)
    return [
        row
        for row in rows
        if row["alpha"] is None or (first and all(row[name] == first[name] for name in names))
    ]


def archs_claims(rows: Sequence[Row]) -> list[Row]:
    """Judge what pre-training does, for each number of labelled architectures.

    Args:
        rows: Rows of ``archs``, those of the first values first.

    Returns:
        Rows of ``claims``.
    """
    base = [row for row in base_archs(rows) if row["alpha"] is not None]
    if not base:
        return []
    at = base[0]
    alphas = sorted({row["alpha"] for row in base})
    advice = guideline(at["tiers"], at["instances"], 2, at["temperature"], anchor=at["anchor"])
    low = alphas[0]
    moderate = min(alphas, key=lambda alpha: abs(alpha - advice.suggested))
    claims = []
    for size in dict.fromkeys(row["n_train"] for row in rows):
        own = [row for row in base if row["n_train"] == size]
        bare = {r["seed"]: r for r in rows if r["n_train"] == size and r["alpha"] is None}
        pre = _by_seed(own, moderate)
        end = f"({size} labelled)"
        data = f"{at['data']}, {size} labelled"
        claims.append(_variance_rises(own, data, end))
        claims += _usefulness(pre, bare, f"(alpha {moderate:g})", data, end)
        if low < moderate and low <= at["alpha_star"] < moderate:
            claims.append(
                _raises_tau(
                    "collapse-lowers-tau",
                    f"Collapsed pre-training (alpha {low:g}) gives a lower tau than moderate "
                    f"variance (alpha {moderate:g}) {end}",
                    data,
                    pre,
                    _by_seed(own, low),
                )
            )
        if 1.0 in alphas and moderate < 1:
            claims.append(
                _raises_tau(
                    "tiers-beat-self-supervision",
                    f"Pre-training with tiers (alpha {moderate:g}) gives a higher tau than pure "
                    f"self-supervision {end}",
                    data,
                    pre,
                    _by_seed(own, 1.0),
                )
            )
    return claims


def _variance_rises(own: Sequence[Row], data: str, end: str) -> Row:
    curves: dict[int, dict[float, float]] = {}
    for row in own:
        curve = curves.setdefault(row["seed"], {})
        if row["projector_within"] is not None:
            curve[row["alpha"]] = row["projector_within"]
    return trend_claim(
        "tier-variance-rises",
        f"The measured within-tier variance rises with alpha, as predicted {end}",
        data,
        [curves[seed] for seed in sorted(curves)],
        source="archs: projector_within, alpha",
    )


def _usefulness(
    pre: Mapping[int, Row], bare: Mapping[int, Row], how: str, data: str, end: str
) -> list[Row]:
    """Claim that pre-trained predictors are better than those that are not."""
    hits, bare_hits = (_column(rows, "first_hit_0.1pct") for rows in (pre, bare))
    return [
        _raises_tau(
            "pre-training-raises-tau",
            f"Pre-training {how} raises the predictor's tau {end}",
            data,
            pre,
            bare,
        ),
        claim_row(
            "pre-training-saves-evaluations",
            f"Pre-training {how} meets one of the top 0.1 % sooner (difference of log "
            f"evaluations) {end}",
            data,
            [
                float(np.log1p(bare_hits[seed])) - float(np.log1p(hits[seed]))
                for seed in sorted(hits.keys() & bare_hits.keys())
            ],
            source="archs: first_hit_0.1pct",
        ),
    ]


def _raises_tau(
    claim_id: str, statement: str, data: str, better: Mapping[int, Row], worse: Mapping[int, Row]
) -> Row:
    name = "kendall_tau"
    upper, lower = _column(better, name), _column(worse, name)
    return paired_claim(claim_id, statement, data, upper, lower, source=f"archs: {name}")


def _by_seed(rows: Sequence[Row], alpha: float) -> dict[int, Row]:
    return {row["seed"]: row for row in rows if row["alpha"] == alpha}


def _column(rows: Mapping[int, Row], name: str) -> dict[int, float]:
    return {seed: row[name] for seed, row in rows.items() if row[name] is not None}
