"""Columns of numbers that are costly to compute, kept as Parquet in the user's cache folder.

The cache is never trusted: a copy is used only if its key, schema, row count and content digest
are right, and is computed again otherwise. It is never required either: where the folder cannot
be written, work continues without it.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.tables import read_parquet, write_parquet

__all__ = ["Columns", "cache_folder", "cached_columns", "past_cache"]

Columns = dict[str, NDArray[Any]]
"""Columns of one table: one-dimensional arrays of numbers, all of one length."""

FORMAT_VERSION = 1
"""Increased when the layout of cache files changes; older files are then ignored."""

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

    Returns:
        The columns, in the order of ``schema``, read-only.
    """
    if not _used.get():
        built = build()
        return _read_only({column: built[column] for column in schema})
    try:
        path = cache_folder() / "benchmarks" / f"{name}-{key[:16]}-v{FORMAT_VERSION}.parquet"
    except DataError as error:
        _log.warning("working without a cache: %s", error)
        return _read_only(build())
    if _exists(path):
        try:
            return _read_only(_load(path, key, schema, rows))
        except DataError as error:
            _log.warning("rebuilding a damaged cache file: %s", error)
    built = build()
    columns = {column: built[column] for column in schema}
    try:
        _store(path, key, columns)
    except DataError as error:
        _log.warning("working without a cache: %s", error)
    return _read_only(columns)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder without permission; writing will say so
        return False


def _load(path: Path, key: str, schema: Mapping[str, str], rows: int) -> Columns:
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
    if metadata.get(b"nasrank.digest") != _digest(columns).encode():
        raise DataError(f"{path}: its content does not match its digest")
    return columns


def _store(path: Path, key: str, columns: Columns) -> None:
    import pyarrow as pa

    table = pa.table(columns).replace_schema_metadata(
        {"nasrank.key": key, "nasrank.digest": _digest(columns)}
    )
    write_parquet(table, path)


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
