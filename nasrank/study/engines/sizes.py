"""Sizes of memory as people write them."""

from __future__ import annotations

import re

from nasrank.errors import UsageError

__all__ = ["parse_memory"]

_UNITS = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}  # fmt: skip


def parse_memory(text: str) -> int:
    """Read a size of memory.

    Args:
        text: A number and a unit: ``4GiB``, ``512 MB``; bytes without one.

    Returns:
        Bytes.

    Raises:
        UsageError: It is not a size, or not above zero.

    Example:
        >>> parse_memory("1.5GiB")
        1610612736
    """
    found = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*([A-Za-z]*)\s*", text)
    size = float(found[1]) * _UNITS.get(found[2].upper(), 0) if found else 0
    if size < 1:
        raise UsageError(f"--memory-limit {text!r} should be a size such as 4GiB or 512MB")
    return int(size)
