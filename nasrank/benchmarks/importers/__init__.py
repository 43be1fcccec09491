"""Readers of benchmark files and of a user's own space, imported when first needed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from nasrank.benchmarks.importers.imported import Imported, Measurement

__all__ = [
    "IMPORTABLE",
    "IMPORTABLE_DATASETS",
    "IMPORTABLE_METRICS",
    "IMPORTERS",
    "Imported",
    "Importer",
    "Measurement",
    "Progress",
    "Reader",
    "find_importer",
]

Progress = Callable[[int, int | None], None]
"""Called with the number of records read, and their total where it is known."""


class Reader(Protocol):
    """The interface of a module that reads one format."""

    def recognises(self, path: Path) -> bool:
        """Return, by name or first bytes, whether a path looks like this format; never raises."""
        ...

    def read(self, path: Path, *, on_progress: Progress | None = None) -> Imported:
        """Read a path.

        Raises:
            DataError: It is missing, damaged, or holds something else.
        """
        ...


class TableReader(Protocol):
    """The interface of a module whose format has columns, which a file may call otherwise."""

    def recognises(self, path: Path, *, renamed: Mapping[str, str] | None = None) -> bool:
        """As `Reader`; ``renamed`` gives the file's name of a column by its name here."""
        ...

    def read(
        self,
        path: Path,
        *,
        on_progress: Progress | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> Imported:
        """As `Reader`.

        Raises:
            UsageError: A renamed column is not in the file.
        """
        ...


@dataclass(frozen=True)
class Importer:
    """One format.

    Attributes:
        name: Its short name.
        spaces: The spaces it can hold.
        title: Description of its files, in one line.
        met_real_file: Whether it was tested on a file from the benchmark's authors.
        target: The module that reads it.
        has_columns: Whether it is a table whose columns may be called otherwise.
    """

    name: str
    spaces: tuple[str, ...]
    title: str
    met_real_file: bool
    target: str
    has_columns: bool = False

    @property
    def reader(self) -> Reader:
        """The module, imported now."""
        return cast("Reader", import_module(self.target))

    def recognises(self, path: Path, renamed: Mapping[str, str] | None = None) -> bool:
        """Return whether a path looks like this format; never where columns cannot be renamed.

        Args:
            path: A file or folder.
            renamed: The file's name of a column by its name here, or nothing.
        """
        if not renamed:
            return self.reader.recognises(path)
        return self.has_columns and self._table_reader.recognises(path, renamed=renamed)

    def read(
        self,
        path: Path,
        *,
        on_progress: Progress | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> Imported:
        """Read a path that :meth:`recognises` takes for this format.

        Raises:
            UsageError: A renamed column is not in the file.
            DataError: It is missing, damaged, or holds something else.
        """
        if not renamed:
            return self.reader.read(path, on_progress=on_progress)
        return self._table_reader.read(path, on_progress=on_progress, renamed=renamed)

    @property
    def _table_reader(self) -> TableReader:
        return cast("TableReader", import_module(self.target))


_PACKAGE = "nasrank.benchmarks.importers"
IMPORTERS: tuple[Importer, ...] = (
    Importer(
        "nb101",
        ("nb101",),
        "NAS-Bench-101 TFRecord (nasbench_only108.tfrecord, nasbench_full.tfrecord)",
        # Tested only on EC-NAS-Bench's file, which has the same rows with more fields.
        met_real_file=False,
        target=f"{_PACKAGE}.nb101",
    ),
    Importer(
        "nats",
        ("nb201", "nats-size"),
        "NATS-Bench folder (NATS-tss-v1_0-...-simple, NATS-sss-v1_0-...-simple)",
        met_real_file=True,
        target=f"{_PACKAGE}.nats",
    ),
    Importer(
        "nb201-pth",
        ("nb201",),
        "NAS-Bench-201 file (NAS-Bench-201-v1_0-e61699.pth, NAS-Bench-201-v1_1-096897.pth)",
        met_real_file=False,
        target=f"{_PACKAGE}.nb201_pth",
    ),
    Importer(
        "hw",
        ("nb201",),
        "HW-NAS-Bench pickle (HW-NAS-Bench-v1_0.pickle)",
        met_real_file=False,
        target=f"{_PACKAGE}.hw",
    ),
    Importer(
        "macro",
        ("macro",),
        "NAS-Bench-Macro JSON (nas-bench-macro_cifar10.json)",
        met_real_file=True,
        target=f"{_PACKAGE}.macro",
    ),
    Importer(
        "nb301",
        ("darts",),
        "NAS-Bench-301 results of trainings (results_0.json, or a folder of them)",
        met_real_file=True,
        target=f"{_PACKAGE}.nb301",
    ),
    Importer(
        "darts",
        ("darts",),
        "DARTS genotypes with accuracies, in any table",
        met_real_file=False,
        target=f"{_PACKAGE}.darts",
        has_columns=True,
    ),
    Importer(
        "suite-zero",
        ("nb201", "transnas-micro", "darts"),
        "NAS-Bench-Suite-Zero JSON (such as zc_nasbench201.json)",
        # Tested on the first release; in the later form on files written for the test.
        met_real_file=True,
        target=f"{_PACKAGE}.suite_zero",
    ),
    Importer(
        "transnas",
        ("transnas-micro",),
        "TransNAS-Bench-101 file (transnas-bench_v10141024.pth)",
        met_real_file=False,
        target=f"{_PACKAGE}.transnas",
    ),
    Importer(
        "transnas-macro",
        ("transnas-macro",),
        "TransNAS-Bench-101 file (transnas-bench_v10141024.pth)",
        met_real_file=False,
        target=f"{_PACKAGE}.transnas_macro",
    ),
    Importer(
        "tidy",
        ("nb201", "nb101", "transnas-micro", "darts"),
        "tidy Parquet table of a benchmark",
        met_real_file=True,
        target=f"{_PACKAGE}.tidy",
        has_columns=True,
    ),
)
"""All formats of public benchmarks; a user's own space is read by `user`."""


def find_importer(
    space: str, path: Path, renamed: Mapping[str, str] | None = None
) -> Importer | None:
    """Find the format of a path.

    Args:
        space: Name of a public benchmark's space.
        path: A file or folder.
        renamed: The file's name of a column by its name here, or nothing.

    Returns:
        The first importer of that space whose reader recognises the path, or None.
    """
    for candidate in IMPORTERS:
        if space in candidate.spaces and candidate.recognises(path, renamed):
            return candidate
    return None


def formats_of(space: str) -> str:
    """Return the file formats of a public benchmark, in one line; empty for none."""
    return "; ".join(dict.fromkeys(each.title for each in IMPORTERS if space in each.spaces))


IMPORTABLE: Mapping[str, str] = {
    "nb101": "NAS-Bench-101: image classification cells of up to seven vertices",
    "transnas-micro": "TransNAS-Bench-101: cells on seven vision tasks",
    "transnas-macro": "TransNAS-Bench-101: network skeletons on seven vision tasks",
    "macro": "NAS-Bench-Macro: chains of eight blocks",
    "darts": "DARTS: pairs of cells with fourteen operations each",
    "nats-size": "NATS-Bench size space: channels of five layers",
}
"""Public spaces that are not built in, with their titles."""

IMPORTABLE_DATASETS: Mapping[str, frozenset[str]] = {"nb201": frozenset({"cifar10-valid"})}
"""Datasets of built-in spaces that are known but have to be imported."""

IMPORTABLE_METRICS: Mapping[str, re.Pattern[str]] = {
    "nb201": re.compile(
        r"(train|val|test|valtest|clean_val)_acc(_\w+)?|flops|zc_\w+"
        r"|(edgegpu|raspi4|edgetpu|pixel3|eyeriss|fpga)_\w+|acc_(apgdce|square|fgsm|pgd)_\S+"
    )
}
"""Metrics of built-in spaces that are known but have to be imported."""
