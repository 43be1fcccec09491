"""Tables that fit: in a terminal of any width no figure is cut, and dropped columns are named.

Where a table is too wide, one thing after another is tried: headings are broken at blanks,
columns of words are folded, columns of the lowest rank (`nasrank.study.view.Field.keep`) are
dropped and named, and as a last resort every row is written as a block of lines.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len, chop_cells

from nasrank.escapes import visible
from nasrank.study.view import Field, Sheet

__all__ = ["ENDLESS", "lay_out", "wrapped"]

ENDLESS = 1_000_000
"""Width of a file or a pipe, where nothing is folded."""

_GAP = 2
_NARROWEST, _LONGEST_WORD = 10, 32
_MOST_LINES = 3
_ALWAYS = 9
_TEXT = 100


def wrapped(text: str, width: int) -> list[str]:
    """Break a text at blanks into lines of at most ``width`` and at most 100 characters."""
    if width >= ENDLESS:
        return visible(text).splitlines() or [""]
    lines = [
        textwrap.wrap(
            line,
            min(width, _TEXT),
            subsequent_indent=line[: len(line) - len(line.lstrip())],
            break_on_hyphens=False,
        )
        or [""]
        for line in visible(text).splitlines()
    ]
    # Letters of double width are counted once by textwrap.
    return [
        each
        for line in lines
        for part in line
        for each in (chop_cells(part, width) if cell_len(part) > width else [part])
    ] or [""]


def lay_out(sheet: Sheet, width: int) -> list[str]:
    """Write a table as lines that are no wider than a terminal.

    Args:
        sheet: The table.
        width: Characters of a line; `ENDLESS` where nothing has to fit.

    Returns:
        The title, the headings (unless all are empty) and a rule, the rows, and a line that names
        dropped columns. No cell is cut: where nothing else helps, each row is a block of lines.
    """
    title = [] if sheet.title is None else wrapped(sheet.title, width)
    columns = [_column(field, sheet) for field in sheet.fields]
    if not columns:
        return title
    for ways in (columns, _narrow_headings(columns)):
        if _total(ways) <= width:
            return [*title, *_table(ways)]
    narrow = _narrow_headings(columns)
    folded = _folded(narrow, width)
    dropped: list[str] = []
    while _total(folded) > width:
        least = min(column.field.keep for column in narrow)
        if least >= _ALWAYS or len(narrow) == 1:
            return [*title, *_blocks(columns, width)]
        place = max(n for n, column in enumerate(narrow) if column.field.keep == least)
        field = narrow[place].field
        dropped.insert(0, visible(" ".join(field.heading.split()) or field.key))
        narrow = narrow[:place] + narrow[place + 1 :]
        folded = _folded(narrow, width)
    lines = [*title, *_table(folded)]
    if dropped:
        named = "; ".join(dropped)
        lines += wrapped(f"No room for: {named}. Use a wider terminal, or --format json.", width)
    return lines


@dataclass(frozen=True)
class _Column:
    """A column being laid out: its heading as lines, its cells, and its maximum width."""

    field: Field
    head: Sequence[str]
    cells: Sequence[str]
    width: int

    @property
    def least(self) -> int:
        """The least width to fold it to; numbers are not folded."""
        if self.field.right:
            return self.width
        words = [word for cell in self.cells for word in cell.split()]
        longest = max((cell_len(word) for word in words), default=0)
        head = max(map(cell_len, self.head), default=0)
        return min(self.width, max(head, min(longest, _LONGEST_WORD), _NARROWEST))


def _column(field: Field, sheet: Sheet) -> _Column:
    cells = [" ".join(visible(field.text(row)).split("\n")) for row in sheet.rows]
    head = visible(field.heading).split("\n")
    return _Column(field, head, cells, _width(head, cells))


def _width(head: Sequence[str], cells: Sequence[str]) -> int:
    return max(map(cell_len, [*head, *cells]), default=0)


def _narrow_headings(columns: Sequence[_Column]) -> list[_Column]:
    """Break headings at blanks where they are wider than the cells."""
    found = []
    for column in columns:
        # A percent sign stays on the line of its word.
        text = " ".join(" ".join(column.head).split()).replace(" %", "\N{NO-BREAK SPACE}%")
        words = text.split(" ")
        least = max(1, *map(cell_len, [*words, *column.cells]))
        while len(head := textwrap.wrap(text, least, break_long_words=False)) > _MOST_LINES:
            least += 1
        head = [line.replace("\N{NO-BREAK SPACE}", " ") for line in head] or [""]
        found.append(replace(column, head=head, width=_width(head, column.cells)))
    return found


def _folded(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Make columns of words narrower, the widest first, as far as is needed."""
    found = list(columns)
    while (over := _total(found) - width) > 0:
        wide = [n for n, column in enumerate(found) if column.width > column.least]
        if not wide:
            break
        place = max(wide, key=lambda n: found[n].width)
        others = [found[n].width for n in wide if n != place]
        # Down to the width of the next widest, but not further than needed.
        goal = max(
            found[place].least, min(found[place].width - 1, max(others, default=0)),
            found[place].width - over,
        )  # fmt: skip
        found[place] = replace(found[place], width=goal)
    return found


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def _table(columns: Sequence[_Column]) -> list[str]:
    lines = _heading(columns)
    for row in zip(*(column.cells for column in columns), strict=True):
        parts = [_fold(cell, column) for cell, column in zip(row, columns, strict=True)]
        lines += [
            _line(columns, [part[n] if n < len(part) else "" for part in parts])
            for n in range(max(map(len, parts)))
        ]
    return lines


def _heading(columns: Sequence[_Column]) -> list[str]:
    """Headings and a rule; neither where no column has a heading."""
    if not any("".join(column.head) for column in columns):
        return []
    height = max(len(column.head) for column in columns)
    heads = [[""] * (height - len(column.head)) + list(column.head) for column in columns]
    lines = [_line(columns, [head[n] for head in heads]) for n in range(height)]
    return [*lines, "─" * _total(columns)]


def _fold(cell: str, column: _Column) -> list[str]:
    if cell_len(cell) <= column.width:
        return [cell]
    lines: list[str] = []
    for part in textwrap.wrap(cell, column.width, break_on_hyphens=False, break_long_words=False):
        lines += chop_cells(part, column.width) if cell_len(part) > column.width else [part]
    return lines


def _line(columns: Sequence[_Column], cells: Sequence[str]) -> str:
    parts = []
    for column, cell in zip(columns, cells, strict=True):
        space = " " * (column.width - cell_len(cell))
        parts.append(space + cell if column.field.right else cell + space)
    return (" " * _GAP).join(parts).rstrip()


def _blocks(columns: Sequence[_Column], width: int) -> list[str]:
    """Write every row as lines of a heading and a value."""
    heads = [" ".join(" ".join(column.head).split()) or column.field.key for column in columns]
    lines = []
    for row in zip(*(column.cells for column in columns), strict=True):
        for head, cell in zip(heads, row, strict=True):
            if cell not in {"", "-"}:
                lines += textwrap.wrap(
                    f"{head}: {cell}", max(width, 2 * _NARROWEST), subsequent_indent="    ",
                    break_on_hyphens=False,
                )  # fmt: skip
        lines.append("")
    return lines[:-1]
