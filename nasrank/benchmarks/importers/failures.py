"""Trials that failed, as tables tell it: by a status, in place of a label, or beside it."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.importers.cells import Cell, cell_of, yes_or_no
from nasrank.benchmarks.importers.column_roles import words_of
from nasrank.benchmarks.importers.columns import number_of, says_failed, stray_cell
from nasrank.benchmarks.importers.records import Records

__all__ = ["Outcomes", "read_outcomes", "status_columns"]

# Stopped because it was bad: what it reached by then is not comparable with whole trainings.
_STOPPED = {"pruned", "stopped_early", "early_stopped", "nan", "oom"}
_GOING_ON = {
    *("running", "pending", "waiting", "queued", "scheduled", "paused", "started"),
    # No fault of the architecture, so it may be tried again.
    *("preempted", "cancelled", "canceled"),
}
_DONE = {
    *("complete", "completed", "finished", "finish", "done", "success", "successful"),
    *("succeeded", "ok", "terminated", "evaluated", "trained"),
}
_STATUS = {"status", "state", "outcome"}
_IF_TRUE = {"diverged", "failed", "crashed", "pruned", "oom"}
_REASONS = {"reason", "exception", "traceback", "message", "error", "failure"}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What came of every row.

    Attributes:
        values: ``[N, R]`` labels; NaN where there is none, and in all of a failed row.
        failed: ``[N]`` True where a training was tried and every one failed.
        reasons: How many failed, by the first reason found, such as ``status crashed``.
        unfinished: Rows that are not done yet, by their status; they have no label.
    """

    values: NDArray[np.float64]
    failed: NDArray[np.bool_]
    reasons: Mapping[str, int]
    unfinished: int


def status_columns(records: Records, labels: Collection[str]) -> tuple[str, ...]:
    """Return the columns that say what came of a row.

    They are columns of words such as ``status`` that are all or mostly known to mean done, failed
    or going on; columns such as ``diverged``; and columns such as ``fail_reason``.
    """
    found = []
    for name in records.columns:
        words = words_of(name)
        kinds = [words[-1:] and words[-1] in _STATUS, {*words} & _IF_TRUE, {*words} & _REASONS]
        if name in labels or not any(kinds):
            continue
        cells = [*map(cell_of, records.column(name))]
        tests = (_is_status, _tells, _only_words)
        if any(kind and test(cells) for kind, test in zip(kinds, tests, strict=True)):
            found.append(name)
    return tuple(found)


def read_outcomes(records: Records, labels: Sequence[str], statuses: Sequence[str]) -> Outcomes:
    """Read labels, and which rows failed.

    A row failed if a status says so, whatever its label; or if it has no label and one of the
    label columns says NaN, infinity or that it failed, or a column gives a reason. An empty label
    alone means that the row was not evaluated. A pruned trial counts as failed.

    Args:
        records: The rows.
        labels: Label columns.
        statuses: What :func:`status_columns` returns.

    Raises:
        DataError: A label is neither a number nor one of these words; the message names the row.
    """
    count = len(records)
    values = np.full((count, len(labels)), np.nan)
    why: list[str | None] = [None] * count
    for place, name in enumerate(labels):
        given = records.column(name)
        stray = stray_cell(given)
        if stray is not None:
            raise records.error(stray[0], f"{name} {stray[1]}")
        for row, cell in enumerate(given):
            number, reason = _label(name, cell)
            values[row, place] = number
            why[row] = why[row] or reason
    labelled = ~np.isnan(values).all(axis=1)
    # A training among several that failed leaves the others as they are.
    why = [None if known else reason for known, reason in zip(labelled, why, strict=True)]
    going_on = np.zeros(count, np.bool_)
    for name in statuses:
        words = words_of(name)
        cells = [*map(cell_of, records.column(name))]
        if words[-1] in _STATUS:
            for row, cell in enumerate(cells):
                word = _plain(cell)
                if _is_failed(word):
                    why[row] = f"{name} {word}"
                going_on[row] |= word in _GOING_ON
        elif {*words} & _IF_TRUE:
            truths = _truths(cells)
            why = [name if true else old for true, old in zip(truths, why, strict=True)]
        else:
            for row, cell in enumerate(cells):
                if cell is not None and not labelled[row] and why[row] is None:
                    why[row] = f"{name} given"
    failed = np.array([reason is not None for reason in why], np.bool_)
    going_on &= ~failed
    values[failed | going_on] = np.nan
    reasons = Counter(reason for reason in why if reason is not None)
    return Outcomes(values, failed, dict(reasons.most_common()), int(going_on.sum()))


def _label(name: str, given: object) -> tuple[float, str | None]:
    """Return a label, NaN where there is none, and why a training failed."""
    if isinstance(given, str) and says_failed(given):
        return math.nan, f"{name} {_plain(given)[:40]}"
    number = number_of(given) if isinstance(given, str) else given
    if not isinstance(number, int | float):
        return math.nan, None
    if not math.isfinite(number):
        return math.nan, f"{name} {'nan' if math.isnan(number) else 'inf'}"
    return float(number), None


def _is_failed(word: str) -> bool:
    return word in _STOPPED or (word not in _GOING_ON and says_failed(word))


def _plain(cell: Cell) -> str:
    text = cell if isinstance(cell, str) else ""
    return text.rpartition(".")[2].strip().lower().replace(" ", "_").replace("-", "_")


def _is_status(cells: Sequence[Cell]) -> bool:
    words = [_plain(cell) for cell in cells if cell is not None]
    known = sum(word in _GOING_ON | _DONE or _is_failed(word) for word in words)
    return known > 0 and 2 * known > len(words)


def _tells(cells: Sequence[Cell]) -> bool:
    """Whether a column is all yes and no, or given in some rows alone."""
    known = [cell for cell in cells if cell is not None]
    return bool(known) and (
        all(yes_or_no(cell) is not None for cell in known) or len(known) < len(cells)
    )


def _truths(cells: Sequence[Cell]) -> list[bool]:
    said = [None if cell is None else yes_or_no(cell) for cell in cells]
    if all(cell is None or one is not None for cell, one in zip(cells, said, strict=True)):
        return [bool(one) for one in said]
    # Such as the epoch at which a training diverged.
    return [cell is not None for cell in cells]


def _only_words(cells: Sequence[Cell]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, str) for cell in known)
