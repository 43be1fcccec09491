import pytest
import torch

from nasrank.companions.optimal_transport.clouds import make_clouds, weighted

LABELS = torch.tensor([2, 0, -1, 2, 0, 2])
FEATURES = torch.arange(12.0).reshape(6, 2)


def test_samples_keep_the_order_of_the_batch():
    clouds = make_clouds(FEATURES, LABELS, 4)
    assert clouds.counts.tolist() == [2, 0, 3, 0]
    assert clouds.points[0, :2].tolist() == [[2.0, 3.0], [8.0, 9.0]]
    assert clouds.points[2].tolist() == [[0.0, 1.0], [6.0, 7.0], [10.0, 11.0]]
    assert clouds.weights.sum(-1).tolist() == pytest.approx([1, 0, 1, 0])
    # Of the pairs 01 02 03 12 13 23 only 02 has samples on both sides.
    assert clouds.present.tolist() == [False, True, False, False, False, False]
    assert clouds.means()[0].tolist() == [5.0, 6.0]


def test_batches_are_independent():
    more = torch.stack([LABELS, torch.tensor([0, 1, 2, 3, 3, 3])])
    both = make_clouds(torch.stack([FEATURES, FEATURES + 1]), more, 4)
    alone = make_clouds(FEATURES + 1, more[1], 4)
    assert both.points.shape == (2, 4, 3, 2)
    assert torch.equal(both.weights[1], alone.weights)
    real = alone.weights > 0
    assert torch.equal(both.points[1][real], alone.points[real])


def test_gradients_reach_every_sample_of_a_class_once():
    features = FEATURES.clone().requires_grad_()
    clouds = make_clouds(features, LABELS, 4)
    (clouds.points * (clouds.weights > 0).unsqueeze(-1)).sum().backward()
    assert features.grad[:, 0].tolist() == [1, 1, 0, 1, 1, 1]


def test_weights_by_distance_to_the_mean():
    # Mean 2; distances 2, 1, 3.
    clouds = make_clouds(torch.tensor([[0.0], [1.0], [5.0]]), torch.zeros(3, dtype=torch.long), 2)
    near, far = weighted(clouds, "near").weights, weighted(clouds, "far").weights
    away = torch.tensor([2.0, 1.0, 3.0]).double()
    assert near[0].tolist() == pytest.approx(((-away).exp() / (-away).exp().sum()).tolist())
    assert far[0].tolist() == pytest.approx((away.exp() / away.exp().sum()).tolist())
    assert near[1].tolist() == [0, 0, 0]
    assert weighted(clouds, "uniform") is clouds
