"""Tables of graphs in the plainest form, ten times as fast as row by row.

Most large tables are written by a program: plain CSV, Parquet or JSON lines, with a name and a
graph in text. Arrow reads the columns that matter, and graphs are made of them by operations on
whole columns, a chunk at a time. Whatever is out of the ordinary is left to the reader of rows:
what is read here is read there in the same way.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nasrank.benchmarks.importers.column_names import OWN, named
from nasrank.benchmarks.importers.dialect import separator_of
from nasrank.benchmarks.importers.json_rows import json_line_rows
from nasrank.benchmarks.importers.parquet_file import open_columns
from nasrank.benchmarks.importers.plain_graphs import (
    CELLS,
    FORMS,
    NotPlainError,
    plain_graphs,
    recoded,
)
from nasrank.benchmarks.importers.records import ROW_LIMIT, Records, expanded, understood
from nasrank.benchmarks.importers.store import check_size
from nasrank.benchmarks.importers.tracking_export import is_export
from nasrank.graphs import GraphBatch, joined

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NotPlainError", "PlainRows", "plain_chunks", "plain_records"]

_HEADER = re.compile(r'("?)[A-Za-z_][\w.-]*\1(,("?)[A-Za-z_][\w.-]*\3)*', re.ASCII)
_NAME = r"^[!#-&(-~]([ -~]{0,254}[!-~])?$"
"""A name on one line: ASCII without blanks around it, and no quote at its start."""
_ODD = (b"'", b"{", b"\0")
"""Bytes that may mean something in CSV."""
_ODD_QUOTE = re.compile(rb'[^,\n]"[^,\n\r]|[,\n]"[,\n\r]')
"""A quote that does not stand at one end of a cell."""
_ENDS = (b"}\n", b"}\r\n")
"""How a line of JSON ends."""
_OTHER_GRAPHS = {"matrix", "layers"}
_SAMPLE = 2**16
_BLOCK = 2**20
_CHUNK = 2**14
"""Rows of a table for import whose texts are in memory at once."""

_BAD = (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError)
"""What reading a file can raise that is not of the form expected, beside Arrow's own."""

Tell = Callable[[int, int | None], None]


@dataclass(frozen=True, eq=False)
class PlainRows:
    """Some rows of a table.

    Attributes:
        number: Number of their chunk.
        names: Their names, no two alike.
        graphs: Their graphs, unreduced.
    """

    number: int
    names: tuple[str, ...]
    graphs: GraphBatch

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.names)

    def take(self, rows: Sequence[int]) -> "PlainRows":
        """Return some of the rows, in the order given."""
        names = tuple(self.names[row] for row in rows)
        return PlainRows(self.number, names, self.graphs[np.array(rows, np.int64)])


def plain_chunks(
    path: Path,
    size: int,
    vocabulary: Sequence[str],
    wanted: Callable[[int], bool] = lambda _: True,
) -> Iterator[PlainRows]:
    """Read a table of candidates, a chunk at a time.

    Args:
        path: The file.
        size: Rows of a chunk; the last may have fewer.
        vocabulary: Operations of the space.
        wanted: Returns for its number, counted from 0, whether a chunk is needed.

    Yields:
        The wanted chunks, in order.

    Raises:
        NotPlainError: The file, or a row of the next chunk, is not of a form that is read here.
    """
    import pyarrow as pa

    try:
        for number, table in _tables(_batches(path), size):
            if wanted(number):
                yield _rows(number, table, vocabulary)
    except (pa.ArrowException, *_BAD) as error:
        raise NotPlainError from error


def plain_records(
    path: Path,
    *,
    renamed: Mapping[str, str] | None = None,
    built_in: bool = False,
    on_progress: Tell | None = None,
) -> Records:
    """Read a table of graphs with names, labels and anything else but numbers of nodes.

    The texts of graphs are never in memory as a whole.

    Args:
        path: The file.
        renamed: The file's name of a column by its name here.
        built_in: Whether the space is, so that no graphs are read.
        on_progress: Receives the number of rows read so far, and their total at the end.

    Returns:
        The rows as `nasrank.benchmarks.importers.records.read_records` returns them, but with the
        graphs; their places are not those of the file.

    Raises:
        NotPlainError: The file, or a row, is not of a form that is read here.
        NasrankError: The reader of rows refuses it too, and says in which row.
    """
    import pyarrow as pa

    try:
        return _read_records(path, renamed or {}, built_in=built_in, tell=on_progress)
    except (pa.ArrowException, *_BAD) as error:
        raise NotPlainError from error


def _read_records(
    path: Path, renamed: Mapping[str, str], *, built_in: bool, tell: Tell | None
) -> Records:
    columns, chunks = _cells_of(path, {*OWN.verbatim, *renamed.values()})
    names, _ = named(path, columns, renamed)
    form = () if built_in else _form_of(names)
    if is_export(columns) or any(name.startswith("attribute") for name in names):
        raise NotPlainError
    written = [names[name] for name in form]
    # Cells of NAS-Bench-201 are names too where there are no others.
    parsed = {*written} if "id" in names else set()
    cells: dict[str, list[object]] = {name: [] for name in columns}
    graphs, rows = _Gathered(), 0
    for chunk in chunks:
        if not cells.keys() >= chunk.keys():
            raise NotPlainError
        size = len(next(iter(chunk.values())))
        if form:
            graphs.add(plain_graphs({name: _texts(chunk[names[name]]) for name in form}))
        for name in columns:
            cells[name] += [None] * size if name in parsed else _plain(chunk[name])
        rows += size
        if rows > ROW_LIMIT:
            raise NotPlainError
        if tell is not None:
            tell(rows, None)
    if not rows:
        raise NotPlainError
    records = Records(path, cells, range(rows), "row")
    if expanded(records, {*OWN.verbatim, *renamed.values()}) is not records:
        raise NotPlainError
    found = understood(records, renamed, OWN)
    if tell is not None:
        tell(rows, rows)
    return replace(found, graphs=graphs.joined() if form else None)


class _Gathered:
    """Graphs of several chunks, with one vocabulary in the order in which operations occur."""

    def __init__(self) -> None:
        self._code: dict[str, int] = {}
        self._parts: list[GraphBatch] = []
        self._rows = 0

    def add(self, graphs: GraphBatch) -> None:
        for name in graphs.vocabulary:
            self._code.setdefault(name, len(self._code))
        if len(self._code) > np.iinfo(np.int16).max:
            raise NotPlainError
        self._rows += len(graphs)
        check_size(self._rows, graphs.nodes)
        self._parts.append(recoded(graphs, tuple(self._code)))

    def joined(self) -> GraphBatch:
        found = joined(self._parts)
        check_size(len(found), found.nodes)
        return replace(found, vocabulary=tuple(self._code))


_Chunk = Mapping[str, "pa.Array | Sequence[object]"]


def _cells_of(path: Path, whole: Collection[str]) -> tuple[Sequence[str], Iterator[_Chunk]]:
    """Return the columns of a table, and its cells by column, a chunk at a time."""
    kind = path.suffix.lower()
    if kind == ".parquet":
        table = open_columns(path)
        return table.names, (
            dict(zip(table.names, batch.columns, strict=True))
            for batch in table.file.iter_batches(_CHUNK, use_threads=False)
        )
    if kind == ".csv":
        columns = _csv_header(path)
        chunks = (
            dict(zip(columns, map(_unspaced, batch.columns), strict=True))
            for _, table in _tables(_csv(path, columns), _CHUNK)
            for batch in table.combine_chunks().to_batches()
        )
        return columns, chunks
    if kind in {".jsonl", ".ndjson"}:
        rows = (row for _, row in json_line_rows(path, whole))
        first = next(rows, None)
        if first is None:
            raise NotPlainError
        return tuple(first), _by_column(itertools.chain([first], rows), tuple(first))
    raise NotPlainError


def _by_column(
    rows: Iterator[Mapping[str, object]], columns: Sequence[str]
) -> Iterator[dict[str, list[object]]]:
    known = {*columns}
    while part := [*itertools.islice(rows, _CHUNK)]:
        if any(row.keys() - known for row in part):
            raise NotPlainError
        yield {name: [row.get(name) for row in part] for name in columns}


def _form_of(names: Collection[str]) -> Sequence[str]:
    """Return the columns of graphs where there is no doubt which these are."""
    written = {each for form in FORMS for each in form} | _OTHER_GRAPHS
    for form in FORMS:
        if written & {*names} == {*form} and ("id" in names or form == CELLS):
            return form
    raise NotPlainError


def _plain(cells: "pa.Array | Sequence[object]") -> Sequence[object]:
    return cells if isinstance(cells, list) else cells.to_pylist()  # type: ignore[union-attr]


def _texts(cells: "pa.Array | Sequence[object]") -> "pa.StringArray":
    import pyarrow as pa

    if isinstance(cells, list):
        return pa.array(cells, pa.string())
    if cells.type not in {pa.string(), pa.large_string()}:  # type: ignore[union-attr]
        raise NotPlainError
    return cells.cast(pa.string())  # type: ignore[union-attr]


def _unspaced(cells: "pa.StringArray") -> "pa.StringArray":
    """Refuse cells that start with a blank, which the reader of rows leaves out."""
    import pyarrow.compute as pc

    if pc.any(pc.starts_with(cells, " ")).as_py():
        raise NotPlainError
    return cells


def _tables(batches: Iterator["pa.RecordBatch"], size: int) -> Iterator[tuple[int, "pa.Table"]]:
    """Yield chunks of so many rows, numbered; the last may have fewer."""
    import pyarrow as pa

    number, kept, rows = 0, [], 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, size - rows)
            kept.append(part)
            start, rows = start + part.num_rows, rows + part.num_rows
            if rows == size:
                yield number, pa.Table.from_batches(kept)
                number, kept, rows = number + 1, [], 0
    if rows:
        yield number, pa.Table.from_batches(kept)


def _batches(path: Path) -> Iterator["pa.RecordBatch"]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        yield from _parquet(path)
    elif kind == ".csv":
        yield from _csv(path, _chosen(_csv_header(path)))
    elif kind in {".jsonl", ".ndjson"}:
        yield from _json_lines(path)
    else:
        raise NotPlainError


def _chosen(columns: Sequence[str]) -> list[str]:
    """Return the columns of names and graphs where there is no doubt which these are."""
    known = {name.lower() for name in columns}
    if len(known) != len(columns) or any(
        name not in columns for name in OWN.names if name in known
    ):
        raise NotPlainError
    form = _form_of(known)
    return [*(["id"] if "id" in known else []), *form]


def _csv_header(path: Path) -> list[str]:
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


def _csv(path: Path, columns: Sequence[str]) -> Iterator["pa.RecordBatch"]:
    """Read some columns as text."""
    import pyarrow as pa
    from pyarrow import csv

    with (
        path.open("rb") as file,
        csv.open_csv(
            pa.PythonFile(_Watched(file), mode="r"),
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            convert_options=csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=False,
            ),
        ) as reader,
    ):
        yield from reader


class _Watched:
    """A binary file that refuses to hand over what is no plain text."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - any binary file
        self._file = file
        # What was handed over and can only be judged with what follows.
        self._rest = b"\n"
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Read, or raise `NotPlainError`."""
        block: bytes = self._file.read(size)
        if not block.isascii() or any(each in block for each in _ODD):
            raise NotPlainError
        window = self._rest + (block or b"\n")
        judged = window.rstrip(b'"\r')
        self._rest = window[max(0, len(judged) - 1) :]
        # Quotes stand around whole cells, and a line ends as Unix or Windows ends it.
        odd = b'"' in judged and _ODD_QUOTE.search(judged)
        if odd or judged.count(b"\r") != judged.count(b"\r\n"):
            raise NotPlainError
        return block


def _json_lines(path: Path) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import json

    with path.open("rb") as file:
        first = file.readline(_SAMPLE)
        file.seek(0)
        with json.open_json(
            pa.PythonFile(_WatchedLines(file), mode="r"),
            read_options=json.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=json.ParseOptions(
                explicit_schema=pa.schema([(name, pa.string()) for name in _chosen(_keys(first))]),
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


def _parquet(path: Path) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        columns = _chosen(schema.names)
        kinds = {schema.field(name).type for name in columns}
        if not kinds <= {pa.string(), pa.large_string()}:
            raise NotPlainError
        wanted = pa.schema([(name, pa.string()) for name in columns])
        for batch in file.iter_batches(columns=columns, use_threads=False):
            yield batch.select(columns).cast(wanted)


def _rows(number: int, table: "pa.Table", vocabulary: Sequence[str]) -> PlainRows:
    """Read names and graphs."""
    import pyarrow.compute as pc

    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    if any(column.null_count for column in columns.values()):
        raise NotPlainError
    names = columns["id" if "id" in columns else "arch_str"]
    if not pc.all(pc.match_substring_regex(names, _NAME)).as_py():
        raise NotPlainError
    texts = tuple(names.to_pylist())
    if len({*texts}) != len(texts):
        raise NotPlainError
    graphs = plain_graphs({name: columns[name] for name in _form_of(columns)})
    return PlainRows(number, texts, recoded(graphs, vocabulary))
