"""What commands print: tables for people, JSON and CSV for machines, always on stdout."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from nasrank.cli.layout import ENDLESS, lay_out, wrapped
from nasrank.registry import unknown_name
from nasrank.study.study import envelope
from nasrank.study.view import Field, Part, Sheet
from nasrank.tables import plain

if TYPE_CHECKING:
    from nasrank.study.study import Result

__all__ = [
    "FORMATS",
    "Column",
    "FormatOption",
    "QuietOption",
    "known_format",
    "latex_table",
    "markdown_table",
    "print_csv",
    "print_json",
    "print_parts",
    "print_record",
    "print_result",
    "print_rows",
    "print_text",
    "rich_table",
    "show_record",
    "show_rows",
    "shown",
]

FORMATS = ("table", "json", "csv", "markdown", "latex")
"""Ways to print; the first is the default."""

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
        help="How to print: a table for people, json with all there is, or one table.",
        # Checked before any work is done.
        callback=known_format,
        autocompletion=lambda: list(FORMATS),
        rich_help_panel="Output",
    ),
]
"""The option that every command with results has; give it the default ``"table"``."""

QuietOption = Annotated[
    bool,
    typer.Option("--quiet", help="No progress and no notes on stderr.", rich_help_panel="Output"),
]
"""The option that every command with progress has; give it the default False."""


@dataclass(frozen=True)
class Column:
    """A column of a printed table.

    Attributes:
        key: Where its values lie in a row.
        title: Its heading; the key with blanks for underscores by default.
        show: Turns a value into text with rich's markup; :func:`shown`, and no markup, by
            default.
        right: Whether to align it to the right, as numbers are.
    """

    key: str
    title: str | None = None
    show: Callable[[Any], str] | None = None
    right: bool = False


def shown(value: object) -> str:
    """Write a value as people read it.

    None and NaN are ``-``, whole numbers get thousands separators, other numbers four digits.

    Example:
        >>> [shown(value) for value in (15625, 0.123456, None, True, ["a", "b"])]
        ['15,625', '0.1235', '-', 'yes', 'a, b']
    """
    value = plain(value)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"
    if isinstance(value, list):
        return ", ".join(shown(each) for each in value) or "-"
    return str(value)


def print_rows(
    rows: Sequence[Row],
    output_format: str,
    *,
    columns: Sequence[Column] | None = None,
    title: str | None = None,
) -> None:
    """Print rows that all have the same keys.

    Args:
        rows: The rows; json and csv hold every key of theirs, whatever ``columns`` says.
        output_format: One of :data:`FORMATS`.
        columns: What the table for people shows; all keys by default.
        title: Stands above the table for people.

    Raises:
        UsageError: There is no such format.
    """
    match known_format(output_format):
        case "json":
            print_json(rows)
        case "csv":
            print_csv(rows)
        case "markdown":
            _write(markdown_table(rows))
        case "latex":
            _write(latex_table(rows))
        case _:
            print_text(rich_table(rows, columns, title=title))


def show_rows(
    command: str,
    name: str,
    rows: Sequence[Row],
    output_format: str,
    *,
    fields: "Sequence[Field] | None" = None,
    left_out: Sequence[str] = (),
) -> None:
    """Print rows that all have the same keys.

    Args:
        command: Words of the command.
        name: Name of the table, in json.
        rows: The rows; every format but the table for people holds every key of theirs.
        output_format: One of :data:`FORMATS`.
        fields: What the table for people shows; all keys by default.
        left_out: What is missing, one line each.
    """
    if known_format(output_format) == "table":
        print_parts([Sheet(rows, fields) if fields else Sheet.of(rows)])
    elif output_format == "json":
        print_json(
            envelope(command, None, tables={name: list(map(dict, rows))}, left_out=left_out)
        )
    else:
        print_rows(rows, output_format)


def show_record(
    command: str, record: Row, output_format: str, parts: "Sequence[Part] | None" = None
) -> None:
    """Print one thing with named parts, which may have parts themselves.

    Args:
        command: Words of the command.
        record: The parts; json keeps their nesting, the formats of tables have a row ``name``,
            ``value`` for each, with the names of nested parts joined by dots.
        output_format: One of :data:`FORMATS`.
        parts: What people see; a table of names and values by default.
    """
    leaves = [{"name": name, "value": value} for name, value in _leaves(record)]
    if known_format(output_format) == "table":
        named = [{**leaf, "name": leaf["name"].replace("_", " ")} for leaf in leaves]
        print_parts(
            parts or [Sheet(named, (Field("name", "", keep=9), Field("value", "", keep=9)))]
        )
    elif output_format == "json":
        print_json(envelope(command, record))
    else:
        print_rows(leaves, output_format)


def print_result(
    result: "Result[Any]",
    view: "Callable[[Result[Any]], Iterable[Part]]",
    output_format: str,
) -> None:
    """Print what a study has found.

    Args:
        result: What it has found.
        view: What people see of it.
        output_format: One of :data:`FORMATS`; json holds all of it, csv, markdown and latex
            its first table, or its one record where it has no table.
    """
    if known_format(output_format) == "table":
        from nasrank.study.claims import claims_parts

        print_parts([*view(result), *claims_parts(result.claims)])
    elif output_format == "json":
        print_json(result.document())
    elif result.main in result.tables:
        print_rows(result.rows, output_format)
    else:
        print_record(result.record or {}, output_format)


def print_parts(parts: "Iterable[Part]") -> None:
    """Print tables and lines; nothing in them is markup."""
    console = Console(emoji=False, highlight=False)
    width = console.width if console.is_terminal else ENDLESS
    lines: list[str] = []
    for part in parts:
        lines += wrapped(part, width) if isinstance(part, str) else [*lay_out(part, width), ""]
    _write("".join(f"{line}\n" for line in lines).rstrip("\n") + "\n" if lines else "")


def markdown_table(rows: Sequence[Row]) -> str:
    """Lay rows out as a Markdown table; what would break it is escaped."""
    if not rows:
        return ""
    cells = [list(rows[0]), *([_text(row[key]) for key in rows[0]] for row in rows)]
    lines = ["| " + " | ".join(_escape_markdown(each) for each in line) + " |" for line in cells]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]) + "\n"


def latex_table(rows: Sequence[Row]) -> str:
    """Lay rows out as a LaTeX table; what would break it is escaped."""
    if not rows:
        return ""
    sides = "".join("r" if all(_is_number(row[key]) for row in rows) else "l" for key in rows[0])
    cells = [list(rows[0]), *([_text(row[key]) for key in rows[0]] for row in rows)]
    lines = [" & ".join(_escape_latex(each) for each in line) + r" \\" for line in cells]
    return "\n".join(
        [rf"\begin{{tabular}}{{{sides}}}", r"\hline", lines[0], r"\hline", *lines[1:], r"\hline",
         r"\end{tabular}", ""]
    )  # fmt: skip


def _text(value: object) -> str:
    return " ".join(str(_cell(value)).split())


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|&#~!])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def print_record(record: Row, output_format: str, view: Sequence[RenderableType] = ()) -> None:
    """Print one thing with named parts, which may have parts themselves.

    Args:
        record: The parts; json keeps their nesting, csv has a row ``name,value`` for each, with
            the names of nested parts joined by dots.
        output_format: One of :data:`FORMATS`.
        view: What people get to see; a table of names and values by default.

    Raises:
        UsageError: There is no such format.
    """
    match known_format(output_format):
        case "json":
            print_json(record)
        case "csv" | "markdown" | "latex":
            print_rows([{"name": n, "value": v} for n, v in _leaves(record)], output_format)
        case _:
            print_text(*(view or (_listing(record),)))


def print_json(value: object) -> None:
    """Print a value as JSON; NaN and infinities, which JSON lacks, become null."""
    _write(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_csv(rows: Sequence[Row]) -> None:
    """Print rows as CSV with a header; nothing at all stands for null, and no rows for no rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_cell(row[key]) for key in rows[0]] for row in rows)
    _write(text.getvalue())


def print_text(*parts: RenderableType) -> None:
    """Print tables and lines for people; plain and as wide as needed where nobody looks.

    Colours are left out where stdout is no terminal or ``NO_COLOR`` is set.
    """
    # Task names hold colons and versions hold numbers; neither is a smiley or a thing to paint.
    console = Console(emoji=False, highlight=False)
    if not console.is_terminal:
        # A terminal folds what is too wide; a file or a pipe must not lose or break lines.
        endless = console.options.update(width=1_000_000)
        console.width = max(
            80, *(Measurement.get(console, endless, part).maximum for part in parts)
        )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    _write("".join(line.rstrip(" ") + "\n" for line in capture.get().splitlines()))


def rich_table(
    rows: Sequence[Row], columns: Sequence[Column] | None = None, *, title: str | None = None
) -> Table:
    """Lay rows out as a table.

    Args:
        rows: The rows.
        columns: What to show; every key of the first row by default, numbers to the right.
        title: Stands above it.
    """
    columns = columns or _every_column(rows)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for column in columns:
        table.add_column(
            column.key.replace("_", " ") if column.title is None else column.title,
            justify="right" if column.right else "left",
            # Numbers are not broken; the rest folds rather than losing its end.
            no_wrap=column.right,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*((column.show or _shown)(row[column.key]) for column in columns))
    return table


def _shown(value: object) -> str:
    return escape(shown(value))


def _every_column(rows: Sequence[Row]) -> list[Column]:
    return [
        Column(key, right=all(_is_number(row[key]) for row in rows))
        for key in (rows[0] if rows else ())
    ]


def _is_number(value: object) -> bool:
    value = plain(value)
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _listing(record: Row) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _leaves(record):
        table.add_row(escape(name.replace("_", " ")), _shown(value))
    return table


def _leaves(record: Row, path: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for name, value in record.items():
        here = (*path, str(name))
        if isinstance(value, Mapping):
            leaves += _leaves(value, here)
        elif isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value):
            leaves += _leaves({str(place): each for place, each in enumerate(value)}, here)
        else:
            leaves.append((".".join(here), value))
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


def _write(text: str) -> None:
    stream = sys.stdout
    try:
        stream.write(text)
    except UnicodeEncodeError:
        # A terminal of few characters: better a question mark than no table.
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
    # A reader that has gone is noticed here and not after the command has ended.
    stream.flush()
