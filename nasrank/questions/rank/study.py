"""Rank the candidates of a space by what a predictor learns from the evaluated ones."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nasrank.benchmarks import load_task
from nasrank.benchmarks.tasks import parse_task
from nasrank.errors import DataError, UsageError
from nasrank.files import require_writable
from nasrank.losses import parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import PredictorSpec, parse_predictor
from nasrank.questions.rank.case import Case, load_case, reduction_of, task_of_space
from nasrank.questions.rank.checking import Change, change_row, notes_of, truth_row
from nasrank.questions.rank.choosing import CANDIDATES, DEFAULT, Choice, choose_loss
from nasrank.questions.rank.explaining import usual_operations
from nasrank.questions.rank.listing import KEPT_FOR_EACH, list_order, list_rows
from nasrank.questions.rank.model import Model, Training, learn
from nasrank.questions.rank.options import RankConfig
from nasrank.questions.rank.pool import Found, rank_pool, rank_space, scratch_of
from nasrank.questions.rank.pool_file import PoolFile
from nasrank.questions.rank.scorer import with_ensemble
from nasrank.questions.rank.tables import CALIBRATION, CHOICE, RACE, RANKING, SCORES
from nasrank.questions.rank.updating import read_labels, store_labels
from nasrank.questions.rank.view import view_ranking
from nasrank.runs.code import code_of
from nasrank.study.device import choose_device, kind_of
from nasrank.study.study import Answer, Job, Study
from nasrank.version import __version__

__all__ = ["RANK"]

Row = dict[str, Any]

FIRST_KEPT = 1_000
"""Candidates of a pool kept for the list, at least; those that are one graph count once."""


def _ranked(job: Job[RankConfig, Any]) -> Answer:
    config, out = job.config, job.out
    device = choose_device(config.device)
    spec = with_ensemble(config.predictor, config.ensemble)
    loss = _given_loss(config, PREDICTORS[spec.name].own_loss)
    losses = [str(parse(each)) for each in config.losses or CANDIDATES]
    if config.n_train is not None and config.update is not None:
        raise UsageError("--n-train holds labels back and --update adds some; leave one out")
    task = task_of_space(config.space)
    change = None if config.update is None else _update(config.update, config.pool, task)
    case = load_case(task, config.n_train, config.seed)
    if config.pool is None and not len(case.candidates):
        raise DataError(
            f"{task}: every architecture is evaluated, so there is none left to rank. Import "
            "candidates without a label, or give --pool FILE"
        )
    if config.pool is not None:
        _pool_of(config.pool, task).check()
    # Said now, and not when all is trained.
    require_writable(out / SCORES.name)
    model, choice = _learnt(
        job, case, Training(spec, loss or DEFAULT, config.seed, device), losses
    )
    started = time.perf_counter()
    found = _score(job, model)
    seconds = time.perf_counter() - started
    order = list_order(model, found, config.top, diverse=config.diverse)
    rows = list_rows(model, found, order)
    notes = tuple(notes_of(model, found, order, rows))
    record = {
        **_record(model, choice),
        "candidates": found.seen,
        "passed_over": found.evaluated,
        "score_seconds": round(seconds, 3),
        "update": None if change is None else change_row(change, model, found, config.top),
        "held_back": truth_row(model, found, order),
    }
    tables: dict[Any, Sequence[Row]] = {RANKING: rows, CALIBRATION: _held_rows(model)}
    own = {RACE: _race_rows(model), CHOICE: None if choice is None else choice.rows}
    for table, chosen in own.items():
        if chosen is None:
            # The choice of an earlier list would pass for that of this one.
            (out / f"{table.name}.parquet").unlink(missing_ok=True)
        else:
            tables[table] = chosen
    about = {name: record[name] for name in ("task", "loss", "predictor", "unit")}
    return Answer(
        tables, record=record, notes=notes, about={**about, "fingerprint": case.task.fingerprint}
    )


def _given_loss(config: RankConfig, own: str | None) -> str | None:
    """Return the loss to train with, None where it has to be chosen."""
    given = None if config.loss in {None, "auto"} else str(parse(config.loss or ""))
    if config.losses is not None and given is not None:
        raise UsageError("--losses are what --loss auto chooses from; leave out one of the two")
    if own is None:
        return None if config.chooses_loss else given or DEFAULT
    if given not in {None, own} or config.losses is not None:
        raise UsageError(
            f"--predictor {config.predictor} has a loss of its own; leave out --loss and --losses"
        )
    return own


def _update(path: Path, pool: Path | None, task: str) -> Change:
    space = load_task(task).space
    graphs = space.graphs
    settings = graphs.settings.columns if graphs.settings and graphs.only_settings else ()
    names = frozenset(space.architectures)
    labels = read_labels(path, parse_task(task).metric.name, settings, names)
    before: Case | None = None
    # A space with too few labels until now is just what an update is for.
    with contextlib.suppress(DataError):
        before = load_case(task)
    # A table of settings tells what its rows are itself.
    given = path if pool is None and settings else pool
    source = None if given is None else _pool_of(given, task)
    return Change(before, *store_labels(labels, task, source))


def _learnt(
    job: Job[RankConfig, Any], case: Case, training: Training, losses: Sequence[str]
) -> tuple[Model, Choice | None]:
    """Choose a predictor, then a loss where one is asked for and the predictor takes one."""
    confidence, progress = job.config.confidence, job.progress
    if not (job.config.chooses_loss and PREDICTORS[training.spec.name].own_loss is None):
        return learn(case, training, confidence, progress), None
    judged, model = parse_predictor(job.config.predictor), None
    if training.spec.name == "auto":
        model = learn(case, training, confidence, progress)
        # Of what auto mixes, the kernel machine alone is trained with the loss.
        judged = PredictorSpec("kernel", judged.options)
        if model.mixture is None or "kernel" not in model.mixture.weights:
            return model, None
    with progress.stage(f"comparing {len(losses)} losses") as tell:
        choice = choose_loss(
            case, judged, losses, seed=training.seed, device=training.device, on_step=tell
        )
    if model is None or choice.loss != training.loss:
        model = learn(case, replace(training, loss=choice.loss), confidence, progress)
    return model, choice


def _score(job: Job[RankConfig, Any], model: Model) -> Found:
    """Score the candidates; scores of a pool are kept until all of it is done."""
    config, scores = job.config, job.out / SCORES.name
    with job.progress.stage("scoring candidates") as tell:
        if config.pool is None:
            folder = scores / "space"
            found = rank_space(model, folder, keep_scores=config.all_scores)
        else:
            pool = _pool_of(config.pool, model.case.task.name)
            folder = scores / _key(model, pool)
            kept = max(FIRST_KEPT, KEPT_FOR_EACH * config.top)
            found = rank_pool(
                model,
                pool,
                kept,
                folder,
                keep_scores=config.all_scores,
                on_progress=tell,
                engine=config.make_engine(kind_of(config)),
            )
    _remove_others(folder)
    return found


def _pool_of(path: Path, task: str) -> PoolFile:
    graphs = load_task(task).space.graphs
    settings = () if graphs.settings is None else graphs.settings.columns
    return PoolFile(
        path, graphs.vocabulary, graphs.attribute_names, reduction_of(task), settings=settings
    )


def _key(model: Model, pool: PoolFile) -> str:
    """Name what the scores of a pool come from."""
    case, training = model.case, model.training
    parts = (
        *(__version__, torch.__version__, case.task.name, case.task.fingerprint),
        *(str(training.spec), training.loss, training.seed, training.device.type),
        *code_of(str(training.spec), training.loss),
        *(pool.digest, pool.chunk),
    )
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(case.items.tobytes())
    digest.update(case.labels.tobytes())
    return digest.hexdigest()[:16]


def _remove_others(folder: Path) -> None:
    """Remove scores of earlier labels or pools, which would pass for those of this list."""
    for other in folder.parent.glob("*"):
        if other != folder and other.is_dir():
            scratch_of(other).remove()
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _record(model: Model, choice: Choice | None) -> Row:
    """Say what was learnt, and from what."""
    case, found = model.case, model.calibration
    best = int(case.labels.argmax())
    return {
        "task": case.task.name,
        "unit": case.task.metric.unit,
        "better": "higher" if case.sign > 0 else "lower",
        "predictor": str(model.training.spec),
        "loss": model.training.loss,
        "evaluated": len(case.items),
        "best_known": {"id": case.names[best], "label": float(case.sign * case.labels[best])},
        "mixture": model.mixture
        and {"reason": model.mixture.reason, "architectures": len(case.items)},
        "choice": choice
        and {
            "reason": choice.reason,
            "architectures": choice.items,
            "folds": choice.folds,
            "repeats": choice.repeats,
        },
        "calibration": {
            "method": found.method,
            "kendall_tau": _known(model.tau),
            "mean_absolute_error": found.error,
            "confidence": found.confidence,
            "coverage": found.coverage,
            "half_widths": [_known(each) for each in found.reach.tolist()],
        },
        "usual_operations": list(usual_operations(case)),
        "told_by": case.told_by,
        "settings": [] if case.graphs.settings is None else list(case.graphs.settings.names),
    }


def _race_rows(model: Model) -> list[Row] | None:
    """Return rows of `RACE`, the greatest share first; None without a race."""
    if model.mixture is None:
        return None
    return [
        {
            "predictor": each.name,
            "weight": each.weight,
            "kendall_tau": _known(each.kendall_tau),
            "folds": each.folds,
            "stopped": each.stopped,
        }
        for each in model.mixture.standings
    ]


def _held_rows(model: Model) -> list[Row]:
    """Return rows of `CALIBRATION`, fold by fold."""
    case, sign = model.case, model.case.sign
    value, *bounds = sign * model.calibration.held_out
    lower, upper = np.minimum(*bounds), np.maximum(*bounds)
    return [
        {
            "id": case.names[item],
            "fold": number,
            "score": float(model.held[item]),
            "label": float(sign * case.labels[item]),
            "value": float(value[item]),
            "value_lower": _known(lower[item]),
            "value_upper": _known(upper[item]),
        }
        for number, fold in enumerate(model.folds)
        for item in fold.tolist()
    ]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


RANK = Study(config=RankConfig, main=RANKING, answer=_ranked, view=view_ranking)
