"""A study, declared once: what it asks for, does, writes and shows.

A command, its options, resuming, tables on disk, ``--dry-run`` and every format follow from the
declaration: see `nasrank.study.conduct` for how a study is done and `nasrank.cli.command` for
its command.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from nasrank.errors import NasrankError, UsageError, needing
from nasrank.registry import unknown_name
from nasrank.study.finished import Code, Identity
from nasrank.study.options import Config, flag_of, ordered_fields, shown_as
from nasrank.study.view import Part, Sheet, envelope
from nasrank.tables import Table

if TYPE_CHECKING:
    import pandas as pd

    from nasrank.study.controls import Control

__all__ = [
    "SILENT",
    "Answer",
    "Job",
    "OnWork",
    "Plan",
    "Progress",
    "Result",
    "Runs",
    "Study",
    "Told",
    "Worker",
    "one_by_one",
]

C = TypeVar("C", bound=Config)
R = TypeVar("R", bound=Identity)
Row = dict[str, Any]
OnWork = Callable[[int], None]
Worker = Callable[[Sequence[R], OnWork], Sequence[Row]]
"""Computes the rows of one fleet, in order. It may report work done meanwhile."""


def one_by_one(compute: Callable[[R], Row]) -> Worker[R]:
    """Make a worker of what computes the row of one run."""
    return lambda fleet, _on_work: [compute(run) for run in fleet]


Tell = Callable[[int, int | None], None]
"""Receives how much of a stage is done, and its total where that is known."""


@runtime_checkable
class Progress(Protocol):
    """Receives the progress of a study."""

    def start(self, work: int, runs: int, finished: int) -> None:
        """Receive how much there is to do.

        Args:
            work: Amount of work, in the study's own unit.
            runs: Runs to do.
            finished: Runs done before.
        """

    def advance(self, work: int) -> None:
        """Receive that work is done."""

    def saved(self, runs: int) -> None:
        """Receive that runs are on disk, where an interruption keeps them."""

    def stage(self, what: str) -> AbstractContextManager[Tell]:
        """Enter a part of the work that is not a run, such as scoring a pool."""


class _Silent:
    def start(self, work: int, runs: int, finished: int) -> None:
        pass

    def advance(self, work: int) -> None:
        pass

    def saved(self, runs: int) -> None:
        pass

    def stage(self, what: str) -> AbstractContextManager[Tell]:
        return nullcontext(lambda _done, _of: None)


SILENT: Progress = _Silent()
"""Progress that is not shown."""


@dataclass(frozen=True)
class Plan(Generic[R]):
    """What a study is going to do.

    Attributes:
        fleets: All its runs, grouped by what is computed together. The grouping depends only on
            the whole grid, not on what is finished.
        runs: The order of their rows; that of the fleets by default.
        left_out: Why cells of the grid are missing, one line each.
        context: What was loaded to plan, for the worker and the tables.
        about: Metadata of the tables beside the configuration, such as fingerprints.
        out: Folder of the study, for workers that write more than rows; `conduct` sets it.
        notes: What to keep in mind about the data, one line each.
    """

    fleets: Sequence[Sequence[R]] = ()
    runs: Sequence[R] = ()
    left_out: tuple[str, ...] = ()
    context: Any = None
    about: Mapping[str, Any] = field(default_factory=dict)
    out: Path = Path()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.runs:
            object.__setattr__(self, "runs", tuple(run for fleet in self.fleets for run in fleet))


@dataclass(frozen=True)
class Runs(Generic[C, R]):
    """What a study computes run by run, and keeps, so that no run is computed twice.

    Attributes:
        identity: What identifies a run.
        code: Names what computes a run and returns the digest of its source, so that results of
            other code are not taken for those of this one; None where nobody asks.
        kept: What is kept of a run; has a column ``run_id``.
        plan: Lists the runs, and refuses contradictory options before any work.
        worker: Makes the worker that computes a fleet. A parallel engine pickles it.
        what: What a run is called, in the plural.
        work: Amount of work of a run.
        more: The next fleets of a plan that depends on results: takes the plan and the finished
            rows by ``run_id``, among them all available rows of the plan, and returns nothing
            when there is no more to do.
        more_runs: About how many runs ``more`` adds in all, for estimates.
        check: Refuses, before any work, fleets of runs that are still to do.
        whole: Whether a kept row has all that this configuration asks for.
        seconds: Estimates the seconds that runs take; by default from finished runs.
        run_of: Rebuilds an identity from its record in a file.
    """

    identity: type[R]
    kept: Table
    plan: Callable[[C], Plan[R]]
    worker: Callable[[C, Plan[R]], Worker[R]]
    what: str = "runs"
    work: Callable[[R], int] = lambda _run: 1
    more: Callable[[C, Plan[R], Mapping[str, Row]], Sequence[Sequence[R]]] | None = None
    more_runs: Callable[[C, Plan[R]], int] = lambda _config, _plan: 0
    check: Callable[[C, Sequence[Sequence[R]]], None] = lambda _config, _fleets: None
    whole: Callable[[C, Row], bool] = lambda _config, _row: True
    seconds: Callable[[C, Sequence[R]], float] | None = None
    code: Code[R] | None = None


@dataclass(frozen=True)
class Job(Generic[C, R]):
    """A study whose runs are done.

    Attributes:
        config: The configuration.
        out: Folder of the study.
        plan: The plan.
        runs: The finished runs, including those added by ``more``, in order.
        rows: Their kept rows, in the same order.
        progress: Receives the progress.
    """

    config: C
    out: Path
    plan: Plan[R]
    runs: Sequence[R] = ()
    rows: Sequence[Row] = ()
    progress: Progress = SILENT


@dataclass(frozen=True, kw_only=True)
class Told:
    """What an answer says beside its tables.

    Attributes:
        record: One thing with named parts, where the answer is more than tables.
        notes: What to keep in mind, one line each.
        left_out: What is missing or could not be answered, one line each.
        shown: What view and pictures need beside the tables; neither written nor printed.
        error: Why the command fails though it has answered, such as a check that did not hold.
    """

    record: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    shown: Any = None
    error: NasrankError | None = None


@dataclass(frozen=True)
class Answer(Told):
    """The answer that a study derives from its rows.

    Attributes:
        tables: Rows by table, in the order in which they are to be read.
        about: Entries of ``run.json`` and the tables' metadata beside the configuration.
    """

    tables: Mapping[Table, Sequence[Mapping[str, Any]]]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Result(Told, Generic[C]):
    """A study that is done.

    Attributes:
        config: The configuration.
        out: The folder it was written to.
        tables: Rows of every table written, by name.
        main: Name of the table to read first.
        computed: Number of runs that this call computed.
    """

    config: C
    out: Path
    tables: Mapping[str, list[Row]]
    main: str
    computed: int = 0

    @property
    def rows(self) -> list[Row]:
        """Rows of the table to read first."""
        return self.tables.get(self.main, [])

    @property
    def claims(self) -> list[Row]:
        """Rows of ``claims``; empty where the study makes none."""
        return self.tables.get("claims", [])

    def frame(self, table: str | None = None) -> pd.DataFrame:
        """Return a table as a data frame.

        Args:
            table: Name of a table written; the one to read first by default.

        Raises:
            UsageError: There is no such table.
        """
        import pandas as pd

        name = self.main if table is None else table
        if name not in self.tables:
            raise unknown_name("table", name, self.tables)
        return pd.DataFrame.from_records(self.tables[name])

    def document(self) -> Row:
        """Return all of it in the form that ``--format json`` has for every command."""
        return envelope(
            self.config.command,
            self.record,
            tables={name: rows for name, rows in self.tables.items() if name != "claims"},
            claims=self.claims,
            left_out=self.left_out,
            notes=self.notes,
        )


def _main_table(result: Result[Any]) -> Iterable[Part]:
    return [Sheet.of(result.rows)]


@dataclass(frozen=True)
class Study(Generic[C, R]):
    """A study, declared.

    Attributes:
        config: Its configuration.
        main: The table to read first, which csv, markdown and latex print.
        answer: Derives the answer from the finished rows.
        runs: What it computes run by run; None for a study that computes its answer at once.
        view: What people see of its result in a terminal.
        pictures: Draws into the folder, and returns the files.
        controls: Measures inputs whose answer is known, for the columns that claims rest on: takes
            the job and the names of these columns. Claims on a column without a control are not
            measurable.
        extras: Packages it needs and the extra of nasrank that brings each.
    """

    config: type[C]
    main: Table
    answer: Callable[[Job[C, R]], Answer]
    runs: Runs[C, R] | None = None
    view: Callable[[Result[C]], Iterable[Part]] = _main_table
    pictures: Callable[[Result[C]], Iterable[Path]] | None = None
    controls: Callable[[Job[C, R], Collection[str]], Iterable[Control]] = lambda _job, _names: ()
    extras: Mapping[str, str] = field(default_factory=dict)

    def check(self, config: C) -> None:
        """Refuse options that have no meaning here, and missing extras.

        Raises:
            UsageError: Such an option is given, or an extra is missing.
        """
        for name, each in ordered_fields(type(config)).items():
            kinds = shown_as(each)["of"]
            if kinds and config.kind not in kinds.split() and name in config.model_fields_set:
                no = "--no-" if getattr(config, name) is False else "--"
                what = getattr(config, "data", config.command)
                raise UsageError(
                    f"{no}{flag_of(name)[2:]} has no meaning for {what}. Leave it out"
                )
        for package, extra in self.extras.items():
            with needing(extra, f"nasrank {config.command} needs {package}"):
                __import__(package)
