"""Atomic writes: a file is complete or absent, whatever stops the process that writes it."""

import contextlib
import os
import platform
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nasrank.errors import DataError

__all__ = ["remove_stale_parts", "replacing", "require_writable"]

_DAY = 86_400.0


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, which replaces ``path`` once it is complete.

    Missing parent folders are made. If anything fails, ``path`` is unchanged and no part is left
    behind; :func:`remove_stale_parts` removes the part of a process that was killed.

    Args:
        path: The final place of the file.

    Yields:
        Where to write it.

    Raises:
        DataError: The folder cannot be made or written, or the disk is full.
    """
    import pyarrow as pa

    # Machine, process and thread in the name: two writers of one file must not share a part.
    part = path.with_name(f"{path.name}.{_machine()}-{os.getpid()}-{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except (OSError, UnicodeError, pa.ArrowException) as error:
        # File names may be bytes that are not text, which Arrow cannot write to.
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else str(error).splitlines()[0]
        raise DataError(
            f"{path}: cannot be written ({reason}). Free some space or choose another folder."
        ) from error
    finally:
        # An unreachable folder is what the error above already reports.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def remove_stale_parts(folder: Path) -> int:
    """Remove half-written files that killed processes have left in a folder.

    A part is stale if its process ran on this machine and no longer does, or if nothing was
    written to it for a day; the parts of a running process stay.

    Args:
        folder: The folder; subfolders are not looked into, and it need not exist.

    Returns:
        The number of parts removed.
    """
    removed = 0
    for part in folder.glob("*.part"):
        found = re.search(r"\.([^.]*)-([0-9]+)-[0-9]+\.part$", part.name)
        # Another process may clean up at the same time, and a folder may be read-only.
        with contextlib.suppress(OSError):
            ended = found is not None and found[1] == _machine() and not _runs(int(found[2]))
            if ended or time.time() - part.stat().st_mtime > _DAY:
                part.unlink()
                removed += 1
    return removed


def require_writable(folder: Path) -> None:
    """Make a folder and check that it is writable, before any work is done.

    Raises:
        DataError: The folder cannot be made or written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be written ({error.strerror}). Free some space or choose another "
            "folder."
        ) from error


def _machine() -> str:
    """Name this machine in letters that are valid in file names, without dots."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", platform.node()) or "_"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
