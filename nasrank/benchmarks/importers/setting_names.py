"""Names of architectures that are told by their settings."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from nasrank.benchmarks.importers.records import Records
from nasrank.graphs.settings import Settings

__all__ = ["numbered", "spelled_names", "told_apart", "unnumbered_names"]

_LONGEST = 200


def unnumbered_names(settings: Settings) -> tuple[str, ...]:
    """Write the settings of every row out; rows of equal settings have equal names.

    What is longer than 200 characters is cut, and ends with a digest of the whole.
    """
    return tuple(map(_shortened, map(settings.text, range(len(settings)))))


def numbered(texts: Iterable[str]) -> tuple[str, ...]:
    """Make names of texts: each is cut after 200 characters, and numbered where it repeats."""
    return _numbered(map(_shortened, texts))


def spelled_names(settings: Settings) -> tuple[str, ...]:
    """Write the settings of every row out, such as ``lr=0.001, depth=4``, each name once.

    Where a name repeats, as that of a replicate does, ``#2`` and so on is added.
    """
    return _numbered(unnumbered_names(settings))


def told_apart(
    records: Records, column: str, names: Sequence[str], settings: Settings | None
) -> tuple[str, ...]:
    """Return names that differ: those of replicates are numbered.

    Args:
        records: The rows.
        column: The column of the names.
        names: ``[N]`` the names.
        settings: ``[N]`` their settings; None where no name may repeat.

    Raises:
        DataError: Rows of one name have different settings, or no settings to be told by.
    """
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        other = first.setdefault(name, row)
        if other != row and (settings is None or not _equal(settings, other, row)):
            place = records.places[other]
            raise records.error(
                row, f"{column} {name[:60]!a} is also that of {records.unit} {place}"
            )
    return _numbered(names)


def _equal(settings: Settings, one: int, other: int) -> bool:
    return np.array_equal(settings.values[one], settings.values[other], equal_nan=True)


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text or "nothing given"
    return f"{text[:_LONGEST]}... {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _numbered(names: Iterable[str]) -> tuple[str, ...]:
    texts = list(names)
    taken = {*texts}
    counts: dict[str, int] = {}
    found = []
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
        name = text if counts[text] == 1 else f"{text} #{counts[text]}"
        while counts[text] > 1 and name in taken:
            counts[text] += 1
            name = f"{text} #{counts[text]}"
        taken.add(name)
        found.append(name)
    return tuple(found)
