"""The data files that pip installs: their paths, and whether they are the known ones.

A file is found through the installed package's metadata. The package itself is never imported.
"""

import hashlib
import logging
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.pickles import read_limited
from nasrank.errors import DataError
from nasrank.installing import install_again, install_command

_log = logging.getLogger("nasrank")

_SITE = Path(__file__).parents[2]
"""The folder that the package nasrank lies in."""

__all__ = ["Origin", "SourceFile", "read_source"]


@dataclass(frozen=True)
class Origin:
    """One data file of one package, in its known version.

    Attributes:
        package: Name on the package index.
        version: The version whose file is known.
        file: Path of the file below the folder packages are installed in.
        sha256: Digest of the known file, in hexadecimal.
        licence: Licence of the package, as an SPDX name.
        shipped: Whether nasrank itself brings the file, made from those of the package.
        best: Best mean over trainings of the default metric, in its unit and to four digits; None
            where the digest alone has to do.
    """

    package: str
    version: str
    file: str
    sha256: str
    licence: str
    shipped: bool = False
    best: float | None = None

    @property
    def advice(self) -> str:
        """What to do if the file is missing or damaged."""
        return install_again("nasrank" if self.shipped else f"{self.package}=={self.version}")

    @property
    def installed_version(self) -> str | None:
        """The version that should be found here; None where the package is not installed."""
        if self.shipped:
            return self.version
        try:
            return distribution(self.package).version
        except PackageNotFoundError:
            return None

    @property
    def path(self) -> Path | None:
        """Where the file should be found here; None where the package is not installed."""
        if self.shipped:
            return _SITE / self.file
        try:
            return Path(str(distribution(self.package).locate_file(self.file)))
        except PackageNotFoundError:
            return None


@dataclass(frozen=True)
class SourceFile:
    """A data file as found on this machine.

    Attributes:
        origin: The known version of it.
        path: Its path.
        sha256: Digest of its content, in hexadecimal.
        imported: Whether the user imported it; there is no known digest then.
        citation: What to cite; may be empty.
    """

    origin: Origin
    path: Path
    sha256: str
    imported: bool = False
    citation: str = ""

    @property
    def state(self) -> str:
        """Say ``known``, ``other`` (another digest than the known one) or ``imported``."""
        if self.imported:
            return "imported"
        return "known" if self.known else "other"

    @property
    def known(self) -> bool:
        """Whether the content is the one the project was built with."""
        return not self.imported and self.sha256 == self.origin.sha256

    def error(self, complaint: str) -> DataError:
        """Make the error for unexpected content.

        Args:
            complaint: What is wrong, as a clause.
        """
        return DataError(f"{self.path}: {complaint}. {self.origin.advice}")

    def require_best(self, values: NDArray[np.float64], *, higher_is_better: bool) -> None:
        """Refuse numbers whose optimum is not the known one, whatever they were read from.

        Args:
            values: ``[items, trainings]`` of the default metric, NaN where there was no training.
            higher_is_better: Its direction.

        Raises:
            DataError: Their best mean is another one.
        """
        means = np.nanmean(values, axis=1)
        best = float(means.max() if higher_is_better else means.min())
        if self.origin.best is not None and f"{best:.4g}" != f"{self.origin.best:.4g}":
            raise self.error(f"its best mean is {best:.4g}, not {self.origin.best:.4g}")


def read_source(origin: Origin) -> tuple[SourceFile, bytes]:
    """Find and read a package's data file without importing the package.

    Where the known release is installed, its file has to have the known digest. The file of
    another release may be as good: it is read with a warning in the log named ``nasrank``, and
    readers check the content. `SourceFile.known` says whether it is known.

    Args:
        origin: The file.

    Returns:
        The file's description and its bytes.

    Raises:
        DataError: The package or the file is missing, unreadable, far too large, or not the one
            that belongs to the installed release.
    """
    path = origin.path
    if path is None:
        raise DataError(
            f"the package {origin.package} that holds {Path(origin.file).name} is not installed. "
            f"Install it with: {install_command(f'{origin.package}=={origin.version}')}"
        )
    content = read_limited(path, advice=origin.advice)
    source = SourceFile(origin, path, hashlib.sha256(content).hexdigest())
    if not source.known:
        installed = origin.installed_version
        if installed == origin.version:
            raise source.error(
                f"its sha256 is not that of {origin.package} {origin.version}, so it was damaged "
                "or exchanged"
            )
        _warn_once(
            f"{path}: of {origin.package} {installed}, whose numbers nobody has compared with "
            f"those of {origin.version}"
        )
    return source, content


@cache
def _warn_once(text: str) -> None:
    _log.warning("%s", text)
