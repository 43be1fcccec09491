"""Every error a user can cause, and the exit code that stands for it.

A message is one line: what is wrong, where, and the next thing to type. The library raises;
only the command line turns an error into text and an exit code.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nasrank.installing import install_command

__all__ = [
    "EXTRAS",
    "CheckFailed",
    "DataError",
    "Interrupted",
    "NasrankError",
    "NothingToCompare",
    "UsageError",
    "needing",
]


class NasrankError(Exception):
    """Base of all errors that are shown to users, in one line whatever names are in it."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message on one line."""
        return " ".join(super().__str__().split())


class UsageError(NasrankError):
    """The command is invalid: an unknown name, option, device or size, or a missing extra."""

    exit_code = 2


class CheckFailed(NasrankError):  # noqa: N818 - the outcome of a check, not a malfunction
    """A check ran and did not hold."""

    exit_code = 3


class DataError(NasrankError):
    """What is read or written is wrong: missing, malformed, too small, or not writable."""

    exit_code = 4


class NothingToCompare(NasrankError):  # noqa: N818 - likewise an outcome
    """There is nothing to compare, so neither success nor failure can be claimed."""

    exit_code = 5


class Interrupted(NasrankError):  # noqa: N818 - the user's own act
    """Stopped by the user; what was finished is on disk."""

    exit_code = 130


EXTRAS = {
    "plot": "matplotlib pillow",
    "trees": "scikit-learn",
    "dask": "distributed",
    "gen": "zuko",
    "ot": "POT",
    "metric": "pytorch-metric-learning",
    "peers": "scikit-learn lightgbm botorch gpytorch xgboost",
}
"""The packages of each extra. Errors name these: wherever nasrank was installed from, they can be
installed by name."""


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Import a package of an extra within the block; where it is missing, say how to install it.

    Args:
        extra: The extra of nasrank that brings it.
        what: What needs which package.

    Raises:
        UsageError: The package is not installed.

    Example:
        >>> with needing("ot", "emd needs POT"):  # doctest: +ELLIPSIS
        ...     raise ImportError
        Traceback (most recent call last):
        nasrank.errors.UsageError: emd needs POT. Install it with: ... install POT
    """
    try:
        yield
    except ImportError as error:
        raise UsageError(f"{what}. Install it with: {install_command(EXTRAS[extra])}") from error
