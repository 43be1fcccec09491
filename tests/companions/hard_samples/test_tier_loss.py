import pytest
import torch

from nasrank.companions.hard_samples.tier_loss import (
    FleetTwoStage,
    TierLoss,
    draw_triplets,
)
from nasrank.companions.hard_samples.tiers import tiers_of
from nasrank.seeds import torch_generator

OPTIONS = [
    {}, {"without": "stage-one"}, {"without": "stage-two"}, {"without": "condition"},
    {"without": "adaptation"}, {"adaptive": "loss"}, {"shape": "flat"},
]  # fmt: skip


def fleet(seeds=(0, 1, 2), items=12, width=5):
    embeddings, targets = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        targets.append(torch.rand(items, generator=generator))
        embeddings.append(torch.randn(items, width, generator=generator))
    where = torch.ones(len(seeds), items, dtype=torch.bool)
    where[:, items - 2 :] = False
    return torch.stack(embeddings), torch.stack(targets), where


def test_tiers_are_of_one_size_and_in_order():
    _, targets, where = fleet()
    tiers = tiers_of(targets, 5, where=where)
    for row, own in zip(tiers, targets, strict=True):
        assert row[10:].tolist() == [-1, -1]
        assert torch.bincount(row[:10]).tolist() == [2] * 5
        order = own[:10].argsort()
        assert row[:10][order].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_tiers_of_equal_labels_and_of_lists_that_do_not_divide():
    targets = torch.tensor([5.0, 1, 2, 8, 7, 3])
    assert tiers_of(targets, 3).tolist() == [1, 0, 0, 2, 2, 1]
    assert tiers_of(torch.zeros(4), 2).tolist() == [0, 0, 1, 1]
    assert torch.bincount(tiers_of(torch.arange(7.0), 3)).tolist() == [3, 2, 2]


def test_triplets_are_triplets():
    _, targets, where = fleet()
    tiers = tiers_of(targets, 3, where=where)
    drawn = draw_triplets(tiers, [torch_generator(s, stream="tiers") for s in range(3)])
    assert torch.equal(drawn.valid, where)
    own = tiers[where]
    place = torch.arange(12).expand(3, 12)
    assert (tiers.gather(1, drawn.positive)[where] == own).all()
    assert (drawn.positive != place)[where].all()
    negative = tiers.gather(1, drawn.negative)[where]
    assert ((negative != own) & (negative >= 0)).all()


def test_a_loss_by_hand():
    # Two tiers of two; in direction all of tier 1 point one way, those of tier 0 the other, so
    # the distance within is 0, between 2, and only a margin above 2 leaves a loss.
    embeddings = torch.tensor([[[1.0, 0.0], [-3.0, 0.0], [2.0, 0.0], [-1.0, 0.0]]])
    targets = torch.tensor([[5.0, 1.0, 6.0, 2.0]])
    where = torch.ones(1, 4, dtype=torch.bool)
    for margin, wanted in ((0.2, 0.0), (2.5, 0.5)):
        loss = TierLoss([0], tiers=2, margin=margin, weight=0.4)
        value = loss(embeddings, targets, where, torch.arange(4)[None])
        assert value.tolist() == pytest.approx([0.4 * wanted])
        assert loss.degenerate.tolist() == [0]


def test_lists_without_a_pair_are_counted():
    embeddings, targets, where = fleet(items=5)
    loss = TierLoss([0, 1, 2], tiers=3, margin=0.2, weight=1.0)
    # Three real items in three tiers.
    value = loss(embeddings, targets, where, torch.zeros_like(where).long())
    assert value.tolist() == [0, 0, 0]
    assert loss.degenerate.tolist() == [1, 1, 1]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_member_is_what_it_would_be_alone(options):
    embeddings, targets, where = fleet()

    def losses(members):
        seeds = list(members)
        generator = FleetTwoStage(seeds, 5, 3, 10, **options)
        side = TierLoss(seeds, tiers=3, margin=0.2, weight=0.3, generator=generator)
        rows = torch.tensor(seeds)
        points = embeddings[rows].clone().requires_grad_()
        found = []
        for _ in range(6):
            value = side(points, targets[rows], where[rows], torch.zeros(len(seeds), 12).long())
            found.append(value.detach())
        value.sum().backward()
        return torch.stack(found), points.grad

    together, gradients = losses(range(3))
    assert torch.isfinite(together).all()
    assert together[-1].min() > 0
    for member in range(3):
        alone, gradient = losses([member])
        torch.testing.assert_close(alone[:, 0], together[:, member], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(gradient[0], gradients[member], rtol=1e-4, atol=1e-6)
    # Padding is not learnt from.
    assert not gradients[:, 10:].any()


def test_points_in_one_place_are_finite():
    _, targets, where = fleet()
    points = torch.zeros(3, 12, 5, requires_grad=True)
    generator = FleetTwoStage([0, 1, 2], 5, 3, 10)
    side = TierLoss([0, 1, 2], tiers=3, margin=0.2, weight=0.3, generator=generator)
    value = side(points, targets, where, torch.zeros(3, 12).long())
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(points.grad).all()
