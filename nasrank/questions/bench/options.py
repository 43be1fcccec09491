"""What can be asked of ``nasrank bench``."""

from __future__ import annotations

from typing import ClassVar

from pydantic import model_validator

from nasrank.errors import UsageError
from nasrank.study.options import OnDevice, option

__all__ = ["BenchConfig"]


class BenchConfig(OnDevice):
    """Measure the speed of nasrank on this machine, beside what it aims at.

    Training alone and in a fleet, scoring, loading, start, and the default command; then what
    each predictor costs in time and memory. A goal that is missed is no error: other work on the
    machine slows all of it.
    """

    command: ClassVar[str] = "bench"
    study: ClassVar[str] = "nasrank.questions.bench.study:BENCHED"
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank bench",
        "nasrank bench --full --out nasrank-out/bench-idle",
        "nasrank bench --quick --format json",
    )

    quick: bool = option(False, "Seconds: the machine alone, few repeats.")
    full: bool = option(
        False,
        "Minutes: the default command itself, and how the cost of every predictor grows.",
    )

    @model_validator(mode="after")
    def _one_effort(self) -> BenchConfig:
        if self.quick and self.full:
            raise UsageError("--quick measures less and --full more; leave one out")
        return self
