"""Names of architectures that are told by their settings."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from nasrank.benchmarks.importers.records import Records
from nasrank.graphs.settings import Settings

__all__ = ["check_names", "numbered", "setting_names", "shortened"]

_LONGEST = 200


def setting_names(settings: Settings) -> tuple[str, ...]:
    """Write the settings of every row out, such as ``lr=0.001, depth=4``.

    Rows of equal settings have equal names. What is longer than 200 characters is cut, and ends
    with a digest of the whole.
    """
    return tuple(map(shortened, map(settings.text, range(len(settings)))))


def shortened(text: str) -> str:
    """Make a name of a text: after 200 characters it is cut, and a digest of the whole added."""
    if len(text) <= _LONGEST:
        return text or "nothing given"
    return f"{text[:_LONGEST]}... {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def check_names(
    records: Records, column: str, names: Sequence[str], settings: Settings | None
) -> tuple[str, ...]:
    """Return names after a look at whether they tell architectures apart.

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
    return tuple(names)


def _equal(settings: Settings, one: int, other: int) -> bool:
    return np.array_equal(settings.values[one], settings.values[other], equal_nan=True)


def numbered(names: Iterable[str]) -> tuple[str, ...]:
    """Make names differ: ``#2`` and so on is added where one repeats."""
    texts = list(names)
    taken = {*texts}
    if len(taken) == len(texts):
        return tuple(texts)
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
