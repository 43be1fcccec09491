"""What can be asked of ``nasrank rank``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from pydantic import model_validator

from nasrank.errors import UsageError
from nasrank.losses import LOSSES
from nasrank.predictors import PREDICTORS
from nasrank.study.engines.engine import OnEngines
from nasrank.study.options import HOW, OUTPUT, OnAnyDevice, option

__all__ = ["RankConfig"]

_WHAT, _LEARNING, _LIST = "What to rank", "What to learn with", "The list"


class RankConfig(OnAnyDevice, OnEngines):
    """Rank the candidates of your own space: what to evaluate next.

    Learns from the evaluated architectures of an imported space and lists the best candidates:
    score, uncertainty, calibrated value with interval, the nearest evaluated architecture, and
    what raises the score. Scoring of a long pool resumes where it was stopped, and with --engine
    is done in several processes or on a cluster, with the same result.

    The answer of --format json: task, unit, better, predictor, loss, evaluated, best_known,
    candidates, passed_over, score_seconds, mixture, choice, calibration, usual_operations, told_by
    (graph or settings), settings, update, held_back; its tables: ranking, calibration, race where
    auto chose a predictor, and choice where a loss was chosen.
    """

    command: ClassVar[str] = "rank"
    study: ClassVar[str] = "nasrank.questions.rank.study:RANK"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank rank --space my-space",
        "nasrank rank --space my-space --update new-labels.csv",
        "nasrank rank --space my-space --pool candidates.parquet --loss hr --top 50 --diverse",
        "nasrank rank --space my-space --pool candidates.parquet --engine processes",
        "nasrank rank --space nb201/cifar10 --n-train 78",
    )

    space: str = option(
        about="A space, or one of its tasks such as my-space/own:latency.", panel=_WHAT
    )
    pool: Path | None = option(
        None,
        "Candidates: a table as for data import, such as .csv or .parquet, of any length.",
        usual="the architectures of the space without a label",
        panel=_WHAT,
    )
    update: Path | None = option(
        None,
        "New labels to add to the space first: columns id, or the settings, and label.",
        panel=_WHAT,
    )
    n_train: int | None = option(
        None,
        "Learn from only this many labels and check the list against the others.",
        panel=_WHAT,
        ge=1,
    )
    loss: str | None = option(
        None,
        "The loss, or auto to choose one by cross-validation.",
        usual="listmle; auto with --losses",
        panel=_LEARNING,
        complete=lambda: ("auto", *LOSSES.all_names()),
        names=LOSSES,
    )
    losses: tuple[str, ...] | None = option(
        None,
        "Losses for auto to choose from.",
        usual="all, some with several options",
        panel=_LEARNING,
        names=LOSSES,
        min_length=1,
    )
    predictor: str = option(
        "auto",
        "The predictor, with options; auto races several on folds of your labels.",
        panel=_LEARNING,
        names=PREDICTORS,
    )
    ensemble: int = option(
        4,
        "Trainings of a network that are averaged; their spread is the uncertainty.",
        panel=_LEARNING,
        ge=1,
        le=64,
    )
    top: int = option(20, "How many to list.", panel=_LIST, ge=1, le=100_000)
    diverse: bool = option(
        False,
        "Spread the list out: half quality, half distance from those listed before it.",
        panel=_LIST,
    )
    confidence: float = option(
        0.9, "Share of labels that intervals should cover.", panel=_LIST, gt=0, lt=1
    )
    seed: int = option(
        0,
        "Seed of the folds, the initial weights and the draw of --n-train.",
        panel=HOW,
        ge=0,
        lt=2**63,
    )
    all_scores: bool = option(
        False, "Write the score of every candidate to OUT/scores.", panel=OUTPUT
    )

    @property
    def chooses_loss(self) -> bool:
        """Whether a loss has to be chosen."""
        return self.loss == "auto" or (self.loss is None and self.losses is not None)

    @model_validator(mode="after")
    def _engines_are_for_pools(self) -> RankConfig:
        if self.engine != "local" and self.pool is None:
            raise UsageError(
                f"--engine {self.engine} is for a --pool, which it scores in parts. Give --pool "
                "FILE, or leave out --engine"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _say_how_to_get_a_space(cls, given: Any) -> Any:  # noqa: ANN401 - pydantic's
        if isinstance(given, dict) and "space" not in given:
            raise ValueError(
                "--space is missing. Import your own with: nasrank data import my-space archs.csv"
            )
        return given
