from itertools import pairwise
from math import exp

import pytest
import torch

from nasrank.companions.hard_samples.adaptive import (
    RULES,
    Threshold,
    hardness,
    pressed,
    reverse_triplet,
)

USUAL = {"alpha": 0.1, "gap_scale": 0.8}


def triplets(count=100, width=4):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, count, width, dtype=torch.float64, generator=generator)


def test_the_gradient_moves_the_negative_straight_to_the_anchor():
    anchor, positive, negative = triplets()
    negative.requires_grad_()
    # Far above what any distance allows to be met, so all are active.
    reverse_triplet(anchor, positive, negative, 50.0).sum().backward()
    direction = (anchor - negative.detach()) / torch.linalg.vector_norm(
        anchor - negative.detach(), dim=1, keepdim=True
    )
    torch.testing.assert_close(-negative.grad, direction)


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.7])
def test_it_is_zero_exactly_where_the_constraint_is_met(threshold):
    anchor, positive, negative = triplets()
    negative.requires_grad_()
    loss = reverse_triplet(anchor, positive, negative, threshold)
    loss.sum().backward()
    near = torch.linalg.vector_norm(anchor - negative, dim=1)
    far = torch.linalg.vector_norm(anchor - positive, dim=1)
    met = near + threshold <= far
    assert 5 < met.sum() < 95
    assert not loss[met].any()
    assert not negative.grad[met].any()
    torch.testing.assert_close(loss[~met], (near + threshold - far)[~met])
    assert negative.grad[~met].any(dim=1).all()


def test_gradients_against_differences():
    parts = [part[:5].clone().requires_grad_() for part in triplets()]
    assert torch.autograd.gradcheck(lambda *each: reverse_triplet(*each, 0.3).sum(), parts)


def test_a_negative_at_the_anchor_is_finite():
    point = torch.zeros(1, 3, requires_grad=True)
    reverse_triplet(torch.zeros(1, 3), torch.zeros(1, 3), point, 1.0).sum().backward()
    assert torch.isfinite(point.grad).all()


def test_limits_of_the_rules():
    def state(**changes):
        return {"loss": 0.1, "gap": 0.4, "progress": 0.5, **changes, **USUAL}

    # A large loss asks for nothing, none for everything, in between 1 - exp(-alpha / J).
    assert hardness("loss", **state(loss=1e9)) == pytest.approx(0, abs=1e-6)
    assert hardness("loss", **state(loss=0.0)) == 1
    assert hardness("loss", **state(loss=1e-300)) == 1
    assert hardness("loss", **state()) == pytest.approx(1 - exp(-1))
    # The gap counts in parts of its scale, and not below 0 or above 1.
    assert [hardness("gap", **state(gap=gap)) for gap in (-1, 0, 0.4, 0.8, 5)] == [
        0, 0, 0.5, 1, 1,
    ]  # fmt: skip
    assert [hardness("schedule", **state(progress=t)) for t in (0, 0.3, 1)] == [0, 0.3, 1]
    assert hardness("fixed", **state(loss=1e9, gap=-9.0, progress=0.0)) == 1


@pytest.mark.parametrize("rule", RULES)
def test_the_threshold_tightens_as_the_metric_improves(rule):
    threshold = Threshold(rule, start=-0.2, end=0.1, **USUAL)
    steps = 60
    values = [
        threshold.update(loss=0.3 * (1 - t / steps), gap=t / steps, progress=t / steps)
        for t in range(steps + 1)
    ]
    assert all(-0.2 <= value <= 0.1 for value in values)
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(values))
    assert values[-1] > 0.05
    if rule == "fixed":
        assert set(values) == {0.1}
    else:
        assert values[0] < -0.1


def test_running_means_by_hand():
    threshold = Threshold("gap", start=0.0, end=1.0, alpha=0.1, gap_scale=1.0)
    assert threshold.update(0.5, 0.2, 0.0) == pytest.approx(0.2)
    # .9 * .2 + .1 * .6
    assert threshold.update(0.5, 0.6, 0.0) == pytest.approx(0.24)


def test_the_weight_of_a_constraint_rises_while_too_few_meet_it_and_falls_back_after():
    factor, seen = 1.0, []
    for met in [0.1] * 50 + [1.0] * 500:
        factor = pressed(factor, met, 0.9)
        seen.append(factor)
    assert seen[49] == pytest.approx(exp(0.05 * 0.8 * 50))
    assert seen[:50] == sorted(seen[:50])
    assert seen[50:] == sorted(seen[50:], reverse=True)
    assert seen[-1] == 1.0


def test_the_weight_of_a_constraint_that_nothing_meets_is_bounded():
    factor = 1.0
    for _ in range(1000):
        factor = pressed(factor, 0.0, 0.9)
    assert factor == 1000.0
