"""How all pictures look, and how they are written.

What draws for a study takes rows of its tables and a folder or a file, and returns the files
written. Where matplotlib is not installed it raises UsageError, and DataError where the folder
cannot be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import needing
from nasrank.escapes import visible
from nasrank.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["file_stem", "legend_beside", "look", "mean_dot", "name_lines", "picture", "slug"]

# Okabe and Ito's eight colours, distinguishable with every kind of colour vision; further lines
# repeat them with other dashes.
_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933",
)  # fmt: skip
_MARKERS = "osD^vP*X<>hd"
_STYLE: dict[Any, Any] = {
    # The same picture gives the same file, and its text stays text.
    "svg.hashsalt": "nasrank",
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "font.size": 9,
}


@contextmanager
def picture(path: Path, size: tuple[float, float], title: str = "") -> Iterator[Figure]:
    """Draw a picture in the house style within the block, which is written as SVG at its end.

    Args:
        path: The file.
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
        with replacing(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None})


def _as_plain_text(figure: Figure) -> None:
    """Let no name in a picture be a formula, which may not be one and would then end the drawing.

    Ticks of a log scale are formulas of matplotlib's own.
    """
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if isinstance(axis.get_major_formatter(), FixedFormatter | StrCategoryFormatter):
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
    axes.set_ylim(len(names) - 0.5, -0.5)


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
