"""Trees that come with the built-in data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nasrank.companions.optimal_transport.hierarchy import (
    Hierarchy,
    parse_hierarchy,
    read_hierarchy,
)
from nasrank.registry import unknown_name

__all__ = ["DEFAULT_TREES", "TREES", "load_tree"]

TREES: Mapping[str, str] = {
    "even-odd": """
        even: even below 5, even from 5
        odd: odd below 5, odd from 5
        even below 5: 0, 2, 4
        even from 5: 6, 8
        odd below 5: 1, 3
        odd from 5: 5, 7, 9
    """,
    "five": """
        below 5: even below 5, odd below 5
        from 5: even from 5, odd from 5
        even below 5: 0, 2, 4
        even from 5: 6, 8
        odd below 5: 1, 3
        odd from 5: 5, 7, 9
    """,
    "clothes": """
        clothes: T-shirt, Trouser, Pullover, Dress, Coat, Shirt
        shoes: Sandal, Sneaker, Ankle boot
        bags: Bag
    """,
    "halves": """
        left: a, b, c
        right: d, e, f
    """,
}
"""Trees by name: digits by parity and then by size, digits by size and then by parity, fashion,
and the two groups of the made mixtures."""

DEFAULT_TREES: Mapping[str, str] = {
    "digits": "even-odd",
    "mnist": "even-odd",
    "fashion-mnist": "clothes",
    "one-mode": "halves",
    "two-modes": "halves",
}
"""The tree of each data set that has one."""


def load_tree(name: str, class_names: Sequence[str]) -> Hierarchy:
    """Load a tree by name, or from a file.

    Args:
        name: A name in `TREES`, or a path with an ending such as ``.txt``.
        class_names: Classes of the data.

    Raises:
        UsageError: There is no such tree.
        DataError: The file cannot be read, or the tree does not fit the classes.

    Example:
        >>> tree = load_tree("even-odd", tuple("0123456789"))
        >>> [int(tree.distances[0, other]) for other in (2, 6, 1)]
        [2, 4, 6]
    """
    if name in TREES:
        return parse_hierarchy(TREES[name], name, class_names)
    if not Path(name).suffix:
        raise unknown_name("tree", name, (*TREES, "a file such as tree.txt"))
    return read_hierarchy(Path(name), class_names)
