"""Reads a JSON file that somebody else wrote, within bounds."""

import json
from collections import Counter
from pathlib import Path
from typing import NoReturn

from nasrank.benchmarks.pickles import read_limited
from nasrank.errors import DataError

__all__ = ["finite_number", "head", "json_value", "read_json"]

SIZE_LIMIT = 2**29
"""Largest file that is read, in bytes."""

_ADVICE = "Get the file again from its origin."


def read_json(path: Path, *, limit: int = SIZE_LIMIT) -> object:
    """Read a whole JSON file.

    Args:
        path: The file.
        limit: Largest size that is read, in bytes.

    Returns:
        Its value. NaN and infinities, which some writers produce, are read as such.

    Raises:
        DataError: It is missing, a folder, too large or too deeply nested, not JSON, or has a
            key twice in one object.
    """
    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    return json_value(path, read_limited(path, limit=limit, advice=_ADVICE))


def json_value(path: Path, content: str | bytes, *, advice: str = _ADVICE) -> object:
    """Read the value of a JSON text.

    Args:
        path: The file that it comes from, for messages.
        content: The text.
        advice: The end of a message: what to do.

    Returns:
        As `read_json`.

    Raises:
        DataError: It is not JSON, too deeply nested, or has a key twice in one object.
    """

    def refuse(complaint: str) -> NoReturn:
        raise DataError(f"{path}: {complaint}. {advice}") from None

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            refuse(f"the key {twice[:60]!a} occurs twice")
        return found

    try:
        value: object = json.loads(content, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        refuse(f"not JSON at line {error.lineno}, column {error.colno}")
    except ValueError:
        # Undecodable bytes, or a number with more digits than Python converts.
        refuse("not JSON: it holds bytes or numbers that cannot be read")
    except RecursionError:
        refuse("too deeply nested to read")
    return value


def finite_number(value: object) -> float | None:
    """Return a JSON number as float; None for anything else, and for NaN and infinities.

    Example:
        >>> finite_number(3), finite_number("3"), finite_number(True), finite_number(1e400)
        (3.0, None, None, None)
    """
    if type(value) is int:
        # Whole numbers of hundreds of digits overflow a float.
        return float(value) if abs(value) < 2**1023 else None
    if type(value) is float and abs(value) < float("inf"):
        return value
    return None


def head(path: Path, size: int = 4096) -> bytes:
    """Return the first bytes of a file, or nothing where there is no such file; never raises."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, ValueError):
        return b""
