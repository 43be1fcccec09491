"""What to know about a list: notes, what new labels changed, labels held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.metrics import kendall_tau
from nasrank.questions.rank.case import Case, operations_unseen, settings_unseen
from nasrank.questions.rank.model import Model
from nasrank.questions.rank.pool import Found

__all__ = ["Change", "change_row", "notes_of", "truth_row"]

Row = dict[str, Any]

_TOP = 0.1
_ALPHA = 0.05
_MOST_NAMED = 3


@dataclass(frozen=True, eq=False)
class Change:
    """What an update did.

    Attributes:
        before: What was evaluated before, or None where that was too little to learn from.
        new: Architectures labelled for the first time.
        replaced: Architectures whose label was another one.
    """

    before: Case | None
    new: int
    replaced: int


def notes_of(model: Model, found: Found, order: NDArray[np.int64], rows: list[Row]) -> list[str]:
    """Return what to keep in mind about a list, one line each."""
    case, calibration, held = model.case, model.calibration, model.held
    from scipy.stats import kendalltau

    notes = _notes_on(case)
    count = len(case.items)
    unsure = held.min() == held.max() or float(kendalltau(held, case.labels).pvalue) > _ALPHA
    if unsure:
        notes.append(
            f"with {count} labels the order of held-out architectures is no better than chance "
            "(p > .05): evaluate more at random before you trust this list"
        )
    if np.isnan(calibration.reach).any():
        least = int(np.ceil(round(calibration.confidence / (1 - calibration.confidence), 9)))
        notes.append(
            f"{count} labels are too few for intervals that cover {calibration.confidence:.0%} of "
            f"labels; each part of the score's range needs {least}"
        )
    beyond = sum(row["extrapolated"] for row in rows)
    if beyond:
        notes.append(
            f"{beyond} of {len(rows)} score outside the range of the evaluated ones: their values "
            "are extrapolated"
        )
    unseen = operations_unseen(case, found.graphs[order])
    if unseen:
        notes.append(
            f"no evaluated architecture has the operation {', '.join(unseen)}: scores with it are "
            "guesses"
        )
    beyond_seen = settings_unseen(case, found.graphs[order])
    if beyond_seen:
        rest = len(beyond_seen) - _MOST_NAMED
        notes.append(
            f"no evaluated architecture reaches {', '.join(beyond_seen[:_MOST_NAMED])}"
            f"{f' and {rest} more' if rest > 0 else ''}: scores with it are guesses"
        )
    if found.evaluated:
        notes.append(
            f"{found.evaluated:,} candidates are already evaluated, or have the same "
            f"{case.told_by} as one that is, and were skipped"
        )
    return notes


def _notes_on(case: Case) -> list[str]:
    if case.truth is not None:
        return []
    task, notes = case.task, []
    again = int(task.evaluated.sum()) - len(case.items)
    if again > 0:
        notes.append(
            f"{again} evaluated architectures have the same {case.told_by} as another: they count "
            "once, with the mean label"
        )
    if task.failed is not None and (failed := int(task.failed.sum())):
        notes.append(
            f"{failed} evaluated architectures failed: they count as level with the worst label, "
            "and are not proposed again"
        )
    return notes


def change_row(change: Change, model: Model, found: Found, top: int) -> Row:
    """Compare the list with that of a predictor trained on what was evaluated before.

    Returns:
        ``new_labels``, ``replaced_labels``, ``rank_correlation`` (Kendall tau of ``compared``
        candidates' scores before and now), ``stay_in_list`` (of the first ``top``), ``new_tau``
        (of the earlier scores of what is newly evaluated with its labels), ``new_best`` (how many
        of these beat the best before), ``best_before``, ``best_now`` and ``new_in_top_tenth`` (how
        many of these are in the top tenth of all labels). None where there is nothing to compare.
    """
    case = model.case
    row: Row = {
        "new_labels": change.new,
        "replaced_labels": change.replaced,
        "rank_correlation": None,
        "compared": 0,
        "stay_in_list": None,
        "new_tau": None,
        "new_best": None,
        "best_before": None,
        "best_now": float(case.sign * case.labels.max()),
        "new_in_top_tenth": None,
    }
    before = change.before
    if before is None:
        return row
    earlier = model.training.fit(before)
    old, _ = earlier.score(found.graphs)
    size = min(top, len(old))
    old_list = set(np.lexsort((np.array(found.ids), -old))[:size].tolist())
    fresh = np.flatnonzero(~np.isin(case.items, before.items))
    row |= {
        "rank_correlation": _tau(old, found.scores),
        "compared": len(old),
        "stay_in_list": len(old_list & set(range(size))),
        "best_before": float(case.sign * before.labels.max()),
    }
    if len(fresh):
        predicted, _ = earlier.score(case.graphs[case.items[fresh]])
        labels = case.labels[fresh]
        border = np.quantile(case.labels, 1 - _TOP)
        row |= {
            "new_tau": _tau(predicted, labels),
            "new_best": int((labels > before.labels.max()).sum()),
            "new_in_top_tenth": int((labels >= border).sum()),
        }
    return row


def truth_row(model: Model, found: Found, order: NDArray[np.int64]) -> Row | None:
    """Compare scores and values with labels that were held back; None where there are none."""
    case, calibration = model.case, model.calibration
    if case.truth is None or not found.of_space:
        return None
    truth = case.truth[found.rows]
    values, reach = calibration.values(found.scores), calibration.reaches(found.scores)
    inside = np.abs(values - truth) <= reach
    size = len(order)
    border = np.sort(truth)[-size]
    in_list = truth[order]
    known = not np.isnan(reach).any()
    return {
        "kendall_tau": _tau(found.scores, truth),
        "best_in_list": float(case.sign * in_list.max()),
        "best_rank_in_list": int((truth > in_list.max()).sum()) + 1,
        "best_possible": float(case.sign * truth.max()),
        "truly_in_list": int((in_list >= border).sum()),
        "coverage": float(inside.mean()) if known else None,
        "coverage_of_list": float(inside[order].mean()) if known else None,
        "mean_absolute_error": float(np.abs(values - truth).mean()),
        "mean_absolute_error_of_list": float(np.abs(values - truth)[order].mean()),
    }


def _tau(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    tau = kendall_tau(a, b)
    return None if np.isnan(tau) else tau
