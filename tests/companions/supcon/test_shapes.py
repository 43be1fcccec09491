"""Shapes are checked wherever a test calls supcon; this test would notice if they were not."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.companions.supcon.augmentations import random_views
from nasrank.companions.supcon.closed_form import Batch, alpha_star
from nasrank.companions.supcon.loss import contrastive_loss, pair_up

NUMBERS = torch.arange(4)


def test_batches_of_other_shapes_are_refused():
    pairs = pair_up(NUMBERS // 2, NUMBERS)
    with pytest.raises(TypeCheckError, match="instances"):
        pair_up(NUMBERS, torch.zeros(1).long())
    with pytest.raises(TypeCheckError, match="embeddings"):
        contrastive_loss(torch.zeros(4), pairs, alpha=0.5, temperature=1.0)
    with pytest.raises(TypeCheckError, match="alpha"):
        contrastive_loss(torch.zeros(4, 2), pairs, alpha=torch.zeros(3), temperature=1.0)


def test_samples_and_labels_of_other_shapes_are_refused():
    draw = torch.Generator()
    with pytest.raises(TypeCheckError, match="deviation"):
        random_views(torch.zeros(4, 2), draw, strength=1.0, deviation=torch.zeros(1))


@pytest.mark.parametrize("temperature", [0.1, [0.1, 1.0], [[0.1], [1.0]], np.ones((2, 1, 3))])
def test_a_quantity_has_the_shape_of_its_settings(temperature):
    assert alpha_star(Batch(10, 50, 2, temperature)).shape == np.shape(temperature)
