"""How pages show the settings of a space."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.study.view import Field, Sheet
from nasrank.study.view import number as shown

__all__ = ["setting_sheet"]

Row = Mapping[str, Any]
_MOST_LEVELS = 6
_LONGEST = 60
_FEW_VALUES = 20


def setting_sheet(rows: Sequence[Row]) -> Sheet:
    """Lay settings out, a line each; a chain of like settings takes one.

    Args:
        rows: What :func:`nasrank.benchmarks.setting_facts.setting_rows` returns.
    """
    cells = [_cells(members) for members in _chains(rows)]
    fields = (
        Field("name", "setting", keep=9),
        Field("kind", keep=9),
        Field("range", "values", keep=9),
        Field("missing", right=True, keep=5),
        Field("applies", keep=8),
    )
    empty = {name for name in ("missing", "applies") if not any(each[name] for each in cells)}
    return Sheet(cells, tuple(field for field in fields if field.key not in empty))


def _chains(rows: Iterable[Row]) -> list[list[Row]]:
    """Put members of a chain that are alike together, where the first one stands."""
    chains: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row["series"] or row["setting"], row["kind"], row["scale"], *row["levels"])
        chains.setdefault(key, []).append(row)
    return [*chains.values()]


def _cells(members: Sequence[Row]) -> dict[str, str]:
    first = members[0]
    many = len(members) > 1
    kind = f"{first['kind']}, log" if first["scale"] == "log" else first["kind"]
    conditions = [row["applies"] for row in members if row["applies"]]
    applies = conditions[0] if conditions else ""
    if len({*conditions}) > 1 or 0 < len(conditions) < len(members):
        by = dict.fromkeys(row["decided_by"] for row in members if row["decided_by"])
        applies = f"{len(conditions)} of {len(members)}, by {', '.join(by)}"
    # What does not apply is not missing.
    missing = sum(row["missing"] for row in members if not row["applies"])
    return {
        "name": f"{first['series']} ({len(members)})" if many else first["setting"],
        "kind": kind,
        "range": _range(members),
        "missing": shown(missing) if missing else "",
        "applies": applies,
    }


def _range(members: Sequence[Row]) -> str:
    first = members[0]
    if first["kind"] == "number":
        given = [row for row in members if row["lowest"] is not None]
        if not given:
            return "-"
        low = min(row["lowest"] for row in given)
        high = max(row["highest"] for row in given)
        values = max(row["values"] for row in members)
        count = f", {values} values" if 1 < values <= _FEW_VALUES else ""
        return f"{_short(low)} to {_short(high)}{count}"
    between = " < " if first["kind"] == "ordered" else ", "
    levels = first["levels"]
    text = between.join(levels[:_MOST_LEVELS])
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return text if len(levels) <= _MOST_LEVELS else f"{text}{between}... ({len(levels)})"


def _short(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.3g}"
