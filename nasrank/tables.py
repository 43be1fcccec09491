"""The only module that writes Parquet.

Every file is written beside its final place under a name of its own and then renamed, so that
a reader sees the old file, the new file, or none, and never half of one.
"""

import contextlib
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank import __version__
from nasrank.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "Table", "read_parquet", "read_schema", "write_json", "write_parquet"]

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name.
        type: An Arrow type by name: ``string``, ``int64``, ``double``, ``bool``, or a list of
            one of them, such as ``list<int64>``.
        unit: Unit of its values; ``1`` for pure numbers, empty for names.
        about: What it says, with its direction where it has one.
        null: What an empty cell means; None where the column has no empty cells.
    """

    name: str
    type: str
    unit: str
    about: str
    null: str | None = None


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

    @property
    def schema(self) -> "pa.Schema":
        """Arrow schema; every field carries unit, meaning, and the meaning of null."""
        import pyarrow as pa

        fields = []
        for column in self.columns:
            metadata = {"unit": column.unit, "about": column.about}
            if column.null is not None:
                metadata["null"] = column.null
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
            rows: One mapping a row, with exactly the table's columns.
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
        table = read_parquet(path)
        if table.schema.names != [column.name for column in self.columns]:
            raise DataError(
                f"{path}: not a table '{self.name}' of this version of nasrank. Delete it and run "
                "the command that made it again."
            )
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows


def write_json(document: Row | Sequence[Any], path: Path) -> None:
    """Write a JSON document, atomically.

    Raises:
        DataError: The folder cannot be made or written, or the disk is full.
    """
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    with _replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_parquet(table: "pa.Table", path: Path) -> None:
    """Write a table as zstd Parquet with page checksums, atomically.

    Missing parent folders are made. An existing file is replaced in one step; whatever goes
    wrong, no partial file stays behind.

    Args:
        table: The table; its schema metadata is stored with it.
        path: The final place of the file.

    Raises:
        DataError: The folder cannot be made or written, or the disk is full.
    """
    import pyarrow.parquet as pq

    with _replacing(path) as part:
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> "pa.Table":
    """Read a table, verifying its page checksums where it has them.

    Args:
        path: The file.
        columns: Names of the columns to read, all by default; unknown ones are left out.

    Returns:
        The table, schema metadata included.

    Raises:
        DataError: The file is missing, unreadable or damaged.
    """
    import pyarrow.parquet as pq

    with (
        _reading(path),
        pq.ParquetFile(path, page_checksum_verification=True) as file,
    ):
        return file.read(columns=None if columns is None else list(columns))


def read_schema(path: Path) -> "pa.Schema":
    """Read the names, types and metadata of a table's columns, and none of its rows.

    Raises:
        DataError: The file is missing, unreadable or damaged.
    """
    import pyarrow.parquet as pq

    with _reading(path), pq.ParquetFile(path) as file:
        return file.schema_arrow


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file that is read into one line."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or ["unreadable"])[0]
        raise DataError(
            f"{path}: damaged or not a Parquet file ({reason}). Delete it and run the command "
            "that made it again."
        ) from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to, and put it in the place of ``path`` once it is complete."""
    import pyarrow as pa

    # Process and thread in the name: two writers of one file must not share a part.
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise DataError(
            f"{path}: cannot be written ({reason}). Free some space or choose another folder."
        ) from error
    finally:
        # An unreachable folder is what the error above already reports.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _arrow_type(name: str) -> "pa.DataType":
    import pyarrow as pa

    if name.startswith("list<"):
        return pa.list_(_arrow_type(name[len("list<") : -1]))
    return pa.type_for_alias(name)
