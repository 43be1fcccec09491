"""From samples to features to embeddings."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

__all__ = ["Embedder"]

_CHUNK = 512


class Embedder(nn.Module):
    """An encoder with a linear head onto the unit sphere.

    Args:
        encoder: From samples to features.
        features: Their width.
        embedding: Width of the embedding.
        centre: What is taken from vectors, or a number.
        scale: What they are divided by, or a number.
    """

    centre: Float[Tensor, "*d"]
    scale: Float[Tensor, "*d"]

    def __init__(
        self,
        encoder: nn.Module,
        features: int,
        embedding: int,
        centre: Float[Tensor, "*d"],
        scale: Float[Tensor, "*d"],
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(features, embedding)
        self.register_buffer("centre", centre)
        self.register_buffer("scale", scale)

    def features(self, samples: Float[Tensor, "n *shape"]) -> Float[Tensor, "n f"]:
        """Return features of samples as the data set holds them."""
        out: Tensor = self.encoder((samples - self.centre) / self.scale)
        return out

    def head(self, features: Float[Tensor, "n f"]) -> Float[Tensor, "n e"]:
        """Return embeddings of length 1."""
        return nn.functional.normalize(self.linear(features), dim=-1)

    @torch.no_grad()
    def embed(
        self, samples: Float32[np.ndarray, "n *shape"], device: torch.device
    ) -> tuple[Float[Tensor, "n f"], Float[Tensor, "n e"]]:
        """Return features and embeddings of many samples, as in use and not in training."""
        self.eval()
        parts = [
            self.features(torch.from_numpy(samples[start : start + _CHUNK]).to(device))
            for start in range(0, len(samples), _CHUNK)
        ]
        features = torch.cat(parts)
        self.train()
        return features, self.head(features)
