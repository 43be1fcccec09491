"""A table as a page shows it: which columns, under which names, and the first of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nasrank.report.embedded import packed
from nasrank.report.folders import Stored, StoredTable
from nasrank.study.view import bounds, joined, number, plural

__all__ = ["MISSING", "OPEN", "Sheet", "Shows", "rank_of", "sheet_of"]

_STATIC = 12
"""Rows of an open table that stand in the page itself, for print and where no script runs."""
_FIRST = ("claims", "headline", "lists", "search_methods", "search_summary", "plan",
          "recommendation", "check", "ranking", "explained", "agreement", "summary")  # fmt: skip
OPEN = frozenset(_FIRST) - {"search_summary", "summary"}
"""Tables that are open from the start."""
_LIKED = {"statement": 0, "verdict": 1, "claim id": 3}
MISSING = "\N{EN DASH}"
"""What stands in a cell without a value."""


@dataclass(frozen=True)
class Shows:
    """A column as people see it.

    Attributes:
        title: Its heading.
        of: Place of its column in the data, or of both ends of an interval.
        right: Whether it holds numbers, which stand to the right.
        about: What its values mean.
        better: ``higher``, ``lower`` or nothing.
    """

    title: str
    of: Sequence[int]
    right: bool
    about: str
    better: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table of a page.

    Attributes:
        id: Its name in the page.
        title: Its name.
        size: How many rows it has, and where it is from.
        constant: What is the same in all rows.
        columns: The other columns.
        rows: Its first rows as text; none where it is closed at first.
        more: What is said of the other rows.
        open: Whether it is open at first.
        held: All of it, for the script.
    """

    id: str
    title: str
    size: str
    constant: str
    columns: Sequence[Shows]
    rows: Sequence[Sequence[str]]
    more: str
    open: bool
    held: Mapping[str, Any]


def rank_of(table: StoredTable) -> tuple[Any, ...]:
    """Return what sorts the tables of a study: answers first, then the shorter ones."""
    first = _FIRST.index(table.name) if table.name in _FIRST else len(_FIRST)
    return first, table.data.num_rows, table.name, str(table.path)


def sheet_of(table: StoredTable, key: str, *, of: Stored, alone: bool) -> Sheet:
    """Lay out a table.

    Columns that are the same in all rows are said once, and the ends of an interval are one.

    Args:
        table: The table, which has rows.
        key: Its name in the page.
        of: The study it belongs to.
        alone: Whether the section has no other study.
    """
    held = packed(table)
    columns = held["columns"]
    shows = _shows(columns, table.data.num_rows)
    if table.name == "claims":
        # What is said and whether it holds, before the numbers; the short name last.
        shows.sort(key=lambda each: _LIKED.get(each.title, 2))
    # What the script needs to lay it out in the same way.
    held["shows"] = [vars(each) for each in shows]
    opened = table.name in OPEN and alone
    # What is closed can neither be seen without a script nor be printed.
    rows = [
        [_cell(row, [columns[place]["name"] for place in each.of]) for each in shows]
        for row in (table.data.slice(0, _STATIC).to_pylist() if opened else ())
    ]
    total = table.data.num_rows
    return Sheet(
        id=key,
        title=table.name,
        size=joined([plural(total, "row"), "" if alone else str(of.folder)]),
        constant="; ".join(
            f"{column['name'].replace('_', ' ')} {number(column['values']['all'])}"
            for column in columns
            if _is_constant(column, total) and column["values"]["all"] is not None
        ),
        columns=shows,
        rows=rows,
        more="" if total <= len(rows) else f"{len(rows)} of {total:,} rows; a script shows all.",
        open=opened,
        held=held,
    )


def _shows(columns: Sequence[Mapping[str, Any]], rows: int) -> list[Shows]:
    names = [column["name"] for column in columns]
    shows = []
    for place, column in enumerate(columns):
        name = column["name"]
        if _is_constant(column, rows) or _other_end(name, "upper", "lower") in names:
            continue
        unit = column.get("unit", "")
        about = joined([column.get("about", ""), "" if unit in ("1", "metric") else unit])
        upper = _other_end(name, "lower", "upper")
        if upper in names:
            title = f"{name.removesuffix('lower').replace('_', ' ')}95 %"
            shows.append(Shows(title, [place, names.index(upper)], True, about))
        else:
            right = not isinstance(_first(column["values"]), str | list)
            title = name.replace("_", " ")
            shows.append(Shows(title, [place], right, about, column.get("better", "")))
    return shows


def _other_end(name: str, end: str, other: str) -> str:
    """Return the name of the other end of an interval; nothing for what is no such end."""
    is_end = name == end or name.endswith(f"_{end}")
    return f"{name.removesuffix(end)}{other}" if is_end else ""


def _is_constant(column: Mapping[str, Any], rows: int) -> bool:
    return rows > 1 and isinstance(column["values"], dict) and "all" in column["values"]


def _first(values: Any) -> Any:  # noqa: ANN401 - packed values
    if isinstance(values, dict):
        values = [values["all"]] if "all" in values else values["of"]
    return next((value for value in values if value is not None), None)


def _cell(row: Mapping[str, Any], names: Sequence[str]) -> str:
    if len(names) == 2:
        return bounds(row[names[0]], row[names[1]], number)
    value = row[names[0]]
    return MISSING if value is None else number(value)
