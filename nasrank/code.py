"""Which code computed a result: a digest of its source, without what changes no number.

Comments, docstrings and blank lines do not count. What a module imports counts too, as far as it
belongs to the parts that are asked about.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import tokenize
import uuid
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeGuard

__all__ = ["source_digest"]

_WITHOUT_SOURCE = uuid.uuid4().hex
"""Stands for a module without source in this process: nothing it computes is known again."""


def source_digest(
    modules: Iterable[str], within: Collection[str], *, folder: Path = Path()
) -> str:
    """Return sixteen hexadecimal digits of the source of modules and what they import.

    Args:
        modules: Names of modules, or files that end with ``.py``, whose neighbours count where
            they are imported; none of them is imported here.
        within: Modules and packages whose source counts when it is imported, directly or not,
            beside the modules themselves.
        folder: What paths of files start from.

    Returns:
        A digest that changes with the source. A module without readable source, such as one
        typed at a prompt, gives another digest in every process.
    """
    known: dict[str, str] = {}
    asked = list(dict.fromkeys(modules))
    beside = _neighbours(folder / name for name in asked if name.endswith(".py"))
    within = {*within, *beside}
    left = [*asked]
    while left:
        name = left.pop()
        if name in known:
            continue
        path = _path(name, beside, folder)
        if path is None:
            if name in asked:
                known[name] = _WITHOUT_SOURCE
            continue
        state = path.stat()
        known[name], imported = _read(str(path), name, state.st_mtime_ns, state.st_size)
        left += [
            each
            for each in imported
            if any(each == part or each.startswith(f"{part}.") for part in within)
        ]
    text = repr(sorted(known.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _neighbours(files: Iterable[Path]) -> dict[str, Path]:
    """Return the modules and packages beside files, which import them by their bare names."""
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(file.parent for file in files):
        own = [*folder.glob("*/__init__.py"), *folder.glob("*.py")]
        found |= {path.parent.name: path.parent for path in own if path.parent != folder}
        found |= {path.stem: path.with_suffix("") for path in own if path.parent == folder}
    # In this repository itself, where all of it would count.
    return {name: path for name, path in found.items() if name != "nasrank"}


def _path(name: str, beside: Mapping[str, Path], start: Path) -> Path | None:
    """Return the source file of a module, loaded or not; nothing is imported."""
    if name.endswith(".py"):
        return path if (path := start / name).is_file() else None
    top, *inner = name.split(".")
    if top in beside:
        return _source(beside[top].joinpath(*inner))
    origin = getattr(sys.modules.get(name), "__file__", None)
    if origin is not None:
        path = Path(origin)
        return path if path.suffix == ".py" and path.is_file() else None
    # Only what is outermost: finding an inner module would import those around it.
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    if found is None or found.origin is None:
        return None
    base = Path(found.origin)
    return _source(base.parent.joinpath(*inner) if inner else base.with_suffix(""))


def _source(place: Path) -> Path | None:
    """Return the file of a module or package without its suffix."""
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in files if path.is_file()), None)


@lru_cache(maxsize=1024)
def _read(path: str, name: str, _modified: int, _size: int) -> tuple[str, tuple[str, ...]]:
    """Return the digest of one module's own source, and the modules it imports."""
    with tokenize.open(path) as file:
        source = file.read()
    tree = ast.parse(source)
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    return _digest(source, tree), tuple(_imports(tree, package))


def _digest(source: str, tree: ast.Module) -> str:
    """Digest the lines of a module without comments, docstrings and blanks at their ends."""
    lines: list[str | None] = [*source.splitlines()]
    strings: dict[int, list[tuple[int, int]]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            lines[node.lineno - 1 : node.end_lineno] = [None] * _height(node)
        elif isinstance(node, ast.JoinedStr) or _is_text(node):
            for number in range(node.lineno, node.lineno + _height(node)):
                first = node.col_offset if number == node.lineno else 0
                last = node.end_col_offset if number == node.end_lineno else None
                strings.setdefault(number, []).append((first, last or 1 << 30))
    kept = [
        _without_comment(line, strings.get(number, ()))
        for number, line in enumerate(lines, start=1)
        if line is not None
    ]
    text = "\n".join(line for line in kept if line)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _height(node: ast.stmt | ast.expr) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _without_comment(line: str, strings: Iterable[tuple[int, int]]) -> str:
    at = line.find("#")
    while at >= 0:
        # Columns of the syntax tree count bytes.
        place = len(line[:at].encode())
        if not any(first <= place < last for first, last in strings):
            return line[:at].rstrip()
        at = line.find("#", at + 1)
    return line.rstrip()


def _imports(tree: ast.Module, package: str) -> Iterable[str]:
    """List modules that are imported anywhere in a module, and names that may be modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                parts = parts[: len(parts) - node.level + 1]
                base = ".".join([*parts, *([base] if base else [])])
            yield base
            # A name may be a module of that package, or something else.
            yield from (f"{base}.{alias.name}" for alias in node.names)
