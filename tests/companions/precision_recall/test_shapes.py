"""Shapes are checked wherever a test calls pr; this test would notice if they were not."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.companions.precision_recall.auxiliary import AUXILIARIES, primal_alpha
from nasrank.companions.precision_recall.measures import neighbour_precision_recall
from nasrank.companions.precision_recall.networks import MLP
from nasrank.companions.precision_recall.pairs import AtomPair
from nasrank.companions.precision_recall.ring import Ring


def test_masses_and_points_of_other_shapes_are_refused():
    with pytest.raises(TypeCheckError, match="model"):
        AtomPair(np.full(2, 0.5), np.ones(1))
    with pytest.raises(TypeCheckError, match="points"):
        Ring().recalls(np.zeros((4, 3)))
    with pytest.raises(TypeCheckError, match="fake"):
        neighbour_precision_recall(np.zeros((9, 2)), np.zeros((9, 3)))


def test_weights_and_ratios_of_other_shapes_are_refused():
    # Without a check three weights would count for two models.
    with pytest.raises(TypeCheckError, match="fake"):
        primal_alpha(torch.ones(3), fake=torch.ones(1, 5))
    network = MLP((2, 3))
    weights = network.initial([0], "tests")
    with pytest.raises(TypeCheckError, match="values"):
        network(weights, torch.zeros(4, 2))


@pytest.mark.parametrize("name", AUXILIARIES)
def test_ceilings_have_a_place_for_items(name):
    assert AUXILIARIES[name].ceiling(torch.ones(3)).shape == (3, 1)
