"""Progress of a study, on stderr; nothing in its texts is obeyed."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text

from nasrank.cli.output import say
from nasrank.escapes import visible

__all__ = ["CountBar", "ProgressBar", "bytes_bar", "waiting"]

_QUIET_SECONDS = 10.0


class _Words(TextColumn):
    """Text beside a bar; it may hold the names of files and of what is in them."""

    def __init__(self, text_format: str) -> None:
        super().__init__(text_format, markup=False)

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.plain = visible(text.plain)
        return text


class ProgressBar:
    """A bar with time left on a terminal, shown at once; elsewhere a line now and then.

    The bar fills with the work; the count beside it is of runs saved, which a stop would keep.

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
                _Words("{task.description}"),
                BarColumn(),
                _Words("{task.fields[kept]}"),
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
        """Receive how much there is to do; later calls add to it."""
        self._runs += runs
        self._work += work
        self._started = time.monotonic()
        if self._quiet or not runs:
            return
        if finished:
            say(f"{finished} runs are already finished, {runs} are left")
        if self._bar is not None:
            if self._work == work:
                # The time left is estimated from the runs, not from the preparation.
                self._bar.reset(self._task, description="running")
            self._bar.update(self._task, total=self._work, kept=self._kept())

    def _kept(self) -> str:
        return f"{self._saved} of {self._runs} saved,"

    def advance(self, work: int) -> None:
        """Receive that work is done."""
        if self._bar is not None:
            self._bar.advance(self._task, work)

    def saved(self, runs: int) -> None:
        """Receive that more runs are on disk."""
        self._saved += runs
        if self._bar is not None:
            self._bar.update(self._task, kept=self._kept())
        now = time.monotonic()
        if self._quiet or self._bar is not None:
            return
        if now - self._said >= _QUIET_SECONDS or self._saved == self._runs:
            self._said = now
            say(f"{self._saved} of {self._runs} runs saved after {now - self._started:.0f} s")

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
                    say(f"{what}: {done:,}{of} after {now - started:.0f} s")

            yield tell


class CountBar:
    """A bar of records read, on a terminal only.

    Args:
        what: Its description.
        quiet: Show nothing.
    """

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bar = RichProgress(
            _Words("{task.description}"),
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
        """Receive how many records are read, and their total where that is known."""
        self._bar.update(self._task, completed=done, total=total)


def bytes_bar(*, quiet: bool) -> RichProgress:
    """Make a bar of bytes received, with their speed; shown on a terminal alone.

    Args:
        quiet: Show nothing.
    """
    console = Console(stderr=True)
    return RichProgress(
        _Words("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


def waiting(what: str) -> AbstractContextManager[object]:
    """Show a spinner on a terminal."""
    # A text as such is markup to rich.
    return Console(stderr=True).status(Text(visible(what)))
