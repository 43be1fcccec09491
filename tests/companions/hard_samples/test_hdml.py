import pytest
import torch

from nasrank.companions.hard_samples.hdml import harden_negative, real_weight


def triplets(count=200):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, count, 4, dtype=torch.float64, generator=generator)


def length(points):
    return torch.linalg.vector_norm(points, dim=1)


@pytest.mark.parametrize("loss", [0.01, 0.1, 1.0, 30.0])
def test_the_point_is_on_its_segment_and_between_its_bounds(loss):
    anchor, positive, negative = triplets()
    hard = harden_negative(anchor, positive, negative, alpha=0.1, average_loss=loss)
    near, far = length(anchor - positive), length(anchor - negative)
    moved = far > near
    assert 50 < moved.sum() < 150
    torch.testing.assert_close(hard[~moved], negative[~moved], rtol=0, atol=0)
    # Both parts of the segment add up to the whole.
    parts = length(hard - anchor) + length(negative - hard)
    torch.testing.assert_close(parts, far)
    to_hard = length(hard - anchor)[moved]
    assert (to_hard >= near[moved] - 1e-12).all()
    assert (to_hard <= far[moved] + 1e-12).all()


def test_limits_in_the_loss():
    anchor, positive, negative = triplets()
    near, far = length(anchor - positive), length(anchor - negative)
    moved = far > near
    easy = harden_negative(anchor, positive, negative, alpha=0.1, average_loss=1e12)
    torch.testing.assert_close(easy, negative)
    for loss in (1e-9, 0.0):
        hard = harden_negative(anchor, positive, negative, alpha=0.1, average_loss=loss)
        torch.testing.assert_close(length(hard - anchor)[moved], near[moved])


def test_a_point_by_hand():
    # exp(-.2 / .1) = .1353: from 5 to 1 + 4 * .1353 on the line from (0, 0) to (3, 4).
    hard = harden_negative(
        torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]]),
        alpha=0.2, average_loss=0.1,
    )  # fmt: skip
    assert hard[0].tolist() == pytest.approx([0.6 * 1.541341, 0.8 * 1.541341])


def test_a_negative_at_the_anchor_is_finite():
    points = torch.zeros(1, 3, requires_grad=True)
    made = harden_negative(points, points, points, alpha=0.1, average_loss=0.5)
    made.sum().backward()
    assert torch.isfinite(made).all()
    assert torch.isfinite(points.grad).all()


def test_weights_of_real_triplets():
    assert real_weight(1e12, beta=0.5) == pytest.approx(1)
    assert real_weight(1e-9, beta=0.5) == 0
    # exp(-.5 / .25)
    assert real_weight(0.25, beta=0.5) == pytest.approx(0.1353352832)
