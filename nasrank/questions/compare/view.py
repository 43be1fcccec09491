"""What people see of a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.questions.compare.options import CompareConfig
from nasrank.runs.tables import DISCOVERY_AT
from nasrank.study.study import Result
from nasrank.study.view import Field, Part, Sheet, bounds, joined, number, plural

__all__ = ["view_comparison"]

Row = Mapping[str, Any]

_MARKED = {
    "kendall_tau": "Kendall tau",
    "discovery": "the top found",
    "first_hit": "evaluations",
}
_FIELDS = (
    Field("loss", keep=9),
    Field("n_train", "n", right=True, keep=9),
    # A mark has a column of its own, so that numbers stand below one another.
    Field("kendall_tau", "Kendall tau", right=True, keep=8),
    Field("marks of Kendall tau", "", keep=8),
    Field("discovery", "top 1 % found\nwith 100 more", right=True, keep=6),
    Field("marks of the top found", "", keep=6),
    Field("evaluations", "evaluations\nto top 0.1 %", right=True, keep=7),
    Field("marks of evaluations", "", keep=7),
    Field("random_evaluations", "by random\nsearch", right=True, keep=4),
    Field("gpu_hours", "GPU-hours /\nby random", right=True, keep=3),
    Field("savings", "saved", right=True, keep=5),
)


def view_comparison(result: Result[CompareConfig]) -> Iterable[Part]:
    """Show the headline: a table for each task and way to sample."""
    predictors = {row["predictor"] for row in result.rows}
    fields = _FIELDS if len(predictors) == 1 else (Field("predictor", keep=9), *_FIELDS)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in result.rows:
        groups.setdefault((row["task"], row["sampling"]), []).append(row)
    for (task, sampling), rows in groups.items():
        title = [
            task,
            *(predictors if len(predictors) == 1 else ()),
            # A run that diverged gives its row one less.
            plural(max(row["n_seeds"] for row in rows), "seed"),
            f"{sampling} sampling" if len({way for _, way in groups}) > 1 else "",
        ]
        yield Sheet([_cells(row) for row in rows], fields, joined(title))
    yield (
        "Kendall tau: mean over seeds ± half its 95 % interval. * best of its n, = not told apart "
        f"from it (paired, Holm, p > .05). {_about_evaluations(result.rows)}"
    )


def _about_evaluations(rows: Sequence[Row]) -> str:
    known = sorted({row["confidence"] for row in rows} - {None}, reverse=True)
    if not known:
        return (
            "No evaluations are counted: the top 0.1 % of so small a space is less than one "
            "architecture."
        )
    shares = " or ".join(f"{100 * confidence:.0f} %" for confidence in known)
    return (
        f"Evaluations count the training set and hold with {shares} confidence over seeds; in "
        "brackets their 95 % interval, open above where seeds are too few for it."
    )


def _cells(row: Row) -> dict[str, Any]:
    found, hours = row[DISCOVERY_AT.name], row["gpu_hours"]
    reached = bounds(row["evaluations_lower"], row["evaluations_upper"], number)
    against = f" / {row['random_gpu_hours']:,.0f}" if row["random_gpu_hours"] is not None else ""
    return {
        "predictor": row["predictor"],
        "loss": row["loss"],
        "n_train": row["n_train"],
        "kendall_tau": _mean(row["kendall_tau"], row["kendall_tau_upper"]),
        "discovery": "-" if found is None else f"{100 * found:.0f} %",
        "evaluations": " ".join(filter(None, (number(row["evaluations"]), reached))),
        "random_evaluations": row["random_evaluations"],
        "gpu_hours": "-" if hours is None else f"{hours:,.0f}{against}",
        "savings": "-" if row["savings"] is None else f"{100 * row['savings']:.1f} %",
        **{
            f"marks of {what}": _mark(row[f"{name}_rank"], row[f"{name}_p_holm"])
            for name, what in _MARKED.items()
        },
    }


def _mean(mean: float | None, upper: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.3f}" if upper is None else f"{mean:.3f} ± {upper - mean:.3f}"


def _mark(rank: int | None, p_holm: float | None) -> str:
    """Mark the best loss and those the paired test cannot tell from it."""
    if rank is None:
        return ""
    if rank == 1:
        return "*"
    return "=" if p_holm is None or p_holm > 0.05 else ""
