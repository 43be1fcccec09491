"""The studies of ``nasrank pr``, declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nasrank.companions.precision_recall.bisection import MOST_TRIED, Tried, replay, target_rows
from nasrank.companions.precision_recall.claims import claims_of
from nasrank.companions.precision_recall.controls import pr_controls
from nasrank.companions.precision_recall.figures import draw_theory, draw_trainings
from nasrank.companions.precision_recall.options import TheoryConfig, TrainConfig
from nasrank.companions.precision_recall.plan import cut_fleets, plan_training, seeded_runs
from nasrank.companions.precision_recall.run import PRRun
from nasrank.companions.precision_recall.tables import (
    FRONTIERS,
    KEPT,
    PR,
    PR_THEORY,
    TARGETS,
    WEIGHTS,
)
from nasrank.companions.precision_recall.theory import theory_of
from nasrank.companions.precision_recall.view import view_theory, view_training
from nasrank.companions.precision_recall.worker import Runner
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.study import Answer, Job, Plan, Runs, Study
from nasrank.tables import Table

__all__ = ["THEORY", "train_study"]

Row = dict[str, Any]


THEORY: Study[TheoryConfig, Any] = Study(
    config=TheoryConfig,
    main=PR_THEORY,
    answer=lambda job: Answer(theory_of(job.config)),
    view=view_theory,
    pictures=lambda result: draw_theory(
        result.rows, result.tables[WEIGHTS.name], result.rows[0]["pair"], result.out
    ),
)


def train_study(config: TrainConfig) -> Study[TrainConfig, PRRun]:
    """Return the study that trains generators for given lambdas, or seeks one for a target."""
    sought = config.target is not None
    return Study(
        config=TrainConfig,
        main=TARGETS if sought else PR,
        runs=Runs(
            identity=PRRun,
            kept=KEPT,
            plan=plan_training,
            worker=_runner,
            what="models",
            # Measuring a model counts as much as a step of its training.
            work=lambda run: run.steps + 1,
            more=_next_fleets if sought else None,
            more_runs=lambda config, _plan: (MOST_TRIED - 2) * config.seeds if sought else 0,
        ),
        answer=_trained,
        view=view_training,
        pictures=lambda result: draw_trainings(
            result.tables[PR.name],
            result.tables[FRONTIERS.name],
            result.shown[0],
            result.shown[1],
            result.out,
        ),
        controls=lambda job, measures: pr_controls(
            job.plan.context, job.config.neighbours, measures
        ),
    )


def _runner(config: TrainConfig, plan: Plan[PRRun]) -> Runner:
    return Runner(
        plan.context,
        choose_device(config.device),
        checkpoint=config.fine_tune,
        models=plan.out / "models" if config.keep_models else None,
    )


def _search(
    config: TrainConfig, plan: Plan[PRRun], rows: Mapping[str, Row]
) -> tuple[list[Tried], list[float]]:
    """Return what the search for a target has tried, and what it tries next."""

    def known(lam: float) -> Tried | None:
        asked = seeded_runs(plan.runs, lam)
        return Tried.by(lam, [rows[run.run_id] for run in asked if run.run_id in rows])

    side, wanted = config.target or ("", 0.0)
    return replay(known, side, wanted, min(config.lambdas), max(config.lambdas))


def _next_fleets(
    config: TrainConfig, plan: Plan[PRRun], rows: Mapping[str, Row]
) -> Sequence[Sequence[PRRun]]:
    _, following = _search(config, plan, rows)
    return cut_fleets([run for lam in following for run in seeded_runs(plan.runs, lam)])


def _trained(job: Job[TrainConfig, PRRun]) -> Answer:
    rows = [PR.project(row) for row in job.rows]
    tables: dict[Table, Sequence[Row]] = {
        PR: rows,
        FRONTIERS: [point for row in job.rows for point in _frontier(row)],
    }
    record: Row | None = None
    left_out: tuple[str, ...] = ()
    if job.config.target is None:
        tables[CLAIMS] = claims_of(rows)
    else:
        side, wanted = job.config.target
        kept = {row["run_id"]: row for row in job.rows}
        tried, following = _search(job.config, job.plan, kept)
        steps = target_rows(rows[0]["data"], side, wanted, tried)
        tables = {TARGETS: steps, **tables, CLAIMS: []}
        wished = ("target", "wanted", "lambda", "precision", "recall", "reached")
        record = next({name: row[name] for name in wished} for row in steps if row["chosen"])
        left_out = tuple(f"models for lambda {lam:.3g}, the next to try" for lam in following)
    samples = {row["run_id"]: row["sample"] for row in job.rows}
    shown = samples, job.plan.context.shape
    return Answer(tables, record=record, left_out=left_out, shown=shown)


def _frontier(row: Row) -> list[Row]:
    lists = (row[f"pr_frontiers.{name}"] for name in ("kind", "lambda", "alpha"))
    return [
        {"run_id": row["run_id"], "kind": kind, "lambda": lam, "alpha": alpha, "beta": alpha / lam}
        for kind, lam, alpha in zip(*lists, strict=True)
    ]
