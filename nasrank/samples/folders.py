"""Pictures in folders: the folder is the class, and the folders above it are its tree."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nasrank.errors import DataError
from nasrank.samples.pictures import read_square
from nasrank.samples.samples import Samples, SampleSet, split_stratified

__all__ = ["CLIPART_FOLDERS", "CLIPART_INSTALL", "read_folders"]

CLIPART_FOLDERS = ("/usr/share/openclipart/png",)
"""Where the package of drawings puts them."""
CLIPART_INSTALL = "apt install openclipart-png"
"""Installs about 8,000 drawings in the public domain, 131 MB."""

_SIDE, _FEWEST, _MOST = 32, 2, 50_000


def read_folders(
    folders: Sequence[Path], *, name: str, depth: int | None = None, fewest: int = _FEWEST,
    install: str | None = None,
) -> SampleSet:  # fmt: skip
    """Read PNG pictures from a tree of folders.

    Args:
        folders: Where to look; the first that is there is used.
        name: Name of the set.
        depth: How many folders below it make a class; pictures that are deeper belong to the
            class of their folder at this depth, those that are less deep are left out. The
            folder that a picture is in by default.
        fewest: Classes with fewer pictures are left out.
        install: What to type where none of them is there.

    Returns:
        Images ``[n, 3, 32, 32]`` in [0, 1] on white, 30 % of each class for testing. Classes are
        named by their path, and ``above`` holds the folders that they are in.

    Raises:
        UsageError: Pillow is not installed.
        DataError: No folder is there, it holds no two classes, more than 50,000 pictures, or a
            damaged one.
    """
    root = next((folder for folder in folders if folder.is_dir()), None)
    if root is None:
        looked = ", ".join(map(str, folders))
        how = f"Install them: {install}, or name" if install else "Name"
        raise DataError(f"{name}: no such folder of pictures: {looked}. {how} an existing folder")
    found: dict[tuple[str, ...], list[Path]] = {}
    for path in _pictures(root, name):
        parts = path.parent.relative_to(root).parts
        if parts and (depth is None or len(parts) >= depth):
            found.setdefault(parts[:depth], []).append(path)
    kept = {parts: paths for parts, paths in sorted(found.items()) if len(paths) >= fewest}
    if len(kept) < 2:
        raise DataError(
            f"{name}: {root} holds {len(kept)} folders of {fewest} or more PNG pictures, and two "
            "are needed. Put every class in a folder of its own"
        )
    remedy = f"Remove it, or install it again: {install}" if install else "Remove or replace it"
    values = [
        read_square(path, _SIDE, grey=False, remedy=remedy)
        for paths in kept.values()
        for path in paths
    ]
    classes = np.repeat(np.arange(len(kept)), [len(paths) for paths in kept.values()])
    left = sum(map(len, found.values())) - len(values)
    samples = Samples(
        np.stack(values),
        classes.astype(np.int64),
        tuple("/".join(parts) for parts in kept),
        (f"{name}: {left} pictures of classes of fewer than {fewest} are left out",)
        if left
        else (),
        tuple(tuple("/".join(parts[:k]) for k in range(1, len(parts))) for parts in kept),
    )
    return split_stratified(name, samples)


def _pictures(root: Path, name: str) -> list[Path]:
    """All PNG files below a folder, in order; links are not followed out of it."""
    found: list[Path] = []
    for folder, below, files in os.walk(root):
        below.sort()
        for each in sorted(files):
            path = Path(folder, each)
            if path.suffix.lower() == ".png" and not path.is_symlink():
                found.append(path)
        if len(found) > _MOST:
            raise DataError(f"{name}: more than {_MOST:,} pictures below {root}. Give fewer")
    return found
