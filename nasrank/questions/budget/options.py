"""What can be asked of ``nasrank budget`` and ``nasrank recommend``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from nasrank.errors import UsageError
from nasrank.losses import LOSSES, parse
from nasrank.study.options import Config, Some, options_in

__all__ = ["USUAL_TOP", "BudgetConfig", "RecommendConfig"]

USUAL_TOP = 0.001
"""What budget looks for where nothing else is asked: one of the top 0.1 %."""

_target, _choice, _own = map(options_in, ("What to find", "What to choose from", "Your own space"))
_case, _from = options_in("Your case"), options_in("What to learn from")

Size = Annotated[int, Field(gt=0)]


class _FromResults(Config):
    """Options of commands that learn from finished comparisons."""

    losses: Some[str] | None = _from(None, "Losses to choose from.", usual="all", names=LOSSES)
    tasks: Some[str] | None = _from(None, "Tasks to learn from.", usual="all")
    results: tuple[Path, ...] = _from(
        (),
        "Folder that nasrank compare wrote; may be given several times.",
        usual="the reference results",
        repeated=True,
    )

    @field_validator("losses")
    @classmethod
    def _spelled(cls, losses: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Spell losses as the tables do; an unknown one is refused before any is read."""
        return None if losses is None else tuple(str(parse(loss)) for loss in losses)


class BudgetConfig(_FromResults):
    """Plan a budget: evaluations, GPU-hours and cost until a good architecture is found.

    Trains nothing: reads finished runs and says what each loss needed, with random search beside
    it, and how a plan made on some tasks did on another. Ends with a plan to follow.
    """

    command: ClassVar[str] = "budget"
    study: ClassVar[str] = "nasrank.questions.budget.study:BUDGET"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank budget --top 0.01 --confidence 0.9",
        (
            "nasrank budget --space-size 100000 --hours-per-eval 4 --cost-per-hour 2.5 "
            "--overhead 5000"
        ),
        "nasrank budget --tasks nb201/cifar10 --better-than 91.5 --results nasrank-out/compare",
    )

    top: float | None = _target(
        None,
        "Find one of the best, by share of all architectures.",
        usual=f"{USUAL_TOP:g}",
        gt=0,
        le=1,
    )
    regret: float | None = _target(
        None, "Find one with at most this regret, in the metric's unit.", ge=0
    )
    better_than: float | None = _target(None, "Find one better than this, in the metric's unit.")
    confidence: float = _target(0.8, "Probability of finding it.", gt=0, lt=1)
    n_train: Some[Size] | None = _choice(None, "Training set sizes.", usual="all")
    k: int | None = _choice(
        None,
        "Limit of evaluations after the training set; also shows how likely it is enough.",
        ge=0,
    )
    space_size: int | None = _own(
        None,
        "Architectures in your space; scales what random search needs.",
        usual="the benchmark's",
        gt=0,
    )
    hours_per_eval: float | None = _own(
        None, "GPU-hours of one evaluation.", usual="the benchmark's", gt=0
    )
    cost_per_hour: float | None = _own(None, "Price of a GPU-hour.", ge=0)
    cost_per_eval: float | None = _own(
        None, "Price of an evaluation, on top of its GPU-hours.", ge=0
    )
    overhead: float | None = _own(
        None, "Cost of setting up the predictor, subtracted from what it saves.", ge=0
    )

    @model_validator(mode="after")
    def _one_target(self) -> BudgetConfig:
        asked = [self.top, self.regret, self.better_than]
        if sum(value is not None for value in asked) > 1:
            raise UsageError("give one of --top, --regret and --better-than, not several")
        top = self.top or USUAL_TOP
        if self.regret is not None or self.better_than is not None or self.space_size is None:
            return self
        if round(top * self.space_size, 9) < 1:
            raise UsageError(
                f"--top {top:g} of {self.space_size:,} architectures is less than one "
                f"architecture. Ask for at least --top {math.ceil(1e6 / self.space_size) / 1e6:g}"
            )
        return self


class RecommendConfig(_FromResults):
    """Recommend a loss for a training size, a space, its noise and a goal.

    Trains nothing: learns from finished runs, says how often each loss was the best and its
    regret against the best where it was not, and tests its own advice on spaces held out.
    """

    command: ClassVar[str] = "recommend"
    study: ClassVar[str] = "nasrank.questions.budget.study:RECOMMEND"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank recommend --n-train 100",
        "nasrank recommend --goal order --n-train 60 --space-size 20000 --replicate-tau 0.9",
        "nasrank recommend --results nasrank-out/compare --results nasrank-out/more",
    )

    goal: Literal["order", "top", "value"] = _case(
        "top", "What to predict: the order of all architectures, the top, or the value."
    )
    n_train: Some[Size] | None = _case(
        None, "Training architectures that you can evaluate.", usual="the sizes of the tables"
    )
    space_size: int | None = _case(None, "Architectures in your space.", gt=0)
    replicate_tau: float | None = _case(
        None,
        "Noise of your labels: tau between two training seeds, as nasrank data info shows it.",
        gt=0,
        le=1,
    )
