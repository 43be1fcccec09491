"""An Optuna study as a table: a row for each trial, read without Optuna.

A study lies in a journal, which is a file of JSON lines, or in an SQLite database. Its parameters
become settings, its objective the label, with the direction that the study has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nasrank.benchmarks.importers.column_names import OWN
from nasrank.benchmarks.importers.columns import printable
from nasrank.errors import DataError, UsageError
from nasrank.registry import unknown_name

__all__ = ["Study", "StudyTable", "Trial", "chosen_study", "study_table"]

TRIAL_LIMIT = 1_000_000
"""Maximum number of trials of a file."""

_MOST_SHOWN = 12


@dataclass
class Trial:
    """One trial.

    Attributes:
        number: Its number in the study, from 0.
        state: ``complete``, ``pruned``, ``fail``, ``running`` or ``waiting``.
        parameters: What was tried, by name.
        values: One value for each objective; empty before it is complete.
        seconds: How long it took, or None.
        attributes: What the user noted about it.
        scales: ``log`` or ``linear`` for each parameter that is a number.
    """

    number: int
    state: str
    parameters: dict[str, object] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    seconds: float | None = None
    attributes: dict[str, object] = field(default_factory=dict)
    scales: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Study:
    """One study.

    Attributes:
        name: Its name.
        lower: For each objective whether lower is better.
        trials: Its trials, by number.
        objectives: Names of the objectives, or nothing.
    """

    name: str
    lower: list[bool]
    trials: list[Trial] = field(default_factory=list)
    objectives: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StudyTable:
    """A study as rows.

    Attributes:
        columns: ``id``, the parameters, the objectives (``label`` where there is one), ``status``,
            ``cost_seconds`` and what the user noted.
        rows: A row for each trial; what a trial lacks is None.
        places: Number of the trial of each row.
        results: Columns that are no settings.
        lower: Whether lower is better, by column of an objective.
        scales: ``log`` or ``linear``, by column of a parameter that is a number in every trial.
        notes: What the user may want to know, a clause each.
    """

    columns: tuple[str, ...]
    rows: list[dict[str, object]]
    places: list[int]
    results: frozenset[str]
    lower: dict[str, bool]
    scales: dict[str, str]
    notes: tuple[str, ...]


def chosen_study(path: Path, studies: Sequence[Study], name: str | None) -> Study:
    """Choose a study of a file.

    Args:
        path: The file, for messages.
        studies: Its studies.
        name: The name of one, or None where there should be only one.

    Raises:
        UsageError: There is no study of that name, or there are several and no name is given.
        DataError: There is no study.
    """
    names = [study.name for study in studies]
    if not names:
        raise DataError(f"{path}: it holds no study. Check the path")
    if name is not None:
        if name not in names:
            raise unknown_name("study", name, map(printable, names))
        return studies[names.index(name)]
    if len(names) > 1:
        shown = ", ".join(printable(each[:60]) for each in names[:_MOST_SHOWN])
        raise UsageError(f"{path}: it holds {len(names)} studies: {shown}. Name one with --study")
    return studies[0]


def study_table(path: Path, study: Study) -> StudyTable:
    """Write a study as rows.

    Trials of which no parameter is known are left out, as those that wait to be started are. Only
    complete trials have a label. A parameter that is called like a column with another meaning
    becomes ``params.NAME``.

    Args:
        path: The file, for messages.
        study: The study.

    Raises:
        DataError: No trial has a parameter.
    """
    trials = [trial for trial in study.trials if trial.parameters]
    if not trials:
        raise DataError(f"{path}: the study {study.name[:60]!a} has no trial. Check the path")
    objectives = _objectives(study)
    known = {*objectives, "status"}
    names = dict.fromkeys(name for trial in trials for name in trial.parameters)
    titles = {
        name: f"params.{printable(name)}" if OWN.know(name) or name in known else printable(name)
        for name in names
    }
    noted = dict.fromkeys(name for trial in trials for name in trial.attributes)
    notes = []
    left_out = len(study.trials) - len(trials)
    if left_out:
        notes.append(f"{left_out:,} trials without parameters were left out")
    seconds = any(trial.seconds for trial in trials)
    if seconds:
        notes.append("the time that a trial took is its cost")
    rows = []
    for trial in trials:
        complete = trial.state == "complete"
        values = trial.values if complete and len(trial.values) == len(objectives) else []
        rows.append(
            {
                "id": f"trial {trial.number}",
                **{title: trial.parameters.get(name) for name, title in titles.items()},
                **dict.fromkeys(objectives),
                **dict(zip(objectives, values, strict=False)),
                "status": trial.state,
                **({"cost_seconds": trial.seconds} if seconds else {}),
                **{f"user_attrs.{printable(name)}": trial.attributes.get(name) for name in noted},
            }
        )
    columns = tuple(rows[0])
    return StudyTable(
        columns,
        rows,
        [trial.number for trial in trials],
        frozenset(name for name in columns if name not in titles.values()),
        dict(zip(objectives, study.lower, strict=False)),
        {title: scale for name, title in titles.items() if (scale := _scale(trials, name))},
        tuple(notes),
    )


def _scale(trials: Sequence[Trial], name: str) -> str | None:
    """Return the scale of a parameter; None where trials differ, or a value has no logarithm."""
    given = [trial for trial in trials if name in trial.parameters]
    found = {trial.scales.get(name) for trial in given}
    if len(found) > 1 or (
        found == {"log"} and not all(_is_positive(each, name) for each in given)
    ):
        return None
    return found.pop()


def _is_positive(trial: Trial, name: str) -> bool:
    value = trial.parameters[name]
    return isinstance(value, int | float) and value > 0


def _objectives(study: Study) -> list[str]:
    """Name the columns of the objectives."""
    if len(study.lower) == 1:
        return ["label"]
    names = [printable(name) for name in study.objectives]
    if len({*names}) == len(study.lower) and not any(map(OWN.know, names)):
        return names
    return [f"values_{place}" for place in range(len(study.lower))]
