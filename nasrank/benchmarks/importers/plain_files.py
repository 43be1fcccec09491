"""Files of plain tables as columns of text, whole or in parts that can be read in any order.

Bytes are looked at before Arrow gets them, so that it never reads anything otherwise than the
readers of rows.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.benchmarks.importers.dialect import separator_of
from nasrank.benchmarks.importers.plain_graphs import NotPlainError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BAD", "Span", "csv_batches", "csv_header", "plain_batches", "plain_spans"]

_HEADER = re.compile(r'("?)[A-Za-z_][\w.-]*\1(,("?)[A-Za-z_][\w.-]*\3)*', re.ASCII)
_ODD = (b"'", b"{", b"\0")
"""Bytes that may mean something in CSV."""
_ODD_QUOTE = re.compile(rb'[^,\n]"[^,\n\r]|[,\n]"[,\n\r]')
"""A quote that does not stand at one end of a cell."""
_ENDS = (b"}\n", b"}\r\n")
"""How a line of JSON ends."""
_SAMPLE = 2**16
_BLOCK = 2**20
_SCANNED, _LONGEST_LINE = 2**24, 2**20
_NEWLINE, _QUOTE = b'\n"'
_EMPTY = b' ,\t\r\n"'
_EMPTY_LINE = re.compile(rb'\n[\s,"]*\n')

BAD = (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError)
"""What reading a file can raise that is not of the form expected, beside Arrow's own."""

Choose = Callable[[Sequence[str]], list[str]]
"""Returns the columns to read, or raises `NotPlainError`."""


@dataclass(frozen=True)
class Span:
    """Successive chunks of a table, which can be read without what stands before them.

    Attributes:
        first: Number of the first chunk.
        stop: Number of the one after the last.
        start: Where they start in a file of text, in bytes.
        end: Where they end.
    """

    first: int
    stop: int
    start: int = 0
    end: int = 0

    @property
    def numbers(self) -> range:
        """Numbers of the chunks."""
        return range(self.first, self.stop)


def plain_spans(path: Path, size: int, most: int, parts: int) -> tuple[list[Span], int]:
    """Cut a table into parts that can be read in any order.

    Text is looked through for the ends of lines, which takes a second a gigabyte.

    Args:
        path: The file.
        size: Rows of a chunk.
        most: Most chunks of a part.
        parts: How many parts there should be at least, where there are as many chunks.

    Returns:
        The parts in order, and the number of rows.

    Raises:
        NotPlainError: It is not of a form of which lines and rows are certainly the same.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as file:
                rows = int(file.metadata.num_rows)
            starts = [0] * -(-rows // size) + [0]
        else:
            starts, rows = _chunk_starts(path, size)
    except (pa.ArrowException, *BAD) as error:
        raise NotPlainError from error
    count = len(starts) - 1
    chunks = max(1, min(most, count // parts))
    spans = [
        Span(first, stop, starts[first], starts[stop])
        for first in range(0, count, chunks)
        for stop in [min(first + chunks, count)]
    ]
    return spans, rows


def _chunk_starts(path: Path, size: int) -> tuple[list[int], int]:
    """Return where chunks of lines start, then the length of the file; and the number of rows."""
    kind = path.suffix.lower()
    if kind not in {".csv", ".jsonl", ".ndjson"}:
        raise NotPlainError
    header = 1 if kind == ".csv" else 0
    if header:
        csv_header(path)
    starts: list[int] = [] if header else [0]
    lines = place = 0
    before = b"\n"
    with path.open("rb") as file:
        watched = _Watched(file) if header else _WatchedLines(file)
        while block := watched.read(_SCANNED):
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE)
            if header:
                _require_lines_are_rows(before, block)
            # The line after end number i is row i + 1, counted from 0 with the header.
            rows = lines + 1 + np.arange(len(ends)) - header
            starts += (place + 1 + ends[rows % size == 0]).tolist()
            lines, place = lines + len(ends), place + len(block)
            before = (before + block)[-_LONGEST_LINE:]
    # What stands after the last end of a line.
    rest = before.rpartition(b"\n")[2]
    count = lines + (rest != b"") - header
    if count < 1 or (rest and not rest.strip(_EMPTY)):
        raise NotPlainError
    return [*starts[: -(-count // size)], place], count


def _require_lines_are_rows(before: bytes, block: bytes) -> None:
    """Refuse lines that the reader of rows skips, and cells of several lines."""
    if b"\n" not in before:
        raise NotPlainError
    # From the last end of a line on, which may be of an earlier block.
    window = before[before.rindex(b"\n") :] + block
    marks = np.frombuffer(window, np.uint8)
    ends = np.flatnonzero(marks == _NEWLINE)
    first = np.unique(marks[ends[ends + 1 < len(marks)] + 1]).tolist()
    if {*first} & {*_EMPTY} and _EMPTY_LINE.search(window):
        raise NotPlainError
    if b'"' in window and (np.cumsum(marks == _QUOTE)[ends] % 2).any():
        raise NotPlainError


def plain_batches(
    path: Path, choose: Choose, size: int, span: Span | None = None
) -> Iterator["pa.RecordBatch"]:
    """Read columns of text.

    Args:
        path: The file.
        choose: Returns which of the file's columns to read.
        size: Rows of a chunk.
        span: The chunks to read; all by default.

    Yields:
        Their rows, in any portions.

    Raises:
        NotPlainError: The file is not of a form that is read here; what it holds further on may
            still raise any of `BAD`, or an error of Arrow.
    """
    kind = path.suffix.lower()
    if kind == ".parquet":
        yield from _parquet(path, choose, size, span)
    elif kind == ".csv":
        yield from csv_batches(path, choose(csv_header(path)), span)
    elif kind in {".jsonl", ".ndjson"}:
        yield from _json_lines(path, choose, span)
    else:
        raise NotPlainError


def csv_header(path: Path) -> list[str]:
    """Return the columns of a plain CSV file.

    Raises:
        NotPlainError: It is none.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_SAMPLE)
    if not start.isascii():
        raise NotPlainError
    sample = start.decode("ascii")
    header = sample.splitlines()[0] if sample else ""
    complete = len(start) < _SAMPLE
    if not _HEADER.fullmatch(header) or separator_of(sample, complete=complete) != ",":
        raise NotPlainError
    columns = header.replace('"', "").split(",")
    if len({*columns}) != len(columns):
        raise NotPlainError
    return columns


def csv_batches(
    path: Path, columns: Sequence[str], span: Span | None = None
) -> Iterator["pa.RecordBatch"]:
    """Read some columns of a plain CSV file as text; see `plain_batches`."""
    import pyarrow as pa
    from pyarrow import csv

    names = None if span is None else csv_header(path)
    with path.open("rb") as file:
        watched = pa.PythonFile(_Watched(_section(file, span)), mode="r")
        read = csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=names)
        convert = csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=False,
        )
        with csv.open_csv(watched, read_options=read, convert_options=convert) as reader:
            yield from reader


def _section(file: Any, span: Span | None) -> Any:  # noqa: ANN401 - any binary file
    return file if span is None else _Section(file, span.start, span.end)


class _Section:
    """A part of a binary file as a file."""

    def __init__(self, file: Any, start: int, end: int) -> None:  # noqa: ANN401
        file.seek(start)
        self._file, self._left = file, end - start

    def read(self, size: int = -1) -> bytes:
        """Read on, to the end of the part at most."""
        block: bytes = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block


class _Watched:
    """A binary file that refuses to hand over what is no plain text."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - any binary file
        self._file = file
        # What was handed over and can only be judged with what follows.
        self._rest = b"\n"
        self._quotes = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read, or raise `NotPlainError`."""
        block: bytes = self._file.read(size)
        if not block.isascii() or any(each in block for each in _ODD):
            raise NotPlainError
        self._quotes += block.count(b'"')
        if not block and self._quotes % 2:
            raise NotPlainError
        window = self._rest + (block or b"\n")
        judged = window.rstrip(b'"\r')
        self._rest = window[max(0, len(judged) - 1) :]
        # Quotes stand around whole cells, and a line ends as Unix or Windows ends it.
        odd = b'"' in judged and _ODD_QUOTE.search(judged)
        if odd or judged.count(b"\r") != judged.count(b"\r\n"):
            raise NotPlainError
        return block


def _json_lines(path: Path, choose: Choose, span: Span | None) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import json

    with path.open("rb") as file:
        first = file.readline(_SAMPLE)
        file.seek(0)
        with json.open_json(
            pa.PythonFile(_WatchedLines(_section(file, span)), mode="r"),
            read_options=json.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=json.ParseOptions(
                explicit_schema=pa.schema([(name, pa.string()) for name in choose(_keys(first))]),
                unexpected_field_behavior="ignore",
            ),
        ) as reader:
            yield from reader


class _WatchedLines:
    """A binary file that refuses to hand over anything but a flat object a line."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - any binary file
        self._file = file
        self._before = b"\n"
        self._opened = self._starts = self._closed = self._ends = self._lines = 0
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read, or raise `NotPlainError`."""
        block: bytes = self._file.read(size)
        # Arrow would take two objects on a line, or one on two lines.
        self._opened += block.count(b"{")
        self._closed += block.count(b"}")
        self._lines += block.count(b"\n")
        window = self._before + block
        # The first byte counts as the end of a line; what was before is not counted again.
        self._starts += window.count(b"\n{") - self._before.count(b"\n{")
        self._ends += sum(window.count(end) - self._before.count(end) for end in _ENDS)
        self._before = window[-2:]
        if (
            self._opened != self._starts
            or self._ends != self._lines
            or not 0 <= self._closed - self._lines <= 1
            or b"\0" in block
        ):
            raise NotPlainError
        return block


def _keys(line: bytes) -> list[str]:
    import json

    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotPlainError from error
    if not isinstance(row, dict):
        raise NotPlainError
    return [*row]


def _parquet(
    path: Path, choose: Choose, size: int, span: Span | None
) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        columns = choose(schema.names)
        kinds = {schema.field(name).type for name in columns}
        if not kinds <= {pa.string(), pa.large_string()}:
            raise NotPlainError
        wanted = pa.schema([(name, pa.string()) for name in columns])
        groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        ends = np.cumsum(groups, dtype=np.int64)
        first, last = (0, None) if span is None else (span.first * size, span.stop * size)
        chosen = [
            group
            for group, end in enumerate(ends.tolist())
            if end > first and (last is None or end - groups[group] < last)
        ]
        row = int(ends[chosen[0]]) - groups[chosen[0]] if chosen else 0
        for batch in file.iter_batches(columns=columns, row_groups=chosen, use_threads=False):
            start = max(0, first - row)
            length = batch.num_rows if last is None else last - row - start
            row += batch.num_rows
            if start < batch.num_rows and length > 0:
                yield batch.select(columns).cast(wanted).slice(start, length)
