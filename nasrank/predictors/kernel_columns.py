"""Settings, chains and measures of architectures as the columns of a kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

from nasrank.graphs.setting_columns import SettingColumns
from nasrank.graphs.settings import Setting, Settings

__all__ = ["ColumnTable", "column_tables"]

_COPY = 0.99999
"""Correlation from which two columns are one."""


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Columns of one reading of the settings.

    Attributes:
        settings: What the settings mean in this reading: scales may differ from the reader's.
        floor: Least value of each setting in the reference.
        made: How settings become columns.
        kept: Which of these columns remain.
        scale: What they are divided by to have a standard deviation of 1.
        groups: Group of each column, numbered from 0.
        two_valued: Whether a column has two values in the reference.
    """

    settings: tuple[Setting, ...]
    floor: Float64[np.ndarray, "settings"]
    made: SettingColumns
    kept: Int64[np.ndarray, "columns"]
    scale: Float64[np.ndarray, "columns"]
    groups: Int64[np.ndarray, "columns"]
    two_valued: Bool[np.ndarray, "columns"]

    @classmethod
    def of(cls, settings: Settings) -> ColumnTable:
        """Measure a reference: usually all architectures of a space."""
        made = SettingColumns.of(settings)
        rows = made.rows(settings)
        kept = _distinct(rows)
        spread = rows[:, kept].std(axis=0)
        names = [
            settings.columns[made.group[column]].series
            or settings.columns[made.group[column]].name
            for column in kept
        ]
        _, groups = np.unique(names, return_inverse=True) if names else ([], np.zeros(0, np.int64))
        two = np.array([len(np.unique(rows[:, column])) == 2 for column in kept], np.bool_)
        with np.errstate(all="ignore"):
            floor = np.array(
                [np.nanmin(v) if not np.isnan(v).all() else 0.0 for v in settings.values.T]
            )
        return cls(settings.columns, floor, made, kept, spread, np.asarray(groups, np.int64), two)

    def rows(self, settings: Settings) -> Float64[np.ndarray, "items columns"]:
        """Describe rows of the same settings."""
        read = Settings(self.settings, np.maximum(settings.values, self.floor))
        rows: NDArray[np.float64] = self.made.rows(read)[:, self.kept] / self.scale
        return rows


def column_tables(settings: Settings) -> tuple[ColumnTable, ...]:
    """Read settings on the scales that their numbers may have.

    These are the scales as given, and a log scale for every number that is always positive.

    Returns:
        One table, or two where these differ.
    """
    readings = dict.fromkeys(
        (
            settings.columns,
            tuple(
                replace(column, scale="log") if _has_logarithm(column, values) else column
                for column, values in zip(settings.columns, settings.values.T, strict=True)
            ),
        )
    )
    return tuple(ColumnTable.of(Settings(reading, settings.values)) for reading in readings)


def _has_logarithm(column: Setting, values: Float64[np.ndarray, "items"]) -> bool:
    distinct = np.unique(values[~np.isnan(values)])
    # Two values are the same column on every scale.
    return column.kind == "number" and len(distinct) > 2 and bool(distinct[0] > 0)


def _distinct(rows: Float64[np.ndarray, "items columns"]) -> Int64[np.ndarray, "kept"]:
    spread = rows.std(axis=0)
    varied = np.flatnonzero(spread > 0)
    unit = (rows[:, varied] - rows[:, varied].mean(axis=0)) / spread[varied]
    alike = np.abs(unit.T @ unit) / max(1, len(rows)) > _COPY
    first = [place for place in range(len(varied)) if not alike[place, :place].any()]
    return varied[first]
