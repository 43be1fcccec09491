"""Shapes are checked wherever a test calls a loss; this test would notice if they were not."""

import pytest
import torch
from jaxtyping import TypeCheckError

from nasrank.losses import LOSSES


@pytest.mark.parametrize("name", LOSSES.names())
def test_scores_and_labels_of_other_shapes_are_refused(name):
    with pytest.raises(TypeCheckError, match="labels"):
        LOSSES[name](torch.zeros(2, 3), torch.zeros(1))
    with pytest.raises(TypeCheckError, match="where"):
        LOSSES[name](torch.zeros(2, 3), torch.zeros(2, 3), where=torch.ones(3))
