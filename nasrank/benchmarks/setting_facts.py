"""What there is to say of the settings of a space: kinds, ranges, conditions."""

from itertools import pairwise
from typing import Any

import numpy as np

from nasrank.graphs.settings import Condition, Setting, Settings

__all__ = ["condition_text", "setting_rows"]

_MOST_LISTED = 6


def setting_rows(settings: Settings) -> list[dict[str, Any]]:
    """Describe every setting.

    Args:
        settings: The settings of all architectures.

    Returns:
        For each setting: setting (its name), kind, scale (``linear`` or ``log`` of a number, else
        None), levels (of what is no number, else empty), lowest and highest (numbers, or levels;
        None where there are none), values (how many differ), missing (how many architectures lack
        it), applies (where it applies, None where it always does), decided_by (the setting that
        says so, or None), series and position (of a chain, else None).
    """
    names = {column.name: column for column in settings.columns}
    rows = []
    for column, values in zip(settings.columns, settings.values.T, strict=True):
        known = values[~np.isnan(values)]
        number = column.kind == "number"
        rows.append(
            {
                "setting": column.name,
                "kind": column.kind,
                "scale": column.scale if number else None,
                "levels": list(column.levels),
                "lowest": _end(column, known.min()) if len(known) else None,
                "highest": _end(column, known.max()) if len(known) else None,
                "values": len(np.unique(known)),
                "missing": int(len(values) - len(known)),
                "applies": None
                if column.condition is None
                else condition_text(column.condition, names[column.condition.setting]),
                "decided_by": None if column.condition is None else column.condition.setting,
                "series": column.series or None,
                "position": column.position if column.series else None,
            }
        )
    return rows


def _end(column: Setting, value: float) -> float | str:
    return float(value) if column.kind == "number" else column.shown(value)


def condition_text(condition: Condition, decided_by: Setting) -> str:
    """Say where a setting applies, such as ``where depth is 4 or 5``.

    Args:
        condition: The condition.
        decided_by: The setting that it names.

    Example:
        >>> condition_text(Condition("depth", (4.0, 5.0)), Setting("depth", "number"))
        'where depth is 4 or 5'
    """
    shown = [decided_by.shown(value) for value in condition.values]
    if decided_by.kind == "number" and len(shown) > 2:
        text = f"from {shown[0]} to {shown[-1]}" if _is_run(condition.values) else ""
    else:
        text = ""
    if not text and len(shown) > _MOST_LISTED:
        text = f"one of {len(shown)} values"
    if not text:
        text = " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    return f"where {condition.setting} is {text}"


def _is_run(values: tuple[float, ...]) -> bool:
    """Whether values are whole numbers without a gap."""
    return all(b - a == 1 for a, b in pairwise(values))
