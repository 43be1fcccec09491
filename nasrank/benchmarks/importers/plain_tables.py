"""Tables of graphs in the plainest form, ten times as fast as row by row.

Most large tables are written by a program: plain CSV, Parquet or JSON lines, with a name and a
graph in text. Arrow reads the columns that matter, and graphs are made of them by operations on
whole columns, a chunk at a time. Whatever is out of the ordinary is left to the reader of rows:
what is read here is read there in the same way.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nasrank.benchmarks.importers.column_names import OWN, named
from nasrank.benchmarks.importers.json_rows import json_line_rows
from nasrank.benchmarks.importers.parquet_file import open_columns
from nasrank.benchmarks.importers.plain_files import (
    BAD,
    Span,
    csv_batches,
    csv_header,
    plain_batches,
)
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

_NAME = r"^[!#-&(-~]([ -~]{0,254}[!-~])?$"
"""A name on one line: ASCII without blanks around it, and no quote at its start."""
_OTHER_GRAPHS = {"matrix", "layers"}
_CHUNK = 2**14
"""Rows of a table for import whose texts are in memory at once."""

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
    *,
    span: Span | None = None,
    chosen: Mapping[int, Sequence[int]] | None = None,
) -> Iterator[PlainRows]:
    """Read a table of candidates, a chunk at a time.

    Args:
        path: The file.
        size: Rows of a chunk; the last may have fewer.
        vocabulary: Operations of the space.
        wanted: Returns for its number, counted from 0, whether a chunk is needed.
        span: The chunks to read; all by default.
        chosen: The only rows needed, by the number of their chunk, counted within it.

    Yields:
        The wanted chunks, in order.

    Raises:
        NotPlainError: The file, or a row of the next chunk, is not of a form that is read here;
            or it has no row.
    """
    import pyarrow as pa

    number = -1
    try:
        batches = plain_batches(path, _chosen, size, span)
        for number, table in _tables(batches, size, 0 if span is None else span.first):
            if wanted(number) and (chosen is None or number in chosen):
                part = table if chosen is None else table.take(pa.array(chosen[number]))
                yield _rows(number, part, vocabulary)
    except (pa.ArrowException, *BAD) as error:
        raise NotPlainError from error
    if number < 0:
        raise NotPlainError


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
    except (pa.ArrowException, *BAD) as error:
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
        columns = csv_header(path)
        chunks = (
            dict(zip(columns, map(_unspaced, batch.columns), strict=True))
            for _, table in _tables(csv_batches(path, columns), _CHUNK)
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


def _chosen(columns: Sequence[str]) -> list[str]:
    """Return the columns of names and graphs where there is no doubt which these are."""
    known = {name.lower() for name in columns}
    if len(known) != len(columns) or any(
        name not in columns for name in OWN.names if name in known
    ):
        raise NotPlainError
    form = _form_of(known)
    return [*(["id"] if "id" in known else []), *form]


def _tables(
    batches: Iterator["pa.RecordBatch"], size: int, number: int = 0
) -> Iterator[tuple[int, "pa.Table"]]:
    """Yield chunks of so many rows, numbered from a number on; the last may have fewer."""
    import pyarrow as pa

    kept, rows = [], 0
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
