"""The auxiliary scheme: a smooth divergence trains the critic, its ratio does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["AUXILIARIES", "Auxiliary", "primal_alpha"]

Ceiling: TypeAlias = Float[Tensor, "*members 1"] | float
"""Highest value of a critic that counts: one, or one for each set of items."""
Items: TypeAlias = Float[Tensor, "*members items"]
OneEach: TypeAlias = Float[Tensor, "*members"]


@dataclass(frozen=True)
class Auxiliary:
    """A divergence g that is easy to estimate by its dual form.

    Its dual estimate is ``E_P[T] - E_Q[g*(T)]``, highest at ``T = g'(p / q)``; from there the
    ratio is read off as ``(g*)'(T)``. The limits on T are those of the authors' release, except
    that the upper one gives way to a small lambda, see `ceiling`.

    Attributes:
        name: Short name.
        loss: Critic's loss by its values on data and on draws, and their ceiling: the mean
            over items of minus the dual estimate, lower is better.
        conjugate: ``g*`` of the critic's values on draws, with their limits.
        ratio: Density ratio ``p / q`` at the critic's values, within the lower limit and a
            ceiling, from 0 on.
        value: Value of the critic at a ratio, ``g'``.
        limits: Values of the critic at which its ratio stops to change.
    """

    name: str
    loss: Callable[[Items, Items, Ceiling], OneEach]
    conjugate: Callable[[Items], Items]
    ratio: Callable[[Items, Ceiling], Items]
    value: Callable[[Float[Tensor, "..."]], Float[Tensor, "..."]]
    limits: tuple[float, float]

    def ceiling(self, lam: OneEach) -> Float[Tensor, "*members 1"]:
        r"""Return the critic's highest value that counts, for weights of precision.

        It is the release's limit, or :math:`g'(1 / \lambda)` where that is higher: the estimate
        bends at the ratio :math:`1 / \lambda`, and where no ratio gets there all smaller weights
        would ask for the same. Of chi2 that concerns weights below 2/7.

        Args:
            lam: Weights, above 0.

        Example:
            >>> AUXILIARIES["chi2"].ceiling(torch.tensor([0.1, 1.0])).tolist()
            [[18.0], [5.0]]
        """
        return self.value(1 / lam[..., None]).clamp_min(self.limits[1])


def _chi2_conjugate(values: Items) -> Items:
    kept = values.clamp_min(-2.0)
    return kept.square() / 4 + kept


def _kl_conjugate(values: Items) -> Items:
    return (values.clamp_max(10.0) - 1).exp()


def _guarded(values: Items) -> Items:
    """Keep the critic of the reverse divergence below 0, where its conjugate is defined."""
    return values.clamp_max(0.0) - 1e-3


AUXILIARIES: Mapping[str, Auxiliary] = {
    each.name: each
    for each in (
        Auxiliary(
            "chi2",
            lambda real, fake, top: -real.clamp_max(top).mean(-1) + _chi2_conjugate(fake).mean(-1),
            _chi2_conjugate,
            lambda values, top: values.clamp_max(top).clamp_min(-2.0) / 2 + 1,
            lambda ratio: 2 * (ratio - 1),
            (-2.0, 5.0),
        ),
        Auxiliary(
            "kl",
            lambda real, fake, _top: -real.mean(-1) + _kl_conjugate(fake).mean(-1),
            _kl_conjugate,
            lambda values, _top: _kl_conjugate(values),
            lambda ratio: 1 + ratio.log(),
            (-float("inf"), 10.0),
        ),
        Auxiliary(
            "rkl",
            lambda real, fake, _top: (
                -_guarded(real).mean(-1) - (1 + (-_guarded(fake)).log()).mean(-1)
            ),
            lambda values: -1 - (-_guarded(values)).log(),
            lambda values, _top: -1 / _guarded(values),
            lambda ratio: -1 / ratio,
            (-float("inf"), 0.0),
        ),
    )
}
"""Auxiliary divergences: Pearson's chi2 (u-1)^2, kl u ln u, and its reverse rkl -ln u."""


def primal_alpha(
    lam: OneEach,
    *,
    fake: Items | None = None,
    real: Float[Tensor, "*members samples"] | None = None,
) -> OneEach:
    r"""Estimate precision at a weight from density ratios, in the bounded form.

    .. math:: \hat\alpha = \tfrac12 \operatorname{mean}_Q \min(\lambda r, 1)
        + \tfrac12 \operatorname{mean}_P \min(1 / r, \lambda)

    Either half is unbiased where the ratios are exact, and lies in [0, min(1, lambda)] up to
    sampling; with one side given it is the estimate alone. Only draws carry a gradient to the
    generator.

    Ratios read off a critic whose auxiliary divergence is epsilon below the best one put the
    divergence wrong by at most :math:`\lambda \sqrt{2 \varepsilon / \mu}`, with mu the strong
    convexity of g: 2 of chi2, none of the others.

    Args:
        lam: Weights of precision, above 0.
        fake: Ratios ``p / q`` at draws of the model, at least 0.
        real: Ratios at samples of the data, likewise.

    Returns:
        Estimates, higher is better.

    Raises:
        ValueError: Neither side is given.

    References:
        Verine et al. (2023), theorem on the estimation error.

    Example:
        >>> primal_alpha(torch.tensor(2.0), fake=torch.tensor([0.0, 0.25, 3.0]))
        tensor(0.5000)
    """
    halves = []
    if fake is not None:
        halves.append((lam[..., None] * fake).clamp_max(1.0).mean(-1))
    if real is not None:
        halves.append(torch.minimum(1 / real.clamp_min(1e-12), lam[..., None]).mean(-1))
    if not halves:
        raise ValueError("ratios of draws, of samples or of both are needed")
    return torch.stack(halves).mean(dim=0)
