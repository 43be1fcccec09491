"""Files that are there whole or not at all, whatever stops the process that writes them."""

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
    """Give a place to write to, and put it in the place of ``path`` once it is complete.

    Missing parent folders are made. Whatever goes wrong, ``path`` is as it was and no part stays
    behind; a process that is killed leaves its part to :func:`remove_stale_parts`.

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
        # Names of files may be bytes that are no text, which Arrow cannot write to.
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
    """Remove what killed processes have left half written in a folder.

    A part is stale if its process ran on this machine and no longer does, or if nothing was
    written to it for a day; the parts of a process that is at work stay.

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
    """Make a folder and see that files can be made in it, before any work is done for them.

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
    """Name this machine in letters that file names may hold, without dots."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", platform.node()) or "_"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
