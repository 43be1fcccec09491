"""Atomic writes, and what may be removed: nothing but what carries a mark of nasrank's own.

A file is complete or absent, whatever stops the process that writes it. Users keep files of their
own beside ours, so a place or a suffix alone never makes a file ours, and a link is never
followed to what is removed.
"""

import contextlib
import errno
import os
import platform
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nasrank.errors import DataError

__all__ = ["Scratch", "remove_stale_parts", "replacing", "require_writable"]

_DAY = 86_400.0
_PART = re.compile(r".+\.([A-Za-z0-9_-]+)-([0-9]{1,10})-[0-9]{1,20}\.part")
"""Name of a part: the file's name, then machine, process and thread."""
_MARK = ".nasrank-scratch"


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
        raise DataError(f"{path}: cannot be written ({reason}). {_remedy(number)}") from error
    finally:
        # An unreachable folder is what the error above already reports.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _remedy(number: int | None) -> str:
    """Return what to do where a file cannot be written, by the number of the system's error."""
    if number in {errno.EEXIST, errno.ENOTDIR}:
        return "A file is in the way: choose another folder."
    full = number is None or number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return "Free some space or choose another folder." if full else "Choose another folder."


def remove_stale_parts(folder: Path) -> int:
    """Remove half-written files that killed processes have left in a folder.

    A part is stale if its process ran on this machine and no longer does, or if nothing was
    written to it for a day; the parts of a running process stay. Files with any other name, and
    links, are not ours.

    Args:
        folder: The folder; subfolders are not looked into, and it need not exist.

    Returns:
        The number of parts removed.
    """
    removed = 0
    for part in folder.glob("*.part"):
        found = _PART.fullmatch(part.name)
        # Another process may clean up at the same time, and a folder may be read-only.
        with contextlib.suppress(OSError):
            if found is None or not _is_file(part):
                continue
            ended = found[1] == _machine() and not _runs(int(found[2]))
            if ended or time.time() - part.stat().st_mtime > _DAY:
                part.unlink()
                removed += 1
    return removed


class Scratch:
    """A folder of files that may be removed: it says so itself, and who works in it.

    Args:
        folder: The folder; it need not exist.
        files: Names of the files that are written there, as a pattern.
    """

    def __init__(self, folder: Path, files: str) -> None:
        self.folder, self._files = folder, files

    def claim(self) -> None:
        """Make the folder, and mark it as this process's own.

        Raises:
            DataError: It cannot be made, or holds files and no mark, so that it is not ours.
        """
        mark = self.folder / _MARK
        require_writable(self.folder)
        if not _is_file(mark) and any(self.folder.iterdir()):
            raise DataError(
                f"{self.folder}: it holds files that are not nasrank's. Move them, or choose "
                "another --out"
            )
        with replacing(mark) as part:
            part.write_text(f"{_machine()} {os.getpid()}\n")

    def remove(self) -> bool:
        """Remove the folder if it is marked and nobody else works in it; say whether it is gone.

        Files that other programs have put there stay, and so does then the folder.
        """
        with contextlib.suppress(OSError, ValueError):
            mark = self.folder / _MARK
            if self.folder.is_symlink() or not _is_file(mark):
                return False
            machine, process = mark.read_text().split()
            mine = (machine, int(process)) == (_machine(), os.getpid())
            recent = time.time() - mark.stat().st_mtime < _DAY
            if not mine and (_runs(int(process)) if machine == _machine() else recent):
                return False
            for file in self.folder.glob(self._files):
                if _is_file(file):
                    file.unlink()
            mark.unlink()
            self.folder.rmdir()
        return not self.folder.exists()


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
            f"{folder}: cannot be written ({error.strerror}). {_remedy(error.errno)}"
        ) from error


def _is_file(path: Path) -> bool:
    """Say whether this is a regular file, and no link to one."""
    return path.is_file() and not path.is_symlink()


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
