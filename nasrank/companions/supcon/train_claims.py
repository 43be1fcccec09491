"""What trained encoders are expected to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasrank.companions.supcon.advice import guideline
from nasrank.study.claims import claim_row, paired_claim, trend_claim

__all__ = ["FACTORS", "base_of", "base_rows", "ends", "training_claims"]

FACTORS = (
    "temperature", "anchor", "encoder", "features", "classes", "instances", "augmentation",
    "imbalance", "label_noise", "initial_scale",
)  # fmt: skip
"""Columns of ``train`` that are varied one at a time."""

_SAME = 0.01
_SAME_LOSS = 0.05
Row = Mapping[str, Any]
Values = dict[int, float]


def base_of(rows: Sequence[Row]) -> tuple[Any, ...]:
    """Return the factors of the first row, which is the one that the others vary."""
    return tuple(rows[0][name] for name in FACTORS)


def base_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in which no factor is varied."""
    return [row for row in rows if _factors(row) == base_of(rows)]


def ends(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the alphas of a sweep that stand for collapse and for moderate variance.

    Collapse is the least alpha. Moderate is the one nearest to what theory suggests for the
    batches of the sweep, whatever was measured.

    Args:
        rows: Rows of ``train`` of one sweep.
    """
    alphas = sorted({row["alpha"] for row in rows})
    at = rows[0]
    advice = guideline(
        at["classes"], at["instances"], at["views"], at["temperature"], anchor=at["anchor"]
    )
    return alphas[0], min(alphas, key=lambda alpha: abs(alpha - advice.suggested))


def training_claims(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Judge the claims on the first value of every factor, and on what varies it.

    Args:
        rows: Rows of ``train``, those of the first values first.

    Returns:
        Rows of ``claims``; those for which no run was made are left out, as is all where the
        sweep has no alpha below its threshold or none above.
    """
    if not rows:
        return []
    base = base_rows(rows)
    low, moderate = ends(base)
    if low == moderate or low > base[0]["alpha_star"] or moderate <= base[0]["alpha_star"]:
        return []
    data = f"{base[0]['data']}, {base[0]['method']}"
    claims = [
        trend_claim(
            "variance-rises",
            "The measured within-class variance rises with alpha, as predicted",
            data,
            [_curve(base, "projector_within", seed) for seed in _seeds(base)],
            source="train: projector_within, alpha",
        ),
        *_ahead(base, low, moderate, data, _FINER),
        *_sweep_claims(base, low, moderate, data),
        *_ahead(base, low, moderate, data, _HARDER),
    ]
    if 1.0 in _alphas(base) and moderate < 1:
        claims.append(
            paired_claim(
                "moderate-beats-self-supervision",
                f"Moderate variance (alpha {moderate:g}) beats pure self-supervision",
                data,
                _values(base, "fine_probe_accuracy", moderate),
                _values(base, "fine_probe_accuracy", 1.0),
                source="train: fine_probe_accuracy",
            )
        )
    return claims + _shifted(rows, base, low, moderate, data)


_FINER = {
    "fine_probe_accuracy": (
        "moderate-beats-collapse",
        (
            "Finer labels are read better at moderate variance (alpha {moderate:g}) than under "
            "collapse (alpha {low:g})"
        ),
    ),
    "fine_knn_accuracy": (
        "moderate-beats-collapse-neighbours",
        "Likewise by nearest neighbours",
    ),
    "fine_probe_projector": (
        "moderate-beats-collapse-projector",
        "Likewise on the projector's output, where the loss is taken",
    ),
}
_HARDER = {
    "fine_probe_rotated": (
        "moderate-beats-collapse-turned",
        "Moderate variance beats collapse where test samples are turned",
    ),
    "fine_probe_noisy": (
        "moderate-beats-collapse-noisy",
        "Moderate variance beats collapse where test samples are noisy",
    ),
}


def _ahead(
    rows: Sequence[Row],
    low: float,
    moderate: float,
    data: str,
    said: Mapping[str, tuple[str, str]],
) -> list[dict[str, Any]]:
    """Claim of each column that it is better at moderate variance than under collapse."""
    claims = []
    for name, (claim_id, statement) in said.items():
        upper, lower = _values(rows, name, moderate), _values(rows, name, low)
        # Images alone are turned.
        if said is _FINER or (upper and lower):
            told = statement.format(moderate=moderate, low=low)
            claims.append(
                paired_claim(claim_id, told, data, upper, lower, source=f"train: {name}")
            )
    return claims


def _sweep_claims(
    base: Sequence[Row], low: float, moderate: float, data: str
) -> list[dict[str, Any]]:
    """Claim what a sweep of alpha says as a whole, and what does not tell its ends apart."""
    fine = {alpha: _values(base, "fine_probe_accuracy", alpha) for alpha in _alphas(base)}
    others = [alpha for alpha in fine if alpha > base[0]["alpha_star"]]
    means = {alpha: sum(own.values()) / len(own) for alpha, own in fine.items() if own}
    best = max(means, key=lambda alpha: means[alpha], default=moderate)
    seeds = _seeds(base)
    coarse = [_values(base, "coarse_train_accuracy", alpha) for alpha in (moderate, low)]
    return [
        claim_row(
            "collapse-is-worst",
            "Every alpha above the threshold beats collapse on finer labels",
            data,
            [
                min(fine[alpha][seed] for alpha in others) - fine[low][seed]
                for seed in seeds
                if all(seed in fine[alpha] for alpha in (low, *others))
            ],
            source="train: fine_probe_accuracy",
        ),
        claim_row(
            "same-coarse-accuracy",
            f"The coarse training accuracy of the two is the same, up to {_SAME:g}",
            data,
            _closeness(coarse[0], coarse[1], _SAME),
            source="train: coarse_train_accuracy",
        ),
        claim_row(
            "same-loss",
            f"The loss of the two is as far above its floor, up to {_SAME_LOSS:g}: a low loss "
            "does not tell them apart",
            data,
            _closeness(_gap(base, moderate), _gap(base, low), _SAME_LOSS),
            source="train: final_loss, loss_floor",
        ),
        claim_row(
            "suggestion-is-near-best",
            f"The alpha that theory suggests is within {_SAME:g} of the best of the sweep "
            f"(alpha {best:g}) on finer labels",
            data,
            [
                _SAME - (fine[best][seed] - fine[moderate][seed])
                for seed in seeds
                if seed in fine[best] and seed in fine[moderate]
            ],
            source="train: fine_probe_accuracy",
        ),
    ]


def _shifted(
    rows: Sequence[Row], base: Sequence[Row], low: float, moderate: float, data: str
) -> list[dict[str, Any]]:
    claims = []
    for factor, words in (("label_noise", "label noise"), ("imbalance", "imbalance")):
        most = max(row[factor] for row in rows)
        own = [row for row in rows if _only(row, base[0], factor) and row[factor] == most]
        if most == base[0][factor] or not {low, moderate} <= set(_alphas(own)):
            continue
        told = f"{words} {most:g}"
        fine = {
            (alpha, kind): _values(of, "fine_probe_accuracy", alpha)
            for kind, of in (("base", base), ("own", own))
            for alpha in (low, moderate)
        }
        if factor == "label_noise":
            claims.append(
                paired_claim(
                    "label-noise-variance",
                    f"With {told} the classes are spread more under pure supervision",
                    data,
                    _values(own, "projector_within", low),
                    _values(base, "projector_within", low),
                    source="train: projector_within, label_noise",
                )
            )
        else:
            claims.append(
                paired_claim(
                    "imbalance-variance",
                    f"With {told} the rarest class has less variance than the largest one "
                    f"(alpha {moderate:g})",
                    data,
                    _values(own, "largest_class_within", moderate),
                    _values(own, "smallest_class_within", moderate),
                    source="train: largest_class_within, smallest_class_within",
                )
            )
        key = factor.replace("_", "-")
        claims += [
            paired_claim(
                f"{key}-lowers-transfer",
                f"With {told} finer labels are read worse (alpha {moderate:g})",
                data,
                fine[moderate, "base"],
                fine[moderate, "own"],
                source=f"train: fine_probe_accuracy, {factor}",
            ),
            paired_claim(
                f"{key}-widens-gain",
                f"With {told} moderate variance gains more over collapse than without",
                data,
                _difference(fine[moderate, "own"], fine[low, "own"]),
                _difference(fine[moderate, "base"], fine[low, "base"]),
                source=f"train: fine_probe_accuracy, {factor}",
            ),
        ]
    return claims


def _factors(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in FACTORS)


def _only(row: Row, base: Row, factor: str) -> bool:
    return all(row[name] == base[name] for name in FACTORS if name != factor)


def _seeds(rows: Sequence[Row]) -> list[int]:
    return sorted({row["seed"] for row in rows})


def _alphas(rows: Sequence[Row]) -> list[float]:
    return sorted({row["alpha"] for row in rows})


def _values(rows: Sequence[Row], name: str, alpha: float) -> Values:
    own = (row for row in rows if row["alpha"] == alpha and row[name] is not None)
    return {row["seed"]: row[name] for row in own}


def _curve(rows: Sequence[Row], name: str, seed: int) -> dict[float, float]:
    own = (row for row in rows if row["seed"] == seed and row[name] is not None)
    return {row["alpha"]: row[name] for row in own}


def _gap(rows: Sequence[Row], alpha: float) -> Values:
    own = (row for row in rows if row["alpha"] == alpha and row["final_loss"] is not None)
    return {row["seed"]: row["final_loss"] - row["loss_floor"] for row in own}


def _difference(first: Values, second: Values) -> Values:
    return {seed: first[seed] - second[seed] for seed in first.keys() & second.keys()}


def _closeness(first: Values, second: Values, tolerance: float) -> list[float]:
    return [tolerance - abs(each) for each in _difference(first, second).values()]
