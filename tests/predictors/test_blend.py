"""Pre-training, and the blend of a network, a process and trees."""

import numpy as np
import pytest
import torch
from scipy.special import ndtri

from nasrank.errors import UsageError
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors import blend, pretraining
from nasrank.predictors.gnn import GNN
from nasrank.predictors.predictor import Member
from nasrank.predictors.pretraining import pretrain
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import make_predictor

QUICK = Recipe(epochs=4)
PARTS = ("gp", "trees", "gnn")


@pytest.fixture(name="worth", scope="module")
def _worth(graphs):
    return graphs.operation_counts()[:, 2] + graphs.adjacency.sum((1, 2)) / 5


def members(worth, *sizes):
    return [
        Member(np.arange(n), worth[:n], parse("listmle"), seed) for seed, n in enumerate(sizes)
    ]


def test_pretraining_learns_the_proxies(graphs, worth, monkeypatch):
    monkeypatch.setattr(pretraining, "STEPS", 150)
    proxies = np.stack([worth * 3, -worth + 5, np.ones(50)], axis=1)
    network = GNN(graphs)
    start = pretrain(network, proxies)
    assert "score" not in start
    assert set(network.initial([torch.Generator()])) > set(start)
    (batch,) = network.batches(np.arange(50)[None, None])
    read = network.embed(start, batch)
    hidden = torch.relu(torch.baddbmm(start["hidden_shift"], read, start["hidden"]))[0].numpy()
    columns = np.c_[hidden, np.ones(50)]
    fit = columns @ np.linalg.lstsq(columns, worth, rcond=1e-6)[0]
    assert np.corrcoef(fit, worth)[0, 1] > 0.95
    again = pretrain(GNN(graphs), proxies)
    assert all(torch.equal(start[name], again[name]) for name in start)


def test_a_pretrained_network_needs_fewer_labels(graphs, monkeypatch):
    monkeypatch.setattr(pretraining, "STEPS", 300)
    # No structure tells this truth from few labels; the proxy tells it of every graph.
    truth = np.random.default_rng(0).normal(size=50)
    crowd = members(truth, 12, 12, 12)
    plain, told = (
        np.mean([kendall_tau(row[12:], truth[12:]) for row in fitted.scores()])
        for name in ("gnn", "gnn(features=proxies)")
        for fitted in [make_predictor(name, graphs, proxies=truth[:, None]).fit(crowd)]
    )
    assert told > plain + 0.15


@pytest.mark.parametrize("name", ["gnn", "gp", "blend"])
def test_proxies_that_are_asked_for_must_be_there(graphs, name):
    with pytest.raises(UsageError, match="proxies"):
        make_predictor(f"{name}(features=proxies)", graphs)


def test_the_blend_is_the_mean_of_three(graphs, worth):
    crowd = members(worth, 10, 30)
    mixed = make_predictor("blend", graphs, recipe=QUICK).fit(crowd)
    parts = [make_predictor(name, graphs, recipe=QUICK).fit(crowd).scores() for name in PARTS]
    levels = (np.arange(512) + 0.5) / 512
    for place in range(2):
        normal = np.zeros((3, 50))
        inside = np.ones(50, bool)
        for row, scores in zip(normal, (part[place] for part in parts), strict=True):
            knots = np.quantile(scores, levels)
            inside &= (scores >= knots[0]) & (scores <= knots[-1])
            shared = {knot: ndtri(levels)[knots == knot].mean() for knot in knots}
            row[:] = np.interp(scores, list(shared), list(shared.values()))
        found = mixed.scores()[place], mixed.spread()[place]
        np.testing.assert_allclose(found[0][inside], normal.mean(axis=0)[inside], atol=1e-3)
        np.testing.assert_allclose(found[1][inside], normal.std(axis=0)[inside], atol=1e-3)


def test_more_labels_weigh_for_the_network(graphs, worth, monkeypatch):
    monkeypatch.setattr(blend, "_ALIKE_BELOW", 10)
    crowd = members(worth, 10, 40)
    mixed = make_predictor("blend", graphs, recipe=QUICK).fit(crowd)
    # sqrt(10 / 40) / 3 for process and trees, the rest for the network.
    np.testing.assert_allclose(mixed._weights.T, [[1 / 3] * 3, [1 / 6, 1 / 6, 2 / 3]])


def test_scores_beyond_the_last_quantile_keep_their_order():
    knots = np.linspace(0, 1, 512)
    level = ndtri((np.arange(512) + 0.5) / 512)
    scores = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 9.0])
    mapped = blend._interpolated(scores, knots, level)
    assert (np.diff(mapped) > 0).all()
    assert mapped[3] == pytest.approx(0.0, abs=1e-9)


def test_a_part_that_scores_all_alike_says_nothing():
    level = ndtri((np.arange(512) + 0.5) / 512)
    assert blend._interpolated(np.ones(3), np.ones(512), level).tolist() == [0, 0, 0]
