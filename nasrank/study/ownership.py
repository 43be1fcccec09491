"""Whether a file in an output folder may be replaced: only if nasrank wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from nasrank.errors import DataError
from nasrank.limits import reading, require_regular
from nasrank.tables import read_schema

__all__ = ["ABOUT", "claim"]

ABOUT = "run.json"
"""The file that says what command a folder belongs to."""
_LONGEST = 2**24


def claim(folder: Path, names: Iterable[str]) -> None:
    """Refuse to write where files of others would be lost.

    A folder with a :data:`ABOUT` of nasrank's is nasrank's; so is a table that says so itself.

    Args:
        folder: Where files will be written; it need not exist.
        names: Their names.

    Raises:
        DataError: A file of one of these names exists and somebody else made it.
    """
    if _is_about(folder / ABOUT):
        return
    for name in names:
        path = folder / name
        if (path.exists() or path.is_symlink()) and not _is_table(path):
            raise DataError(
                f"{path}: it exists, and nasrank did not write it. Move it, or choose another "
                "--out"
            )


def _is_about(path: Path) -> bool:
    try:
        require_regular(path)
        if path.stat().st_size > _LONGEST:
            return False
        with reading(path):
            about = json.loads(path.read_bytes())
    except (OSError, ValueError, DataError):
        return False
    return isinstance(about, dict) and isinstance(about.get("command"), str)


def _is_table(path: Path) -> bool:
    if path.suffix != ".parquet" or not path.is_file():
        return False
    try:
        metadata = read_schema(path).metadata or {}
    except DataError:
        return False
    return b"nasrank.version" in metadata
