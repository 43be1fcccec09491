"""Code of the user's own: where it is, whether it may run, and what went wrong in it.

A *location* is ``FILE.py:NAME`` or ``package.module:NAME``. A file is read from where the command
was started; modules beside it can be imported by it, as they could be by ``python FILE.py``.

A location may also stand in a table or a baseline that somebody else wrote, so a text that names
code is not yet a reason to run it: only what the user's own options name is ever loaded, see
:func:`trust`.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import platform
import posixpath
import re
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from nasrank.errors import NasrankError, UsageError

__all__ = [
    "Trust",
    "adopt",
    "canonical",
    "file_of",
    "folder",
    "guarded",
    "is_location",
    "is_trusted",
    "load",
    "place_of",
    "trust",
    "trusted",
    "version",
]

_LOCATION = re.compile(r"(?P<place>[^\s(),=]+):(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_LISTED = 12
"""Names of a module that an error lists."""


@dataclass(frozen=True)
class Trust:
    """What a process may run, as it is sent to another.

    Attributes:
        process: Machine and number of the process that was told.
        folder: Where its command was started.
        locations: What the user named.
    """

    process: tuple[str, int]
    folder: str
    locations: frozenset[str]


_trusted: set[str] = set()
_folders: list[Path] = []
"""Where the command was started, in a process that another one told; the last counts."""
_modules: dict[Path, tuple[object, ModuleType]] = {}


def is_location(name: str) -> bool:
    """Say whether a name has the form of a location.

    Example:
        >>> [is_location(name) for name in ("./mine.py:f", "sklearn.svm:SVR", "hr", "./mine.py")]
        [True, True, False, False]
    """
    found = _LOCATION.fullmatch(name)
    return found is not None and (
        found["place"].endswith(".py") or _MODULE.fullmatch(found["place"]) is not None
    )


def canonical(name: str) -> str:
    """Spell a location in one way: files below the folder of the command start with ``./``.

    Example:
        >>> [canonical(name) for name in ("mine.py:f", "./a/../mine.py:f", "../mine.py:f", "hr")]
        ['./mine.py:f', './mine.py:f', '../mine.py:f', 'hr']
    """
    place, _, thing = name.rpartition(":")
    if not is_location(name) or not place.endswith(".py"):
        return name
    place = place.replace(os.sep, "/")
    if posixpath.isabs(place):
        base = f"{_base().as_posix()}/"
        place = place.removeprefix(base) if place.startswith(base) else place
    place = posixpath.normpath(place)
    near = posixpath.isabs(place) or place.startswith("../")
    return f"{place if near else f'./{place}'}:{thing}"


def trust(text: str) -> None:
    """Allow the locations in a text to be loaded: the user has named them in an option.

    Args:
        text: Such as ``hr,./mine.py:my_loss(power=2)``.
    """
    for found in _LOCATION.finditer(text):
        if is_location(found[0]):
            _trusted.add(canonical(found[0]))


def is_trusted(name: str) -> bool:
    """Say whether a location may be loaded here."""
    return canonical(name) in _trusted


def trusted() -> Trust:
    """Return what may be loaded here, for another process."""
    return Trust((platform.node(), os.getpid()), str(_base()), frozenset(_trusted))


def adopt(told: Trust) -> None:
    """Allow in this process what may be loaded in another one, from the same folder."""
    if told.process != (platform.node(), os.getpid()):
        _folders[:] = [Path(told.folder)]
        _trusted.update(told.locations)


def file_of(name: str) -> Path | None:
    """Return the file of a location, which need not exist; None for one in a module."""
    place = name.rpartition(":")[0]
    return _base() / place if is_location(name) and place.endswith(".py") else None


def folder() -> Path:
    """Return where the command was started, also in a worker that was started elsewhere."""
    return _base()


def version(name: str) -> object:
    """Return what changes when the code of a location may have changed on disk.

    That is the state of its file and of all beside it; None for anything else.
    """
    path = file_of(name)
    return None if path is None else _state(path)


def load(name: str) -> Any:  # noqa: ANN401 - whatever is there
    """Return what a location names; it is loaded again where the file has changed.

    Raises:
        UsageError: No option has named it, there is no such file, module or name, or it cannot be
            loaded; with file and line.
    """
    name = canonical(name)
    place, _, thing = name.rpartition(":")
    if name not in _trusted:
        raise UsageError(
            f"{name} is code of somebody's own, which is only run where an option such as "
            "--losses or --predictors names it"
        )
    path = file_of(name)
    module = _module(place) if path is None else _module_of_file(path, place)
    try:
        return attrgetter(thing)(module)
    except AttributeError:
        own = [
            key
            for key, value in vars(module).items()
            if callable(value) and not key.startswith("_")
        ]
        near = difflib.get_close_matches(thing, own, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        listed = ", ".join(own[:_LISTED]) + (", ..." if len(own) > _LISTED else "")
        raise UsageError(
            f"{place}: there is no {thing!r} in it.{hint} It has: {listed or 'nothing to call'}"
        ) from None


def place_of(thing: object) -> str:
    """Return ``FILE:LINE`` of a function or class, or its name.

    The name where it is installed or has no source. An object is where its class is.
    """
    found = inspect.unwrap(thing) if callable(thing) else type(thing)
    try:
        path, line = inspect.getsourcefile(found), inspect.getsourcelines(found)[1]
    except (TypeError, OSError):
        return str(getattr(thing, "__qualname__", type(thing).__qualname__))
    if "site-packages" in str(path):
        return f"{found.__module__}.{found.__qualname__}"
    return f"{_shown(str(path))}:{max(line, 1)}"


@contextmanager
def guarded(thing: object, doing: str) -> Iterator[None]:
    """Turn what own code raises within the block into one line with its file and line.

    Args:
        thing: What is being called.
        doing: What it does, as in ``while it was trained``.

    Raises:
        UsageError: The code raised something.
    """
    try:
        yield
    except (NasrankError, MemoryError):
        raise
    except Exception as error:
        # Of torch, which fleets answer by halving themselves.
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise _failed(error, place_of(thing), doing) from error


def _failed(error: BaseException, where: str, doing: str) -> UsageError:
    """Say what was raised at the innermost line that is not installed code."""
    line = str(error).strip().rstrip(".").splitlines()[:1]
    what = f"{type(error).__name__}: {line[0]}" if line else type(error).__name__
    for frame in traceback.extract_tb(error.__traceback__):
        if _is_own(frame.filename):
            where = f"{_shown(frame.filename)}:{frame.lineno}"
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        where, what = f"{_shown(error.filename)}:{error.lineno}", f"SyntaxError: {error.msg}"
    return UsageError(f"{where}: {what}, {doing}")


def _is_own(filename: str) -> bool:
    return Path(filename).parent in {known.parent for known in _modules}


def _base() -> Path:
    return _folders[-1] if _folders else Path.cwd()


def _shown(path: str) -> str:
    """Spell a path as a user would from here."""
    try:
        return f"./{Path(path).resolve().relative_to(_base().resolve()).as_posix()}"
    except ValueError:
        return path


def _module(place: str) -> ModuleType:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place}.".startswith(f"{error.name}."):
            raise UsageError(
                f"there is no module {error.name!r} here. Install its package, or name a file "
                "like ./mine.py:NAME"
            ) from None
        raise _failed(error, place, "while it was imported") from error
    except Exception as error:
        raise _failed(error, place, "while it was imported") from error


def _module_of_file(path: Path, place: str) -> ModuleType:
    """Execute a file as a module, once for each state of it and its neighbours."""
    try:
        # Also where a link leads, so that two ways to one file are one module.
        path = path.resolve(strict=True)
        state = _state(path)
        if not path.is_file():
            raise IsADirectoryError(21, "not a file")
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise UsageError(f"{place}: {reason}. Give its path from {_base()}") from None
    known = _modules.get(path)
    if known is not None and known[0] == state:
        return known[1]
    # In front, also of the folders of other files, which may have neighbours of the same names.
    sys.path[:] = [str(path.parent), *(each for each in sys.path if each != str(path.parent))]
    _forget({known.parent for known in (path, *_modules)})
    name = _free_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{place}: cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _modules[path] = state, module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        failed = _failed(error, place, "while it was loaded")
        del sys.modules[name], _modules[path]
        raise failed from error
    return module


def _forget(folders: Collection[Path]) -> None:
    """Drop what was imported from folders: it may have changed, or be named like another."""
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin and name != "__main__" and Path(origin).parent in folders:
            del sys.modules[name]
    importlib.invalidate_caches()


def _free_name(path: Path) -> str:
    """Return a name for a module that hides no other; that of the file where it is free."""
    name, number = f"nasrank_own_{path.stem}", 1
    while name in sys.modules:
        number += 1
        name = f"nasrank_own_{path.stem}_{number}"
    return name


def _state(path: Path) -> object:
    found = []
    for each in sorted({path, *path.parent.glob("*.py")}):
        try:
            about = each.stat()
        except OSError:
            continue
        found.append((each.name, about.st_mtime_ns, about.st_size))
    return tuple(found)
