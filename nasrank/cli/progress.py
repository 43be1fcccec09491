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
    """A bar with time left on a terminal, from the first moment; elsewhere a line now and then.

    The bar fills with the work, and the count beside it is of what a stop would keep.

    Args:
        quiet: Show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._bar: RichProgress | None = None
        self._runs = self._saved = self._work = 0
        self._said = self._started = time.monotonic()

    def __enter__(self) -> "ProgressBar":
        if not self._quiet and self._console.is_terminal:
            self._bar = RichProgress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[kept]}", markup=False),
                TimeRemainingColumn(compact=True),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task("preparing", total=None, kept="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def start(self, work: int, runs: int, finished: int) -> None:
        """Learn how much there is to do; what is told later is added."""
        self._runs += runs
        self._work += work
        self._started = time.monotonic()
        if self._quiet or not runs:
            return
        if finished:
            self._console.print(f"{finished} runs are finished already, {runs} are left")
        if self._bar is not None:
            if self._work == work:
                # The time left is that of the runs, not of what came before.
                self._bar.reset(self._task, description="running")
            self._bar.update(self._task, total=self._work, kept=self._kept())

    def _kept(self) -> str:
        return f"{self._saved} of {self._runs} saved,"

    def advance(self, work: int) -> None:
        """Learn that so much work is done."""
        if self._bar is not None:
            self._bar.advance(self._task, work)

    def saved(self, runs: int) -> None:
        """Learn that so many runs more are on disk."""
        self._saved += runs
        if self._bar is not None:
            self._bar.update(self._task, kept=self._kept())
        now = time.monotonic()
        if self._quiet or self._bar is not None:
            return
        if now - self._said >= _QUIET_SECONDS or self._saved == self._runs:
            self._said = now
            self._console.print(
                f"{self._saved} of {self._runs} runs saved after {now - self._started:.0f} s"
            )

    @contextmanager
    def stage(self, what: str) -> Iterator[Callable[[int, int | None], None]]:
        """Show a bar on a terminal, and elsewhere a line now and then."""
        self._stop()
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
