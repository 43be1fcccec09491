"""What can be asked of ``nasrank check``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from nasrank.errors import UsageError
from nasrank.study.options import Config, option

__all__ = ["TOLERANCE", "CheckConfig"]

TOLERANCE = 0.005
"""Drop in mean tau that is tolerated. With 20 seeds and other initial weights, and nothing else
changed, fewer than 1 check in 100 then fails, and a drop of .02 fails at least 95 in 100; the
measured tables are in results/reliability."""


class CheckConfig(Config):
    """Guard a predictor: compare finished runs with a baseline, run by run.

    A run's partner has the same task, predictor, loss, size, seed and kind of split. One row
    decides: the paired difference of the mean tau over all of them. It fails only if the
    difference's whole 95 % interval lies below minus the tolerance. The other rows inform.

    Exit codes: 0 held (or better, or undecided), 3 worse, 4 other data, 5 nothing to compare.
    """

    command: ClassVar[str] = "check"
    study: ClassVar[str] = "nasrank.questions.check.study:CHECKED"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank compare --subset ci --out nasrank-out/ci",
        "nasrank check nasrank-out/ci --against baseline.parquet --update",
        "nasrank check nasrank-out/ci --against baseline.parquet",
    )

    results: Path = option(
        about="The --out folder of a finished comparison, or a baseline.", argument=True
    )
    against: Path | None = option(
        None, "The baseline, one small file, or the folder of a comparison.", metavar="BASELINE"
    )
    update: bool = option(False, "Write RESULTS as the new baseline instead of comparing.")
    tolerance: float = option(TOLERANCE, "Drop in mean tau that is tolerated.", ge=0)

    @model_validator(mode="after")
    def _named(self) -> CheckConfig:
        if self.against is None:
            raise UsageError(
                "--against names the baseline. Write one with: nasrank check "
                f"{shlex.quote(str(self.results))} --against baseline.parquet --update"
            )
        return self
