"""What can be said of precision-recall divergences without training anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nasrank.companions.precision_recall.divergence import pr_conjugate
from nasrank.companions.precision_recall.options import TheoryConfig
from nasrank.companions.precision_recall.pairs import (
    GaussianPair,
    Pair,
    discrete_pair,
    read_pair,
)
from nasrank.companions.precision_recall.rebuild import (
    F_DIVERGENCES,
    direct,
    lambda_weights,
    rebuild,
)
from nasrank.companions.precision_recall.ring import RING_MODES, Ring, ring_pair
from nasrank.errors import UsageError
from nasrank.study.options import flag_of

__all__ = ["Theory", "theory_of"]

_OPTIONS = {
    "gaussians": ("mean", "sd"),
    "discrete": ("p", "q"),
    "ring": ("modes", "spread"),
    "samples": ("samples",),
}
"""What can be said of each pair."""


@dataclass(frozen=True)
class Theory:
    """What is known of a pair.

    Attributes:
        frontier: Rows of ``pr_theory``.
        conjugate: Rows of ``pr_conjugate``.
        rebuilt: Rows of ``pr_rebuilt``.
        weights: Rows of ``pr_weights``.
    """

    frontier: list[dict[str, Any]]
    conjugate: list[dict[str, Any]]
    rebuilt: list[dict[str, Any]]
    weights: list[dict[str, Any]]


def theory_of(config: TheoryConfig) -> Theory:
    """Compute frontier, divergences and weights of a pair.

    Args:
        config: The pair and the weights.

    Raises:
        UsageError: An option is that of another pair, or the pair is not one of distributions.
        DataError: The file of samples cannot be read.
    """
    for pair, names in _OPTIONS.items():
        for name in names:
            if pair != config.pair and name in config.model_fields_set:
                raise UsageError(f"{flag_of(name)} is an option of --pair {pair}. Leave it out")
    lambdas = np.asarray(config.lambdas, dtype=np.float64)
    words, known = _pair(config)
    alpha, value = known.alpha(lambdas), known.divergence(lambdas)
    frontier = [
        {"pair": words, "lambda": float(lam), "alpha": float(a), "beta": float(a / lam),
         "divergence": float(d)}
        for lam, a, d in zip(lambdas, alpha, value, strict=True)
    ]  # fmt: skip
    conjugate = [
        {"lambda": lam, "critic": t, "conjugate": float(pr_conjugate(t, lam))}
        for lam in lambdas.tolist()
        for t in (-lam, 0.0, lam / 2, lam)
    ]
    return Theory(frontier, conjugate, _rebuilt(words, known), lambda_weights(lambdas))


def _pair(config: TheoryConfig) -> tuple[str, Pair]:
    match config.pair:
        case "gaussians":
            name = f"data N({config.mean:g}, {config.sd:g}^2), model N(0, 1)"
            return name, GaussianPair(config.mean, config.sd)
        case "discrete":
            return f"masses on {len(config.p)} points", discrete_pair(config.p, config.q)
        case "ring":
            kept = tuple(float(mode < config.modes) for mode in range(RING_MODES))
            name = f"ring of 8 modes, model of {config.modes} with sd {config.spread:g}"
            return name, ring_pair(Ring(), Ring(kept, config.spread))
        case _:
            if config.samples is None:
                raise UsageError("--pair samples needs a file. Name it with --samples")
            return f"samples of {config.samples.name}", read_pair(config.samples)


def _rebuilt(name: str, pair: Pair) -> list[dict[str, Any]]:
    rows = []
    for each in F_DIVERGENCES.values():
        found = rebuild(pair, each)
        known = direct(pair, each)
        both = known is not None and math.isfinite(known) and math.isfinite(found.value)
        rows.append(
            {
                "pair": name,
                "divergence": each.name,
                "generator": each.formula,
                "weights": each.weight_text,
                "rebuilt": found.value,
                "direct": known,
                "error": found.value - known if both and known is not None else None,
                "recall_share": None if np.isnan(found.recall_share) else found.recall_share,
            }
        )
    return rows
