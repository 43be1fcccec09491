"""Settings of an architecture as a whole: learning rates, widths, choices, switches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from nasrank.errors import DataError

__all__ = ["KINDS", "SCALES", "Condition", "Kind", "Scale", "Setting", "Settings"]

Kind: TypeAlias = Literal["number", "ordered", "category", "yes/no"]
Scale: TypeAlias = Literal["linear", "log"]

KINDS: tuple[Kind, ...] = ("number", "ordered", "category", "yes/no")
SCALES: tuple[Scale, ...] = ("linear", "log")

_YES_NO = ("no", "yes")


@dataclass(frozen=True)
class Condition:
    """When a setting applies at all.

    Attributes:
        setting: Name of the setting that decides.
        values: Its values at which the other applies, as they are stored.
    """

    setting: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """One column of settings.

    Attributes:
        name: Its name, unique in a space.
        kind: ``number``; ``ordered`` (levels from low to high); ``category`` (levels without
            order); ``yes/no``.
        scale: Whether steps of a number add or multiply; ``linear`` for all other kinds.
        levels: Names of the levels of an ordered setting or a category; ``("no", "yes")``;
            empty for numbers.
        series: What the settings along a chain share, such as ``stage*_kernel``; may be empty.
        position: Place in that chain, counted from 0.
        condition: When it applies; None where it always does.
    """

    name: str
    kind: Kind
    scale: Scale = "linear"
    levels: tuple[str, ...] = ()
    series: str = ""
    position: int = 0
    condition: Condition | None = None

    def __post_init__(self) -> None:
        """Refuse a description that contradicts itself.

        Raises:
            DataError: The kind or scale is unknown, levels are missing, repeated or not expected.
        """
        if self.kind not in KINDS or self.scale not in SCALES:
            raise DataError(
                f"setting {self.name!a}: no kind {self.kind!a} on a {self.scale!a} scale"
            )
        if self.scale == "log" and self.kind != "number":
            raise DataError(f"setting {self.name!a}: only a number has a log scale")
        named = self.kind in ("ordered", "category")
        if bool(self.levels) != (self.kind != "number") or len({*self.levels}) < len(self.levels):
            raise DataError(f"setting {self.name!a}: levels {self.levels} do not fit {self.kind}")
        if self.kind == "yes/no" and self.levels != _YES_NO:
            raise DataError(f"setting {self.name!a}: yes/no has the levels no and yes")
        if named and not self.levels:
            raise DataError(f"setting {self.name!a}: {self.kind} needs levels")

    def shown(self, value: float) -> str:
        """Spell a value for people; a dash where it is missing.

        Example:
            >>> Setting("lr", "number", "log").shown(0.0003)
            '0.0003'
            >>> Setting("optimizer", "category", levels=("adam", "sgd")).shown(1.0)
            'sgd'
        """
        if math.isnan(value):
            return "-"
        return self.levels[int(value)] if self.levels else f"{value:.6g}"


@dataclass(frozen=True, eq=False)
class Settings:
    """A table of settings: one row for each architecture, one column for each setting.

    Attributes:
        columns: What the columns mean.
        values: Numbers as they are; levels by their position; NaN where a setting is missing,
            which means "does not apply" where its condition says so and "not given" elsewhere.
    """

    columns: tuple[Setting, ...]
    values: Float64[np.ndarray, "items settings"]

    def __post_init__(self) -> None:
        """Refuse values that do not fit the columns.

        Raises:
            DataError: Shapes disagree, names repeat, a value is infinite or has no level, or a
                number on a log scale is not positive.
        """
        names = self.names
        if not names or len({*names}) < len(names):
            raise DataError(f"settings need names of their own, not {', '.join(names) or 'none'}")
        if self.values.ndim != 2 or self.values.shape[1] != len(names):
            raise DataError(f"settings of shape {self.values.shape} for {len(names)} names")
        for column, values in zip(self.columns, self.values.T, strict=True):
            known = values[~np.isnan(values)]
            wrong = np.isinf(known)
            if column.levels:
                wrong |= (known != np.floor(known)) | (known < 0) | (known >= len(column.levels))
            elif column.scale == "log":
                wrong |= known <= 0
            if wrong.any():
                raise DataError(
                    f"setting {column.name!a}: {known[wrong][0]:g} is not a value of {column.kind}"
                    f"{' on a log scale' if column.scale == 'log' else ''}"
                )

    def __len__(self) -> int:
        """Return the number of architectures."""
        return len(self.values)

    def __getitem__(self, items: Int64[np.ndarray, "chosen"] | Sequence[int] | slice) -> Settings:
        """Return the rows of the chosen architectures."""
        return Settings(self.columns, self.values[items])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the settings."""
        return tuple(column.name for column in self.columns)

    def recoded(self, columns: Sequence[Setting]) -> Settings:
        """Write the same settings as other columns: in their order, with their levels.

        Args:
            columns: Settings of the same names and kinds.

        Raises:
            DataError: A name is missing, kinds differ, or a value has no level there.
        """
        own = {column.name: number for number, column in enumerate(self.columns)}
        values = np.full((len(self), len(columns)), np.nan)
        for place, column in enumerate(columns):
            if column.name not in own:
                raise DataError(f"setting {column.name!a} is missing")
            old = self.columns[own[column.name]]
            given = self.values[:, own[column.name]]
            if old.kind != column.kind:
                raise DataError(f"setting {column.name!a} is {old.kind}, not {column.kind}")
            if column.levels and old.levels != column.levels:
                code = {level: float(number) for number, level in enumerate(column.levels)}
                missing = [level for level in old.levels if level not in code]
                codes = np.array([code.get(level, np.nan) for level in old.levels])
                known = ~np.isnan(given)
                values[known, place] = codes[given[known].astype(np.int64)]
                if np.isnan(values[known, place]).any():
                    raise DataError(f"setting {column.name!a} has no level {missing[0]!a}")
            else:
                values[:, place] = given
        return Settings(tuple(columns), values)

    def text(self, item: int) -> str:
        """Spell a row: every setting that is given, such as ``lr=0.001, depth=4``."""
        pairs = zip(self.columns, self.values[item], strict=True)
        return ", ".join(f"{c.name}={c.shown(v)}" for c, v in pairs if not math.isnan(v))

    def brief(self, item: int, setting: int) -> str:
        """Spell a value with three digits where it is no whole number, for lines that are read."""
        column, value = self.columns[setting], float(self.values[item, setting])
        if column.levels or math.isnan(value) or value.is_integer():
            return column.shown(value)
        return f"{value:.3g}"

    def changes(self, start: int, end: int) -> list[str]:
        """Spell what differs from one row to another, such as ``lr 0.0003 -> 0.001``.

        A whole number on a linear scale that grows or shrinks is spelt as ``depth +1``, what only
        one of the two has as ``with momentum 0.9`` or ``without momentum``.
        """
        changes = []
        pairs = zip(self.columns, self.values[start], self.values[end], strict=True)
        for place, (column, old, new) in enumerate(pairs):
            if old == new or (math.isnan(old) and math.isnan(new)):
                continue
            step = float(new - old)
            if math.isnan(old):
                changes.append(f"with {column.name} {self.brief(end, place)}")
            elif math.isnan(new):
                changes.append(f"without {column.name}")
            elif column.kind == "number" and column.scale == "linear" and step.is_integer():
                changes.append(f"{column.name} {step:+.6g}")
            else:
                before, after = self.brief(start, place), self.brief(end, place)
                if before == after:
                    before, after = column.shown(old), column.shown(new)
                changes.append(f"{column.name} {before} -> {after}")
        return changes
