"""What a cell of a table of settings says: a number, a word, yes or no, a list, or nothing."""

import math
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

from nasrank.benchmarks.importers.columns import number_of

__all__ = ["Cell", "cell_of", "spelled", "yes_or_no"]

Cell: TypeAlias = "float | bool | str | tuple[Cell, ...] | None"
"""One value; None where nothing is given. Numbers may be infinite, never NaN."""

_NOTHING = frozenset({"", "-", "--"})
_LONGEST_LIST = 100_000
_YES = frozenset({"yes", "true", "on"})
_NO = frozenset({"no", "false", "off"})


def cell_of(value: object) -> Cell:
    """Bring a value of a row to one of a few types.

    Args:
        value: As :func:`~nasrank.benchmarks.importers.records.read_records` leaves it. Text may
            still be a number, in a column that holds words too, or a list with semicolons.

    Returns:
        A number, True or False, a list as a tuple of the same, a text without blanks around it,
        or None. What is none of these, such as an object of JSON, is the name of its type in
        angle brackets.

    Example:
        >>> cell_of(" 1e-3 "), cell_of("adam"), cell_of([3, "conv", None]), cell_of(math.nan)
        (0.001, 'adam', (3.0, 'conv', None), None)
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, str):
        return _text(value.strip())
    if isinstance(value, list | tuple) and len(value) <= _LONGEST_LIST:
        # A list within a list is kept as what it is called, so that nothing nests without bound.
        return tuple(
            "<list>" if isinstance(each, list | tuple) else cell_of(each) for each in value
        )
    if isinstance(value, date | timedelta):  # which a datetime is too
        return str(value)
    return f"<{type(value).__name__}>"


def spelled(cell: Cell) -> str:
    """Write a cell that is no list as the name of a level.

    Example:
        >>> spelled(3.0), spelled(0.1), spelled(True), spelled("SGD")
        ('3', '0.1', 'true', 'SGD')
    """
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        whole = cell.is_integer() and abs(cell) < 2**53
        return str(int(cell)) if whole else repr(cell)
    return str(cell)


def yes_or_no(cell: Cell) -> bool | None:
    """Return what a cell says if it can only mean yes or no, else None.

    Example:
        >>> yes_or_no("True"), yes_or_no(0.0), yes_or_no("auto")
        (True, False, None)
    """
    if isinstance(cell, bool):
        return cell
    if isinstance(cell, float):
        return bool(cell) if cell in (0.0, 1.0) else None
    word = cell.lower() if isinstance(cell, str) else ""
    return True if word in _YES else False if word in _NO else None


def _number(value: float | Decimal) -> float | None:
    try:
        number = float(value)
    except (OverflowError, ValueError):
        number = math.inf if value > 0 else -math.inf
    return None if math.isnan(number) else number


def _text(text: str) -> Cell:
    if text in _NOTHING:
        return None
    number = number_of(text)
    if number is not None:
        return _number(number)
    if ";" in text:
        return tuple(_text(each.strip()) for each in text.split(";"))
    return text
