"""Optuna's journal: what happened to its studies, a JSON object per line.

Op codes: 0 makes a study, 1 deletes one, 3 notes something about it, 4 makes a trial, 5 sets a
parameter, 6 a state and values, 8 an attribute; the others say nothing about results.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nasrank.benchmarks.importers.dialect import numbered_lines
from nasrank.benchmarks.importers.optuna_study import TRIAL_LIMIT, Study, Trial
from nasrank.benchmarks.importers.optuna_values import (
    LOWER,
    parameter_value,
    scale_of,
    seconds_between,
)
from nasrank.errors import DataError

__all__ = ["is_journal", "read_journal"]

_STATES = ("running", "complete", "pruned", "fail", "waiting")
_FINISHED = {"complete", "pruned", "fail"}
_REMEDY = "Copy the journal again while nobody writes it"

_Entry = Mapping[str, object]


def is_journal(path: Path) -> bool:
    """Return whether the first line of a file is an entry of a journal; never raises."""
    try:
        _, line = next(numbered_lines(path), (1, ""))
        entry = json.loads(line) if line.startswith('{"') and '"op_code"' in line else None
    except (DataError, ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and type(entry.get("op_code")) is int


def read_journal(path: Path) -> list[Study]:
    """Read all studies of a journal that are not deleted.

    An entry about a trial that is finished or not there counts for nothing, as in Optuna. A last
    line that was cut off is skipped.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, a line is no entry, or there are too many trials.
    """
    journal = _Journal()
    for place, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            journal.apply(entry)
        except json.JSONDecodeError as error:
            if not line.endswith("\n"):
                break
            raise DataError(f"{path}: line {place}: not JSON. {_REMEDY}") from error
        except ValueError as error:
            raise DataError(f"{path}: line {place}: {error}. {_REMEDY}") from error
        except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path}: line {place}: not an entry of an Optuna journal. {_REMEDY}"
            ) from error
        if len(journal.trials) > TRIAL_LIMIT:
            raise DataError(f"{path}: more than {TRIAL_LIMIT:,} trials. Import another study")
    return [*journal.studies.values()]


@dataclass
class _Journal:
    """The studies after some entries.

    Attributes:
        studies: Studies by number.
        trials: All trials, numbered over all studies.
        started: When each trial started.
        made: How many studies were ever made.
    """

    studies: dict[int, Study] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    started: list[object] = field(default_factory=list)
    made: int = 0

    def apply(self, entry: _Entry) -> None:
        """Take in one entry; raises whatever a wrong one causes."""
        code = entry["op_code"]
        if code == 0:
            self._make_study(entry)
        elif code == 4:
            self._make_trial(entry)
        elif code in {1, 3}:
            study = self.studies.get(_whole(entry["study_id"]))
            if study is not None and code == 1:
                del self.studies[_whole(entry["study_id"])]
            elif study is not None:
                names = _mapping(entry["system_attr"]).get("study:metric_names")
                if isinstance(names, list):
                    study.objectives = [str(name) for name in names]
        elif code in {5, 6, 8}:
            number = _whole(entry["trial_id"])
            known = 0 <= number < len(self.trials)
            if known and self.trials[number].state not in _FINISHED:
                self._change(self.trials[number], number, code, entry)
        elif not isinstance(code, int):
            raise TypeError

    def _make_study(self, entry: _Entry) -> None:
        name, directions = str(entry["study_name"]), entry["directions"]
        if name not in [study.name for study in self.studies.values()]:
            self.studies[self.made] = Study(name, [LOWER[_whole(each)] for each in directions])  # type: ignore[attr-defined]
            self.made += 1

    def _make_trial(self, entry: _Entry) -> None:
        study = self.studies.get(_whole(entry["study_id"]))
        if study is None:
            return
        trial = Trial(len(study.trials), _STATES[_whole(entry.get("state", 0))])
        kinds = _mapping(entry.get("distributions", {}))
        for name, stored in _mapping(entry.get("params", {})).items():
            trial.parameters[name] = parameter_value(stored, kinds[name])
            trial.scales[name] = scale_of(kinds[name])
        trial.attributes |= _mapping(entry.get("user_attrs", {}))
        single = entry.get("value")
        trial.values = _values(entry.get("values") or ([] if single is None else [single]))
        start = entry.get("datetime_start")
        trial.seconds = seconds_between(start, entry.get("datetime_complete"))
        study.trials.append(trial)
        self.trials.append(trial)
        self.started.append(start)

    def _change(self, trial: Trial, number: int, code: object, entry: _Entry) -> None:
        if code == 5:
            name, kind = str(entry["param_name"]), entry["distribution"]
            trial.parameters[name] = parameter_value(entry["param_value_internal"], kind)
            trial.scales[name] = scale_of(kind)
        elif code == 6:
            trial.state = _STATES[_whole(entry["state"])]
            trial.values = _values(entry.get("values") or trial.values)
            self.started[number] = entry.get("datetime_start", self.started[number])
            trial.seconds = seconds_between(self.started[number], entry.get("datetime_complete"))
        else:
            trial.attributes |= _mapping(entry["user_attr"])


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError
    return value


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _values(value: object) -> list[float]:
    if not isinstance(value, list):
        raise TypeError
    return [float(each) for each in value]
