"""Data of the study: scaled for training, and what draws are measured against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32

from nasrank.companions.backbone import through_backbone
from nasrank.companions.files import Backbone
from nasrank.companions.precision_recall.features import train_classifier
from nasrank.companions.precision_recall.ring import RING_MODES, Ring
from nasrank.errors import DataError, UsageError
from nasrank.registry import unknown_name
from nasrank.samples import DATA_SETS, Reading, Samples, SampleSet, load_samples

__all__ = ["Material", "load_material", "shrink"]

FloatArray = npt.NDArray[np.float32]
Scaling: TypeAlias = Callable[[Float32[FloatArray, "n d"]], Float32[FloatArray, "n d"]]

_RING_TRAIN, _MOST_REAL = 20_000, 2_000


@dataclass(frozen=True, eq=False)
class Material:
    """One data set.

    Attributes:
        name: What tables call it.
        fingerprint: Stands for every value.
        shape: Shape of one sample.
        train: Scaled samples to train on: images from -1 to 1, vectors with mean 0
            and standard deviation 1 in every dimension.
        restore: From scaled draws to samples in their own units.
        measured: From samples in their own units to where distances are taken.
        real: Test samples there.
        ceiling: As many training samples there, or all: what a perfect model would draw.
        measure: How precision and recall are measured, in words, with ``{}`` for k.
        ring: The ring, if it is the data.
        notes: What was left out or changed when a file was read, one line each.
    """

    name: str
    fingerprint: str
    shape: tuple[int, ...]
    train: Float32[FloatArray, "n d"]
    restore: Scaling
    measured: Callable[[Float32[FloatArray, "n d"]], Float32[FloatArray, "n f"]]
    real: Float32[FloatArray, "m f"]
    ceiling: Float32[FloatArray, "c f"]
    measure: str
    ring: Ring | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_images(self) -> bool:
        """Whether a sample is an image."""
        return len(self.shape) == 3


@lru_cache(maxsize=4)
def load_material(
    name: str,
    *,
    data_dir: Path | None = None,
    label: str | None = None,
    reading: Reading | None = None,
    backbone: Backbone = "none",
    train_limit: int = 10_000,
    side: int | None = None,
    mode_weights: tuple[float, ...] | None = None,
) -> Material:
    """Load and scale a data set.

    Args:
        name: ``ring``, a name of `nasrank.samples.DATA_SETS`, or a path of vectors.
        data_dir: Folder of image files.
        label: Class column of a Parquet file, or array of a .npz file.
        reading: How to read a path.
        backbone: Frozen network for images, whose features are then the samples.
        train_limit: Most training samples of images and vectors.
        side: Images are shrunk to this side by averaging; as they are if None.
        mode_weights: Weights of the ring's modes; even if None.

    Raises:
        UsageError: There is no such data set, or an option does not fit it.
        DataError: The data is missing, damaged, or without any spread.
    """
    if name == "ring":
        return _ring(Ring() if mode_weights is None else Ring(mode_weights))
    if name not in DATA_SETS and not Path(name).suffix and not Path(name).is_dir():
        raise unknown_name("data", name, ("ring", *DATA_SETS, "a .parquet, .npy or .npz file"))
    loaded = load_samples(name, data_dir=data_dir, label=label, reading=reading)
    loaded = through_backbone(loaded, backbone).limited(train_limit, _MOST_REAL)
    if len(loaded.shape) == 3:
        return _images(loaded if side is None else shrink(loaded, side))
    if side is not None:
        raise UsageError(f"--side is for images, and {name} holds vectors. Leave it out")
    return _vectors(loaded)


def shrink(data: SampleSet, side: int) -> SampleSet:
    """Average blocks of pixels of square images.

    Args:
        data: Images whose side is a multiple of the new one.
        side: The new side, at least 4.

    Raises:
        UsageError: It does not fit.
    """
    height, width = data.shape[1:]
    if height != width or side < 4 or height % side:
        raise UsageError(
            f"--side {side}: images of {height}x{width} pixels shrink to a divisor of their side, "
            "4 at least. Choose one, or leave it out"
        )
    block = height // side

    def smaller(part: Samples) -> Samples:
        cut = part.values.reshape(len(part), -1, side, block, side, block)
        return replace(part, values=np.ascontiguousarray(cut.mean(axis=(3, 5))))

    return replace(data, train=smaller(data.train), test=smaller(data.test))


def _ring(ring: Ring) -> Material:
    train, real = ring.draw(_RING_TRAIN, "train"), ring.draw(_MOST_REAL, "test")
    text = hashlib.sha256(repr((RING_MODES, ring.masses.tolist(), ring.spread)).encode())
    scale, restore = _standardised(train)
    return Material(
        "ring", text.hexdigest()[:16], (2,), scale(train), restore, lambda points: points, real,
        train[:_MOST_REAL], "{}-NN on points; truth by a grid", ring,
    )  # fmt: skip


def _images(data: SampleSet) -> Material:
    _require_spread(data)
    if len(np.unique(data.train.classes)) > 1:
        classifier = train_classifier(data)
        shape = data.shape

        def measured(pixels: Float32[FloatArray, "n d"]) -> Float32[FloatArray, "n f"]:
            return classifier.features(pixels.reshape(-1, *shape))

        right = f"{100 * classifier.accuracy:.0f} % right"
        how = f"{{}}-NN on features of a small classifier ({right})"
    else:
        measured, how = lambda pixels: pixels, "{}-NN on pixels"
    train = data.train.values.reshape(len(data.train), -1)
    real = data.test.values.reshape(len(data.test), -1)
    return Material(
        data.name,
        data.fingerprint,
        data.shape,
        2 * train - 1,
        lambda draws: np.clip((draws + 1) / 2, 0, 1),
        measured,
        measured(real),
        measured(train[: len(real)]),
        how,
    )


def _vectors(data: SampleSet) -> Material:
    _require_spread(data)
    train = data.train.values
    scale, restore = _standardised(train)
    return Material(
        data.name,
        data.fingerprint,
        data.shape,
        scale(train),
        restore,
        scale,
        scale(data.test.values),
        scale(train[: len(data.test)]),
        "{}-NN on standardised vectors",
        notes=data.notes,
    )


def _standardised(
    values: Float32[FloatArray, "n d"],
) -> tuple[Scaling, Scaling]:
    """Return the way to mean 0 and standard deviation 1 in every dimension, and the way back."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    spread = np.where(spread > 0, spread, 1)

    def scale(given: Float32[FloatArray, "n d"]) -> Float32[FloatArray, "n d"]:
        scaled: FloatArray = ((given - mean) / spread).astype(np.float32)
        return scaled

    return scale, lambda draws: draws * spread + mean


def _require_spread(data: SampleSet) -> None:
    if not len(data.test):
        raise DataError(f"{data.name}: nothing is left to measure against. Give more samples")
    if np.ptp(data.train.values, axis=0).max() == 0:
        raise DataError(f"{data.name}: all samples are the same. Give data with some spread")
