"""Charts of a few lines: values with their intervals beside one another, in a terminal."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len

from nasrank.cli.layout import wrapped
from nasrank.escapes import visible
from nasrank.report.panels import log_scale, log_ticks
from nasrank.study.view import Bar, Chart, number

__all__ = ["draw_chart"]

_GAP = 2
_NARROWEST, _WIDEST = 20, 60
"""Characters of what is drawn."""
_FADE = 3
"""Characters of an interval that is open above."""
_DOT, _OPEN, _MARK = "●", "▸", "┊"


def draw_chart(chart: Chart, width: int) -> list[str]:
    """Write a chart as lines that are no wider than a terminal.

    Args:
        chart: The chart.
        width: Characters of a line.

    Returns:
        The title, a line for each bar and the axis, on a logarithmic scale. What stands beside
        the bars goes where there is no room for it, since tables have it too; nothing is
        returned where there is no room for bars, or nothing to draw.
    """
    ends = [
        value
        for bar in chart.bars
        for value in (bar.value, bar.lower, bar.upper)
        if value is not None and value > 0
    ]
    names, texts = (
        [" ".join(visible(text).split("\n")) for text in of]
        for of in ([bar.name for bar in chart.bars], [bar.text for bar in chart.bars])
    )
    left, right = (max(map(cell_len, of), default=0) for of in (names, texts))
    if width - left - right - 2 * _GAP < _NARROWEST:
        right = -_GAP
    room = min(width - left - right - 2 * _GAP, _WIDEST)
    if room < _NARROWEST or not ends:
        return []
    ends += [end for end in (chart.mark, chart.most) if end is not None]
    low, high = min(ends) / 1.05, max(ends) * 1.05
    at = log_scale(low, high)

    def place(value: float) -> int:
        return round(at(value) / 100 * (room - 1))

    lines = wrapped(chart.title, width)
    for bar, name, text in zip(chart.bars, names, texts, strict=True):
        line = name + " " * (left - cell_len(name) + _GAP) + _drawn(bar, chart, room, place)
        if right >= 0:
            line += " " * (right - cell_len(text) + _GAP) + text
        lines.append(line.rstrip())
    ticks: list[float] = [*log_ticks(low, high)]
    if len(ticks) < 2:
        ticks = sorted({min(ends), max(ends)})
    return [*lines, " " * (left + _GAP) + _axis(ticks, room, place)]


def _drawn(bar: Bar, chart: Chart, room: int, place: Callable[[float], int]) -> str:
    """Draw an interval, open above where it has no upper end, its value and the mark."""
    cells = [" "] * room
    if chart.mark is not None:
        cells[place(chart.mark)] = _MARK
    if bar.value is None and chart.most is not None:
        start, last, end = bar.lower or chart.most, place(chart.most), _OPEN
    elif bar.value is None:
        return "".join(cells)
    else:
        start = bar.value if bar.lower is None else bar.lower
        last, end = place(bar.value if bar.upper is None else bar.upper), "┤"
        if bar.upper is None and bar.lower is not None:
            # Beyond the last that is known, an open interval goes on for a bit.
            last, end = min(last + _FADE, room - 1), _OPEN
    first = place(start)
    cells[first : last + 1] = "─" * (last + 1 - first)
    cells[first], cells[last] = "├", end
    if bar.value is not None:
        cells[place(bar.value)] = _DOT
    return "".join(cells)


def _axis(ticks: Sequence[float], room: int, place: Callable[[float], int]) -> str:
    """Write numbers below where they stand, as many as there is room for."""
    line = ""
    for tick in ticks:
        text = number(tick)
        start = min(max(place(tick) - len(text) // 2, 0), room - len(text))
        if not line or start > len(line):
            line = line.ljust(start) + text
    return line
