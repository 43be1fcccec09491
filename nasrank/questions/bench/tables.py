"""The table of ``bench``: one measurement of speed or memory a row."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from nasrank.tables import Table, count, flag, number, text

__all__ = ["BENCH", "Measurement", "Setting", "Trend"]

_SHARED = "not of one setting"

BENCH = Table(
    "bench",
    "One measurement.",
    (
        text("name", "What was measured."),
        text("axis", "What varies in its series.", _SHARED),
        text("predictor", "Name of the predictor.", _SHARED),
        count("members", "predictors", "Trained together.", _SHARED),
        count("n_train", "architectures", "Trained on by each.", _SHARED),
        count("architectures", "architectures", "Different ones scored.", _SHARED),
        count("nodes", "nodes", "The most one architecture has.", _SHARED),
        number("value", "", "The measured value, in the unit of this row."),
        text("unit", "Unit of value and goal."),
        number("goal", "", "The goal for it.", "no goal"),
        text("better", "higher or lower."),
        flag("reached", "Whether the goal is reached.", "no goal"),
        number("floor", "", "The least that it could be here, measured beside it.", "none known"),
        number("ratio", "1", "How many times the floor it is.", "no floor", better="lower"),
        text("note", "How it was measured."),
    ),
)


@dataclass(frozen=True)
class Setting:
    """Where in a series something was measured.

    Attributes:
        axis: What varies: ``members``, ``n_train``, ``architectures`` or ``nodes``.
        predictor: Name of the predictor.
        members: Predictors trained together.
        n_train: Architectures each is trained on.
        architectures: Different architectures laid out and scored.
        nodes: Nodes of the largest of them.
    """

    axis: str
    predictor: str
    members: int
    n_train: int
    architectures: int
    nodes: int


@dataclass(frozen=True)
class Trend:
    """A whole series.

    Attributes:
        axis: What varies in it.
        predictor: Name of the predictor.
    """

    axis: str
    predictor: str


@dataclass(frozen=True)
class Measurement:
    """One line of the result.

    Attributes:
        name: What was measured; it ends with the unit where that is seconds.
        value: What came out.
        unit: Its unit.
        note: How it was measured.
        goal: What is aimed at, or None.
        better: ``higher`` or ``lower``.
        setting: The series or the point of one that it belongs to; None for what stands alone.
        floor: The least that it could be here, or None.
    """

    name: str
    value: float
    unit: str
    note: str
    goal: float | None = None
    better: str = "lower"
    setting: Setting | Trend | None = None
    floor: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "higher" else self.value <= self.goal

    def row(self) -> dict[str, str | float | bool | None]:
        """Return it as a row of :data:`BENCH`."""
        where: dict[str, str | int | None] = dict.fromkeys(f.name for f in fields(Setting))
        return {
            "name": self.name,
            **where,
            **({} if self.setting is None else asdict(self.setting)),
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "better": self.better,
            "reached": self.reached,
            "floor": self.floor,
            "ratio": self.value / self.floor if self.floor else None,
            "note": self.note,
        }
