"""What people see: tables and lines, independent of a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nasrank.version import __version__

__all__ = [
    "SPREAD",
    "Bar",
    "Chart",
    "Field",
    "Measure",
    "Part",
    "Sheet",
    "bounds",
    "differing",
    "envelope",
    "fixed",
    "grouped",
    "joined",
    "number",
    "over_seeds",
    "plural",
    "seeds_of",
    "spread",
    "with_interval",
]

Row = Mapping[str, Any]

SPREAD = "Mean over seeds ± half its 95 % interval (Student)."
"""What `spread` writes, in words; the one notation of every study."""


@dataclass(frozen=True)
class Field:
    """A column as people see it.

    Attributes:
        key: Key of its values in a row.
        title: Its heading; by default the key with blanks for underscores.
        show: Turns a value into text; `number` by default.
        right: Whether to align it to the right, as numbers are.
        keep: Rank of the column where there is no room for all: the lowest are dropped first, of
            one rank the rightmost. Columns of rank 9 are always kept.
        of: Takes the value from a row; by default it is that of the key.
    """

    key: str
    title: str | None = None
    show: Callable[[Any], str] | None = None
    right: bool = False
    keep: int = 5
    of: Callable[[Row], Any] | None = None

    @property
    def heading(self) -> str:
        """Its heading."""
        return self.key.replace("_", " ") if self.title is None else self.title

    def text(self, row: Row) -> str:
        """Write the cell of a row."""
        return (self.show or number)(row[self.key] if self.of is None else self.of(row))


@dataclass(frozen=True)
class Sheet:
    """A table as people see it.

    Attributes:
        rows: Its rows.
        fields: Its columns.
        title: Caption above it.
    """

    rows: Sequence[Row]
    fields: Sequence[Field]
    title: str | None = None

    @classmethod
    def of(cls, rows: Sequence[Row], *, title: str | None = None) -> Sheet:
        """Show every key of the first row; numbers stand to the right."""
        keys = rows[0] if rows else ()
        return cls(
            rows,
            [Field(key, right=all(_is_number(row[key]) for row in rows)) for key in keys],
            title,
        )


@dataclass(frozen=True)
class Bar:
    """A line of a chart.

    Attributes:
        name: What it is of.
        value: Its value, above 0; None beyond what was tried.
        lower: Lower end of its interval; None where there is none.
        upper: Upper end; None where it is open, or there is none.
        text: What stands beside it.
    """

    name: str
    value: float | None
    lower: float | None
    upper: float | None
    text: str


@dataclass(frozen=True)
class Chart:
    """Values with their intervals, on a logarithmic scale; what it shows, a table says too.

    Attributes:
        title: What is shown, and in which unit.
        bars: The lines.
        mark: A value to compare all with; None where there is none.
        most: What was tried at most; None where there is no such limit.
    """

    title: str
    bars: Sequence[Bar]
    mark: float | None = None
    most: float | None = None


Part = Sheet | Chart | str
"""What a page is made of, charts in terminals alone. Text is text: nothing in it is markup."""


@dataclass(frozen=True)
class Measure:
    """A number of each run, shown over seeds.

    Attributes:
        key: Its column.
        title: Its heading.
        digits: Digits after the decimal point.
        scale: Factor of the values: 100 for shares shown in percent.
        spread: Whether to show the interval of the mean.
        keep: See `Field`.
        over: What is shown of the seeds. A sum counts what should not happen, and has no column
            where nothing did.
    """

    key: str
    title: str
    digits: int = 3
    scale: float = 1.0
    spread: bool = True
    keep: int = 5
    over: Literal["mean", "sum"] = "mean"

    def shown(self, rows: Sequence[Row]) -> bool:
        """Whether it has anything to say of some runs."""
        known = [row[self.key] for row in rows if row[self.key] is not None]
        return any(known) if self.over == "sum" else bool(known)

    def text(self, rows: Sequence[Row]) -> str:
        """Write it for the runs of a setting."""
        values = [self.scale * row[self.key] for row in rows if row[self.key] is not None]
        if self.over == "mean" or not values:
            return spread(values, self.digits, interval=self.spread)
        return number(sum(values))


def over_seeds(
    rows: Sequence[Row],
    by: Sequence[str],
    measures: Sequence[Measure],
    title: str | None = None,
) -> Sheet:
    """Put the runs of each setting into one row, with the columns ``by`` and all measures.

    Args:
        rows: One per run.
        by: Columns that make a setting.
        measures: What to show of it; measures that no run has are left out.
        title: Caption above the table.
    """
    shown = [measure for measure in measures if measure.shown(rows)]
    lines = [
        {
            **dict(zip(by, key, strict=True)),
            **{measure.key: measure.text(own) for measure in shown},
        }
        for key, own in grouped(rows, by).items()
    ]
    fields = [Field(name, right=all(_is_number(row[name]) for row in rows), keep=9) for name in by]
    fields += [Field(m.key, m.title, right=True, keep=m.keep) for m in shown]
    return Sheet(lines, fields, title)


def seeds_of(rows: Iterable[Row]) -> str:
    """Say how many seeds some runs have.

    Example:
        >>> seeds_of([{"seed": 0}, {"seed": 1}, {"seed": 1}])
        '2 seeds'
    """
    return plural(len({row["seed"] for row in rows}), "seed")


def grouped(rows: Iterable[Row], by: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows by their values in some columns, in the order in which these come up.

    Example:
        >>> rows = [{"loss": loss} for loss in ("hr", "mse", "hr")]
        >>> {key: len(own) for key, own in grouped(rows, ["loss"]).items()}
        {('hr',): 2, ('mse',): 1}
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    return groups


def differing(rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """Return the columns, of some, that have more than one value.

    Example:
        >>> differing([{"loss": "hr", "n": 1}, {"loss": "mse", "n": 1}], ["loss", "n"])
        ['loss']
    """
    return [name for name in names if len({row[name] for row in rows}) > 1]


def spread(values: Sequence[float], digits: int, *, interval: bool = True) -> str:
    """Write a mean over seeds with half its 95 % Student interval.

    Args:
        values: One per seed.
        digits: Digits after the decimal point.
        interval: Whether to add the interval; there is none for fewer than two values.

    Example:
        >>> spread([1.0, 2.0, 3.0], 2), spread([1.0], 1), spread([], 1)
        ('2.00 ± 2.48', '1.0', '-')
    """
    # It needs numpy, which `--help` must not load.
    from nasrank.statistics import mean_interval

    found = mean_interval(values)
    if found.mean is None:
        return "-"
    # Adding 0 turns a rounded -0.0 into 0.0.
    text = f"{round(found.mean, digits) + 0.0:.{digits}f}"
    if not interval or found.upper is None:
        return text
    return f"{text} ± {found.upper - found.mean:.{digits}f}"


def bounds(lower: Any, upper: Any, show: Callable[[Any], str]) -> str:  # noqa: ANN401 - numbers
    """Write an interval, which may be open at either end.

    Args:
        lower: Lower bound; None where it is open.
        upper: Upper bound; None where it is open.
        show: Writes a bound.

    Example:
        >>> bounds(40, 80, str), bounds(40, None, str), bounds(None, None, str)
        ('[40, 80]', '[40, ∞)', '')
    """
    if lower is None and upper is None:
        return ""
    left = "(-∞" if lower is None else f"[{show(lower)}"
    return f"{left}, ∞)" if upper is None else f"{left}, {show(upper)}]"


def with_interval(row: Row, name: str, show: Callable[[Any], str]) -> str:
    """Write a value with its interval: the columns NAME, NAME_lower and NAME_upper of a row.

    Args:
        row: The row.
        name: The column.
        show: Writes the value and the bounds.

    Example:
        >>> with_interval({"cost": 54, "cost_lower": 40, "cost_upper": None}, "cost", str)
        '54 [40, ∞)'
    """
    value = "-" if row[name] is None else show(row[name])
    return f"{value} {bounds(row[f'{name}_lower'], row[f'{name}_upper'], show)}".rstrip()


def number(value: object) -> str:  # noqa: PLR0911 - one per type
    """Write a value as people read it.

    None and NaN are ``-``, whole numbers get thousands separators, other numbers four digits.

    Example:
        >>> [number(value) for value in (15625, 0.123456, None, True, ["a", "b"])]
        ['15,625', '0.1235', '-', 'yes', 'a, b']
    """
    # Scalars and arrays of numpy, without importing it.
    value = value.tolist() if hasattr(value, "tolist") else value
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float() if math.isnan(value):
            return "-"
        case float():
            return f"{value:,.0f}" if 1e4 <= abs(value) < 1e12 else f"{value:,.4g}"
        case list() | tuple():
            return ", ".join(number(each) for each in value) or "-"
    return str(value)


def fixed(digits: int) -> Callable[[float | None], str]:
    """Return what writes numbers with so many digits behind the point.

    Example:
        >>> fixed(2)(0.5), fixed(2)(None)
        ('0.50', '-')
    """
    return lambda value: "-" if value is None else f"{value:.{digits}f}"


def plural(count: int, word: str) -> str:
    """Write a count with its noun.

    Example:
        >>> plural(1, "seed"), plural(1500, "seed")
        ('1 seed', '1,500 seeds')
    """
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def joined(parts: Iterable[str]) -> str:
    """Join the parts that are not empty with commas."""
    return ", ".join(part for part in parts if part)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def envelope(
    command: str,
    answer: Mapping[str, Any] | None,
    *,
    tables: Mapping[str, Sequence[Row]] | None = None,
    claims: Sequence[Row] = (),
    left_out: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the form that ``--format json`` has for every command.

    Args:
        command: Its words.
        answer: One thing with named parts, where the answer is more than tables.
        tables: Rows by table.
        claims: Rows of ``claims``.
        left_out: What is missing, one line each.
        notes: What to keep in mind, one line each.
    """
    return {
        "command": command,
        "version": __version__,
        "answer": answer,
        "tables": tables or {},
        "claims": list(claims),
        "left_out": list(left_out),
        "notes": list(notes),
    }
