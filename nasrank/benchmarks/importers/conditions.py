"""When a setting applies at all, found from where it is missing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs.settings import Condition, Setting

__all__ = ["with_conditions"]

_MOST_VALUES = 32
"""Most different values of a setting that decides."""
_FEWEST_ROWS = 3
"""Fewest rows with the setting, and without it, that show a rule."""
_ROWS_A_VALUE = 2
"""The same for each value of the setting that decides, on average."""


def with_conditions(
    columns: Sequence[Setting], values: NDArray[np.float64]
) -> tuple[Setting, ...]:
    """Say of each setting that is missing in some rows whether another one decides where.

    One decides if at each of its values all rows have the setting or none has, and enough rows
    show it. Of several the one that is never missing is taken, then the one with the fewest
    values, then the first by name, so neither the order of rows nor that of columns matters.

    Args:
        columns: The settings.
        values: ``[rows, settings]``, NaN where missing.
    """
    known = ~np.isnan(values)
    deciding = [_codes(values[:, number]) for number in range(len(columns))]
    ranked = sorted(
        (number for number, codes in enumerate(deciding) if 2 <= codes.max() + 1 <= _MOST_VALUES),
        key=lambda n: (not known[:, n].all(), int(deciding[n].max()), columns[n].name),
    )
    found = []
    for number, column in enumerate(columns):
        given = known[:, number]
        other = None
        if not given.all():
            other = next((n for n in ranked if n != number and _decides(deciding[n], given)), None)
        if other is None:
            found.append(column)
            continue
        at = np.unique(values[given, other])
        condition = Condition(columns[other].name, tuple(at.tolist()))
        found.append(replace(column, condition=condition))
    return tuple(found)


def _codes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number the values densely; -1 where missing."""
    known = ~np.isnan(values)
    codes = np.full(len(values), -1)
    codes[known] = np.unique(values[known], return_inverse=True)[1]
    return codes


def _decides(codes: NDArray[np.int64], given: NDArray[np.bool_]) -> bool:
    known = codes >= 0
    if (given & ~known).any():
        return False
    rows = np.bincount(codes[known])
    with_it = np.bincount(codes[known], weights=given[known], minlength=len(rows))
    if not ((with_it == 0) | (with_it == rows)).all():
        return False
    sides = [(rows[with_it > 0], with_it > 0), (rows[with_it == 0], with_it == 0)]
    return all(
        side.sum() >= max(_FEWEST_ROWS, _ROWS_A_VALUE * int(at.sum())) and at.any()
        for side, at in sides
    )
