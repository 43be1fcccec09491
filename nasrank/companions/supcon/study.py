"""The studies of ``nasrank supcon``, declared."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Any

from nasrank.companions.files import why_diverged
from nasrank.companions.supcon.advice import guideline
from nasrank.companions.supcon.closed_form import Batch, optimum
from nasrank.companions.supcon.controls import simulation_controls, training_controls
from nasrank.companions.supcon.diagnose import check_sweep, diagnose
from nasrank.companions.supcon.encoding import Encoding, train_encoder
from nasrank.companions.supcon.figures import draw_phases, draw_simulation, draw_training
from nasrank.companions.supcon.options import (
    DiagnoseConfig,
    SimulateConfig,
    TheoryConfig,
    TrainConfig,
)
from nasrank.companions.supcon.plan import plan_problems, plan_training
from nasrank.companions.supcon.simulate import Problem, solve_problems
from nasrank.companions.supcon.simulate_claims import simulation_claims
from nasrank.companions.supcon.tables import (
    DIAGNOSIS,
    NOISE,
    SIMULATION,
    THEORY,
    TRAINING,
    gram_table,
)
from nasrank.companions.supcon.theory import gram_rows, noise_rows, phases, theory_rows
from nasrank.companions.supcon.train_claims import base_rows, training_claims
from nasrank.companions.supcon.view import (
    view_diagnosis,
    view_gram,
    view_simulation,
    view_theory,
    view_training,
)
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.study import Answer, Job, Runs, Study, one_by_one

__all__ = ["DIAGNOSE", "SIMULATE", "TRAIN", "theory_study"]

Row = dict[str, Any]


def theory_study(config: TheoryConfig) -> Study[TheoryConfig, Any]:
    """Return the study of a grid of settings, or of the cosines of one."""
    if not config.gram:
        return _THEORY
    rows = gram_rows(config)
    gram = gram_table(len(rows))
    return replace(
        _THEORY,
        main=gram,
        answer=lambda job: Answer({gram: rows, THEORY: theory_rows(job.config)}),
        view=view_gram,
    )


def _calculated(job: Job[TheoryConfig, Any]) -> Answer:
    noisy = noise_rows(job.config)
    return Answer({THEORY: theory_rows(job.config), **({NOISE: noisy} if noisy else {})})


_THEORY: Study[TheoryConfig, Any] = Study(
    config=TheoryConfig,
    main=THEORY,
    answer=_calculated,
    view=view_theory,
    pictures=lambda result: [draw_phases(result.out / "phases.svg", *phases(result.config))],
)


SIMULATE = Study(
    config=SimulateConfig,
    main=SIMULATION,
    runs=Runs(
        identity=Problem,
        kept=SIMULATION,
        plan=plan_problems,
        worker=lambda config, _plan: partial(solve_problems, device=choose_device(config.device)),
        what="problems",
        work=lambda problem: problem.steps,
    ),
    answer=lambda job: Answer({SIMULATION: job.rows, CLAIMS: simulation_claims(job.rows)}),
    view=view_simulation,
    pictures=lambda result: [draw_simulation(result.rows, result.out / "simulate.svg")],
    controls=lambda _job, measures: simulation_controls(measures),
)


TRAIN = Study(
    config=TrainConfig,
    main=TRAINING,
    runs=Runs(
        identity=Encoding,
        kept=TRAINING,
        plan=plan_training,
        worker=lambda config, plan: one_by_one(
            partial(train_encoder, data=plan.context, device=choose_device(config.device))
        ),
        what="encoders",
        work=lambda run: run.steps,
    ),
    answer=lambda job: Answer(
        {TRAINING: job.rows, CLAIMS: training_claims(job.rows)},
        notes=why_diverged(job.rows, job.plan.context.samples, "Raise --temperatures"),
    ),
    view=view_training,
    pictures=lambda result: [draw_training(base_rows(result.rows), result.out / "train.svg")],
    controls=lambda job, measures: training_controls(job.plan.context, measures),
)


_WHOLE = ("embeddings", "within_share", "within_variance", "between_variance", "effective_rank")


def _diagnosed(job: Job[DiagnoseConfig, Any]) -> Answer:
    config = job.config
    found = diagnose(config.embeddings, config.label, config.reading)
    classes = len(found.rows) - 1 if config.classes is None else config.classes
    batch = Batch(classes, config.instances, config.views, config.temperature, config.anchor)
    advice = guideline(batch)
    expected = seen = None
    if config.alpha is not None:
        expected = float(optimum(batch, config.alpha).within_variance)
    if config.sweep is not None:
        seen = asdict(check_sweep(config.sweep, advice.suggested))
    record = {
        "verdict": found.verdict,
        "reason": found.reason,
        **{name: found.rows[0][name] for name in _WHOLE},
        "total_variance": found.total_variance,
        "simplex_distance": found.simplex_distance,
        "neighbours": found.neighbours,
        "guideline": {
            "classes": classes,
            **config.model_dump(include={"instances", "views", "temperature", "anchor"}),
            **asdict(advice),
            "suggested": advice.suggested if config.suggest else None,
            "expected_within": expected,
            "sweep": seen,
        },
    }
    return Answer({DIAGNOSIS: found.rows}, record=record, notes=found.notes)


DIAGNOSE = Study(config=DiagnoseConfig, main=DIAGNOSIS, answer=_diagnosed, view=view_diagnosis)
