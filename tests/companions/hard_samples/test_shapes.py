"""Shapes are checked wherever a test calls hard; this test would notice if they were not."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.companions.hard_samples.adaptive import reverse_triplet
from nasrank.companions.hard_samples.hdml import harden_negative
from nasrank.companions.hard_samples.measures import covered_modes
from nasrank.companions.hard_samples.mining import mean_distances
from nasrank.companions.hard_samples.stretching import stretch
from nasrank.companions.hard_samples.tiers import tiers_of

MANY, ONE = torch.ones(4, 2), torch.ones(1, 2)


@pytest.mark.parametrize(
    "call",
    [
        # Without a check one positive would count for all.
        lambda: reverse_triplet(MANY, ONE, MANY, 0.1),
        lambda: harden_negative(MANY, ONE, MANY, alpha=1.0, average_loss=1.0),
        lambda: stretch(MANY, MANY, torch.ones(1)),
        lambda: mean_distances(MANY, torch.zeros(1).long()),
        lambda: tiers_of(MANY, 2, where=torch.ones(4, 1).bool()),
        lambda: covered_modes(
            np.ones((4, 2)), np.zeros(1, int), np.ones((4, 2)), np.zeros(4, int)
        ),
    ],
)
def test_triplets_of_other_shapes_are_refused(call):
    with pytest.raises(TypeCheckError):
        call()
