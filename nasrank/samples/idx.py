"""Image sets as IDX files: MNIST and others in its format."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.limits import reading, require_regular
from nasrank.samples.samples import Samples, SampleSet

__all__ = ["read_idx", "read_idx_set"]

_MOST_BYTES = 1 << 30
_GZIP = 16 + zlib.MAX_WBITS
_STEMS = ("train", "t10k")


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, packed with gzip or not.

    The header is two zero bytes, the type (8: unsigned bytes), the number of axes, and the length
    of each axis as four bytes, the highest first; the values follow, the last axis fastest.

    Returns:
        An array of the shape the header gives.

    Raises:
        DataError: The file is missing, of another kind, cut short, or would take more than
            1 GiB.

    References:
        LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """
    require_regular(path)
    try:
        with reading(path), path.open("rb") as file:
            raw = file.read(_MOST_BYTES)
            if raw[:2] == b"\x1f\x8b":
                unpacker = zlib.decompressobj(wbits=_GZIP)
                raw = unpacker.decompress(raw, _MOST_BYTES)
                if not unpacker.eof:
                    raise DataError(
                        f"{path}: the gzip file is cut short, or unpacks to more than 1 GiB. "
                        "Fetch it again"
                    )
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path") from error
    except zlib.error as error:
        raise DataError(f"{path}: a damaged gzip file ({error}). Fetch it again") from error
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or not 1 <= raw[3] <= 3:
        raise DataError(f"{path}: not an IDX file of bytes. Give a file in the format of MNIST")
    axes = raw[3]
    start = 4 + 4 * axes
    shape = [int.from_bytes(raw[at : at + 4], "big") for at in range(4, start, 4)]
    if len(raw) < start or math.prod(shape) != len(raw) - start:
        raise DataError(
            f"{path}: {max(len(raw) - start, 0):,} bytes where its header says "
            f"{math.prod(shape):,}. Fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def read_idx_set(
    name: str, folders: Sequence[Path], class_names: Sequence[str], install: str
) -> SampleSet:
    """Read the four files of an image set from the first folder that has them.

    Args:
        name: Name of the set.
        folders: Where to look.
        class_names: Names of the classes in the order of their numbers.
        install: A command that installs the files, for the error.

    Returns:
        The published training and test part, pixels in [0, 1], one channel.

    Raises:
        DataError: No folder has all files, or one of them is damaged.
    """
    for folder in folders:
        found = {
            (stem, kind): path
            for stem in _STEMS
            for kind in ("images-idx3", "labels-idx1")
            for ending in ("", ".gz")
            if (path := folder / f"{stem}-{kind}-ubyte{ending}").is_file()
        }
        if len(found) == 4:
            break
    else:
        looked = ", ".join(map(str, folders))
        raise DataError(
            f"{name}: no folder holds its four IDX files (looked in {looked}). Get them: "
            f"{install}, or name their folder with --data-dir"
        )
    parts = []
    for stem in _STEMS:
        path = found[stem, "labels-idx1"]
        images, labels = read_idx(found[stem, "images-idx3"]), read_idx(path)
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(
                f"{path}: {len(labels):,} labels for {len(images):,} images. Fetch both again"
            )
        if labels.size and labels.max() >= len(class_names):
            raise DataError(
                f"{path}: a label of {labels.max()}, but {name} has {len(class_names)} classes. "
                "Fetch it again"
            )
        values = images[:, None].astype(np.float32) / np.float32(255)
        parts.append(Samples(values, labels.astype(np.int64), tuple(class_names)))
    return SampleSet(name, parts[0], parts[1])
