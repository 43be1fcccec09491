"""Optimal transport with an entropy term, solved by scaling in the log domain."""

from __future__ import annotations

import logging
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import Clouds, weighted
from nasrank.named import Count, Positive

__all__ = ["sinkhorn"]

_LOG = logging.getLogger("nasrank")
_ENOUGH = 1e-9
_LOOK_EVERY = 10


def sinkhorn(
    clouds: Clouds,
    _draws: torch.Generator,
    *,
    reg: Positive = 10.0,
    iterations: Count = 10_000,
    weights: Literal["uniform", "near", "far"] = "uniform",
) -> Float[Tensor, "*batch pairs"]:
    r"""Cost of the entropic plan, without the entropy itself.

    .. math:: \rho(i, j) = \sum_{kl} P_{kl} \lVert x_k - y_l \rVert, \quad
        P = \arg\min_P \sum_{kl} P_{kl} (\lVert x_k - y_l \rVert + \varepsilon \log P_{kl})

    over plans with the right margins. ``reg`` is :math:`\varepsilon`, in the unit of the
    features: as it grows the plan tends to the product of the weights and the value to the mean
    distance, as it falls to the exact distance. All pairs are scaled at once, in float64 and as
    logarithms, until the margins are right to 1e-9 or there were enough scalings, of which a
    warning tells once. What is then wrong with the margins is moved to where it is missing, so
    that the value belongs to a plan and is never below the exact distance. The plan is a constant
    of the gradient.

    Args:
        clouds: The clouds.
        reg: Weight of the entropy.
        iterations: The most scalings.
        weights: Of the samples of a class: ``uniform``; ``near`` its mean count more; or ``far``.

    Returns:
        One a pair, at least the exact distance; 0 where a class has no sample.

    References:
        Cuturi (2013), "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS;
        Altschuler, Weed & Rigollet (2017), "Near-linear time approximation algorithms for optimal
        transport via Sinkhorn iteration", NeurIPS, whose algorithm 2 mends the margins.

    Example:
        With much entropy every point goes everywhere: (1 + 11 + 9 + 1) / 4 = 5.5.

        >>> from nasrank.seeds import torch_generator
        >>> points = torch.tensor([[[0.0], [10.0]], [[11.0], [1.0]]])
        >>> clouds = Clouds(points, torch.full((2, 2), 0.5))
        >>> round(float(sinkhorn(clouds, torch_generator(0), reg=1e6)), 3)
        5.5
    """
    clouds = weighted(clouds, weights)
    first, second = clouds.pairs
    costs = torch.cdist(
        clouds.points[..., first, :, :],
        clouds.points[..., second, :, :],
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    a, b = clouds.weights[..., first, :], clouds.weights[..., second, :]
    with torch.no_grad():
        plan = _scaled(costs.double(), a.double(), b.double(), reg, iterations)
    return (plan.to(costs) * costs).sum(dim=(-2, -1))


def _scaled(
    costs: Float64[Tensor, "*batch pairs n m"],
    a: Float64[Tensor, "*batch pairs n"],
    b: Float64[Tensor, "*batch pairs m"],
    reg: float,
    iterations: int,
) -> Float64[Tensor, "*batch pairs n m"]:
    # Without mass on one side there is nothing to scale, and no number that would do it.
    both = (a.sum(-1, keepdim=True) > 0) & (b.sum(-1, keepdim=True) > 0)
    log_a, log_b = a.log().unsqueeze(-1), b.log().unsqueeze(-2)
    kernel = -costs / reg
    down = torch.zeros_like(log_b)
    plan = torch.zeros_like(costs)
    for step in range(iterations):
        across = -torch.logsumexp(kernel + log_b + down, dim=-1, keepdim=True)
        across = torch.where(both.unsqueeze(-1), across, 0.0)
        down = -torch.logsumexp(kernel + log_a + across, dim=-2, keepdim=True)
        down = torch.where(both.unsqueeze(-1), down, 0.0)
        if step % _LOOK_EVERY == 0 or step == iterations - 1:
            plan = (kernel + log_a + across + log_b + down).exp()
            # What is no number will not become one.
            wrong = torch.where(both, (plan.sum(dim=-1) - a).abs(), 0.0).nan_to_num()
            if not wrong.numel() or float(wrong.max()) < _ENOUGH:
                break
    else:
        _warn_once(iterations)
    return torch.where(both.unsqueeze(-1), _with_margins(plan, a, b), plan)


def _with_margins(
    plan: Float64[Tensor, "*batch pairs n m"],
    a: Float64[Tensor, "*batch pairs n"],
    b: Float64[Tensor, "*batch pairs m"],
) -> Float64[Tensor, "*batch pairs n m"]:
    """Scale rows and columns down to their margins, and spread what is then missing over both."""
    plan = plan * _at_most_one(a, plan.sum(dim=-1)).unsqueeze(-1)
    plan = plan * _at_most_one(b, plan.sum(dim=-2)).unsqueeze(-2)
    rows, columns = a - plan.sum(dim=-1), b - plan.sum(dim=-2)
    rows, columns = rows.clamp_min(0), columns.clamp_min(0)
    missing = rows.sum(dim=-1, keepdim=True).unsqueeze(-1)
    more = rows.unsqueeze(-1) * columns.unsqueeze(-2)
    return plan + torch.where(missing > 0, more / missing, 0.0)


def _at_most_one(
    wanted: Float64[Tensor, "*batch n"], there: Float64[Tensor, "*batch n"]
) -> Float64[Tensor, "*batch n"]:
    return torch.where(there > wanted, wanted / there, 1.0)


@cache
def _warn_once(iterations: int) -> None:
    _LOG.warning(
        "sinkhorn did not reach its margins in %d scalings; what was wrong was spread evenly, so "
        "values are too large rather than too small. Give it more iterations or a larger reg",
        iterations,
    )
