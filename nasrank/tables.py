"""The only module that writes Parquet.

Every file is written beside its final place under a name of its own and then renamed, so that
a reader sees the old file, the new file, or none, and never half of one.
"""

import contextlib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from nasrank.errors import DataError, UsageError
from nasrank.escapes import visible
from nasrank.files import replacing
from nasrank.grammar import read_call
from nasrank.limits import most_bytes, most_cells, reading, require_regular
from nasrank.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "Better",
    "Column",
    "Table",
    "about_of",
    "bounds",
    "count",
    "flag",
    "is_sealed",
    "number",
    "open_parquet",
    "plain",
    "read_parquet",
    "read_schema",
    "require_few_cells",
    "share",
    "spelling",
    "text",
    "write_json",
    "write_parquet",
]

Row = Mapping[str, Any]
Better = Literal["higher", "lower"]

_PART_ROWS = 2**14
_THRIFT_LIMIT = 16 * 2**20
"""Bytes of a text, and entries of a list, in the metadata of a Parquet file."""
_ORIGIN = "Get it again from where it was made"
_SEAL = "nasrank.seal"
_OPEN = b"0" * 64
# The key, then Parquet's marks for a text of 64 bytes; no text that a user gives can hold them.
_SEALED = re.compile(rb"nasrank\.seal\x18\x40([0-9a-f]{64})")


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name.
        type: An Arrow type by name: ``string``, ``int64``, ``double``, ``bool``, or a list of
            one of them, such as ``list<int64>``.
        unit: Unit of its values; ``1`` for pure numbers, empty for names.
        about: What its values mean.
        null: What an empty cell means; None where the column has no empty cells.
        better: Whether higher or lower values are better; None where neither is. A column's
            direction is stated nowhere else.
        margin: Difference that does not matter, in its unit, for verdicts of equivalence.
        least: The least value it can have; a file with a lower one is refused.
        spelled: Whether its texts are names with options, such as ``hr(margin=0.5)``; a file with
            any other text is refused, as these become parts of commands.
    """

    name: str
    type: str
    unit: str
    about: str
    null: str | None = None
    better: Better | None = field(default=None, kw_only=True)
    margin: float = field(default=0.0, kw_only=True)
    least: float | None = field(default=None, kw_only=True)
    spelled: bool = field(default=False, kw_only=True)

    @property
    def sign(self) -> float:
        """1 where higher is better, -1 where lower is.

        Raises:
            ValueError: Neither is.
        """
        if self.better is None:
            raise ValueError(f"neither higher nor lower '{self.name}' is better")
        return 1.0 if self.better == "higher" else -1.0


def text(name: str, about: str, null: str | None = None) -> Column:
    """Declare a column of names or sentences."""
    return Column(name, "string", "", about, null)


def spelling(name: str, about: str, null: str | None = None) -> Column:
    """Declare a column of names with options: losses, predictors, distances."""
    return Column(name, "string", "", about, null, spelled=True)


def flag(
    name: str, about: str, null: str | None = None, *, better: Better | None = None
) -> Column:
    """Declare a column of yes and no; of these, yes is the higher."""
    return Column(name, "bool", "", about, null, better=better)


def count(
    name: str, unit: str, about: str, null: str | None = None, *, better: Better | None = None
) -> Column:
    """Declare a column of whole numbers, none below 0."""
    return Column(name, "int64", unit, about, null, better=better, least=0)


def number(
    name: str,
    unit: str,
    about: str,
    null: str | None = None,
    *,
    better: Better | None = None,
    margin: float = 0.0,
) -> Column:
    """Declare a column of numbers with a unit."""
    return Column(name, "double", unit, about, null, better=better, margin=margin)


def share(
    name: str,
    about: str,
    null: str | None = None,
    *,
    better: Better | None = None,
    margin: float = 0.0,
) -> Column:
    """Declare a column of pure numbers: shares, correlations, weights."""
    return number(name, "1", about, null, better=better, margin=margin)


def bounds(unit: str, about: str, null: str, *, of: str = "") -> tuple[Column, Column]:
    """Declare the two ends of an interval, ``lower`` and ``upper``, or ``OF_lower``, ``OF_upper``.

    Args:
        unit: Unit of both.
        about: Which interval it is.
        null: Why an end may be missing.
        of: Name of the column whose interval it is, where a row has several.

    Example:
        >>> [column.name for column in bounds("h", "95 % interval", "one seed", of="cost")]
        ['cost_lower', 'cost_upper']
    """
    start = f"{of}_" if of else ""
    return (
        number(f"{start}lower", unit, about, null),
        number(f"{start}upper", unit, about, null),
    )


@dataclass(frozen=True)
class Table:
    """A kind of table: its name and its columns, which are a contract.

    Attributes:
        name: Name of the table and, by default, of its file.
        about: What one row is.
        columns: The columns in order.
    """

    name: str
    about: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises:
            ValueError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ValueError(f"table '{self.name}' has no column '{name}'")

    def pick(self, *names: str) -> tuple[Column, ...]:
        """Return columns by name, for another table that has the same.

        Raises:
            ValueError: There is no such column.
        """
        return tuple(self.column(name) for name in names)

    def project(self, row: Row) -> dict[str, Any]:
        """Return the cells of this table's columns, of a row that may have others too."""
        return {column.name: row[column.name] for column in self.columns}

    def readable(self, row: Row) -> dict[str, Any]:
        """Return a row as it will be read from a file: control characters of texts as escapes."""
        return {**row, **{name: _readable(row[name]) for name in self._texts if name in row}}

    @property
    def _texts(self) -> list[str]:
        return [column.name for column in self.columns if "string" in column.type]

    @property
    def schema(self) -> "pa.Schema":
        """Arrow schema; every field carries unit, meaning, direction and the meaning of null."""
        import pyarrow as pa

        fields = []
        for column in self.columns:
            metadata = {"unit": column.unit, "about": column.about}
            if column.null is not None:
                metadata["null"] = column.null
            if column.better is not None:
                metadata["better"] = column.better
            fields.append(
                pa.field(
                    column.name,
                    _arrow_type(column.type),
                    nullable=column.null is not None,
                    metadata=metadata,
                )
            )
        return pa.schema(fields)

    def build(self, rows: Iterable[Row], about: Row | None = None) -> "pa.Table":
        """Make an Arrow table of rows, and refuse any that break the contract.

        Args:
            rows: One mapping per row, with exactly the table's columns; see `readable`.
            about: What the table was made by, stored as JSON in the file's metadata.

        Raises:
            ValueError: A column is missing or unknown, or empty where it must not be.
        """
        import pyarrow as pa

        names = [column.name for column in self.columns]
        data: dict[str, list[Any]] = {name: [] for name in names}
        for row in rows:
            if row.keys() != data.keys():
                odd = sorted(row.keys() ^ data.keys())
                raise ValueError(f"columns of table '{self.name}' do not match: {odd}")
            for name in names:
                data[name].append(row[name])
        for name in self._texts:
            data[name] = [_readable(value) for value in data[name]]
        for column in self.columns:
            if column.null is None and any(value is None for value in data[column.name]):
                raise ValueError(f"'{column.name}' of table '{self.name}' must not be empty")
        metadata = {
            "nasrank.table": self.name,
            "nasrank.version": __version__,
            "nasrank.about": json.dumps(dict(about or {}), sort_keys=True),
        }
        return pa.Table.from_pydict(data, schema=self.schema).replace_schema_metadata(metadata)

    def write(self, rows: Iterable[Row], path: Path, about: Row | None = None) -> None:
        """Write rows to a file; see :meth:`build` and :func:`write_parquet`."""
        write_parquet(self.build(rows, about), path)

    def read(self, path: Path) -> list[dict[str, Any]]:
        """Read the rows of a file of this kind.

        Raises:
            DataError: The file is missing, damaged, or another kind of table.
        """
        rows: list[dict[str, Any]] = self.load(path).to_pylist()
        return rows

    def load(
        self, path: Path, names: Sequence[str] | None = None, *, marked: bool = True
    ) -> "pa.Table":
        """Read columns of a file of this kind, and refuse what breaks the contract.

        Args:
            path: The file.
            names: The columns, all by default.
            marked: Whether the file has to say that it is of this kind.

        Returns:
            They, in the order of the contract, schema metadata included.

        Raises:
            DataError: The file is missing, damaged, another kind of table, or empty where it
                must not be.
        """
        wanted = [c.name for c in self.columns if names is None or c.name in names]
        return self.checked(read_parquet(path, wanted), path, wanted, marked=marked)

    def checked(
        self, table: "pa.Table", path: Path, names: Sequence[str], *, marked: bool = True
    ) -> "pa.Table":
        """Refuse what breaks the contract in a table that was read; else as `load`.

        Raises:
            DataError: It is another kind of table, or empty where it must not be.
        """
        again = "Check the path, or make it again by the command that made it"
        wanted = [self.column(name) for name in names]
        schema, expected = table.schema, self.schema
        for column in wanted:
            name = column.name
            if name not in schema.names or schema.field(name).type != expected.field(name).type:
                found = f"column '{name}' is missing or of another type"
                break
        else:
            found = "it is not marked as one"
            if not marked or (schema.metadata or {}).get(b"nasrank.table") == self.name.encode():
                found = ""
        if found:
            raise DataError(
                f"{path}: not a table '{self.name}' of this version of nasrank: {found}. {again}"
            )
        for column in wanted:
            if column.null is None and table[column.name].null_count:
                raise DataError(f"{path}: column '{column.name}' has empty cells. {again}")
            wrong = _wrong_value(column, table[column.name])
            if wrong is not None:
                raise DataError(
                    f"{path}: column '{column.name}' holds {wrong[:80]}, which nasrank never "
                    f"writes there. {again}"
                )
        return table.select([column.name for column in wanted])


def about_of(schema: "pa.Schema") -> dict[str, Any]:
    """Return what a file's table was made by; empty where it does not say so."""
    try:
        about = json.loads((schema.metadata or {}).get(b"nasrank.about", b"{}"))
    except (ValueError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _wrong_value(column: Column, values: "pa.ChunkedArray") -> str | None:
    """Return a value that a column cannot have, as it can be shown, or None."""
    import pyarrow.compute as pc

    if column.type == "string":
        for value in pc.unique(values).to_pylist():
            if value is not None and not _is_sound(value, spelled=column.spelled):
                return ascii(value)
    elif column.least is not None and column.type in ("int64", "double"):
        lowest = pc.min(values).as_py()
        if lowest is not None and lowest < column.least:
            return f"{lowest:g}"
    return None


def _is_sound(value: str, *, spelled: bool) -> bool:
    if value != visible(value):
        return False
    if not spelled:
        return True
    try:
        return read_call(value) is not None and value == value.strip()
    except UsageError:
        return False


def _readable(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    return value


def plain(value: Any) -> Any:  # noqa: ANN401 - JSON has many types
    """Turn a value into what JSON has: dictionaries, lists, text, numbers, true, false, null.

    NaN and infinities, which JSON lacks, become null; values of any other type become text.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    # Arrays and scalars of numpy, without importing it.
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def write_json(document: Row | Sequence[Any], path: Path) -> None:
    """Write a JSON document, atomically.

    Raises:
        DataError: The folder cannot be made or written, or the disk is full.
    """
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_parquet(table: "pa.Table", path: Path, *, seal: bool = False) -> None:
    """Write a table as zstd Parquet with page checksums, atomically.

    Missing parent folders are made. An existing file is replaced in one step; whatever goes
    wrong, no partial file is left behind.

    Args:
        table: The table; its schema metadata is stored with it.
        path: The final place of the file.
        seal: Put a digest of the whole file into its metadata; see `is_sealed`.

    Raises:
        DataError: The folder cannot be made or written, or the disk is full.
    """
    import pyarrow.parquet as pq

    if seal:
        metadata = {**(table.schema.metadata or {}), _SEAL: _OPEN}
        table = table.replace_schema_metadata(metadata)
    with replacing(path) as part:
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)
        if seal:
            with part.open("r+b") as file:
                place, _ = _find_seal(file)
                if not place:  # pragma: no cover - another way to write metadata
                    raise RuntimeError("the Parquet library hides the place of the digest")
                digest = _digest_unsealed(file, place)
                file.seek(place)
                file.write(digest.encode())


def is_sealed(path: Path) -> bool:
    """Say whether every byte of a file is as `write_parquet` left it.

    The digest in the file is the sha256 of the file with 64 zeros in its place, so that a change
    anywhere, and of the digest itself, is noticed.

    Args:
        path: A file that was written with a seal; the answer for any other is False.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            place, seal = _find_seal(file)
            return place > 0 and seal == _digest_unsealed(file, place)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path") from error


def _find_seal(file: BinaryIO) -> tuple[int, str]:
    """Return the position and the text of the digest; 0 and nothing where there is none."""
    size = file.seek(0, os.SEEK_END)
    # Parquet ends with the length of its metadata and a mark.
    file.seek(max(0, size - 8))
    length = min(size, int.from_bytes(file.read(4), "little") + 8)
    file.seek(size - length)
    found = _SEALED.search(file.read(length))
    return (0, "") if found is None else (size - length + found.start(1), found[1].decode())


def _digest_unsealed(file: BinaryIO, place: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    left = place
    while part := file.read(min(left, 2**20)):
        digest.update(part)
        left -= len(part)
    digest.update(_OPEN)
    file.seek(place + len(_OPEN))
    while part := file.read(2**20):
        digest.update(part)
    return digest.hexdigest()


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> "pa.Table":
    """Read a table, verifying its page checksums where it has them.

    Args:
        path: The file.
        columns: Names of the columns to read, all by default; unknown ones are left out.

    Returns:
        The table, schema metadata included.

    Raises:
        DataError: The file is missing, unreadable, damaged, or stands for more than it may:
            see `nasrank.limits`.
    """
    import pyarrow as pa

    with open_parquet(path) as file:
        found = file.schema_arrow.names
        if len({*found}) < len(found):
            raise DataError(f"{path}: it has two columns of the same name. {_ORIGIN}")
        names = None if columns is None else list(columns)
        require_few_cells(path, file, names)
        # In parts, so that Control-C waits for one of them alone.
        parts, size, most = [], 0, most_bytes(path.stat().st_size)
        for part in file.iter_batches(batch_size=_PART_ROWS, columns=names, use_threads=False):
            parts.append(part)
            size += part.nbytes
            if size > most:
                raise DataError(
                    f"{path}: holds more than the {most:,} bytes that a file of its size may. "
                    f"{_ORIGIN}"
                )
        if not parts:
            return file.read(columns=names, use_threads=False)
        return pa.Table.from_batches(parts)


def require_few_cells(
    path: Path, file: "pq.ParquetFile", columns: Sequence[str] | None = None
) -> None:
    """Refuse a file that declares more values than fit its size, which run lengths make possible.

    Args:
        path: Its path.
        file: The open file.
        columns: Names of the columns that will be read, all by default.

    Raises:
        DataError: It does.
    """
    # What the metadata say of a group's columns is not asked for: where that is damaged, Arrow
    # ends the whole process.
    schema, wanted = file.metadata.schema, None if columns is None else {*columns}
    leaves = [schema.column(place) for place in range(file.metadata.num_columns)]
    if wanted is not None:
        leaves = [leaf for leaf in leaves if leaf.path.partition(".")[0] in wanted]
    # A value of fixed length may be as long as it likes.
    widths = [
        max(1, leaf.length // 16) if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" else 1
        for leaf in leaves
    ]
    cells, most = file.metadata.num_rows * max(1, sum(widths)), most_cells(path.stat().st_size)
    if cells > most:
        raise DataError(
            f"{path}: declares {cells:,} values, more than the {most:,} that a file of its size "
            f"may hold. {_ORIGIN}"
        )


@contextlib.contextmanager
def open_parquet(path: Path) -> Iterator["pq.ParquetFile"]:
    """Open a Parquet file within the limits of `nasrank.limits`; errors are of one line.

    Raises:
        DataError: Here or within the block: the file is missing, unreadable, damaged or a bomb.
    """
    import pyarrow.parquet as pq

    require_regular(path)
    with (
        _reading(path),
        reading(path),
        pq.ParquetFile(
            path,
            page_checksum_verification=True,
            thrift_string_size_limit=_THRIFT_LIMIT,
            thrift_container_size_limit=_THRIFT_LIMIT,
        ) as file,
    ):
        yield file


def read_schema(path: Path) -> "pa.Schema":
    """Read the names, types and metadata of a table's columns, and none of its rows.

    Raises:
        DataError: The file is missing, unreadable or damaged.
    """
    with open_parquet(path) as file:
        return file.schema_arrow


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn failures to read a file into errors of one line."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file. Check the path") from error
    except (OSError, pa.ArrowException, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or ["unreadable"])[0]
        raise DataError(
            f"{path}: damaged or not a Parquet file ({reason.rstrip('.')}). Check the path, or "
            "make it again by the command that made it"
        ) from error


def _arrow_type(name: str) -> "pa.DataType":
    import pyarrow as pa

    if name.startswith("list<"):
        return pa.list_(_arrow_type(name[len("list<") : -1]))
    return pa.type_for_alias(name)
