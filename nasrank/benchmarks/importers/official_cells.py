"""The strings of all NAS-Bench-201 cells, as files name them."""

from functools import lru_cache

from nasrank.benchmarks.nb201 import architecture_string, official_order

__all__ = ["official_cells"]


@lru_cache(maxsize=1)
def official_cells() -> dict[str, int]:
    """Return the position of each of the 15,625 cell strings, in official order.

    Example:
        >>> cells = official_cells()
        >>> len(cells), cells["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"]
        (15625, 1651)
    """
    return {architecture_string(cell): row for row, cell in enumerate(official_order().tolist())}
