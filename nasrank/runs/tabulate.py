"""From finished runs to the tables that a study leaves behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrank.runs.summarise import budget_table, sampling_table, summary_table
from nasrank.runs.tables import BUDGET, CURVES, DISCOVERY, PREDICTIONS, RUNS, SAMPLING, SUMMARY
from nasrank.tables import Table

__all__ = ["run_tables", "write_run_tables"]

Row = Mapping[str, Any]


def run_tables(
    rows: Sequence[dict[str, Any]], *, sampling: bool = False, parts: Collection[str] = ()
) -> list[tuple[Table, list[dict[str, Any]]]]:
    """Turn finished runs into tables.

    Args:
        rows: Rows of :data:`~nasrank.runs.tables.FINISHED`.
        sampling: Whether to compare ways to draw training architectures.
        parts: Optional parts that the rows hold: ``predictions``, ``curves``.

    Returns:
        Each table with its rows: ``runs``, ``discovery``, ``budget``, ``summary``, and what was
        asked for.
    """
    tables = [
        (RUNS, [{column.name: row[column.name] for column in RUNS.columns} for row in rows]),
        (DISCOVERY, _unnested(rows, DISCOVERY)),
        (BUDGET, budget_table(rows)),
        (SUMMARY, summary_table(rows)),
    ]
    if sampling:
        tables.append((SAMPLING, sampling_table(rows)))
    if "predictions" in parts:
        tables.append((PREDICTIONS, _unnested(rows, PREDICTIONS)))
    if "curves" in parts:
        tables.append((CURVES, _unnested(rows, CURVES)))
    return tables


def write_run_tables(rows: Sequence[dict[str, Any]], out: Path, about: Row) -> None:
    """Write ``runs``, ``discovery`` and ``summary`` of finished runs to a folder.

    Args:
        rows: Rows of :data:`~nasrank.runs.tables.FINISHED`.
        out: The folder.
        about: What the tables were made by.

    Raises:
        DataError: The folder cannot be written.
    """
    for table, content in run_tables(rows):
        if table is not BUDGET:
            table.write(content, out / f"{table.name}.parquet", about)


def _unnested(rows: Sequence[dict[str, Any]], table: Table) -> list[dict[str, Any]]:
    """Turn the lists of each run into rows."""
    nested = [column.name for column in table.columns if column.name != "run_id"]
    return [
        {"run_id": row["run_id"], **dict(zip(nested, values, strict=True))}
        for row in rows
        for values in zip(*(row[f"{table.name}.{name}"] for name in nested), strict=True)
    ]
