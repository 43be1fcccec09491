"""Images of emoji by several vendors: many classes of a few images, as in a product catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.limits import reading
from nasrank.samples.pictures import open_png
from nasrank.samples.samples import Samples, SampleSet, split_stratified
from nasrank.seeds import numpy_generator

__all__ = ["EMOJI_FOLDERS", "EMOJI_INSTALL", "read_emoji"]

EMOJI_FOLDERS = ("node_modules",)
"""Default folder of the packages."""
EMOJI_INSTALL = "npm install emoji-datasource-google emoji-datasource-twitter"
"""Installs the two smallest packages."""

_VENDORS = ("google", "twitter", "facebook", "apple")
_SIDE = 32


@dataclass(frozen=True)
class _Emoji:
    name: str
    place: tuple[int, int]
    topics: tuple[str, ...]


def read_emoji(
    folders: Sequence[Path],
    *,
    sizes: Sequence[int] = (32,),
    topics: bool = False,
    name: str = "emoji",
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
        topics: Whether a class is a topic, such as animal-bird within Animals & Nature, instead of
            an emoji. Then 30 % of the emoji of each topic are for testing, by all vendors.
        name: Name of the set.

    Returns:
        Images ``[n, 3, 32, 32]`` in [0, 1], 30 % of each class for testing; ``above`` holds the
        topics of each class, where the packages name them.

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
    places = np.array([each.place for each in listed])
    images = [
        _cut(_sheet(folder, vendor, size), size, places) for vendor in vendors for size in sizes
    ]
    values = np.concatenate(images)
    if topics:
        return _by_topic(name, values, listed, len(images))
    classes = np.tile(np.arange(len(listed)), len(images))
    above = tuple(each.topics for each in listed)
    names = tuple(each.name for each in listed)
    samples = Samples(values, classes, names, above=above if all(above) else ())
    return split_stratified(name, samples)


def _by_topic(
    name: str, values: NDArray[np.float32], listed: Sequence[_Emoji], repeats: int
) -> SampleSet:
    """Take topics for the classes; all drawings of one emoji are on one side of the split."""
    if not all(each.topics for each in listed):
        raise DataError(f"{name}: emoji.json names no topics. Install version 16 of the packages")
    topics = sorted({each.topics for each in listed})
    own = np.array([topics.index(each.topics) for each in listed], np.int64)
    once = Samples(
        np.arange(len(listed), dtype=np.float32)[:, None],
        own,
        tuple("/".join(each) for each in topics),
        above=tuple(each[:-1] for each in topics),
    )
    split = split_stratified(name, once)
    parts = []
    for part in (split.train, split.test):
        chosen = part.values[:, 0].astype(np.int64)
        rows = (np.arange(repeats)[:, None] * len(listed) + chosen).ravel()
        parts.append(replace(part, values=values[rows], classes=np.tile(part.classes, repeats)))
    return SampleSet(name, *parts)


def _sheet(folder: Path, vendor: str, size: int) -> Path:
    return folder / f"emoji-datasource-{vendor}" / "img" / vendor / "sheets" / f"{size}.png"


def _listed(path: Path, vendors: Sequence[str]) -> list[_Emoji]:
    """Names, places on the sheet and topics of the emoji that all vendors have."""
    try:
        with reading(path):
            entries: Any = json.loads(path.read_bytes())
        found = [
            _Emoji(
                str(entry["short_name"]),
                (int(entry["sheet_x"]), int(entry["sheet_y"])),
                tuple(str(entry[key]) for key in ("category", "subcategory") if key in entry),
            )
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
    sheet = np.asarray(
        open_png(path, "RGBA", "Install the package again"), dtype=np.float32
    ) / np.float32(255)
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
