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
        plain = [row for row in rows if row["n_train"] == size and row["alpha"] is None]
        data = f"{at['data']}, {size} labelled"
        end = f"({size} labelled)"
        pre = _by_seed(own, moderate)
        collapsed = _by_seed(own, low)
        bare = {row["seed"]: row for row in plain}
        seeds = sorted({row["seed"] for row in own})
        claims.append(
            trend_claim(
                "tier-variance-rises",
                f"The measured within-tier variance rises with alpha, as predicted {end}",
                data,
                [
                    {
                        row["alpha"]: row["projector_within"]
                        for row in own
                        if row["seed"] == seed and row["projector_within"] is not None
                    }
                    for seed in seeds
                ],
                source="archs: projector_within, alpha",
            )
        )
        claims += [
            paired_claim(
                "pre-training-raises-tau",
                f"Pre-training (alpha {moderate:g}) raises the predictor's tau {end}",
                data,
                _column(pre, "kendall_tau"),
                _column(bare, "kendall_tau"),
                source="archs: kendall_tau",
            ),
            claim_row(
                "pre-training-saves-evaluations",
                f"Pre-training (alpha {moderate:g}) meets one of the top 0.1 % sooner (difference "
                f"of log evaluations) {end}",
                data,
                [
                    float(np.log1p(bare[seed]["first_hit_0.1pct"]))
                    - float(np.log1p(pre[seed]["first_hit_0.1pct"]))
                    for seed in sorted(pre.keys() & bare.keys())
                    if None not in {bare[seed]["first_hit_0.1pct"], pre[seed]["first_hit_0.1pct"]}
                ],
                source="archs: first_hit_0.1pct",
            ),
        ]
        if low < moderate and low <= at["alpha_star"] < moderate:
            claims.append(
                paired_claim(
                    "collapse-lowers-tau",
                    f"Collapsed pre-training (alpha {low:g}) gives a lower tau than moderate "
                    f"variance (alpha {moderate:g}) {end}",
                    data,
                    _column(pre, "kendall_tau"),
                    _column(collapsed, "kendall_tau"),
                    source="archs: kendall_tau",
                )
            )
        if 1.0 in alphas and moderate < 1:
            claims.append(
                paired_claim(
                    "tiers-beat-self-supervision",
                    f"Pre-training with tiers (alpha {moderate:g}) gives a higher tau than pure "
                    f"self-supervision {end}",
                    data,
                    _column(pre, "kendall_tau"),
                    _column(_by_seed(own, 1.0), "kendall_tau"),
                    source="archs: kendall_tau",
                )
            )
    return claims


def _by_seed(rows: Sequence[Row], alpha: float) -> dict[int, Row]:
    return {row["seed"]: row for row in rows if row["alpha"] == alpha}


def _column(rows: Mapping[int, Row], name: str) -> dict[int, float]:
    return {seed: row[name] for seed, row in rows.items() if row[name] is not None}
