"""A study of three options, whole: what a new one has to say."""

from dataclasses import dataclass
from typing import ClassVar

from nasrank.seeds import numpy_generator
from nasrank.study.claims import CLAIMS, claim_row
from nasrank.study.controls import positive
from nasrank.study.finished import Identity
from nasrank.study.options import Seeded, Some, option
from nasrank.study.study import Answer, Plan, Runs, Study
from nasrank.study.view import Measure, over_seeds
from nasrank.tables import Table, count, share, text


class ToyConfig(Seeded):
    """Throw dice, and ask whether their mean is above a number."""

    command: ClassVar[str] = "toy"
    study: ClassVar[str] = "tests.study.toy:TOY"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = ("nasrank toy --sides 6,20",)
    sides: Some[int] = option((6,), "Sides of the dice.")
    throws: int = option(10, "Throws of each die.", ge=1, le=1_000)
    above: float = option(3.0, "What the mean should be above.")


@dataclass(frozen=True)
class Toss(Identity):
    sides: int
    throws: int
    seed: int


TOSSES = Table(
    "toy",
    "One die",
    (
        text("run_id", "Hash of the run's configuration"),
        count("sides", "1", "Sides of the die"),
        share("mean", "Mean of its throws"),
    ),
)


def throw(tosses, _on_work):
    def mean(toss):
        rng = numpy_generator(toss.seed, sides=toss.sides)
        return float(rng.integers(1, toss.sides + 1, toss.throws).mean())

    return [{"run_id": t.run_id, "sides": t.sides, "mean": mean(t)} for t in tosses]


def answer(job):
    heights = [row["mean"] - job.config.above for row in job.rows]
    claim = claim_row(
        "toy", "The mean is above", "dice", heights, source="toy: mean", measures=("mean",)
    )
    return Answer({TOSSES: job.rows, CLAIMS: [claim]})


TOY = Study(
    config=ToyConfig,
    main=TOSSES,
    runs=Runs(
        identity=Toss,
        kept=TOSSES,
        plan=lambda c: Plan([[Toss(n, c.throws, seed) for seed in c.all_seeds] for n in c.sides]),
        worker=lambda _config, _plan: throw,
    ),
    answer=answer,
    controls=lambda job, measures: [positive("mean", "a six", 6.0, best=6.0, chance=3.5)],
    view=lambda result: [over_seeds(result.rows, ["sides"], [Measure("mean", "mean")])],
)
