"""Names of columns: what a file calls them, and what they are called here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nasrank.benchmarks.importers.columns import printable
from nasrank.errors import DataError, UsageError
from nasrank.registry import unknown_name

__all__ = ["INDEX", "OWN", "KnownColumns", "column_of", "named", "read_renamed"]

INDEX = re.compile(r"Unnamed: \d+|__index_level_\d+__")
"""The index of a data frame, as pandas and Parquet call it."""


@dataclass(frozen=True)
class KnownColumns:
    """The columns that a reader knows.

    Attributes:
        names: Their names; a file may write them in any case.
        cell: The one that writes the architecture, which ``--column`` may call ``cell``.
        verbatim: Those of names and graphs: their cells are text or lists, whatever they look
            like, and never columns of their own.
        lists: Those of ``verbatim`` whose text may be a list as Python or JSON writes it.
        words: Those of ``lists`` that may also be words between semicolons, commas or blanks.
        families: Further columns it knows.
    """

    names: tuple[str, ...]
    cell: str
    verbatim: tuple[str, ...]
    lists: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    families: re.Pattern[str] = re.compile(r"(?!)")

    def know(self, name: str) -> bool:
        """Return whether a column is known by that very name."""
        return name in self.names or self.families.fullmatch(name) is not None


OWN = KnownColumns(
    names=(
        *("id", "group", "arch_str", "operations", "layers", "edges", "matrix"),
        *("label", "cost_seconds", "parameters", "status"),
    ),
    cell="arch_str",
    verbatim=("id", "group", "arch_str", "operations", "layers", "edges", "matrix"),
    lists=("operations", "layers", "edges", "matrix"),
    words=("operations", "layers"),
    families=re.compile(r"(label|attribute)_.+"),
)
"""The columns of a user's own space."""

_CELL = "cell"


def named(
    path: Path, columns: Sequence[str], renamed: Mapping[str, str], known: KnownColumns = OWN
) -> tuple[dict[str, str], list[str]]:
    """Give columns their names here.

    Args:
        path: The file, for messages.
        columns: Its columns.
        renamed: What the user says: the file's column by the name here.
        known: The columns that the reader knows.

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
        own = known.cell if name == _CELL else name
        if not known.know(own):
            raise unknown_name("name of a column for --column", name, (_CELL, *known.names))
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
        if written not in asked and lower not in taken and known.know(lower):
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


def read_renamed(texts: Sequence[str]) -> dict[str, str]:
    """Read what ``--column`` is given.

    Args:
        texts: Such as ``cell=net_str``, or several between commas.

    Returns:
        The file's name of each column by its name here.

    Raises:
        UsageError: A text is not of that form, or names a column twice.

    Example:
        >>> read_renamed(["cell=net_str,id=trial", "label=top 1"])
        {'cell': 'net_str', 'id': 'trial', 'label': 'top 1'}
    """
    found: dict[str, str] = {}
    for text in (each for several in texts for each in several.split(",")):
        name, equals, written = (part.strip() for part in text.partition("="))
        if not (name and equals and written):
            raise UsageError(f"--column {text[:60]!a}: write two names, as in cell=net_str")
        if name in found:
            raise UsageError(f"--column {name}: it is given two columns. Leave one out")
        found[name] = written
    return found
