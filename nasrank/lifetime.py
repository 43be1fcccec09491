"""How processes end: signals act as Control-C, and no worker outlives its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from nasrank.allocator import keep_memory

__all__ = ["Ending", "as_control_c", "as_worker"]

_LOOK_SECONDS = 1.0
"""How often a worker looks whether its parent is still there."""


@dataclass
class Ending:
    """What ended a program.

    Attributes:
        signal: Number of the signal, or None so far.
    """

    signal: int | None = None


@contextlib.contextmanager
def as_control_c() -> Iterator[Ending]:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, as Control-C does.

    Schedulers, service managers and closed terminals send these. What Control-C saves is then
    saved for them too. A second signal while things are put in order is ignored. A signal that
    was ignored before stays ignored, so that ``nohup`` works. Outside of the main thread nothing
    changes.

    Yields:
        Which signal came.
    """
    ending = Ending()

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if ending.signal is None:
            ending.signal = number
            raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP.
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, interrupt)
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def as_worker(parent: int) -> None:
    """Prepare a worker process: it leaves Control-C to its parent, and ends when that ends.

    It also keeps memory, see `nasrank.allocator`. Control-C reaches every process of a terminal,
    and a traceback of each worker would bury the parent's message. A parent that is killed cannot
    stop its workers, so they look for it.

    Args:
        parent: Number of that process, as it says itself: it may be gone before its worker gets
            here, which would then take whoever adopted it for its parent.
    """
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    # Nobody waits for a result, and an exception would end this thread alone.
    os._exit(1)
