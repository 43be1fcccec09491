"""Predictor-guided search, simulated on benchmarks, with controls beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nasrank.code import source_digest
from nasrank.questions.search.controls import CONTROLS
from nasrank.questions.search.figures import draw_searches
from nasrank.questions.search.guided import run_control, search_fleet
from nasrank.questions.search.identity import SearchRun
from nasrank.questions.search.options import SearchConfig
from nasrank.questions.search.plan import cut_fleets, plan_searches
from nasrank.questions.search.problem import load_problem
from nasrank.questions.search.summary import checkpoints, method_rows, summary_rows
from nasrank.questions.search.tables import (
    EVALUATIONS_MARGIN,
    SEARCH,
    SEARCH_METHODS,
    SEARCH_SUMMARY,
    SEARCHED,
    kept_row,
    rows_of,
    search_rows,
)
from nasrank.runs.code import code_of
from nasrank.runs.features import predictor_on
from nasrank.study.device import choose_device, kind_of
from nasrank.study.study import Answer, Job, OnWork, Plan, Result, Runs, Study, Worker
from nasrank.study.view import Bar, Chart, Field, Part, Sheet, fixed, grouped, joined, number

if TYPE_CHECKING:
    from nasrank.predictors.predictor import Predictor

__all__ = ["SEARCHES"]

Row = dict[str, Any]


def _plan(config: SearchConfig) -> Plan[SearchRun]:
    runs = plan_searches(config)
    return Plan(
        cut_fleets(runs, kind_of(config)),
        runs,
        about={"fingerprints": {run.task: run.fingerprint for run in runs}},
    )


def _searcher(config: SearchConfig, _plan: Plan[SearchRun]) -> Worker[SearchRun]:
    device = choose_device(config.device)
    predictors: dict[tuple[str, str], Predictor] = {}

    def work(fleet: Sequence[SearchRun], on_work: OnWork) -> list[Row]:
        first = fleet[0]
        problem = load_problem(first.task, first.protocol or "classes")
        if first.control is not None:
            control = CONTROLS[first.control]
            found = [run_control(problem, control, run) for run in fleet]
        else:
            space = problem.task.space
            key = str(first.predictor), space.name
            if key not in predictors:
                # Graphs are laid out once for all fleets on the same architectures.
                predictors[key] = predictor_on(space, key[0], device=device)
            found = search_fleet(problem, predictors[key], fleet, on_evaluated=on_work)
        return [kept_row(search_rows(problem, each)) for each in found]

    return work


def _answer(job: Job[SearchConfig, SearchRun]) -> Answer:
    first = next((run for run in job.plan.runs if run.control is None), job.plan.runs[0])
    headline = first.method, first.loss
    rows = [
        row for run, kept in zip(job.runs, job.rows, strict=True) for row in rows_of(run, kept)
    ]
    summary = summary_rows(rows, job.config.budget, headline, job.config.within)
    return Answer(
        {SEARCH_METHODS: method_rows(summary, headline), SEARCH_SUMMARY: summary, SEARCH: rows}
    )


def _view(result: Result[SearchConfig]) -> Iterable[Part]:
    config = result.config
    told = ["one training each"] if config.labels == "single" else []
    kinds = {"strings": "texts", "unique-strings": "texts, one of a class"}
    for (task,), rows in grouped(result.rows, ("task",)).items():
        title = [
            task,
            f"{rows[0]['n_seeds']} searches of {config.budget} evaluations",
            f"{config.initial} to start",
            f"{config.per_round} a round",
            kinds.get(config.protocol, ""),
            *told,
        ]
        yield Sheet(rows, _fields(rows, config.within), joined(title))
        yield _chart(rows, config.within)
    counted = {
        "classes": "Evaluations count distinct architectures (isomorphism classes) trained",
        "strings": "Evaluations count texts of architectures trained, equal ones too",
        "unique-strings": "Evaluations count texts of architectures trained, one of each class",
    }
    in_hand = (
        "In hand is what looked best in its one training; regret is that of its mean. "
        if told
        else ""
    )
    yield (
        "Median and 95 % interval over searches; > where half of them or more did not reach it. "
        f"{counted[config.protocol]}, the start included. {in_hand}* headline; = surely within "
        f"{100 * EVALUATIONS_MARGIN:.0f} % of its evaluations, ? undecided, + surely fewer, no "
        "mark: surely more (median of paired ratios). Seconds are those of the predictor alone."
    )


def _chart(rows: Sequence[Mapping[str, Any]], within: float) -> Chart:
    """Draw how many evaluations each method took to get there."""
    goal, words = _goal(rows, within)
    name = f"evaluations_to_{goal}"
    bars = [
        Bar(
            joined([row["method"], row["loss"] or ""]),
            row[name],
            row[f"{name}_lower"],
            row[f"{name}_upper"],
            _evaluations(name)(row),
        )
        for row in rows
        # It knows the answer, and would take half of the scale.
        if row["method"] != "oracle"
    ]
    title = f"{rows[0]['task']}: {words}, median and 95 % interval"
    return Chart(title, bars, most=rows[0]["budget"])


def _goal(rows: Sequence[Mapping[str, Any]], within: float) -> tuple[str, str]:
    """Say what evaluations are counted to: its name in tables, and in words."""
    if any(row["noise_share"] is not None for row in rows):
        return "noise", "evaluations to within noise of the best"
    return "optimum", f"evaluations to {'the optimum' if within == 0 else f'within {within:g}'}"


def _fields(rows: Sequence[Mapping[str, Any]], within: float) -> list[Field]:
    """Columns of one task; those with nothing to say are left out."""
    budget = rows[0]["budget"]

    def known(name: str) -> bool:
        return any(row[name] is not None for row in rows)

    goal, _ = _goal(rows, within)
    best = "optimum" if within == 0 else f"within {within:g}"
    titles = {"noise": "within noise\nof the best", "optimum": f"evaluations\nto {best}"}

    def reached(name: str, keep: int) -> list[Field]:
        share = "hit_share" if name == "optimum" else "noise_share"
        of = _evaluations(f"evaluations_to_{name}")
        return [
            Field(name, titles[name], of=of, right=True, keep=keep),
            *([Field("mark", "", of=_mark(name), keep=8)] if name == goal else []),
            Field(share, "found", _percent, right=True, keep=keep - 2),
        ]

    hours = Field(f"gpu_hours_to_{goal}", "GPU-hours\nto that", _hours, right=True, keep=3)
    test = Field("test_label_at_budget", f"test label\nat {budget}", fixed(2), right=True)
    return [
        Field("method", keep=9),
        Field("loss", show=lambda loss: loss or "", keep=8),
        *reached(goal, 9),
        *([hours] if known(hours.key) else []),
        *(
            Field(
                "regret_at_budget" if at == budget else f"regret_at_{at}",
                f"regret\nat {at}",
                "{:.3g}".format,
                right=True,
                keep=4 + (at == budget),
            )
            for at in checkpoints(budget)
        ),
        *(reached("optimum", 6) if goal == "noise" else []),
        *([test] if known(test.key) else []),
        Field("predictor_seconds", "seconds\na search", _seconds, right=True, keep=3),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _hours(hours: float | None) -> str:
    return number(None if hours is None else round(hours, 1))


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f}"


def _evaluations(name: str) -> Callable[[Mapping[str, Any]], str]:
    def evaluations(row: Mapping[str, Any]) -> str:
        beyond = f"> {row['budget']}"

        def text(value: float | None) -> str:
            return beyond if value is None else f"{value:g}"

        median, lower, upper = (row[f"{name}{end}"] for end in ("", "_lower", "_upper"))
        if median is None and lower is None:
            return beyond
        # Fewer than six searches bound no median.
        if lower is None or median == lower == upper:
            return text(median)
        return f"{text(median)} [{text(lower)}, {text(upper)}]"

    return evaluations


_MARKS = {"equivalent": "=", "undecided": "?", "better": "+"}


def _mark(goal: str) -> Callable[[Mapping[str, Any]], str]:
    """Mark the headline, and what is known of the others against it."""

    def mark(row: Mapping[str, Any]) -> str:
        return "*" if row["headline"] else _MARKS.get(row[f"evaluations_to_{goal}_verdict"], "")

    return mark


def _code_of(run: SearchRun) -> tuple[str, str]:
    if run.predictor is None:
        module = "nasrank.questions.search.controls"
        return str(run.control), source_digest([module], ["nasrank.questions.search"])
    name, digest = code_of(run.predictor, run.loss)
    around = ["nasrank.questions.search.guided", "nasrank.questions.search.acquisition"]
    return f"{name} {run.acquisition}", f"{digest}-{source_digest(around, ())}"


SEARCHES = Study(
    config=SearchConfig,
    main=SEARCH_METHODS,
    runs=Runs(
        identity=SearchRun,
        code=_code_of,
        kept=SEARCHED,
        plan=_plan,
        worker=_searcher,
        what="searches",
        work=lambda run: run.budget,
    ),
    answer=_answer,
    view=_view,
    pictures=lambda result: draw_searches(result.tables[SEARCH.name], result.out),
)
