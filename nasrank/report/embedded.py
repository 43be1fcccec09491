"""Tables as compact JSON within a page, where nothing in them can be markup."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from nasrank.report.folders import StoredTable

__all__ = ["DIGITS", "compressed", "compressed_size", "embedded", "packed", "unpacked"]

DIGITS = 6
"""Significant digits of numbers in a page."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Places of up to so many distinct values, a letter each."""
# As they stand in scripts: the first three could end one, the others end a line of it.
_UNSAFE = {each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def compressed(value: object) -> str:
    """Write a value as JSON, compressed by zlib, in base64: letters that no script can end with.

    Example:
        >>> json.loads(zlib.decompress(base64.b64decode(compressed({"loss": "</script>"}))))
        {'loss': '</script>'}
    """
    return base64.b64encode(zlib.compress(embedded(value).encode(), 9)).decode()


def compressed_size(value: object) -> int:
    """Return how many bytes a value takes in a page, compressed alone."""
    return -(-len(zlib.compress(embedded(value).encode(), 6)) * 4 // 3)


def embedded(value: object) -> str:
    r"""Write a value as JSON that can stand in a ``<script>`` whatever its texts hold.

    Example:
        >>> embedded({"loss": "</script>"})
        '{"loss":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    # Half of a character outside the plane, which no encoding has.
    text = text.encode("utf-8", "replace").decode("utf-8")
    for each, safe in _UNSAFE.items():
        text = text.replace(each, safe)
    return text


def packed(table: StoredTable) -> dict[str, Any]:
    """Return a table by columns: names, meaning, and values.

    Values of a column are a list, ``{"all": value}`` where all rows have the same, or
    ``{"of": distinct values, "at": places in them}`` where many repeat; up to 62 places are the
    letters of one text. Numbers have six significant digits; what is no finite number is null.

    Args:
        table: The table.
    """
    columns = []
    for name in table.data.schema.names:
        values = [_plain(value) for value in table.data[name].to_pylist()]
        told = {what: table.about(name, what) for what in ("unit", "about", "better")}
        columns.append(
            {"name": name, **{k: v for k, v in told.items() if v}, "values": _packed(values)}
        )
    return {"name": table.name, "rows": table.data.num_rows, "columns": columns}


def unpacked(values: Any, rows: int) -> list[Any]:  # noqa: ANN401 - JSON has many types
    """Return the values of a packed column, one per row.

    Example:
        >>> unpacked({"of": ["hr", "mse"], "at": [0, 0, 1]}, 3), unpacked({"all": 7}, 2)
        (['hr', 'hr', 'mse'], [7, 7])
    """
    if isinstance(values, Mapping):
        if "all" in values:
            return [values["all"]] * rows
        at = values["at"]
        places = map(_LETTERS.index, at) if isinstance(at, str) else at
        return [values["of"][place] for place in places]
    return list(values)


def _packed(values: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON has many types
    if not values or any(isinstance(value, list) for value in values):
        return list(values)
    # By type too: True, 1 and 1.0 are equal.
    keys = [(type(value), value) for value in values]
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    if len(places) == 1:
        return {"all": values[0]}
    plain = len(json.dumps(values, separators=(",", ":")))
    at: Any = [places[key] for key in keys]
    if len(places) <= len(_LETTERS):
        at = "".join(_LETTERS[place] for place in at)
    coded = {"of": [value for _, value in places], "at": at}
    return coded if len(json.dumps(coded, separators=(",", ":"))) < plain else list(values)


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON has many types
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        short = float(f"{value:.{DIGITS}g}")
        return int(short) if short.is_integer() and abs(short) < 2**53 else short
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | None) else str(value)
