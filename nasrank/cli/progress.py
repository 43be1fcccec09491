"""How far a study is, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

__all__ = ["CountBar", "ProgressBar"]

_QUIET_SECONDS = 10.0


class ProgressBar:
    """A bar with time left on a terminal; elsewhere a line now and then.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._bar: RichProgress | None = None
        self._runs = self._saved = 0
        self._said = self._started = time.monotonic()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, work: int, runs: int, finished: int) -> None:
        """Learn how much there is to do."""
        self._runs = runs
        self._started = time.monotonic()
        if self._quiet or not runs:
            return
        if finished:
            self._console.print(f"{finished} runs are finished already, {runs} are left")
        if self._console.is_terminal:
            self._bar = RichProgress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("runs,"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=self._console,
                transient=True,
            )
            # Work is counted in members' steps; people read runs.
            self._scale = runs / work
            self._task = self._bar.add_task("training", total=runs)
            self._done = 0.0
            self._bar.start()

    def advance(self, work: int) -> None:
        """Learn that so many members' steps are done."""
        if self._bar is not None:
            self._done += work * self._scale
            self._bar.update(self._task, completed=int(self._done))

    @contextmanager
    def stage(self, what: str) -> Iterator[Callable[[int, int | None], None]]:
        """Show a bar on a terminal, and elsewhere a line now and then."""
        started = said = time.monotonic()
        with CountBar(what, quiet=self._quiet) as bar:

            def tell(done: int, total: int | None) -> None:
                nonlocal said
                bar.update(done, total)
                now = time.monotonic()
                plain = not (self._quiet or self._console.is_terminal)
                if plain and now - said >= _QUIET_SECONDS:
                    said = now
                    of = "" if total is None else f" of {total:,}"
                    self._console.print(f"{what}: {done:,}{of} after {now - started:.0f} s")

            yield tell

    def saved(self, runs: int) -> None:
        """Learn that so many runs more are on disk."""
        self._saved += runs
        now = time.monotonic()
        if self._quiet or self._bar is not None:
            return
        if now - self._said >= _QUIET_SECONDS or self._saved == self._runs:
            self._said = now
            self._console.print(
                f"{self._saved} of {self._runs} runs saved after {now - self._started:.0f} s"
            )


class CountBar:
    """A bar of records read, on a terminal alone.

    Args:
        what: What is going on.
        quiet: Show nothing.
    """

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> "CountBar":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, done: int, total: int | None) -> None:
        """Learn how many records are read, and how many there are where that is known."""
        self._bar.update(self._task, completed=done, total=total)
