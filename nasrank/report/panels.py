"""Where things stand in the pictures of a comparison: positions and texts, no markup."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = [
    "Dot",
    "Drawn",
    "Line",
    "Panel",
    "Tick",
    "across",
    "ended",
    "labelled_dots",
    "log_scale",
    "log_ticks",
    "path",
    "scale",
    "short",
    "spread_labels",
    "thinned",
    "up",
    "with_unit",
]

WIDTH, HEIGHT = 290.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 84.0, 12.0, 28.0
_GAP = 11.5
"""Distance of two lines of text."""
_LETTER = 6.4
"""Width of a letter, on average, in the size of labels."""
_LONGEST = 13
Drawn = tuple[int, str, list[tuple[float, float]], str]
"""A line before its name has a place: method, name, points and whiskers."""


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: where, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """A line of a panel.

    Attributes:
        method: Place of its method, which gives its colour.
        d: The line as SVG has it.
        x: Where it ends.
        y: Where it ends.
        text: Its name.
        text_y: Where its name stands.
        whiskers: Its intervals as SVG has them.
    """

    method: int
    d: str
    x: float
    y: float
    text: str
    text_y: float
    whiskers: str = ""


@dataclass(frozen=True)
class Dot:
    """A dot of a panel, with a name where there is room for it."""

    method: int
    x: float
    y: float
    whisker: str
    text: str
    text_x: float
    text_y: float
    anchor: str
    shown: bool
    about: str


@dataclass(frozen=True)
class Panel:
    """One of several pictures on the same scales.

    Attributes:
        title: What it shows.
        note: A line below the title.
        alt: What it says, for those who cannot see it.
        lines: Its lines.
        dots: Its dots.
        across: Marks of the horizontal axis; the last carries the unit.
        up: Marks of the vertical axis.
        band: Top and bottom of a shaded strip.
    """

    title: str
    note: str
    alt: str
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()
    across: Sequence[Tick] = ()
    up: Sequence[Tick] = ()
    band: tuple[float, float] | None = None
    width: float = field(default=WIDTH, init=False)
    height: float = field(default=HEIGHT, init=False)
    left: float = field(default=LEFT, init=False)
    right: float = field(default=WIDTH - RIGHT, init=False)
    floor: float = field(default=HEIGHT - BOTTOM, init=False)


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return what maps [low, high] onto [start, end]; an empty range onto its middle."""
    if high <= low:
        return lambda _value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def across(low: float, high: float) -> Callable[[float], float]:
    """Return the horizontal scale of a panel."""
    return scale(low, high, LEFT + 5, WIDTH - RIGHT - 4)


def up(low: float, high: float) -> Callable[[float], float]:
    """Return the vertical scale of a panel."""
    return scale(low, high, HEIGHT - BOTTOM - 6, TOP)


def log_scale(low: float, high: float) -> Callable[[float], float]:
    """Return what maps [low, high], both above 0, onto percent of a width, by its logarithm."""
    inner = scale(math.log(low), math.log(max(high, low)), 0, 100)
    return lambda value: round(min(max(inner(math.log(max(value, low))), 0), 100), 2)


def log_ticks(low: float, high: float, most: int = 6) -> list[int]:
    """Return round numbers of a logarithmic axis: 1, 2 and 5, or powers of ten where too many.

    Example:
        >>> log_ticks(40, 2000), log_ticks(1, 1_000_000)
        ([50, 100, 200, 500, 1000, 2000], [1, 10, 100, 1000, 10000, 100000, 1000000])
    """
    powers = range(int(math.log10(max(low, 1))), int(math.log10(max(high, 1))) + 1)
    fine = [t * 10**e for e in powers for t in (1, 2, 5) if low <= t * 10**e <= high]
    coarse = [tick for tick in fine if str(tick).startswith("1")]
    return fine if len(fine) <= most or len(coarse) < 2 else coarse


def path(points: Iterable[tuple[float, float]]) -> str:
    """Write points as a line of SVG.

    Example:
        >>> path([(0, 1), (2.25, 3)])
        'M0 1L2.2 3'
    """
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)


def short(text: str, most: int = _LONGEST) -> str:
    """Cut a name that is too long for a label."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def spread_labels(wanted: Sequence[float], low: float, high: float) -> list[float]:
    """Move labels apart, so that none stands on another, as near to where they belong as fits.

    Args:
        wanted: Where each should stand.
        low: The highest place there is.
        high: The lowest place there is.

    Example:
        >>> spread_labels([50.0, 50.0], 0, 100)
        [44.25, 55.75]
    """
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    # Each block of touching labels stands around the mean of where they belong.
    blocks: list[list[float]] = []
    for place in order:
        blocks.append([min(max(wanted[place], low), high), 1])
        while (
            len(blocks) > 1
            and blocks[-1][0] - blocks[-2][0] < _GAP * (blocks[-1][1] + blocks[-2][1]) / 2 - 1e-9
        ):
            second, first = blocks.pop(), blocks.pop()
            count = first[1] + second[1]
            middle = (first[0] * first[1] + second[0] * second[1]) / count
            half = _GAP * (count - 1) / 2
            blocks.append([max(min(middle, high - half), low + half), count])
    result = [0.0] * len(wanted)
    rest = iter(order)
    for middle, count in blocks:
        for step in range(int(count)):
            result[next(rest)] = middle + _GAP * (step - (count - 1) / 2)
    return result


def ended(lines: Sequence[Drawn], chosen: Sequence[int]) -> list[Line]:
    """Give lines their names; those in colour are moved apart."""
    ends = [points[-1][1] for method, _, points, _ in lines if method in chosen]
    moved = iter(spread_labels(ends, TOP, HEIGHT - BOTTOM - 2))
    return [
        Line(
            method,
            path(points),
            round(points[-1][0], 1),
            round(points[-1][1], 1),
            name,
            round((next(moved) if method in chosen else points[-1][1]) + 3.5, 1),
            whiskers,
        )
        for method, name, points, whiskers in lines
    ]


def with_unit(ticks: Sequence[Tick], unit: str) -> list[Tick]:
    """Let the last mark say what is counted."""
    return [*ticks[:-1], Tick(ticks[-1].at, f"{ticks[-1].text} {unit}")] if ticks else []


def labelled_dots(
    points: Sequence[tuple[int, float, float, tuple[float, float] | None, str, str]],
    first: Sequence[int],
) -> list[Dot]:
    """Give dots their names where these meet no other name, dot or edge.

    Args:
        points: Method, x, y, ends of its interval, name and meaning of each.
        first: Methods whose names are placed before all others.
    """
    taken = [(x - 4.0, y - 4.0, x + 4.0, y + 4.0) for _, x, y, *_ in points]
    done: dict[int, Dot] = {}
    for method, x, y, ends, name, about in sorted(points, key=lambda p: p[0] not in first):
        text = short(name)
        wide = _LETTER * len(text)
        for dx, dy, anchor in _AROUND:
            left = x + dx - (0 if anchor == "start" else wide if anchor == "end" else wide / 2)
            box = (left, y + dy - 10, left + wide, y + dy + 3)
            inside = box[0] > LEFT and box[2] < WIDTH and box[1] > 0 and box[3] < HEIGHT - BOTTOM
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                shown = True
                break
        else:
            dx, dy, anchor = _AROUND[0]
            shown = False
        whisker = "" if ends is None else path([(x, ends[0]), (x, ends[1])])
        done[method] = Dot(
            method, round(x, 1), round(y, 1), whisker, text, round(x + dx, 1), round(y + dy, 1),
            anchor, shown, about,
        )  # fmt: skip
    return [done[method] for method, *_ in points]


_AROUND = (
    (7.0, 3.5, "start"), (-7.0, 3.5, "end"), (0.0, -8.0, "middle"), (0.0, 15.0, "middle"),
    (6.0, -7.0, "start"), (6.0, 14.0, "start"), (-6.0, -7.0, "end"), (-6.0, 14.0, "end"),
)  # fmt: skip


def _meet(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def thinned(ticks: Sequence[Tick], gap: float) -> list[Tick]:
    """Leave out marks that stand too close to the one before."""
    kept = list(ticks[:1])
    for _, tick in pairwise(ticks):
        if abs(tick.at - kept[-1].at) >= gap:
            kept.append(tick)
    return kept
