"""Rows of an untrusted CSV, JSON Lines or Parquet file, within bounds."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from nasrank.benchmarks.importers.parquet_file import open_columns
from nasrank.errors import DataError

__all__ = [
    "LINE_LIMIT",
    "ROW_LIMIT",
    "SUFFIXES",
    "Record",
    "Records",
    "read_records",
    "record_chunks",
]

LINE_LIMIT = 2**20
"""Longest line that is read, in characters."""
ROW_LIMIT = 5_000_000
"""Maximum number of rows."""
SUFFIXES = (".csv", ".jsonl", ".parquet")
"""Suffixes of the file names that are read."""

_EVERY = 1_000
_REMEDY = "Repair the file and import it again"

Record = dict[str, object]
"""One row: values by column, as the format has them; text only in CSV."""


@dataclass(frozen=True)
class Records:
    """All rows of a file.

    Attributes:
        path: The file.
        columns: Every column that occurs, in order of first occurrence.
        rows: The rows; a column that a row lacks is absent from it.
        places: Number of each row for messages: of its line, or of its row in Parquet.
        unit: ``line`` or ``row``.
        remedy: What to do about a bad row, as a sentence.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[Record]
    places: list[int]
    unit: str
    remedy: str = _REMEDY

    def error(self, row: int, complaint: str) -> DataError:
        """Make the error for a row.

        Args:
            row: Its position in ``rows``.
            complaint: What is wrong, as a clause.
        """
        return DataError(
            f"{self.path}: {self.unit} {self.places[row]}: {complaint}. {self.remedy}"
        )


def read_records(
    path: Path, *, on_progress: Callable[[int, int | None], None] | None = None
) -> Records:
    """Read a file of one of `SUFFIXES`.

    CSV is UTF-8 with a header; JSON Lines holds one object per line. Empty lines are skipped.

    Args:
        path: The file.
        on_progress: Receives the number of rows read so far, and their total where it is known.

    Raises:
        DataError: It is missing, a folder, empty, damaged, of another kind, or a line or the
            number of rows is beyond the limits.
    """
    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    kind = path.suffix.lower()
    if kind == ".parquet":
        return _parquet(path, on_progress)
    if kind not in SUFFIXES:
        raise DataError(f"{path}: not one of {', '.join(SUFFIXES)}. Convert the file first")
    rows: list[Record] = []
    places: list[int] = []
    names: dict[str, None] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for place, row in _csv(path, file) if kind == ".csv" else _jsonl(path, file):
                if len(rows) == ROW_LIMIT:
                    raise DataError(f"{path}: more than {ROW_LIMIT:,} rows. Import fewer")
                names |= dict.fromkeys(row)
                rows.append(row)
                places.append(place)
                if on_progress is not None and len(rows) % _EVERY == 0:
                    on_progress(len(rows), None)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text. Save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path") from error
    return _whole(Records(path, tuple(names), rows, places, "line"), on_progress)


def record_chunks(
    path: Path,
    size: int,
    wanted: Callable[[int], bool] = lambda _: True,
    *,
    remedy: str = _REMEDY,
) -> Iterator[tuple[int, Records]]:
    """Read a file of one of `SUFFIXES` of any length, a chunk at a time.

    Args:
        path: The file.
        size: Rows of a chunk; the last may have fewer.
        wanted: Returns for its number, counted from 0, whether a chunk is needed; others are
            skipped, which is faster.
        remedy: What to do about a bad row, as a sentence.

    Yields:
        The number of a chunk and its rows.

    Raises:
        DataError: It is missing, a folder, empty, damaged or of another kind.
    """
    kind = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    if kind not in SUFFIXES:
        raise DataError(f"{path}: not one of {', '.join(SUFFIXES)}. Convert the file first")
    chunks = _parquet_chunks if kind == ".parquet" else _text_chunks
    number = -1
    for number, columns, rows, places in chunks(path, size, wanted):
        if wanted(number):
            unit = "row" if kind == ".parquet" else "line"
            yield number, Records(path, columns, rows, places, unit, remedy)
    if number < 0:
        raise DataError(f"{path}: it holds no architecture. {remedy}")


_Chunk = tuple[int, tuple[str, ...], list[Record], list[int]]


def _text_chunks(path: Path, size: int, wanted: Callable[[int], bool]) -> Iterator[_Chunk]:
    number = 0
    rows: list[Record] = []
    places: list[int] = []
    names: dict[str, None] = {}
    count = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = _csv if path.suffix.lower() == ".csv" else _jsonl
            for place, row in reader(path, file):
                if wanted(number):
                    names |= dict.fromkeys(row)
                    rows.append(row)
                    places.append(place)
                count += 1
                if count == size:
                    yield number, tuple(names), rows, places
                    number, count, rows, places, names = number + 1, 0, [], [], {}
            if count:
                yield number, tuple(names), rows, places
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text. Save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path") from error


def _parquet_chunks(path: Path, size: int, wanted: Callable[[int], bool]) -> Iterator[_Chunk]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            if len(set(names)) != len(names):
                raise DataError(f"{path}: it has two columns of the same name. {_REMEDY}")
            rows: list[Record] = []
            number = first = 0
            # A batch ends with its row group, so chunks are filled from several.
            for batch in file.iter_batches(batch_size=size, use_threads=False):
                start = 0
                while start < len(batch):
                    part = batch.slice(start, size - (first - number * size))
                    if wanted(number):
                        rows += part.to_pylist()
                    start, first = start + len(part), first + len(part)
                    if first == (number + 1) * size:
                        yield number, names, rows, list(range(number * size, first))
                        number, rows = number + 1, []
            if first > number * size:
                yield number, names, rows, list(range(number * size, first))
    except (pa.ArrowException, ValueError, KeyError, IndexError, OSError, MemoryError) as error:
        raise DataError(f"{path}: damaged Parquet. {_REMEDY}") from error


def _csv(path: Path, file: TextIO) -> Iterator[tuple[int, Record]]:
    reader = csv.reader(_lines(path, file), strict=True)
    header: list[str] | None = None
    try:
        for fields in reader:
            place = reader.line_num
            if not any(field.strip() for field in fields):
                continue
            if header is None:
                header = [field.strip() for field in fields]
                if len(set(header)) != len(header) or "" in header:
                    raise DataError(
                        f"{path}: line {place}: the header has two columns of the same name or a "
                        f"column without a name. {_REMEDY}"
                    )
                continue
            if len(fields) != len(header):
                raise DataError(
                    f"{path}: line {place}: {len(fields)} fields under {len(header)} columns. "
                    f"{_REMEDY}"
                )
            yield place, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not CSV ({error}). {_REMEDY}") from error


def _jsonl(path: Path, file: TextIO) -> Iterator[tuple[int, Record]]:
    for place, line in enumerate(_lines(path, file), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {place}: not JSON. {_REMEDY}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {place}: not a JSON object. {_REMEDY}")
        yield place, row


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    place = 1
    while line := file.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT:
            raise DataError(
                f"{path}: line {place}: longer than {LINE_LIMIT:,} characters. {_REMEDY}"
            )
        yield line
        place += 1


def _parquet(path: Path, on_progress: Callable[[int, int | None], None] | None) -> Records:
    import pyarrow as pa

    table = open_columns(path)
    try:
        columns = {
            name: table.file.read(columns=[name], use_threads=False).column(name).to_pylist()
            for name in table.names
        }
    except (pa.ArrowException, ValueError, KeyError, IndexError, OSError, MemoryError) as error:
        raise DataError(f"{path}: damaged Parquet. {_REMEDY}") from error
    if any(len(column) != table.rows for column in columns.values()):
        raise DataError(f"{path}: its columns have different lengths. {_REMEDY}")
    rows: list[Record] = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return _whole(Records(path, table.names, rows, list(range(len(rows))), "row"), on_progress)


def _whole(records: Records, on_progress: Callable[[int, int | None], None] | None) -> Records:
    if not records.rows:
        raise DataError(f"{records.path}: it holds no architecture. {_REMEDY}")
    if on_progress is not None:
        on_progress(len(records.rows), len(records.rows))
    return records
