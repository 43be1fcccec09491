"""How all pictures look, and how they are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import UsageError
from nasrank.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["drawing", "look", "save"]

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
def drawing() -> Iterator[type[Figure]]:
    """Draw in the house style within the block.

    Yields:
        The class of figures.

    Raises:
        UsageError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "pictures need matplotlib. Install it with: pip install 'nasrank[plot]'"
        ) from error
    with mpl.rc_context(_STYLE):
        yield Figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, within :func:`drawing`.

    Raises:
        DataError: The folder cannot be written.
    """
    with replacing(path) as part:
        figure.savefig(part, format="svg", metadata={"Date": None})


def look(place: int) -> dict[str, Any]:
    """Return colour, dashes and marker of the line at this place, counted from 0."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": "-" if place < len(_COLOURS) else "--",
        "marker": _MARKERS[place % len(_MARKERS)],
    }
