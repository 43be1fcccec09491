"""Work through a grid that may be stopped at any moment: what is done is never done again."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from nasrank.errors import Interrupted, NothingToCompare
from nasrank.files import require_writable
from nasrank.study.finished import FinishedRuns, Identity

__all__ = ["Progress", "absences", "finish", "missing"]

Kind = TypeVar("Kind", bound=Identity)
Row = dict[str, Any]


@runtime_checkable
class Progress(Protocol):
    """Hears how far a study is."""

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
        """Learn that runs are on disk."""


def finish(
    fleets: Sequence[Sequence[Kind]],
    compute: Callable[[Sequence[Kind]], Sequence[Row]],
    finished: FinishedRuns,
    *,
    what: str,
    work: Callable[[Kind], int] = lambda _run: 1,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> tuple[dict[str, Row], int]:
    """Do what is missing of a grid, fleet by fleet, and keep each fleet as soon as it is done.

    Args:
        fleets: The whole grid; what belongs together is computed together. A fleet that is
            finished in part is computed for its missing runs alone.
        compute: Gives a row of the folder's table for each run, in order. It tells ``progress``
            of its work by itself.
        finished: Where rows are kept.
        what: What a run is called, in the plural, for messages.
        work: Amount of work of a run.
        progress: Hears how far it is.
        only_cached: Compute nothing.
        force: Compute every run again.

    Returns:
        The rows that there are, by run, and the number of runs computed now.

    Raises:
        DataError: The folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished fleets are kept.
    """
    everything = [run for fleet in fleets for run in fleet]
    rows: dict[str, Row] = {}
    if not force:
        finished.recover()
        loaded = ((run, finished.load(run)) for run in everything)
        rows = {run.run_id: row for run, row in loaded if row is not None}
    todo = [left for fleet in fleets if (left := [r for r in fleet if r.run_id not in rows])]
    count = 0
    if not only_cached and todo:
        require_writable(finished.folder)
        count = sum(len(fleet) for fleet in todo)
        if progress is not None:
            progress.start(sum(work(run) for fleet in todo for run in fleet), count, len(rows))
        try:
            for fleet in todo:
                computed = compute(fleet)
                finished.save_fleet(fleet, computed)
                rows.update(zip((run.run_id for run in fleet), computed, strict=True))
                if progress is not None:
                    progress.saved(len(fleet))
        except KeyboardInterrupt as error:
            again = "the same command without --force" if force else "the same command"
            raise Interrupted(
                f"stopped: {len(rows)} of {len(everything)} {what} are saved in "
                f"{finished.folder}. Type {again} to go on"
            ) from error
    if not rows:
        raise NothingToCompare(
            f"none of the {len(everything)} {what} is in {finished.folder}. "
            "Leave out --only-cached to compute them"
        )
    return rows, count


def missing(
    runs: Sequence[Kind], finished: FinishedRuns, *, only_cached: bool = False, force: bool = False
) -> list[Kind]:
    """Return the runs that `finish` would compute."""
    return [run for run in runs if not only_cached and (force or finished.load(run) is None)]


def absences(
    runs: Sequence[Kind], rows: Container[str], finished: FinishedRuns, *, what: str
) -> tuple[str, ...]:
    """Say in a line how many runs of a grid have no row; nothing where all have.

    Args:
        runs: The grid.
        rows: What `finish` returned, or the identities in it.
        finished: Where rows are kept.
        what: What a run is called, in the plural.
    """
    count = sum(run.run_id not in rows for run in runs)
    return (f"{count} of {len(runs)} {what} are not in {finished.folder}",) if count else ()
