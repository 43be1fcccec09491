"""What can be said of precision-recall divergences without training anything."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float64

from nasrank.companions.precision_recall.options import TheoryConfig
from nasrank.companions.precision_recall.pairs import (
    GaussianPair,
    Given,
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
from nasrank.companions.precision_recall.tables import CONJUGATE, PR_THEORY, REBUILT, WEIGHTS
from nasrank.errors import UsageError
from nasrank.study.options import flag_of
from nasrank.tables import Table

__all__ = ["pr_conjugate", "theory_of"]

_OPTIONS = {
    "gaussians": ("mean", "sd"),
    "discrete": ("p", "q"),
    "ring": ("modes", "spread"),
    "samples": ("samples",),
}
"""Options of each pair."""


def theory_of(config: TheoryConfig) -> dict[Table, list[dict[str, Any]]]:
    r"""Compute frontier, divergences and weights of a pair.

    Precision and recall are traded by the f-divergence ``E_Q[f(p / q)]`` of data P and model Q
    with

    .. math:: f_\lambda(u) = \max(\lambda u, 1) - \max(\lambda, 1)

    which is convex, 0 at 1 and lambda-Lipschitz, and has its only kink at ``1 / lambda``. It comes
    to ``min(1, lambda) - alpha_lambda``, where ``alpha_lambda`` is the precision on the frontier
    at this weight: a large lambda looks at precision, a small one at recall. The critic that
    attains its dual form is lambda where ``lambda p > q`` and 0 elsewhere. It switches rather than
    slopes, which is why a generator that follows it learns nothing.

    Returns:
        Rows of `PR_THEORY`, `CONJUGATE`, `REBUILT` and `WEIGHTS`.

    Raises:
        UsageError: An option is that of another pair, or the pair is not one of distributions.
        DataError: The file of samples cannot be read.

    References:
        Verine et al. (2023), "Precision-Recall Divergence Optimization for Generative Modeling
        with GANs and Normalizing Flows", NeurIPS.
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
    return {
        PR_THEORY: frontier,
        CONJUGATE: conjugate,
        REBUILT: _rebuilt(words, known),
        WEIGHTS: lambda_weights(lambdas),
    }


def pr_conjugate(slope: Given, lam: float) -> Float64[np.ndarray, "*shape"]:
    r"""Convex conjugate of the divergence's function over ratios from 0 on; see `theory_of`.

    .. math:: f_\lambda^*(t) = \max(t, 0) / \lambda + \max(\lambda - 1, 0)
        \text{ for } t \le \lambda, \quad \infty \text{ for } t > \lambda

    Args:
        slope: Values of the critic, of any shape.
        lam: Weight of precision, above 0.

    Returns:
        Values of the shape of ``slope``.

    Example:
        >>> pr_conjugate([-1.0, 1.0, 2.0, 3.0], 2.0)
        array([1. , 1.5, 2. , inf])
    """
    t = np.asarray(slope, dtype=np.float64)
    inside = np.maximum(t, 0.0) / lam + max(lam - 1.0, 0.0)
    return np.where(t <= lam, inside, np.inf)


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
