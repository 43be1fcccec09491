"""What commands print: tables for people, JSON and other formats for machines, on stdout."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from nasrank.cli.charts import draw_chart
from nasrank.cli.layout import ENDLESS, lay_out, wrapped
from nasrank.escapes import for_csv, for_json, for_latex, for_markdown, visible
from nasrank.registry import unknown_name
from nasrank.study.view import Chart, Field, Part, Sheet, envelope
from nasrank.tables import plain

if TYPE_CHECKING:
    from nasrank.study.study import Result

__all__ = [
    "FORMATS",
    "FormatOption",
    "QuietOption",
    "TableOption",
    "known_format",
    "print_json",
    "print_parts",
    "print_result",
    "print_rows",
    "say",
    "show_record",
    "show_rows",
]

FORMATS = ("table", "json", "csv", "markdown", "latex")
"""Ways to print; the first is the default."""

_PLAINER = str.maketrans("─├┤┊●▸±\N{MINUS SIGN}\N{EN DASH}", "-||:o>~--")
"""Characters of rules, charts and numbers, and what stands for them in ASCII, one for one."""

Row = Mapping[str, Any]


def known_format(value: str) -> str:
    """Return the name of a format, or refuse it.

    Raises:
        UsageError: There is no such format.
    """
    if value not in FORMATS:
        raise unknown_name("format", value, FORMATS)
    return value


FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        help="Output format: a table for people, json with everything, or one table.",
        # Checked before any work.
        callback=known_format,
        autocompletion=lambda: list(FORMATS),
        rich_help_panel="Output",
    ),
]
"""The option that every command with results has; give it the default ``"table"``."""

TableOption = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME",
        help="Print all rows of this table that is written, in any --format, and nothing else.",
        rich_help_panel="Output",
    ),
]
"""The option that every command with several tables has; give it the default None."""

QuietOption = Annotated[
    bool,
    typer.Option("--quiet", help="No progress and no notes on stderr.", rich_help_panel="Output"),
]
"""The option that every command with progress has; give it the default False."""


def print_result(
    result: "Result[Any]",
    view: "Callable[[Result[Any]], Iterable[Part]]",
    output_format: str,
    table: str | None = None,
) -> None:
    """Print the result of a study.

    Args:
        result: The result.
        view: Makes the page for people.
        output_format: One of :data:`FORMATS`; json holds everything, csv, markdown and latex
            its main table, or its record where it has no table.
        table: Name of a table to print instead, all of it.

    Raises:
        UsageError: There is no such format or table.
    """
    if table is not None:
        if table not in result.tables:
            raise unknown_name("table", table, result.tables)
        print_rows(result.tables[table], output_format)
    elif known_format(output_format) == "table":
        from nasrank.study.claims import claims_parts
        from nasrank.study.controls import controls_parts

        controls = controls_parts(result.tables.get("controls", ()))
        print_parts([*view(result), *claims_parts(result.claims), *controls])
    elif output_format == "json":
        print_json(result.document())
    elif result.main in result.tables:
        print_rows(result.rows, output_format)
    else:
        print_rows(_leaves(result.record or {}), output_format)


def show_rows(
    command: str,
    name: str,
    rows: Sequence[Row],
    output_format: str,
    *,
    fields: Sequence[Field] | None = None,
) -> None:
    """Print the rows of a command that is not a study; all have the same keys.

    Args:
        command: Words of the command.
        name: Name of the table, in json.
        rows: The rows; every format except the table for people has all their keys.
        output_format: One of :data:`FORMATS`.
        fields: What the table for people shows; all keys by default.
    """
    if known_format(output_format) == "table":
        print_parts([Sheet(rows, fields) if fields else Sheet.of(rows)])
    elif output_format == "json":
        print_json(envelope(command, None, tables={name: [dict(row) for row in rows]}))
    else:
        print_rows(rows, output_format)


def show_record(
    command: str, record: Row, output_format: str, parts: Sequence[Part] | None = None
) -> None:
    """Print one record with named parts, which may be nested.

    Args:
        command: Words of the command.
        record: The parts; json keeps their nesting, the formats of tables have a row ``name``,
            ``value`` for each, with the names of nested parts joined by dots.
        output_format: One of :data:`FORMATS`.
        parts: The page for people; a table of names and values by default.
    """
    leaves = _leaves(record)
    if known_format(output_format) == "table":
        named = [{**leaf, "name": leaf["name"].replace("_", " ")} for leaf in leaves]
        fields = (Field("name", "", keep=9), Field("value", "", keep=9))
        print_parts(parts or [Sheet(named, fields)])
    elif output_format == "json":
        print_json(envelope(command, record))
    else:
        print_rows(leaves, output_format)


def print_parts(parts: Iterable[Part]) -> None:
    """Print tables and lines; nothing in them is markup, and in a terminal all of it fits.

    Charts are for a terminal alone, or what the environment variable FORCE_COLOR declares one.
    """
    console = Console()
    width = console.width if console.is_terminal else ENDLESS
    lines: list[str] = []
    for part in parts:
        match part:
            case str():
                lines += wrapped(part, width)
            case Sheet():
                lines += [*lay_out(part, width), ""]
            case Chart() if width < ENDLESS and (drawn := draw_chart(part, width)):
                lines += [*drawn, ""]
    _write("".join(f"{line}\n" for line in lines).rstrip("\n") + "\n" if lines else "")


def print_rows(rows: Sequence[Row], output_format: str) -> None:
    """Print rows that all have the same keys, all of them.

    Args:
        rows: The rows; nothing is printed for none, but ``[]`` as json.
        output_format: One of :data:`FORMATS`.

    Raises:
        UsageError: There is no such format.
    """
    match known_format(output_format):
        case "json":
            print_json(rows)
        case "csv":
            _write(_csv(rows))
        case "markdown":
            _write(_markdown(rows))
        case "latex":
            _write(_latex(rows))
        case _:
            print_parts([Sheet.of(rows)])


def print_json(value: object) -> None:
    """Print a value as JSON; NaN and infinities, which JSON lacks, become null."""
    document = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    _write(for_json(document) + "\n")


def _csv(rows: Sequence[Row]) -> str:
    """A header and the rows; null is an empty cell, and no text is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(map(_no_formula, rows[0]))
    writer.writerows([_no_formula(_cell(row[key])) for key in rows[0]] for row in rows)
    return text.getvalue()


def _no_formula(cell: str | int | float) -> str | int | float:
    return for_csv(cell) if isinstance(cell, str) else cell


def _markdown(rows: Sequence[Row]) -> str:
    """A table, with special characters escaped."""
    if not rows:
        return ""
    lines = ["| " + " | ".join(map(for_markdown, line)) + " |" for line in _texts(rows)]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:], ""])


def _latex(rows: Sequence[Row]) -> str:
    """A tabular, with special characters escaped."""
    if not rows:
        return ""
    sides = ["r" if all(_is_number(row[key]) for row in rows) else "l" for key in rows[0]]
    head, *lines = [" & ".join(map(for_latex, line)) + r" \\" for line in _texts(rows)]
    begin, rule, end = rf"\begin{{tabular}}{{{''.join(sides)}}}", r"\hline", r"\end{tabular}"
    return "\n".join([begin, rule, head, rule, *lines, rule, end, ""])


def _texts(rows: Sequence[Row]) -> list[list[str]]:
    """Keys and cells as lines of text."""
    cells = [[" ".join(str(_cell(row[key])).split()) for key in rows[0]] for row in rows]
    return [list(rows[0]), *cells]


def _is_number(value: object) -> bool:
    value = plain(value)
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _leaves(record: Row, path: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Names and values of all parts that are not nested."""
    leaves: list[dict[str, Any]] = []
    for name, value in record.items():
        here = (*path, str(name))
        if isinstance(value, Mapping):
            leaves += _leaves(value, here)
        elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            leaves += _leaves({str(place): each for place, each in enumerate(value)}, here)
        else:
            leaves.append({"name": ".".join(here), "value": value})
    return leaves


def _cell(value: object) -> str | int | float:
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ";".join(str(_cell(each)) for each in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, int | float) else str(value)


def say(text: str) -> None:
    """Print a line on stderr: notes, warnings and errors; nothing in it is obeyed."""
    typer.echo(" ".join(visible(text).split()), err=True)


def _write(text: str) -> None:
    stream = sys.stdout
    try:
        stream.write(text)
    except UnicodeEncodeError:
        # A terminal with few characters: rules and charts of others, and a question mark where
        # there is none, are better than no table.
        encoding = stream.encoding or "ascii"
        text = text.replace("∞)", "..").translate(_PLAINER)
        stream.write(text.encode(encoding, "replace").decode(encoding))
    # A closed pipe is noticed here and not after the command has ended.
    stream.flush()
