"""Reads files of `torch.save` that hold plain data without tensors; nothing is executed."""

import io
import lzma
import pickletools
import struct
import zipfile
import zlib
from pathlib import Path

from nasrank.benchmarks.importers.json_file import head
from nasrank.benchmarks.pickles import COLLECTIONS, read_limited, safe_loads
from nasrank.errors import DataError

__all__ = ["looks_like_torch", "read_torch"]

SIZE_LIMIT = 2**31
"""Largest file, and largest pickle within one, that is read, in bytes."""

_ZIP = b"PK\x03\x04"
# Before torch 1.6 a file was a sequence of pickles: this number, a version, a description of the
# machine, the value, and the names of the tensors' storages.
_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_NO_STORAGES = (b"\x80\x02]q\x00.", b"\x80\x02].", b"\x80\x02]q\x01.")
_LEADING = 3
_LEADING_BYTES = 4096
_ADVICE = "Get the file again from its origin."


def looks_like_torch(path: Path) -> bool:
    """Return whether a file starts like one saved by torch; never raises."""
    start = head(path, len(_MAGIC))
    return start.startswith(_ZIP) or start == _MAGIC


def read_torch(path: Path) -> object:
    """Read a file saved by torch that holds plain data.

    It is read into memory as a whole, and its value takes about ten times its size.

    Args:
        path: The file, of either of torch's two formats.

    Returns:
        As `pickles.safe_loads`, which reads it.

    Raises:
        DataError: The file is missing, too large, damaged, not saved by torch, or holds tensors or
            anything other than plain data.
    """
    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    start = head(path, len(_MAGIC))
    if start.startswith(_ZIP):
        content = _zipped(path)
    elif start == _MAGIC:
        content = _legacy(path, read_limited(path, limit=SIZE_LIMIT, advice=_ADVICE))
    else:
        raise DataError(f"{path}: not a file saved by torch. {_ADVICE}")
    return safe_loads(content, str(path), allowed=COLLECTIONS, advice=_ADVICE)


def _zipped(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("data.pkl")]
            if len(names) != 1:
                raise DataError(f"{path}: it holds {len(names)} pickles, not one. {_ADVICE}")
            with archive.open(names[0]) as member:
                content = member.read(SIZE_LIMIT + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
        RuntimeError,  # encrypted; compressed in a way this Python does not know
    ) as error:
        raise DataError(f"{path}: damaged archive ({type(error).__name__}). {_ADVICE}") from error
    if len(content) > SIZE_LIMIT:
        raise DataError(f"{path}: its pickle grows beyond {SIZE_LIMIT:,} bytes. {_ADVICE}")
    return content


def _legacy(path: Path, content: bytes) -> bytes:
    """Cut the value's pickle out of a file of the older format."""
    leading = io.BytesIO(content[:_LEADING_BYTES])
    try:
        for _ in range(_LEADING):
            for _ in pickletools.genops(leading):
                pass
    except (ValueError, IndexError, struct.error, OverflowError) as error:
        raise DataError(f"{path}: damaged, its head is unreadable. {_ADVICE}") from error
    for tail in _NO_STORAGES:
        if content.endswith(tail):
            return content[leading.tell() : -len(tail)]
    raise DataError(f"{path}: it holds tensors or is damaged, not plain data. {_ADVICE}")
