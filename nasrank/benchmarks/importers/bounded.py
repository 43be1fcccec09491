"""Decompression that stops at a limit, so that a small file cannot fill the memory."""

import bz2
from pathlib import Path

from nasrank.benchmarks.pickles import read_limited
from nasrank.errors import DataError

__all__ = ["read_bz2"]


def read_bz2(path: Path, *, limit: int, advice: str) -> bytes:
    """Read a file of one bz2 stream, unless its content is larger than ``limit`` bytes.

    Args:
        path: The file; compressed, it may not be larger than ``limit`` either.
        limit: Maximum number of decompressed bytes.
        advice: The end of an error message: what to do.

    Returns:
        The content.

    Raises:
        DataError: The file is missing or unreadable, is not a bz2 file, ends early, continues
            after its stream, or holds more than ``limit`` bytes.
    """
    compressed = read_limited(path, limit=limit, advice=advice)
    stream = bz2.BZ2Decompressor()
    try:
        content = stream.decompress(compressed, max_length=limit + 1)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: damaged, not a readable bz2 file. {advice}") from error
    if len(content) > limit:
        raise DataError(f"{path}: holds more than the {limit:,} bytes expected. {advice}")
    if not stream.eof:
        raise DataError(f"{path}: the bz2 stream ends early. {advice}")
    if stream.unused_data:
        # Further streams are refused: a file of many empty ones would take hours.
        raise DataError(f"{path}: continues after the end of its bz2 stream. {advice}")
    return content
