"""Rows of an untrusted JSON file: an object per line, or what pandas and others write at once."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from nasrank.benchmarks.importers.dialect import COLUMN_LIMIT, numbered_lines, opened
from nasrank.benchmarks.importers.json_file import json_value
from nasrank.errors import DataError

__all__ = ["flat", "is_json_lines", "json_line_rows", "json_rows"]

SIZE_LIMIT = 2**28
"""Longest file that is read as a whole, in bytes, and in characters where it is compressed."""

_DEEPEST = 6
_REMEDY = "Repair the file and import it again"

_Row = dict[str, object]


def json_line_rows(path: Path, whole: Collection[str] = ()) -> Iterator[tuple[int, _Row]]:
    """Read an object per line; empty lines are skipped.

    Objects within a row become columns ``outer.inner``, six deep at most.

    Args:
        path: The file; it may be compressed by gzip.
        whole: Columns whose objects are cells and not further columns.

    Yields:
        The line of a row, and its values by column.

    Raises:
        DataError: The file cannot be read, or a line is too long, not JSON or no object.
    """
    for place, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {place}: not JSON. {_REMEDY}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {place}: not a JSON object. {_REMEDY}")
        yield place, flat(path, f"line {place}", row, whole)


def json_rows(path: Path, whole: Collection[str] = ()) -> list[_Row]:
    """Read an array of objects, or any of the forms of ``DataFrame.to_json``.

    Args:
        path: The file; it may be compressed by gzip.
        whole: Columns whose objects are cells and not further columns.

    Returns:
        The rows, flat as in `json_line_rows`. Where pandas wrote the index as words, it is the
        column ``id``.

    Raises:
        DataError: The file cannot be read, is too large, not JSON or of another form.
    """
    with opened(path) as file:
        large = path.stat().st_size > SIZE_LIMIT
        text = "" if large else file.read(SIZE_LIMIT + 1)
    if large or len(text) > SIZE_LIMIT:
        raise DataError(f"{path}: larger than {SIZE_LIMIT:,} bytes. Write a row per line")
    value = json_value(path, text, advice=_REMEDY)
    listed = value if isinstance(value, list) else None
    if isinstance(value, dict) and value:
        listed = _split(value) or _columns(value) or _by_key(value)
    if listed is None:
        raise DataError(
            f"{path}: not an array of objects, as DataFrame.to_json(orient='records') writes. "
            f"{_REMEDY}"
        )
    rows = []
    for place, row in enumerate(listed):
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {place}: not a JSON object. {_REMEDY}")
        rows.append(flat(path, f"row {place}", row, whole))
    return rows


def is_json_lines(path: Path) -> bool:
    """Return whether a file has an object on its first line and starts another one on the next."""
    try:
        lines = (line.strip() for _, line in numbered_lines(path) if line.strip())
        first, second = next(lines, ""), next(lines, "")
    except DataError:
        return False
    return first[:1] + first[-1:] == "{}" and second.startswith("{")


def _split(value: _Row) -> list[object] | None:
    """Read ``{"columns": [...], "data": [[...], ...]}`` or ``{"schema": {}, "data": [{}]}``."""
    columns, data = value.get("columns"), value.get("data")
    if not isinstance(data, list):
        return None
    if isinstance(value.get("schema"), dict):
        return data
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        return None
    if any(not isinstance(row, list) or len(row) != len(columns) for row in data):
        return None
    return [dict(zip(columns, row, strict=True)) for row in data]


def _columns(value: _Row) -> list[object] | None:
    """Read ``{"a": [...], "b": [...]}``."""
    columns = [column for column in value.values() if isinstance(column, list)]
    if len(columns) != len(value) or len({len(column) for column in columns}) > 1:
        return None
    return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]


def _by_key(value: _Row) -> list[object] | None:
    """Read ``{"a": {"0": ...}, "b": {"0": ...}}``, or rows by name."""
    inner = [each for each in value.values() if isinstance(each, dict)]
    if len(inner) != len(value) or any(each.keys() != inner[0].keys() for each in inner):
        return None
    if all(key.isdecimal() for key in inner[0]):
        return [{name: value[name][key] for name in value} for key in inner[0]]  # type: ignore[index]
    if all(key.isdecimal() for key in value):
        return [*inner]
    return [{"id": name} | each for name, each in zip(value, inner, strict=True)]


def flat(path: Path, where: str, row: _Row, whole: Collection[str]) -> _Row:
    """Write the fields of objects within a row as columns ``outer.inner``.

    Args:
        path: The file, for messages.
        where: The place of the row, for messages.
        row: Its values by column.
        whole: Columns whose objects are cells and not further columns.

    Raises:
        DataError: The objects are nested more than six deep, or there are too many columns.
    """
    if not any(type(value) is dict for value in row.values()) and len(row) <= COLUMN_LIMIT:
        return row
    found: _Row = {}

    def put(fields: Mapping[str, object], prefix: str, depth: int) -> None:
        for key, value in fields.items():
            name = f"{prefix}{key}"
            cell = name in whole or name.startswith("attribute_")
            if isinstance(value, dict) and value and not cell:
                if depth == 0:
                    raise DataError(f"{path}: {where}: too deeply nested. {_REMEDY}")
                put(value, f"{name}.", depth - 1)
            else:
                found[name] = value
            if len(found) > COLUMN_LIMIT:
                raise DataError(f"{path}: {where}: more than {COLUMN_LIMIT:,} columns. {_REMEDY}")

    put(row, "", _DEEPEST)
    return found
