"""The base of all encoders."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["DEFAULT_FEATURES", "Encoder"]

DEFAULT_FEATURES: Mapping[str, int] = {
    "linear": 64,
    "mlp": 64,
    "cnn": 50,
    "conv4": 64,
    "resnet18": 512,
    "vit": 64,
}
"""Default length of the feature vector."""


class Encoder(nn.Module):
    """A network from samples to features.

    Each kind is made from the shape of one sample, ``(channels, height, width)`` of images, and
    the length of its feature vector.

    Args:
        body: From samples to features.
        features: Length of the feature vector.
    """

    def __init__(self, body: nn.Module, features: int) -> None:
        super().__init__()
        self.body, self.features = body, features

    def forward(self, samples: Float[Tensor, "n *shape"]) -> Float[Tensor, "n {self.features}"]:
        """Return features of samples, not normalised."""
        out: Tensor = self.body(samples)
        return out
