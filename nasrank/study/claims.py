"""Statements that a study can confirm or refute, each with the numbers that decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nasrank.statistics import mean_interval, verdict_of
from nasrank.study.view import Field, Part, Sheet
from nasrank.tables import Column, Table

__all__ = [
    "CLAIMS",
    "FEWEST_SEEDS",
    "claim_row",
    "claims_parts",
    "paired_claim",
    "trend_claim",
]

FEWEST_SEEDS = 5
"""With fewer seeds a claim stays undecided, whatever its numbers."""

_FEW = "fewer than two seeds have a value"

CLAIMS = Table(
    "claims",
    "One statement and what the runs say of it",
    (
        Column("claim_id", "string", "", "Short name of the statement"),
        Column("statement", "string", "", "The statement; what the estimate is a number of"),
        Column("data", "string", "", "Data it was measured on"),
        Column("n_seeds", "int64", "", "Seeds that had a value"),
        Column("estimate", "double", "1", "Mean over seeds; above 0 speaks for the claim", _FEW),
        Column("lower", "double", "1", "Lower bound of the mean, 95 % Student interval", _FEW),
        Column("upper", "double", "1", "Upper bound of the mean, 95 % Student interval", _FEW),
        Column("p_value", "double", "1", "Two-sided Student test that the mean is 0", _FEW),
        Column("verdict", "string", "", "holds, fails, or undecided"),
        Column("source", "string", "", "Table and columns the numbers come from"),
    ),
)


_READING = (
    "Estimates above 0 speak for the claim; it holds, or fails, where the whole interval does, "
    f"and is undecided with fewer than {FEWEST_SEEDS} seeds."
)


def claims_parts(rows: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Return rows of ``claims`` as people read them; nothing where there are none."""
    if not rows:
        return []
    fields = (
        Field("statement", "claim", keep=9),
        Field("verdict", keep=9),
        Field("estimate", show=_signed, right=True, keep=8),
        Field("interval", "95 % interval", right=True, keep=7),
        Field("n_seeds", "seeds", right=True, keep=6),
    )
    shown = [
        {**row, "interval": f"[{_signed(row['lower'])}, {_signed(row['upper'])}]"} for row in rows
    ]
    return [
        Sheet(shown, fields, "Claims"),
        _READING,
    ]


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def claim_row(
    claim_id: str,
    statement: str,
    data: str,
    values: npt.ArrayLike,
    *,
    source: str,
    margin: float = 0.0,
) -> dict[str, Any]:
    """Judge a claim by one number a seed.

    The claim holds where the whole 95 % Student interval of the mean lies above ``margin``, and
    fails where all of it lies below; it is undecided otherwise, and with fewer than
    `FEWEST_SEEDS` seeds. All values equal give an interval of one point.

    Args:
        claim_id: Short name.
        statement: The statement in words.
        data: Data it was measured on.
        values: One number a seed ``[S]``, above ``margin`` where it speaks for the claim; nan
            where a seed has none.
        source: Table and columns.
        margin: What the mean must exceed. A claim that two things differ by at most e is made
            with ``e - abs(difference)``.

    Returns:
        A row of `CLAIMS`; its estimate and bounds are those of ``values - margin``.

    References:
        Student (1908), "The probable error of a mean", Biometrika 6(1).

    Example:
        >>> row = claim_row("a", "it grows", "ring", [1.0, 2.0, 1.5, 1.0, 2.0], source="runs")
        >>> row["estimate"], round(row["lower"], 3), row["verdict"]
        (1.5, 0.879, 'holds')
    """
    found = mean_interval(np.asarray(values, dtype=np.float64).ravel() - margin)
    known = found.n_seeds > 1
    verdict = verdict_of(found.lower, found.upper) if found.n_seeds >= FEWEST_SEEDS else None
    return {
        "claim_id": claim_id,
        "statement": statement,
        "data": data,
        "n_seeds": found.n_seeds,
        "estimate": found.mean if known else None,
        "lower": found.lower,
        "upper": found.upper,
        "p_value": found.p_value,
        "verdict": {"better": "holds", "worse": "fails"}.get(verdict or "", "undecided"),
        "source": source,
    }


def paired_claim(
    claim_id: str,
    statement: str,
    data: str,
    better: Mapping[int, float],
    worse: Mapping[int, float],
    *,
    source: str,
    sign: float = 1.0,
    margin: float = 0.0,
) -> dict[str, Any]:
    """Judge the claim that one method is ahead of another on the same seeds.

    Args:
        claim_id: Short name.
        statement: The statement in words.
        data: Data it was measured on.
        better: The first method's value by seed.
        worse: The second method's value by seed; seeds that only one has are left out.
        source: Table and columns.
        sign: 1 where higher is better, -1 where lower is: `Column.sign`.
        margin: What the advantage must exceed.

    Returns:
        A row of `CLAIMS`; see `claim_row`.
    """
    seeds = sorted(better.keys() & worse.keys())
    values = [sign * (better[seed] - worse[seed]) for seed in seeds]
    return claim_row(claim_id, statement, data, values, source=source, margin=margin)


def trend_claim(
    claim_id: str,
    statement: str,
    data: str,
    curves: Sequence[Mapping[float, float]],
    *,
    source: str,
    rising: bool = True,
) -> dict[str, Any]:
    """Judge the claim that something rises, or falls, with an option.

    Args:
        claim_id: Short name.
        statement: The statement in words.
        data: Data it was measured on.
        curves: For each seed the value at each setting of the option; settings without a finite
            value are left out.
        source: Table and columns.
        rising: Whether it is claimed to rise.

    Returns:
        A row of `CLAIMS` whose numbers are Spearman's rank correlations, one a seed, with the
        sign turned for a fall. A constant curve counts 0, one of fewer than three points not at
        all.

    References:
        Spearman (1904), "The proof and measurement of association between two things".
    """
    sign = 1.0 if rising else -1.0
    values = [sign * _rank_correlation(curve) for curve in curves]
    return claim_row(claim_id, statement, data, values, source=source)


def _rank_correlation(curve: Mapping[float, float]) -> float:
    from nasrank.metrics import spearman_rho

    points = [(at, value) for at, value in curve.items() if np.isfinite(value)]
    if len(points) < 3:
        return float("nan")
    settings, values = np.array(points, dtype=np.float64).T
    if np.ptp(values) == 0:
        return 0.0
    return float(spearman_rho(values, settings))
