"""``nasrank data verify``: whether files are the known ones, and intact."""

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nasrank.benchmarks.importers import IMPORTABLE, IMPORTERS, user
from nasrank.benchmarks.importers.store import open_space, space_path, stored_names
from nasrank.benchmarks.remote_files import REMOTE_FILES
from nasrank.benchmarks.sources import Origin
from nasrank.benchmarks.space import Benchmark, Task
from nasrank.benchmarks.tasks import SPACES, parse_task
from nasrank.cache import cache_folder, past_cache
from nasrank.errors import DataError
from nasrank.tables import is_sealed

__all__ = ["Verified", "verify", "verify_all"]


@dataclass(frozen=True)
class Verified:
    """The result for one file or folder.

    Attributes:
        subject: The dataset or imported space that it belongs to; else the path.
        kind: ``source`` (a file that pip installed), ``imported``, ``file`` or ``folder``.
        path: Its path; None where it is missing.
        sha256: Digest of its content, in hexadecimal; None for a folder.
        known: Package, version and path of the known file it is; None where it is not known.
        state: ``ok``; ``unknown`` (all checks passed, but there is no digest to compare with);
            ``damaged``; ``missing``.
        detail: Why, and what to do, in one line.
    """

    subject: str
    kind: str
    path: str | None
    sha256: str | None
    known: str | None
    state: str
    detail: str


def verify(subject: str) -> list[Verified]:
    """Verify a path where there is one, and else the files of a task.

    Args:
        subject: Path of a file or folder, or name of a task as in `parse_task`.

    Returns:
        One result per file; damaged and missing files are results too.

    Raises:
        UsageError: The space has no such task.
        DataError: There is neither such a path nor such a task, the path cannot be read, or the
            task has to be imported first.
    """
    path = Path(subject)
    try:
        is_path = path.exists()
    except (OSError, ValueError):  # too long, or in a folder without permission
        is_path = False
    if is_path:
        return [_verify_path(path)]
    space = subject.strip().partition("/")[0]
    if space in SPACES or space in IMPORTABLE:
        return _verify_task(subject, space)
    raise DataError(
        f"{subject}: no such file, folder or task. Check the path, or see the tasks with: "
        "nasrank data list"
    )


def verify_all() -> Iterator[Verified]:
    """Verify the file of every dataset of every built-in space, and every imported space.

    Yields:
        One result per file, in the order of `SPACES`; damaged and missing files are results too.
    """
    imported = stored_names()
    for name in SPACES.names():
        if (base := SPACES.built_in(name)) is not None:
            for dataset in base.datasets:
                yield _verify_source(base, dataset)
        if name in imported:
            yield _verify_imported(name)


def _verify_task(name: str, space: str) -> list[Verified]:
    try:
        task = parse_task(name)
    except DataError:
        # A damaged file hides its tasks; report the damage instead.
        if space not in stored_names() or (row := _verify_imported(space)).state == "ok":
            raise
        return [row]
    base = SPACES.built_in(space)
    if base is None:
        return [_verify_imported(space)]
    built_in = task.dataset in base.datasets
    row = _verify_source(base, task.dataset if built_in else base.datasets[0])
    if built_in and task.metric.name in {each.name for each in base.metrics_of(task.dataset)}:
        return [row]
    return [_verify_imported(space), row]


def _verify_path(path: Path) -> Verified:
    for name in stored_names():
        if _is_same(path, space_path(name)):
            return _verify_imported(name)
    for base, dataset, origin in _origins():
        if _is_same(path, origin.path):
            return _verify_source(base, dataset)
    row = Verified(str(path), "folder", str(path), None, None, "unknown", _format_of(path))
    if path.is_dir():
        return row
    if not path.is_file():
        raise DataError(f"{path}: neither a file nor a folder. Check the path")
    row = replace(row, kind="file", sha256=_sha256(path))
    return _as_known(row, path)


def _as_known(row: Verified, path: Path) -> Verified:
    """Name the known file that a file is, by its digest, or seems to be, by its name."""
    for base, dataset, origin in _origins():
        if origin.sha256 == row.sha256:
            detail = f"the known file of {base.name}/{dataset}"
            return replace(row, known=_named(origin), state="ok", detail=detail)
    typed = shlex.quote(str(path))
    for remote in REMOTE_FILES:
        if remote.sha256 == row.sha256:
            detail = (
                f"the known file {remote.name}. Read it with: "
                f"nasrank data import {remote.space} {typed}"
            )
            return replace(row, known=f"{remote.name}: {remote.file}", state="ok", detail=detail)
    for remote in REMOTE_FILES:
        if remote.sha256 is not None and path.name == remote.file:
            detail = (
                f"named like {remote.name}, but its sha256 is not the published one: damaged or "
                f"another file. Get it again with: nasrank data download {remote.name}"
            )
            return replace(row, detail=detail)
    for base, dataset, origin in _origins():
        if path.name == Path(origin.file).name:
            detail = (
                f"named like the file of {base.name}/{dataset}, but its sha256 is not that of "
                f"{origin.package} {origin.version}: another release, or damaged"
            )
            return replace(row, detail=detail)
    return row


def _verify_imported(name: str) -> Verified:
    """Check the file, its header and every column of an imported space by their digests."""
    path = space_path(name)
    row = Verified(name, "imported", str(path), None, None, "damaged", "")
    try:
        row = replace(row, sha256=_sha256(path))
        stored = open_space(name)
        if stored.sealed and not is_sealed(path):
            raise stored.error("it was changed")
        stored.read_architectures()
        if stored.vocabulary is not None:
            stored.read_graphs()
        if stored.grouped:
            stored.read_groups()
        for column in sorted(stored.numbers):
            stored.read_columns([column])
    except DataError as error:
        return replace(row, detail=str(error))
    whole = "the file and every column match" if stored.sealed else "every column matches"
    return replace(row, state="ok", detail=f"{whole} the digest")


def _verify_source(base: Benchmark, dataset: str) -> Verified:
    """Check the file of a built-in dataset by its digest and by reading it again."""
    subject = f"{base.name}/{dataset}"
    row = Verified(subject, "source", None, None, None, "missing", "")
    origin = base.origins.get(dataset)
    path = None if origin is None else origin.path
    try:
        if path is not None and path.is_file():
            row = replace(row, path=str(path), state="damaged", sha256=_sha256(path))
        # First through the cache, which rebuilds a damaged copy and logs it.
        cached = _load(base, dataset)
        with past_cache():
            fresh = _load(base, dataset)
    except DataError as error:
        return replace(row, detail=str(error))
    if not np.array_equal(cached.values, fresh.values, equal_nan=True):
        detail = f"its copy in {cache_folder()} has other numbers. Delete that folder"
        return replace(row, state="damaged", detail=detail)
    if origin is None:  # a space of another package
        return replace(row, state="unknown", detail="all checks passed; no digest is known")
    if row.sha256 == origin.sha256:
        detail = "all checks passed"
        return replace(row, known=_named(origin), state="ok", detail=detail)
    detail = f"all checks passed; only the file of {origin.package} {origin.version} is known"
    return replace(row, state="unknown", detail=detail)


def _origins() -> Iterator[tuple[Benchmark, str, Origin]]:
    """Yield the known files of all built-in datasets."""
    for name in SPACES.names():
        if (base := SPACES.built_in(name)) is not None:
            yield from ((base, dataset, origin) for dataset, origin in base.origins.items())


def _load(base: Benchmark, dataset: str) -> Task:
    return base.load(f"{base.name}/{dataset}", dataset, base.metrics_of(dataset)[0])


def _is_same(path: Path, other: Path | None) -> bool:
    try:
        return other is not None and path.samefile(other)
    except OSError:  # the other one need not exist
        return False


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path") from error


def _named(origin: Origin) -> str:
    return f"{origin.package} {origin.version}: {origin.file}"


def _format_of(path: Path) -> str:
    """Say which format a path looks like, and which command reads it."""
    typed = shlex.quote(str(path))
    found = [each for each in IMPORTERS if each.reader.recognises(path)]
    # Some formats can be recognised only by the name of the file.
    found = [each for each in found if path.name in each.title] or found
    if found:
        titles = "; ".join(dict.fromkeys(each.title for each in found))
        spaces = list(dict.fromkeys(space for each in found for space in each.spaces))
        which = "" if len(spaces) == 1 else f", where SPACE is one of: {', '.join(spaces)}"
        space = spaces[0] if len(spaces) == 1 else "SPACE"
        return (
            f"looks like: {titles}. Its digest is not known. "
            f"Read it with: nasrank data import {space} {typed}{which}"
        )
    if path.is_file() and user.recognises(path):
        return (
            "no known file. If it is a table of your own, read it with: "
            f"nasrank data import NAME {typed}"
        )
    return "no known file, and no format that nasrank reads"
