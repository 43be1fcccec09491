"""Shapes are checked wherever a test calls ot; this test would notice if they were not."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.companions.optimal_transport.clouds import Clouds, make_clouds
from nasrank.companions.optimal_transport.cpcc import cpcc
from nasrank.companions.optimal_transport.measures import confusion_matrix, group_probabilities
from nasrank.companions.optimal_transport.transport import TransportPlan, greedy_plan


def test_clouds_and_plans_of_other_shapes_are_refused():
    with pytest.raises(TypeCheckError, match="weights"):
        Clouds(torch.zeros(2, 3, 1), torch.ones(2, 1))
    with pytest.raises(TypeCheckError, match="labels"):
        make_clouds(torch.zeros(3, 1), torch.zeros(1).long(), 2)
    with pytest.raises(TypeCheckError, match="flow"):
        TransportPlan(torch.zeros(3).long(), torch.zeros(3).long(), torch.zeros(1).double())
    with pytest.raises(TypeCheckError, match="second"):
        greedy_plan(torch.ones(2, 3), torch.ones(3))


def test_pairs_and_classes_of_other_shapes_are_refused():
    # Without a check one pair would count for three.
    with pytest.raises(TypeCheckError, match="where"):
        cpcc(torch.ones(3), torch.ones(3), where=torch.ones(1).bool())
    with pytest.raises(TypeCheckError, match="tree"):
        cpcc(torch.ones(2, 3), torch.ones(1))
    with pytest.raises(TypeCheckError, match="predicted"):
        confusion_matrix(np.arange(3), np.zeros(1, np.int64), 3)
    with pytest.raises(TypeCheckError, match="group_of"):
        group_probabilities(np.ones((2, 3)), np.zeros(2, np.int64))
