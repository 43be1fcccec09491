"""The user's own vectors: Parquet with a class column, or NumPy arrays."""

from __future__ import annotations

import tokenize
import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError, UsageError
from nasrank.limits import reading, require_regular
from nasrank.samples.samples import Samples
from nasrank.tables import read_parquet

__all__ = ["read_columns", "read_vectors"]

_MOST_BYTES = 4 << 30


def read_vectors(path: Path, label: str | None = None) -> Samples:
    """Read vectors and their classes from a file.

    - ``.parquet``: every column of numbers is one dimension, except the label column; a single
      column of lists of equal length is read as the vectors instead.
    - ``.npy``: an array ``[n, d]`` or ``[n, channels, height, width]``, without classes.
    - ``.npz``: arrays ``values`` as above and, where there are classes, ``classes`` ``[n]``.

    NumPy files that would need unpickling are refused.

    Args:
        path: The file.
        label: Name of the class column of a Parquet file; without it all samples are of one class.

    Returns:
        Samples whose class names are the sorted distinct labels as text, or ``all``.

    Raises:
        UsageError: The ending is unknown, or a label is given for NumPy files.
        DataError: The file is missing, damaged, empty, not of numbers, or holds NaN.
    """
    require_regular(path)
    match path.suffix:
        case ".parquet":
            return read_columns(path, [] if label is None else [label])[0]
        case ".npy" | ".npz":
            if label is not None:
                raise UsageError(
                    f"{path}: NumPy files have no columns. Leave out --label, and store the "
                    "classes as 'classes' in a .npz file"
                )
            with reading(path):
                return _read_numpy(path)
        case _:
            raise UsageError(
                f"{path}: vectors are read from .parquet, .npy and .npz. Convert the file"
            )


def read_columns(path: Path, labels: Sequence[str]) -> tuple[Samples, list[NDArray[np.str_]]]:
    """Read vectors from a Parquet file with several label columns.

    Args:
        path: The file.
        labels: Label columns; the first gives the classes.

    Returns:
        The samples, and each label column as text ``[n]``.

    Raises:
        UsageError: A label column is not in the file.
        DataError: See `read_vectors`.
    """
    table = read_parquet(path)
    for name in labels:
        if name not in table.column_names:
            raise UsageError(
                f"{path}: no column {name!r}. It has: {', '.join(table.column_names)}"
            )
    others = [name for name in table.column_names if name not in labels]
    if not table.num_rows or not others:
        raise DataError(f"{path}: it has no vectors. Give a file with rows and columns of numbers")
    listed = [name for name in others if str(table.schema.field(name).type).startswith("list")]
    try:
        if listed:
            if len(listed) > 1:
                raise DataError(
                    f"{path}: several columns of lists ({', '.join(listed)}). Keep one of them"
                )
            values = np.array(table.column(listed[0]).to_pylist(), dtype=np.float32)
        else:
            columns = [table.column(name).to_numpy(zero_copy_only=False) for name in others]
            values = np.stack([np.asarray(each, dtype=np.float32) for each in columns], axis=1)
    except (TypeError, ValueError) as error:
        names = ", ".join(listed or others[:4])
        raise DataError(
            f"{path}: columns that are not numbers, or lists of unequal length ({names}). Name "
            "the class column with --label and drop the rest"
        ) from error
    if any(table.column(name).null_count for name in labels):
        raise DataError(f"{path}: a label column has empty cells. Fill or drop these rows")
    texts = [
        np.array([str(value) for value in table.column(name).to_pylist()], dtype=np.str_)
        for name in labels
    ]
    return _samples(path, values, texts[0] if texts else None), texts


def _read_numpy(path: Path) -> Samples:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than 4 GiB. Give a smaller part of it")
        if path.suffix == ".npy":
            with path.open("rb") as file:
                return _samples(path, np.lib.format.read_array(file, allow_pickle=False), None)
        with ZipFile(path) as packed:
            if sum(each.file_size for each in packed.infolist()) > _MOST_BYTES:
                raise DataError(f"{path}: unpacks to more than 4 GiB. Give a smaller part of it")
        with np.load(path, allow_pickle=False) as loaded:
            if "values" not in loaded:
                raise DataError(f"{path}: it holds no array 'values'. Store one [n, d]")
            return _samples(path, loaded["values"], loaded.get("classes"))
    except OSError as error:
        reason = error.strerror or "not a NumPy file"
        raise DataError(f"{path}: cannot be read ({reason}). Check the file") from error
    except (
        ValueError, EOFError, KeyError, SyntaxError, TypeError, OverflowError, BadZipFile,
        NotImplementedError, RuntimeError, zlib.error, tokenize.TokenError,
    ) as error:  # fmt: skip
        if isinstance(error, RecursionError):
            raise
        raise DataError(f"{path}: not a plain NumPy file of numbers. Save it again") from error


def _samples(
    path: Path, values: NDArray[np.generic], labels: NDArray[np.generic] | None
) -> Samples:
    if values.ndim not in {2, 4} or not values.size or values.dtype.kind not in "buif":
        raise DataError(
            f"{path}: an array of {values.dtype} of shape {values.shape}, not numbers [n, d] "
            "or [n, channels, height, width]. Reshape it"
        )
    numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0, 0])
        raise DataError(f"{path}: row {row} holds NaN or infinity. Drop or correct such rows")
    if labels is None:
        return Samples(numbers, np.zeros(len(numbers), dtype=np.int64), ("all",))
    if labels.shape != (len(numbers),):
        raise DataError(
            f"{path}: classes of shape {labels.shape} for {len(numbers):,} vectors. Give one each"
        )
    names, classes = np.unique(labels, return_inverse=True)
    return Samples(numbers, classes.astype(np.int64), tuple(str(name) for name in names))
