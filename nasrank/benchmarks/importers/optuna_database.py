"""Optuna's SQLite database, read as plain tables of an untrusted file."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from nasrank.benchmarks.importers.columns import printable
from nasrank.benchmarks.importers.optuna_study import TRIAL_LIMIT, Study, Trial
from nasrank.benchmarks.importers.optuna_values import (
    LOWER,
    parameter_value,
    scale_of,
    seconds_between,
)
from nasrank.errors import DataError

__all__ = ["is_database", "read_database"]

SIZE_LIMIT = 2**31
"""Largest file that is read, in bytes."""
STEP_LIMIT = 100_000
"""How many thousand steps SQLite may take for a query."""

_MAGIC = b"SQLite format 3\0"
_CELL_LIMIT = 2**20
_CELLS = 64
"""Parameters, values and attributes a trial has at most, on the average."""
_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}
_COLUMNS = {
    "studies": ("study_id", "study_name"),
    "study_directions": ("study_id", "objective", "direction"),
    "study_system_attributes": ("study_id", "key", "value_json"),
    "trials": ("trial_id", "study_id", "number", "state", "datetime_start", "datetime_complete"),
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_values": ("trial_id", "objective", "value", "value_type"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
}
_SPECIAL = {"INF_POS": float("inf"), "INF_NEG": float("-inf"), "NAN": float("nan")}
_OLD = "Bring it up to date where Optuna is: optuna storage upgrade --storage sqlite:///FILE"
_REMEDY = "Copy the file again while nobody writes it"


def is_database(path: Path) -> bool:
    """Return whether a file is an SQLite database, by its first bytes; never raises."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def read_database(path: Path) -> list[Study]:
    """Read all studies of a database.

    It is opened to read only and as unchanging; only tables are read, no views, and nothing that
    the file itself defines is run.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, is no Optuna database of version 3 or later, is being
            written, or is beyond the limits.
    """
    for ending, what in (("-wal", "changes that are not in it yet"), ("-journal", "a change")):
        beside = path.with_name(path.name + ending)
        if beside.is_file() and beside.stat().st_size:
            raise DataError(
                f"{path}: {beside.name} beside it holds {what}. Close the programs that write it "
                f"and type: sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )
    if path.stat().st_size > SIZE_LIMIT:
        raise DataError(f"{path}: larger than {SIZE_LIMIT:,} bytes. Import another study")
    try:
        address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            _restrict(database)
            _check_tables(path, database)
            database.set_authorizer(
                lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY
            )
            return _studies(path, database)
    except sqlite3.Error as error:
        why = printable(str(error))[:100]
        raise DataError(f"{path}: not a readable SQLite database ({why}). {_REMEDY}") from error
    except (OverflowError, UnicodeError, OSError) as error:
        raise DataError(f"{path}: not a readable SQLite database. {_REMEDY}") from error


def _restrict(database: sqlite3.Connection) -> None:
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _CELL_LIMIT)
    steps = iter(range(STEP_LIMIT))
    # Anything but None ends a query.
    database.set_progress_handler(lambda: None if next(steps, None) is not None else 1, 1_000)
    for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON"):
        database.execute(f"PRAGMA {pragma}")


def _check_tables(path: Path, database: sqlite3.Connection) -> None:
    kinds = {
        name: kind
        for name, kind, text in database.execute("SELECT name, type, sql FROM sqlite_master")
        if not str(text).upper().startswith("CREATE VIRTUAL")
    }
    if kinds.get("trials") != "table" or kinds.get("studies") != "table":
        raise DataError(f"{path}: an SQLite database, but not one of Optuna. Check the path")
    for table, columns in _COLUMNS.items():
        # A generated column is hidden from table_info, and so counts as not there.
        found = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        if kinds.get(table) != "table" or not {*columns} <= found:
            raise DataError(
                f"{path}: its table {table} is not that of Optuna 3 or later. "
                f"{_OLD.replace('FILE', path.name)}"
            )


def _rows(path: Path, database: sqlite3.Connection, table: str, most: int) -> Iterator[Sequence]:  # type: ignore[type-arg]
    columns = ", ".join(f'"{name}"' for name in _COLUMNS[table])
    for count, row in enumerate(database.execute(f'SELECT {columns} FROM "{table}"')):  # noqa: S608 - own names
        if count == most:
            raise DataError(f"{path}: {table} has more than {most:,} rows. Import another study")
        yield row


def _studies(path: Path, database: sqlite3.Connection) -> list[Study]:
    cells = _CELLS * TRIAL_LIMIT
    studies = {
        number: Study(str(name), [])
        for number, name in _rows(path, database, "studies", TRIAL_LIMIT)
    }
    directions: dict[object, dict[int, bool]] = {}
    for number, place, direction in _rows(path, database, "study_directions", TRIAL_LIMIT):
        if direction in LOWER and type(place) is int:
            directions.setdefault(number, {})[place] = LOWER[direction]
    for number, study in studies.items():
        found = directions.get(number, {})
        study.lower = [found[place] for place in sorted(found)]
    for number, key, text in _rows(path, database, "study_system_attributes", cells):
        if number in studies and key == "study:metric_names":
            names = _json(text)
            if isinstance(names, list) and all(isinstance(name, str) for name in names):
                studies[number].objectives = names
    trials: dict[object, Trial] = {}
    for identity, number, place, state, start, end in sorted(
        _rows(path, database, "trials", TRIAL_LIMIT), key=lambda row: str(row[0]).zfill(20)
    ):
        if number in studies:
            study = studies[number]
            at = place if type(place) is int else len(study.trials)
            trial = Trial(at, str(state).lower(), seconds=seconds_between(start, end))
            trials[identity] = trial
            study.trials.append(trial)
    _fill(path, database, trials, cells)
    for study in studies.values():
        study.trials.sort(key=lambda trial: trial.number)
    return [*studies.values()]


def _fill(
    path: Path, database: sqlite3.Connection, trials: dict[object, Trial], cells: int
) -> None:
    """Give trials their parameters, values and attributes."""
    for identity, name, stored, distribution in _rows(path, database, "trial_params", cells):
        if identity in trials:
            trial = trials[identity]
            try:
                trial.parameters[str(name)] = parameter_value(stored, distribution)
                trial.scales[str(name)] = scale_of(distribution)
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    f"{path}: trial {trial.number}: parameter {str(name)[:60]!a} cannot be read. "
                    f"{_REMEDY}"
                ) from error
    values: dict[object, dict[int, float]] = {}
    for identity, place, number, kind in _rows(path, database, "trial_values", cells):
        if type(place) is int and (kind in _SPECIAL or isinstance(number, int | float)):
            value = _SPECIAL[kind] if kind in _SPECIAL else float(number)
            values.setdefault(identity, {})[place] = value
    for identity, found in values.items():
        if identity in trials:
            trials[identity].values = [found[place] for place in sorted(found)]
    for identity, key, text in _rows(path, database, "trial_user_attributes", cells):
        if identity in trials:
            trials[identity].attributes[str(key)] = _json(text)


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
