"""The tables of ``check``: what every column means."""

from __future__ import annotations

from dataclasses import replace

from nasrank.runs.tables import DISCOVERY_AT, METRICS, RUNS
from nasrank.tables import Column, Table

__all__ = ["BASELINE", "CELL", "CHECK", "PAIRING", "PRIMARY"]

CELL = ("task", "predictor", "loss", "n_train", "split", "labels", "test", "sampling")
"""What runs that differ only in their seed share."""
PAIRING = (*CELL, "seed")
"""What a run and its partner in the baseline share; not the data, which has to be the same."""

_MEASURED = (*(c for c in METRICS if c is not DISCOVERY_AT), DISCOVERY_AT)

BASELINE = Table(
    "baseline",
    "What was measured on one run",
    (
        *(column for column in RUNS.columns if column.name in PAIRING),
        Column("fingerprint", "string", "", "Digest of the task's data"),
        *_MEASURED,
        RUNS.column("diverged"),
    ),
)

PRIMARY = "mean_tau"
"""Name of the one row that decides: Kendall's tau, averaged over the subset."""

_NO_INTERVAL = "fewer than two pairs"

CHECK = Table(
    "check",
    "One metric of runs that differ in their seed, against the same runs of the baseline",
    (
        *(
            replace(column, null="the primary row, which is about all runs")
            for column in RUNS.columns
            if column.name in CELL
        ),
        Column("metric", "string", "", f"A column of runs, diverged, or {PRIMARY}"),
        Column("primary", "bool", "", "Whether this row decides"),
        Column("n_pairs", "int64", "runs", "Pairs that had both values; seeds in the primary row"),
        Column("baseline", "double", "metric", "Mean of the baseline", "no pair"),
        Column("result", "double", "metric", "Mean of what is checked", "no pair"),
        Column("difference", "double", "metric", "Result minus baseline", "no pair"),
        Column("lower", "double", "metric", "95 % Student interval of that", _NO_INTERVAL),
        Column("upper", "double", "metric", "95 % Student interval of that", _NO_INTERVAL),
        Column("tolerance", "double", "metric", "Change for the worse that is tolerated"),
        Column("verdict", "string", "", "held, worse, better or undecided"),
    ),
)
