"""The study of ``nasrank check``, declared."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nasrank.errors import CheckFailed, DataError, NothingToCompare
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import parse_predictor
from nasrank.questions.check.baseline import computed_by_others, read_runs, write_baseline
from nasrank.questions.check.costs import ROUNDS, cost_rows, costs_in_turns, measured_runs
from nasrank.questions.check.gate import OtherDataError, check_runs
from nasrank.questions.check.options import CheckConfig
from nasrank.questions.check.tables import CELL, CHECK, COST_LIMITS
from nasrank.study.study import Answer, Job, Result, Study
from nasrank.study.view import Field, Part, Sheet, bounds, number

__all__ = ["CHECKED"]

Row = Mapping[str, Any]

_TITLES = {
    "mean_tau": "mean tau of the subset",
    "kendall_tau": "Kendall tau",
    "discovery_1pct_at_100": "top 1 % found with 100 more",
    "first_hit_0.1pct": "evaluations to top 0.1 %",
}


def _checked(job: Job[CheckConfig, Any]) -> Answer:
    config = job.config
    results, baseline = config.results, Path(str(config.against))
    if config.update:
        runs = read_runs(results)
        write_baseline(runs, baseline)
        size = baseline.stat().st_size
        return Answer({}, record={"baseline": str(baseline), "runs": len(runs), "bytes": size})
    again = shlex.join(["nasrank", "check", f"{results}", "--against", f"{baseline}", "--update"])
    try:
        rows = read_runs(results)
        found = check_runs(rows, read_runs(baseline), tolerance=config.tolerance)
    except OtherDataError as error:
        raise DataError(
            f"{error.task}: {baseline} was measured on other data than {results}. Install the "
            f"same data, or write a new baseline: {again}"
        ) from error
    except NothingToCompare as error:
        raise NothingToCompare(f"{results} and {baseline}: {error}") from error
    lacking = (
        (found.only_baseline, baseline, results),
        (found.only_results, results, baseline),
    )
    verdict = found.primary["verdict"]
    notes = []
    if verdict == "undecided":
        notes.append("undecided: these runs neither show nor rule out a drop; use more seeds")
    if others := computed_by_others(results, rows):
        notes.append(
            f"{results} does not show the installed code of {', '.join(others)}: other code made "
            "it. Run the comparison again"
        )
    worse = (
        f"worse than {baseline}: mean tau {_change(found.primary)}. If that is intended, write a "
        f"new baseline: {again}"
    )
    parts = {name: value for name, value in asdict(found).items() if name != "rows"}
    costs = _costs(job, rows) if config.limits_cost else []
    notes += [
        f"undecided: the {row['measure']} of {row['predictor']} is above its limit in some rounds "
        "and below in others; repeat the check where nothing else runs"
        for row in costs
        if row["verdict"] == "undecided"
    ]
    failed = [] if found.held else [worse]
    failed += [_too_costly(row) for row in costs if row["verdict"] == "worse"]
    return Answer(
        {CHECK: found.rows, **({COST_LIMITS: costs} if costs else {})},
        record={"verdict": verdict, **parts},
        notes=tuple(notes),
        left_out=tuple(
            f"{count} runs of {here} are not in {there}" for count, here, there in lacking if count
        ),
        error=CheckFailed("; ".join(failed)) if failed else None,
    )


def _costs(job: Job[CheckConfig, Any], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Measure the predictors whose cost is limited."""
    config, reference = job.config, str(job.config.reference)
    PREDICTORS.facts(parse_predictor(reference).name).require_extra()
    both = [measured_runs(rows, each, reference) for each in config.predictors]
    found = []
    for runs, beside in both:
        first = runs[0]
        with job.progress.stage(f"measuring {first.predictor} beside {reference}") as tell:
            rounds = costs_in_turns((runs, beside), tell)
        about = {
            "predictor": first.predictor,
            "reference": beside[0].predictor,
            **{name: getattr(first, name) for name in ("task", "loss", "n_train")},
            "runs": len(runs),
        }
        limits = {"max_slower": config.max_slower, "max_memory": config.max_memory}
        found += [{**about, **row} for row in cost_rows(rounds, **limits)]
    return found


def _too_costly(row: Row) -> str:
    option = {"time": "--max-slower", "memory": "--max-memory"}[row["measure"]]
    return (
        f"{row['predictor']} takes {row['ratio']:.2f} times the {row['measure']} of "
        f"{row['reference']}, more than {option} {row['limit']:g} in every round. If that is "
        f"intended, raise {option}"
    )


def _view_check(result: Result[CheckConfig]) -> Iterable[Part]:
    config, record, rows = result.config, result.record or {}, result.rows
    if not rows:
        yield Sheet.of([record])
        return
    shown = [r for r in rows if r["metric"] in _TITLES or r["verdict"] in {"worse", "better"}]
    fields = (
        Field("runs", of=lambda row: _where(row, rows), keep=8),
        Field("metric", show=lambda name: _TITLES.get(name, name.replace("_", " ")), keep=9),
        Field("baseline", of=lambda row: _number(row["baseline"], row["metric"]), right=True),
        Field("result", of=lambda row: _number(row["result"], row["metric"]), right=True),
        Field("difference", "difference [95 %]", of=_change, right=True, keep=8),
        Field("verdict", of=_verdict, keep=9),
    )
    seeds = rows[0]["n_pairs"]
    title = f"{config.results} against {config.against}: {record['pairs']} pairs of runs"
    yield Sheet(shown, fields, f"{title}, {seeds} seeds")
    text = f"Worse: the whole interval lies below -{config.tolerance:g}."
    if record["detectable"] is not None:
        text += (
            f" With this much noise, a drop of {record['detectable']:.3f} in mean tau would "
            "be found worse in 95 of 100 checks."
        )
    if hidden := len(rows) - len(shown):
        text += f" {hidden} more rows, none better or worse, with --format csv."
    yield text
    if costs := result.tables.get(COST_LIMITS.name):
        yield Sheet(costs, _COSTS, f"Cost beside {costs[0]['reference']}, {ROUNDS} rounds")
        yield (
            "Time is of training and scoring one run, memory the peak of all runs together. "
            "Worse: above the limit in every round."
        )
    yield from (f"! {note}" for note in result.notes)


_COSTS = (
    Field("predictor", keep=8),
    Field("measure", keep=9),
    Field("cost", of=lambda row: f"{number(row['cost'])} {row['unit']}", right=True, keep=5),
    Field(
        "reference_cost",
        "reference",
        of=lambda row: f"{number(row['reference_cost'])} {row['unit']}",
        right=True,
        keep=4,
    ),
    Field(
        "ratio",
        "ratio [all rounds]",
        of=lambda row: (
            f"{row['ratio']:.2f} [{row['ratio_lowest']:.2f}, {row['ratio_highest']:.2f}]"
        ),
        right=True,
        keep=9,
    ),
    Field("limit", right=True, keep=8),
    Field("verdict", keep=9),
)


def _verdict(row: Row) -> str:
    return f"{row['verdict']}, decides" if row["primary"] else str(row["verdict"])


def _where(row: Row, rows: Sequence[Row]) -> str:
    """Name what a row is about, by the columns in which rows differ."""
    if row["primary"]:
        return "all"
    several = [name for name in CELL if len({other[name] for other in rows[1:]}) > 1]
    return " ".join(str(row[name]) for name in several or ("loss",))


def _change(row: Row) -> str:
    if row["difference"] is None:
        return "-"
    show = f"{{:+.{_digits(row['metric'])}f}}".format
    return f"{show(row['difference'])} {bounds(row['lower'], row['upper'], show)}".rstrip()


def _number(value: float | None, metric: str) -> str:
    return "-" if value is None else f"{value:.{_digits(metric)}f}"


def _digits(metric: str) -> int:
    return 1 if metric.startswith(("first_hit", "n_at")) else 4


CHECKED = Study(config=CheckConfig, main=CHECK, answer=_checked, view=_view_check)
