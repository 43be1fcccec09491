"""What can be asked of ``nasrank explain``."""

from __future__ import annotations

from typing import ClassVar

from nasrank.study.options import OnDevice, Some, option, seed_option

__all__ = ["ALL_LABELS", "FEW_LABELS", "ExplainConfig"]

_WHAT, _LEARNING = "What to explain", "What to learn with"

ALL_LABELS, FEW_LABELS = 400, 156
"""Up to how many labels all are learnt from by default, and how many are drawn where there are
more."""


class ExplainConfig(OnDevice):
    """Say why predictors like an architecture, and what each loss rewards.

    Draws the graph or the settings of an architecture, or of the first in a ranked list, and says
    what each operation, edge or setting adds, which single edits would gain most, and which
    evaluated architecture is nearest, by every loss and with its doubt. Then what each loss
    rewards in the space, beside the true effect where labels are known, and how far they agree.

    The answer of --format json: task, unit, better, evaluated, closed, wiring; its tables:
    explained, effects, edits, rewards, agreement.
    """

    command: ClassVar[str] = "explain"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.questions.explain.study:EXPLAIN"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank explain --space my-space",
        "nasrank explain --space my-space --arch net0042",
        "nasrank explain --space nb201/cifar10 --n-train 156 --losses listmle,mse,hr",
    )

    space: str = option(
        about="A space, or one of its tasks such as my-space/own:latency.", panel=_WHAT
    )
    arch: tuple[str, ...] = option(
        (),
        "Name of an architecture; can be repeated.",
        usual="the first --top of the candidates, or of all where none is left",
        panel=_WHAT,
        repeated=True,
    )
    top: int = option(3, "How many of the best to explain.", panel=_WHAT, ge=1, le=100)
    losses: Some[str] = option(
        ("listmle", "mse"), "Losses to learn with; the first one ranks.", panel=_LEARNING
    )
    predictors: Some[str] = option(("kernel",), "Predictors, with options.", panel=_LEARNING)
    n_train: int | None = option(
        None,
        "Learn from so many labels, drawn as by compare.",
        usual=f"all, or {FEW_LABELS} where more than {ALL_LABELS} are known",
        panel=_LEARNING,
        ge=1,
    )
    seed: int = seed_option("Seed of the draws, the folds and the initial weights.")
