"""Numbers that are costly to compute, kept in the user's cache folder.

Columns are kept as Parquet; arrays as they lie in memory, so that all processes share one copy.
The cache is never trusted: a copy is used only if nobody but its reader or root can write it, and
its key, shapes and content digest are right, which for the benchmarks' known files is a digest
that stands elsewhere; it is computed again otherwise. It is never required either: where the
folder cannot be written,
work continues without it.
"""

import contextlib
import hashlib
import json
import logging
import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.files import replacing
from nasrank.tables import read_parquet, write_parquet

__all__ = ["Arrays", "Columns", "cache_folder", "cached_arrays", "cached_columns", "past_cache"]

Arrays = dict[str, NDArray[Any]]
"""Arrays of numbers of any shape."""

Columns = dict[str, NDArray[Any]]
"""Columns of one table: one-dimensional arrays of numbers, all of one length."""

FORMAT_VERSION = 1
"""Increased when the layout of cache files changes; older files are then ignored."""

MOST_BYTES = 2 << 30
"""Room for files of arrays, in bytes."""

_MARK = b"nasrank\x01"
_BEFORE = len(_MARK) + 8 + hashlib.sha256().digest_size
_ALIGNED = 64
_PLAIN = {np.dtype(each).str: each for each in ("f4", "f8", "i2", "i4", "i8", "u1", "?")}

_log = logging.getLogger("nasrank")
_used: ContextVar[bool] = ContextVar("used", default=True)


@contextmanager
def past_cache() -> Iterator[None]:
    """Compute everything again inside this block: the cache is neither read nor written."""
    before = _used.set(False)
    try:
        yield
    finally:
        _used.reset(before)


def cache_folder() -> Path:
    """Return the folder for data that can be computed again.

    This is ``NASRANK_CACHE`` if set, else ``nasrank`` in ``XDG_CACHE_HOME``, else
    ``~/.cache/nasrank``. The folder need not exist.

    Raises:
        DataError: There is no home folder and neither variable is set.
    """
    if own := os.environ.get("NASRANK_CACHE"):
        return Path(own).absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # A relative XDG path is to be ignored, says the standard that defines it.
    if Path(shared).is_absolute():
        return Path(shared) / "nasrank"
    try:
        return Path.home() / ".cache" / "nasrank"
    except RuntimeError as error:
        raise DataError(
            "no cache folder: there is no home folder. Set NASRANK_CACHE to a folder"
        ) from error


def cached_columns(
    name: str,
    key: str,
    schema: Mapping[str, str],
    rows: int,
    build: Callable[[], Columns],
    *,
    check: Callable[[Columns], None] = lambda _columns: None,
) -> Columns:
    """Return columns from the cache, or build them and keep them there.

    A copy that is damaged in any way is built again with a warning in the log named
    ``nasrank``; a folder that cannot be written is reported there too. Several processes may do
    this at once: each writes a file of its own and renames it.

    Args:
        name: What the columns are, in words fit for a file name.
        key: Hexadecimal digest of everything the columns are made from.
        schema: Column names and their numpy types, such as ``float64``.
        rows: Number of rows.
        build: Computes the columns; its errors are passed on.
        check: Raises DataError for columns that break what is known of them. A copy that does is
            damaged; for what was built the error is passed on.

    Returns:
        The columns, in the order of ``schema``, read-only.
    """

    def checked(columns: Columns) -> Columns:
        check(columns)
        return _read_only({column: columns[column] for column in schema})

    if not _used.get():
        return checked(build())
    try:
        path = cache_folder() / "benchmarks" / f"{name}-{key[:16]}-v{FORMAT_VERSION}.parquet"
    except DataError as error:
        _log.warning("working without a cache: %s", error)
        return checked(build())
    if _exists(path):
        try:
            return checked(_load(path, key, schema, rows))
        except DataError as error:
            _log.warning("rebuilding a damaged cache file: %s", error)
    columns = checked(build())
    try:
        _store(path, key, columns)
    except DataError as error:
        _log.warning("working without a cache: %s", error)
    return columns


def cached_arrays(name: str, key: str, what: str, build: Callable[[], Arrays]) -> Arrays:
    """Return arrays from the cache, or build them and keep them there.

    The file is mapped into memory, so that processes share what they read of it; what one writes
    to its arrays stays its own. A file that is damaged, or that belongs to another user, who
    could have written anything there, is not used: the arrays are built again with a warning in
    the log named ``nasrank``. Files used least recently make room once all together are larger
    than `MOST_BYTES`.

    Args:
        name: What the arrays are, in words fit for a file name.
        key: Hexadecimal digest of everything the arrays are made from, code included.
        what: What is being prepared, for a note in the log when it is.
        build: Computes the arrays, of numbers or truth values; its errors are passed on.

    Returns:
        The arrays, in the order of ``build``.
    """
    if not _used.get():
        return build()
    try:
        path = cache_folder() / "arrays" / f"{name}-{key[:16]}-v{FORMAT_VERSION}.arrays"
    except DataError as error:
        _log.warning("working without a cache: %s", error)
        return build()
    if _exists(path):
        try:
            return _mapped(path, key)
        except DataError as error:
            _log.warning("rebuilding a damaged cache file: %s", error)
    _log.info("preparing %s; they are kept for the next time", what)
    built = build()
    try:
        _keep(path, key, built)
        _make_room(path)
    except DataError as error:
        _log.warning("working without a cache: %s", error)
    return built


def _keep(path: Path, key: str, arrays: Arrays) -> None:
    """Write mark, length and digest of the header, the header, and the bytes of each array."""
    entries, parts, start = [], [], 0
    for name, array in arrays.items():
        content = np.ascontiguousarray(array)
        data = content.tobytes()
        digest = hashlib.sha256(data).hexdigest()
        entries.append([name, content.dtype.str, [*content.shape], start, digest])
        parts += [data, bytes(-len(data) % _ALIGNED)]
        start += len(parts[-2]) + len(parts[-1])
    header = json.dumps({"key": key, "arrays": entries}).encode()
    header += b" " * (-(len(header) + _BEFORE) % _ALIGNED)
    with replacing(path) as part, part.open("wb") as file:
        file.write(_MARK + len(header).to_bytes(8, "little") + hashlib.sha256(header).digest())
        file.write(header)
        file.writelines(parts)
        # Whatever the user's mask: a file that others may write is not believed.
        part.chmod(0o644)


def _mapped(path: Path, key: str) -> Arrays:
    """Map a file into memory after checking all of it."""
    try:
        with path.open("rb") as file:
            _require_own(path, os.fstat(file.fileno()))
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        os.utime(path)
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise DataError(f"{path}: {error}") from error
    try:
        if content[: len(_MARK)] != _MARK:
            raise ValueError("not a file of arrays")
        length = int.from_bytes(content[len(_MARK) : len(_MARK) + 8], "little")
        text = content[_BEFORE : _BEFORE + length]
        if hashlib.sha256(text).digest() != content[len(_MARK) + 8 : _BEFORE]:
            raise ValueError("its header does not match its digest")
        header = json.loads(text)
        if header["key"] != key:
            raise ValueError("made from something else")
        arrays = {}
        for name, kind, shape, start, digest in header["arrays"]:
            dtype = np.dtype(_PLAIN[kind])
            size = math.prod(shape) * dtype.itemsize
            first = _BEFORE + length + start
            whole = memoryview(content)[first : first + size]
            if min(shape, default=0) < 0 or len(whole) != size:
                raise ValueError("it is cut off")
            if hashlib.sha256(whole).hexdigest() != digest:
                raise ValueError("its content does not match its digest")
            arrays[str(name)] = np.frombuffer(whole, dtype).reshape(shape)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: {error}") from error
    return arrays


def _make_room(kept: Path) -> None:
    """Remove the files used least recently, except one."""
    files = []
    for path in kept.parent.glob("*.arrays"):
        with contextlib.suppress(OSError):
            if path != kept and path.is_file() and not path.is_symlink():
                state = path.stat()
                files.append((state.st_mtime, state.st_size, path))
    left = MOST_BYTES
    for _, size, path in sorted(files, reverse=True):
        left -= size
        if left < 0:
            with contextlib.suppress(OSError):
                path.unlink()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder without permission; writing will say so
        return False


def _require_own(path: Path, state: os.stat_result) -> None:
    """Refuse a file that others could have written: its digests say nothing then."""
    user = getattr(os, "getuid", lambda: state.st_uid)()  # Windows has no numbers of users.
    if state.st_uid not in {user, 0} or (os.name == "posix" and state.st_mode & 0o022):
        raise DataError(f"{path}: another user could have written it")


@cache
def _known() -> Mapping[str, str]:
    """Digests of what the benchmarks' known files hold, by the names of their cache files."""
    shipped = files("nasrank.benchmarks").joinpath("shipped", "known-columns.json")
    known: dict[str, str] = json.loads(shipped.read_text(encoding="utf-8"))
    return known


def _load(path: Path, key: str, schema: Mapping[str, str], rows: int) -> Columns:
    try:
        _require_own(path, path.stat())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    table = read_parquet(path)
    metadata = table.schema.metadata or {}
    found = [(field.name, str(field.type)) for field in table.schema]
    # Parquet's names for the types are numpy's, but for "double".
    expected = [(column, kind.replace("float64", "double")) for column, kind in schema.items()]
    if found != expected or table.num_rows != rows or metadata.get(b"nasrank.key") != key.encode():
        raise DataError(f"{path}: not the expected table")
    if any(table.column(column).null_count for column in schema):
        raise DataError(f"{path}: it has missing values")
    # DLPack, since Arrow's own conversion to numpy imports pandas, which is slow.
    columns: Columns = {
        column: np.from_dlpack(table.column(column).combine_chunks()) for column in schema
    }
    digest = _digest(columns)
    if metadata.get(b"nasrank.digest") != digest.encode():
        raise DataError(f"{path}: its content does not match its digest")
    if _known().get(path.stem, digest) != digest:
        raise DataError(f"{path}: its numbers are not those of the benchmark")
    return columns


def _store(path: Path, key: str, columns: Columns) -> None:
    import pyarrow as pa

    table = pa.table(columns).replace_schema_metadata(
        {"nasrank.key": key, "nasrank.digest": _digest(columns)}
    )
    write_parquet(table, path)
    # Whatever the user's mask: a file that others may write is not believed.
    with contextlib.suppress(OSError):
        path.chmod(0o644)


def _digest(columns: Columns) -> str:
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(f"{name}:{column.dtype.str}:{len(column)};".encode())
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _read_only(columns: Columns) -> Columns:
    for column in columns.values():
        column.setflags(write=False)
    return columns
