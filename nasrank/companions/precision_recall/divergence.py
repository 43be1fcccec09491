"""The family of precision-recall divergences: generator, conjugate and best critic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Real

from nasrank.errors import UsageError

__all__ = ["Given", "best_critic", "checked_lambdas", "pr_conjugate", "pr_generator"]

FloatArray = npt.NDArray[np.float64]

Given: TypeAlias = float | Sequence[float] | Real[np.ndarray, "*shape"]
"""Numbers, of which others of the same shape are made."""


def checked_lambdas(lambdas: Given) -> Float64[FloatArray, "*shape"]:
    """Return weights as an array, and refuse any that is not a positive finite number.

    Args:
        lambdas: Weights of any shape.

    Raises:
        UsageError: One is not above 0, or not finite.
    """
    weights = np.asarray(lambdas, dtype=np.float64)
    wrong = weights[~(np.isfinite(weights) & (weights > 0))]
    if wrong.size:
        raise UsageError(
            f"lambda {wrong.flat[0]:g}: the weight of precision should be a positive number. "
            "Give values such as --lambdas 0.1,1,10"
        )
    return weights


def pr_generator(ratio: Given, lam: float) -> Float64[FloatArray, "*shape"]:
    r"""The function whose f-divergence trades precision for recall.

    .. math:: f_\lambda(u) = \max(\lambda u, 1) - \max(\lambda, 1)

    It is convex, 0 at 1, lambda-Lipschitz, and has its only kink at ``1 / lambda``. With
    ``D_f(P || Q) = E_Q[f(p / q)]``, P the data and Q the model, its divergence is
    ``min(1, lambda) - alpha_lambda``, where ``alpha_lambda`` is the precision on the frontier of
    precision and recall at this weight. A large lambda looks at precision, a small one at recall.

    Args:
        ratio: Density ratios ``p / q``, at least 0.
        lam: Weight of precision, above 0.

    Returns:
        Values of the shape of ``ratio``.

    References:
        Verine et al. (2023), "Precision-Recall Divergence Optimization for Generative Modeling
        with GANs and Normalizing Flows", NeurIPS.

    Example:
        >>> pr_generator([0.0, 0.5, 1.0, 2.0], 2.0)
        array([-1., -1.,  0.,  2.])
    """
    u = np.asarray(ratio, dtype=np.float64)
    return np.asarray(np.maximum(lam * u, 1.0) - max(lam, 1.0))


def pr_conjugate(slope: Given, lam: float) -> Float64[FloatArray, "*shape"]:
    r"""Convex conjugate of `pr_generator` over ratios from 0 on.

    .. math:: f_\lambda^*(t) = \max(t, 0) / \lambda + \max(\lambda - 1, 0)
        \text{ for } t \le \lambda, \quad \infty \text{ for } t > \lambda

    Args:
        slope: Values of the critic.
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


def best_critic(data: Given, model: Given, lam: float) -> Float64[FloatArray, "*shape"]:
    """The critic that attains the dual form: lambda where data prevails and 0 elsewhere.

    It switches rather than slopes, which is why a generator that follows it learns nothing.

    Args:
        data: Density of the data at some points.
        model: Density of the model there.
        lam: Weight of precision.

    Returns:
        ``lam`` where ``lam * data > model`` and 0 elsewhere; ties, where anything between would
        do, count as 0.

    Example:
        >>> best_critic([0.2, 0.1], [0.3, 0.3], 2.0)
        array([2., 0.])
    """
    p, q = np.asarray(data, dtype=np.float64), np.asarray(model, dtype=np.float64)
    return np.where(lam * p > q, float(lam), 0.0)
