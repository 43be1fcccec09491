"""Decompression that stops at a limit, so that a small file cannot fill the memory."""

import bz2
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from nasrank.benchmarks.pickles import read_limited
from nasrank.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["GzipStream", "read_bz2"]

_GZIP = 16 + zlib.MAX_WBITS
_PIECE = 2**16
_MOST_PIECES = 2**16


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


class GzipStream(io.RawIOBase):
    """The content of a gzip file as a stream that ends with an error at a limit.

    Args:
        path: The file.
        limit: Maximum number of decompressed bytes.
        advice: The end of an error message: what to do.

    Raises:
        DataError: While reading: the file is not gzip, is damaged or ends early, has more than
            ``limit`` bytes of content, or is in more than 65,536 pieces.
        OSError: It cannot be opened or read.
    """

    def __init__(self, path: Path, *, limit: int, advice: str) -> None:
        self._path = path
        self._file = path.open("rb")
        self._limit = limit
        self._advice = advice
        self._given = 0
        self._pieces = 1
        self._stream = zlib.decompressobj(wbits=_GZIP)
        self._waiting = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill a buffer; return the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        while True:
            part = self._decompressed(len(view))
            if part is None:
                return 0
            if part:
                self._given += len(part)
                if self._given > self._limit:
                    self._refuse(f"holds more than {self._limit:,} bytes")
                view[: len(part)] = part
                return len(part)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def _decompressed(self, size: int) -> bytes | None:
        """Return the next bytes, perhaps none yet, or None at the end."""
        if not self._waiting:
            self._waiting = self._file.read(_PIECE)
            if not self._waiting and self._stream.eof:
                return None
        if self._waiting and self._stream.eof:
            # Zeros may fill up the end; a file of many empty pieces would take hours.
            self._waiting = self._waiting.lstrip(b"\0")
            if not self._waiting:
                return b""
            self._pieces += 1
            if self._pieces > _MOST_PIECES:
                self._refuse(f"is in more than {_MOST_PIECES:,} pieces")
            self._stream = zlib.decompressobj(wbits=_GZIP)
        try:
            part = self._stream.decompress(self._waiting, size)
        except zlib.error:
            self._refuse("damaged, not a readable gzip file")
        if not (part or self._waiting or self._stream.eof):
            self._refuse("the gzip file ends early")
        self._waiting = self._stream.unused_data or self._stream.unconsumed_tail
        return part

    def _refuse(self, complaint: str) -> NoReturn:
        raise DataError(f"{self._path}: {complaint}. {self._advice}") from None
