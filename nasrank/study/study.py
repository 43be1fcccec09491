"""A study, declared once: what it asks for, does, writes and shows.

A command, its options, resuming, tables on disk, ``--dry-run`` and every format follow from the
declaration: see `nasrank.study.conduct` for how a study is done and `nasrank.cli.command` for
its command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from nasrank.errors import NasrankError, UsageError
from nasrank.registry import unknown_name
from nasrank.study.finished import Identity
from nasrank.study.options import Config, flag_of
from nasrank.study.view import Part, Sheet
from nasrank.tables import Table
from nasrank.version import __version__

if TYPE_CHECKING:
    import pandas as pd

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
    "Worker",
    "envelope",
]

C = TypeVar("C", bound=Config)
R = TypeVar("R", bound=Identity)
Row = dict[str, Any]
OnWork = Callable[[int], None]
Worker = Callable[[Sequence[R], OnWork], Sequence[Row]]
"""Computes the runs of one fleet: their rows, in order. It may tell of work done meanwhile."""
Tell = Callable[[int, int | None], None]
"""Told how much of a stage is done, and how much there is of it where that is known."""


@runtime_checkable
class Progress(Protocol):
    """Is told how far a study is."""

    def start(self, work: int, runs: int, finished: int) -> None:
        """Learn how much there is to do.

        Args:
            work: Amount of work, in units of the study's own.
            runs: Runs to do.
            finished: Runs done before.
        """

    def advance(self, work: int) -> None:
        """Learn that work is done."""

    def saved(self, runs: int) -> None:
        """Learn that runs are on disk, which a stop would keep."""

    def stage(self, what: str) -> AbstractContextManager[Tell]:
        """Enter a part of the work that is no run, such as scoring a pool."""


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
"""Progress that nobody looks at."""


@dataclass(frozen=True)
class Plan(Generic[R]):
    """What a study is going to do.

    Attributes:
        fleets: All its runs; those that are computed together stand together. How they are
            cut depends on the whole grid alone, not on what is finished.
        runs: The order of their rows; that of the fleets by default.
        left_out: Why cells of the grid are missing, one line each.
        context: What was loaded to plan, for the worker and the tables.
        about: What the tables' metadata say beside the configuration, such as fingerprints.
        out: Folder of the study, for workers that leave more than rows; `conduct` says it.
    """

    fleets: Sequence[Sequence[R]] = ()
    runs: Sequence[R] = ()
    left_out: tuple[str, ...] = ()
    context: Any = None
    about: Mapping[str, Any] = field(default_factory=dict)
    out: Path = Path()

    def __post_init__(self) -> None:
        if not self.runs:
            object.__setattr__(self, "runs", tuple(run for fleet in self.fleets for run in fleet))


@dataclass(frozen=True)
class Runs(Generic[C, R]):
    """What a study computes run by run, and keeps, so that no run is computed twice.

    Attributes:
        identity: What identifies a run.
        kept: What is kept of a run; has a column ``run_id``.
        plan: Spells out the runs, and refuses what does not go together before any work.
        worker: Makes what computes a fleet. A parallel engine pickles it.
        what: What a run is called, in the plural.
        work: Amount of work of a run.
        more: The next fleets of a plan that depends on results: takes the plan and the rows that
            there are by ``run_id``, all of the plan's among them if they could be had, and
            returns nothing when there is no more to do.
        more_runs: About how many runs ``more`` adds in all, for estimates.
        needing: Columns of a kept row that must not be null for this configuration.
        seconds: Guesses the seconds that runs take; by those that are finished by default.
        run_of: Makes an identity of what a file holds of it.
    """

    identity: type[R]
    kept: Table
    plan: Callable[[C], Plan[R]]
    worker: Callable[[C, Plan[R]], Worker[R]]
    what: str = "runs"
    work: Callable[[R], int] = lambda _run: 1
    more: Callable[[C, Plan[R], Mapping[str, Row]], Sequence[Sequence[R]]] | None = None
    more_runs: Callable[[C, Plan[R]], int] = lambda _config, _plan: 0
    needing: Callable[[C], Sequence[str]] = lambda _config: ()
    seconds: Callable[[C, Sequence[R]], float] | None = None


@dataclass(frozen=True)
class Job(Generic[C, R]):
    """A study under way, when its runs are done.

    Attributes:
        config: What was asked.
        out: Folder of the study.
        plan: What was planned.
        runs: The runs that there are, those of a plan that grew included, in order.
        rows: Their kept rows, in the same order.
        progress: Is told how far it is.
    """

    config: C
    out: Path
    plan: Plan[R]
    runs: Sequence[R] = ()
    rows: Sequence[Row] = ()
    progress: Progress = SILENT


@dataclass(frozen=True)
class Answer:
    """What a study makes of its rows.

    Attributes:
        tables: Rows by table, in the order in which they are to be read.
        record: One thing with named parts, where the answer is more than tables.
        notes: What to keep in mind, one line each.
        left_out: What could not be answered, one line each.
        shown: What view and pictures need beside the tables; neither written nor printed.
        error: Why the command fails though it has answered, such as a check that did not hold.
        about: What ``run.json`` and the tables' metadata say beside the configuration.
    """

    tables: Mapping[Table, Sequence[Mapping[str, Any]]]
    record: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    shown: Any = None
    error: NasrankError | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Result(Generic[C]):
    """A study that is done.

    Attributes:
        config: What was asked.
        out: The folder it was written to.
        tables: Rows of every table written, by name.
        main: Name of the table to read first.
        record: One thing with named parts, where the answer is more than tables.
        notes: What to keep in mind, one line each.
        left_out: What is missing, one line each.
        computed: Number of runs that this call computed.
        shown: What view and pictures need beside the tables.
        error: Why the command fails though it has answered.
    """

    config: C
    out: Path
    tables: Mapping[str, list[Row]]
    main: str
    record: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    computed: int = 0
    shown: Any = None
    error: NasrankError | None = None

    @property
    def rows(self) -> list[Row]:
        """Rows of the table to read first."""
        return self.tables.get(self.main, [])

    @property
    def claims(self) -> list[Row]:
        """What the study says of its claims; empty where it makes none."""
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


def envelope(
    command: str,
    answer: Mapping[str, Any] | None,
    *,
    tables: Mapping[str, list[Row]] | None = None,
    claims: Sequence[Row] = (),
    left_out: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Row:
    """Return the form that ``--format json`` has for every command.

    Args:
        command: Its words.
        answer: One thing with named parts, where the answer is more than tables.
        tables: Rows by table.
        claims: Rows of ``claims``.
        left_out: What is missing, one line each.
        notes: What to keep in mind, one line each.
    """
    return {
        "command": command,
        "version": __version__,
        "answer": answer,
        "tables": tables or {},
        "claims": list(claims),
        "left_out": list(left_out),
        "notes": list(notes),
    }


def _main_table(result: Result[Any]) -> Iterable[Part]:
    return [Sheet.of(result.rows)]


@dataclass(frozen=True)
class Study(Generic[C, R]):
    """A study, declared.

    Attributes:
        config: What can be asked of it.
        main: The table to read first, which csv, markdown and latex print.
        answer: Makes tables of the rows that there are.
        runs: What it computes run by run; None for a study that computes its answer at once.
        view: What people see of its result in a terminal.
        pictures: Draws into the folder, and returns the files.
        extras: Packages it needs and the extra of nasrank that brings each.
        refuses: Options that have no meaning here, though the command has them.
    """

    config: type[C]
    main: Table
    answer: Callable[[Job[C, R]], Answer]
    runs: Runs[C, R] | None = None
    view: Callable[[Result[C]], Iterable[Part]] = _main_table
    pictures: Callable[[Result[C]], Iterable[Path]] | None = None
    extras: Mapping[str, str] = field(default_factory=dict)
    refuses: tuple[str, ...] = ()

    def check(self, config: C) -> None:
        """Refuse what was given and has no meaning, and extras that are missing.

        Raises:
            UsageError: There is such a thing.
        """
        for name in self.refuses:
            if name in config.model_fields_set:
                no = "--no-" if getattr(config, name) is False else "--"
                what = getattr(config, "data", config.command)
                raise UsageError(
                    f"{no}{flag_of(name)[2:]} has no meaning for {what}. Leave it out"
                )
        for package, extra in self.extras.items():
            try:
                __import__(package)
            except ImportError as error:
                raise UsageError(
                    f"nasrank {config.command} needs {package}. Install it with: "
                    f"pip install 'nasrank[{extra}]'"
                ) from error
