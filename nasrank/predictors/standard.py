"""Columns brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

__all__ = ["Standard"]


@dataclass(frozen=True, eq=False)
class Standard:
    """Brings columns to mean 0 and standard deviation 1 of the rows it was made from.

    Constant columns carry no information and are left out.

    Attributes:
        centre: Means.
        spread: ``[columns]``; 0 for those left out.

    Example:
        >>> rows = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> Standard.of(rows).apply(rows).tolist()
        [[-1.0], [1.0]]
    """

    centre: Float64[np.ndarray, "columns"]
    spread: Float64[np.ndarray, "columns"]

    @classmethod
    def of(cls, rows: Float64[np.ndarray, "items columns"]) -> Standard:
        """Measure rows."""
        alike = np.ptp(rows, axis=0) == 0
        return cls(rows.mean(axis=0), np.where(alike, 0.0, rows.std(axis=0)))

    def apply(
        self, rows: Float64[np.ndarray, "items columns"]
    ) -> Float64[np.ndarray, "items kept"]:
        """Return rows of the columns kept."""
        kept = self.spread > 0
        scaled: NDArray[np.float64] = (rows[:, kept] - self.centre[kept]) / self.spread[kept]
        return scaled
