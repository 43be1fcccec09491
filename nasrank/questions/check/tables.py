"""The tables of ``check``: what every column means."""

from __future__ import annotations

from dataclasses import replace

from nasrank.runs.tables import DISCOVERY_AT, METRICS, RUNS
from nasrank.tables import Table, bounds, count, flag, number, spelling, text

__all__ = ["BASELINE", "CELL", "CHECK", "COST_LIMITS", "PAIRING", "PRIMARY"]

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
        text("fingerprint", "Digest of the task's data"),
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
        text("metric", f"A column of runs, diverged, or {PRIMARY}"),
        flag("primary", "Whether this row decides"),
        count("n_pairs", "runs", "Pairs that had both values; seeds in the primary row"),
        number("baseline", "metric", "Mean of the baseline", "no pair"),
        number("result", "metric", "Mean of what is checked", "no pair"),
        number("difference", "metric", "Result minus baseline", "no pair"),
        *bounds("metric", "95 % Student interval of that", _NO_INTERVAL),
        number("tolerance", "metric", "Change for the worse that is tolerated"),
        text("verdict", "held, worse, better or undecided"),
    ),
)

COST_LIMITS = Table(
    "cost_limits",
    "Time or memory of a predictor, as a multiple of what a reference took beside it",
    (
        text("predictor", "What is checked"),
        text("reference", "What it was measured beside, on the same data"),
        text("task", "space/dataset, with :metric where it is not the default"),
        spelling("loss", "Loss of the predictor; the reference has it too, or its own"),
        count("n_train", "architectures", "Training architectures of each run"),
        count("runs", "runs", "Runs trained and scored together, one a seed"),
        text("measure", "time (training and scoring of a run) or memory (peak of all of them)"),
        text("unit", "s or MiB"),
        number("cost", "unit", "Median over rounds", better="lower"),
        number("reference_cost", "unit", "The same of the reference", better="lower"),
        number("ratio", "1", "Median over rounds of the ratio within a round", better="lower"),
        number("ratio_lowest", "1", "Least of these ratios", better="lower"),
        number("ratio_highest", "1", "Greatest of these ratios", better="lower"),
        number("limit", "1", "The greatest ratio that is tolerated"),
        text("verdict", "worse: every round above the limit; held: none; undecided: some"),
    ),
)
