"""Encoders by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nasrank.errors import UsageError
from nasrank.registry import Registry

if TYPE_CHECKING:
    from nasrank.encoders.encoder import Encoder

    Maker = Callable[[tuple[int, ...], int], Encoder]

__all__ = ["ENCODERS", "make_encoder", "require_fit"]

ENCODERS: Registry[Maker] = Registry("encoder")
"""Encoders by name; each takes the shape of a sample and the number of features."""

ENCODERS.register("linear", target="nasrank.encoders.linear:LinearEncoder")
ENCODERS.register("mlp", target="nasrank.encoders.mlp:MLPEncoder")
ENCODERS.register("cnn", target="nasrank.encoders.cnn:LeNetEncoder")
ENCODERS.register("conv4", target="nasrank.encoders.cnn:Conv4Encoder")
ENCODERS.register("resnet18", target="nasrank.encoders.resnet:ResNet18Encoder")
ENCODERS.register("vit", target="nasrank.encoders.vit:ViTEncoder")

_FOR_ALL = {"linear", "mlp"}
"""Encoders that take vectors as well as images, of any size."""
_SMALLEST = 8
"""Side of the smallest images of all others, in pixels."""


def make_encoder(
    name: str, shape: tuple[int, ...], *, features: int | None = None, seed: int
) -> Encoder:
    """Make an encoder with initial weights that depend on the seed alone.

    Args:
        name: A name in `ENCODERS`.
        shape: Shape of one sample: ``(channels, height, width)`` or ``(d,)``.
        features: Length of the feature vector; the encoder's own default if None.
        seed: The run's seed.

    Returns:
        A module from ``[n, *shape]`` to ``[n, features]``, on the CPU.

    Raises:
        UsageError: There is no such encoder, or it does not take such samples.
    """
    from nasrank.encoders.encoder import DEFAULT_FEATURES
    from nasrank.seeds import seeded_torch

    maker = ENCODERS[name]
    if features is not None and features < 1:
        raise UsageError(f"an encoder needs 1 or more features, not {features}. Give 1 or more")
    require_fit(name, shape)
    with seeded_torch(seed, stream="encoder", name=name):
        return maker(shape, features or DEFAULT_FEATURES[name])


def require_fit(name: str, shape: Sequence[int]) -> None:
    """Refuse an encoder that does not take samples of a shape.

    Raises:
        UsageError: It is for images and the samples are vectors, or for larger images.
    """
    if name in _FOR_ALL:
        return
    if len(shape) != 3:
        raise UsageError(
            f"encoder {name!r} is for images, and the samples are vectors. Use mlp or linear"
        )
    if min(shape[1:]) < _SMALLEST:
        raise UsageError(
            f"encoder {name!r} needs images of {_SMALLEST}x{_SMALLEST} pixels or more, not "
            f"{shape[1]}x{shape[2]}. Use mlp or linear"
        )
