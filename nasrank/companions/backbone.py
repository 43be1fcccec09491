"""Features of frozen networks in place of images: computed once, and kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from nasrank.cache import cached_arrays
from nasrank.companions.files import Backbone
from nasrank.errors import UsageError
from nasrank.samples import Samples, SampleSet

__all__ = ["through_backbone"]

_AT_ONCE = 32


def through_backbone(data: SampleSet, backbone: Backbone) -> SampleSet:
    """Replace images by what a frozen network makes of them.

    The features are kept in the cache folder, by the digest of the images.

    Args:
        data: Images with pixels in [0, 1].
        backbone: The network; ``none`` for the images themselves.

    Returns:
        The same samples, as vectors.

    Raises:
        UsageError: The samples are no images, or the weights are not installed.
        DataError: The weights are damaged.
    """
    if backbone == "none":
        return data
    if len(data.shape) != 3 or data.shape[0] not in {1, 3}:
        raise UsageError(
            f"--backbone {backbone} is for images of one or three channels, and {data.name} holds "
            f"samples of shape {data.shape}. Leave it out"
        )
    train, test = (
        replace(part, values=_features(part, backbone)) for part in (data.train, data.test)
    )
    return replace(data, train=train, test=test)


def _features(part: Samples, backbone: str) -> Float32[np.ndarray, "n features"]:
    pixels = np.ascontiguousarray(part.values)
    digest = hashlib.sha256(repr((backbone, pixels.shape)).encode())
    digest.update(pixels.tobytes())

    return cached_arrays(
        backbone,
        digest.hexdigest(),
        f"features of {len(part):,} images",
        lambda: {"features": _computed(pixels)},
    )["features"]


def _computed(
    pixels: Float32[np.ndarray, "n channels height width"],
) -> Float32[np.ndarray, "n features"]:
    import torch

    from nasrank.encoders.efficientnet import load_backbone

    network = load_backbone()
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(pixels[start : start + _AT_ONCE])).numpy()
            for start in range(0, len(pixels), _AT_ONCE)
        ]
    found: np.ndarray = np.concatenate(parts)
    return found
