"""Tidy Parquet tables that the community has made of benchmarks.

The table is recognised by its columns. Accuracies are converted to percent; failed proxies
(-100,000,000), unsupported devices (-1) and infinite scores are missing. The description of a
metric says where it is a mean or a surrogate's prediction.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from nasrank.benchmarks.importers.imported import Imported
from nasrank.benchmarks.importers.parquet_file import (
    ParquetColumns,
    column_names,
    open_columns,
)
from nasrank.benchmarks.importers.tidy_darts import read_darts
from nasrank.benchmarks.importers.tidy_nb101 import read_budgets, read_short, read_subset
from nasrank.benchmarks.importers.tidy_nb201 import (
    read_hardware,
    read_proxies,
    read_robustness,
    read_test_accuracy,
)
from nasrank.benchmarks.importers.tidy_transnas import read_micro
from nasrank.errors import DataError

__all__ = ["read", "recognises"]


class _Layout(NamedTuple):
    """One kind of table: the columns that identify it, and its reader."""

    title: str
    columns: frozenset[str]
    reader: Callable[[ParquetColumns], Imported]


_LAYOUTS = (
    _Layout(
        "NAS-Bench-201 test accuracies",
        frozenset({"nb201_index", "arch_str", "cifar10_test_acc"}),
        read_test_accuracy,
    ),
    _Layout(
        "NAS-Bench-201 proxies",
        frozenset({"nb201_index", "arch_str", "dataset", "val_acc"}),
        read_proxies,
    ),
    _Layout(
        "HW-NAS-Bench",
        frozenset({"nb201_index", "arch_str", "dataset", "edgegpu_latency_ms"}),
        read_hardware,
    ),
    _Layout(
        "NAS-Bench-201 robustness",
        frozenset({"nb201_index", "arch_str", "clean_val_acc_nb201"}),
        read_robustness,
    ),
    _Layout(
        "TransNAS-Bench-101 micro",
        frozenset({"arch_str", "jigsaw_val_top1_final"}),
        read_micro,
    ),
    _Layout(
        "DARTS with a surrogate's accuracies",
        frozenset({"normal_0_op", "reduce_7_input", "val_acc_nb301_surrogate"}),
        read_darts,
    ),
    _Layout(
        "EC-NAS-Bench, four budgets",
        frozenset({"nb101_hash", "matrix_rows", "ops", "epochs", "repeat", "val_acc"}),
        read_budgets,
    ),
    _Layout(
        "EC-NAS-Bench, four epochs",
        frozenset({"nb101_hash", "matrix_rows", "ops", "val_acc_4ep"}),
        read_short,
    ),
    _Layout(
        "NAS-Bench-101 subset with proxies",
        frozenset({"nb101_hash", "matrix_rows", "ops", "val_acc_108ep_one_run"}),
        read_subset,
    ),
)


def recognises(path: Path, *, renamed: Mapping[str, str] | None = None) -> bool:
    """Return whether a file is a Parquet table of a known layout; never raises.

    Args:
        path: The file.
        renamed: As in :func:`read`.
    """
    names = {*column_names(path, _told(renamed))}
    return any(layout.columns <= names for layout in _LAYOUTS)


def read(
    path: Path,
    *,
    on_progress: Callable[[int, int | None], None] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Imported:
    """Read one tidy table.

    Args:
        path: The Parquet file.
        on_progress: Called with the rows read and their number, once, at the end: the largest
            of these tables is read in a second.
        renamed: The file's name of a column by its name here; ``cell`` stands for ``arch_str``.

    Returns:
        The space as this file has it.

    Raises:
        UsageError: A renamed column is not in the file.
        DataError: The file is missing, damaged, of no known layout, or its rows are wrong.
    """
    table = open_columns(path, _told(renamed))
    names = {*table.names}
    for layout in _LAYOUTS:
        if layout.columns <= names:
            imported = layout.reader(table)
            if on_progress is not None:
                on_progress(table.rows, table.rows)
            return imported
    known = "; ".join(layout.title for layout in _LAYOUTS)
    raise DataError(
        f"{path}: its columns do not match a known table ({known}). "
        "Import it as a space of your own: nasrank data import my-space FILE"
    )


def _told(renamed: Mapping[str, str] | None) -> dict[str, str]:
    return {"arch_str" if name == "cell" else name: each for name, each in (renamed or {}).items()}
