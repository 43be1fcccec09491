"""Controls: what a measure says of inputs whose answer is known, before a claim rests on it.

A study declares them (`nasrank.study.study.Study.controls`). A measure that fails one of its
controls gives no verdict: the claims that rest on it are "not measurable".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nasrank.study.view import Field, Part, Sheet, number, plural
from nasrank.tables import Table, flag, share, text

__all__ = [
    "CONTROLS",
    "NOT_MEASURABLE",
    "Control",
    "Kind",
    "controls_parts",
    "negative",
    "positive",
    "unchanged",
    "vouched",
]

Row = Mapping[str, Any]
Kind = Literal["positive", "negative", "unit"]

NOT_MEASURABLE = "not measurable"
"""The verdict on a claim that rests on a measure which a control fools, or which has none."""

_FOOLED = 0.25
"""How far from chance towards the best value a negative control may come."""
_GOOD = 0.75
"""How far a positive control must come."""
_ROUNDING = 0.01
"""How far a value may move with the unit or the origin, as a share of the same way."""

CONTROLS = Table(
    "controls",
    "What one measure says of an input whose answer is known",
    (
        text("measure", "The column that the control vouches for"),
        text("kind", "positive: a good value is right; negative: a bad one is; unit: nothing may "
             "change"),
        text("control", "The input"),
        share("value", "What the measure says", "it says that it has no value, which is right"),
        share("least", "The least that is right", "no bound"),
        share("most", "The most that is right", "no bound"),
        flag("passed", "Whether the value is right"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Control:
    """One measure on one input.

    Attributes:
        measure: The column.
        kind: What the input is to show.
        control: The input, in words.
        value: What the measure says; None where it says that it cannot say.
        least: The least that is right; None for no bound.
        most: The most that is right; None for no bound.
    """

    measure: str
    kind: Kind
    control: str
    value: float | None
    least: float | None = None
    most: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the value is right; so is that there is none."""
        if self.value is None:
            return True
        low, high = _bounds(self.least, self.most)
        return math.isfinite(self.value) and low <= self.value <= high

    @property
    def slack(self) -> float:
        """How far the value is within its bounds; negative where it is outside."""
        if self.value is None:
            return math.inf
        low, high = _bounds(self.least, self.most)
        return min(self.value - low, high - self.value)

    def row(self) -> dict[str, Any]:
        """Return its row of `CONTROLS`."""
        return {column.name: getattr(self, column.name) for column in CONTROLS.columns}


def positive(
    measure: str, control: str, value: float | None, *, best: float, chance: float
) -> Control:
    """Make a control of which the measure must say that it is good: near ``best``."""
    bound = chance + _GOOD * (best - chance)
    # Where low values are good, the bound is one from above.
    ends = {"least": bound} if best >= chance else {"most": bound}
    return Control(measure, "positive", control, value, **ends)


def negative(
    measure: str, control: str, value: float | None, *, best: float, chance: float
) -> Control:
    """Make a control of which the measure must say that it is bad: near ``chance`` or beyond."""
    bound = chance + _FOOLED * (best - chance)
    ends = {"most": bound} if best >= chance else {"least": bound}
    return Control(measure, "negative", control, value, **ends)


def unchanged(
    measure: str, control: str, value: float | None, *, usual: float | None, span: float
) -> Control:
    """Make a control of which the measure must say what it says of the input as it was.

    Args:
        measure: The column.
        control: What was done to the input.
        value: What the measure says now.
        usual: What it said before.
        span: From the value of chance to the best one.
    """
    if usual is None:
        return Control(measure, "unit", control, value)
    room = _ROUNDING * abs(span)
    # A value that is gone is one that changed.
    seen = math.nan if value is None else value
    return Control(measure, "unit", control, seen, usual - room, usual + room)


def vouched(claims: Iterable[Row], controls: Sequence[Control]) -> list[dict[str, Any]]:
    """Give every claim its control, and no verdict where a control fools one of its measures.

    Args:
        claims: Rows of `~nasrank.study.claims.CLAIMS`.
        controls: The controls.

    Returns:
        The claims with the control that counts most: one that is not passed, or the negative one
        that comes nearest to its bound.

    Example:
        >>> from nasrank.study.claims import claim_row
        >>> claim = claim_row("a", "it is sharp", "digits", [0.1] * 5, source="pr: precision",
        ...                   measures=("precision",))
        >>> noise = negative("precision", "noise", 0.868, best=0.96, chance=0.0)
        >>> [row] = vouched([claim], [noise])
        >>> row["verdict"], row["control"], row["control_value"]
        ('not measurable', 'precision: noise', 0.868)
    """
    of: dict[str, list[Control]] = {}
    for control in controls:
        of.setdefault(control.measure, []).append(control)
    found = []
    for claim in claims:
        names = claim["measures"].split(", ") if claim["measures"] else []
        bare = [name for name in names if name not in of] or ([] if names else ["it"])
        if bare:
            told = f"{bare[0]} has no control"
            found.append({**claim, "verdict": NOT_MEASURABLE, "control": told})
            continue
        first = min((each for name in names for each in of[name]), key=_weight)
        found.append(
            {
                **claim,
                "verdict": claim["verdict"] if first.passed else NOT_MEASURABLE,
                "control": f"{first.measure}: {first.control}",
                "control_value": first.value,
            }
        )
    return found


def controls_parts(controls: Sequence[Row]) -> list[Part]:
    """Return rows of ``controls`` as people read them: those that are not passed, and a count."""
    if not controls:
        return []
    failed = [row for row in controls if not row["passed"]]
    measures = {row["measure"] for row in controls}
    fooled = {row["measure"] for row in failed}
    line = f"{plural(len(controls), 'control')} of {plural(len(measures), 'measure')}"
    if not failed:
        return [f"{line}: all passed."]
    fields = (
        Field("measure", keep=9),
        Field("control", keep=9),
        Field("value", right=True, keep=9),
        Field("right", of=_right, show=str, right=True, keep=8),
    )
    line += (
        f": {plural(len(failed), 'control')} not passed. Claims on {', '.join(sorted(fooled))} "
        "are not measurable here."
    )
    return [Sheet(failed, fields, "Controls that were not passed"), line]


def _right(row: Row) -> str:
    low, high = row["least"], row["most"]
    if low is None or high is None:
        return f"{number(high)} at most" if low is None else f"{number(low)} at least"
    return f"{number(low)} to {number(high)}"


def _weight(control: Control) -> tuple[bool, int, float]:
    order = {"negative": 0, "positive": 1, "unit": 2}
    slack = control.slack
    return control.passed, order[control.kind], -math.inf if math.isnan(slack) else slack


def _bounds(least: float | None, most: float | None) -> tuple[float, float]:
    return (-math.inf if least is None else least), (math.inf if most is None else most)
