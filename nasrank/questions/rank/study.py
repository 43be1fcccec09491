"""Rank the candidates of a space by what a predictor learns from the evaluated ones."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.benchmarks import load_task
from nasrank.benchmarks.tasks import parse_task
from nasrank.errors import DataError, UsageError
from nasrank.files import require_writable
from nasrank.losses import parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import parse_predictor
from nasrank.questions.rank.case import Case, load_case, reduction_of, task_of_space
from nasrank.questions.rank.checking import Change, change_row, notes_of, truth_row
from nasrank.questions.rank.choosing import CANDIDATES, Choice, choose_loss
from nasrank.questions.rank.explaining import usual_operations
from nasrank.questions.rank.listing import KEPT_FOR_EACH, list_order, list_rows
from nasrank.questions.rank.model import Model, Stage, Training, learn
from nasrank.questions.rank.pool import PoolFile, rank_pool, rank_space
from nasrank.questions.rank.scorer import with_ensemble
from nasrank.questions.rank.tables import CALIBRATION, CHOICE, RANKING
from nasrank.questions.rank.updating import read_labels, store_labels
from nasrank.study.device import choose_device
from nasrank.tables import write_json
from nasrank.version import __version__

__all__ = ["RankConfig", "Ranked", "rank"]

Row = dict[str, Any]

FIRST_KEPT = 1_000
"""Candidates of a pool kept for the list, at least; those that are one graph count once."""


class RankConfig(BaseModel):
    """What to rank; the names are those of the command's options.

    Attributes:
        space: A space, whose first task is meant, or a task.
        n_train: Learn from so many labels alone and hold the others back, to see how good it is.
        pool: File of candidates; those of the space without a label by default.
        update: File of new labels, put into the space first.
        loss: A loss, or ``auto`` to choose by cross-validation.
        losses: Losses that ``auto`` chooses from.
        predictor: A predictor.
        ensemble: Trainings that are averaged, for predictors that can be averaged.
        top: Length of the list.
        diverse: Spread the list out.
        confidence: Share of labels that intervals should hold.
        seed: Seed of folds, initial weights and the draw of n_train.
        device: Where to compute.
        all_scores: Write every candidate's score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    space: str
    n_train: PositiveInt | None = None
    pool: Path | None = None
    update: Path | None = None
    loss: str = "auto"
    losses: tuple[str, ...] | None = Field(None, min_length=1)
    predictor: str = "gnn"
    ensemble: PositiveInt = Field(4, le=64)
    top: PositiveInt = Field(20, le=100_000)
    diverse: bool = False
    confidence: float = Field(0.9, gt=0, lt=1)
    seed: int = Field(0, ge=0, lt=2**63)
    device: str = "auto"
    all_scores: bool = False


@dataclass(frozen=True, eq=False)
class Ranked:
    """A ranked list and what stands behind it.

    Attributes:
        config: What was asked.
        model: What was learnt, and from what.
        rows: Rows of :data:`~nasrank.questions.rank.tables.RANKING`.
        choice: How the loss was chosen, or None where it was given.
        seen: Candidates scored.
        passed_over: Candidates left out, since they or the same graph are evaluated.
        update: What new labels changed, or None; see
            :func:`~nasrank.questions.rank.checking.change_row`.
        held_back: How the list does on labels held back, or None.
        notes: What to keep in mind, one line each.
        score_seconds: Seconds that reading and scoring the candidates took.
    """

    config: RankConfig
    model: Model
    rows: list[Row]
    choice: Choice | None
    seen: int
    passed_over: int
    update: Row | None
    held_back: Row | None
    notes: tuple[str, ...]
    score_seconds: float

    @property
    def case(self) -> Case:
        """What was evaluated."""
        return self.model.case

    @property
    def best_known(self) -> tuple[str, float]:
        """Name and label of the best evaluated architecture."""
        best = int(self.case.labels.argmax())
        return self.case.names[best], float(self.case.sign * self.case.labels[best])

    def document(self) -> Row:
        """Return all of it as JSON has it."""
        name, label = self.best_known
        found = self.model.calibration
        choice = self.choice
        return {
            "config": self.config.model_dump(mode="json"),
            "task": self.case.task.name,
            "unit": self.case.task.metric.unit,
            "better": "higher" if self.case.sign > 0 else "lower",
            "predictor": str(self.model.training.spec),
            "loss": self.model.training.loss,
            "evaluated": len(self.case.items),
            "best_known": {"id": name, "label": label},
            "candidates": self.seen,
            "passed_over": self.passed_over,
            "score_seconds": round(self.score_seconds, 3),
            "choice": choice
            and {
                "reason": choice.reason,
                "architectures": choice.items,
                "folds": choice.folds,
                "repeats": choice.repeats,
                "losses": choice.rows,
            },
            "calibration": {
                "method": found.method,
                "kendall_tau": self.model.tau,
                "mean_absolute_error": found.error,
                "confidence": found.confidence,
                "coverage": found.coverage,
                "half_widths": found.reach.tolist(),
            },
            "usual_operations": list(usual_operations(self.case)),
            "update": self.update,
            "held_back": self.held_back,
            "notes": list(self.notes),
            "rows": self.rows,
        }


def rank(config: RankConfig, out: Path, *, stage: Stage | None = None) -> Ranked:
    """Learn from evaluated architectures and list the candidates to evaluate next.

    Args:
        config: What to rank.
        out: Folder for ``ranking.parquet``, ``calibration.parquet``, ``choice.parquet``,
            ``ranking.json``, ``run.json`` and ``scores/``.
        stage: Told what goes on.

    Raises:
        UsageError: A name or size cannot be meant.
        DataError: What is read is missing or wrong, there are too few labels or all are equal,
            there is no candidate, or a folder cannot be written.
    """
    stage = stage or (lambda _: nullcontext(lambda _done, _total: None))
    device = choose_device(config.device)
    alone = parse_predictor(config.predictor)
    spec = with_ensemble(config.predictor, config.ensemble)
    loss = _given_loss(config, PREDICTORS[spec.name].own_loss)
    choices = [str(parse(each)) for each in config.losses or CANDIDATES]
    if config.n_train is not None and config.update is not None:
        raise UsageError("--n-train holds labels back and --update adds some; leave one out")
    require_writable(out)
    task = task_of_space(config.space)
    change = None if config.update is None else _update(config.update, config.pool, task)
    case = load_case(task, config.n_train, config.seed)
    if config.pool is None and not len(case.candidates):
        raise DataError(
            f"{task}: every architecture of it is evaluated, so there is none to rank. Import "
            "candidates without a label, or give --pool FILE"
        )
    choice = None
    if loss is None:
        with stage(f"comparing {len(choices)} losses") as tell:
            choice = choose_loss(
                case, alone, choices, seed=config.seed, device=device, on_step=tell
            )
        loss = choice.loss
    model = learn(case, Training(spec, loss, config.seed, device), config.confidence, stage)
    started = time.perf_counter()
    with stage("scoring candidates") as tell:
        if config.pool is None:
            folder = out / "scores" / "space"
            found = rank_space(model, folder, keep_scores=config.all_scores)
        else:
            pool = _pool_of(config.pool, task)
            folder = out / "scores" / _key(model, pool)
            kept = max(FIRST_KEPT, KEPT_FOR_EACH * config.top)
            found = rank_pool(
                model, pool, kept, folder, keep_scores=config.all_scores, on_progress=tell
            )
    _remove_others(folder)
    seconds = time.perf_counter() - started
    order = list_order(model, found, config.top, diverse=config.diverse)
    rows = list_rows(model, found, order)
    result = Ranked(
        config,
        model,
        rows,
        choice,
        found.seen,
        found.evaluated,
        None if change is None else change_row(change, model, found, config.top),
        truth_row(model, found, order),
        tuple(notes_of(model, found, order, rows)),
        seconds,
    )
    _write(result, out)
    return result


def _given_loss(config: RankConfig, own: str | None) -> str | None:
    """Return the loss to take, None where it has to be chosen."""
    given = None if config.loss == "auto" else str(parse(config.loss))
    if config.losses is not None and given is not None:
        raise UsageError("--losses are what --loss auto chooses from; leave one of the two out")
    if own is None:
        return given
    if given not in {None, own} or config.losses is not None:
        raise UsageError(
            f"--predictor {config.predictor} has a loss of its own; leave out --loss and --losses"
        )
    return own


def _update(path: Path, pool: Path | None, task: str) -> Change:
    labels = read_labels(path, parse_task(task).metric.name)
    before: Case | None = None
    # A space with too few labels until now is just what an update is for.
    with contextlib.suppress(DataError):
        before = load_case(task)
    source = None if pool is None else _pool_of(pool, task)
    return Change(before, *store_labels(labels, task, source))


def _pool_of(path: Path, task: str) -> PoolFile:
    graphs = load_task(task).space.graphs
    return PoolFile(path, graphs.vocabulary, graphs.attribute_names, reduction_of(task))


def _key(model: Model, pool: PoolFile) -> str:
    """Name what the scores of a pool come from."""
    case, training = model.case, model.training
    parts = (
        *(__version__, torch.__version__, case.task.name, case.task.fingerprint),
        *(str(training.spec), training.loss, training.seed, training.device.type),
        *(pool.digest, pool.chunk),
    )
    digest = hashlib.sha256(repr(parts).encode())
    digest.update(case.items.tobytes())
    digest.update(case.labels.tobytes())
    return digest.hexdigest()[:16]


def _remove_others(folder: Path) -> None:
    """Scores of earlier labels or pools would be taken for those of this list."""
    for other in folder.parent.glob("*"):
        if other != folder and other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _write(result: Ranked, out: Path) -> None:
    model = result.model
    case, sign = model.case, model.case.sign
    about = {
        "command": "rank",
        "config": result.config.model_dump(mode="json"),
        "task": case.task.name,
        "fingerprint": case.task.fingerprint,
        "loss": model.training.loss,
        "predictor": str(model.training.spec),
        "unit": case.task.metric.unit,
    }
    write_json(about, out / "run.json")
    RANKING.write(result.rows, out / "ranking.parquet", about)
    if result.choice is None:
        (out / "choice.parquet").unlink(missing_ok=True)
    else:
        CHOICE.write(result.choice.rows, out / "choice.parquet", about)
    value, *bounds = sign * model.calibration.held_out
    lower, upper = np.minimum(*bounds), np.maximum(*bounds)
    rows = [
        {
            "id": case.names[item],
            "fold": number,
            "score": float(model.held[item]),
            "label": float(sign * case.labels[item]),
            "value": float(value[item]),
            "value_lower": None if np.isnan(lower[item]) else float(lower[item]),
            "value_upper": None if np.isnan(upper[item]) else float(upper[item]),
        }
        for number, fold in enumerate(model.folds)
        for item in fold.tolist()
    ]
    CALIBRATION.write(rows, out / "calibration.parquet", about)
    write_json(_finite(result.document()), out / "ranking.json")


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON has many types
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
