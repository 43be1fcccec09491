"""The main study: every loss on the same data, and what each finds."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from nasrank.benchmarks import load_task, parse_task
from nasrank.benchmarks.sampling import SAMPLINGS
from nasrank.benchmarks.splits import LABELS, SPLITS, TESTS, largest_train_size, make_split
from nasrank.errors import Interrupted, NothingToCompare, UsageError
from nasrank.files import remove_stale_parts, require_writable
from nasrank.losses import LOSSES, PiecewiseSpec, parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import parse_predictor
from nasrank.registry import unknown_name
from nasrank.runs.grid import cut, estimated_seconds, losses_for, work
from nasrank.runs.memory import MemoryLimit
from nasrank.runs.run import Run
from nasrank.runs.summarise import headline
from nasrank.runs.tables import FINISHED
from nasrank.runs.tabulate import run_tables
from nasrank.study.engines.engine import OnEngines
from nasrank.study.finished import FinishedRuns
from nasrank.study.finishing import Progress, absences
from nasrank.tables import write_json

if TYPE_CHECKING:
    import pandas as pd

    from nasrank.runs.fleets import FleetTask

__all__ = [
    "SUBSETS",
    "CompareConfig",
    "Comparison",
    "Estimate",
    "Grid",
    "compare",
    "estimate",
    "plan_grid",
]

_LOG = logging.getLogger("nasrank")
_MOST_RUNS = 1_000_000

SUBSETS: dict[str, dict[str, Any]] = {
    "ci": {
        "tasks": ("nb201/cifar10",),
        "losses": ("mse", "hr", "listmle"),
        "n_train": (78,),
        "seeds": 20,
    },
    "full": {
        "tasks": ("nb201/cifar10", "nb201/cifar100", "nb201/imagenet16-120"),
        "losses": tuple(LOSSES.names()),
        "n_train": (39, 78, 156, 469),
        "seeds": 10,
    },
}
"""Fixed grids: ``ci`` for regression checks on a CPU, ``full`` for the reference results."""


class CompareConfig(BaseModel):
    """What to compare; the names are those of the command's options.

    Attributes:
        tasks: Tasks by name.
        losses: Losses by name, with options.
        predictors: Predictors by name, with options; those with a loss of their own are trained
            with that loss alone.
        n_train: Training set sizes.
        seeds: Number of seeds.
        seed: The first seed; the others follow it.
        split: ``class`` or ``random``.
        labels: ``mean`` or ``single``.
        test: ``rest`` or ``all``.
        sampling: Ways to draw training sets.
        device: ``auto``, ``cpu`` or ``cuda``.
        keep_predictions: Also write every score.
        curves: Also write loss and tau by epoch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tasks: tuple[str, ...] = Field(("nb201/cifar10",), min_length=1)
    losses: tuple[str, ...] = Field(("mse", "hr", "listmle"), min_length=1)
    predictors: tuple[str, ...] = Field(("gnn",), min_length=1)
    n_train: tuple[PositiveInt, ...] = Field((78, 156), min_length=1)
    seeds: PositiveInt = 10
    # Tables hold seeds in 64 bits.
    seed: int = Field(0, ge=0, lt=2**62)
    split: str = "class"
    labels: str = "mean"
    test: str = "rest"
    sampling: tuple[str, ...] = Field(("random",), min_length=1)
    device: str = "auto"
    keep_predictions: bool = False
    curves: bool = False


@dataclass(frozen=True)
class Grid:
    """All runs of a comparison.

    Attributes:
        runs: The runs, in the order of the options.
        left_out: Why cells of the grid are missing, one line each.
    """

    runs: tuple[Run, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    Attributes:
        out: The folder it was written to.
        tables: Rows of every table written, by name.
        headline: What to read first: a row for each loss and training size.
        left_out: Why cells of the grid are missing, one line each.
        trained: Number of runs that were trained by this call.
    """

    out: Path
    tables: dict[str, list[dict[str, Any]]]
    headline: list[dict[str, Any]]
    left_out: tuple[str, ...]
    trained: int

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
class Estimate:
    """What a comparison would do.

    Attributes:
        grid: Its runs.
        missing: How many of them are not finished.
        seconds: Rough guess of the time those take.
        device: Kind of device they would run on.
    """

    grid: Grid
    missing: int
    seconds: float
    device: str


def plan_grid(config: CompareConfig) -> Grid:
    """Spell out the runs of a comparison, and refuse what cannot be meant.

    A training size out of range is an error where there is one task; in a grid of several tasks
    that cell is left out and named. A predictor that has a loss of its own is trained once for
    each task, size and seed, whatever the losses.

    Raises:
        UsageError: A name, an option or a size cannot be meant.
        DataError: A task's data is missing or damaged.
    """
    losses = list(dict.fromkeys(str(parse(loss)) for loss in config.losses))
    tasks = list(dict.fromkeys(str(parse_task(task)) for task in config.tasks))
    # Spelled in one way, so that what is named twice is trained once.
    predictors = {str(spec): spec for spec in map(parse_predictor, config.predictors)}
    methods = [
        (name, loss) for name, known in predictors.items() for loss in losses_for(known, losses)
    ]
    for predictor in predictors.values():
        PREDICTORS[predictor.name].require_extra()
    names: list[tuple[str, str, Collection[str]]] = [
        *(("sampling", name, SAMPLINGS) for name in config.sampling),
        ("split", config.split, SPLITS),
        ("labels", config.labels, LABELS),
        ("test", config.test, TESTS),
    ]
    for kind, value, known in names:
        if value not in known:
            raise unknown_name(kind, value, known)
    sizes = list(dict.fromkeys(config.n_train))
    for loss in losses:
        spec = parse(loss)
        if isinstance(spec, PiecewiseSpec) and not 2 <= spec.switch < min(sizes):
            raise UsageError(
                f"{loss} switches at {spec.switch}, which has to be at least 2 and below every "
                f"--n-train, the least of which is {min(sizes)}"
            )
    cells = len(tasks) * len(sizes) * len(methods) * len(set(config.sampling))
    if cells * config.seeds > _MOST_RUNS:
        raise UsageError(
            f"{cells * config.seeds:,} runs are more than one folder should hold "
            f"({_MOST_RUNS:,}); use fewer --seeds, or several commands"
        )
    runs: list[Run] = []
    left_out: list[str] = []
    for name, n_train in product(tasks, sizes):
        task = load_task(name)
        try:
            # A trial draw checks size, labels and sampling at once.
            for sampling in config.sampling:
                make_split(
                    task,
                    n_train,
                    config.seed,
                    split=config.split,
                    labels=config.labels,
                    test=config.test,
                    sampling=sampling,
                )
        except UsageError as error:
            largest = largest_train_size(task, config.split, config.labels)
            # Any size out of range where none is in range: it is not the size that is wrong.
            if len(tasks) == 1 or largest < 2 or 2 <= n_train <= largest:
                raise
            left_out.append(str(error))
            continue
        runs += [
            Run(
                task=name,
                fingerprint=task.fingerprint,
                predictor=predictor,
                loss=loss,
                n_train=n_train,
                seed=seed,
                split=config.split,
                labels=config.labels,
                test=config.test,
                sampling=sampling,
            )
            for sampling, (predictor, loss) in product(dict.fromkeys(config.sampling), methods)
            for seed in range(config.seed, config.seed + config.seeds)
        ]
    if not runs:
        raise UsageError(f"nothing is left of the grid: {left_out[0]}")
    return Grid(tuple(runs), tuple(left_out))


def compare(
    config: CompareConfig,
    out: Path,
    *,
    how: OnEngines | None = None,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Comparison:
    """Train what is missing of a comparison and write its tables.

    Args:
        config: What to compare.
        out: Folder for ``runs.d``, the tables and ``run.json``.
        how: Where it is worked off, and with how much memory; in this process if None.
        progress: Hears how far it is.
        only_cached: Train nothing; report the runs that are there.
        force: Train every run again.

    Raises:
        UsageError: The configuration cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run of the grid is there.
        Interrupted: Stopped by the user; finished runs are kept.
    """
    from nasrank.runs.fleets import FleetSettings, FleetTrainer
    from nasrank.runs.train import Extras

    how = how or OnEngines()
    kind = _kind(config, how)
    engine = how.make_engine(kind)
    recipe = Recipe()
    grid = plan_grid(config)
    limit = MemoryLimit(how.memory_bytes, recipe, kind, config.keep_predictions)
    # Written first: a folder that cannot be written must not cost a training.
    write_json({"command": "compare", "config": config.model_dump(mode="json")}, out / "run.json")
    finished = FinishedRuns(out / "runs.d", table=FINISHED, kind=Run)
    extras = Extras(predictions=config.keep_predictions, curves=config.curves)
    remove_stale_parts(out)
    rows = {} if force else _saved(finished, grid.runs, extras.needing)
    trained = 0
    if not only_cached and len(rows) < len(grid.runs):
        require_writable(finished.folder)
        todo = _fleets(grid, rows, kind, recipe)
        if engine.parallel:
            # The large ones first, or one of them is waited for in the end.
            todo.reverse()
        tasks = _limited(todo, limit)
        trained = sum(len(runs) for runs in todo)
        if progress is not None:
            progress.start(sum(work(runs, recipe) for runs in todo), trained, len(rows))
        trainer = FleetTrainer(FleetSettings(kind, recipe, extras))
        on_work = None if progress is None else progress.advance
        try:
            with closing(engine.map(trainer, tasks, on_work)) as results:
                for place, found in results:
                    runs = todo[place]
                    finished.save_fleet(runs, found)
                    rows |= {row["run_id"]: row for row in found}
                    if progress is not None:
                        if engine.parallel:
                            progress.advance(work(runs, recipe))
                        progress.saved(len(runs))
        except KeyboardInterrupt as error:
            # With --force the same command would begin anew.
            again = "the same command without --force" if force else "the same command"
            raise Interrupted(
                f"stopped: {len(rows)} of {len(grid.runs)} runs are saved in {finished.folder}. "
                f"Type {again} to go on"
            ) from error
    present = [rows[run.run_id] for run in grid.runs if run.run_id in rows]
    if not present:
        raise NothingToCompare(
            f"none of the {len(grid.runs)} runs is in {finished.folder}. "
            "Leave out --only-cached to train them"
        )
    left_out = [*grid.left_out, *absences(grid.runs, rows, finished, what="runs")]
    tables = run_tables(present, sampling=len(set(config.sampling)) > 1, parts=extras.parts)
    about = {
        "command": "compare",
        "config": config.model_dump(mode="json"),
        "fingerprints": {run.task: run.fingerprint for run in grid.runs},
    }
    for table, content in tables:
        table.write(content, out / f"{table.name}.parquet", about)
    named = {table.name: content for table, content in tables}
    top_line = headline(named["summary"], named["budget"])
    return Comparison(out, named, top_line, tuple(left_out), trained)


def estimate(
    config: CompareConfig,
    out: Path,
    *,
    how: OnEngines | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> Estimate:
    """Say what a comparison would do, without training or writing anything.

    The time is that of one process, whatever the engine.

    Args:
        config: What to compare.
        out: Folder of the comparison.
        how: Where it would be worked off; nothing is started or connected.
        only_cached: Train nothing.
        force: Train every run again.
    """
    from nasrank.runs.train import Extras

    how = how or OnEngines()
    kind = _kind(config, how)
    how.make_engine(kind)
    grid = plan_grid(config)
    finished = FinishedRuns(out / "runs.d", table=FINISHED, kind=Run)
    needing = Extras(predictions=config.keep_predictions, curves=config.curves).needing
    missing = [
        run
        for run in grid.runs
        if not only_cached and (force or finished.load(run, needing=needing) is None)
    ]
    recipe = Recipe()
    limit = MemoryLimit(how.memory_bytes, recipe, kind, config.keep_predictions)
    unfinished = {run.run_id for run in missing}
    rest = {run.run_id for run in grid.runs} - unfinished
    _limited(_fleets(grid, rest, kind, recipe), limit)
    return Estimate(grid, len(missing), estimated_seconds(missing, kind, recipe), kind)


def _kind(config: CompareConfig, how: OnEngines) -> str:
    """Return ``cpu`` or ``cuda``."""
    from nasrank.study.device import choose_device

    # What a cluster has, its workers know.
    if how.engine == "dask" and config.device == "cuda":
        return "cuda"
    return choose_device(config.device).type


def _fleets(grid: Grid, finished: Collection[str], kind: str, recipe: Recipe) -> list[list[Run]]:
    """Return what is to be trained, by fleet of the whole grid."""
    spaces = [load_task(run.task).space.name for run in grid.runs]
    missing = [
        [run for run in fleet.runs if run.run_id not in finished]
        for fleet in cut(grid.runs, spaces, kind, recipe)
    ]
    return [runs for runs in missing if runs]


def _limited(fleets: Sequence[Sequence[Run]], limit: MemoryLimit) -> list[FleetTask]:
    """Divide fleets that need too much memory, and say so."""
    from nasrank.runs.fleets import FleetTask

    tasks = [FleetTask(number, limit.parts(runs)) for number, runs in enumerate(fleets)]
    halved = [task for task in tasks if len(task.parts) > 1]
    if halved:
        most = max(len(part) for task in halved for part in task.parts)
        _LOG.warning(
            "%d of %d fleets need more than --memory-limit; they are halved, to at most %d runs "
            "at once",
            len(halved),
            len(tasks),
            most,
        )
    return tasks


def _saved(
    finished: FinishedRuns, runs: Sequence[Run], needing: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return rows of finished runs by run_id."""
    rows: dict[str, dict[str, Any]] = {}
    # Twice: another process may be saving a fleet while this one looks, and a fleet that seems
    # finished in part would be trained again in other company.
    for _ in range(2):
        finished.recover()
        for run in runs:
            if run.run_id not in rows:
                row = finished.load(run, needing=needing)
                if row is not None:
                    rows[run.run_id] = row
    return rows
