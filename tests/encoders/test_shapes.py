"""Shapes are checked wherever a test calls encoders; this test would notice if they were not."""

import pytest
import torch
from jaxtyping import TypeCheckError
from torch import nn

from nasrank.encoders.encoder import Encoder


def test_an_encoder_gives_as_many_features_as_it_says():
    images = torch.zeros(2, 3, 4)
    assert Encoder(nn.Flatten(), 12)(images).shape == (2, 12)
    with pytest.raises(TypeCheckError, match="return value"):
        Encoder(nn.Flatten(), 13)(images)
