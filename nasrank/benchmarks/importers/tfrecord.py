"""Reads TFRecord files, TensorFlow's sequence of checked byte strings, without TensorFlow."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.crc32c import checksums
from nasrank.errors import DataError

__all__ = ["RECORD_LIMIT", "read_records", "starts_as_tfrecord"]

RECORD_LIMIT = 64 * 2**10
"""Longest record that is read, in bytes; the rows of the benchmarks are about a thousand."""

_CHUNK = 4 * 2**20
_HEADER = 12
_FOOTER = 4
_AGAIN = "Download or copy it again, then repeat the import"


def read_records(
    path: Path,
    *,
    limit: int = RECORD_LIMIT,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Iterator[bytes]:
    """Yield the records of a TFRecord file in order, each after checking its checksum.

    A record is its length as eight bytes, a checksum of those, the data, and a checksum of the
    data, all little-endian; see `_masked` for the checksum. At most 4 MiB and one record are held.

    Args:
        path: The file, not compressed.
        limit: Longest record that is accepted, in bytes.
        on_progress: Called with the bytes read so far and the size of the file.

    Yields:
        The data of each record; nothing for an empty file.

    Raises:
        DataError: The file cannot be read, ends early, a checksum is wrong, or a record is
            longer than ``limit``.

    Reference:
        TensorFlow's guide "TFRecord and tf.train.Example", section on the file format.
    """
    try:
        with path.open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            reader = _Reader(path, limit)
            done = 0
            while chunk := file.read(_CHUNK):
                yield from reader.feed(chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(done, total)
            reader.finish()
    except OSError as error:
        reason = error.strerror or "input error"
        raise DataError(
            f"{path}: cannot be read ({reason}). Give a readable .tfrecord file"
        ) from error


def starts_as_tfrecord(content: bytes) -> bool:
    """Return whether bytes begin with the length of a record and its right checksum.

    Args:
        content: The first twelve bytes of a file, or more.
    """
    if len(content) < _HEADER:
        return False
    found = np.frombuffer(content, "<u4", count=1, offset=8)
    return bool(_masked([content[:8]])[0] == found[0])


class _Reader:
    """Cuts a stream into records."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit
        self.rest = b""
        self.records = 0
        self.lengths: dict[bytes, int] = {}  # of the headers so far: few distinct ones

    def feed(self, chunk: bytes) -> list[bytes]:
        """Add more of the stream; return the records that are complete by now."""
        content = self.rest + chunk
        records: list[bytes] = []
        footers: list[bytes] = []
        at = 0
        while at + _HEADER <= len(content):
            header = content[at : at + _HEADER]
            length = self.lengths.get(header)
            if length is None:
                length = self.lengths[header] = self.length(header, len(records))
            end = at + _HEADER + length
            if end + _FOOTER > len(content):
                break
            records.append(content[at + _HEADER : end])
            at = end + _FOOTER
            footers.append(content[end:at])
        self.rest = content[at:]
        self.check(records, footers)
        self.records += len(records)
        return records

    def length(self, header: bytes, before: int) -> int:
        if not starts_as_tfrecord(header):
            self.refuse(before, "the checksum of its length is wrong")
        length: int = struct.unpack_from("<Q", header)[0]
        if length > self.limit:
            self.refuse(
                before, f"it claims {length:,} bytes, more than the {self.limit:,} a row may have"
            )
        return length

    def check(self, records: list[bytes], footers: list[bytes]) -> None:
        wrong = np.flatnonzero(_masked(records) != np.frombuffer(b"".join(footers), "<u4"))
        if len(wrong):
            self.refuse(int(wrong[0]), "its checksum is wrong")

    def finish(self) -> None:
        if self.rest:
            self.refuse(0, "the file ends within it")

    def refuse(self, before: int, reason: str) -> None:
        raise DataError(f"{self.path}: record {self.records + before + 1}: {reason}. {_AGAIN}")


def _masked(strings: list[bytes]) -> NDArray[np.uint32]:
    r"""Return the masked checksum that the format stores, so that data may hold checksums too.

    .. math:: m = ((c \gg 15) \mathbin{|} (c \ll 17)) + \mathtt{a282ead8} \pmod{2^{32}}
    """
    value = checksums(strings)
    turned = (value >> np.uint32(15)) | (value << np.uint32(17))
    return turned + np.uint32(0xA282EAD8)
