"""Transport plans with few non-zero entries, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import Clouds

__all__ = ["TransportPlan", "compress", "euclidean_cost", "greedy_plan", "joined", "mirrored"]

_NOTHING = 1e-12
"""Mass that is rounding and not flow."""
_AT_ONCE = 2**24
"""Coordinates of lines at a time."""


@dataclass(frozen=True, eq=False)
class TransportPlan:
    """For each pair of clouds, how much mass goes from where to where.

    Attributes:
        rows: Places in the first cloud.
        columns: Places in the second cloud.
        flow: Mass, not negative; 0 on padding.
    """

    rows: Int64[Tensor, "*batch entries"]
    columns: Int64[Tensor, "*batch entries"]
    flow: Float64[Tensor, "*batch entries"]


def greedy_plan(
    first: Float[Tensor, "*batch n"], second: Float[Tensor, "*batch m"]
) -> TransportPlan:
    """Fill a plan in the order of the points: the north-west corner rule.

    Walks both clouds at once, moves as much as both places still have, and steps on where one is
    used up. Done for all pairs at once: laid end to end on a line, the weights of the two clouds
    cut it into at most ``n + m - 1`` pieces, and each piece is one entry. On points sorted on a
    line the plan is optimal for every convex cost.

    Args:
        first: Weights, not negative; zeros are never used.
        second: Weights of the same total.

    Returns:
        A plan of ``n + m`` entries, some of them zero.

    References:
        Dantzig (1951), "Application of the simplex method to a transportation problem".

    Example:
        >>> plan = greedy_plan(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
        >>> cells = zip(plan.rows.tolist(), plan.columns.tolist(), plan.flow.tolist())
        >>> [(row, column, flow) for row, column, flow in cells if flow]
        [(0, 0, 0.25), (0, 1, 0.25), (1, 1, 0.5)]
    """
    ends = first.double().cumsum(-1), second.double().cumsum(-1)
    cuts = torch.cat(ends, dim=-1).sort(dim=-1).values
    # Totals differ by rounding, and what only one side has left must not go to padding.
    cuts = cuts.minimum(ends[0][..., -1:]).minimum(ends[1][..., -1:])
    begins = torch.nn.functional.pad(cuts[..., :-1], (1, 0))
    middle = ((begins + cuts) / 2).contiguous()
    rows, columns = (
        torch.searchsorted(end.contiguous(), middle).clamp(max=end.shape[-1] - 1) for end in ends
    )
    return TransportPlan(rows, columns, cuts - begins)


def mirrored(
    plan: TransportPlan, first: Int64[Tensor, "*batch"], second: Int64[Tensor, "*batch"]
) -> TransportPlan:
    """Keep the first half of a plan's mass, and repeat it from the other end.

    The flow from i to j becomes flow from ``n - 1 - i`` to ``m - 1 - j`` as well. Where the
    weights read the same from both ends, as equal ones do, nothing changes; otherwise the plan
    moves the average of the weights and their mirror image.

    Args:
        plan: Made by `greedy_plan`, so in order, of total mass 1.
        first: Number of points of the first clouds.
        second: Number of points of the second clouds.
    """
    ends = plan.flow.cumsum(-1)
    half = (0.5 - (ends - plan.flow)).clamp(min=0).minimum(plan.flow)
    back = TransportPlan(
        (first.unsqueeze(-1) - 1 - plan.rows).clamp(min=0),
        (second.unsqueeze(-1) - 1 - plan.columns).clamp(min=0),
        half,
    )
    return joined([TransportPlan(plan.rows, plan.columns, half), back])


def joined(plans: list[TransportPlan]) -> TransportPlan:
    """Put the entries of several plans into one."""
    return TransportPlan(
        torch.cat([plan.rows for plan in plans], dim=-1),
        torch.cat([plan.columns for plan in plans], dim=-1),
        torch.cat([plan.flow for plan in plans], dim=-1),
    )


def compress(plan: TransportPlan) -> TransportPlan:
    """Drop entries that are zero in every pair of the batch, and move the others together."""
    used = plan.flow > _NOTHING
    most = max(int(used.sum(dim=-1).max()), 1) if used.numel() else 1
    if most >= plan.flow.shape[-1]:
        return plan
    order = used.logical_not().byte().argsort(dim=-1, stable=True)[..., :most]
    return TransportPlan(
        *(part.gather(-1, order) for part in (plan.rows, plan.columns, plan.flow))
    )


def euclidean_cost(clouds: Clouds, plan: TransportPlan) -> Float[Tensor, "*batch pairs"]:
    r"""Cost of moving each pair's mass along straight lines.

    .. math:: \rho = \sum_{ij} P_{ij} \lVert x_i - y_j \rVert, \qquad
        \frac{\partial \rho}{\partial x_i} = \sum_j P_{ij}
        \frac{x_i - y_j}{\lVert x_i - y_j \rVert}

    The plan is a constant of the gradient, which is exact where the plan is optimal (envelope
    theorem). The gradient of a line of length 0 is taken as 0.

    Returns:
        One cost a pair, in the unit of the points; 0 where a class has no sample.
    """
    plan = compress(
        TransportPlan(plan.rows, plan.columns, plan.flow * clouds.present.unsqueeze(-1))
    )
    first, second = clouds.pairs
    size = clouds.points.shape[-2]
    flat = clouds.points.flatten(-3, -2)

    def ends_at(
        pair: Int64[Tensor, "pairs"], places: Int64[Tensor, "*batch pairs entries"]
    ) -> Float[Tensor, "*batch pairs entries d"]:
        index = (pair.unsqueeze(-1) * size + places).flatten(-2).unsqueeze(-1)
        taken = flat.gather(-2, index.expand(*index.shape[:-1], flat.shape[-1]))
        return taken.reshape(*places.shape, flat.shape[-1])

    # Lines have all dimensions: those of a hundred classes would fill the memory at once.
    one = plan.flow[..., :1, :].numel() * flat.shape[-1]
    each = max(_AT_ONCE // max(one, 1), 1)
    costs = []
    for start in range(0, max(len(first), 1), each):
        pairs = slice(start, start + each)
        rows, columns, flow = (
            part[..., pairs, :] for part in (plan.rows, plan.columns, plan.flow)
        )
        lines = ends_at(first[pairs], rows) - ends_at(second[pairs], columns)
        lengths: Tensor = torch.linalg.vector_norm(lines, dim=-1)
        costs.append((flow.to(lines) * lengths).sum(dim=-1))
    return torch.cat(costs, dim=-1)
