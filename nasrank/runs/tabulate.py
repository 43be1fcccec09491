"""From finished runs to the tables that a study leaves behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from nasrank.runs.summarise import budget_table, sampling_table, summary_table
from nasrank.runs.tables import (
    BUDGET,
    CURVES,
    DISCOVERY,
    OWN_METRICS,
    PREDICTIONS,
    RUNS,
    SAMPLING,
    SUMMARY,
)
from nasrank.tables import Table

__all__ = ["run_tables"]


def run_tables(
    rows: Sequence[dict[str, Any]],
    *,
    budget: bool = True,
    sampling: bool = False,
    parts: Collection[str] = (),
) -> dict[Table, list[dict[str, Any]]]:
    """Turn finished runs into tables.

    Args:
        rows: Rows of :data:`~nasrank.runs.tables.FINISHED`.
        budget: Whether to say what reaching a top takes.
        sampling: Whether to compare ways to draw training architectures.
        parts: Optional parts that the rows hold: ``predictions``, ``curves``,
            ``own_metrics``.

    Returns:
        Each table with its rows: ``runs``, ``discovery``, ``summary``, and what was asked for.
    """
    tables = {
        RUNS: [RUNS.project(row) for row in rows],
        DISCOVERY: _unnested(rows, DISCOVERY),
    }
    if budget:
        tables[BUDGET] = budget_table(rows)
    tables[SUMMARY] = summary_table(rows)
    if sampling:
        tables[SAMPLING] = sampling_table(rows)
    for table in (PREDICTIONS, CURVES, OWN_METRICS):
        if table.name in parts:
            tables[table] = _unnested(rows, table)
    return tables


def _unnested(rows: Sequence[dict[str, Any]], table: Table) -> list[dict[str, Any]]:
    """Turn the lists of each run into rows."""
    nested = [column.name for column in table.columns if column.name != "run_id"]
    return [
        {"run_id": row["run_id"], **dict(zip(nested, values, strict=True))}
        for row in rows
        for values in zip(*(row[f"{table.name}.{name}"] for name in nested), strict=True)
    ]
