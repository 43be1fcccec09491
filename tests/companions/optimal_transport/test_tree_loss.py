import numpy as np
import pytest
import torch

from nasrank.benchmarks import load_task
from nasrank.companions.optimal_transport.distances import parse_distance
from nasrank.companions.optimal_transport.tree_loss import TreeLoss, families

TASK = "nb201/cifar10"


def test_families_are_the_operation_there_is_most_of(make_graphs):
    graphs = make_graphs(40)
    family, names = families(graphs)
    counts = graphs.operation_counts()
    for each, row in zip(family, counts, strict=True):
        inner = dict(zip(graphs.vocabulary, row, strict=True))
        del inner["input"], inner["output"]
        best = max(inner.values())
        assert names[each] == (
            "none" if not best else next(k for k, v in inner.items() if v == best)
        )
    assert set(family) == set(range(len(names)))


def loss(name="fastft", weight=2.0):
    family = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    return TreeLoss(family, 2, parse_distance(name), weight, 0)


def test_tiers_are_thirds_of_the_list():
    targets = torch.tensor([[3.0, 1, 2, 9, 9], [10, 60, 50, 40, 30]])
    where = torch.tensor([[True, True, True, False, False], [True] * 5])
    items = torch.tensor([[0, 1, 6, -1, -1], [0, 1, 2, 6, 7]])
    found = loss().classes_of(targets, where, items)
    # Ranks 2 0 1 of 3: tiers 2 0 1; of 5: ranks 0 4 3 2 1, tiers 0 2 1 1 0. Family 1 adds 3.
    assert found.tolist() == [[2, 0, 3 + 1, -1, -1], [0, 2, 1, 3 + 1, 3 + 0]]


@pytest.mark.parametrize("name", ["l2", "emd", "fastft"])
def test_members_do_not_see_one_another(name):
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(3, 12, 5, generator=generator, requires_grad=True)
    targets = torch.rand(3, 12, generator=generator)
    where = torch.ones(3, 12, dtype=torch.bool)
    where[1, 9:] = False
    items = torch.arange(12).expand(3, 12)
    values = loss(name)(embeddings, targets, where, items)
    assert values.shape == (3,)
    (grad,) = torch.autograd.grad(values[1], embeddings)
    assert not grad[0].any()
    assert not grad[2].any()
    assert not grad[1, 9:].any()
    alone = loss(name)(embeddings[1:2], targets[1:2], where[1:2], items[1:2])
    assert float(alone.detach()) == pytest.approx(float(values[1].detach()), rel=1e-5)


def test_lists_without_a_correlation_are_counted_and_teach_nothing():
    side = loss()
    embeddings = torch.zeros(2, 12, 5, requires_grad=True)
    everything = torch.ones(2, 12, dtype=torch.bool)
    values = side(embeddings, torch.rand(2, 12), everything, torch.arange(12).expand(2, 12))
    values.sum().backward()
    assert values.tolist() == [0, 0]
    assert not embeddings.grad.any()
    assert side.degenerate.tolist() == [1, 1]


def test_real_architectures_have_families(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    family, names = families(load_task(TASK).space.graphs)
    assert names == ("none", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    none, *others = np.bincount(family)
    # Cells that only add up copies of their input, one to four of them, or compute nothing.
    assert none == 5
    assert min(others) > 1000
