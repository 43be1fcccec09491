"""What the user asks for when a table is imported, and what was understood of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nasrank.benchmarks.importers.setting_kinds import Wish, read_wish
from nasrank.errors import UsageError
from nasrank.graphs.settings import Settings

__all__ = ["NO_WISHES", "LeftOut", "Understood", "Wishes", "read_wishes"]


@dataclass(frozen=True)
class Wishes:
    """Corrections to what a table would be taken for.

    Attributes:
        settings: The columns that are settings, and no others; empty for those that are found,
            which in a table of graphs are none.
        kinds: What a column is, by its name or by that of its series, such as ``stage*_kernel``.
        ignore: Columns to pass over.
        categories: Those of ``kinds`` that were called categories by an option of its own.
    """

    settings: tuple[str, ...] = ()
    kinds: Mapping[str, Wish] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def option_of(self, name: str) -> str:
        """Return the option that said what a column is."""
        return "--category" if name in self.categories else "--setting"

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.settings or self.kinds or self.ignore)


NO_WISHES = Wishes()
"""Take a table for what it seems to be."""


def read_wishes(
    settings: Sequence[str] = (),
    kinds: Sequence[str] = (),
    categories: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Wishes:
    """Read corrections as they are typed.

    Args:
        settings: Columns that are settings, and no others.
        kinds: Columns and what they are, such as ``lr=log``.
        categories: Columns that are categories.
        ignore: Columns to pass over.

    Raises:
        UsageError: A text is not of that form, or two speak of one column.

    Example:
        >>> read_wishes(kinds=["lr=log"], categories=["layer"]).kinds["lr"].kind
        'log'
    """
    found: dict[str, Wish] = {}
    if not all(name.strip() for name in categories):
        raise UsageError("--category is empty. Name a column, as in --category layer")
    for text in (*kinds, *(f"{name}=category" for name in categories)):
        name, equals, kind = text.partition("=")
        if not name.strip() or not equals:
            raise UsageError(f"--setting {text[:60]!a}: write a column and its kind, as in lr=log")
        if name.strip() in found:
            raise UsageError(f"--setting {name.strip()}: it is given two kinds. Leave one out")
        found[name.strip()] = read_wish(kind)
    return Wishes(
        tuple(settings), found, tuple(ignore), tuple(name.strip() for name in categories)
    )


@dataclass(frozen=True)
class LeftOut:
    """A column that is no setting.

    Attributes:
        name: Its name, or that of an entry of its lists.
        why: What it is instead, in a few words.
    """

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class Understood:
    """What was understood of a user's table.

    Attributes:
        settings: ``[N]`` settings of the architectures; None where the table has none.
        left_out: Columns without a meaning of their own that are no settings.
        named_by: Column that names the architectures; empty where their settings do.
        graphs: Whether the table writes graphs.
        repeats: Rows of a table of settings that have those of an earlier row.
        failures: How many architectures count as failed, by reason.
        unfinished: Rows whose training goes on, by their status; they count as unlabelled.
        guessed_lower: Whether lower is taken for better because of the label's name alone.
        notes: What else to know, a sentence each.
    """

    settings: Settings | None
    left_out: tuple[LeftOut, ...]
    named_by: str
    graphs: bool
    repeats: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    unfinished: int = 0
    guessed_lower: bool = False
    notes: tuple[str, ...] = ()
