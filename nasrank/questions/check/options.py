"""What can be asked of ``nasrank check``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from nasrank.errors import UsageError
from nasrank.predictors import PREDICTORS
from nasrank.study.options import Config, option, options_in

__all__ = ["TOLERANCE", "CheckConfig"]

TOLERANCE = 0.005
"""Drop in mean tau that is tolerated. With 20 seeds and other initial weights, and nothing else
changed, fewer than 1 check in 100 then fails, and a drop of .02 fails at least 95 in 100; the
measured tables are in results/reliability."""


_cost = options_in("What it may cost")


class CheckConfig(Config):
    """Guard a predictor: compare finished runs with a baseline, run by run.

    A run's partner has the same task, predictor, loss, size, seed and kind of split. One row
    decides: the paired difference of the mean tau over all of them. It fails only if the
    difference's whole 95 % interval lies below minus the tolerance. The other rows inform. Time
    and memory can be limited too, as multiples of what a reference takes in the same job.

    Exit codes: 0 held (or better, or undecided), 3 worse, 4 other data, 5 nothing to compare.
    """

    command: ClassVar[str] = "check"
    study: ClassVar[str] = "nasrank.questions.check.study:CHECKED"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank compare --subset ci --out nasrank-out/ci",
        "nasrank check nasrank-out/ci --against baseline.parquet --update",
        "nasrank check nasrank-out/ci --against baseline.parquet",
        (
            "nasrank check nasrank-out/ci --against baseline.parquet --predictors gnn "
            "--reference gp --max-slower 9"
        ),
    )

    results: Path = option(
        about="The --out folder of a finished comparison, or a baseline.", argument=True
    )
    against: Path | None = option(
        None, "The baseline, one small file, or the folder of a comparison.", metavar="BASELINE"
    )
    update: bool = option(False, "Write RESULTS as the new baseline instead of comparing.")
    tolerance: float = option(TOLERANCE, "Drop in mean tau that is tolerated.", ge=0)
    predictors: tuple[str, ...] = _cost(
        (), "Predictors of RESULTS whose cost is limited.", names=PREDICTORS
    )
    reference: str | None = _cost(
        None, "Predictor that is measured beside them, in turns.", names=PREDICTORS
    )
    max_slower: float | None = _cost(
        None, "Most time, as a multiple of the reference's.", gt=0, le=1e9, metavar="RATIO"
    )
    max_memory: float | None = _cost(
        None, "Most memory, as a multiple of the reference's.", gt=0, le=1e9, metavar="RATIO"
    )

    @property
    def limits_cost(self) -> bool:
        """Whether time or memory is limited."""
        return self.max_slower is not None or self.max_memory is not None

    @model_validator(mode="after")
    def _costs_named(self) -> CheckConfig:
        named = bool(self.predictors) and self.reference is not None
        if self.limits_cost and not named:
            raise UsageError(
                "--max-slower and --max-memory need --predictors, what is limited, and "
                "--reference, what it is measured beside, such as --predictors gnn --reference gp"
            )
        if not self.limits_cost and (self.predictors or self.reference is not None):
            raise UsageError(
                "--predictors and --reference limit nothing alone. Add --max-slower 2 or "
                "--max-memory 2"
            )
        if self.limits_cost and self.update:
            raise UsageError("--update compares nothing, and limits no cost. Leave it out")
        return self

    @model_validator(mode="after")
    def _named(self) -> CheckConfig:
        if self.against is None:
            raise UsageError(
                "--against names the baseline. Write one with: nasrank check "
                f"{shlex.quote(str(self.results))} --against baseline.parquet --update"
            )
        return self
