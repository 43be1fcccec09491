"""The encoder for vectors, and the smallest one for images."""

from __future__ import annotations

from math import prod

from torch import nn

from nasrank.encoders.encoder import Encoder

__all__ = ["MLPEncoder"]

_WIDTH = 256


class MLPEncoder(Encoder):
    """Two hidden layers of 256 rectified units; images are flattened."""

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(prod(shape), _WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, _WIDTH),
            nn.ReLU(),
            nn.Linear(_WIDTH, features),
        )
        super().__init__(body, features)
