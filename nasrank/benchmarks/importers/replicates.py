"""Rows of a table that train one architecture again: further training seeds, not architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = ["Replicates"]

_MOST_VALUES = 2**24
"""Values of a table of labels, architectures x seeds, beyond which rows stay as they are."""


@dataclass(frozen=True, eq=False)
class Replicates:
    """Rows of a table by the architecture that each of them trains.

    Attributes:
        first: ``[architectures]`` the first row of each, ascending.
        owner: ``[rows]`` the architecture of each row, by number.
    """

    first: Int64[np.ndarray, "architectures"]
    owner: Int64[np.ndarray, "rows"]

    @classmethod
    def of(cls, names: Sequence[str], groups: Sequence[str] | None = None) -> Replicates:
        """Find the rows of one name; those of different groups stay apart.

        Where one architecture has so many rows that a table of its seeds would not fit in memory,
        no rows are joined.

        Args:
            names: ``[rows]`` what tells architectures apart.
            groups: ``[rows]`` names of groups that a split must not divide, or None.
        """
        numbers: dict[object, int] = {}
        keys = names if groups is None else zip(names, groups, strict=True)
        owner = np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
        most = int(np.bincount(owner).max(initial=0))
        if len(numbers) * most > max(_MOST_VALUES, len(names)):
            owner = np.arange(len(names))
        return cls(np.unique(owner, return_index=True)[1], owner)

    def labels(
        self, values: Float64[np.ndarray, "rows seeds"]
    ) -> Float64[np.ndarray, "architectures more_seeds"]:
        """Put the labels of rows beside each other.

        Args:
            values: Labels, NaN where there is none.

        Returns:
            The labels in the order of their rows, then NaN; as many columns as the architecture
            with most rows that have a label needs.
        """
        labelled = np.flatnonzero(~np.isnan(values).all(axis=1))
        owner = self.owner[labelled]
        order = np.argsort(owner, kind="stable")
        counts = np.bincount(owner, minlength=len(self.first))
        starts = np.cumsum(counts) - counts
        turn = np.empty(len(labelled), np.int64)
        turn[order] = np.arange(len(labelled)) - starts[owner[order]]
        turns, seeds = max(1, int(counts.max(initial=0))), values.shape[1]
        joined = np.full((len(self.first), turns, seeds), np.nan)
        joined[owner, turn] = values[labelled]
        return joined.reshape(len(self.first), turns * seeds)

    def failed(
        self, failed: Bool[np.ndarray, "rows"], values: Float64[np.ndarray, "rows seeds"]
    ) -> Bool[np.ndarray, "architectures"]:
        """Return where a training failed and no row has a label."""
        size = len(self.first)
        failures = np.bincount(self.owner[failed], minlength=size)
        successes = np.bincount(self.owner[~np.isnan(values).all(axis=1)], minlength=size)
        return np.asarray((failures > 0) & (successes == 0))

    def mean(
        self, values: Float64[np.ndarray, "rows"] | None
    ) -> Float64[np.ndarray, "architectures"] | None:
        """Return means over the rows that have a number; NaN without any, None for None."""
        if values is None:
            return None
        known = ~np.isnan(values)
        size = len(self.first)
        total = np.bincount(self.owner[known], weights=values[known], minlength=size)
        count = np.bincount(self.owner[known], minlength=size)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)
