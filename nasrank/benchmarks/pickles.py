"""Reads pickles of plain data without ever executing them.

Benchmark files of this field are pickles from shared drives, and a pickle is a program: its
opcodes may import and call anything. This module does not run that program. It walks the
opcodes itself and knows only those that make numbers, text and containers, numpy's scalar
numbers, and what the caller names: ordered dictionaries, sets, numpy's flat arrays, and records
of classes, which become inert `Record` objects. Nothing
is imported, nothing named in the file is called, and every other opcode or name is refused.

The standard library's unpickler with a restricted ``find_class`` is not enough here: the
extension registry bypasses that method, one damaged memo index makes it allocate gigabytes, and
a tuple nested by reference makes hashing a key take exponential time.
"""

import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nasrank.benchmarks._opcodes import PickleReader, Record, RefusedError, Role, refuse
from nasrank.errors import DataError
from nasrank.limits import reading

__all__ = [
    "COLLECTIONS",
    "NUMPY_ARRAYS",
    "NUMPY_NUMBERS",
    "SIZE_LIMIT",
    "Record",
    "Role",
    "explained",
    "read_limited",
    "safe_load",
    "safe_loads",
]

SIZE_LIMIT = 16 * 2**20
"""Largest file that is read, in bytes; the benchmarks' own files are smaller than 6 MB."""

NUMPY_NUMBERS: Mapping[tuple[str, str], Role] = {
    ("numpy", "dtype"): "dtype",
    ("numpy.core.multiarray", "scalar"): "scalar",  # written by numpy 1
    ("numpy._core.multiarray", "scalar"): "scalar",  # written by numpy 2
}
"""The globals that numpy's scalar numbers need; they become plain Python numbers."""

NUMPY_ARRAYS: Mapping[tuple[str, str], Role] = {
    **NUMPY_NUMBERS,
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy", "ndarray"): "ndarray",
}
"""The further globals of numpy's arrays; those of one axis become lists of Python numbers."""

COLLECTIONS: Mapping[tuple[str, str], Role] = {
    **NUMPY_NUMBERS,
    ("collections", "OrderedDict"): "ordered",
    ("builtins", "set"): "set",
    ("__builtin__", "set"): "set",  # protocol 2
    ("_codecs", "encode"): "encode",  # bytes in protocol 2
}
"""The globals of ordered dictionaries (read as dictionaries), sets and old byte strings."""


def safe_loads(
    content: bytes,
    where: str,
    *,
    allowed: Mapping[tuple[str, str], Role] = NUMPY_NUMBERS,
    advice: str = "Get the file again from its origin.",
) -> object:
    """Read one pickled value of plain data; nothing in it is imported, called or executed.

    Args:
        content: The pickle, protocol 3 to 5, or 2 where it holds no bytes.
        where: Name of the file in the error message.
        allowed: The globals that may occur, by exact module and name, and their role.
        advice: The end of an error message: what to do, with a command where there is one.

    Returns:
        ``None``, bool, int, float, str, bytes, or list, tuple, dict, set of such, or `Record`.
        Numbers of numpy come back as plain Python numbers.

    Raises:
        DataError: The pickle is truncated, damaged, or asks for anything not allowed. The
            message is one line.

    Example:
        >>> import pickle
        >>> safe_loads(pickle.dumps({"val_acc": [91.5, 90.25]}), "cells.pkl")
        {'val_acc': [91.5, 90.25]}
        >>> safe_loads(pickle.dumps(print), "cells.pkl", advice="Do not use it.")
        Traceback (most recent call last):
            ...
        nasrank.errors.DataError: cells.pkl: refused, it asks for 'builtins.print', which is not \
allowed. Do not use it.
    """
    with reading(where, size=len(content)), explained(where, advice):
        reader = PickleReader(content, allowed)
        value = reader.read()
        if reader.at != len(content):
            refuse("it does not hold exactly one value")
        return value


@contextmanager
def explained(where: str, advice: str) -> Iterator[None]:
    """Turn whatever a `PickleReader` raises into a `DataError` of one line.

    Args:
        where: Name of the file in the error message.
        advice: The end of the message.
    """
    try:
        yield
    except RefusedError as refusal:
        raise DataError(f"{where}: refused, {refusal}. {advice}") from None
    except (IndexError, KeyError, UnicodeError, struct.error) as error:
        raise DataError(
            f"{where}: damaged, not a readable pickle ({type(error).__name__}). {advice}"
        ) from error


def safe_load(
    path: Path,
    *,
    allowed: Mapping[tuple[str, str], Role] = NUMPY_NUMBERS,
    limit: int = SIZE_LIMIT,
    advice: str = "Get the file again from its origin.",
) -> object:
    """Read a file with `safe_loads`, unless it is larger than ``limit`` bytes.

    Args:
        path: The file.
        allowed: As in `safe_loads`.
        limit: Largest size that is read, in bytes.
        advice: As in `safe_loads`.

    Returns:
        As `safe_loads`.

    Raises:
        DataError: As `safe_loads`, and where the file cannot be read or is too large.
    """
    content = read_limited(path, limit=limit, advice=advice)
    return safe_loads(content, str(path), allowed=allowed, advice=advice)


def read_limited(path: Path, *, limit: int = SIZE_LIMIT, advice: str = "") -> bytes:
    """Read a whole file, unless it is larger than ``limit`` bytes.

    Args:
        path: The file.
        limit: Largest size that is read, in bytes.
        advice: The end of the error message.

    Returns:
        The file's bytes.

    Raises:
        DataError: The file is missing, unreadable, or too large.
    """
    try:
        with path.open("rb") as file:
            # The size of most files is known at once; for pipes the content decides.
            large = os.fstat(file.fileno()).st_size > limit
            content = b"" if large else file.read(limit + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {advice}".rstrip()) from error
    if large or len(content) > limit:
        raise DataError(f"{path}: larger than the {limit:,} bytes expected. {advice}".rstrip())
    return content
