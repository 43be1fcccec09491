"""What every distance obeys, and what tells them apart."""

import math

import numpy as np
import pytest
import torch
from later import Later

from nasrank.companions.optimal_transport import entropic
from nasrank.companions.optimal_transport.clouds import Clouds, make_clouds
from nasrank.companions.optimal_transport.distances import DISTANCES, parse_distance
from nasrank.companions.optimal_transport.sliced import sliced
from nasrank.errors import UsageError
from nasrank.seeds import torch_generator

ot = Later("ot")

EVERY = DISTANCES.names()
SPELLED = [*EVERY, "emd(weights=near)", "fastft(weights=far)", "fastft(walk=mirror)"]


def live(name, clouds):
    return parse_distance(name)(clouds, torch_generator(0, stream="test"))


def of(name, clouds):
    return live(name, clouds).detach()


def two(x, y):
    """Two clouds of equal weights; the smaller one is padded."""
    values = torch.cat([torch.as_tensor(x), torch.as_tensor(y)]).double()
    labels = torch.tensor([0] * len(x) + [1] * len(y))
    return make_clouds(values, labels, 2)


@pytest.mark.parametrize("name", EVERY)
def test_shapes_and_signs(name, clouds):
    made, _ = clouds((3, 4, 5, 2))
    found = of(name, made)
    assert found.shape == (6,)
    assert (found > 0).all()


@pytest.mark.parametrize("name", SPELLED)
def test_a_batch_of_clouds_is_as_each_alone(name, clouds):
    parts = [clouds((4, 4, 4), seed=seed)[0] for seed in range(3)]
    stacked = Clouds(
        torch.stack([p.points for p in parts]), torch.stack([p.weights for p in parts])
    )
    assert torch.allclose(of(name, stacked), torch.stack([of(name, p) for p in parts]))


@pytest.mark.parametrize("name", SPELLED)
def test_padding_and_absent_classes_do_not_matter(name, clouds):
    made, _ = clouds((3, 4))
    points, weights = made.points.detach(), made.weights
    more = torch.nn.functional.pad(points, (0, 0, 0, 3), value=7.0)
    empty = torch.full((1, *more.shape[1:]), 7.0, dtype=more.dtype)
    padded = Clouds(torch.cat([more, empty]), torch.nn.functional.pad(weights, (0, 3, 0, 1)))
    found = of(name, padded)
    assert float(found[0]) == pytest.approx(float(of(name, made)), rel=1e-9)
    assert found[1:].tolist() == [0, 0]


@pytest.mark.parametrize("name", SPELLED)
def test_scale_and_shift_of_space(name, clouds):
    made, _ = clouds()
    shifted = Clouds(made.points + 5, made.weights)
    assert torch.allclose(of(name, shifted), of(name, made), rtol=1e-6)
    # Entropy and the weights have a unit of their own.
    if "weights" not in name and name != "sinkhorn":
        twice = Clouds(made.points * 2, made.weights)
        assert torch.allclose(of(name, twice), 2 * of(name, made), rtol=1e-6)


@pytest.mark.parametrize("name", ["l2", "emd"])
def test_a_shifted_copy_is_as_far_as_the_shift(name):
    rng = np.random.default_rng(0)
    x, shift = torch.tensor(rng.normal(size=(40, 5))), torch.tensor(rng.normal(size=5) * 7)
    assert float(of(name, two(x, x + shift))) == pytest.approx(float(shift.norm()), abs=1e-12)


def test_fastft_in_batch_order_sees_a_shifted_copy_too_but_not_a_shuffled_one():
    rng = np.random.default_rng(0)
    x, shift = torch.tensor(rng.normal(size=(40, 5))), torch.tensor([1.0, 0, 0, 0, 0]).double()
    assert float(of("fastft", two(x, x + shift))) == pytest.approx(1, abs=1e-12)
    assert float(of("fastft", two(x, x.flip(0) + shift))) > 2


@pytest.mark.parametrize("seed", range(5))
def test_no_plan_is_cheaper_than_the_best_nor_than_the_way_between_the_means(seed, clouds):
    made, _ = clouds((9, 6, 12, 5), width=8, seed=seed, gap=0.5 * seed)
    l2, emd = of("l2", made), of("emd", made)
    assert (l2 <= emd + 1e-9).all()
    for name in ("fastft", "sinkhorn", "flowtree", "sinkhorn(reg=0.1)"):
        assert (emd <= of(name, made) + 1e-6).all(), name
    assert (of("flowtree", made) <= of("twd", made) + 1e-9).all()


FROZEN = ["l2", "emd", "swd", "twd", "flowtree", "fastft", "sinkhorn(reg=1000000000)"]
"""Distances whose plan a tiny step of one point leaves as it is."""


@pytest.mark.parametrize("name", FROZEN)
def test_gradients_are_those_of_finite_differences(name):
    rng = np.random.default_rng(0)
    labels = torch.tensor(rng.permutation(np.repeat(np.arange(3), (3, 4, 3))))
    features = torch.tensor(rng.normal(size=(10, 2)) * 3, requires_grad=True)
    weights = torch.tensor([1.0, 1.5, 2.0])

    def value(points):
        return (live(name, make_clouds(points, labels, 3)) * weights).sum()

    (grad,) = torch.autograd.grad(value(features), features)
    step = 1e-6
    with torch.no_grad():
        for place in ((0, 0), (3, 1), (9, 0)):
            far, near = features.clone(), features.clone()
            far[place] += step
            near[place] -= step
            slope = float(value(far) - value(near)) / (2 * step)
            assert float(grad[place]) == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["emd", "fastft", "sinkhorn"])
def test_gradients_are_flow_times_unit_vectors(name, clouds):
    """d rho / d x_i = sum_j P_ij (x_i - y_j) / |x_i - y_j|: so its length is at most 1 / n."""
    made, features = clouds((4, 6), width=3)
    (grad,) = torch.autograd.grad(live(name, made).sum(), features)
    lengths = sorted(grad.norm(dim=1).tolist())
    assert max(lengths[:6]) <= 1 / 6 + 1e-9
    assert lengths[-1] <= 1 / 4 + 1e-9
    # What pulls one class pushes the other.
    assert grad.sum(0).tolist() == pytest.approx([0, 0, 0], abs=1e-9)


def test_l2_pulls_all_samples_of_a_class_alike(clouds):
    made, features = clouds((4, 3), width=5)
    (grad,) = torch.autograd.grad(live("l2", made).sum(), features)
    means = made.means().detach()
    unit = (means[0] - means[1]) / (means[0] - means[1]).norm()
    rows = sorted(grad[:, 0].tolist())
    expected = sorted([float(unit[0]) / 4] * 4 + [-float(unit[0]) / 3] * 3)
    assert rows == pytest.approx(expected)


def test_emd_pulls_each_sample_along_its_own_way(clouds):
    made, features = clouds((4, 4), width=5, gap=0.1)
    (grad,) = torch.autograd.grad(live("emd", made).sum(), features)
    # One to one: each gradient is a unit vector over four.
    assert grad.norm(dim=1).tolist() == pytest.approx([0.25] * 8)
    assert len({round(value, 9) for value in grad[:, 0].tolist()}) > 4


def test_two_modes_with_equal_means_blind_l2_alone():
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=(2, 200, 2))
    modes = np.repeat([[3.0, 0.0], [-3.0, 0.0]], 100, 0), np.repeat([[0, 3.0], [0, -3.0]], 100, 0)
    made = two(modes[0] + noise[0], modes[1] + noise[1])
    assert float(of("l2", made)) < 0.05
    # Every mode goes to one of two that are sqrt(9 + 9) away; noise leaves the nearer choice.
    assert 4.1 < float(of("emd", made)) < 3 * math.sqrt(2)


@pytest.mark.parametrize("shift", [0.0, 20.0])
def test_fastft_expects_the_closed_form_for_isotropic_noise(shift):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 400, 512))
    y[:, 0] += shift
    expected = math.sqrt(shift**2 + 512 + 512)
    assert float(of("fastft", two(x, y))) == pytest.approx(expected, rel=0.01)


def test_emd_is_that_of_pot(clouds):
    made, _ = clouds((6, 9, 4))
    points, counts = made.points.detach().numpy(), made.counts.tolist()
    for at, (i, j) in enumerate(((0, 1), (0, 2), (1, 2))):
        costs = ot.dist(points[i, : counts[i]], points[j, : counts[j]], metric="euclidean")
        expected = ot.emd2(ot.unif(counts[i]), ot.unif(counts[j]), costs)
        assert float(of("emd", made)[at]) == pytest.approx(expected)


@pytest.mark.parametrize("reg", [0.5, 10])
def test_sinkhorn_is_that_of_pot(reg, clouds):
    made, _ = clouds((6, 9))
    x, y = made.points[0, :6].detach().numpy(), made.points[1, :9].detach().numpy()
    costs = ot.dist(x, y, metric="euclidean")
    plan = ot.sinkhorn(ot.unif(6), ot.unif(9), costs, reg, method="sinkhorn_log")
    expected = (plan * costs).sum()
    assert float(of(f"sinkhorn(reg={reg})", made)) == pytest.approx(expected, rel=1e-6)


def test_sinkhorn_lies_between_the_exact_and_the_mean_distance(clouds):
    made, _ = clouds((6, 9))
    x, y = made.points[0, :6], made.points[1, :9]
    assert float(of("sinkhorn(reg=0.01)", made)) == pytest.approx(float(of("emd", made)), rel=1e-3)
    mean = float(torch.cdist(x, y).detach().mean())
    assert float(of("sinkhorn(reg=1000000)", made)) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e8])
def test_sinkhorn_that_has_not_converged_is_not_below_the_exact_distance(unit, clouds, caplog):
    made, _ = clouds((6, 9, 4))
    scaled = Clouds(made.points * unit, made.weights)
    exact = of("emd", scaled)
    for name in ("sinkhorn(reg=0.0001,iterations=3)", "sinkhorn(iterations=1)"):
        assert (of(name, scaled) >= exact * (1 - 1e-9)).all()


def test_sinkhorn_says_once_that_it_has_not_converged(clouds, caplog):
    made, _ = clouds((6, 9))
    entropic._warn_once.cache_clear()
    with caplog.at_level("WARNING", logger="nasrank"):
        for _ in range(3):
            of("sinkhorn(reg=0.0001,iterations=2)", made)
    assert [record.getMessage()[:41] for record in caplog.records] == [
        "sinkhorn did not reach its margins in 2 s"
    ]


def test_mended_margins_are_right():
    drawn = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0)).double()
    a, b = drawn[..., 0].softmax(-1), drawn[..., 0, :].softmax(-1)
    plan = entropic._with_margins(drawn / 10, a, b)
    assert (plan >= 0).all()
    torch.testing.assert_close(plan.sum(-1), a)
    torch.testing.assert_close(plan.sum(-2), b)


def test_swd_is_that_of_pot(clouds):
    made, _ = clouds((6, 9))
    directions = np.random.default_rng(0).normal(size=(6, 20))
    directions /= np.linalg.norm(directions, axis=0)
    expected = ot.sliced_wasserstein_distance(
        made.points[0, :6].detach().numpy(), made.points[1, :9].detach().numpy(),
        projections=directions,
    )  # fmt: skip
    assert float(sliced(made, torch.tensor(directions)).detach()) == pytest.approx(expected)


@pytest.mark.parametrize("name", SPELLED)
def test_equal_clouds_give_finite_gradients(name):
    features = torch.zeros(6, 3, requires_grad=True)
    found = live(name, make_clouds(features, torch.tensor([0, 0, 0, 1, 1, 1]), 2))
    found.sum().backward()
    assert float(found.detach()) == pytest.approx(0, abs=1e-6)
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("name", SPELLED)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_finite_at_extremes(name, scale, clouds):
    made, features = clouds((4, 3))
    found = live(name, Clouds((made.points * scale).float(), made.weights))
    found.sum().backward()
    assert found.isfinite().all()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wasserstein", "unknown distance"),
        ("emd(reg=1)", "unknown option"),
        ("sinkhorn(reg=0)", "above 0"),
        ("swd(projections=0)", "above 0"),
        ("fastft(weights=other)", "one of uniform, near, far"),
        ("emd(3)", "cannot read"),
        ("l2(x=1)", "takes no options"),
    ],
)
def test_what_cannot_be_meant(text, message):
    with pytest.raises(UsageError, match=message):
        parse_distance(text)


def test_emd_says_what_to_install(monkeypatch, clouds):
    monkeypatch.setitem(__import__("sys").modules, "ot.lp", None)
    with pytest.raises(UsageError, match=r"install .*POT"):
        of("emd", clouds()[0])
