import numpy as np
import pytest
import torch

from nasrank.graphs.features import graph_features
from nasrank.predictors import PREDICTORS
from nasrank.predictors.mlp import MLP, WIDTH
from nasrank.seeds import torch_generator


@pytest.fixture(name="network", scope="module")
def _network(graphs):
    return MLP(graphs, dtype=torch.float64)


def test_it_is_registered():
    assert PREDICTORS["mlp"].network is MLP


def test_scores_and_gradients_are_those_of_the_definition(network, graphs, weights, score):
    features = graph_features(graphs)
    varying = features[:, np.ptp(features, axis=0) > 0]
    rows = weights(network, 2)
    items = np.array([[0, 4, 49], [7, -1, 7]])
    scores = score(network, rows, items)
    expected = []
    for member, item in np.argwhere(items >= 0):
        w = {name: weight[member] for name, weight in rows.items()}
        hidden = torch.from_numpy(varying[items[member, item]].astype(float))[None]
        hidden = (hidden @ w["first"] + w["first_shift"]).relu()
        hidden = (hidden @ w["second"] + w["second_shift"]).relu()
        expected.append((hidden @ w["score"] + w["score_shift"]).squeeze())
    real = torch.from_numpy(items >= 0)
    torch.testing.assert_close(scores[real], torch.stack(expected))
    fast = torch.autograd.grad(scores[real].square().sum(), rows.values())
    slow = torch.autograd.grad(torch.stack(expected).square().sum(), rows.values())
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other)


def test_what_never_varies_is_left_out(network, graphs):
    features = graph_features(graphs)
    # Every graph has one input and one output, and no edge comes out of an output.
    assert (np.ptp(features[:, :2], axis=0) == 0).all()
    varying = int((np.ptp(features, axis=0) > 0).sum())
    assert network.parameters[0].shape == (varying, WIDTH)


def test_numbering_and_padding_of_nodes_change_nothing(network, moved, weights, score):
    rows, items = weights(network, 2), np.tile(np.arange(50), (2, 1))
    again = MLP(moved, dtype=torch.float64)
    torch.testing.assert_close(score(again, rows, items), score(network, rows, items))


def test_every_weight_gets_a_gradient(network, score):
    weights = network.initial([torch_generator(0, stream="initialisation")])
    scores = score(
        network, {n: w.requires_grad_() for n, w in weights.items()}, np.arange(50)[None]
    )
    scores.square().sum().backward()
    for name, weight in weights.items():
        gradient = weight.grad
        assert gradient.isfinite().all()
        assert (gradient != 0).double().mean() > 0.5, name


def test_like_counts_give_like_scores(make_graphs, weights, score):
    # The same graph twice among others.
    batch = make_graphs(10)[[0, 1, 2, 1, 3]]
    network = MLP(batch, dtype=torch.float64)
    scores = score(network, weights(network, 1), np.arange(5)[None])[0]
    assert scores[1] == scores[3]
    assert scores[0] != scores[1]


def test_a_space_of_like_graphs_gives_one_score(make_graphs, weights, score):
    network = MLP(make_graphs(3)[[0, 0, 0]])
    scores = score(network, weights(network, 2), [[0, 1, 2]] * 2)
    assert (scores == scores[:, :1]).all()
    assert scores.isfinite().all()


def test_another_network_s_batch_is_refused(network, weights):
    with pytest.raises(TypeError, match="expected rows of features, not str"):
        network.forward(weights(network, 1), "batch")
