"""Read what a command has written: its tables, its pictures, and what it was asked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.errors import DataError
from nasrank.limits import reading, require_regular
from nasrank.report.films import FILM
from nasrank.runs.tables import PREDICTIONS
from nasrank.study.ownership import ABOUT
from nasrank.tables import Table, about_of, read_parquet

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SCORES", "Stored", "StoredTable", "find_studies"]

_LARGEST = 2**24
"""Bytes of a file that is read as text; ours are far smaller."""
SCORES = ("run_id", "score", "label", "in_train")
"""What pictures take from ``predictions``; its names alone may be a gigabyte."""
_MOST_SCORES = 2**20
"""Bytes of a file of predictions above which it is too long for a page as a table."""


@dataclass(frozen=True)
class StoredTable:
    """A table that a command has written.

    Attributes:
        path: Its file.
        data: Its columns, with their meaning in the metadata of their fields.
    """

    path: Path
    data: pa.Table

    @property
    def name(self) -> str:
        """Its name, which is that of its file."""
        return self.path.stem

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Its rows."""
        rows: list[dict[str, Any]] = self.data.to_pylist()
        return rows

    def keeps(self, contract: Table) -> bool:
        """Say whether it has the columns of a declared table, and none empty that must not be."""
        schema = self.data.schema
        return all(
            field.name in schema.names
            and schema.field(field.name).type == field.type
            and (field.nullable or not self.data[field.name].null_count)
            for field in contract.schema
        )

    def about(self, column: str, what: str) -> str:
        """Return what its file says of a column: ``unit``, ``about`` or ``better``, or nothing."""
        metadata = self.data.schema.field(column).metadata or {}
        return str(metadata.get(what.encode(), b"").decode("utf-8", "replace"))


@dataclass(frozen=True)
class Stored:
    """A folder that a command has written.

    Attributes:
        folder: The folder.
        command: Words of the command; empty where nothing says so.
        config: Its options by name.
        tables: Its tables by name.
        pictures: Its pictures.
        films: Its files of embeddings by epoch.
        versions: Versions of nasrank that wrote its tables.
        fingerprints: Digest of the data of each task, where they were written down.
        code: Digests of the code that computed its runs, where they were written down.
        notes: What to keep in mind, one line each.
        missing: What the command could not answer, one line each.
        left_out: Files that could not be read, one line each.
    """

    folder: Path
    command: str
    config: Mapping[str, Any]
    tables: Mapping[str, StoredTable]
    pictures: Sequence[Path] = ()
    films: Sequence[Path] = ()
    versions: Sequence[str] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    missing: Sequence[str] = ()
    left_out: Sequence[str] = ()


def find_studies(folders: Iterable[Path]) -> list[Stored]:
    """Read folders and everything below them that commands have written.

    Args:
        folders: The folders; one that is named twice is read once.

    Returns:
        One study for each folder with a table of nasrank, a folder before those within it.

    Raises:
        DataError: A folder does not exist, or holds no table of nasrank's at any depth.
    """
    found: dict[Path, Stored] = {}
    for folder in folders:
        if not folder.is_dir():
            why = "it is a file" if folder.exists() else "no such folder"
            raise DataError(
                f"{folder}: {why}. Name the folder that a command wrote to, such as "
                "nasrank-out/compare"
            )
        damaged: list[str] = []
        some = False
        for place in _folders_of(folder):
            stored = found.get(place.resolve()) or _read(place)
            damaged += stored.left_out
            if stored.tables:
                found[place.resolve()] = stored
                some = True
        if not some:
            why = f": {damaged[0]}" if damaged else ""
            raise DataError(
                f"{folder}: holds no table that nasrank can read{why}. Name the folder that a "
                "command wrote to, such as nasrank-out/compare"
            )
    return list(found.values())


def _folders_of(folder: Path) -> list[Path]:
    """Return a folder and those within it, but for the runs that commands keep."""
    try:
        inner = [p.parent for p in folder.rglob("*.parquet") if ".d" not in _endings(p, folder)]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}). Check the path") from error
    return sorted({folder, *inner})


def _endings(path: Path, folder: Path) -> set[str]:
    return {Path(part).suffix for part in path.parent.relative_to(folder).parts}


def _read(folder: Path) -> Stored:
    tables: dict[str, StoredTable] = {}
    left_out = []
    for path in sorted(folder.glob("*.parquet")):
        try:
            data = read_parquet(path, _columns_of(path))
        except DataError as error:
            left_out.append(str(error))
            continue
        if b"nasrank.table" in (data.schema.metadata or {}):
            tables[path.stem] = StoredTable(path, data)
    said = [_said(table) for table in tables.values()]
    about = _about(_json(folder / ABOUT), next((each for _, each in said if each), {}))
    config, prints = about.get("config"), [each.get("fingerprints") for _, each in said]
    return Stored(
        folder=folder,
        command=about["command"] if isinstance(about.get("command"), str) else "",
        config=config if isinstance(config, dict) else {},
        tables=tables,
        pictures=sorted(folder.glob("*.svg")),
        films=sorted(folder.glob(FILM)),
        versions=sorted({version for version, _ in said if version}),
        fingerprints={task: digest for each in prints for task, digest in _texts(each).items()},
        code=_texts(about.get("code")),
        notes=_lines(about.get("notes")),
        missing=_lines(about.get("left_out")),
        left_out=left_out,
    )


def _about(kept: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Choose what tables were made by: a command that was stopped may be a later one than theirs.

    Args:
        kept: What lies beside the tables, notes included.
        own: What they say themselves.
    """
    now, then = kept.get("config"), own.get("config")
    if not (isinstance(now, dict) and isinstance(then, dict)):
        return kept or own
    # Another version may have other options.
    shared = now.keys() & then.keys()
    same = kept.get("command") == own.get("command") and all(now[n] == then[n] for n in shared)
    return kept if same else own


def _columns_of(path: Path) -> tuple[str, ...] | None:
    """Return the columns of a table to read; None for all."""
    long = path.stem == PREDICTIONS.name and path.stat().st_size > _MOST_SCORES
    return SCORES if long else None


def _said(table: StoredTable) -> tuple[str, dict[str, Any]]:
    """Return the version and the origin that a table states."""
    metadata = table.data.schema.metadata or {}
    version = metadata.get(b"nasrank.version", b"").decode("utf-8", "replace")
    return version, about_of(table.data.schema)


def _texts(value: Any) -> dict[str, str]:  # noqa: ANN401 - whatever a file holds
    found = value.items() if isinstance(value, dict) else ()
    return {str(name): str(text) for name, text in found if text is not None}


def _lines(value: Any) -> list[str]:  # noqa: ANN401 - whatever a file holds
    return [str(line) for line in value] if isinstance(value, list) else []


def _json(path: Path) -> dict[str, Any]:
    try:
        require_regular(path)
        with reading(path):
            return _parsed(path.read_bytes()) if path.stat().st_size <= _LARGEST else {}
    except (OSError, DataError):
        return {}


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
