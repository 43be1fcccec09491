"""The identity of a run, and where finished runs are kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar

from nasrank.errors import DataError
from nasrank.files import remove_stale_parts
from nasrank.tables import Table, about_of, read_parquet, read_schema

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RESULTS_VERSION", "Code", "FinishedRuns", "Identity"]

R = TypeVar("R", bound="Identity")

RESULTS_VERSION = 1
"""Increased when the same configuration would give other numbers: old runs are not reused."""


_FLEET = ".fleet"
"""Ending of files that hold a whole fleet until each of its runs has a file."""
_DIGITS = 16
"""Hexadecimal digits of which such a file's name consists."""


@dataclass(frozen=True)
class Identity:
    """Everything that the results of a run depend on; the fields of a subclass.

    Attributes:
        added: Fields that came later; None in them is what all runs were before.
        removed: Fields that are gone, with what all runs had in them that there still are: they
            stay in the identity, so that these runs are found again.
    """

    added: ClassVar[frozenset[str]] = frozenset()
    removed: ClassVar[Mapping[str, Any]] = {}

    @cached_property
    def run_id(self) -> str:
        """Sixteen hexadecimal digits that identify it in tables and file names."""
        known = {
            name: value
            for name, value in asdict(self).items()
            if name not in self.added or value is not None
        }
        text = json.dumps([RESULTS_VERSION, {**self.removed, **known}], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


Code: TypeAlias = Callable[[R], tuple[str, str]]
"""Names what computes a run, and returns the digest of its source."""


class FinishedRuns:
    """A folder with one file per finished run.

    A file is complete or absent, so whatever stops a process, its finished runs can be used by
    the next one. A damaged file counts as absent.

    Args:
        folder: The folder; it is made when the first run is saved.
        table: What is kept of a run; has a column ``run_id``.
        kind: What identifies a run.
        tables: Folder of final tables; a run without a file of its own is taken from them, if
            they hold every kept column.
        code: Names what computes a run, and returns the digest of its source. A run of other code
            counts as not finished.
        any_code: Take it nevertheless.

    Attributes:
        other: Runs that were found, by ``run_id``, and computed by other code.
    """

    def __init__(
        self,
        folder: Path,
        *,
        table: Table,
        kind: type[Identity],
        tables: Path | None = None,
        code: Code[Any] | None = None,
        any_code: bool = False,
    ) -> None:
        self.folder, self._table, self._kind, self._tables = folder, table, kind, tables
        self._code, self._any_code = code, any_code
        self.other: set[str] = set()

    def path(self, run: Identity) -> Path:
        """Return where a run is, or would be, kept."""
        return self.folder / f"{run.run_id}.parquet"

    def load(
        self, run: Identity, *, whole: Callable[[dict[str, Any]], bool] = lambda _row: True
    ) -> dict[str, Any] | None:
        """Return the row of a run, or None if it is not finished.

        Args:
            run: The run.
            whole: Whether a row has all its optional parts that are asked for.
        """
        try:
            table = self._read(self.path(run))
            rows, about = table.to_pylist(), about_of(table.schema)
        except DataError:
            known, about = self._in_tables, self._about
            rows = [known[run.run_id]] if run.run_id in known else []
        names = {column.name for column in self._table.columns}
        if any(_is_ragged(row) for row in rows):
            return None
        if len(rows) != 1 or rows[0].keys() != names or rows[0]["run_id"] != run.run_id:
            return None
        row: dict[str, Any] = rows[0]
        if not whole(row):
            return None
        return row if self._is_ours(run, about) else None

    def _read(self, path: Path) -> pa.Table:
        """Read a file of this version: these columns, and no others."""
        table, names = read_parquet(path), self._table.schema.names
        if table.schema.names != names:
            raise DataError(f"{path}: of another version of nasrank")
        return self._table.checked(table, path, names)

    def _is_ours(self, run: Identity, about: Mapping[str, Any]) -> bool:
        """Say whether a run may be used, by the code that computed it."""
        if self._code is None:
            return True
        name, digest = self._code(run)
        made = about.get("code")
        if isinstance(made, dict) and made.get(name) == digest:
            self.other.discard(run.run_id)
            return True
        self.other.add(run.run_id)
        return self._any_code

    def code_of(self, runs: Iterable[Identity]) -> dict[str, str | None]:
        """Return the digests of what computed runs; None where some are of other code."""
        if self._code is None:
            return {}
        found: dict[str, str | None] = {}
        for run in runs:
            name, digest = self._code(run)
            if run.run_id in self.other or found.get(name, digest) != digest:
                found[name] = None
            else:
                found.setdefault(name, digest)
        return found

    def save(
        self, run: Identity, row: Mapping[str, Any], *, code: Mapping[str, Any] | None = None
    ) -> None:
        """Keep a run.

        Args:
            run: The run.
            row: Its row of the folder's table.
            code: What computed it, by name; the code that is installed if None.

        Raises:
            DataError: The folder cannot be written, or the disk is full.
        """
        self.other.discard(run.run_id)
        made = self.code_of([run]) if code is None else code
        self._table.write([row], self.path(run), {"run": asdict(run), "code": made})

    def save_fleet(self, runs: Sequence[Identity], rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the runs of one fleet, all of them or none.

        They are written together to one file first, and then to one file each; if the process
        is killed in between, :meth:`recover` does the rest. Otherwise the missing members of a
        partly saved fleet would be trained again in a smaller batch, and their last digits would
        depend on the moment of the kill.

        Args:
            runs: The runs.
            rows: Their rows of the folder's table, in the same order.

        Raises:
            DataError: The folder cannot be written, or the disk is full.
        """
        digest = hashlib.sha256("".join(run.run_id for run in runs).encode()).hexdigest()
        fleet = self.folder / f"{digest[:_DIGITS]}{_FLEET}"
        self.other -= {run.run_id for run in runs}
        made = self.code_of(runs)
        self._table.write(rows, fleet, {"runs": [asdict(run) for run in runs], "code": made})
        self._spread(fleet, runs, rows, made)

    def recover(self) -> None:
        """Finish saving what a killed process had begun to save, and remove half-written files.

        Other processes may work in the folder meanwhile, and do the same.

        Raises:
            DataError: The folder cannot be written, or the disk is full.
        """
        remove_stale_parts(self.folder)
        ours = f"{'[0-9a-f]' * _DIGITS}{_FLEET}"
        for fleet in sorted(self.folder.glob(ours)):
            if fleet.is_symlink():
                continue
            try:
                table = self._read(fleet)
                about = about_of(table.schema)
                runs = [self._kind(**run) for run in about["runs"]]
                rows = table.to_pylist()
                ids = [run.run_id for run in runs]
                if [row["run_id"] for row in rows] != ids:
                    raise ValueError("not a fleet of this version")
            except (DataError, TypeError, KeyError, ValueError, AttributeError):
                # Already recovered by another process, or damaged or of another version, and
                # then trained again.
                with contextlib.suppress(OSError):
                    fleet.unlink()
                continue
            self._spread(fleet, runs, rows, about.get("code") or {})

    @cached_property
    def _about(self) -> dict[str, Any]:
        return {} if self._tables is None else _about_of_tables(self._tables)

    @cached_property
    def _in_tables(self) -> dict[str, dict[str, Any]]:
        if self._tables is None:
            return {}
        # Runs with a file of their own need no second source, and one that is damaged is
        # computed again rather than taken from tables that may hold less of it.
        own = {path.stem for path in self.folder.glob("*.parquet")}
        return _rows_of_tables(self._tables, self._table, without=own)

    def _spread(
        self,
        fleet: Path,
        runs: Sequence[Identity],
        rows: Sequence[Mapping[str, Any]],
        code: Mapping[str, Any],
    ) -> None:
        for run, row in zip(runs, rows, strict=True):
            self.save(run, row, code=code)
        fleet.unlink(missing_ok=True)


def _about_of_tables(folder: Path) -> dict[str, Any]:
    """Return what the final tables of a folder were made by; empty where none says so."""
    for path in sorted(folder.glob("*.parquet")):
        with contextlib.suppress(DataError):
            about = about_of(read_schema(path))
            if "code" in about:
                return about
    return {}


def _rows_of_tables(
    folder: Path, kept: Table, *, without: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Rebuild the kept row of each run from the final tables.

    A column ``discovery.k`` is the list of a run's values of ``k`` in the table ``discovery``;
    the others, if there are any besides ``run_id``, are in tables with one row per run.

    Args:
        folder: Where the final tables are.
        kept: What is kept of a run.
        without: Runs to leave out by ``run_id``; nothing more is read where no other is left.

    Returns:
        Rows of ``kept`` by ``run_id``; none where the tables lack a column that must not be
        null, or there are no such tables.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = {column.name for column in kept.columns}
    lists = sorted({column.split(".")[0] for column in names if "." in column})
    found: dict[str, dict[str, Any]] = {}
    # Where all kept columns are lists, only those tables name the runs.
    alone = not any("." not in name for name in names - {"run_id"})
    for path in () if alone else sorted(folder.glob("*.parquet")):
        with contextlib.suppress(DataError):
            columns = [name for name in read_schema(path).names if name in names]
            if path.stem in lists or "run_id" not in columns:
                continue
            rows = _like(kept, columns).load(path, marked=False).to_pylist()
            if len({row["run_id"] for row in rows}) == len(rows):
                for row in rows:
                    if row["run_id"] not in without:
                        found.setdefault(row["run_id"], {}).update(row)
    if not (found or alone):
        return {}
    for name in lists:
        nested = [column for column in names if column.startswith(f"{name}.")]
        with contextlib.suppress(DataError, KeyError):
            path = folder / f"{name}.parquet"
            there = set(read_schema(path).names)
            nested = [column for column in nested if column.partition(".")[2] in there]
            if alone:
                ids = set(_like(kept, ["run_id"]).load(path, marked=False)["run_id"].to_pylist())
                ids -= set(without)
                found |= {run_id: {"run_id": run_id} for run_id in ids}
            if not found:
                return {}
            table = _like(kept, ["run_id", *nested], within=name).load(path, marked=False)
            # Every score of every run may stand there: only lines of the runs that are asked for.
            asked = pc.is_in(table["run_id"], value_set=pa.array(list(found), pa.string()))
            lines = table.filter(asked).to_pylist()
            for row in found.values():
                row |= {column: [] for column in nested}
            for line in lines:
                for column in nested:
                    found[line["run_id"]][column].append(line[column.partition(".")[2]])
    order = [column.name for column in kept.columns]
    empty = {column.name: None for column in kept.columns if column.null is not None}
    whole = ({**empty, **row} for row in found.values())
    return {
        row["run_id"]: {name: row[name] for name in order} for row in whole if row.keys() == names
    }


def _is_ragged(row: Mapping[str, Any]) -> bool:
    """Say whether the lists of one table, which are its columns, differ in length."""
    lengths: dict[str, set[int]] = {}
    for name, value in row.items():
        if isinstance(value, list) and "." in name:
            lengths.setdefault(name.partition(".")[0], set()).add(len(value))
    return any(len(found) > 1 for found in lengths.values())


def _like(kept: Table, names: Iterable[str], *, within: str = "") -> Table:
    """Return the table in which columns of a kept row stand, as far as they say what it is.

    Args:
        kept: The kept row.
        names: Some of its columns.
        within: Name of that table, where lists of a kept row are cells of a row each there.
    """
    columns = []
    for column in map(kept.column, names):
        if within and column.name.startswith(f"{within}."):
            name, kind = column.name.removeprefix(f"{within}."), column.type[len("list<") : -1]
            columns.append(replace(column, name=name, type=kind, null=""))
        else:
            columns.append(column)
    return Table(kept.name, kept.about, tuple(columns))
