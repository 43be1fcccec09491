"""Settings as standardised columns that any predictor can take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.graphs.settings import Setting, Settings

__all__ = ["SettingColumns"]


@dataclass(frozen=True, eq=False)
class SettingColumns:
    """Columns of settings, with the mean and scale that make two calls comparable.

    A number, or its logarithm on a log scale, and the level of an ordered setting take one column
    of mean 0 and standard deviation 1 over the reference. A category takes one column a level, or
    one in all for two levels; their variances add up to 1, so that it weighs as much as a number.
    A missing value is 0, the mean; where it sets some architectures of the reference apart, a
    further column says which have the setting. A setting that is the same everywhere takes no
    column.

    Attributes:
        names: Such as ``lr``, ``optimizer=sgd``, ``kernel_5 given``.
        group: Number of the setting that each column belongs to.
        mean: What is subtracted from each.
        scale: What each is divided by.
    """

    names: tuple[str, ...]
    group: Int64[np.ndarray, "columns"]
    mean: Float64[np.ndarray, "columns"]
    scale: Float64[np.ndarray, "columns"]

    @classmethod
    def of(cls, settings: Settings) -> SettingColumns:
        """Measure a reference: usually all architectures of a space."""
        kept: list[_Column] = []
        moments: list[tuple[float, float]] = []
        patterns: set[bytes] = set()
        for column in _raw(settings):
            known = column.values[~np.isnan(column.values)]
            if len(known) == 0 or known.min() == known.max():
                continue
            # Settings that are missing together have one column between them that says so.
            pattern = column.values.tobytes()
            if column.says_given and pattern in patterns:
                continue
            patterns.add(pattern)
            kept.append(column)
            moments.append((float(known.mean()), float(known.std())))
        mean, scale = np.array(moments).reshape(-1, 2).T
        group = np.array([column.setting for column in kept], np.int64)
        for number, setting in enumerate(settings.columns):
            if setting.kind == "category":
                own = group == number
                own &= np.array([not column.says_given for column in kept], bool)
                scale[own] = np.sqrt((scale[own] ** 2).sum())
        return cls(tuple(column.name for column in kept), group, mean, scale)

    def rows(self, settings: Settings) -> Float64[np.ndarray, "items columns"]:
        """Describe rows of the same settings.

        Returns:
            Standardised columns; 0 where a setting is missing.
        """
        raw = {column.name: column.values for column in _raw(settings)}
        rows = np.zeros((len(settings), len(self.names)))
        for place, name in enumerate(self.names):
            rows[:, place] = (raw[name] - self.mean[place]) / self.scale[place]
        return np.nan_to_num(rows)


class _Column(NamedTuple):
    """Unscaled: NaN where missing."""

    name: str
    setting: int
    says_given: bool
    values: Float64[np.ndarray, "items"]


def _raw(settings: Settings) -> Iterator[_Column]:
    for number, setting in enumerate(settings.columns):
        values = settings.values[:, number]
        for name, column in _of_setting(setting, values).items():
            yield _Column(name, number, False, column)
        given = (~np.isnan(values)).astype(np.float64)
        yield _Column(f"{setting.name} given", number, True, given)


def _of_setting(
    setting: Setting, values: Float64[np.ndarray, "items"]
) -> dict[str, Float64[np.ndarray, "items"]]:
    if setting.scale == "log":
        return {setting.name: np.log(values)}
    if setting.kind != "category" or len(setting.levels) == 2:
        return {setting.name: values}
    missing = np.isnan(values)
    return {
        f"{setting.name}={level}": np.where(missing, np.nan, values == code)
        for code, level in enumerate(setting.levels)
    }
