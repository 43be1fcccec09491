"""What can be asked of ``nasrank supcon``."""

from __future__ import annotations

from typing import ClassVar, Literal

from nasrank.study.options import HOW, OnDevice, Seeded, option

__all__ = ["SimulateConfig"]

_GRID = "What to minimise"


class SimulateConfig(Seeded, OnDevice):
    """Minimise the loss from random embeddings, and compare with what theory predicts.

    All problems of a seed are minimised as one batch. A point counts for the claims where m n is
    at most 40, the temperature at least 0.3, and alpha further than 0.03 from the threshold; the
    others are shown with whether they have converged.
    """

    command: ClassVar[str] = "supcon simulate"
    study: ClassVar[str] = "nasrank.companions.supcon.study:SIMULATE"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank supcon simulate --seeds 5",
        "nasrank supcon simulate --shapes 2x3,3x4 --temperatures 0.5 --anchors included,excluded",
    )

    shapes: tuple[str, ...] = option(
        ("2x3", "2x10", "3x4", "4x10", "5x4", "8x5"),
        "Classes x instances of a batch.",
        panel=_GRID,
        min_length=1,
    )
    views: tuple[int, ...] = option((2,), "Views of an instance.", panel=_GRID, min_length=1)
    temperatures: tuple[float, ...] = option(
        (0.3, 0.5, 1.0), "Temperatures.", panel=_GRID, min_length=1
    )
    alphas: tuple[float, ...] = option(
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        "Shares of the self-supervised loss.",
        panel=_GRID,
        min_length=1,
    )
    near: tuple[float, ...] = option(
        (-0.01, 0.01),
        "Further alphas, as distances from each collapse threshold; those outside 0 to 1 are "
        "left out.",
        panel=_GRID,
    )
    anchors: tuple[Literal["included", "excluded"], ...] = option(
        ("included",), "Whether an anchor is in its own softmax.", panel=_GRID, min_length=1
    )
    models: tuple[Literal["free", "net"], ...] = option(
        ("free",),
        "Free embeddings, or a net of two layers on random points.",
        panel=_GRID,
        min_length=1,
    )
    steps: int = option(800, "Steps of Adam.", panel=HOW, ge=10, le=100_000)
