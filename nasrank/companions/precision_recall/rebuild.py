"""Any f-divergence as an integral over precision-recall divergences."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Real

from nasrank.companions.precision_recall.pairs import AtomPair, GaussianPair, Pair

__all__ = ["F_DIVERGENCES", "FDivergence", "Rebuilt", "direct", "lambda_weights", "rebuild"]

FloatArray = npt.NDArray[np.float64]
_NODES = 32
_AS_GOOD_AS_INFINITE = 1e100


@dataclass(frozen=True)
class FDivergence:
    """A divergence ``E_Q[f(p / q)]`` and what it asks of every lambda.

    Attributes:
        name: Short name.
        formula: The function f, less its tangent at 1, as text.
        generator: f, less its tangent at 1, at ratios above 0.
        log_weight: Logarithm of the weight of lambda, ``f''(1 / lambda) / lambda^3``, at ln
            lambda: neither overflows where the other would. None of total variation, whose weight
            is all at lambda = 1.
        weight_text: The weight as text.
        at_zero: f at 0, what mass of the model without data costs.
        at_infinity: Slope of f at infinity, what mass of the data without model costs.
        lower_tail: Integral of ``weight(l) l`` from 0 to an end.
        upper_tail: Integral of ``weight(l)`` from an end to infinity.
    """

    name: str
    formula: str
    generator: Callable[[Float64[FloatArray, "*shape"]], Float64[FloatArray, "*shape"]]
    log_weight: Callable[[Float64[FloatArray, "*shape"]], Float64[FloatArray, "*shape"]] | None
    weight_text: str
    at_zero: float
    at_infinity: float
    lower_tail: Callable[[float], float]
    upper_tail: Callable[[float], float]


_INFINITE = lambda _end: math.inf

F_DIVERGENCES: Mapping[str, FDivergence] = {
    each.name: each
    for each in (
        FDivergence(
            "kl", "u ln u - u + 1", lambda u: u * np.log(u) - u + 1,
            lambda t: -2 * t, "1/l^2", 1.0, math.inf, _INFINITE, lambda end: 1 / end,
        ),
        FDivergence(
            "rkl", "-ln u + u - 1", lambda u: -np.log(u) + u - 1,
            lambda t: -t, "1/l", math.inf, 1.0, lambda end: end, _INFINITE,
        ),
        FDivergence(
            "chi2", "(u - 1)^2", lambda u: (u - 1) ** 2,
            lambda t: math.log(2) - 3 * t, "2/l^3", 1.0, math.inf,
            _INFINITE, lambda end: end**-2.0,
        ),
        FDivergence(
            "neyman", "(1 - u)^2 / u", lambda u: u - 2 + 1 / u,
            lambda t: np.full_like(t, math.log(2)), "2", math.inf, 1.0,
            lambda end: end**2, _INFINITE,
        ),
        FDivergence(
            "hellinger", "(sqrt(u) - 1)^2", lambda u: (np.sqrt(u) - 1) ** 2,
            lambda t: -1.5 * t - math.log(2), "1/(2 l^1.5)", 1.0, 1.0, math.sqrt,
            lambda end: 1 / math.sqrt(end),
        ),
        FDivergence(
            "gan", "u ln u - (u + 1) ln((u + 1) / 2)",
            lambda u: u * np.log(u) - (u + 1) * np.log((u + 1) / 2),
            lambda t: -t - np.logaddexp(0, t), "1/(l (1 + l))", math.log(2), math.log(2),
            math.log1p, lambda end: math.log1p(1 / end),
        ),
        FDivergence(
            "tv", "|u - 1| / 2", lambda u: np.abs(u - 1) / 2,
            None, "all at l = 1", 0.5, 0.5, _INFINITE, _INFINITE,
        ),
    )
}  # fmt: skip
"""Divergences by name; ``gan`` is twice Jensen and Shannon's."""


@dataclass(frozen=True)
class Rebuilt:
    """A divergence put together from precision-recall divergences.

    Attributes:
        value: The integral; infinite where it is above 1e100.
        recall_share: Share of it from lambda below 1, where recall has the say; nan where the
            value is 0 or infinite.
    """

    value: float
    recall_share: float


def rebuild(pair: Pair, divergence: FDivergence) -> Rebuilt:
    r"""Integrate precision-recall divergences to an f-divergence.

    .. math:: D_f(P \| Q) = \int_0^\infty \frac{f''(1/\lambda)}{\lambda^3}
        D_\lambda(P \| Q) \, d\lambda

    The integral is taken over ln lambda, with Gauss and Legendre's rule of 32 nodes between the
    places where the divergence is not smooth; where mass lies outside of the other's support,
    what is left beyond the ends is known in closed form.

    References:
        Verine et al. (2023), theorem on f-divergences as weighted averages of precision-recall
        divergences.

    Example:
        >>> round(rebuild(GaussianPair(1.0), F_DIVERGENCES["kl"]).value, 9)
        0.5
    """
    if divergence.log_weight is None:
        return Rebuilt(float(pair.divergence([1.0])[0]), math.nan)
    edges = pair.edges()
    nodes, heights = np.polynomial.legendre.leggauss(_NODES)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    at = middle[:, None] + half[:, None] * nodes
    # An infinite divergence is found by its integrand, which has no largest value; what is 0
    # stays 0 under any weight.
    with np.errstate(over="ignore", divide="ignore"):
        inner = np.log(pair.divergence(np.exp(at)))
        parts = (np.exp(inner + divergence.log_weight(at) + at) @ heights) * half
    low, high = math.exp(edges[0]), math.exp(edges[-1])
    below = float(parts[edges[1:] <= 0].sum())
    above = float(parts[edges[:-1] >= 0].sum())
    if pair.data_alone > 0:
        below += pair.data_alone * divergence.lower_tail(low)
    if pair.model_alone > 0:
        above += pair.model_alone * divergence.upper_tail(high)
    total = below + above
    if total > _AS_GOOD_AS_INFINITE:
        total = math.inf
    share = below / total if 0 < total < math.inf else math.nan
    return Rebuilt(total, share)


def direct(pair: Pair, divergence: FDivergence) -> float | None:
    """Return an f-divergence by its own definition, or None where it has no closed form.

    Args:
        pair: Gaussians, for which the field's closed forms are used, or atoms, over which the
            definition is summed.
        divergence: Which one.

    Returns:
        A value from 0 on, infinite where it is above 1e100, which in double precision is mass
        that the other distribution all but lacks; None for Gaussians and ``gan``, and for total
        variation between Gaussians, where the frontier itself is the closed form.

    Example:
        >>> round(direct(GaussianPair(1.0), F_DIVERGENCES["chi2"]), 6)
        1.718282
    """
    if isinstance(pair, GaussianPair):
        return _between_gaussians(pair.mean, pair.sd, divergence.name)
    if not isinstance(pair, AtomPair):
        return None
    both = (pair.data > 0) & (pair.model > 0)
    ratio = pair.data[both] / pair.model[both]
    # Ratios beyond what can be squared belong to divergences that are as good as infinite.
    with np.errstate(over="ignore"):
        value = float((pair.model[both] * divergence.generator(ratio)).sum())
    if pair.data_alone > 0:
        value += pair.data_alone * divergence.at_infinity
    if pair.model_alone > 0:
        value += pair.model_alone * divergence.at_zero
    return value if value <= _AS_GOOD_AS_INFINITE else math.inf


def lambda_weights(
    lambdas: Sequence[float] | Real[np.ndarray, "lambdas"],
) -> list[dict[str, Any]]:
    """List the weight every divergence gives to each lambda.

    Args:
        lambdas: Weights of precision, above 0.

    Returns:
        One row a divergence and lambda: ``divergence``, ``lambda``, ``weight`` (None for total
        variation, whose weight is a single atom at 1), ``formula``.
    """
    at = np.asarray(lambdas, dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for each in F_DIVERGENCES.values():
        known = each.log_weight
        heights = [None] * len(at) if known is None else np.exp(known(np.log(at))).tolist()
        rows += [
            {"divergence": each.name, "lambda": float(lam), "weight": height,
             "formula": each.weight_text}
            for lam, height in zip(at, heights, strict=True)
        ]  # fmt: skip
    return rows


def _between_gaussians(mean: float, sd: float, name: str) -> float | None:
    two = sd * sd
    value = None
    match name:
        case "kl":
            value = -math.log(sd) + (two + mean**2 - 1) / 2
        case "rkl":
            value = math.log(sd) + (1 + mean**2) / (2 * two) - 0.5
        case "chi2":
            value = math.inf
            if two < 2:
                value = math.exp(mean**2 / (2 - two)) / (sd * math.sqrt(2 - two)) - 1
        case "neyman":
            value = math.inf
            if 2 * two > 1:
                value = two / math.sqrt(2 * two - 1) * math.exp(mean**2 / (2 * two - 1)) - 1
        case "hellinger":
            spread = math.sqrt(2 * sd / (1 + two))
            value = 2 - 2 * spread * math.exp(-(mean**2) / (4 * (1 + two)))
    return value
