"""Candidates from tables of the plainest form, ten times as fast as row by row.

Most large pools are written by a program: plain CSV, Parquet or JSON lines, with a name
and a graph in text. Arrow reads only these columns, and graphs are made of them by operations on
whole columns. Whatever is out of the ordinary is left to the reader of rows: what is read here
is read there in the same way.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.column_names import OWN
from nasrank.benchmarks.importers.dialect import separator_of
from nasrank.benchmarks.importers.store import MOST_NODES
from nasrank.benchmarks.nb201 import architecture_string, cell_graphs, official_order
from nasrank.graphs import GraphBatch

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NotPlainError", "PlainRows", "plain_chunks"]

_HEADER = re.compile(r'("?)[A-Za-z_][\w.-]*\1(,("?)[A-Za-z_][\w.-]*\3)*', re.ASCII)
_NAME = r"^[!#-&(-~]([ -~]{0,254}[!-~])?$"
"""A name on one line: ASCII without blanks around it, and no quote at its start."""
_OPERATION = re.compile(r"[A-Za-z0-9_][\w.+:/-]{0,63}", re.ASCII)
_EDGE = re.compile(r"(\d{1,3})-(\d{1,3})", re.ASCII)
_ODD = (b"'", b"{", b"\0")
"""Bytes that may mean something in CSV."""
_ODD_QUOTE = re.compile(rb'[^,\n]"[^,\n\r]|[,\n]"[,\n\r]')
"""A quote that does not stand at one end of a cell."""
_FORMS = (("operations", "edges"), ("arch_str",))
_MOST_PARALLEL = 255
_SAMPLE = 2**16
_BLOCK = 2**20
_PART = 2**22
"""Entries of the adjacency matrices that are made at once."""


class NotPlainError(Exception):
    """Something that only the reader of rows understands, or refuses in words."""


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
        for number, table in _tables(path, size):
            if wanted(number):
                yield _rows(number, table, vocabulary)
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, MemoryError) as error:
        raise NotPlainError from error


def _tables(path: Path, size: int) -> Iterator[tuple[int, "pa.Table"]]:
    """Yield chunks of the columns that matter, as text."""
    import pyarrow as pa

    number, kept, rows = 0, [], 0
    for batch in _batches(path):
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
        yield from _csv(path)
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
    graphs = {each for form in _FORMS for each in form} | {"matrix", "layers"}
    for form in _FORMS:
        if graphs & known == {*form} and ("id" in known or form == ("arch_str",)):
            return [*(["id"] if "id" in known else []), *form]
    raise NotPlainError


def _csv(path: Path) -> Iterator["pa.RecordBatch"]:
    import pyarrow as pa
    from pyarrow import csv

    with path.open("rb") as file:
        start = file.read(_SAMPLE)
        if not start.isascii():
            raise NotPlainError
        sample = start.decode("ascii")
        header = sample.splitlines()[0] if sample else ""
        complete = len(start) < _SAMPLE
        if not _HEADER.fullmatch(header) or separator_of(sample, complete=complete) != ",":
            raise NotPlainError
        columns = _chosen(header.replace('"', "").split(","))
        file.seek(0)
        with csv.open_csv(
            pa.PythonFile(_Watched(file), mode="r"),
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            convert_options=csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=False,
            ),
        ) as reader:
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
    with json.open_json(
        pa.OSFile(str(path)),
        read_options=json.ReadOptions(use_threads=False, block_size=_BLOCK),
        parse_options=json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in _chosen(_keys(first))]),
            unexpected_field_behavior="ignore",
        ),
    ) as reader:
        yield from reader


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
    if "arch_str" in columns:
        graphs = _cells(columns["arch_str"], vocabulary)
    else:
        graphs = _graphs(columns["operations"], columns["edges"], vocabulary)
    return PlainRows(number, texts, graphs)


def _cells(texts: "pa.StringArray", vocabulary: Sequence[str]) -> GraphBatch:
    """Read cells of NAS-Bench-201."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = official_order()
    known = pa.array([architecture_string(cell) for cell in digits.tolist()])
    found = pc.index_in(texts, value_set=known)
    if found.null_count:
        raise NotPlainError
    graphs = cell_graphs(digits[found.to_numpy()])
    code = {name: number for number, name in enumerate(vocabulary)}
    used = np.unique(graphs.operations[graphs.mask])
    if any(graphs.vocabulary[number] not in code for number in used.tolist()):
        raise NotPlainError
    numbers = np.array([code.get(name, 0) for name in graphs.vocabulary], np.int16)
    operations = np.where(graphs.mask, numbers[graphs.operations], 0).astype(np.int16)
    return GraphBatch(operations, graphs.adjacency, graphs.mask, tuple(vocabulary))


def _graphs(
    operations: "pa.StringArray", edges: "pa.StringArray", vocabulary: Sequence[str]
) -> GraphBatch:
    """Read graphs as `nasrank.benchmarks.importers.user` describes them."""
    code = {name: number for number, name in enumerate(vocabulary)}
    words, of_node, size = _split(operations)
    if any(not _OPERATION.fullmatch(word) or word not in code for word in words):
        raise NotPlainError
    kinds = np.array([code[word] for word in words], np.int16)[of_node]
    nodes = int(size.max())
    if nodes > MOST_NODES or len(size) * nodes**2 > _PART * 64:
        raise NotPlainError
    row = np.repeat(np.arange(len(size)), size)
    mask = np.arange(nodes) < size[:, None]
    table = np.zeros((len(size), nodes), np.int16)
    table[mask] = kinds
    is_input, is_output = (mask & (table == code[end]) for end in ("input", "output"))
    if not (is_input.any(axis=1) & is_output.any(axis=1)).all():
        raise NotPlainError

    pairs, of_edge, count = _split(edges)
    read = [_EDGE.fullmatch(pair) for pair in pairs]
    if not all(read):
        raise NotPlainError
    ends = np.array([[int(each) for each in found.groups()] for found in read if found])[of_edge]
    row = np.repeat(np.arange(len(count)), count)
    source, target = ends[:, 0], ends[:, 1]
    if (np.maximum(source, target) >= size[row]).any():
        raise NotPlainError
    if is_input[row, target].any() or is_output[row, source].any():
        raise NotPlainError
    many = np.bincount((row * nodes + source) * nodes + target, minlength=len(size) * nodes**2)
    if many.max(initial=0) > _MOST_PARALLEL:
        raise NotPlainError
    adjacency = many.astype(np.uint8).reshape(len(size), nodes, nodes)
    return GraphBatch(table, adjacency, mask, tuple(vocabulary))


def _split(
    texts: "pa.StringArray",
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Cut texts at semicolons: the different pieces, which one each piece is, pieces a text."""
    import pyarrow.compute as pc

    lists = pc.split_pattern(texts, ";")
    pieces = lists.flatten().dictionary_encode()
    counts = np.asarray(lists.value_lengths(), np.int64)
    return pieces.dictionary.to_pylist(), np.asarray(pieces.indices, np.int64), counts
