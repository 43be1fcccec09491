"""Settings along a chain: ``stage1_kernel, stage2_kernel, ...``, or the entries of lists."""

import re
from collections.abc import Iterable, Mapping

__all__ = ["entry_name", "places_in_chains", "series_of_list"]

_DIGITS = re.compile(r"\d{1,4}")
_NO_PLACE = re.compile(
    r"(^|[^a-z])(beta|fp|bf|int|top)[_.-]?\*|^l\*|reg\w*l\*|l\*\w*(reg|pen|decay|norm)|\*x\*",
    re.IGNORECASE,
)
"""Numbers that are part of a word: the betas of Adam, L1 and L2, fp16, 3x3."""


def series_of_list(column: str) -> str:
    """Name what the entries of a column of lists share."""
    return f"{column}[*]"


def entry_name(column: str, position: int) -> str:
    """Name an entry of a column of lists, as Python does.

    Example:
        >>> entry_name("kernels", 0)
        'kernels[0]'
    """
    return f"{column}[{position}]"


def places_in_chains(names: Iterable[str]) -> Mapping[str, tuple[str, int]]:
    """Find names that differ in their numbers alone.

    Args:
        names: Names of columns.

    Returns:
        For each name in a chain what the chain shares, with a star for each number, and its place
        from 0. A chain with one number in its names has at least two members and counts them from
        0 or 1 without a gap; with more numbers it has at least three.

    Example:
        >>> places_in_chains(["depth", "stage1_kernel", "stage2_kernel", "beta1", "beta2"])
        {'stage1_kernel': ('stage*_kernel', 0), 'stage2_kernel': ('stage*_kernel', 1)}
    """
    found: dict[str, dict[tuple[int, ...], str]] = {}
    for name in names:
        numbers = tuple(int(each) for each in _DIGITS.findall(name))
        series = _DIGITS.sub("*", name)
        if numbers and not _NO_PLACE.search(series):
            found.setdefault(series, {}).setdefault(numbers, name)
    places: dict[str, tuple[str, int]] = {}
    for series, members in found.items():
        order = sorted(members)
        single = len(order[0]) == 1
        counted = [each[0] for each in order] in (
            [*range(len(order))],
            [*range(1, len(order) + 1)],
        )
        if len(order) >= (2 if single else 3) and (counted or not single):
            places |= {members[each]: (series, place) for place, each in enumerate(order)}
    return places
