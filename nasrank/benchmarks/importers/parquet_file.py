"""Reads the columns of an untrusted Parquet file, within bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.column_names import column_of
from nasrank.errors import DataError, UsageError
from nasrank.limits import reading
from nasrank.tables import require_few_cells

__all__ = ["ParquetColumns", "column_names", "open_columns"]

ROW_LIMIT = 5_000_000
"""Maximum number of rows; the largest benchmark table has fewer than half a million."""

BYTE_LIMIT = 2**30
"""Maximum number of bytes that a file may declare for its decompressed columns."""

_MAGIC = b"PAR1"
_THRIFT_LIMIT = 16 * 2**20
_ADVICE = "Get the file again from its origin."


@dataclass(frozen=True)
class ParquetColumns:
    """The columns of one file, read on demand.

    Attributes:
        path: The file, as error messages name it.
        names: Its columns, in their order.
        rows: Its number of rows, at least 1.
        file: The open file.
        written: The file's own name of a column where it is another one.
    """

    path: Path
    names: tuple[str, ...]
    rows: int
    file: Any
    written: Mapping[str, str] = field(default_factory=dict)

    def error(self, complaint: str, remedy: str = _ADVICE) -> DataError:
        """Make the error for unexpected content.

        Args:
            complaint: What is wrong, as a clause.
            remedy: What to do, as a sentence.
        """
        return DataError(f"{self.path}: {complaint}. {remedy}")

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Read a column of numbers.

        Args:
            name: A column.

        Returns:
            ``[rows]``; NaN where the file has NaN or null.

        Raises:
            DataError: The column is missing, damaged or holds no numbers.
        """
        import pyarrow as pa

        column = self._column(name)
        kind = column.type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise self.error(f"column {name} holds {str(kind)[:40]} instead of numbers")
        try:
            values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        except (pa.ArrowException, ValueError, OSError, MemoryError) as error:
            raise self.error(f"column {name} is damaged") from error
        return np.array(values, np.float64)

    def whole_numbers(self, name: str, *, low: int, high: int) -> NDArray[np.int64]:
        """Read a column of whole numbers within bounds.

        Args:
            name: A column.
            low: The least number allowed.
            high: The largest number allowed.

        Returns:
            ``[rows]``.

        Raises:
            DataError: As `numbers`, and where a number is missing, broken or out of bounds.
        """
        values = self.numbers(name)
        good = (values >= low) & (values <= high) & (values == np.rint(values))
        if not good.all():
            row = int(np.argmin(good))
            raise self.error(
                f"row {row} has {values[row]:g} for {name}, not a whole number "
                f"from {low} to {high}"
            )
        return values.astype(np.int64)

    def percents(self, name: str, *, scale: float = 1.0) -> NDArray[np.float64]:
        """Read a column of accuracies.

        Args:
            name: A column.
            scale: Factor that converts the file's numbers to percent.

        Returns:
            ``[rows]`` percent; NaN where missing.

        Raises:
            DataError: As `numbers`, and where a value is outside 0 to 100 %.
        """
        values = self.numbers(name) * scale
        wrong = (values < 0) | (values > 100 + 1e-9)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise self.error(f"row {row} has {values[row]:g} % for {name}, not 0 to 100 %")
        return values

    def texts(self, name: str) -> list[str]:
        """Read a column of texts.

        Args:
            name: A column.

        Returns:
            One text per row.

        Raises:
            DataError: The column is missing or damaged, does not hold texts, or has a null.
        """
        import pyarrow as pa

        column = self._column(name)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise self.error(f"column {name} holds {str(kind)[:40]} instead of text")
        try:
            values: list[str | None] = column.to_pylist()
        except (pa.ArrowException, ValueError, IndexError, OSError, MemoryError) as error:
            raise self.error(f"column {name} is damaged") from error
        texts = [value for value in values if value is not None]
        if len(texts) != len(values):
            raise self.error(f"row {values.index(None)} has no {name}")
        return texts

    def _column(self, name: str) -> Any:  # noqa: ANN401 - pyarrow has no types
        import pyarrow as pa

        if name not in self.names:
            raise self.error(f"it has no column {name}")
        try:
            written = self.written.get(name, name)
            with reading(self.path):
                column = self.file.read(columns=[written], use_threads=False).column(written)
        except (pa.ArrowException, ValueError, KeyError, OSError, MemoryError) as error:
            raise self.error(f"column {name} is damaged") from error
        if len(column) != self.rows:
            raise self.error(f"column {name} has {len(column)} of {self.rows} rows")
        return column


def open_columns(path: Path, renamed: Mapping[str, str] | None = None) -> ParquetColumns:
    """Open a Parquet file; its data is read column by column later.

    Args:
        path: The file.
        renamed: The file's name of a column by the name that it gets, or nothing. A column of
            that name already is left out.

    Returns:
        Its columns.

    Raises:
        UsageError: A renamed column is not in the file.
        DataError: It is missing, a folder, damaged, empty, or declares more than the limits.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    try:
        file = pq.ParquetFile(
            path,
            thrift_string_size_limit=_THRIFT_LIMIT,
            thrift_container_size_limit=_THRIFT_LIMIT,
        )
        metadata = file.metadata
        names = tuple(file.schema_arrow.names)
        declared = sum(
            metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
        )
    except (pa.ArrowException, ValueError, KeyError, OSError, MemoryError) as error:
        raise DataError(f"{path}: not a readable Parquet file. {_ADVICE}") from error
    rows = metadata.num_rows
    table = ParquetColumns(path, names, rows, file)
    if len(set(names)) != len(names):
        raise table.error("it has two columns of the same name")
    if not 0 < rows <= ROW_LIMIT:
        raise table.error(f"it has {rows:,} rows, not 1 to {ROW_LIMIT:,}")
    if not 0 <= declared <= BYTE_LIMIT:
        raise table.error(f"it declares {declared:,} bytes of data, more than {BYTE_LIMIT:,}")
    require_few_cells(path, file)
    written = {name: column_of(text, names, "column") for name, text in (renamed or {}).items()}
    new = {text: name for name, text in written.items()}
    shown = [new.get(name, name) for name in names if name in new or name not in written]
    return replace(table, names=tuple(shown), written=written)


def column_names(path: Path, renamed: Mapping[str, str] | None = None) -> Sequence[str]:
    """Return the columns of a Parquet file, or nothing for anything else; never raises.

    Args:
        path: A path.
        renamed: As in :func:`open_columns`.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return ()
        return open_columns(path, renamed).names
    except (OSError, ValueError, DataError, UsageError):
        return ()
