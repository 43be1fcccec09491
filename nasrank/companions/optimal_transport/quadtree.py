"""Transport on a tree of nested cells: the tree-Wasserstein distance and FlowTree."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import Clouds
from nasrank.companions.optimal_transport.transport import (
    TransportPlan,
    euclidean_cost,
    greedy_plan,
    joined,
)
from nasrank.named import Count

__all__ = ["Cells", "flowtree", "make_cells", "tree_plan", "twd"]

_PRIME = 0x9E3779B97F4A7C15 - (1 << 64)
"""An odd number without pattern, to give each cell a number of its own."""


@dataclass(frozen=True, eq=False)
class Cells:
    """A tree over all points of a batch, the root left out.

    Attributes:
        levels: From large cells to small ones, the cell of each point. Cells are nested, and
            numbered from 0 in each batch so that the children of one cell follow one another. In
            the last level only equal points share a cell.
        order: For each class the places of its points in the order of the last level, padding
            last.
    """

    levels: tuple[Int64[Tensor, "*batch classes n"], ...]
    order: Int64[Tensor, "*batch classes n"]


def make_cells(clouds: Clouds, draws: torch.Generator, levels: int) -> Cells:
    """Cut space by nested grids with a random origin.

    The largest cells have the sum of the ranges of all coordinates as their side, since two
    points are parted by a random grid with a chance of at most their city-block distance over
    the side; sides halve from level to level. One tree serves all classes of a batch.
    """
    with torch.no_grad():
        points = clouds.points.double()
        real = clouds.weights > 0
        shape, batches = real.shape, real.shape[:-2].numel()
        flat = points.reshape(batches, -1, points.shape[-1])
        inside = real.reshape(batches, -1, 1)
        low = flat.masked_fill(~inside, torch.inf).amin(dim=1, keepdim=True)
        high = flat.masked_fill(~inside, -torch.inf).amax(dim=1, keepdim=True)
        side = (high - low).sum(dim=-1, keepdim=True).nan_to_num(posinf=0, neginf=0)
        side = side.clamp(min=torch.finfo(torch.float32).tiny)
        shift = torch.rand(flat.shape[-1], generator=draws, dtype=torch.float64).to(points)
        # Padding has a cell of its own, the last of each batch.
        placed = torch.where(inside, (flat - low) / side + shift, -1.0)
        member = torch.arange(batches, device=flat.device).unsqueeze(-1).expand(inside.shape[:2])
        number = torch.where(inside.squeeze(-1), 0, 1) + 2 * member
        found = []
        for level in range(levels + 1):
            if level < levels:
                corner = (placed * 2.0**level).floor().long()
            else:
                corner = torch.where(inside, flat, 0.0).contiguous().view(torch.int64)
            number = _refined(number, corner)
            found.append(_from_zero(number).reshape(shape))
        ranks = torch.where(real, found[-1], torch.iinfo(torch.int64).max)
    return Cells(tuple(found), ranks.argsort(dim=-1, stable=True))


def twd(
    clouds: Clouds, draws: torch.Generator, *, levels: Count = 12
) -> Float[Tensor, "*batch pairs"]:
    r"""Tree-Wasserstein distance on nested cells.

    .. math:: \rho(i, j) = \sum_c \lVert m_c - m_{p(c)} \rVert \, |\mu_i(c) - \mu_j(c)|

    over all cells c, with the mean :math:`m_c` of the points in a cell, that of its parent
    p(c), and the share :math:`\mu_i(c)` of class i in it. Edges as long as the way from mean to
    mean, in place of the usual side of the cell, make the tree distance of two points at least
    their distance in space, so that the value is at least the exact one, and let gradients
    through; who is in which cell is a constant of the gradient.

    Args:
        clouds: The clouds.
        draws: Draws the origin of the grid.
        levels: Number of grids.

    Returns:
        One a pair, at least that of `flowtree` with the same draws.

    References:
        Indyk & Thaper (2003), "Fast image retrieval via embeddings"; Le et al. (2019),
        "Tree-sliced variants of Wasserstein distances", NeurIPS.
    """
    cells = make_cells(clouds, draws, levels)
    first, second = clouds.pairs
    points = clouds.points.flatten(-3, -2)
    shares = clouds.weights.to(points)
    real = (clouds.weights > 0).flatten(-2).to(points).unsqueeze(-1)
    above = _means_of(points, real, torch.zeros_like(cells.levels[0]).flatten(-2), 1)
    parent = torch.zeros_like(cells.levels[0]).flatten(-2)
    total = torch.zeros((), device=points.device, dtype=points.dtype)
    for level in cells.levels:
        flat = level.flatten(-2)
        count = int(flat.max()) + 1
        means = _means_of(points, real, flat, count)
        # Every point of a cell has the same parent, so any one of them may say which.
        parents = torch.zeros(
            *flat.shape[:-1], count, dtype=torch.int64, device=points.device
        ).scatter(-1, flat, parent)
        length = (means - _rows(above, parents)).norm(dim=-1)
        inside = torch.zeros(*level.shape[:-1], count, device=points.device, dtype=points.dtype)
        inside = inside.scatter_add(-1, level, shares)
        excess = (inside[..., first, :] - inside[..., second, :]).abs()
        total = total + (excess * length.unsqueeze(-2)).sum(dim=-1)
        above, parent = means, flat
    return total * clouds.present


def flowtree(
    clouds: Clouds, draws: torch.Generator, *, levels: Count = 12
) -> Float[Tensor, "*batch pairs"]:
    """FlowTree: the plan that is optimal on the tree of `twd`, at its cost in space.

    The plan is found from the leaves up: what can be moved within a cell is moved there, the rest
    goes to the cell above. It is a constant of the gradient.

    Args:
        clouds: The clouds.
        draws: Draws the origin of the grid.
        levels: Number of grids.

    Returns:
        One a pair, at least the exact distance; 0 where a class has no sample.

    References:
        Backurs et al. (2020), "Scalable nearest neighbor search for optimal transport", ICML.
    """
    return euclidean_cost(clouds, tree_plan(clouds, make_cells(clouds, draws, levels)))


def tree_plan(clouds: Clouds, cells: Cells) -> TransportPlan:
    """Return an optimal plan on a tree for each pair of clouds."""
    first, second = clouds.pairs
    with torch.no_grad():
        sorted_weights = clouds.weights.double().gather(-1, cells.order)
        left = [sorted_weights[..., side, :].clone() for side in (first, second)]
        plans = []
        for level in (*reversed(cells.levels), torch.zeros_like(cells.levels[0])):
            ordered = level.gather(-1, cells.order)
            count = int(level.max()) + 1
            own = [ordered[..., side, :] for side in (first, second)]
            held = [
                torch.zeros(*mass.shape[:-1], count, dtype=mass.dtype, device=mass.device)
                .scatter_add(-1, cell, mass)
                for mass, cell in zip(left, own, strict=True)
            ]  # fmt: skip
            moved = torch.minimum(*held)
            taken = []
            for mass, cell, total in zip(left, own, held, strict=True):
                before = mass.cumsum(-1) - mass
                starts = (total.cumsum(-1) - total).gather(-1, cell)
                quota = moved.gather(-1, cell) - (before - starts)
                taken.append(quota.clamp(min=0).minimum(mass))
            # Cells lie one behind the other and hold as much on both sides, so that one walk
            # over all of them never leaves a cell.
            plans.append(greedy_plan(*taken))
            left = [mass - part for mass, part in zip(left, taken, strict=True)]
        plan = joined(plans)
        rows = cells.order[..., first, :].gather(-1, plan.rows)
        columns = cells.order[..., second, :].gather(-1, plan.columns)
        return TransportPlan(rows, columns, plan.flow)


def _refined(
    number: Int64[Tensor, "batches points"], corner: Int64[Tensor, "batches points d"]
) -> Int64[Tensor, "batches points"]:
    """Number cells within their parents, so that the children of one follow one another."""
    mixed = torch.zeros_like(number)
    for column in corner.unbind(-1):
        mixed = (mixed ^ (column * _PRIME)) * _PRIME
        mixed = mixed ^ (mixed >> 29)
    own = torch.unique(mixed, return_inverse=True)[1]
    nested: Tensor = torch.unique(number * (int(own.max()) + 1) + own, return_inverse=True)[1]
    return nested


def _from_zero(number: Int64[Tensor, "batches points"]) -> Int64[Tensor, "batches points"]:
    return number - number.amin(dim=-1, keepdim=True)


def _rows(
    table: Float[Tensor, "*batch above d"], rows: Int64[Tensor, "*batch cells"]
) -> Float[Tensor, "*batch cells d"]:
    return table.gather(-2, rows.unsqueeze(-1).expand(*rows.shape, table.shape[-1]))


def _means_of(
    points: Float[Tensor, "*batch points d"],
    real: Float[Tensor, "*batch points 1"],
    cell: Int64[Tensor, "*batch points"],
    count: int,
) -> Float[Tensor, "*batch {count} d"]:
    index = cell.unsqueeze(-1).expand(points.shape)
    zeros = torch.zeros(
        *points.shape[:-2], count, points.shape[-1], dtype=points.dtype, device=points.device
    )
    sums = zeros.scatter_add(-2, index, points * real)
    many = zeros.scatter_add(-2, index, real.expand(points.shape))
    return sums / many.clamp(min=1)
