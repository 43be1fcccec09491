"""What reading a file may cost, declared once for every reader.

A file of a few kilobytes can stand for hours of work and gigabytes of memory: run lengths,
dictionaries, compression, nesting, keys that collide. Limits on what a format may say cannot
foresee all of these, so what it costs is limited too, in proportion to the file's size.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

from nasrank.errors import DataError

__all__ = ["most_bytes", "most_cells", "reading", "reading_parts", "require_regular"]

T = TypeVar("T")

_SECONDS, _SECONDS_PER_MEGABYTE = 7.0, 20.0
"""CPU time for any file, and for each megabyte of it."""
_BYTES, _BYTES_PER_BYTE = 3 * 2**29, 64
"""Memory for any file, and for each of its bytes."""
_CELLS, _CELLS_PER_BYTE = 2**24, 64
"""Values in a table for any file, and for each of its bytes; one is 100 bytes in Python."""

_BYTES_PER_CELL = 16

_ADVICE = "If it is what you think it is, read a smaller part of it"
_inside = threading.local()


class _TooLongError(Exception):
    """The time is up."""


def most_cells(size: int) -> int:
    """Return how many values a table of so many bytes may hold."""
    return _CELLS + _CELLS_PER_BYTE * size


def most_bytes(size: int) -> int:
    """Return how many bytes the values in a table of so many bytes may take."""
    return _BYTES_PER_CELL * most_cells(size)


@contextlib.contextmanager
def reading(path: Path | str, *, size: int | None = None, spent: float = 0.0) -> Iterator[None]:
    """Limit the CPU time and the memory of reading, and say so in one line when it is too much.

    The limits hold in the main thread, on systems that have them (Linux both, macOS the time);
    elsewhere, and within such a block, the block is as without. Control-C works as ever.

    Args:
        path: The file or folder that is read, as it is named in the message.
        size: Its bytes, by which the limits grow; found out if None.
        spent: Seconds that were spent on them before.

    Raises:
        DataError: Reading takes more than the limits, or the content is nested too deeply.
    """
    if getattr(_inside, "on", False):
        yield
        return
    size = _size(Path(path)) if size is None else size
    with _explained(str(path), size), _within(size, spent):
        yield


def reading_parts(path: Path, parts: Iterable[T]) -> Iterator[T]:
    """Yield parts of a file, with the time of `reading` for all and the memory for each of them.

    What the caller does with a part does not count.

    Raises:
        DataError: As `reading`.
    """
    iterator, spent = iter(parts), 0.0
    while True:
        before = os.times().user
        with reading(path, spent=spent):
            try:
                part = next(iterator)
            except StopIteration:
                return
        spent += os.times().user - before
        yield part


def require_regular(path: Path) -> None:
    """Refuse what is no file of some length: a pipe would be waited for, a device never ends.

    Raises:
        DataError: It is one of these, or a folder. A missing file is left to who opens it.
    """
    with contextlib.suppress(OSError, ValueError):
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "a pipe or a device"
            raise DataError(f"{path}: {what}, not a file. Give the path of a file")


@contextlib.contextmanager
def _explained(where: str, size: int) -> Iterator[None]:
    try:
        yield
    except _TooLongError:
        raise DataError(
            f"{where}: takes longer to read than {_seconds(size):.0f} s, for {size:,} bytes. "
            f"{_ADVICE}"
        ) from None
    except MemoryError:
        raise DataError(
            f"{where}: takes more memory to read than the {_bytes(size) / 2**30:.1f} GiB allowed "
            f"for {size:,} bytes, or than there is. {_ADVICE}"
        ) from None
    except RecursionError:
        raise DataError(f"{where}: too deeply nested to read. {_ADVICE}") from None


@contextlib.contextmanager
def _within(size: int, spent: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left = _seconds(size) - spent
    if left <= 0:
        raise _TooLongError
    _inside.on = True
    try:
        with _memory(_bytes(size)), _time(left):
            yield
    finally:
        _inside.on = False


def _seconds(size: int) -> float:
    return _SECONDS + _SECONDS_PER_MEGABYTE * size / 1e6


def _bytes(size: int) -> int:
    return _BYTES + _BYTES_PER_BYTE * size


@contextlib.contextmanager
def _time(seconds: float) -> Iterator[None]:
    """Raise `_TooLongError` after so much CPU time, unless somebody else uses the timer."""
    # CPU time, so that a busy machine refuses nothing; and of all signals the least used one.
    number = getattr(signal, "SIGVTALRM", None)
    if number is None or signal.getsignal(number) is not signal.SIG_DFL:
        yield
        return
    on = True

    def stop(_number: int, _frame: FrameType | None) -> None:
        if on:
            raise _TooLongError

    signal.signal(number, stop)
    try:
        # Again and again: a library may swallow the first.
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 1.0)
        yield
    finally:
        on = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def _memory(most: int) -> Iterator[None]:
    """Let the system refuse more than so much memory beyond what the process has."""
    restore: Callable[[], None] = lambda: None
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        # Pages that can be written, and not addresses, which libraries reserve by the gigabyte.
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        used = 1024 * int(lines.partition("VmData:")[2].split(maxsplit=1)[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = min([used + most, *(each for each in (soft, hard) if each >= 0)])
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
        restore = lambda: resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    try:
        yield
    finally:
        restore()


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; 0 where there is none."""
    with contextlib.suppress(OSError, ValueError):
        if path.is_dir():
            return sum(_size_in(each) for each in os.scandir(path))
        return path.stat().st_size
    return 0


def _size_in(entry: os.DirEntry[str]) -> int:
    with contextlib.suppress(OSError):
        return entry.stat().st_size
    return 0
