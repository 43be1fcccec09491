"""How all pictures look, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import UsageError
from nasrank.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["drawing", "file_stem", "look", "picture", "save"]

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


@contextmanager
def picture(path: Path, size: tuple[float, float], title: str = "") -> Iterator[Figure]:
    """Draw a picture in the house style within the block, which is written at its end.

    Args:
        path: The file, SVG.
        size: Width and height in inches.
        title: Stands above.

    Yields:
        The figure, still empty.

    Raises:
        UsageError: matplotlib is not installed.
        DataError: The folder cannot be written.
    """
    with drawing() as new_figure:
        figure = new_figure(figsize=size, layout="constrained")
        yield figure
        if title:
            figure.suptitle(title, fontsize=9, x=0.01, ha="left")
        save(figure, path)


def file_stem(name: str) -> str:
    """Turn a name of data into the start of a file name.

    Example:
        >>> file_stem("some/Where.parquet"), file_stem("archs:nb201/cifar10")
        ('where', 'archs-nb201-cifar10')
    """
    plain = Path(name).stem if Path(name).suffix else name
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "data"


def look(place: int) -> dict[str, Any]:
    """Return colour, dashes and marker of the line at this place, counted from 0."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "linestyle": "-" if place < len(_COLOURS) else "--",
        "marker": _MARKERS[place % len(_MARKERS)],
    }
