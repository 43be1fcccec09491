"""The encoder for samples that are features already."""

from __future__ import annotations

from math import prod

from torch import nn

from nasrank.encoders.encoder import Encoder

__all__ = ["LinearEncoder"]


class LinearEncoder(Encoder):
    """One linear layer; images are flattened.

    Its first weights are orthogonal directions, so that it starts from nearly the distances of the
    samples themselves: what a frozen network knows is not lost before training begins.
    """

    def __init__(self, shape: tuple[int, ...], features: int) -> None:
        layer = nn.Linear(prod(shape), features)
        nn.init.orthogonal_(layer.weight)
        nn.init.zeros_(layer.bias)
        super().__init__(nn.Sequential(nn.Flatten(), layer), features)
