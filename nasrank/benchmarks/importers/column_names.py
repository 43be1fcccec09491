"""Names of columns: what a file calls them, and what they are called here."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nasrank.benchmarks.importers.columns import printable
from nasrank.errors import DataError, UsageError
from nasrank.registry import unknown_name

__all__ = ["GRAPH_COLUMNS", "INDEX", "KNOWN_COLUMNS", "column_of", "named"]

GRAPH_COLUMNS = ("id", "group", "arch_str", "operations", "layers", "edges", "matrix")
"""Columns of names and graphs: their cells are text or lists, whatever they look like."""
KNOWN_COLUMNS = (*GRAPH_COLUMNS, "label", "cost_seconds", "parameters", "status")
"""Columns with a meaning of their own, in whatever case a file writes them."""
INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__")
"""The index of a data frame, as pandas and Parquet call it."""

_CELL = "cell"
"""What ``--column`` calls the architecture of any reader; ``arch_str`` here."""
_FAMILIES = re.compile(r"(label|attribute)_.+")


def named(
    path: Path, columns: Sequence[str], renamed: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Give columns their names here.

    Args:
        path: The file, for messages.
        columns: Its columns.
        renamed: What the user says: the file's column by the name here.

    Returns:
        The file's name of each column by its name here, in the order of the file; and what was
        renamed without being asked for, a clause each. A column whose name another one was given
        is left out.

    Raises:
        UsageError: A renamed column is not in the file, is renamed twice, or the name is none
            that means something here.
        DataError: Two columns would have the same name.

    Example:
        >>> from pathlib import Path
        >>> named(Path("a.csv"), ["net", "Label"], {"id": "net"})
        ({'id': 'net', 'label': 'Label'}, ['the column Label is taken for label'])
    """
    asked: dict[str, str] = {}
    for name, written in renamed.items():
        own = "arch_str" if name == _CELL else name
        if own not in KNOWN_COLUMNS and not _FAMILIES.fullmatch(own):
            raise unknown_name("name of a column for --column", name, (_CELL, *KNOWN_COLUMNS))
        found = column_of(written, columns, "column")
        if own in asked.values() or found in asked:
            raise UsageError(f"--column {name}={written}: it names a column twice. Leave one out")
        asked[found] = own
    given = {*asked.values()}
    names: dict[str, str] = {}
    notes = []
    taken = {*columns} | given
    for written in columns:
        name = asked.get(written, written)
        lower = name.lower()
        if (
            written not in asked
            and lower not in taken
            and (lower in KNOWN_COLUMNS or _FAMILIES.fullmatch(lower))
        ):
            name = lower
            notes.append(f"the column {printable(written)} is taken for {name}")
        elif written not in asked and written in given:
            notes.append(f"the file's own column {printable(written)} was left out")
            continue
        name = printable(name)
        if name in names:
            raise DataError(
                f"{path}: two columns are called {name[:60]!a}. Rename one and import it again"
            )
        names[name] = written
    return names, notes


def column_of(name: str, columns: Sequence[str], kind: str) -> str:
    """Find a column by the name that a user typed.

    Args:
        name: The name.
        columns: The columns there are.
        kind: What is looked for, for the message.

    Returns:
        The column of that name, or the only one that differs in case or blanks alone.

    Raises:
        UsageError: There is none.

    Example:
        >>> column_of("Label", ["id", "label"], "label column")
        'label'
    """
    if name in columns:
        return name
    alike = [each for each in columns if each.strip().lower() == name.strip().lower()]
    if len(alike) == 1:
        return alike[0]
    raise unknown_name(kind, name, columns)
