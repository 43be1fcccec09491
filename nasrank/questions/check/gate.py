"""The gate: runs against the same runs of a baseline, pair by pair."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError, NothingToCompare
from nasrank.questions.check.baseline import RunKey, run_key
from nasrank.questions.check.options import TOLERANCE
from nasrank.questions.check.tables import BASELINE, CELL, PRIMARY
from nasrank.runs.tables import METRICS, RUNS
from nasrank.statistics import paired_interval, verdict_of

__all__ = [
    "Check",
    "OtherDataError",
    "Verdict",
    "check_runs",
    "detectable_loss",
    "gate_verdict",
    "judged",
]

Row = Mapping[str, Any]
Verdict = Literal["held", "worse", "better", "undecided"]

_ORDER = ("kendall_tau", "weighted_tau", "spearman_rho")
"""Metrics in which a predictor without an order is worth 0, rather than left out."""
_JUDGED = (*METRICS, RUNS.column("diverged"))
_SHARES = {c.name for c in BASELINE.columns if c.unit == "1"} | {"diverged"}


@dataclass(frozen=True)
class Check:
    """What a check found.

    Attributes:
        rows: Rows of :data:`~nasrank.questions.check.tables.CHECK`; the first is the primary one.
        pairs: Runs that were compared with their partner.
        only_baseline: Runs of the baseline without a partner.
        only_results: Runs of the results without a partner.
        detectable: Drop in mean tau that a check with these runs finds worse in 95 of 100 cases;
            None where the pairs do not tell, being fewer than two or all equal.
    """

    rows: list[dict[str, Any]]
    pairs: int
    only_baseline: int
    only_results: int
    detectable: float | None

    @property
    def primary(self) -> dict[str, Any]:
        """The row that decides."""
        return self.rows[0]

    @property
    def held(self) -> bool:
        """Whether the primary row is not worse; an undecided one passes."""
        return bool(self.primary["verdict"] != "worse")


def check_runs(
    results: Sequence[Row], baseline: Sequence[Row], *, tolerance: float = TOLERANCE
) -> Check:
    """Compare rows of runs with those of a baseline.

    The primary row is the paired difference of the mean tau: a seed's differences are averaged
    over the tasks, predictors, losses and sizes that both sides have, and the interval is over
    seeds, because the runs of one seed share their data and rise and fall together. A predictor
    without an order (it diverged, or scores everything alike) has a tau of 0.

    Args:
        results: Rows of :data:`~nasrank.questions.check.tables.BASELINE`.
        baseline: Rows of the same kind.
        tolerance: Drop of a metric in [0, 1] that is tolerated; others have a tolerance of 0.

    Raises:
        DataError: A task's data differs.
        NothingToCompare: No run is in both.

    References:
        Walker and Nowacki (2011), "Understanding equivalence and noninferiority testing",
        Journal of General Internal Medicine 26(2).
    """
    partners = {run_key(row): row for row in baseline}
    pairs = [(row, partners[key]) for row in results if (key := run_key(row)) in partners]
    if not pairs:
        raise NothingToCompare(
            "they share no run (same task, predictor, loss, n_train, seed and kind of split). Run "
            "the baseline's own command, or write a new one with --update"
        )
    for run, partner in pairs:
        if run["fingerprint"] != partner["fingerprint"]:
            raise OtherDataError(run["task"])
    cells: dict[RunKey, list[tuple[Row, Row]]] = defaultdict(list)
    for pair in pairs:
        cells[run_key(pair[0], CELL)].append(pair)
    primary, detectable = _primary(pairs, tolerance)
    rows = [primary]
    for key, own in cells.items():
        cell = dict(zip(CELL, key, strict=True))
        for metric in _JUDGED:
            allowed = tolerance if metric.name in _SHARES else 0.0
            new, old = _values(own, metric.name)
            row = judged(new, old, sign=metric.sign, tolerance=allowed)
            rows.append({**cell, "metric": metric.name, "primary": False, **row})
    return Check(
        rows, len(pairs), len(baseline) - len(pairs), len(results) - len(pairs), detectable
    )


def gate_verdict(lower: float | None, upper: float | None, tolerance: float) -> Verdict:
    """Say what an interval of a difference means, where a higher difference is better.

    ``worse`` and ``better`` as in `~nasrank.statistics.verdict_of`; ``held`` where nothing of the
    interval is worse by more than the tolerance; ``undecided`` otherwise, or with no interval.

    Example:
        >>> [gate_verdict(low, low + 0.01, 0.005) for low in (-0.02, -0.01, -0.005, 0.006)]
        ['worse', 'undecided', 'held', 'better']
    """
    match verdict_of(lower, upper, tolerance):
        case "better" | "worse" as found:
            return found
    return "undecided" if lower is None or lower < -tolerance else "held"


def detectable_loss(differences: NDArray[np.float64], tolerance: float) -> float | None:
    """Return the drop that such a check finds worse in 95 of 100 cases.

    That is ``tolerance + (1.96 + 1.645) s / sqrt(S)``, with the standard deviation ``s`` of the
    differences of S seeds: the interval has to end below the tolerance, and does so in 95 of 100
    cases.

    Args:
        differences: ``[S]`` one difference a seed.
        tolerance: Drop that is tolerated.

    Returns:
        A drop in the unit of the differences; None for fewer than two, or for equal ones.

    Example:
        Differences of -1 and 1 have s = 1.414, and s / sqrt(2) = 1:

        >>> round(detectable_loss(np.array([-1.0, 1.0]), 0.0), 3)
        3.605
    """
    if len(differences) < 2 or not (spread := float(differences.std(ddof=1))):
        return None
    return tolerance + (1.960 + 1.645) * spread / math.sqrt(len(differences))


def judged(
    new: NDArray[np.float64], old: NDArray[np.float64], *, sign: float, tolerance: float
) -> dict[str, Any]:
    """Return the part of a row of ``check`` that its pairs of values decide.

    Args:
        new: ``[S]`` values of what is checked, nan where there is none.
        old: ``[S]`` values of the baseline, in the same order.
        sign: 1 where higher is better, -1 where lower is.
        tolerance: Change for the worse that is tolerated.
    """
    both = np.isfinite(new) & np.isfinite(old)
    new, old = new[both], old[both]
    interval = paired_interval(new, old)
    # The same in the direction in which higher is better.
    turned = paired_interval(sign * new, sign * old)
    return {
        "n_pairs": len(new),
        "baseline": float(old.mean()) if len(old) else None,
        "result": float(new.mean()) if len(new) else None,
        "difference": interval.mean,
        "lower": interval.lower,
        "upper": interval.upper,
        "tolerance": tolerance,
        "verdict": gate_verdict(turned.lower, turned.upper, tolerance),
    }


class OtherDataError(DataError):
    """A task of the two sides was measured on different data."""

    def __init__(self, task: str) -> None:
        super().__init__(f"{task}: the two sides were measured on different data")
        self.task = task


def _primary(
    pairs: Sequence[tuple[Row, Row]], tolerance: float
) -> tuple[dict[str, Any], float | None]:
    by_seed: dict[int, list[tuple[Row, Row]]] = defaultdict(list)
    for pair in pairs:
        by_seed[pair[0]["seed"]].append(pair)
    means = [
        [float(np.mean(side)) for side in _values(own, "kendall_tau")] for own in by_seed.values()
    ]
    new, old = np.array(means).T
    row = {
        **dict.fromkeys(CELL),
        "metric": PRIMARY,
        "primary": True,
        **judged(new, old, sign=RUNS.column("kendall_tau").sign, tolerance=tolerance),
    }
    return row, detectable_loss(new - old, tolerance)


def _values(
    pairs: Sequence[tuple[Row, Row]], metric: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a metric of both sides, nan where there is none."""
    missing = 0.0 if metric in _ORDER else math.nan
    new, old = (
        np.array([missing if pair[side][metric] is None else pair[side][metric] for pair in pairs])
        for side in (0, 1)
    )
    return new.astype(np.float64), old.astype(np.float64)
