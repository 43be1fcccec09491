"""The exact earth mover's distance, solved pair by pair by POT."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import Clouds, weighted
from nasrank.companions.optimal_transport.transport import TransportPlan, euclidean_cost
from nasrank.errors import needing

__all__ = ["emd"]

# Weights are known to sum to 1, and nobody looks at the dual: for small clouds these checks take
# longer than the solution.
_SETTINGS: dict[str, Any] = {
    "numItermax": 10_000_000,
    "check_marginals": False,
    "center_dual": False,
}


def emd(
    clouds: Clouds,
    _draws: torch.Generator,
    *,
    weights: Literal["uniform", "near", "far"] = "uniform",
) -> Float[Tensor, "*batch pairs"]:
    r"""Earth mover's distance: the cheapest way to move one class onto the other.

    .. math:: \rho(i, j) = \min_{P \ge 0} \sum_{kl} P_{kl} \lVert x_k - y_l \rVert, \quad
        P 1 = a, \; P^\top 1 = b

    with the Euclidean ground cost, not its square. The network simplex runs on the CPU, one pair
    at a time, in about cubic time; the gradient holds the optimal plan, which the envelope
    theorem makes exact.

    Args:
        clouds: The clouds.
        weights: Of the samples of a class: ``uniform``; ``near`` its mean count more; or ``far``.

    Returns:
        One a pair; 0 where a class has no sample.

    Raises:
        UsageError: POT is not installed.

    References:
        Bonneel et al. (2011), "Displacement interpolation using Lagrangian mass transport".

    Example:
        >>> from nasrank.seeds import torch_generator
        >>> points = torch.tensor([[[0.0], [10.0]], [[11.0], [1.0]]])
        >>> float(emd(Clouds(points, torch.full((2, 2), 0.5)), torch_generator(0)))
        1.0
    """
    clouds = weighted(clouds, weights)
    return euclidean_cost(clouds, _optimal(clouds))


def _optimal(clouds: Clouds) -> TransportPlan:
    with needing("ot", "emd needs POT"):
        from ot.lp import emd as solve
    points = clouds.points.detach().double().cpu()
    counts = clouds.counts.reshape(-1, clouds.classes).tolist()
    flat = points.reshape(-1, *points.shape[-3:])
    shares = clouds.weights.cpu().double().reshape(-1, *points.shape[-3:-1]).numpy()
    pairs = [part.tolist() for part in clouds.pairs]
    entries = 2 * points.shape[-2]
    places = np.zeros((2, len(flat), len(pairs[0]), entries), np.int64)
    flow = np.zeros((len(flat), len(pairs[0]), entries))
    for batch, cloud in enumerate(flat):
        for pair, (i, j) in enumerate(zip(*pairs, strict=True)):
            n, m = counts[batch][i], counts[batch][j]
            if not n or not m:
                continue
            costs = torch.cdist(cloud[i, :n], cloud[j, :m]).numpy()
            # A model that has diverged: its loss will say so, and the solver would not end.
            if not np.isfinite(costs).all():
                continue
            plan = solve(shares[batch, i, :n], shares[batch, j, :m], costs, **_SETTINGS)
            used = np.nonzero(plan)
            places[:, batch, pair, : len(used[0])] = used
            flow[batch, pair, : len(used[0])] = plan[used]
    shape = (*clouds.points.shape[:-3], len(pairs[0]), entries)
    device = clouds.points.device
    rows, columns = (torch.from_numpy(each).reshape(shape).to(device) for each in places)
    return TransportPlan(rows, columns, torch.from_numpy(flow).reshape(shape).to(device))
