"""Coarse classes made of finer ones: what is trained with, and what is asked for afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nasrank.errors import DataError, UsageError
from nasrank.samples import Reading, SampleSet, load_samples, read_samples, split_stratified
from nasrank.samples.arrays import ENDINGS

__all__ = ["Grouped", "group_by_remainder", "load_grouped"]

_CLOTHES: Mapping[str, str] = {
    "T-shirt": "tops", "Pullover": "tops", "Coat": "tops", "Shirt": "tops",
    "Trouser": "legs and dresses", "Dress": "legs and dresses",
    "Sandal": "shoes", "Sneaker": "shoes", "Ankle boot": "shoes",
    "Bag": "bags",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Grouped:
    """Samples whose classes belong to coarser ones.

    Attributes:
        samples: The samples with their fine classes.
        coarse_of: Coarse class of each fine class, numbered from 0.
        coarse_names: Names of the coarse classes.
    """

    samples: SampleSet
    coarse_of: Int64[np.ndarray, "classes"]
    coarse_names: tuple[str, ...]


def load_grouped(
    name: str,
    *,
    data_dir: Path | None = None,
    label: str | None = None,
    coarse: str | None = None,
    reading: Reading | None = None,
) -> Grouped:
    """Load a data set with the coarse classes that are usual for it.

    - ``digits``, ``mnist``: even and odd.
    - ``fashion-mnist``: tops, legs and dresses, shoes, bags.
    - emoji, solar cells, drawings and folders: the coarsest groups of their tree.
    - a file: its column ``coarse``, or even and odd numbers of its sorted classes.

    Args:
        name: See `nasrank.samples.load_samples`.
        data_dir: Folder of image files.
        label: Column or array of a file with the fine classes.
        coarse: That with the coarse ones.
        reading: How to read a path.

    Raises:
        UsageError: There is no such data set, or a column is named where there is none.
        DataError: The data is missing or damaged, has fewer than two classes, or its fine
            classes do not lie within coarse ones.
    """
    if coarse is None:
        data = load_samples(name, data_dir=data_dir, label=label, reading=reading)
        if name == "fashion-mnist":
            groups = tuple(dict.fromkeys(_CLOTHES.values()))
            numbers = [groups.index(_CLOTHES[each]) for each in data.class_names]
            return Grouped(data, np.array(numbers, np.int64), groups)
        _require_classes(data)
        if data.above and all(data.above):
            groups = tuple(dict.fromkeys(each[0] for each in data.above))
            numbers = [groups.index(each[0]) for each in data.above]
            return Grouped(data, np.array(numbers, np.int64), groups)
        names = ("even", "odd")
        return Grouped(data, np.arange(len(data.class_names), dtype=np.int64) % 2, names)
    if label is None or Path(name).suffix not in ENDINGS:
        raise UsageError("--coarse names a column of a file, beside the fine classes of --label")
    found = read_samples(Path(name), [label, coarse], reading)
    fine, above = found.labels[label], found.labels[coarse]
    data = split_stratified(name, found.samples)
    _require_classes(data)
    groups = tuple(str(each) for each in np.unique(above))
    coarse_of = np.zeros(len(data.class_names), np.int64)
    for place, each in enumerate(data.class_names):
        own = np.unique(above[fine == each])
        if len(own) > 1:
            raise DataError(
                f"{name}: {label} {each!r} lies in several of {coarse}: {', '.join(own[:3])}. "
                "Give coarse classes that are made of whole fine ones"
            )
        coarse_of[place] = groups.index(str(own[0]))
    if len(groups) < 2:
        raise DataError(f"{name}: {coarse} has one class, and two are needed")
    return Grouped(data, coarse_of, groups)


def group_by_remainder(data: Grouped, count: int) -> Grouped:
    """Return the same samples with another number of coarse classes.

    Fine class c belongs to coarse class ``c mod count``.

    Raises:
        UsageError: There are fewer fine classes than that, or fewer than 2 are asked for.
    """
    fine = len(data.coarse_of)
    if not 2 <= count <= fine:
        raise UsageError(
            f"--classes {count} of {data.samples.name}: choose 2 to {fine} coarse classes, or 0 "
            "for the usual ones"
        )
    names = tuple(f"class {number}" for number in range(count))
    return Grouped(data.samples, np.arange(fine, dtype=np.int64) % count, names)


def _require_classes(data: SampleSet) -> None:
    if len(data.class_names) < 2:
        raise DataError(
            f"{data.name}: it has one class, and two are needed. Name a class column with "
            "--label, or store 'classes' in a .npz file"
        )
