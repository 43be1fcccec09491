"""Photographs of solar cells: visual inspection, where errors differ in what they cost.

Deitsch et al. (2021), "Segmentation of photovoltaic module cells in uncalibrated
electroluminescence images"; Buerhop-Lutz et al. (2018), "A benchmark for visual identification of
defective solar cells in electroluminescence imagery". 2,624 images, CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from nasrank.errors import DataError
from nasrank.installing import install_command
from nasrank.limits import require_regular
from nasrank.samples.pictures import read_square
from nasrank.samples.samples import Samples, SampleSet, split_stratified

__all__ = ["ELPV_INSTALL", "read_elpv"]

ELPV_INSTALL = install_command("elpv-dataset==1.0.0.post1")
"""Installs the photographs, 91 MB."""

_SIDE = 50
_LINE = re.compile(r"\s*(images/cell\d{4}\.png)\s+(\d\.\d+)\s+(mono|poly)\s*")
_KNOWN = "0abe6fe7700aea571717d7d7dfec005a47c6207b4cde26a4556b6807a115483d"
_MOST_BYTES = 1 << 20
_SOUND = 0.5
"""Probability of a defect from which on a cell counts as defective."""


def read_elpv(folders: Sequence[Path] | None = None, *, name: str = "elpv") -> SampleSet:
    """Read the photographs of the package ``elpv-dataset``, without importing it.

    A class is a degree of damage of a kind of cell, such as ``poly 0.33``: four degrees, which
    experts gave, of monocrystalline and polycrystalline cells. In the tree every class is in its
    degree, and that is sound (below 0.5) or defective: to take a defective cell for a sound one
    is the error that costs.

    Args:
        folders: Folders of ``labels.csv`` and ``images``; that of the package by default.
        name: Name of the set.

    Returns:
        Images ``[n, 1, 50, 50]`` in [0, 1], 30 % of each class for testing.

    Raises:
        UsageError: Pillow is not installed.
        DataError: The package is missing, or a file is damaged.
    """
    places = _installed() if folders is None else list(folders)
    folder = next((each for each in places if (each / "labels.csv").is_file()), None)
    if folder is None:
        raise DataError(
            f"{name}: the photographs are not there. Get them: {ELPV_INSTALL}, or name the folder "
            "of labels.csv with --data-dir"
        )
    path = folder / "labels.csv"
    require_regular(path)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{path}: larger than 1 MiB, which no list of this set is")
    raw = path.read_bytes()
    images, kinds = [], []
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        read = _LINE.fullmatch(line)
        if read is None:
            raise DataError(
                f"{path}, line {number}: not 'images/cellNNNN.png probability mono|poly'. "
                f"Get it again: {ELPV_INSTALL}"
            )
        picture, degree, kind = read.groups()
        images.append(
            read_square(folder / picture, _SIDE, grey=True, remedy=f"Get it again: {ELPV_INSTALL}")
        )
        kinds.append((round(float(degree), 2), kind))
    if not images:
        raise DataError(f"{path}: it lists no photograph. Get it again: {ELPV_INSTALL}")
    classes = sorted(set(kinds))
    notes = (
        ()
        if hashlib.sha256(raw).hexdigest() == _KNOWN
        else (f"{path}: not the list of version 1.0.0, so that numbers are not comparable",)
    )
    samples = Samples(
        np.stack(images),
        np.array([classes.index(each) for each in kinds], np.int64),
        tuple(f"{kind} {degree:g}" for degree, kind in classes),
        notes,
        tuple(
            ("sound" if degree < _SOUND else "defective", f"degree {degree:g}")
            for degree, _ in classes
        ),
    )
    return split_stratified(name, samples)


def _installed() -> list[Path]:
    # The specification alone: nothing of the package is executed.
    found = find_spec("elpv_dataset")
    return (
        [Path(each) / "data" for each in (found.submodule_search_locations or ())] if found else []
    )
