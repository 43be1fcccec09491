import numpy as np
import pytest
import torch

from nasrank.companions.precision_recall.checkpoints import load_checkpoint, save_checkpoint
from nasrank.companions.precision_recall.measures import neighbour_precision_recall
from nasrank.companions.precision_recall.networks import MLP, CouplingFlow
from nasrank.companions.precision_recall.ring import Ring, histogram_pair
from nasrank.companions.precision_recall.training import Member, Recipe, fit
from nasrank.errors import DataError

RING = Ring()
POINTS = RING.draw(5_000, "train")
SCALE = float(POINTS.std())
DATA = torch.tensor(POINTS / SCALE)
NETWORKS = MLP((2, 4, 2)), MLP((2, 32, 32, 1))
FEW = Recipe(steps=6, batch=16)


@pytest.fixture(scope="module")
def trade_off():
    """The ring at both ends of lambda and by the naive dual, two seeds each."""
    settings = (("pr", 0.1), ("pr", 10.0), ("naive", 10.0))
    members = [Member(method, lam, seed) for method, lam in settings for seed in (0, 1)]
    return fit(members, *NETWORKS, DATA, Recipe(steps=600))


def reached(trained, place):
    draws = SCALE * trained.draw(place, 20_000, seed=0).numpy()
    alpha = histogram_pair(RING, draws).alpha([10.0, 0.1])
    return alpha[0], alpha[1] / 0.1, draws


@pytest.mark.slow
def test_lambda_decides_between_precision_and_recall(trade_off):
    many, good = ([reached(trade_off, place) for place in pair] for pair in ((0, 1), (2, 3)))
    for one, other in zip(many, good, strict=True):
        assert other[0] > one[0] + 0.05
        assert one[1] > other[1] + 0.2
        wide = neighbour_precision_recall(RING.draw(800, "test"), one[2][:800])
        sharp = neighbour_precision_recall(RING.draw(800, "test"), other[2][:800])
        assert sharp[0] > wide[0]
        assert sharp[1] < wide[1]
    assert not trade_off.diverged.any()
    assert (trade_off.gradient_norm[:4] > 0.01).all()


@pytest.mark.slow
def test_the_naive_dual_stalls(trade_off):
    # Its critic runs off the end of its range, and with it the gradient.
    assert (trade_off.saturation[4:] > 0.95).all()
    assert (trade_off.gradient_norm[4:] < 0.1 * trade_off.gradient_norm[2:4]).all()
    for place in (2, 3):
        assert reached(trade_off, place + 2)[0] < reached(trade_off, place)[0]


def test_a_model_in_company_is_what_it_is_alone():
    members = [Member(m, lam, s) for m, lam, s in (
        ("pr", 0.1, 3), ("hinge", 1.0, 4), ("naive", 2.0, 3), ("kl", 1.0, 5), ("pr", 5.0, 4),
    )]  # fmt: skip
    together = fit(members, *NETWORKS, DATA, FEW)
    for place, member in enumerate(members):
        alone = fit([member], *NETWORKS, DATA, FEW)
        for name, weight in alone.weights.items():
            assert torch.allclose(weight[0], together.weights[name][place], atol=1e-6), name
        assert torch.allclose(alone.draw(0, 5, 0), together.draw(place, 5, 0), atol=1e-5)


def test_a_model_that_breaks_harms_no_other():
    members = [Member("pr", 1.0, 0), Member("pr", 1.0, 1)]
    broken = {"0.weight": torch.full((2, 2, 4), 0.1)}
    broken["0.weight"][0] = torch.nan
    start = {**NETWORKS[0].initial([0, 1], "generator"), **broken}
    trained = fit(members, *NETWORKS, DATA, FEW, start=(start, {}))
    assert trained.diverged.tolist() == [True, False]
    assert trained.degenerate.tolist() == [6, 0]
    assert torch.isfinite(trained.draw(1, 10, 0)).all()


def test_a_generator_of_one_point_is_degenerate():
    start = {name: 0 * w for name, w in NETWORKS[0].initial([0], "generator").items()}
    still = Recipe(steps=3, batch=16, rate=0.0)
    trained = fit([Member("pr", 1.0, 0)], *NETWORKS, DATA, still, start=(start, {}))
    assert trained.degenerate.tolist() == [3]
    assert not trained.diverged.any()


def test_the_average_is_that_of_the_last_steps():
    recipe = Recipe(steps=1, batch=16, rate=0.01)
    # Before the average begins, the averaged weights are the weights themselves.
    first = fit([Member("pr", 1.0, 0)], *NETWORKS, DATA, recipe)
    initial = NETWORKS[0].initial([0], "generator")
    moved = [(first.weights[n] - w).abs().max().item() for n, w in initial.items()]
    # Adam's first step is as long as the rate.
    assert max(moved) == pytest.approx(0.01, rel=1e-3)


def test_noise_falls_to_nothing():
    recipe = Recipe(steps=100, noise=0.5, noise_until=0.8)
    assert [recipe.noise_at(step) for step in (0, 40, 80, 99)] == [0.5, 0.25, 0.0, 0.0]


def test_flows_learn_by_likelihood():
    pytest.importorskip("zuko")
    flow = CouplingFlow(2, 4, 8)
    steps = {}
    for count in (1, 150):
        recipe = Recipe(steps=count, rate=1e-2, noise=0.0)
        trained = fit([Member("mle", 1.0, 0)], flow, NETWORKS[1], DATA, recipe)
        steps[count] = flow.log_density(trained.weights, DATA[None, :2000]).mean().item()
    assert steps[150] > steps[1] + 0.2
    assert not trained.critic_weights


def test_checkpoints(tmp_path):
    trained = fit([Member("hinge", 1.0, 0), Member("hinge", 1.0, 1)], *NETWORKS, DATA, FEW)
    path = tmp_path / "models" / "one.npz"
    save_checkpoint(path, trained, 1, {"data": "ring"})
    weights, critics = load_checkpoint(path, NETWORKS, 3)
    for name, weight in weights.items():
        assert weight.shape[0] == 3
        assert torch.equal(weight[2], trained.weights[name][1])
    assert critics.keys() == trained.critic_weights.keys()
    other = MLP((2, 8, 2)), NETWORKS[1]
    with pytest.raises(DataError, match=r"another model \(generator's 0.weight is 2x4, not 2x8\)"):
        load_checkpoint(path, other, 1)
    deeper = MLP((2, 4, 4, 2)), NETWORKS[1]
    with pytest.raises(DataError, match="another model"):
        load_checkpoint(path, deeper, 1)
    text = tmp_path / "text.npz"
    text.write_text("no arrays")
    with pytest.raises(DataError, match="plain arrays"):
        load_checkpoint(text, NETWORKS, 1)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, **{"generator.0.weight": np.array([object()])})
    with pytest.raises(DataError, match="plain arrays"):
        load_checkpoint(pickled, NETWORKS, 1)
    known = dict(np.load(path, allow_pickle=False))
    for spoilt in (np.full((2, 4), np.nan), np.full((2, 4), "x")):
        np.savez(pickled, **{**known, "generator.0.weight": spoilt})
        with pytest.raises(DataError, match="plain arrays"):
            load_checkpoint(pickled, NETWORKS, 1)
