"""How all pictures look, and how they are written.

What draws for a study takes rows of its tables and a folder or a file, and returns the files
written. Where matplotlib is not installed it raises UsageError, and DataError where the folder
cannot be written.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import combinations, pairwise
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import needing
from nasrank.escapes import visible
from nasrank.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

__all__ = [
    "FORMATS",
    "drawn_as",
    "file_stem",
    "legend_beside",
    "look",
    "mean_dot",
    "move_apart",
    "name_ends",
    "name_lines",
    "picture",
    "slug",
    "written_as",
]

# Okabe and Ito's eight colours, distinguishable with every kind of colour vision; further lines
# repeat them with other dashes.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933",
)  # fmt: skip
_MARKERS = "osD^vP*X<>hd"

FORMATS = ("svg", "pdf", "png")
"""What pictures can be written as; the first is the default."""
_DOTS = 200
"""Dots an inch of a picture that is not made of lines."""
_MOST_MOVES = 300
_SHARE_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0}
"""Share of the width of a text that stands before its place, by alignment."""
_EDGE = 6.0
"""Room between a title and what stands beside it, in dots of a hundredth of an inch."""
_BETWEEN = 4.0
"""Room between two numbers in a line, in the same dots."""
_PLAIN = (1e-3, 1e6)
"""Within these, numbers of a log scale are written out; beyond, as powers of ten."""
_FEWEST_LETTERS = 12
"""Letters of a line of a title, however narrow its panel."""
_MOST_WRITTEN = 6
"""Steps of an axis whose numbers are long."""
# The same picture gives the same file.
_UNDATED: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}
_formats: ContextVar[tuple[str, ...]] = ContextVar("formats", default=FORMATS[:1])
_STYLE: dict[Any, Any] = {
    # The same picture gives the same file, and its text stays text.
    "svg.hashsalt": "nasrank",
    "svg.fonttype": "none",
    # Fonts stand in the file, as outlines that printers and publishers take.
    "pdf.fonttype": 42,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "font.size": 9,
}


@contextmanager
def drawn_as(formats: Sequence[str]) -> Iterator[None]:
    """Write every picture within the block in these formats, some of `FORMATS`."""
    token = _formats.set(tuple(formats))
    try:
        yield
    finally:
        _formats.reset(token)


def written_as(path: Path) -> list[Path]:
    """Return the files that a picture is written to, given the one that what draws it names."""
    if path.suffix != ".svg":
        return [path]
    return [path.with_suffix(f".{each}") for each in _formats.get()]


@contextmanager
def picture(path: Path, size: tuple[float, float], title: str = "") -> Iterator[Figure]:
    """Draw a picture in the house style within the block, which is written at its end.

    It is written as SVG, or in the formats of `drawn_as`. Titles that are wider than their panel
    are broken into lines.

    Args:
        path: The file, as SVG.
        size: Width and height in inches.
        title: Stands above.

    Yields:
        The figure, still empty.

    Raises:
        UsageError: matplotlib is not installed.
        DataError: The folder cannot be written.
    """
    with needing("plot", "pictures need matplotlib"):
        import matplotlib as mpl
        from matplotlib.figure import Figure
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        if title:
            figure.suptitle(title, fontsize=9, x=0.01, ha="left")
        _as_plain_text(figure)
        if _part_ticks(figure):
            figure.draw_without_rendering()
        _break_titles(figure)
        for place in written_as(path):
            kind = place.suffix[1:]
            with replacing(place) as part:
                figure.savefig(part, format=kind, dpi=_DOTS, metadata=_UNDATED[kind])


def _break_titles(figure: Figure) -> None:
    """Break titles of a drawn figure where they would stand in the next panel or over the edge."""
    from matplotlib.text import Text

    edge = figure.bbox.width - _EDGE
    heading = figure.get_suptitle()
    titled = [(text, edge) for text in figure.texts if heading and text.get_text() == heading]
    for axes in figure.axes:
        left = axes.get_window_extent().x0
        boxes = [o.get_tightbbox() for o in figure.axes if o.get_window_extent().x0 > left + 1]
        right = min((box.x0 for box in boxes if box is not None), default=edge)
        titled += [
            (text, right - _EDGE - left)
            for text in axes.findobj(Text)
            if text.get_text() and text.get_text() == axes.get_title(loc="left")
        ]
    for text, room in titled:
        whole = text.get_text()
        letters = len(whole)
        # Not all letters are as wide as they are on average.
        while (width := text.get_window_extent().width) > room > 0 and letters > _FEWEST_LETTERS:
            letters = max(_FEWEST_LETTERS, min(letters - 1, int(letters * room / width)))
            text.set_text("\n".join(textwrap.wrap(whole, letters)))


def _part_ticks(figure: Figure) -> bool:
    """Let no number at a tick stand on another, and no common factor stand apart at the end.

    On log scales over a short range those between the powers are written only where there is room,
    2 and 5 before others.

    Returns:
        Whether anything is other than it was drawn. Drawing is what a picture takes most time for.
    """
    from matplotlib.ticker import Formatter, MaxNLocator, ScalarFormatter

    class Whole(Formatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return self.fix_minus(f"{x:g}")

        def format_ticks(self, values: Sequence[float]) -> list[str]:
            return [self.fix_minus(number) for number in _distinct(list(values))]

    figure.draw_without_rendering()
    shown = [
        axis
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        if axes.get_visible() and axes.axison and axis.get_visible()
    ]
    factored = [
        axis
        for axis in shown
        if isinstance(axis.get_major_formatter(), ScalarFormatter)
        and axis.get_major_formatter().get_offset()
    ]
    for axis in factored:
        axis.set_major_formatter(Whole())
    if factored:
        # Wider numbers leave less room to the panels.
        figure.draw_without_rendering()
    for axis in factored:
        locator = axis.get_major_locator()
        if isinstance(locator, MaxNLocator):
            for most in range(_MOST_WRITTEN, 0, -1):
                boxes = list(_written(axis, minor=False).values())
                if not any(_touch(first, second) for first, second in combinations(boxes, 2)):
                    break
                locator.set_params(nbins=most)
    scaled = [axis for axis in shown if axis.get_scale() == "log"]
    written = [_write_out(axis) for axis in scaled]
    thinned = [_write_with_room(axis) for axis in scaled]
    return bool(factored) or any(written) or any(thinned)


def _distinct(values: list[float]) -> list[str]:
    """Write numbers with as few digits as tell neighbours apart."""
    step = min((abs(b - a) for a, b in pairwise(values) if a != b), default=0.0)
    values = [0.0 if abs(value) < step / 1000 else value for value in values]
    for digits in range(1, 17):
        written = [f"{value:.{digits}g}" for value in values]
        if all(abs(float(w) - v) <= step / 1000 for w, v in zip(written, values, strict=True)):
            return written
    return [f"{value:.17g}" for value in values]


def _write_out(axis: Axis) -> bool:
    """Write 0.2 and 3,000 on a log scale, and not powers of ten, where all are of such a size.

    Returns:
        Whether it did.
    """
    from matplotlib.ticker import Formatter, LogFormatter

    low, high = sorted(axis.get_view_interval())
    usual = (axis.get_major_formatter(), axis.get_minor_formatter())
    if not all(isinstance(each, LogFormatter) for each in usual):
        return False
    if low < _PLAIN[0] or high > _PLAIN[1] or axis.get_transform().base != 10:  # type: ignore[attr-defined]
        return False

    class Plain(Formatter):
        def __init__(self, which: Formatter) -> None:
            self._which = which

        def __call__(self, x: float, pos: int | None = None) -> str:
            return f"{x:,g}" if self._which(x, pos) else ""

        def set_locs(self, locs: Any) -> None:  # noqa: ANN401 - matplotlib's
            self._which.set_locs(locs)

    axis.set_major_formatter(Plain(usual[0]))
    axis.set_minor_formatter(Plain(usual[1]))
    return True


def _write_with_room(axis: Axis) -> bool:
    """Write numbers between the powers of a log scale only where they stand apart.

    Returns:
        Whether any is left out.
    """
    from matplotlib.ticker import Formatter

    minor = _written(axis, minor=True)
    taken = list(_written(axis, minor=False).values())
    kept = []
    for value in sorted(minor, key=lambda value: (f"{value:.0e}"[0] not in "25", value)):
        if not any(_touch(minor[value], other) for other in taken):
            kept.append(value)
            taken.append(minor[value])
    if len(kept) == len(minor):
        return False
    usual = axis.get_minor_formatter()

    class Kept(Formatter):
        def __call__(self, x: float, pos: int | None = None) -> str:
            return usual(x, pos) if any(isclose(x, value) for value in kept) else ""

        def set_locs(self, locs: Any) -> None:  # noqa: ANN401 - matplotlib's
            usual.set_locs(locs)

    axis.set_minor_formatter(Kept())
    return True


def _written(axis: Axis, *, minor: bool) -> dict[float, Bbox]:
    """Return where numbers stand at the ticks of an axis, by their values."""
    low, high = sorted(axis.get_view_interval())
    labels = axis.get_ticklabels(minor=minor)
    found = {}
    for value, label in zip(axis.get_ticklocs(minor=minor), labels, strict=False):
        inside = low <= value <= high or isclose(value, low) or isclose(value, high)
        if inside and label.get_visible() and label.get_text():
            found[float(value)] = label.get_window_extent()
    return found


def _touch(first: Bbox, second: Bbox) -> bool:
    """Say whether two texts stand on one another, or nearly so in a line."""
    across = min(first.x1, second.x1) - max(first.x0, second.x0)
    up = min(first.y1, second.y1) - max(first.y0, second.y0)
    return bool(across > -_BETWEEN and up > 0)


def _as_plain_text(figure: Figure) -> None:
    """Let no name in a picture be a formula, which may not be one and would then end the drawing.

    Ticks of a log scale are formulas of matplotlib's own.
    """
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            formatter = axis.get_major_formatter()
            if isinstance(formatter, FixedFormatter | FuncFormatter | StrCategoryFormatter):
                # Names at ticks are written anew whenever the figure is drawn.
                names = formatter.format_ticks(list(axis.get_majorticklocs()))
                shown = [visible(name) for name in names]
                if shown != names:
                    axis.set_major_formatter(FixedFormatter(shown))
                for label in axis.get_ticklabels():
                    label.set_parse_math(False)
    for text in figure.findobj(Text):
        words = text.get_text()
        if "$" in words and r"\mathdefault" not in words:
            text.set_parse_math(False)
        if visible(words) != words:
            text.set_text(visible(words))


def legend_beside(axes: Axes, *, size: float = 8, **more: Any) -> None:  # noqa: ANN401 - matplotlib's
    """Name the lines of a panel to the right of it."""
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=size, **more)


def name_ends(axes: Axes, ends: Sequence[tuple[float, str, str]], *, size: float = 8) -> None:
    """Write the names of lines to the right of a panel, as near to their ends as they fit.

    Limits and everything else of the figure have to be settled before.

    Args:
        axes: The panel.
        ends: Of each line the height at which it ends, its name and its colour.
        size: Size of the letters in points.
    """
    figure = axes.get_figure(root=True)
    if figure is None or not ends:
        return
    _as_plain_text(figure)
    figure.draw_without_rendering()
    box = axes.get_window_extent()
    gap = 1.25 * size * figure.dpi / 72
    wanted = [axes.transData.transform((1, height))[1] for height, _, _ in ends]
    order = sorted(range(len(ends)), key=lambda place: wanted[place])
    # From below each goes just above the one before; then all are pulled back below the top.
    placed: list[float] = []
    for place in order:
        lowest = placed[-1] + gap if placed else box.y0
        placed.append(max(min(wanted[place], box.y1), lowest))
    highest = max(box.y1, box.y0 + gap * (len(ends) - 1))
    for step in range(len(placed) - 1, -1, -1):
        placed[step] = min(placed[step], highest)
        highest = placed[step] - gap
    for place, at in zip(order, placed, strict=True):
        _, name, colour = ends[place]
        axes.annotate(
            name, (1.02, (at - box.y0) / box.height), xycoords="axes fraction",
            color=colour, fontsize=size, va="center", annotation_clip=False,
        )  # fmt: skip


def move_apart(axes: Axes) -> None:
    """Move texts within a panel up and down until none stands on another or leaves the panel.

    Limits and everything else of the figure have to be settled before.

    Args:
        axes: The panel; its texts stand at places of its data, which are half way up them.
    """
    figure = axes.get_figure(root=True)
    texts = list(axes.texts)
    if figure is None or len(texts) < 2:
        return
    _as_plain_text(figure)
    figure.draw_without_rendering()
    panel = axes.get_window_extent()
    boxes = [text.get_window_extent() for text in texts]
    widths = [box.width for box in boxes]
    height = max(box.height for box in boxes)
    left = [
        min(max(box.x0, panel.x0), panel.x1 - width)
        for box, width in zip(boxes, widths, strict=True)
    ]
    low = [min(max(box.y0, panel.y0), panel.y1 - height) for box in boxes]
    for _ in range(_MOST_MOVES):
        moved = False
        for first, second in combinations(range(len(texts)), 2):
            across = min(left[first] + widths[first], left[second] + widths[second]) - max(
                left[first], left[second]
            )
            lacking = height - abs(low[first] - low[second])
            if across > 0 and lacking > 0.5:
                upper, lower = (first, second) if low[first] > low[second] else (second, first)
                low[upper] = min(low[upper] + lacking / 2, panel.y1 - height)
                low[lower] = max(low[lower] - lacking / 2, panel.y0)
                moved = True
        if not moved:
            break
    back = axes.transData.inverted()
    for text, x, y, box in zip(texts, left, low, boxes, strict=True):
        across = x + _SHARE_BEFORE[text.get_horizontalalignment()] * box.width
        text.set_position(tuple(back.transform((across, y + box.height / 2))))


def mean_dot(
    axes: Axes,
    mean: float | None,
    lower: float | None,
    upper: float | None,
    *,
    at: float,
    colour: str,
) -> None:
    """Draw a mean as a dot in the line ``at``, with its interval; what is None is left out."""
    if lower is not None and upper is not None:
        axes.plot([lower, upper], [at, at], color=colour, linewidth=1)
    if mean is not None:
        axes.plot([mean], [at], "o", color=colour, markersize=4)


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Write a name before each line of dots, the first one on top."""
    axes.set_yticks(range(len(names)), names, fontsize=8)
    # Room for a line where there is none, as an axis without length is drawn with a warning.
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)


def file_stem(name: str) -> str:
    """Turn a name of data into the start of a file name.

    Example:
        >>> file_stem("some/Where.parquet"), file_stem("archs:nb201/cifar10")
        ('where', 'archs-nb201-cifar10')
    """
    return slug(Path(name).stem if Path(name).suffix else name) or "data"


def slug(text: str) -> str:
    """Turn any text into a part of a file name: small letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def look(place: int) -> dict[str, Any]:
    """Return colour, dashes and marker of the line at this place, counted from 0."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": "-" if place < len(_COLOURS) else "--",
        "marker": _MARKERS[place % len(_MARKERS)],
    }
