"""The studies of ``nasrank ot``, declared."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nasrank.companions.files import why_diverged
from nasrank.companions.optimal_transport import figures, view
from nasrank.companions.optimal_transport.claims import ot_claims
from nasrank.companions.optimal_transport.confusions import confusion_rows
from nasrank.companions.optimal_transport.controls import ot_controls
from nasrank.companions.optimal_transport.diagnose import diagnose
from nasrank.companions.optimal_transport.options import (
    DiagnoseConfig,
    SpeedConfig,
    TrainConfig,
)
from nasrank.companions.optimal_transport.plan import OtRun, plan_runs
from nasrank.companions.optimal_transport.problem import Problem, load_problem
from nasrank.companions.optimal_transport.speed import measure_speed, time_controls
from nasrank.companions.optimal_transport.tables import (
    CONFUSIONS,
    GEOMETRY,
    KEPT,
    OT,
    SLOPES,
    SPEED,
    VERDICT,
)
from nasrank.companions.optimal_transport.worker import ModelWorker
from nasrank.errors import DataError
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.study import Answer, Job, Plan, Runs, Study

__all__ = ["DIAGNOSE", "SPEEDS", "TRAIN"]

Row = dict[str, Any]

_FROM_TABLES = (
    "some runs are known from ot.parquet alone: confusions are those of the command that trained "
    "them, and their features are not drawn"
)


def _plan(config: TrainConfig) -> Plan[OtRun]:
    problem = load_problem(
        config.data,
        labels=config.labels,
        tree=config.tree,
        costs=config.cost_matrix,
        train_limit=config.train_limit,
        test_limit=config.test_limit,
        data_dir=config.data_dir,
        reading=config.reading,
        backbone=config.backbone,
    )
    return Plan(
        [(run,) for run in plan_runs(config, problem)],
        context=problem,
        notes=problem.data.notes,
        about={"fingerprint": problem.data.fingerprint},
    )


def _trained(job: Job[TrainConfig, OtRun]) -> Answer:
    problem: Problem = job.plan.context
    rows = [OT.project(row) for row in job.rows]
    confusions = confusion_rows(job.rows, problem.tree, problem.data.class_names)
    notes = why_diverged(job.rows, problem.data, "Lower --learning-rate or --weights")
    if any(row["confusion"] is None and not row["diverged"] for row in job.rows):
        confusions = _kept_confusions(job.out, rows)
        notes = (*notes, _FROM_TABLES)
    return Answer(
        {OT: rows, CONFUSIONS: confusions, CLAIMS: ot_claims(rows)},
        notes=notes,
        shown=(problem.tree, job.rows),
    )


def _kept_confusions(out: Path, rows: Sequence[Row]) -> list[Row]:
    """Return what an earlier command found of the settings of these rows."""
    settings = {(row["method"], row["weight"], row["batch_size"]) for row in rows}
    with contextlib.suppress(DataError):
        return [
            row
            for row in CONFUSIONS.read(out / f"{CONFUSIONS.name}.parquet")
            if (row["method"], row["weight"], row["batch_size"]) in settings
        ]
    return []


TRAIN = Study(
    config=TrainConfig,
    main=OT,
    runs=Runs(
        identity=OtRun,
        kept=KEPT,
        plan=_plan,
        worker=lambda config, plan: ModelWorker(plan.context, choose_device(config.device)),
    ),
    answer=_trained,
    view=view.view_trained,
    pictures=lambda result: figures.draw_trained(result.shown[1], result.shown[0], result.out),
    controls=lambda job, measures: ot_controls(
        job.plan.context, [row["method"] for row in job.rows], measures
    ),
)


def _diagnosed(job: Job[DiagnoseConfig, Any]) -> Answer:
    with job.progress.stage("counting components") as tell:
        tables, notes = diagnose(job.config, tell)
    return Answer(tables, record=tables[VERDICT][0], notes=notes)


DIAGNOSE: Study[DiagnoseConfig, Any] = Study(
    config=DiagnoseConfig,
    main=VERDICT,
    answer=_diagnosed,
    view=view.view_diagnosis,
    pictures=lambda result: [
        figures.draw_geometry(
            result.tables[GEOMETRY.name],
            Path(result.config.features).name,
            result.out / "geometry.svg",
        )
    ],
)


def _measured(job: Job[SpeedConfig, Any]) -> Answer:
    with job.progress.stage("measuring") as tell:
        return Answer(measure_speed(job.config, tell))


SPEEDS: Study[SpeedConfig, Any] = Study(
    config=SpeedConfig,
    main=SPEED,
    answer=_measured,
    view=view.view_speed,
    pictures=lambda result: [
        figures.draw_speed(result.rows, result.tables[SLOPES.name], result.out / "speed.svg")
    ],
    controls=lambda job, _measures: time_controls(job.config),
)
