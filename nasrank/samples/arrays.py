"""The user's own vectors: Parquet with label columns, or NumPy arrays. Every study reads them so.

Not every column of numbers is a feature. The index of a data frame, identifiers and constants are
recognised and left out, columns of another scale are found, and all of it is said.
"""

from __future__ import annotations

import json
import re
import tokenize
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError, UsageError
from nasrank.limits import reading as limited
from nasrank.limits import require_regular
from nasrank.samples.samples import Samples
from nasrank.tables import read_parquet

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ENDINGS", "FileSamples", "Reading", "Scaling", "read_samples"]

ENDINGS = (".parquet", ".npy", ".npz")
"""Endings of files of vectors."""

Scaling: TypeAlias = Literal["auto", "none", "standard"]

_MOST_BYTES = 4 << 30
_OTHER_SCALE = 100.0
"""How many times the usual spread of columns that of one may be before it drowns the others."""
_FEWEST_COUNTED = 10
"""Rows from which on whole numbers without a gap or a repetition are taken for a count of rows."""
_INDEX = re.compile(r"__index_level_\d+__|Unnamed: \d+|")
_IDENTIFIER = re.compile(r"(.*[_ .-])?(id|ids|idx|index|uid|uuid|guid|rowid|rownumber)", re.I)


@dataclass(frozen=True)
class Reading:
    """How a file of vectors is to be read.

    Attributes:
        columns: Columns to use; empty for all that are features.
        scaling: ``standard`` brings every column to mean 0 and deviation 1, ``none`` leaves them,
            ``auto`` does the first where one of them is of another scale than most.
    """

    columns: tuple[str, ...] = ()
    scaling: Scaling = "auto"


@dataclass(frozen=True, eq=False)
class FileSamples:
    """What a file holds.

    Attributes:
        samples: Its vectors, with the first label as their classes, or one class ``all``; their
            ``notes`` say what was left out or scaled.
        labels: Every label asked for, as text ``[n]``, by name.
    """

    samples: Samples
    labels: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)


def read_samples(
    path: Path, labels: Sequence[str] = (), reading: Reading | None = None
) -> FileSamples:
    """Read vectors and their labels from a file.

    - ``.parquet``: every column of numbers is one dimension, but for labels, the index of a data
      frame, identifiers and constants; a single column of lists of equal length is read as the
      vectors instead.
    - ``.npz``: arrays ``values``, ``[n, d]`` or ``[n, channels, height, width]``, and one of ``n``
      for each label; without labels ``classes``, where it is there.
    - ``.npy``: an array as ``values`` above, without classes.

    NumPy files that would need unpickling are refused.

    Args:
        path: The file.
        labels: Names of columns or arrays, from the classes up to the coarsest groups.
        reading: What to use, and how to scale it; `Reading` by default.

    Raises:
        UsageError: The ending is unknown, or a name is not in the file.
        DataError: The file is missing, damaged, empty, not of numbers, or holds NaN.
    """
    require_regular(path)
    how = Reading() if reading is None else reading
    match path.suffix:
        case ".parquet":
            return _read_parquet(path, labels, how)
        case ".npy" | ".npz":
            if path.suffix == ".npy" and labels:
                raise UsageError(
                    f"{path}: .npy files have no columns. Leave out --label, or store the labels "
                    "beside 'values' in a .npz file"
                )
            if how.columns:
                raise UsageError(f"{path}: NumPy files have no columns. Leave out --columns")
            with limited(path):
                return _read_numpy(path, labels, how)
        case _:
            raise UsageError(
                f"{path}: vectors are read from .parquet, .npy and .npz. Convert the file"
            )


def _read_parquet(path: Path, labels: Sequence[str], how: Reading) -> FileSamples:
    table = read_parquet(path)
    for name in (*labels, *how.columns):
        if name not in table.column_names:
            raise UsageError(
                f"{path}: no column {name!r}. It has: {', '.join(table.column_names)}"
            )
    others = [name for name in how.columns or table.column_names if name not in labels]
    if not table.num_rows or not others:
        raise DataError(f"{path}: it has no vectors. Give a file with rows and columns of numbers")
    if any(table.column(name).null_count for name in labels):
        raise DataError(f"{path}: a label column has empty cells. Fill or drop these rows")
    texts = {
        name: np.array([str(value) for value in table.column(name).to_pylist()], dtype=np.str_)
        for name in labels
    }
    listed = [name for name in others if str(table.schema.field(name).type).startswith("list")]
    notes: tuple[str, ...] = ()
    if listed:
        values = _listed(path, table, listed)
    else:
        left_out = {} if how.columns else _no_features(table, others)
        used = [name for name in others if name not in left_out]
        if left_out:
            told = ", ".join(f"{name} ({why})" for name, why in left_out.items())
            notes = (f"{path}: no features, and left out: {told}. --columns names what to use",)
        if not used:
            raise DataError(f"{path}: it has no vectors: {told}. Name the features with --columns")
        values = _stacked(path, table, used)
        values, said = _scaled(path, values, used, how.scaling)
        notes += said
    first = texts[labels[0]] if labels else None
    return FileSamples(replace(_samples(path, values, first), notes=notes), texts)


def _listed(path: Path, table: pa.Table, listed: Sequence[str]) -> NDArray[np.float64]:
    if len(listed) > 1:
        names = ", ".join(listed)
        raise DataError(f"{path}: several columns of lists ({names}). Keep one of them")
    try:
        return np.array(table.column(listed[0]).to_pylist(), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _no_numbers(path, listed) from error


def _stacked(path: Path, table: pa.Table, names: Sequence[str]) -> NDArray[np.float64]:
    try:
        columns = [table.column(name).to_numpy(zero_copy_only=False) for name in names]
        return np.stack([np.asarray(each, dtype=np.float64) for each in columns], axis=1)
    except (TypeError, ValueError) as error:
        raise _no_numbers(path, names) from error


def _no_numbers(path: Path, names: Sequence[str]) -> DataError:
    return DataError(
        f"{path}: columns that are not numbers, or lists of unequal length "
        f"({', '.join(names[:4])}). Name the class column with --label and drop the rest"
    )


def _no_features(table: pa.Table, names: Sequence[str]) -> dict[str, str]:
    """Return the columns that are no features, and what they are instead."""
    index = _index_of_frame(table)
    found = {}
    for name in names:
        why = _what_else(name, table.column(name).to_numpy(zero_copy_only=False), index)
        if why is not None:
            found[name] = why
    return found


def _index_of_frame(table: pa.Table) -> set[str]:
    """Return the columns that pandas says it stored as an index."""
    try:
        about = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
        return {name for name in about.get("index_columns", ()) if isinstance(name, str)}
    except (ValueError, AttributeError, TypeError):
        return set()


def _what_else(name: str, values: NDArray[np.generic], index: set[str]) -> str | None:
    """Say what a column is if it is no feature."""
    if name in index or _INDEX.fullmatch(name):
        return "the index of a data frame"
    if values.dtype.kind not in "buif":
        return "names" if len(set(values.tolist())) == len(values) > 1 else None
    numbers = values.astype(np.float64)
    # A file that is refused is refused for what is wrong with it.
    if not np.isfinite(numbers).all() or len(numbers) < 2:
        return None
    whole = bool((numbers == np.floor(numbers)).all())
    distinct = len(np.unique(numbers)) == len(numbers) >= _FEWEST_COUNTED
    meanings = {
        "constant": np.ptp(numbers) == 0,
        "an identifier": whole and _IDENTIFIER.fullmatch(name),
        "counts the rows": whole and distinct and np.ptp(numbers) == len(numbers) - 1,
    }
    return next((what for what, is_so in meanings.items() if is_so), None)


def _scaled(
    path: Path, values: NDArray[np.float64], names: Sequence[str], scaling: Scaling
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Bring columns to one scale, where that is asked for or some drown the others."""
    if scaling == "none" or not np.isfinite(values).all():
        return values, ()
    # First to size 1: squares of large numbers overflow.
    largest = np.abs(values).max(axis=0, initial=0.0)
    unit = np.where(largest > 0, largest, 1.0)
    spread = (values / unit).std(axis=0) * unit
    usual = float(np.median(spread[spread > 0])) if (spread > 0).any() else 0.0
    apart = [(n, s) for n, s in zip(names, spread, strict=True) if s > _OTHER_SCALE * usual > 0]
    if scaling == "auto" and not apart:
        return values, ()
    mean = (values / unit).mean(axis=0)
    scaled = (values / unit - mean) / np.where(spread > 0, spread / unit, 1.0)
    if scaling == "standard":
        return scaled, ()
    told = ", ".join(f"{name} (spread {each:.3g})" for name, each in apart[:4])
    line = (
        f"{path}: of another scale than most columns (spread {usual:.3g}): {told}. All are "
        "standardised; --scaling none leaves them as they are"
    )
    return scaled, (line,)


def _read_numpy(path: Path, labels: Sequence[str], how: Reading) -> FileSamples:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than 4 GiB. Give a smaller part of it")
        if path.suffix == ".npy":
            with path.open("rb") as file:
                values = np.lib.format.read_array(file, allow_pickle=False)
            return FileSamples(_of_array(path, values, None, how))
        with ZipFile(path) as packed:
            if sum(each.file_size for each in packed.infolist()) > _MOST_BYTES:
                raise DataError(f"{path}: unpacks to more than 4 GiB. Give a smaller part of it")
        with np.load(path, allow_pickle=False) as loaded:
            if "values" not in loaded:
                raise DataError(f"{path}: it holds no array 'values'. Store one [n, d]")
            names = labels or (["classes"] if "classes" in loaded else [])
            for name in names:
                if name not in loaded:
                    raise UsageError(f"{path}: no array {name!r}. It has: {', '.join(loaded)}")
            arrays = {name: loaded[name] for name in names}
            first = arrays[names[0]] if names else None
            samples = _of_array(path, loaded["values"], first, how)
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
    for array in arrays.values():
        _require_one_each(path, array, len(samples))
    texts = {
        name: np.array([str(value) for value in array.tolist()], dtype=np.str_)
        for name, array in arrays.items()
        if name in labels
    }
    return FileSamples(samples, texts)


def _of_array(
    path: Path, values: NDArray[np.generic], labels: NDArray[np.generic] | None, how: Reading
) -> Samples:
    samples = _samples(path, values, labels)
    if how.scaling == "standard" and values.ndim == 2:
        names = [str(place) for place in range(values.shape[1])]
        scaled, _ = _scaled(path, values.astype(np.float64), names, how.scaling)
        samples = replace(samples, values=scaled.astype(np.float32))
    return samples


def _samples(
    path: Path, values: NDArray[np.generic], labels: NDArray[np.generic] | None
) -> Samples:
    if values.ndim not in {2, 4} or not values.size or values.dtype.kind not in "buif":
        raise DataError(
            f"{path}: an array of {values.dtype} of shape {values.shape}, not numbers [n, d] "
            "or [n, channels, height, width]. Reshape it"
        )
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        row = int(np.argwhere(~np.isfinite(numbers))[0, 0])
        raise DataError(f"{path}: row {row} holds NaN or infinity. Drop or correct such rows")
    if labels is None:
        return Samples(numbers, np.zeros(len(numbers), dtype=np.int64), ("all",))
    _require_one_each(path, labels, len(numbers))
    names, classes = np.unique(labels, return_inverse=True)
    return Samples(numbers, classes.astype(np.int64), tuple(str(name) for name in names))


def _require_one_each(path: Path, labels: NDArray[np.generic], count: int) -> None:
    if labels.shape != (count,):
        raise DataError(
            f"{path}: classes of shape {labels.shape} for {count:,} vectors. Give one each"
        )
