"""Rows of an untrusted table in any ordinary form, within bounds.

Text with separators (``dialect``), JSON lines, JSON arrays, what pandas writes as JSON, and
Parquet give the same rows. Cells become values by column (``cells``).
"""

import dataclasses
import datetime
import decimal
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nasrank.benchmarks.importers.column_names import (
    INDEX,
    OWN,
    KnownColumns,
    column_of,
    named,
)
from nasrank.benchmarks.importers.columns import (
    Column,
    list_of,
    mapping_of,
    printable,
    read_column,
    writes_decimal_comma,
)
from nasrank.benchmarks.importers.dialect import (
    COLUMN_LIMIT,
    LINE_LIMIT,
    opened,
    table_rows,
)
from nasrank.benchmarks.importers.json_rows import flat, is_json_lines, json_line_rows, json_rows
from nasrank.benchmarks.importers.optuna_database import is_database, read_database
from nasrank.benchmarks.importers.optuna_journal import is_journal, read_journal
from nasrank.benchmarks.importers.optuna_study import chosen_study, study_table
from nasrank.benchmarks.importers.parquet_file import column_names, open_columns
from nasrank.benchmarks.importers.shown import shown
from nasrank.benchmarks.importers.tracking_export import is_export, read_export
from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.limits import reading, reading_parts
from nasrank.tables import require_few_cells

__all__ = [
    "COLUMN_LIMIT",
    "LINE_LIMIT",
    "ROW_LIMIT",
    "SUFFIXES",
    "Record",
    "Records",
    "first_columns",
    "is_table",
    "read_records",
    "record_chunks",
    "understood",
]

ROW_LIMIT = 5_000_000
"""Maximum number of rows."""
SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")
"""Suffixes of the file names that are read; all but the last may be followed by ``.gz``. What a
``.txt`` is, its first character says."""

STUDY_SUFFIXES = (".log", ".journal", ".db", ".sqlite", ".sqlite3")
"""Suffixes of files of Optuna; a journal may also end as JSON lines do."""

_DATABASES = STUDY_SUFFIXES[2:]
_QUOTED = re.compile(r"'[=@+-]")
_SIMPLE = {str, int, float, bool, list, type(None)}
_LINES = (".jsonl", ".ndjson", ".json", ".txt")
_EVERY = 1_000
_REMEDY = "Repair the file and import it again"

Record = dict[str, object]
"""One row: values by column, as `read_column` makes them."""


@dataclass(frozen=True, eq=False)
class Records:
    """All rows of a file.

    Attributes:
        path: The file.
        cells: ``[rows]`` values of every column that occurs, in order of first occurrence; None
            is nothing, also where a row lacks the column.
        places: Number of each row for messages: of its line, or of its row in Parquet and in a
            JSON array or its trial in a study, counted from 0.
        unit: ``line``, ``row`` or ``trial``.
        remedy: What to do about a bad row, as a sentence.
        notes: What was understood in a way that the user may want to know, a clause each.
        percents: Columns whose numbers carry percent signs.
        results: Columns that were measured, or only describe a run: never settings.
        lower: Whether lower is better, for columns of which the file says it.
        scales: ``log`` or ``linear``, for columns of numbers of which the file says it.
        written: Names by what the file calls columns, where a prefix was dropped.
        graphs: Graphs of the rows, where they were read as whole columns; the cells of these
            columns are then None.
    """

    path: Path
    cells: Mapping[str, Sequence[object]]
    places: Sequence[int]
    unit: str
    remedy: str = _REMEDY
    notes: tuple[str, ...] = ()
    percents: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    lower: Mapping[str, bool] = field(default_factory=dict)
    scales: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    graphs: GraphBatch | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.cells)

    @property
    def rows(self) -> list[Record]:
        """The rows, made of the columns each time."""
        if not self.cells:
            return [{} for _ in self.places]
        return [
            dict(zip(self.cells, row, strict=True))
            for row in zip(*self.cells.values(), strict=True)
        ]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.places)

    def column(self, name: str) -> Sequence[object]:
        """Return ``[rows]`` values of a column; None everywhere where there is none."""
        return self.cells[name] if name in self.cells else [None] * len(self)

    def take(self, rows: Iterable[int]) -> "Records":
        """Return some of the rows, in the order given."""
        chosen = list(rows)
        return dataclasses.replace(
            self,
            cells={name: [cells[row] for row in chosen] for name, cells in self.cells.items()},
            places=[self.places[row] for row in chosen],
            graphs=None if self.graphs is None else self.graphs[np.array(chosen, np.int64)],
        )

    def find(self, name: str, kind: str) -> str:
        """Find a column by the name that a user typed, which may be the file's own.

        Args:
            name: The name.
            kind: What is looked for, for the message.

        Raises:
            UsageError: There is none, nor a single one that differs in case alone.
        """
        return column_of(self.written.get(name, name), self.columns, kind)

    def error(self, row: int, complaint: str) -> DataError:
        """Make the error for a row.

        Args:
            row: Its position among the rows.
            complaint: What is wrong, as a clause.
        """
        return DataError(
            f"{self.path}: {self.unit} {self.places[row]}: {complaint}. {self.remedy}"
        )


def is_table(path: Path) -> bool:
    """Return by its name whether a file may be a table that is read here."""
    return _kind(path) is not None


def first_columns(path: Path, *, whole: Collection[str] = ()) -> tuple[str, ...]:
    """Return the columns of the first row as the file names them; nothing where it is no table.

    Never raises, and reads little of the file unless it is a JSON array.

    Args:
        path: The file.
        whole: Columns whose objects are cells and not further columns.
    """
    try:
        kind = _checked_kind(path)
        if kind == ".parquet":
            return tuple(column_names(path))
        if kind == ".json" and not is_json_lines(path):
            return tuple(json_rows(path, whole)[0])
        return tuple(next(_text_rows(path, ".jsonl" if kind == ".json" else kind, whole))[1])
    except (DataError, OSError, ValueError, StopIteration, IndexError):
        return ()


def read_records(
    path: Path,
    *,
    renamed: Mapping[str, str] | None = None,
    known: KnownColumns = OWN,
    study: str | None = None,
    on_progress: Callable[[int, int | None], None] | None = None,
) -> Records:
    """Read a table.

    Text is UTF-8 or UTF-16 with a header; its columns are separated by commas, semicolons, tabs
    or ``|``. Empty lines are skipped. JSON is an object per line, an array of objects, or what
    ``DataFrame.to_json`` writes; objects within a row become columns ``outer.inner``. Columns
    that only differ in case from those of `user` get its names. An index that pandas wrote
    becomes ``id`` where the table has none, and is left out otherwise.

    Args:
        path: The file.
        renamed: The file's name of a column by the name that the reader looks for.
        known: The columns that the reader looks for.
        study: Name of the study of an Optuna file that holds several.
        on_progress: Receives the number of rows read so far, and their total where it is known.

    Raises:
        UsageError: A renamed column is not in the file, or there is no such study or several.
        DataError: It is missing, a folder, empty, damaged, of another kind, or a line or the
            number of rows is beyond the limits.
    """
    kind = _checked_kind(path)
    whole = _whole_cells(renamed, known)
    if kind in STUDY_SUFFIXES:
        return _renamed(_study(path, kind, study), renamed or {}, known)
    if study is not None:
        raise UsageError(f"--study {study}: {path} is no study of Optuna. Leave it out")
    if kind == ".parquet":
        records = expanded(_parquet(path), whole)
    else:
        names, rows, places = (
            _json(path, whole) if kind == ".json" else _text(path, kind, whole, on_progress)
        )
        if not rows:
            raise DataError(f"{path}: it holds no architecture. {_REMEDY}")
        unit = "row" if isinstance(places, range) else "line"
        records = Records(path, _by_column(names, rows), places, unit)
        records = expanded(records, whole, rows)
    records = _tracked(understood(records, renamed or {}, known), known)
    if on_progress is not None:
        on_progress(len(records), len(records))
    return records


def record_chunks(
    path: Path,
    size: int,
    wanted: Callable[[int], bool] = lambda _: True,
    *,
    remedy: str = _REMEDY,
) -> Iterator[tuple[int, Records]]:
    """Read a table of any length, a chunk at a time; a JSON array is in memory as a whole.

    Args:
        path: The file.
        size: Rows of a chunk; the last may have fewer.
        wanted: Returns for its number, counted from 0, whether a chunk is needed; others are
            skipped, which is faster.
        remedy: What to do about a bad row, as a sentence.

    Yields:
        The number of a chunk and its rows. What cells mean is decided by chunk.

    Raises:
        DataError: It is missing, a folder, empty, damaged or of another kind.
    """
    kind = _checked_kind(path)
    whole = _whole_cells(None, OWN)
    if kind in STUDY_SUFFIXES:
        raise DataError(f"{path}: a study of Optuna is no list of candidates. Import it instead")
    number = -1
    chunks: Iterator[_Chunk]
    if kind == ".parquet":
        chunks = _parquet_chunks(path, size, wanted)
    elif kind == ".json":
        chunks = _json_chunks(path, size, whole)
    else:
        chunks = _text_chunks(path, kind, size, wanted, whole)
    for number, columns, rows, places in reading_parts(path, chunks):
        if wanted(number):
            unit = "row" if kind in {".parquet", ".json"} else "line"
            records = Records(path, _by_column(columns, rows), places, unit, remedy)
            with reading(path):
                found = understood(expanded(records, whole, rows), {}, OWN)
            yield number, found
    if number < 0:
        raise DataError(f"{path}: it holds no architecture. {remedy}")


def _kind(path: Path) -> str | None:
    """Return the suffix that says how a file is read, or None for a name of another kind."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    suffixes = (*SUFFIXES, *STUDY_SUFFIXES)
    kind = next((suffix for suffix in suffixes if plain.endswith(suffix)), None)
    return None if kind in {".parquet", *_DATABASES} and plain != name else kind


def _checked_kind(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{path}: not a file. Check the path")
    kind = _kind(path)
    if kind is None:
        raise DataError(
            f"{path}: not one of {', '.join(SUFFIXES)} or .csv.gz. Save it as one of these first"
        )
    if kind == ".txt":
        with opened(path) as file:
            start = file.read(_EVERY).lstrip()
        kind = ".json" if start.startswith(("[", "{")) else kind
    return ".log" if kind in _LINES and is_journal(path) else kind


_Raw = tuple[tuple[str, ...], list[Record], Sequence[int]]
"""Columns, rows and their places, as a file has them; rows may lack columns."""
_Chunk = tuple[int, tuple[str, ...], list[Record], list[int]]


def _whole_cells(renamed: Mapping[str, str] | None, known: KnownColumns) -> Collection[str]:
    """Return the columns whose objects are cells and not further columns."""
    return {*known.verbatim, *(renamed or {}).values()}


def _text(
    path: Path,
    kind: str,
    whole: Collection[str],
    on_progress: Callable[[int, int | None], None] | None = None,
) -> _Raw:
    rows: list[Record] = []
    places: list[int] = []
    names: dict[str, None] = {}
    for place, row in _text_rows(path, kind, whole):
        if len(rows) == ROW_LIMIT:
            raise DataError(f"{path}: more than {ROW_LIMIT:,} rows. Import fewer")
        if row.keys() != names.keys():
            names |= dict.fromkeys(row)
        rows.append(row)
        places.append(place)
        if on_progress is not None and len(rows) % _EVERY == 0:
            on_progress(len(rows), None)
    return tuple(names), rows, places


def _by_column(names: Iterable[str], rows: Sequence[Record]) -> dict[str, list[object]]:
    return {name: [row.get(name) for row in rows] for name in names}


def _text_chunks(
    path: Path, kind: str, size: int, wanted: Callable[[int], bool], whole: Collection[str]
) -> Iterator[_Chunk]:
    number = 0
    rows: list[Record] = []
    places: list[int] = []
    names: dict[str, None] = {}
    count = 0
    for place, row in _text_rows(path, kind, whole):
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


def _text_rows(path: Path, kind: str, whole: Collection[str]) -> Iterator[tuple[int, Record]]:
    return json_line_rows(path, whole) if kind in {".jsonl", ".ndjson"} else table_rows(path)


def _json(path: Path, whole: Collection[str]) -> _Raw:
    if is_json_lines(path):
        return _text(path, ".jsonl", whole)
    rows = json_rows(path, whole)
    if len(rows) > ROW_LIMIT:
        raise DataError(f"{path}: more than {ROW_LIMIT:,} rows. Import fewer")
    names = dict.fromkeys(name for row in rows for name in row)
    return tuple(names), rows, range(len(rows))


def _json_chunks(path: Path, size: int, whole: Collection[str]) -> Iterator[_Chunk]:
    names, rows, places = _json(path, whole)
    for number, start in enumerate(range(0, len(rows), size)):
        part = slice(start, start + size)
        yield number, names, rows[part], [*places[part]]


def _study(path: Path, kind: str, name: str | None) -> Records:
    """Read a study of Optuna, whose values have types already."""
    if kind not in _DATABASES and not is_database(path):
        studies = read_journal(path)
    elif is_database(path):
        studies = read_database(path)
    else:
        raise DataError(f"{path}: not an SQLite database, as Optuna writes it. Check the path")
    table = study_table(path, chosen_study(path, studies, name))
    cells = _by_column(table.columns, table.rows)
    return Records(
        path,
        {
            name: [printable(cell) if isinstance(cell, str) else cell for cell in column]
            for name, column in cells.items()
        },
        table.places,
        "trial",
        notes=table.notes,
        results=table.results,
        lower=table.lower,
        scales=table.scales,
    )


def _renamed(records: Records, renamed: Mapping[str, str], known: KnownColumns) -> Records:
    """Give columns the names that the user says, and change nothing else."""
    if not renamed:
        return records
    names, notes = named(records.path, records.columns, renamed, known)
    own = {written: name for name, written in names.items()}
    return dataclasses.replace(
        records,
        cells={name: records.cells[written] for name, written in names.items()},
        notes=(*records.notes, *notes),
        results=frozenset(own[each] for each in records.results if each in own),
        lower={own[each]: lower for each, lower in records.lower.items() if each in own},
        scales={own[each]: scale for each, scale in records.scales.items() if each in own},
    )


def _parquet_chunks(path: Path, size: int, wanted: Callable[[int], bool]) -> Iterator[_Chunk]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            require_few_cells(path, file)
            names = tuple(file.schema_arrow.names)
            if len(set(names)) != len(names):
                raise DataError(f"{path}: it has two columns of the same name. {_REMEDY}")
            rows: list[Record] = []
            number = first = 0
            for group in range(file.num_row_groups):
                end = first + file.metadata.row_group(group).num_rows
                if end > first and not any(map(wanted, range(first // size, -(-end // size)))):
                    for number in range(first // size, end // size):
                        yield number, names, [], []
                    first, number = end, end // size
                    continue
                # A batch ends with its row group, so chunks are filled from several.
                for batch in file.iter_batches(size, row_groups=[group], use_threads=False):
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


def _parquet(path: Path) -> Records:
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
    return Records(path, columns, range(table.rows), "row")


def understood(records: Records, renamed: Mapping[str, str], known: KnownColumns) -> Records:
    """Give columns their names and cells their values.

    Args:
        records: Columns and cells as the file has them.
        renamed: As in :func:`read_records`.
        known: As in :func:`read_records`.

    Raises:
        UsageError: A renamed column is not in the file.
        DataError: No column is left, or two have the same name.
    """
    names, notes = named(records.path, records.columns, renamed, known)
    cells = {name: [*records.cells[written]] for name, written in names.items()}
    decimal_comma = any(
        writes_decimal_comma({each for each in column if type(each) is str})
        for name, column in cells.items()
        if name not in known.verbatim
    )
    percents = set()
    for name, column in cells.items():
        if name in known.verbatim:
            cells[name] = _verbatim(name, column, known)
            continue
        odd = not {*map(type, column)} <= _SIMPLE
        found = read_column(
            [*map(_simple, column)] if odd else column, decimal_comma=decimal_comma
        )
        cells[name] = found.values
        if found.percent:
            percents.add(name)
        notes += _said_of(name, found)
    columns, notes = _without_index(cells, notes)
    if not columns:
        raise DataError(f"{records.path}: it holds no column. {records.remedy}")
    return dataclasses.replace(
        records,
        cells=columns,
        notes=tuple(notes),
        percents=frozenset(percents & {*columns}),
    )


def expanded(
    records: Records, whole: Collection[str], rows: Sequence[Record] | None = None
) -> Records:
    """Make columns of a column of dicts as Python prints them, such as the ``config`` of W&B.

    Args:
        records: Columns and cells as the file has them.
        whole: Columns whose objects are cells and not further columns.
        rows: The same by row, where rows may lack columns.

    Raises:
        DataError: The dicts are nested too deep, or there are too many columns.
    """
    found: dict[str, list[dict[str, object] | None]] = {}
    for name, cells in records.cells.items():
        if name in whole or not str(cells[0] or "{").lstrip().startswith("{"):
            continue
        texts = {each: each.strip() for each in cells if type(each) is str and each.strip()}
        if texts and all(text.startswith("{") for text in texts.values()):
            read = {text: mapping_of(plain) for text, plain in texts.items()}
            if None not in read.values():
                found[name] = [read.get(each) if type(each) is str else None for each in cells]
    if not found:
        return records
    flat_rows = []
    for place, row in enumerate(records.rows if rows is None else rows):
        where = f"{records.unit} {records.places[place]}"
        nested = {name: cells[place] for name, cells in found.items()}
        flat_rows.append(flat(records.path, where, {**row, **nested}, whole))
    columns = dict.fromkeys(name for row in flat_rows for name in row if name not in found)
    return dataclasses.replace(records, cells=_by_column(columns, flat_rows))


def _tracked(records: Records, known: KnownColumns) -> Records:
    """Tell what was chosen from what was measured in the export of a tracker."""
    if known is not OWN or not is_export(records.columns):
        return records
    export = read_export(records.cells)
    if export is None:
        return records
    names = export.names
    cells = {names[name]: column for name, column in records.cells.items()}
    if "id" in cells and names.get("id") != "id":
        cells["id"] = [*map(str, cells["id"])]
    return dataclasses.replace(
        records,
        cells=cells,
        notes=(*records.notes, *export.notes),
        results=export.results,
        percents=frozenset(names[name] for name in records.percents),
        written=names,
    )


def _said_of(name: str, column: Column) -> list[str]:
    said = []
    if column.comma == "decimal":
        said.append(f"{name} is written with a decimal comma")
    if column.comma == "thousands":
        said.append(f"{name} is written with commas between thousands")
    if column.percent:
        said.append(f"{name} is written in percent")
    if column.spread:
        said.append(f"{name} is written as value ± spread; the value counts, the spread does not")
    return said


def _without_index(
    cells: dict[str, list[object]], notes: list[str]
) -> tuple[dict[str, list[object]], list[str]]:
    """Use the index of a data frame as names where there are none, and drop it otherwise."""
    kept = {name: column for name, column in cells.items() if not INDEX.fullmatch(name)}
    dropped = [name for name in cells if name not in kept]
    named = {"id", "arch_str"} & {*kept}
    for name in dropped:
        names = [str(each) for each in cells[name] if isinstance(each, int | str)]
        if not named and len({*names}) == len(cells[name]):
            kept = {"id": [*names], **kept}
            named = {"id"}
            notes.append(f"the column {name} is an index and names the rows")
        else:
            notes.append(f"the column {name} is an index and was left out")
    return kept, notes


def _verbatim(name: str, cells: list[object], known: KnownColumns) -> list[object]:
    """Strip the text of names and graphs, and read lists; nothing else is changed."""
    texts = {each: each.strip() for each in cells if type(each) is str}
    # Tables for spreadsheets have an apostrophe before names that would be formulas there.
    texts = {each: text[1:] if _QUOTED.match(text) else text for each, text in texts.items()}
    meanings: dict[str, object] = {**texts}
    if name in known.lists:
        bracketed = {text: plain for text, plain in texts.items() if plain[:1] in {"[", "("}}
        lists = {text: list_of(plain) for text, plain in bracketed.items()}
        meanings |= {text: listed for text, listed in lists.items() if listed is not None}
    if name in known.words:
        separator = r";" if any(";" in text for text in texts) else r"\s*,\s*|\s+"
        for text, plain in texts.items():
            if meanings[text] == plain and plain:
                parts = re.split(separator, plain.strip(";"))
                meanings[text] = parts if separator == ";" or parts[1:] else plain
    return [meanings[each] if type(each) is str else each for each in cells]


def _simple(value: object) -> object:
    """Turn the types that only Parquet has into numbers and text."""
    if value is None or isinstance(value, str | int | float | list | dict):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value) if isinstance(value, datetime.timedelta) else shown(value)
