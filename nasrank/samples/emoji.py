"""Images of emoji by several vendors: many classes of a few images, as in a product catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError, needing
from nasrank.limits import reading
from nasrank.samples.samples import Samples, SampleSet, split_stratified
from nasrank.seeds import numpy_generator

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["EMOJI_FOLDERS", "EMOJI_INSTALL", "read_emoji"]

EMOJI_FOLDERS = ("node_modules",)
"""Default folder of the packages."""
EMOJI_INSTALL = "npm install emoji-datasource-google emoji-datasource-twitter"
"""Installs the two smallest packages."""

_VENDORS = ("google", "twitter", "facebook", "apple")
_SIDE = 32
_MOST_BYTES = 64 << 20
_MOST_PIXELS = 1 << 26


def read_emoji(
    folders: Sequence[Path], *, sizes: Sequence[int] = (32,), name: str = "emoji"
) -> SampleSet:
    """Cut the sheets of the packages ``emoji-datasource-VENDOR`` into images.

    A class is one emoji in its plain colour; its images are those of each vendor in each size,
    on white. Vendors draw the same thing differently, while sizes of one vendor are the same
    drawing: with one size, retrieval has to find another artist's drawing. Only emoji that all
    vendors have are used, in a fixed random order instead of that of their topics.

    Args:
        folders: Where to look for folders ``emoji-datasource-VENDOR``; the first that holds at
            least two vendors is used, with all vendors in it.
        sizes: Sides of the sheets in pixels: 16, 20, 32 or 64; other sides than 32 are resampled
            to it.
        name: Name of the set.

    Returns:
        Images ``[n, 3, 32, 32]`` in [0, 1], 30 % of each class for testing.

    Raises:
        UsageError: Pillow is not installed.
        DataError: No folder holds two vendors, or a file is damaged.
    """
    for folder in folders:
        vendors = [
            vendor
            for vendor in _VENDORS
            if all(_sheet(folder, vendor, size).is_file() for size in sizes)
        ]
        if len(vendors) > 1:
            break
    else:
        looked = ", ".join(map(str, folders))
        wanted = " and ".join(str(size) for size in sizes)
        raise DataError(
            f"{name}: no folder holds sheets of {wanted} pixels of two vendors (looked in "
            f"{looked}). Get them: {EMOJI_INSTALL}, or name their folder with --data-dir"
        )
    listed = _listed(folder / f"emoji-datasource-{vendors[0]}" / "emoji.json", vendors)
    # Neighbours in the list are of one topic, and classes are often split in this order.
    listed = [listed[at] for at in numpy_generator(0, stream="emoji").permutation(len(listed))]
    places = np.array([(column, row) for _, column, row in listed])
    images = [
        _cut(_sheet(folder, vendor, size), size, places) for vendor in vendors for size in sizes
    ]
    classes = np.tile(np.arange(len(listed)), len(images))
    samples = Samples(np.concatenate(images), classes, tuple(each for each, _, _ in listed))
    return split_stratified(name, samples)


def _sheet(folder: Path, vendor: str, size: int) -> Path:
    return folder / f"emoji-datasource-{vendor}" / "img" / vendor / "sheets" / f"{size}.png"


def _listed(path: Path, vendors: Sequence[str]) -> list[tuple[str, int, int]]:
    """Names and places on the sheet of the emoji that all vendors have."""
    try:
        with reading(path):
            entries: Any = json.loads(path.read_bytes())
        found = [
            (str(entry["short_name"]), int(entry["sheet_x"]), int(entry["sheet_y"]))
            for entry in entries
            if all(entry[f"has_img_{vendor}"] for vendor in vendors)
        ]
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}). Get it: {EMOJI_INSTALL}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the list of emoji-datasource. Install it again") from error
    if not found:
        raise DataError(f"{path}: lists no emoji that all vendors have. Install it again")
    return found


def _cut(path: Path, size: int, places: NDArray[np.intp]) -> NDArray[np.float32]:
    """Cut tiles ``[n, 3, 32, 32]`` out of a sheet."""
    sheet = np.asarray(_open(path), dtype=np.float32) / np.float32(255)
    colour, alpha = sheet[..., :3], sheet[..., 3:]
    colour = colour * alpha + (1 - alpha)
    # Every tile has one transparent pixel around it.
    corners = places * (size + 2) + 1
    if (corners < 0).any() or corners.max() + size > min(sheet.shape[:2]):
        raise DataError(
            f"{path}: a sheet of {sheet.shape[1]}x{sheet.shape[0]} pixels is too small for its "
            "list. Install the packages in one version"
        )
    within = np.arange(size)
    rows = corners[:, 1, None, None] + within[:, None]
    columns = corners[:, 0, None, None] + within
    tiles = _resized(np.moveaxis(colour[rows, columns], 3, 1))
    return np.ascontiguousarray(tiles, dtype=np.float32)


def _resized(tiles: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
    """Average where pixels are halved, and repeat or drop them otherwise."""
    side = tiles.shape[-1]
    if side % _SIDE == 0:
        by = side // _SIDE
        cut = tiles.reshape(*tiles.shape[:2], _SIDE, by, _SIDE, by)
        return np.asarray(cut.mean(axis=(3, 5)))
    nearest = (np.arange(_SIDE) * side) // _SIDE
    return tiles[..., nearest[:, None], nearest]


def _open(path: Path) -> Image.Image:
    with needing("plot", "PNG images are read with Pillow, which comes with matplotlib"):
        from PIL import Image
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"{path}: larger than 64 MiB. Install the package again")
        with reading(path), Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise DataError(f"{path}: more than 64 megapixels. Install the package again")
            return image.convert("RGBA")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a PNG image. Install the package again") from error
