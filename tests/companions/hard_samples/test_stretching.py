import pytest
import torch

from nasrank.companions.hard_samples.stretching import SHAPES, stretch, stretch_factor


def pairs(count=200, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randn(2, count, width, dtype=torch.float64, generator=generator)
    return ends[0], ends[1]


def length(points):
    return torch.linalg.vector_norm(points, dim=-1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("by", [0.1, 0.5, 2.0])
def test_what_any_stretch_keeps(shape, by):
    anchor, positive = pairs()
    distance = length(anchor - positive)
    reach = float(distance.median())
    factor = stretch_factor(distance, by=by, reach=reach, shape=shape)
    first, second = stretch(anchor, positive, factor)
    wide = length(first - second)
    torch.testing.assert_close(first + second, anchor + positive)
    before, after = (anchor - positive) / distance[:, None], (first - second) / wide[:, None]
    torch.testing.assert_close(after, before)
    torch.testing.assert_close(wide, (1 + 2 * factor) * distance)
    assert (wide >= distance).all()
    # Nothing happens from the reach on, something does below it.
    beyond = distance >= reach
    torch.testing.assert_close(first[beyond], anchor[beyond], rtol=0, atol=0)
    torch.testing.assert_close(second[beyond], positive[beyond], rtol=0, atol=0)
    assert (wide[~beyond] > distance[~beyond]).all()
    assert 50 < beyond.sum() < 150


def test_a_stretch_by_hand():
    # k = .4 (1 - 3 / 4) = .1, so 3 becomes 3.6, each end moving by .3.
    factor = stretch_factor(torch.tensor([3.0]), by=0.4, reach=4.0)
    assert factor.item() == pytest.approx(0.1)
    first, second = stretch(torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 4.0]]), factor)
    assert first[0].tolist() == pytest.approx([1.0, 0.7])
    assert second[0].tolist() == pytest.approx([1.0, 4.3])


def test_the_linear_one_is_continuous_and_the_flat_one_jumps():
    around = torch.tensor([1 - 1e-9, 1.0, 1 + 1e-9], dtype=torch.float64)
    linear = stretch_factor(around, by=0.5, reach=1.0)
    assert linear.max() < 1e-8
    flat = stretch_factor(around, by=0.5, reach=1.0, shape="flat")
    assert flat.tolist() == [0.5, 0.0, 0.0]


def test_up_to_a_half_the_order_of_distances_stays():
    distance = torch.linspace(0, 2, 2001, dtype=torch.float64)
    for by, kept in ((0.5, True), (0.8, False)):
        wide = (1 + 2 * stretch_factor(distance, by=by, reach=1.0)) * distance
        assert bool((wide.diff() >= 0).all()) is kept


def test_a_pair_in_one_point_stays_and_has_a_finite_gradient():
    points = torch.zeros(1, 3, requires_grad=True)
    factor = stretch_factor(length(points - points.detach()), by=0.5, reach=1.0)
    first, second = stretch(points, points.detach(), factor)
    (first - second).sum().backward()
    assert torch.isfinite(points.grad).all()
    assert not (first - second).any()


def test_features_that_are_stretched_have_stretched_embeddings():
    head = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    anchor, positive = pairs()
    factor = stretch_factor(length((anchor - positive) @ head), by=0.4, reach=3.0)
    ours = [end @ head for end in stretch(anchor, positive, factor)]
    for one, other in zip(ours, stretch(anchor @ head, positive @ head, factor), strict=True):
        torch.testing.assert_close(one, other)
