import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.cpcc import cpcc
from nasrank.companions.optimal_transport.distances import DISTANCES, parse_distance
from nasrank.seeds import torch_generator


def random(shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).random(shape))


def test_it_is_pearsons_correlation():
    tree, found = random(15), random(15, 1)
    value, degenerate = cpcc(found, tree)
    assert float(value) == pytest.approx(pearsonr(tree, found).statistic)
    assert not degenerate
    # (1 - 2)(2 - 3) + 0 + (3 - 2)(4 - 3) = 2 over sqrt(2 * 2).
    line = cpcc(torch.tensor([1.0, 2, 3]), torch.tensor([2.0, 3, 4]))[0]
    assert float(line) == pytest.approx(1)


def test_scale_and_shift_do_not_matter():
    tree, found = random(10), random(10, 1)
    value = cpcc(found, tree)[0]
    assert float(cpcc(100 * found + 7, tree)[0]) == pytest.approx(float(value))
    assert float(cpcc(found, 3 * tree - 1)[0]) == pytest.approx(float(value))
    assert float(cpcc(-found, tree)[0]) == pytest.approx(-float(value))


def test_pairs_that_do_not_count_do_not_count():
    tree, found = random(10), random(10, 1)
    where = torch.ones(10, dtype=torch.bool)
    where[3:6] = False
    spoilt = found.clone()
    spoilt[3:6] = torch.tensor([torch.nan, torch.inf, -1])
    spoilt.requires_grad_()
    value, _ = cpcc(spoilt, tree, where=where)
    assert float(value.detach()) == pytest.approx(float(cpcc(found[where], tree[where])[0]))
    value.backward()
    assert spoilt.grad.isfinite().all()
    assert spoilt.grad[3:6].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("found", "tree", "where"),
    [
        ([1.0, 2.0, 3.0], [4.0, 4.0, 4.0], None),
        ([5.0, 5.0, 5.0], [2.0, 4.0, 4.0], None),
        ([0.0, 0.0, 0.0], [2.0, 4.0, 4.0], None),
        ([1.0], [2.0], None),
        ([], [], None),
        ([1.0, 2.0, 3.0], [2.0, 4.0, 4.0], [True, False, False]),
        ([0.1 + 0.2, 0.3, 0.3], [2.0, 4.0, 4.0], None),
    ],
)
def test_degenerate_batches_teach_nothing(found, tree, where):
    distances = torch.tensor(found, dtype=torch.float64, requires_grad=True)
    value, degenerate = cpcc(
        distances, torch.tensor(tree), where=None if where is None else torch.tensor(where)
    )
    assert (float(value.detach()), bool(degenerate)) == (1.0, True)
    value.backward()
    assert not distances.grad.any()


def test_batches_are_independent():
    tree, found = random(6), random((4, 6), 1)
    found[2] = 1.0
    values, degenerate = cpcc(found, tree)
    assert degenerate.tolist() == [False, False, True, False]
    assert float(values[1]) == pytest.approx(float(cpcc(found[1], tree)[0]))


@pytest.mark.parametrize("name", DISTANCES.names())
def test_a_nested_simplex_attains_one(name):
    """Classes at e_group * 3 + e_class, every sample of a class at one point.

    Within a group two classes are sqrt(2) apart, between groups sqrt(18 + 2) = sqrt(20): an
    affine function of the tree distances 2 and 4, whatever the distance of distributions.
    """
    centres = torch.zeros(6, 8, dtype=torch.float64)
    for number in range(6):
        centres[number, number] = 1
        centres[number, 6 + number // 3] = 3
    group = torch.arange(6) // 3
    first, second = torch.triu_indices(6, 6, 1)
    tree = torch.where(group[first] == group[second], 2.0, 4.0)
    clouds = make_clouds(centres.repeat(4, 1), torch.arange(6).repeat(4), 6)
    # With all directions of an axis system the sliced distance is isotropic as well.
    if name == "swd":
        name = "swd(projections=4096)"
    found = parse_distance(name)(clouds, torch_generator(0))
    exact = name in {"l2", "emd", "sinkhorn", "fastft", "flowtree"}
    tolerance = 1e-12 if exact else 0.02
    if name != "twd":
        assert float(cpcc(found, tree)[0]) == pytest.approx(1, abs=tolerance)
    else:
        assert float(cpcc(found, tree)[0]) > 0.8


def test_it_can_be_climbed(clouds):
    """Gradient steps on the features of a batch raise it for every distance."""
    tree = torch.tensor([2.0, 4, 4, 4, 4, 2])
    for name in DISTANCES.names():
        made, features = clouds((6, 6, 6, 6), gap=1.0, seed=2)
        del made
        labels = torch.tensor(np.random.default_rng(2).permutation(np.repeat(np.arange(4), 6)))
        values = features.detach().clone().requires_grad_()
        optimiser = torch.optim.Adam([values], lr=0.05)
        heights = []
        for _ in range(30):
            rho = parse_distance(name)(make_clouds(values, labels, 4), torch_generator(0))
            height, _ = cpcc(rho, tree)
            heights.append(float(height.detach()))
            optimiser.zero_grad()
            (1 - height).backward()
            optimiser.step()
        assert heights[-1] > heights[0] + 0.1 or heights[-1] > 0.99, name
