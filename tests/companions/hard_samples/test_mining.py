import pytest
import torch
from later import Later

from nasrank.companions.hard_samples.methods import MINERS
from nasrank.companions.hard_samples.mining import (
    Triplets,
    distances_of,
    mean_distances,
    mine,
    triplet_loss,
)
from nasrank.errors import UsageError
from nasrank.seeds import seeded_torch

losses = Later("pytorch_metric_learning.losses")


def batch(classes=4, each=5, width=6):
    generator = torch.Generator().manual_seed(0)
    points = torch.nn.functional.normalize(
        torch.randn(classes * each, width, generator=generator), dim=1
    )
    return points, torch.arange(classes).repeat_interleave(each)


@pytest.mark.parametrize("name", MINERS)
def test_triplets_are_triplets(name):
    points, classes = batch()
    with seeded_torch(0, stream="test"):
        found = mine(name, points, classes, margin=0.2)
    assert found.found
    anchor, positive, negative = found
    assert (classes[anchor] == classes[positive]).all()
    assert (classes[anchor] != classes[negative]).all()
    assert (anchor != positive).all()


@pytest.mark.parametrize("name", MINERS)
def test_chance_comes_from_the_seed(name):
    points, classes = batch()
    drawn = []
    for _ in range(2):
        with seeded_torch(3, stream="test"):
            drawn.append(mine(name, points, classes, margin=0.2))
    for one, other in zip(*drawn, strict=True):
        assert torch.equal(one, other)


def test_semi_hard_is_beyond_the_positive_and_within_the_margin():
    points, classes = batch()
    found = mine("semi-hard", points, classes, margin=0.3)
    near, far = distances_of(points, found)
    assert (far > near).all()
    assert (far <= near + 0.3).all()
    apart = torch.cdist(points, points)
    own = classes[:, None] == classes
    own_pairs = own & ~torch.eye(len(points), dtype=torch.bool)
    gap = apart[:, None, :] - apart[:, :, None]
    every = own_pairs[:, :, None] & ~own[:, None, :] & (gap > 0) & (gap <= 0.3)
    assert len(found.anchor) == every.sum()


def test_batch_hard_takes_the_extremes():
    points, classes = batch()
    found = mine("batch-hard", points, classes, margin=0.2)
    apart = torch.cdist(points, points)
    own = classes[:, None] == classes
    near, far = distances_of(points, found)
    order = found.anchor.argsort()
    torch.testing.assert_close(near[order], apart.masked_fill(~own, 0).amax(dim=1))
    torch.testing.assert_close(far[order], apart.masked_fill(own, 9).amin(dim=1))


@pytest.mark.parametrize("name", MINERS)
def test_the_loss_is_that_of_pytorch_metric_learning(name):
    points, classes = batch()
    points.requires_grad_()
    with seeded_torch(0, stream="test"):
        found = mine(name, points, classes, margin=0.3)
    ours = triplet_loss(points, found, margin=0.3)
    theirs = losses.TripletMarginLoss(margin=0.3)(points, classes, tuple(found))
    torch.testing.assert_close(ours, theirs)
    (one,) = torch.autograd.grad(ours, points)
    (other,) = torch.autograd.grad(theirs, points)
    # Theirs normalises once more, so gradients agree along the sphere.
    radial = (one * points).sum(dim=1, keepdim=True) * points
    torch.testing.assert_close(one - radial, other, atol=1e-6, rtol=1e-4)


def test_nothing_active_is_zero_and_has_a_gradient():
    points = torch.tensor([[0.0], [0.1], [9.0]], requires_grad=True)
    loss = triplet_loss(points, Triplets(*torch.tensor([[0], [1], [2]])), margin=0.2)
    loss.backward()
    assert loss == 0
    assert not points.grad.any()


@pytest.mark.parametrize("name", MINERS)
@pytest.mark.parametrize("classes", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_a_positive_or_a_negative_has_no_triplet(name, classes):
    points, _ = batch(1, 3)
    assert not mine(name, points, torch.tensor(classes), margin=0.2).found


def test_mean_distances_by_hand():
    points = torch.tensor([[0.0], [1.0], [4.0]])
    within, between = mean_distances(points, torch.tensor([0, 0, 1]))
    assert (within, between) == (1.0, 3.5)
    within, between = mean_distances(points, torch.tensor([0, 1, 2]))
    assert within != within
    assert between == pytest.approx(8 / 3)


def test_a_missing_extra_names_its_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pytorch_metric_learning", None)
    points, classes = batch()
    with pytest.raises(UsageError, match=r"install .*pytorch-metric-learning"):
        mine("semi-hard", points, classes, margin=0.2)
