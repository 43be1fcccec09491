"""Eight Gaussians on a ring: data whose density is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Float32, Float64
from scipy.special import ndtr

from nasrank.companions.precision_recall.pairs import AtomPair
from nasrank.errors import UsageError
from nasrank.seeds import numpy_generator

__all__ = ["RING_MODES", "Ring", "histogram_pair", "ring_pair"]

FloatArray = npt.NDArray[np.float64]

RING_MODES = 8
_RADIUS, _SPREAD = 2.0, 0.15
_REACH = 3.0
"""Standard deviations within which a point belongs to a mode: 98.9 % of its mass."""
_END, _CELLS = 3.5, 56


@dataclass(frozen=True)
class Ring:
    """A mixture of Gaussians at even angles on a circle of radius 2.

    Attributes:
        weights: Mass of each mode; scaled to add up to 1.
        spread: Standard deviation of each mode in either direction, above 0.
    """

    weights: tuple[float, ...] = (1.0,) * RING_MODES
    spread: float = _SPREAD

    def __post_init__(self) -> None:
        if len(self.weights) != RING_MODES or sum(self.weights) <= 0:
            raise UsageError(
                f"--mode-weights: the ring has {RING_MODES} modes, so give {RING_MODES} numbers "
                "from 0 on, not all of them 0"
            )

    @cached_property
    def masses(self) -> Float64[FloatArray, "8"]:
        """Mass of each mode."""
        given = np.asarray(self.weights, dtype=np.float64)
        masses: FloatArray = given / given.sum()
        return masses

    @property
    def centres(self) -> Float64[FloatArray, "8 2"]:
        """Centre of each mode."""
        angle = 2 * np.pi * np.arange(RING_MODES) / RING_MODES
        centres: FloatArray = _RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return centres

    def draw(self, count: int, part: str) -> Float32[np.ndarray, "{count} 2"]:
        """Draw points, the same ones every time.

        Args:
            count: How many.
            part: What they are for; parts are independent.
        """
        rng = numpy_generator(0, stream="ring", part=part)
        mode = rng.choice(RING_MODES, size=count, p=self.masses)
        points = self.centres[mode] + self.spread * rng.normal(size=(count, 2))
        return points.astype(np.float32)

    def cell_masses(
        self, edges: Float64[FloatArray, "edges"]
    ) -> Float64[FloatArray, "(edges-1)**2"]:
        """Integrate the density over a grid.

        Args:
            edges: Ascending edges of the cells in either direction.

        Returns:
            Masses of the cells, the first coordinate slowest.
        """
        below = ndtr((edges[:, None] - self.centres.T[:, None, :]) / self.spread)
        across, up = np.diff(below, axis=1)
        masses: FloatArray = np.einsum("im,jm,m->ij", across, up, self.masses).ravel()
        return masses

    def mode_shares(self, points: Float[np.ndarray, "n 2"]) -> Float64[FloatArray, "8"]:
        """Return the share of points within 3 standard deviations of each mode."""
        distance = np.linalg.norm(points[:, None] - self.centres, axis=2)
        share: FloatArray = (distance <= _REACH * self.spread).mean(axis=0)
        return share

    def recalls(self, points: Float[np.ndarray, "n 2"]) -> Float64[FloatArray, "8"]:
        """Return how much of each mode's mass is drawn.

        The share of points within 3 standard deviations over the mode's own mass
        there, at most 1; nan for a mode without mass.
        """
        inside = 1 - np.exp(-(_REACH**2) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            share: FloatArray = np.minimum(self.mode_shares(points) / (inside * self.masses), 1.0)
        return share

    @property
    def rare(self) -> Bool[np.ndarray, "8"]:
        """Modes with mass, but less than half of an even share."""
        return (self.masses > 0) & (self.masses < 0.5 / RING_MODES)


def ring_pair(data: Ring, model: Ring, cells: int = 700) -> AtomPair:
    """Return two rings as masses on a fine grid.

    A grid can only hide differences: the frontier lies above the true one, the less so the finer
    the grid.

    Example:
        >>> half = Ring((1, 1, 1, 1, 0, 0, 0, 0))
        >>> ring_pair(Ring(), half, 100).alpha([0.5, 2.0, 10.0]).round(3)
        array([0.25, 1.  , 1.  ])
    """
    end = _RADIUS + 6 * max(data.spread, model.spread)
    edges = np.linspace(-end, end, cells + 1)
    p, q = data.cell_masses(edges), model.cell_masses(edges)
    # Tails that underflow are no evidence of disjoint supports.
    p, q = np.maximum(p, 1e-300), np.maximum(q, 1e-300)
    return AtomPair(p / p.sum(), q / q.sum())


def histogram_pair(data: Ring, draws: Float[np.ndarray, "n 2"]) -> AtomPair:
    """Return the ring and a model's draws as masses on a grid of cells of side 0.125.

    The ring is integrated exactly. What falls off the grid is one more cell.

    Args:
        data: The ring.
        draws: Points, the more the better: noise of few draws reads as a difference.
    """
    edges = np.linspace(-_END, _END, _CELLS + 1)
    p = data.cell_masses(edges)
    count, _, _ = np.histogram2d(draws[:, 0], draws[:, 1], bins=[edges, edges])
    q = count.ravel() / len(draws)
    return AtomPair(np.append(p, max(0.0, 1 - p.sum())), np.append(q, max(0.0, 1 - q.sum())))
