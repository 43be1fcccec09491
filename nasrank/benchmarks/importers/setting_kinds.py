"""The kind of a setting, found from its cells or given by the user."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.cells import Cell, spelled, yes_or_no
from nasrank.errors import UsageError
from nasrank.graphs.settings import Scale, Setting

__all__ = [
    "MOST_LEVELS",
    "Wish",
    "WrongCellError",
    "coded",
    "found_kind",
    "is_geometric",
    "read_wish",
]

MOST_LEVELS = 32
"""Most different values of a column that mixes numbers and words."""
_MOST_STEPS = 8
"""Most levels of numbers that are taken as ordered because one of them is zero."""
_LEAST_RATIO = 4.0
"""Largest over smallest of a setting on a log scale, at least."""
_EVENER = 0.9
"""How much more even the gaps between logarithms have to be than those between numbers."""

_ORDERS = (
    "nano micro tiny mini small medium base large xlarge huge giant",
    "xxs xs s m l xl xxl",
    "lowest low medium high highest",
    "very_low low moderate high very_high",
    "never rarely sometimes often always",
    "none weak moderate strong",
    "none light medium heavy",
    "slowest slow medium fast fastest",
    "short medium long",
    "narrow medium wide",
    "shallow medium deep",
    "easy medium hard",
)
"""Words whose order everybody knows."""

_KINDS = ("log", "linear", "number", "category", "yes/no", "ordered")


class WrongCellError(ValueError):
    """A cell does not fit the kind of its setting.

    Attributes:
        row: Its position.
    """

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row


@dataclass(frozen=True)
class Wish:
    """What the user says a setting is.

    Attributes:
        kind: ``log``, ``linear``, ``number``, ``category``, ``yes/no`` or ``ordered``.
        levels: Levels from low to high; empty where they are to be found.
    """

    kind: str
    levels: tuple[str, ...] = ()


def read_wish(text: str) -> Wish:
    """Read what the user says, such as ``log`` or ``ordered:small<medium<large``.

    Raises:
        UsageError: It is none of the kinds, or levels stand behind one that has none.
    """
    kind, colon, rest = text.strip().partition(":")
    if kind not in _KINDS:
        raise UsageError(
            f"--setting: {text.strip()[:60]!a} is no kind of setting. Write NAME= and one of "
            f"{', '.join(_KINDS)}, or ordered:small<medium<large"
        )
    levels = tuple(each.strip() for each in rest.split("<")) if colon else ()
    if colon and (kind != "ordered" or len({*levels}) < max(2, len(levels)) or "" in levels):
        raise UsageError(
            f"--setting: {text.strip()[:60]!a} should list different levels from low to high, as "
            "in ordered:small<medium<large"
        )
    return Wish(kind, levels)


def found_kind(name: str, cells: Sequence[Cell], wish: Wish | None = None) -> Setting:
    """Say what a column is, whatever the order of its rows.

    Two values that mean yes and no are yes/no. Numbers are a number, on a log scale by
    :func:`is_geometric`; a few numbers from zero on whose others are geometric are ordered.
    Words whose order is known are ordered, all others a category.

    Args:
        name: Name of the setting.
        cells: No lists; at least one is given.
        wish: What the user says it is.

    Raises:
        WrongCellError: Numbers are mixed with words in too many ways for a category, or a cell is
            not what the user says.
    """
    if wish is not None:
        return _wished(name, cells, wish)
    known = _distinct(cells)
    numbers = {each for each in known if isinstance(each, float)}
    others = [each for each in known if not isinstance(each, float)]
    if all(yes_or_no(each) is not None for each in known) and (others or len(numbers) == 2):
        return Setting(name, "yes/no", levels=("no", "yes"))
    if numbers and not {spelled(each).lower() for each in others} - {"none"}:
        return _number(name, numbers)
    if numbers and len(known) > MOST_LEVELS:
        row = next(
            row for row, each in enumerate(cells) if each is not None and _as_number(each) is None
        )
        raise WrongCellError(
            row,
            f"{name} is {spelled(cells[row])[:40]!a}, and a number in most rows. Correct it, or "
            f"give --category {name}",
        )
    return _levels(name, known)


def coded(setting: Setting, cells: Sequence[Cell]) -> NDArray[np.float64]:
    """Write cells as the numbers of a setting; missing is NaN.

    Args:
        setting: What they are.
        cells: No lists.

    Raises:
        WrongCellError: A cell is no value of it; the message is a clause.
    """
    code = {level: float(number) for number, level in enumerate(setting.levels)}
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        value: float | None
        if setting.kind == "number":
            value = _as_number(cell)
            if value is None and spelled(cell).lower() == "none":
                continue
        elif setting.kind == "yes/no":
            said = yes_or_no(cell)
            value = None if said is None else float(said)
        else:
            value = code.get(spelled(cell), code.get(str(cell)))
        if value is None or not math.isfinite(value) or (setting.scale == "log" and value <= 0):
            raise WrongCellError(
                row, f"{setting.name} is {spelled(cell)[:40]!a}, not {_meant(setting)}"
            )
        values[row] = value
    return values


def with_levels_of(setting: Setting, cells: Iterable[Cell]) -> Setting:
    """Add the levels of cells that a category lacks, after its own."""
    levels = (*setting.levels, *_sorted(_distinct(cells)))
    return replace(setting, levels=tuple(dict.fromkeys(levels)))


def is_geometric(numbers: Iterable[float]) -> bool:
    """Whether numbers are spread by ratios, so that a log scale suits them.

    They are if all are positive, the largest is at least four times the smallest, there are at
    least three different ones, and the gaps between their logarithms are clearly more even than
    those between themselves, by their coefficients of variation. A unit changes none of that.

    Example:
        >>> is_geometric([16, 32, 64, 128]), is_geometric([1, 2, 3, 4]), is_geometric([0.1, 0.9])
        (True, False, False)
    """
    distinct = np.unique(np.asarray([*numbers], np.float64))
    if len(distinct) < 3 or distinct[0] <= 0 or not np.isfinite(distinct[-1]):
        return False
    if distinct[-1] / _LEAST_RATIO < distinct[0]:
        return False
    # Divided first, so that no unit comes near the ends of what a float can hold.
    gaps, log_gaps = np.diff(distinct / distinct[-1]), np.diff(np.log(distinct))
    even = gaps.std() / gaps.mean()
    return bool(log_gaps.std() / log_gaps.mean() < _EVENER * even)


def _distinct(cells: Iterable[Cell]) -> list[Cell]:
    """Return each value once; True is another one than 1."""
    return [*{(type(each), each): each for each in cells if each is not None}.values()]


def _as_number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, float | bool) else None


def _number(name: str, numbers: set[float]) -> Setting:
    above = numbers - {0.0}
    if 0.0 in numbers and len(numbers) <= _MOST_STEPS and is_geometric(above):
        return Setting(name, "ordered", levels=tuple(spelled(each) for each in sorted(numbers)))
    return Setting(name, "number", _scale(numbers))


def _scale(numbers: Iterable[float]) -> Scale:
    return "log" if is_geometric(numbers) else "linear"


def _levels(name: str, known: Sequence[Cell]) -> Setting:
    names = {spelled(each) for each in known}
    plain = {each: each.lower().replace("-", "_").replace(" ", "_") for each in names}
    for order in _ORDERS:
        rank = {word: place for place, word in enumerate(order.split())}
        if (
            len(names) > 1
            and {*plain.values()} <= {*rank}
            and len({*plain.values()}) == len(names)
        ):
            levels = sorted(names, key=lambda each: rank[plain[each]])
            return Setting(name, "ordered", levels=tuple(levels))
    return Setting(name, "category", levels=_sorted(known))


def _sorted(known: Iterable[Cell]) -> tuple[str, ...]:
    """Numbers by size, then words by the alphabet."""

    def place(cell: Cell) -> tuple[bool, float, str]:
        number = cell if isinstance(cell, float) else math.inf
        return math.isinf(number), number, spelled(cell)

    return tuple(dict.fromkeys(spelled(each) for each in sorted(known, key=place)))


def _wished(name: str, cells: Sequence[Cell], wish: Wish) -> Setting:
    known = _distinct(cells)
    numbers = {number for each in known if (number := _as_number(each)) is not None}
    if wish.kind in ("log", "linear", "number"):
        scale: Scale = "log" if wish.kind == "log" else "linear"
        setting = Setting(name, "number", _scale(numbers) if wish.kind == "number" else scale)
    elif wish.kind == "yes/no":
        setting = Setting(name, "yes/no", levels=("no", "yes"))
    elif wish.kind == "category":
        setting = Setting(name, "category", levels=_sorted(known))
    elif wish.levels:
        setting = Setting(name, "ordered", levels=wish.levels)
    else:
        found = _levels(name, known)
        if found.kind != "ordered" and len(numbers) < len(known):
            raise UsageError(
                f"--setting {name}=ordered: the order of {', '.join(found.levels[:4])} is not "
                f"known. Write it out: --setting '{name}=ordered:{'<'.join(found.levels[:4])}'"
            )
        setting = Setting(name, "ordered", levels=found.levels)
    coded(setting, cells)
    return setting


def _meant(setting: Setting) -> str:
    if setting.kind == "number":
        return "a finite number above 0" if setting.scale == "log" else "a finite number"
    if setting.kind == "yes/no":
        return "yes or no"
    return f"one of {', '.join(setting.levels)[:200]}"
