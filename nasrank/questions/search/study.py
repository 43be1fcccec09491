"""Predictor-guided search, simulated on benchmarks, with controls beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.files import remove_stale_parts
from nasrank.questions.search.controls import CONTROLS
from nasrank.questions.search.guided import run_control, search_fleet
from nasrank.questions.search.identity import SearchRun
from nasrank.questions.search.planning import (
    SUBSETS,
    SearchConfig,
    cut_fleets,
    parts_of,
    plan_searches,
)
from nasrank.questions.search.problem import load_problem
from nasrank.questions.search.summary import checkpoints, summary_rows
from nasrank.questions.search.tables import SEARCH, SEARCH_SUMMARY, SEARCHED, search_rows
from nasrank.registry import unknown_name
from nasrank.runs.features import predictor_on
from nasrank.study.finished import FinishedRuns
from nasrank.study.finishing import Progress, absences, finish, missing
from nasrank.tables import write_json

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from nasrank.predictors.predictor import Predictor

__all__ = [
    "SUBSETS",
    "SearchConfig",
    "SearchEstimate",
    "Searches",
    "estimate_search",
    "search",
]


@dataclass(frozen=True)
class Searches:
    """Finished searches.

    Attributes:
        out: The folder they were written to.
        tables: Rows of every table written, by name.
        headline: What to read first: a row for each task and method.
        left_out: What is missing, one line each.
        searched: Number of searches that this call ran.
    """

    out: Path
    tables: dict[str, list[dict[str, Any]]]
    headline: list[dict[str, Any]]
    left_out: tuple[str, ...]
    searched: int

    def frame(self, table: str) -> pd.DataFrame:
        """Return a table as a data frame.

        Args:
            table: Name of a table written, or ``headline``.

        Raises:
            UsageError: There is no such table.
        """
        import pandas as pd

        known = {**self.tables, "headline": self.headline}
        if table not in known:
            raise unknown_name("table", table, known)
        return pd.DataFrame.from_records(known[table])


@dataclass(frozen=True)
class SearchEstimate:
    """What a command would do.

    Attributes:
        runs: All its searches.
        missing: How many of them are not finished.
        fits: At most so many trainings of a predictor.
        device: Kind of device they would run on.
    """

    runs: tuple[SearchRun, ...]
    missing: int
    fits: int
    device: str


def search(
    config: SearchConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Searches:
    """Run the searches that are missing and write their tables.

    Args:
        config: What to search.
        out: Folder for ``runs.d``, ``search``, ``search_summary`` and ``run.json``.
        progress: Hears how far it is, in evaluations.
        only_cached: Search nothing; report what is there.
        force: Run every search again.

    Raises:
        UsageError: The configuration cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no search is there.
        Interrupted: Stopped by the user; finished searches are kept.
    """
    from nasrank.study.device import choose_device

    device = choose_device(config.device)
    runs = plan_searches(config)
    # Written first: a folder that cannot be written must not cost a search.
    write_json({"command": "search", "config": config.model_dump(mode="json")}, out / "run.json")
    finished = FinishedRuns(out / "runs.d", table=SEARCHED, kind=SearchRun)
    remove_stale_parts(out)
    predictors: dict[tuple[str, str], Predictor] = {}
    kept, searched = finish(
        cut_fleets(runs, device.type),
        lambda fleet: _run_fleet(fleet, predictors, device, progress),
        finished,
        what="searches",
        work=lambda run: run.budget,
        progress=progress,
        only_cached=only_cached,
        force=force,
    )
    present = [run for run in runs if run.run_id in kept]
    left_out = absences(runs, kept, finished, what="searches")
    tables = {SEARCH.name: [row for run in present for row in _rows(run, kept[run.run_id])]}
    first = next((run for run in runs if run.control is None), runs[0])
    against = first.method, first.loss
    summary = tables[SEARCH_SUMMARY.name] = summary_rows(
        tables[SEARCH.name], config.budget, against
    )
    about = {
        "command": "search",
        "config": config.model_dump(mode="json"),
        "fingerprints": {run.task: run.fingerprint for run in runs},
    }
    for table in (SEARCH, SEARCH_SUMMARY):
        table.write(tables[table.name], out / f"{table.name}.parquet", about)
    return Searches(out, tables, _headline(summary, against), left_out, searched)


def estimate_search(
    config: SearchConfig, out: Path, *, only_cached: bool = False, force: bool = False
) -> SearchEstimate:
    """Say what a command would do, without searching or writing anything.

    Args:
        config: What to search.
        out: Folder of the searches.
        only_cached: Search nothing.
        force: Run every search again.
    """
    from nasrank.study.device import choose_device

    runs = plan_searches(config)
    finished = FinishedRuns(out / "runs.d", table=SEARCHED, kind=SearchRun)
    left = missing(runs, finished, only_cached=only_cached, force=force)
    fits = sum(
        -(-(run.budget - run.initial) // (run.batch or 1)) * parts_of(run)
        for run in left
        if run.control is None
    )
    return SearchEstimate(runs, len(left), fits, choose_device(config.device).type)


def _run_fleet(
    fleet: Sequence[SearchRun],
    predictors: dict[tuple[str, str], Predictor],
    device: torch.device,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    first = fleet[0]
    problem = load_problem(first.task)
    advance = (lambda _work: None) if progress is None else progress.advance
    if first.control is not None:
        control = CONTROLS[first.control]
        found = [run_control(problem, control, run) for run in fleet]
        advance(sum(run.budget for run in fleet))
    else:
        space = problem.task.space
        key = str(first.predictor), space.name
        if key not in predictors:
            # Graphs are laid out once for all fleets on the same architectures.
            predictors[key] = predictor_on(space, key[0], device=device)
        found = search_fleet(problem, predictors[key], fleet, on_evaluated=advance)
    return [
        {
            "run_id": each.run.run_id,
            "evaluated": problem.architecture[each.order].tolist(),
            "round": each.rounds,
            "seconds": each.seconds,
        }
        for each in found
    ]


def _rows(run: SearchRun, kept: Mapping[str, Any]) -> list[dict[str, Any]]:
    about = {
        "run_id": run.run_id,
        "task": run.task,
        "method": run.method,
        "predictor": run.predictor,
        "loss": run.loss,
        "seed": run.seed,
    }
    return search_rows(load_problem(run.task), about, kept)


_SHOWN = (
    "evaluations_to_optimum",
    "hit_share",
    "evaluations_to_noise",
    "noise_share",
    "gpu_hours_to_optimum",
    "predictor_seconds",
)


def _headline(
    summary: Sequence[Mapping[str, Any]], headline: tuple[str, str | None]
) -> list[dict[str, Any]]:
    """One row a task and method, from the summary; what it lacks is None."""
    cells: dict[tuple[str, str, str | None], dict[str, Mapping[str, Any]]] = {}
    for row in summary:
        key = row["task"], row["method"], row["loss"]
        cells.setdefault(key, {})[row["metric"]] = row
    rows = []
    for (task, method, loss), own in cells.items():
        budget = own["hit_share"]["budget"]
        line: dict[str, Any] = {
            "task": task,
            "method": method,
            "loss": loss,
            "headline": (method, loss) == headline,
            "n_seeds": own["hit_share"]["n_seeds"],
            "budget": budget,
        }
        regrets = [f"regret_at_{at}" for at in checkpoints(budget)]
        ends = [f"{name}_at_{line['budget']}" for name in ("best_label", "test_label")]
        for name in (*_SHOWN, *regrets, *ends):
            cell = own.get(name)
            line[name] = None if cell is None else cell["value"]
            if name in {_SHOWN[0], _SHOWN[2], *regrets}:
                line[f"{name}_lower"] = None if cell is None else cell["lower"]
                line[f"{name}_upper"] = None if cell is None else cell["upper"]
                line[f"{name}_p_holm"] = None if cell is None else cell["p_holm"]
        rows.append(line)
    return rows
