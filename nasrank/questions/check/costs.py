"""What a predictor costs beside a reference: time and memory, measured in turns."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from statistics import median
from typing import Any, Literal

from nasrank.errors import DataError
from nasrank.lifetime import as_worker
from nasrank.own import Trust, adopt, trusted
from nasrank.predictors.specification import parse_predictor
from nasrank.registry import unknown_name
from nasrank.runs.grid import losses_for
from nasrank.runs.run import Run

__all__ = ["ROUNDS", "Cost", "cost_rows", "cost_verdict", "costs_in_turns", "measured_runs"]

Row = Mapping[str, Any]

ROUNDS = 3
"""Times that predictor and reference are measured, one right after the other."""
_LEAST_MEBIBYTES = 1.0
"""Less memory counts as this much, as a ratio of next to nothing says nothing."""


@dataclass(frozen=True)
class Cost:
    """What it took to train and to score some runs.

    Attributes:
        seconds: Of training and scoring, divided by the number of runs.
        mebibytes: Peak memory beyond that of the idle process; None where the system does not
            tell it.
    """

    seconds: float
    mebibytes: float | None


def measured_runs(rows: Sequence[Row], predictor: str, reference: str) -> tuple[list[Run], ...]:
    """Choose the runs that predictor and reference are measured on.

    They are those of one task, loss and size: of the largest size there is, the first.

    Args:
        rows: Rows of :data:`~nasrank.questions.check.tables.BASELINE`.
        predictor: What is checked, in any spelling.
        reference: What it is measured beside. It has the same loss, or its own where it cannot
            be trained with another.

    Returns:
        Runs of the predictor, and as many of the reference on the same data.

    Raises:
        UsageError: There is no such predictor, or no row of it.
    """
    spec, beside = parse_predictor(predictor), parse_predictor(reference)
    own = [row for row in rows if row["predictor"] == str(spec)]
    if not own:
        known = dict.fromkeys(str(row["predictor"]) for row in rows)
        raise unknown_name("predictor of the results", str(spec), known)
    largest = max(own, key=lambda row: row["n_train"])  # the first of equals
    same = ("task", "loss", "n_train", "split", "labels", "test", "sampling")
    chosen = [row for row in own if all(row[name] == largest[name] for name in same)]
    runs = [Run(**{each.name: row[each.name] for each in fields(Run)}) for row in chosen]
    (loss,) = losses_for(beside, [largest["loss"]])
    return runs, [replace(run, predictor=str(beside), loss=loss) for run in runs]


def costs_in_turns(
    both: Sequence[Sequence[Run]],
    tell: Callable[[int, int | None], None] = lambda _done, _of: None,
) -> list[tuple[Cost, Cost]]:
    """Measure two lists of runs `ROUNDS` times in turns, each time in a process of its own.

    So whatever else the machine does falls on both, neither finds anything prepared by the other,
    and freed memory that a process keeps hides nothing.

    Args:
        both: Runs of the predictor and of its reference.
        tell: Receives how many measurements are done, and of how many.

    Raises:
        NasrankError: What a run raises.
        DataError: The process was killed.
    """
    rounds = []
    for turn in range(ROUNDS):
        found = {}
        # Who comes first changes, so that a machine that warms up or slows down favours nobody.
        for place in (0, 1) if turn % 2 == 0 else (1, 0):
            found[place] = _in_a_process(both[place])
            tell(2 * turn + len(found), 2 * ROUNDS)
        rounds.append((found[0], found[1]))
    return rounds


def cost_rows(
    rounds: Sequence[tuple[Cost, Cost]],
    *,
    max_slower: float | None,
    max_memory: float | None,
) -> list[dict[str, Any]]:
    """Return the part of rows of ``costs`` that measurements decide.

    Args:
        rounds: The costs of predictor and reference, one pair a round.
        max_slower: The most seconds, as a multiple of the reference's; None for no such row.
        max_memory: The most memory, likewise.

    Raises:
        DataError: Memory is limited, and the system does not tell it.
    """
    rows = []
    for measure, unit, limit in (("time", "s", max_slower), ("memory", "MiB", max_memory)):
        if limit is None:
            continue
        pairs = [tuple(_amount(cost, measure) for cost in pair) for pair in rounds]
        ratios = [own / beside for own, beside in pairs]
        rows.append(
            {
                "measure": measure,
                "unit": unit,
                "reference_cost": median(beside for _, beside in pairs),
                "cost": median(own for own, _ in pairs),
                "ratio": median(ratios),
                "ratio_lowest": min(ratios),
                "ratio_highest": max(ratios),
                "limit": limit,
                "verdict": cost_verdict(min(ratios), max(ratios), limit),
            }
        )
    return rows


def cost_verdict(
    lowest: float, highest: float, limit: float
) -> Literal["held", "worse", "undecided"]:
    """Say what the ratios of all rounds mean.

    Example:
        >>> [cost_verdict(low, low + 0.2, 1.5) for low in (1.2, 1.3, 1.4, 1.51)]
        ['held', 'held', 'undecided', 'worse']
    """
    return "worse" if lowest > limit else "held" if highest <= limit else "undecided"


def _amount(cost: Cost, measure: str) -> float:
    if measure == "time":
        return cost.seconds
    if cost.mebibytes is None:
        raise DataError(
            "--max-memory: this system does not tell how much memory a process has used, only "
            "Linux does. Leave it out here"
        )
    return max(cost.mebibytes, _LEAST_MEBIBYTES)


def _in_a_process(runs: Sequence[Run]) -> Cost:
    from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor

    pool = ProcessPoolExecutor(max_workers=1, initializer=as_worker, initargs=(os.getpid(),))
    try:
        found: Cost = pool.submit(_measure, runs, trusted()).result()
    except BrokenProcessPool as error:
        raise DataError(
            f"the process that measured {runs[0].predictor} was killed, probably out of memory. "
            "Give the results fewer --seeds"
        ) from error
    finally:
        # After Control-C, too, nobody waits for it.
        pool.shutdown(wait=True, kill_workers=True)
    return found


def _measure(runs: Sequence[Run], trust: Trust) -> Cost:
    import torch

    from nasrank.benchmarks import load_task
    from nasrank.predictors.recipe import Recipe
    from nasrank.runs.train import Trainer, split_of
    from nasrank.study.measurement import watched_memory

    adopt(trust)
    device = torch.device("cpu")
    load_task(runs[0].task)
    for run in runs:
        split_of(run)
    with watched_memory(device) as memory:
        rows = Trainer(device, Recipe()).train(runs)
    seconds = sum(row["fit_seconds"] + row["predict_seconds"] for row in rows)
    return Cost(seconds / len(rows), memory.mebibytes)
