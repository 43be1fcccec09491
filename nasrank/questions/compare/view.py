"""What people see of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nasrank.questions.compare.options import CompareConfig
from nasrank.runs.lists import LISTS
from nasrank.runs.tables import (
    DISCOVERY_AT,
    EVALUATIONS,
    OVERALL,
    OWN_METRICS,
    RUNS,
    SUMMARY,
)
from nasrank.study.study import Result
from nasrank.study.view import (
    Bar,
    Chart,
    Field,
    Part,
    Sheet,
    differing,
    grouped,
    joined,
    number,
    plural,
    with_interval,
)

__all__ = ["view_comparison"]

Row = Mapping[str, Any]

_TAU, _COST = RUNS.column("kendall_tau"), EVALUATIONS["first_hit_0.1pct"]


def _found(row: Row) -> str:
    return "-" if row[DISCOVERY_AT.name] is None else f"{100 * row[DISCOVERY_AT.name]:.0f} %"


def _tau(row: Row) -> str:
    return _with_half(row["kendall_tau"], row["kendall_tau_upper"])


def _mean(row: Row) -> str:
    return _with_half(row["mean"], row["upper"])


def _with_half(mean: float | None, upper: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.3f}" if upper is None else f"{mean:.3f} ± {upper - mean:.3f}"


def _hours(row: Row) -> str:
    hours, by_random = row["gpu_hours"], row["random_gpu_hours"]
    against = "" if by_random is None else f" / {by_random:,.0f}"
    return "-" if hours is None else f"{hours:,.0f}{against}"


def _saved(row: Row) -> str:
    return "-" if row["savings"] is None else f"{100 * row['savings']:.1f} %"


_MARKS = {"equivalent": "=", "undecided": "?"}


def _mark(name: str) -> Callable[[Row], str]:
    """Mark the best loss, those that surely are no worse, and those that nobody knows of."""
    return lambda row: _judged(row[f"{name}_rank"], row[f"{name}_verdict"])


def _marked(row: Row) -> str:
    return _judged(row["rank"], row["verdict"])


def _judged(rank: int | None, verdict: str | None) -> str:
    return "*" if rank == 1 else _MARKS.get(verdict or "", "")


_FIELDS = (
    Field("loss", keep=9),
    Field("n_train", "n", right=True, keep=9),
    # A mark has a column of its own, so that numbers stand below one another.
    Field("kendall_tau", "Kendall tau", of=_tau, right=True, keep=8),
    Field("marks of Kendall tau", "", of=_mark("kendall_tau"), keep=8),
    Field("discovery", "top 1 % found\nwith 100 more", of=_found, right=True, keep=6),
    Field("marks of the top found", "", of=_mark("discovery"), keep=6),
    Field(
        "evaluations",
        "evaluations\nto top 0.1 %",
        of=lambda row: with_interval(row, "evaluations", number),
        right=True,
        keep=7,
    ),
    Field("marks of evaluations", "", of=_mark("cost"), keep=7),
    Field("random_evaluations", "by random\nsearch", right=True, keep=4),
    Field("gpu_hours", "GPU-hours /\nby random", of=_hours, right=True, keep=3),
    Field("savings", "saved", of=_saved, right=True, keep=5),
)


def view_comparison(result: Result[CompareConfig]) -> Iterable[Part]:
    """Show the headline: a table for each task and way to sample."""
    predictors = {row["predictor"] for row in result.rows}
    fields = _FIELDS if len(predictors) == 1 else (Field("predictor", keep=9), *_FIELDS)
    groups = grouped(result.rows, ("task", "sampling"))
    for (task, sampling), rows in groups.items():
        drawn = f"{sampling} sampling" if len({way for _, way in groups}) > 1 else ""
        title = [
            task,
            *(predictors if len(predictors) == 1 else ()),
            # A run that diverged gives its row one less.
            plural(max(row["n_seeds"] for row in rows), "seed"),
            drawn,
        ]
        yield Sheet(rows, fields, joined(title))
        yield from _chart(rows, joined([task, drawn]))
    yield from _own_metrics(result)
    yield from _lists(result)
    yield from _over_tasks(result)
    yield (
        f"Kendall tau: mean over seeds ± half its 95 % interval. * best of its n; = surely within "
        f"{_TAU.margin:g} of it in tau, {DISCOVERY_AT.margin:g} in the share found, "
        f"{100 * _COST.margin:.0f} % in evaluations; ? undecided; no mark: surely worse by more "
        f"(95 % intervals of paired differences). {_about_evaluations(result.rows)}"
    )


def _chart(rows: Sequence[Row], where: str) -> Iterable[Part]:
    """Draw evaluations beside random search, for the middle of the training sizes."""
    known = [row for row in rows if row["evaluations"] is not None]
    sizes = sorted({row["n_train"] for row in known})
    if not sizes:
        return
    n = sizes[(len(sizes) - 1) // 2]
    own = [row for row in known if row["n_train"] == n]
    names = differing(own, ("predictor", "loss")) or ["loss"]
    bars = [
        Bar(
            " ".join(row[name] for name in names),
            row["evaluations"],
            row["evaluations_lower"],
            row["evaluations_upper"],
            with_interval(row, "evaluations", number),
        )
        for row in own
    ]
    by_random = next((r["random_evaluations"] for r in own if r["random_evaluations"]), None)
    beside = "" if by_random is None else f"; ┊ random search, {by_random:,}"
    yield Chart(f"{where}, {n:,} labels: evaluations to the top 0.1 %{beside}", bars, by_random)


def _own_metrics(result: Result[CompareConfig]) -> Iterable[Part]:
    """Show the metrics of the user's own, a table each."""
    better = {row["metric"]: row["better"] for row in result.tables.get(OWN_METRICS.name, [])}
    rows = [row for row in result.tables[SUMMARY.name] if row["metric"] in better]
    several = differing(rows, ("task", "sampling", "predictor"))
    for (metric,), own in grouped(rows, ["metric"]).items():
        fields = (
            *(Field(name, keep=9) for name in several),
            Field("loss", keep=9),
            Field("n_train", "n", right=True, keep=9),
            Field("mean", of=_mean, right=True, keep=8),
            Field("marks", "", of=_marked, keep=8),
        )
        yield Sheet(own, fields, f"{metric}, {better[metric]} is better")


def _lists(result: Result[CompareConfig]) -> Iterable[Part]:
    """Show lists of candidates, a table for each task and wish between precision and recall."""
    rows = result.tables.get(LISTS.name, [])
    if not rows:
        return
    several = differing(rows, ("sampling", "predictor"))
    fields = (
        *(Field(name, keep=9) for name in several),
        Field("loss", keep=9),
        Field("n_train", "n", right=True, keep=9),
        Field("length", "list of", _length, right=True, keep=8),
        Field("precision", of=lambda row: with_interval(row, "precision", _share), right=True),
        Field("recall", of=lambda row: with_interval(row, "recall", _share), right=True, keep=7),
        Field("marks", "", of=_marked, keep=8),
        Field("chance", "precision\nby chance", _share, right=True, keep=3),
    )
    for (task, wish), own in grouped(rows, ("task", "lambda")).items():
        yield Sheet(own, fields, f"{task}: lists of candidates, lambda {wish:g}")
    yield (
        "Precision: share of the list that is of the top 1 %; recall: share of the top among the "
        "candidates that it holds, as 95 % intervals of means. lambda is the number of these over "
        "the length of the list; marks are of precision from 1 on, of recall below."
    )


def _length(length: float | None) -> str:
    return number(None if length is None else round(length))


def _share(share: float | None) -> str:
    # Student's interval knows no ends of a scale.
    return "-" if share is None else f"{100 * min(max(share, 0.0), 1.0):.0f} %"


def _over_tasks(result: Result[CompareConfig]) -> Iterable[Part]:
    """Show differences over tasks where there are several spaces, which are the units."""
    rows = result.tables.get(OVERALL.name, [])
    spaces = max((row["n_spaces"] for row in rows), default=0)
    if spaces < 2:
        return
    lines: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("n_train", "predictor", "loss", "sampling"))
        line = lines.setdefault(key, {**row})
        if row["metric"] in _OVERALL:
            line[row["metric"]] = _against(row, _OVERALL[row["metric"]])
    several = len({row["sampling"] for row in rows}) > 1
    fields = [
        Field("predictor", keep=9),
        Field("loss", keep=9),
        Field("n_train", "n", right=True, keep=9),
        *([Field("sampling", keep=8)] if several else []),
        Field(_TAU.name, "Kendall tau less\nthat of the best", right=True, keep=8),
        Field(DISCOVERY_AT.name, "top 1 % found with\n100 more, less", right=True, keep=6),
        Field(_COST.name, "evaluations to top 0.1 %\nmore than the best", right=True, keep=7),
    ]
    names = [field.key for field in fields]
    ordered = sorted(lines.items(), key=lambda item: item[0][0])
    yield Sheet(
        [{**dict.fromkeys(names), **line} for _, line in ordered],
        fields,
        f"Over {plural(max(row['n_tasks'] for row in rows), 'task')} of {spaces} spaces",
    )
    yield (
        f"Differences over tasks are means over spaces, with 95 % intervals over {spaces} spaces: "
        "what to expect of another one."
    )


def _against(row: Row, show: Callable[[float], str]) -> str:
    if row["rank"] == 1:
        return "best *"
    mark = _MARKS.get(row["verdict"], "")
    return f"{with_interval(row, 'difference', show)} {mark}".rstrip()


def _points(difference: float) -> str:
    return f"{100 * difference:+.0f} %"


_OVERALL: Mapping[str, Callable[[float], str]] = {
    _TAU.name: "{:+.3f}".format,
    DISCOVERY_AT.name: _points,
    _COST.name: _points,
}


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
