"""Statements that a study can confirm or refute, each with the numbers that decide.

Most are data: `Ahead`, `More`, `Rises`, `Falls` and `Within` name the rows of a table and the
column that they are about, `judge` turns them into rows of `CLAIMS`, and the direction is that of
the column. For what they cannot express, `claim_row` takes a list of numbers, one per seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nasrank.statistics import mean_interval, verdict_of
from nasrank.study.view import Field, Part, Sheet, number
from nasrank.tables import Column, Table, count, share, text

__all__ = [
    "CLAIMS",
    "FEWEST_SEEDS",
    "Ahead",
    "Claim",
    "Falls",
    "Lead",
    "More",
    "Of",
    "Rises",
    "Within",
    "claim_row",
    "claims_parts",
    "judge",
]

Row = Mapping[str, Any]

FEWEST_SEEDS = 5
"""With fewer seeds a claim stays undecided, whatever its numbers."""

_VERDICTS = {"better": "holds", "worse": "fails"}
_FEW = "fewer than two seeds have a value"

CLAIMS = Table(
    "claims",
    "One statement and what the runs say about it",
    (
        text("claim_id", "Short name of the statement"),
        text("statement", "The statement, which the estimate quantifies"),
        text("data", "Data it was measured on"),
        count("n_seeds", "", "Seeds that had a value"),
        share("estimate", "Mean over seeds; above 0 supports the claim", _FEW),
        share("lower", "Lower bound of the mean, 95 % Student interval", _FEW),
        share("upper", "Upper bound of the mean, 95 % Student interval", _FEW),
        share("p_value", "Two-sided Student test that the mean is 0", _FEW),
        text("verdict", "holds; fails; equivalent, where a difference is surely within the "
             "margin; undecided; not measurable, where a control fools a measure"),
        text("source", "Table and columns the numbers come from"),
        text("measures", "Columns that it rests on, each of which has controls"),
        text("control", "The measure and the control that counts most: one that is not passed, "
             "else the one nearest to it", "the controls were not run"),
        share("control_value", "What the measure says of it",
              "it says that it has no value, or there is no control"),
    ),
)  # fmt: skip


_READING = (
    "Estimates above 0 support the claim. It holds where the whole interval lies above 0, fails "
    f"where all of it lies below, and is undecided with fewer than {FEWEST_SEEDS} seeds. "
    "Equivalent: any difference is within the margin. Not measurable: a control fools a measure "
    "that it rests on."
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
        Field("control", of=_control, show=str, keep=5),
    )
    shown = [
        {**row, "interval": f"[{_signed(row['lower'])}, {_signed(row['upper'])}]"} for row in rows
    ]
    return [
        Sheet(shown, fields, "Claims"),
        _READING,
    ]


def _control(row: Row) -> str:
    if row["control"] is None:
        return "-"
    value = row["control_value"]
    return str(row["control"]) + ("" if value is None else f" {number(value)}")


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def claim_row(
    claim_id: str,
    statement: str,
    data: str,
    values: npt.ArrayLike,
    *,
    source: str,
    measures: Sequence[str] = (),
    margin: float = 0.0,
    negligible: float = 0.0,
) -> dict[str, Any]:
    """Judge a claim by one number per seed.

    The claim holds where the whole 95 % Student interval of the mean lies above ``margin``, and
    fails where all of it lies below; it is undecided otherwise, and with fewer than
    `FEWEST_SEEDS` seeds. Equal values give an interval of width 0.

    Args:
        claim_id: Short name.
        statement: The statement in words.
        data: Data it was measured on.
        values: One number per seed ``[S]``, above ``margin`` where it supports the claim; nan
            where a seed has none.
        source: Table and columns.
        measures: The columns that it rests on; `nasrank.study.controls` looks for their controls.
        margin: What the mean must exceed. A claim that two things differ by at most e is made
            with ``e - abs(difference)``.
        negligible: A claim that would be undecided is equivalent where the whole interval lies
            within this distance of 0.

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
    verdict = "undecided"
    if found.n_seeds >= FEWEST_SEEDS:
        side = verdict_of(found.lower, found.upper)
        if side in _VERDICTS:
            verdict = _VERDICTS[side]
        elif negligible and verdict_of(found.lower, found.upper, negligible) == "equivalent":
            verdict = "equivalent"
    return {
        "claim_id": claim_id,
        "statement": statement,
        "data": data,
        "n_seeds": found.n_seeds,
        "estimate": found.mean if found.n_seeds > 1 else None,
        "lower": found.lower,
        "upper": found.upper,
        "p_value": found.p_value,
        "verdict": verdict,
        "source": source,
        "measures": ", ".join(measures),
        "control": None,
        "control_value": None,
    }


@dataclass(frozen=True)
class Of:
    """One number per seed: the value of a column in the rows that a claim is about.

    Attributes:
        column: The column.
        where: Columns and the values that these rows have there.
        missing: The value to assume for a row without one; None leaves the row out.
        scale: Maps a value to what is compared; increasing, so that the direction stays.
    """

    column: Column
    where: Mapping[str, Any] = field(default_factory=dict)
    missing: float | None = None
    scale: Callable[[float], float] = float

    @property
    def names(self) -> tuple[str, ...]:
        """Name of the column."""
        return (self.column.name,)

    def by_seed(self, rows: Sequence[Row]) -> dict[int, float]:
        """Return the value of each seed, the mean of its rows; seeds without one are left out."""
        values: dict[int, list[float]] = {}
        for row in rows:
            value = row.get(self.column.name)
            value = self.missing if value is None else value
            if value is not None and all(row[key] == at for key, at in self.where.items()):
                values.setdefault(row["seed"], []).append(self.scale(value))
        return {seed: sum(own) / len(own) for seed, own in sorted(values.items())}


@dataclass(frozen=True)
class Lead:
    """One number per seed: how far one is above the other, for seeds that have both.

    Attributes:
        first: The one.
        second: The other.
    """

    first: Of
    second: Of

    @property
    def column(self) -> Column:
        """The column of the first."""
        return self.first.column

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, each once."""
        return tuple(dict.fromkeys((*self.first.names, *self.second.names)))

    def by_seed(self, rows: Sequence[Row]) -> dict[int, float]:
        """Return the difference of each seed."""
        ours, theirs = self.first.by_seed(rows), self.second.by_seed(rows)
        return {seed: ours[seed] - theirs[seed] for seed in ours if seed in theirs}


@dataclass(frozen=True)
class Claim:
    """A statement about rows of a table.

    Attributes:
        claim_id: Short name.
        statement: The statement in words.
    """

    claim_id: str
    statement: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that decide."""
        raise NotImplementedError

    @property
    def measures(self) -> tuple[str, ...]:
        """Those of them that are measured, and need controls."""
        return self.columns

    @property
    def options(self) -> Mapping[str, float]:
        """Further arguments of `claim_row`."""
        return {}

    def values(self, rows: Sequence[Row]) -> list[float]:
        """Return one number per seed, above 0 where it supports the claim."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Paired(Claim):
    first: Of | Lead
    second: Of | Lead

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of both."""
        return tuple(dict.fromkeys((*self.first.names, *self.second.names)))

    def leads(self, rows: Sequence[Row]) -> list[float]:
        """Return what the first has more than the second, for each seed that both have."""
        ours, theirs = self.first.by_seed(rows), self.second.by_seed(rows)
        return [ours[seed] - theirs[seed] for seed in ours if seed in theirs]


@dataclass(frozen=True)
class More(_Paired):
    """The first has more than the second, on the same seeds; neither has to be better.

    Without a margin of its own it is equivalent where the interval lies within that of the column.

    Attributes:
        first: What is claimed to have more.
        second: What is claimed to have less.
        margin: How much more it must have.
    """

    margin: float = 0.0

    @property
    def options(self) -> Mapping[str, float]:
        """Further arguments of `claim_row`."""
        negligible = 0.0 if self.margin else self.first.column.margin
        return {"margin": self.margin, "negligible": negligible}

    def values(self, rows: Sequence[Row]) -> list[float]:
        """Return the lead of the first, for each seed that both have."""
        return self.leads(rows)


@dataclass(frozen=True)
class Ahead(More):
    """The first is better than the second, on the same seeds, in the direction of the column."""

    def values(self, rows: Sequence[Row]) -> list[float]:
        """Return by how much the first is better, for each seed that both have."""
        return [self.first.column.sign * lead for lead in self.leads(rows)]


@dataclass(frozen=True)
class Within(_Paired):
    """The two differ by at most ``by``, on the same seeds.

    Attributes:
        first: The one.
        second: The other.
        by: Largest difference allowed.
    """

    by: float

    def values(self, rows: Sequence[Row]) -> list[float]:
        """Return ``by`` minus the difference, for each seed that both have."""
        return [self.by - abs(lead) for lead in self.leads(rows)]


@dataclass(frozen=True)
class Rises(Claim):
    """A column rises with an option, by Spearman's rank correlation of each seed.

    A constant curve counts as 0; a seed with fewer than three points is left out.

    Attributes:
        of: What rises.
        over: Name of the option.
        whole: Whether to use only seeds that have a value at every setting.

    References:
        Spearman (1904), "The proof and measurement of association between two things".
    """

    of: Of | Lead
    over: str
    whole: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that decide, and the option."""
        return *self.of.names, self.over

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the columns that decide."""
        return self.of.names

    def values(self, rows: Sequence[Row]) -> list[float]:
        """Return a rank correlation for each seed."""
        curves: dict[int, dict[float, float]] = {}
        for at in dict.fromkeys(row[self.over] for row in rows):
            if at is not None:
                here = [row for row in rows if row[self.over] == at]
                for seed, value in self.of.by_seed(here).items():
                    curves.setdefault(seed, {})[at] = value
        most = max(map(len, curves.values()), default=0)
        return [
            _rank_correlation(curve)
            for _, curve in sorted(curves.items())
            if len(curve) == most or not self.whole
        ]


@dataclass(frozen=True)
class Falls(Rises):
    """A column falls with an option; see `Rises`."""

    def values(self, rows: Sequence[Row]) -> list[float]:
        """Return minus a rank correlation for each seed."""
        return [-value for value in super().values(rows)]


def judge(
    claims: Iterable[Claim], rows: Sequence[Row], *, data: str, table: str
) -> list[dict[str, Any]]:
    """Judge declared claims on the rows of a table.

    Args:
        claims: The claims.
        rows: Its rows.
        data: Data they were measured on.
        table: Name of the table.

    Returns:
        Rows of `CLAIMS`, in the order of the claims.

    Example:
        >>> tau = Column("tau", "double", "1", "Kendall's tau", better="higher")
        >>> rows = [{"method": m, "seed": s, "tau": t + s / 100}
        ...     for m, t in (("new", 0.7), ("old", 0.6)) for s in range(5)]
        >>> new, old = (Of(tau, {"method": method}) for method in ("new", "old"))
        >>> claim = Ahead("better", "new is better", new, old)
        >>> [row] = judge([claim], rows, data="ring", table="runs")
        >>> row["verdict"], row["source"]
        ('holds', 'runs: tau')
    """
    return [
        claim_row(
            claim.claim_id,
            claim.statement,
            data,
            claim.values(rows),
            source=f"{table}: {', '.join(claim.columns)}",
            measures=claim.measures,
            **claim.options,
        )
        for claim in claims
    ]


def _rank_correlation(curve: Mapping[float, float]) -> float:
    from nasrank.metrics import spearman_rho

    points = [(at, value) for at, value in curve.items() if np.isfinite(value)]
    if len(points) < 3:
        return float("nan")
    settings, values = np.array(points, dtype=np.float64).T
    if np.ptp(values) == 0:
        return 0.0
    return float(spearman_rho(values, settings))
