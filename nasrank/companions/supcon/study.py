"""The studies of ``nasrank supcon``, declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nasrank.companions.supcon.figures import draw_simulation
from nasrank.companions.supcon.options import SimulateConfig
from nasrank.companions.supcon.simulate import (
    Problem,
    cut_fleets,
    plan_problems,
    solve_problems,
)
from nasrank.companions.supcon.simulate_claims import simulation_claims
from nasrank.companions.supcon.tables import SIMULATION
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.study import Answer, Job, OnWork, Plan, Result, Runs, Study
from nasrank.study.view import Field, Part, Sheet, plural

__all__ = ["SIMULATE"]

Row = dict[str, Any]


def _plan_problems(config: SimulateConfig) -> Plan[Problem]:
    problems = plan_problems(config)
    return Plan(cut_fleets(problems), runs=problems)


def _solve(config: SimulateConfig, _plan: Plan[Problem]) -> Any:  # noqa: ANN401 - a worker
    device = choose_device(config.device)

    def solve(fleet: Sequence[Problem], on_work: OnWork) -> list[Row]:
        return solve_problems(fleet, device, on_work)

    return solve


def _simulated(job: Job[SimulateConfig, Problem]) -> Answer:
    return Answer({SIMULATION: job.rows, CLAIMS: simulation_claims(job.rows)})


def _view_simulation(result: Result[SimulateConfig]) -> Iterable[Part]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in result.rows:
        shape = f"{row['classes']} x {row['instances']} x {row['views']}"
        key = row["data"], row["method"], shape, row["temperature"]
        groups.setdefault(key, []).append(row)
    names = ("data", "method", "shape", "temperature")
    lines = [
        {**dict(zip(names, key, strict=True)), **_of_a_problem(own)} for key, own in groups.items()
    ]
    seeds = plural(len({row["seed"] for row in result.rows}), "seed")
    yield Sheet(
        lines,
        (
            Field("data", "embeddings", keep=9),
            Field("method", "anchor", keep=9),
            Field("shape", "m x n x p", right=True, keep=9),
            Field("temperature", "tau", right=True, keep=9),
            Field("points", right=True, keep=4),
            Field("settled", "converged", right=True),
            Field("counted", right=True, keep=4),
            Field("collapsed", "collapsed,\npredicted", right=True, keep=8),
            Field("error", "variance within,\nlargest error", right=True, keep=8),
            Field("spread", "view spread,\nlargest error", right=True),
            Field("total", "total variance,\nsmallest", right=True),
        ),
        f"Gradient descent against theory, {seeds}",
    )
    yield (
        "Errors are over all points but those that diverged, converged or not; collapsed is a "
        "variance within classes below 0.001, beside how many points theory says it of."
    )


def _of_a_problem(rows: Sequence[Row]) -> Row:
    known = [row for row in rows if not row["diverged"]]

    def worst(reached: str, predicted: str) -> str:
        return f"{max((abs(r[reached] - r[predicted]) for r in known), default=0.0):.1e}"

    gone = sum(row["within_variance"] < 1e-3 for row in known)
    said = sum(row["predicted_within"] < 1e-3 for row in rows)
    return {
        "points": len(rows),
        "settled": sum(row["converged"] for row in rows),
        "counted": sum(row["counted"] for row in rows),
        "collapsed": f"{gone}, {said}",
        "error": worst("within_variance", "predicted_within"),
        "spread": worst("view_spread", "predicted_spread"),
        "total": f"{min((row['total_variance'] for row in known), default=0.0):.4f}",
    }


def _draw_simulation(result: Result[SimulateConfig]) -> Iterable[Path]:
    return [draw_simulation(result.rows, result.out / "simulate.svg")]


SIMULATE = Study(
    config=SimulateConfig,
    main=SIMULATION,
    runs=Runs(
        identity=Problem,
        kept=SIMULATION,
        plan=_plan_problems,
        worker=_solve,
        what="problems",
        work=lambda problem: problem.steps,
    ),
    answer=_simulated,
    view=_view_simulation,
    pictures=_draw_simulation,
)
