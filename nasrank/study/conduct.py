"""Conduct a study: finished runs are never computed again, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from nasrank.errors import DataError, Interrupted, NothingToCompare, UsageError
from nasrank.files import remove_stale_parts, require_writable
from nasrank.own import adopt, trusted
from nasrank.study.device import kind_of
from nasrank.study.engines.engine import Engine, OnEngines
from nasrank.study.engines.local import LocalEngine
from nasrank.study.finished import FinishedRuns, Identity
from nasrank.study.options import Config, trust_names, usual_folder
from nasrank.study.ownership import ABOUT, claim
from nasrank.study.study import (
    SILENT,
    Answer,
    Job,
    OnWork,
    Plan,
    Progress,
    Result,
    Runs,
    Study,
    Worker,
)
from nasrank.tables import Table, about_of, plain, read_schema, write_json

__all__ = ["Estimate", "conduct", "estimate", "study_of"]

C = TypeVar("C", bound=Config)
R = TypeVar("R", bound=Identity)
Row = dict[str, Any]


@dataclass(frozen=True)
class Estimate:
    """What a command would do.

    Attributes:
        command: Its words.
        runs: All its runs; an upper bound where they depend on results.
        finished: How many of them are finished.
        seconds: Estimated time of the others in one process; None where nothing is known.
        device: ``cpu`` or ``cuda``.
        folder: Where they are kept.
        left_out: What will be missing, one line each.
    """

    command: str
    runs: int
    finished: int
    seconds: float | None
    device: str
    folder: Path
    left_out: tuple[str, ...] = ()

    def row(self) -> Row:
        """Return the one row of ``--dry-run``."""
        return {
            "command": self.command,
            "runs": self.runs,
            "finished": self.finished,
            "to_do": self.runs - self.finished,
            "estimated_seconds": None if self.seconds is None else round(self.seconds, 1),
            "device": self.device,
            "folder": str(self.folder),
        }


def study_of(config: C) -> Study[C, Any]:
    """Return the study of a configuration, importing what it needs."""
    trust_names(type(config), dict(config))
    module, _, name = config.study.partition(":")
    found = getattr(import_module(module), name)
    study: Study[C, Any] = found if isinstance(found, Study) else found(config)
    return study


def conduct(
    config: C,
    out: Path | None = None,
    *,
    study: Study[C, R] | None = None,
    progress: Progress = SILENT,
    only_cached: bool = False,
    any_code: bool = False,
    force: bool = False,
) -> Result[C]:
    """Compute the missing runs of a study, and write its tables.

    Args:
        config: The configuration.
        out: Folder for ``runs.d``, the tables, ``run.json`` and, where the answer is more than
            tables, ``answer.json``; see `usual_folder`.
        study: The study; by default the one the configuration names.
        progress: Receives the progress.
        only_cached: Compute nothing; report the finished runs.
        any_code: Report runs of other code too, which are otherwise computed again.
        force: Compute every run again.

    Raises:
        UsageError: Options contradict one another, or an extra is not installed.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is finished.
        Interrupted: Stopped by the user; finished fleets are kept.
    """
    if only_cached and force:
        raise UsageError("--only-cached computes nothing and --force everything; leave one out")
    if any_code and not only_cached:
        raise UsageError("--any-code shows what is there already. Add --only-cached")
    study = study_of(config) if study is None else study
    folder = usual_folder(type(config)) if out is None else out
    study.check(config)
    about = {"command": config.command, "config": config.model_dump(mode="json")}
    if study.runs is None and (only_cached or force):
        raise UsageError(
            f"nasrank {config.command} keeps no runs. Leave out only_cached and force"
        )
    if study.runs is None:
        job: Job[C, R] = Job(config, folder, Plan(), progress=progress)
        # `run.json` comes after the answer: one that fails must not claim the tables of another.
        claim(folder, (ABOUT, *_files(study.main)))
        require_writable(folder)
        computed = 0
        absent: tuple[str, ...] = ()
        others: tuple[str, ...] = ()
    else:
        plan = replace(study.runs.plan(config), out=folder)
        how = {"only_cached": only_cached, "any_code": any_code, "force": force}
        loop = _Loop(study.runs, config, plan, folder, progress, **how)
        loop.check()
        claim(folder, (ABOUT, *_files(study.main)))
        # Written first: a folder that cannot be written must not cost a run.
        write_json(about, folder / ABOUT)
        remove_stale_parts(folder)
        runs = loop.do_all()
        present = [run for run in runs if run.run_id in loop.rows]
        job = Job(config, folder, plan, present, [loop.rows[r.run_id] for r in present], progress)
        computed, absent = loop.computed, (*plan.left_out, *loop.missing_runs(runs))
        about |= plan.about
        others = loop.runs_of_other_code()
        if made := loop.code_of(present):
            about["code"] = made
            write_json(about, folder / ABOUT)
    answer = _with_controls(study, job, study.answer(job))
    if study.runs is None:
        claim(folder, (name for table in answer.tables for name in _files(table)))
    about |= answer.about
    # Not beside tables of another command, should a full disk or a stop come before the last one.
    with suppress(OSError):
        (folder / ABOUT).unlink(missing_ok=True)
    if answer.record is not None:
        write_json(plain(answer.record), folder / "answer.json")
    tables: dict[str, list[Row]] = {}
    for table, found in answer.tables.items():
        tables[table.name] = [table.readable(row) for row in found]
        table.write(tables[table.name], folder / f"{table.name}.parquet", about)
    _remove_summaries(study, folder, tables)
    told = {
        "notes": [*job.plan.notes, *others, *answer.notes],
        "left_out": [*absent, *answer.left_out],
    }
    # What was said stays with the answer, for whoever looks at the folder later.
    write_json({**about, **(told if any(told.values()) else {})}, folder / ABOUT)
    return Result(
        config=config,
        out=folder,
        tables=tables,
        main=study.main.name,
        record=answer.record,
        notes=tuple(told["notes"]),
        left_out=tuple(told["left_out"]),
        computed=computed,
        shown=answer.shown,
        error=answer.error,
    )


def _with_controls(study: Study[C, R], job: Job[C, R], answer: Answer) -> Answer:
    """Run the controls of what claims rest on, and let the claims follow from them."""
    from nasrank.study.claims import CLAIMS
    from nasrank.study.controls import CONTROLS, vouched

    claims = answer.tables.get(CLAIMS)
    if claims is None:
        return answer
    # In an order that is the same in every process.
    names = sorted({name for row in claims for name in row["measures"].split(", ") if name})
    with job.progress.stage("controls"):
        controls = [each for each in study.controls(job, names) if each.measure in names]
    added = {CLAIMS: vouched(claims, controls), CONTROLS: [each.row() for each in controls]}
    return replace(answer, tables={**answer.tables, **added})


def _remove_summaries(study: Study[C, R], folder: Path, written: Collection[str]) -> None:
    """Remove what an earlier command of the same words summarised and this one does not.

    It would be read as a summary of the runs that are there now. Tables with runs of their own
    stay, and so does all of a study that keeps no runs: these may be nowhere else.
    """
    if study.runs is None:
        return
    for path in folder.glob("*.parquet"):
        if path.stem in written:
            continue
        with suppress(DataError, OSError):
            schema = read_schema(path)
            name = (schema.metadata or {}).get(b"nasrank.table", b"").decode()
            ours = name == path.stem and about_of(schema).get("command") == study.config.command
            if ours and "run_id" not in schema.names:
                path.unlink()


def _files(table: Table) -> tuple[str, str]:
    return f"{table.name}.parquet", "answer.json"


def estimate(
    config: C,
    out: Path | None = None,
    *,
    study: Study[C, R] | None = None,
    only_cached: bool = False,
    any_code: bool = False,
    force: bool = False,
) -> Estimate:
    """Say what a study would do, without computing, starting or writing anything.

    Args:
        config: The configuration.
        out: Folder of the study.
        study: The study; by default the one the configuration names.
        only_cached: Compute no run.
        any_code: Count runs of other code as finished.
        force: Compute every run again.

    Raises:
        UsageError: Options contradict one another, or the study has no runs.
    """
    study = study_of(config) if study is None else study
    folder = usual_folder(type(config)) if out is None else out
    study.check(config)
    runs = study.runs
    if runs is None:
        raise UsageError(f"nasrank {config.command} has no runs to count. Leave out --dry-run")
    _engine_of(config)
    plan = runs.plan(config)
    kept = _finished_in(folder, runs, any_code=any_code)
    whole = partial(runs.whole, config)
    rows = {run.run_id: kept.load(run, whole=whole) for run in dict.fromkeys(plan.runs)}
    known = {run_id: row for run_id, row in rows.items() if row is not None}
    todo = [] if only_cached else [r for r in plan.runs if force or r.run_id not in known]
    wanted = set(todo)
    left = ([run for run in fleet if run in wanted] for fleet in plan.fleets)
    runs.check(config, [fleet for fleet in left if fleet])
    more = runs.more_runs(config, plan)
    total = len(rows) + more
    finished = total - len(todo) - (0 if only_cached else more)
    if runs.seconds is not None:
        seconds: float | None = runs.seconds(config, todo)
    else:
        seconds = _guess(known, len(todo) + more)
    return Estimate(
        config.command, total, finished, seconds, kind_of(config), folder, plan.left_out
    )


def _finished_in(folder: Path, runs: Runs[Any, Any], *, any_code: bool) -> FinishedRuns:
    return FinishedRuns(
        folder / "runs.d",
        table=runs.kept,
        kind=runs.identity,
        tables=folder,
        code=runs.code,
        any_code=any_code,
    )


def _guess(rows: Mapping[str, Row], count: int) -> float | None:
    """Estimate the time from that of finished runs."""
    took = [row["fit_seconds"] for row in rows.values() if row.get("fit_seconds") is not None]
    if not count:
        return 0.0
    return count * sum(took) / len(took) if took else None


def _engine_of(config: Config) -> Engine:
    """Return the engine of a command; nothing is started or connected."""
    return config.make_engine(kind_of(config)) if isinstance(config, OnEngines) else LocalEngine()


class _Loop:
    """Executes the missing runs of a study, fleet by fleet, and saves each fleet at once."""

    def __init__(
        self,
        runs: Runs[Any, Any],
        config: Config,
        plan: Plan[Any],
        out: Path,
        progress: Progress,
        *,
        only_cached: bool,
        any_code: bool,
        force: bool,
    ) -> None:
        self._runs, self._config, self._plan, self._progress = runs, config, plan, progress
        self._only_cached, self._force = only_cached, force
        self._engine = _engine_of(config)
        self._finished = _finished_in(out, runs, any_code=any_code)
        self._whole = partial(runs.whole, config)
        self._worker: Worker[Any] | None = None
        self.rows: dict[str, Row] = {}
        self.computed = 0

    def check(self) -> None:
        """Refuse runs that are still to do and cannot be done, before anything is written."""
        self._runs.check(self._config, self._todo(self._plan.fleets))

    def do_all(self) -> list[Any]:
        """Execute the runs of the plan, and those that follow; return all, in order."""
        everything = list(dict.fromkeys(self._plan.runs))
        self._do(self._plan.fleets, everything)
        more = self._runs.more
        while more is not None:
            fleets = more(self._config, self._plan, self.rows)
            new = [run for fleet in fleets for run in fleet if run not in everything]
            if not new:
                break
            everything += new
            self._do(fleets, everything)
        if not self.rows:
            raise NothingToCompare(
                f"none of the {len(everything)} {self._runs.what} is in {self._finished.folder}. "
                f"Leave out --only-cached to compute them{self._elsewhere}"
            )
        return everything

    @property
    def _elsewhere(self) -> str:
        count = len(self._finished.other)
        return f", or add --any-code to see {count} of other code" if count else ""

    def missing_runs(self, runs: Sequence[Identity]) -> tuple[str, ...]:
        """Say in a line how many runs are missing; nothing where none is."""
        count = sum(run.run_id not in self.rows for run in runs)
        if not count:
            return ()
        what = f"{count} of {len(runs)} {self._runs.what}"
        other = len(self._finished.other - self.rows.keys())
        if not other:
            return (f"{what} are missing from {self._finished.folder}",)
        why = f"{other} of them because other code computed them. Add --any-code to see them"
        return (f"{what} are missing from {self._finished.folder}, {why}",)

    def runs_of_other_code(self) -> tuple[str, ...]:
        """Say in a line how many of the runs shown were computed by other code."""
        count = len(self._finished.other & self.rows.keys())
        if not count:
            return ()
        what = f"{count} of {len(self.rows)} {self._runs.what}"
        return (f"{what} were computed by other code than is installed, or by unrecorded code",)

    def code_of(self, runs: Sequence[Any]) -> dict[str, str | None]:
        """Return the digests of what computed runs; None where some are of other code."""
        return self._finished.code_of(runs)

    def _do(self, fleets: Sequence[Sequence[Any]], everything: Sequence[Any]) -> None:
        todo = self._todo(fleets)
        if not todo:
            return
        require_writable(self._finished.folder)
        # Large ones first, so that none of them is left running alone at the end.
        if self._engine.parallel:
            todo.reverse()
        self._progress.start(
            sum(self._work(fleet) for fleet in todo),
            sum(map(len, todo)),
            len(self.rows) - self.computed,
        )
        if self._worker is None:
            self._worker = self._runs.worker(self._config, self._plan)
        counted = _Counted(self._worker, self._runs.work)
        try:
            with closing(self._engine.map(counted, todo, self._progress.advance)) as results:
                for place, rows in results:
                    self._keep(todo[place], rows)
        except KeyboardInterrupt as error:
            # With --force the same command would start over.
            again = "the same command without --force" if self._force else "the same command"
            raise Interrupted(
                f"stopped: {len(self.rows)} of {len(everything)} {self._runs.what} are saved in "
                f"{self._finished.folder}. Run {again} again to resume"
            ) from error

    def _todo(self, fleets: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Runs of the fleets that have to be executed now; those that are finished are loaded."""
        if not self._force:
            self._load([run for fleet in fleets for run in fleet])
        if self._only_cached:
            return []
        return [left for fleet in fleets if (left := self._missing(fleet))]

    def _load(self, runs: Sequence[Any]) -> None:
        # Twice: another process may be saving a fleet while this one looks, and a fleet that
        # seems partly finished would be recomputed in a batch of another composition.
        for _ in range(2):
            self._finished.recover()
            for run in runs:
                if run.run_id not in self.rows:
                    row = self._finished.load(run, whole=self._whole)
                    if row is not None:
                        self.rows[run.run_id] = row

    def _missing(self, fleet: Sequence[Any]) -> list[Any]:
        return [run for run in dict.fromkeys(fleet) if run.run_id not in self.rows]

    def _work(self, fleet: Sequence[Any]) -> int:
        return sum(map(self._runs.work, fleet))

    def _keep(self, fleet: Sequence[Any], rows: Sequence[Row]) -> None:
        self._finished.save_fleet(fleet, rows)
        # As the next command will read them.
        found = map(self._runs.kept.readable, rows)
        self.rows |= {run.run_id: row for run, row in zip(fleet, found, strict=True)}
        self.computed += len(fleet)
        if self._engine.parallel:
            self._progress.advance(self._work(fleet))
        self._progress.saved(len(fleet))


class _Counted:
    """A worker whose progress adds up to the work of its fleet, whatever it reports itself."""

    def __init__(self, worker: Worker[Any], work: Callable[[Any], int]) -> None:
        self._worker, self._work, self._trust = worker, work, trusted()

    def __call__(self, fleet: Sequence[Any], on_work: OnWork | None = None) -> Sequence[Row]:
        adopt(self._trust)
        if on_work is None:
            return self._worker(fleet, _ignore)
        reported = 0

        def tell(work: int) -> None:
            nonlocal reported
            reported += work
            on_work(work)

        rows = self._worker(fleet, tell)
        on_work(sum(map(self._work, fleet)) - reported)
        return rows


def _ignore(_work: int) -> None:
    """Ignore the progress of a process that cannot report it."""
