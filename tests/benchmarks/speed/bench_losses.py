"""Every loss with its gradient, on the lists of one step of a fleet."""

import numpy as np
import pytest
import torch

from nasrank.losses import LOSSES, parse, prepare, resolve


@pytest.mark.benchmark(group="40 lists of 32 items")
@pytest.mark.parametrize("name", list(LOSSES))
def test_loss(benchmark, name):
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(80 + 3 * rng.standard_normal((40, 32)))
    prepared = prepare(parse(name), labels, torch.ones(labels.shape, dtype=torch.bool))
    targets = prepared.labels.float()
    arguments = {key: value.float() for key, value in prepared.arguments.items()}
    scores = torch.from_numpy(rng.standard_normal((40, 32))).float().requires_grad_()
    function = resolve(parse(name))
    benchmark(lambda: function(scores, targets, **arguments).backward())
