"""Random clouds, and chance for the distances that need any."""

import numpy as np
import pytest
import torch

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.seeds import torch_generator


@pytest.fixture
def clouds():
    """Clouds of unequal sizes; gradients go to the features they were made of."""

    def make(counts=(5, 7, 4), width=6, seed=0, spread=1.0, gap=3.0):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        centres = gap * rng.normal(size=(len(counts), width))
        values = centres[labels] + spread * rng.normal(size=(len(labels), width))
        features = torch.tensor(values, requires_grad=True)
        return make_clouds(features, torch.tensor(labels), len(counts)), features

    return make


@pytest.fixture
def draws():
    return lambda: torch_generator(0, stream="test")
