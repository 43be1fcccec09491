"""A small vision transformer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nasrank.encoders.encoder import Encoder

__all__ = ["ViTEncoder"]

_WIDTH, _HEADS, _LAYERS = 64, 4, 4


class ViTEncoder(Encoder):
    """Four pre-norm transformer layers of width 64 over patches, then the mean over patches.

    Patches are a quarter of the shorter side, at least 2 pixels; what does not fill a patch at
    the right and lower edge is left out.

    References:
        Dosovitskiy et al. (2021), "An image is worth 16x16 words", with mean pooling.
    """

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        channels, *sides = shape
        patch = max(min(sides) // 4, 2)
        count = (sides[0] // patch) * (sides[1] // patch)
        super().__init__(_Patches(channels, patch, count, features), features)


class _Patches(nn.Module):
    def __init__(self, channels: int, patch: int, count: int, features: int) -> None:
        super().__init__()
        self.cut = nn.Conv2d(channels, _WIDTH, patch, patch)
        self.place = nn.Parameter(nn.init.normal_(torch.empty(count, _WIDTH), std=0.02))
        layer = nn.TransformerEncoderLayer(
            _WIDTH, _HEADS, 2 * _WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, features))

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n features"]:
        tokens = self.cut(images).flatten(2).transpose(1, 2) + self.place
        out: Tensor = self.head(self.layers(tokens).mean(dim=1))
        return out
