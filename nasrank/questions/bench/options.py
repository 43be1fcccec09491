"""What can be asked of ``nasrank bench``."""

from __future__ import annotations

from typing import ClassVar

from pydantic import model_validator

from nasrank.errors import UsageError
from nasrank.study.options import OnDevice, option

__all__ = ["BenchConfig"]


class BenchConfig(OnDevice):
    """Measure the speed of nasrank on this machine, against its goals.

    Training alone and in a fleet, scoring, loading, start, and the default command; then what
    each predictor costs in time and memory. A missed goal is not an error: other work on the
    machine slows everything.
    """

    command: ClassVar[str] = "bench"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.questions.bench.study:BENCHED"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank bench",
        "nasrank bench --full --out nasrank-out/bench-idle",
        "nasrank bench --quick --format json",
    )

    quick: bool = option(False, "Takes seconds: few repeats, and no series of predictors.")
    full: bool = option(
        False,
        "Takes minutes: the default command itself, and how the cost of every predictor grows.",
    )

    @model_validator(mode="after")
    def _one_effort(self) -> BenchConfig:
        if self.quick and self.full:
            raise UsageError("--quick measures less and --full more; leave one out")
        return self
