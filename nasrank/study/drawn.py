"""Which pictures of a folder show what its tables hold, so that they are not drawn again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nasrank.code import source_digest
from nasrank.tables import write_json
from nasrank.version import __version__

if TYPE_CHECKING:
    from nasrank.study.study import Result, Study

__all__ = ["drawn_before", "picture_key", "remember"]

_FILE = "pictures.json"
_LONGEST = 2**20


def picture_key(
    study: Study[Any, Any], result: Result[Any], formats: Sequence[str] = ("svg",)
) -> str | None:
    """Return a digest of all that pictures depend on; None where that is more than tables."""
    if study.pictures is None or result.shown is not None:
        return None
    module = study.pictures.__module__
    code = source_digest([module], (module.rpartition(".")[0], "nasrank.study.pictures"))
    content = [__version__, code, *formats, result.config.model_dump(mode="json"), result.tables]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def drawn_before(folder: Path, key: str | None) -> list[Path] | None:
    """Return the pictures of these very tables, or None where there are none or not all."""
    path = folder / _FILE
    try:
        if key is None or path.stat().st_size > _LONGEST:
            return None
        known = json.loads(path.read_bytes())
        if known["key"] != key:
            return None
        found = {folder / Path(str(name)).name: digest for name, digest in known["files"]}
        if any(_digest(each) != digest for each, digest in found.items()):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return [*found]


def remember(folder: Path, key: str | None, paths: list[Path]) -> None:
    """Say in the folder which pictures show these tables; nothing where some lie elsewhere."""
    if key is not None and paths and all(path.parent == folder for path in paths):
        files = [[path.name, _digest(path)] for path in paths]
        write_json({"key": key, "files": files}, folder / _FILE)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
