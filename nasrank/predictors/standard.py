"""Columns brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Standard"]


@dataclass(frozen=True, eq=False)
class Standard:
    """Brings columns to mean 0 and standard deviation 1 of the rows it was made from.

    Columns in which these rows are all alike tell nothing and are left out.

    Attributes:
        centre: ``[columns]``.
        spread: ``[columns]``; 0 for those left out.

    Example:
        >>> rows = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> Standard.of(rows).apply(rows).tolist()
        [[-1.0], [1.0]]
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> Standard:
        """Measure ``[items, columns]``."""
        alike = np.ptp(rows, axis=0) == 0
        return cls(rows.mean(axis=0), np.where(alike, 0.0, rows.std(axis=0)))

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``[items, columns kept]``."""
        kept = self.spread > 0
        scaled: NDArray[np.float64] = (rows[:, kept] - self.centre[kept]) / self.spread[kept]
        return scaled
