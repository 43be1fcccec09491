import numpy as np
import pytest
import torch

from nasrank.graphs import GraphBatch
from nasrank.predictors import PREDICTORS
from nasrank.predictors.gnn import GNN, LAYERS, TYPICAL_NODES, WIDTH
from nasrank.seeds import torch_generator


def slowly(network, weights, item):
    """One graph's score by the definition: dense matrices, one graph, one member."""
    graphs = network.graphs
    live = np.flatnonzero(graphs.mask[item])
    adjacency = torch.from_numpy(graphs.adjacency[item][np.ix_(live, live)].astype(float))
    kind = torch.from_numpy(graphs.operations[item, live].astype(np.int64))
    nodes = weights["operation"][kind]
    for layer in range(LAYERS):
        centred = nodes - nodes.mean(1, keepdim=True)
        unit = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
        own, sources, targets = weights[f"message{layer}"].split(WIDTH, dim=1)
        heard = unit @ own + adjacency.T @ (unit @ sources) + adjacency @ (unit @ targets)
        gate = weights[f"gate{layer}"][kind]
        nodes = nodes + (heard + weights[f"shift{layer}"]).relu() * (1 + gate)
    read = nodes.sum(0, keepdim=True) / TYPICAL_NODES
    hidden = (read @ weights["hidden"] + weights["hidden_shift"]).relu()
    return (hidden @ weights["score"] + weights["score_shift"]).squeeze()


@pytest.fixture(name="network", scope="module")
def _network(graphs):
    return GNN(graphs, dtype=torch.float64)


def test_it_is_registered():
    assert PREDICTORS["gnn"].network is GNN


def test_scores_and_gradients_are_those_of_the_definition(network, weights, score):
    together = weights(network, 3)
    items = np.array([[0, 1, 2, 3, 4, 5], [5, 7, 9, -1, -1, -1], [8, 8, 0, 20, 31, -1]])
    scores = score(network, together, items)
    assert scores.shape == (3, 6)
    factor = torch.randn(3, 6, generator=torch_generator(0)).double()
    real = torch.from_numpy(items >= 0)
    fast = torch.autograd.grad((scores * factor)[real].sum(), together.values())

    expected = torch.stack(
        [
            slowly(network, {name: w[m] for name, w in together.items()}, items[m, i])
            for m, i in np.argwhere(items >= 0)
        ]
    )
    torch.testing.assert_close(scores[real], expected, rtol=1e-9, atol=1e-9)
    slow = torch.autograd.grad((expected * factor[real]).sum(), together.values())
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-9)


def test_every_weight_gets_a_gradient(network, score):
    weights = network.initial([torch_generator(0, stream="initialisation")])
    scores = score(
        network, {n: w.requires_grad_() for n, w in weights.items()}, np.arange(50)[None]
    )
    scores.square().sum().backward()
    for name, weight in weights.items():
        gradient = weight.grad
        assert gradient.isfinite().all()
        # A rectified unit may be silent, a whole matrix may not.
        assert (gradient != 0).double().mean() > 0.5, name


def test_numbering_and_padding_of_nodes_change_nothing(network, moved, weights, score):
    rows, items = weights(network, 2), np.tile(np.arange(50), (2, 1))
    again = GNN(moved, dtype=torch.float64)
    torch.testing.assert_close(
        score(again, rows, items), score(network, rows, items), rtol=1e-10, atol=1e-10
    )


def test_a_score_depends_neither_on_the_list_nor_on_the_other_members(network, weights, score):
    rows, everything = weights(network, 3), np.tile(np.arange(50), (3, 1))
    together = score(network, rows, everything)
    order = np.random.default_rng(0).permutation(50)
    torch.testing.assert_close(score(network, rows, everything[:, order]), together[:, order])
    for member, item in ((0, 0), (1, 17), (2, 49)):
        own = {name: w[[member]] for name, w in rows.items()}
        alone = score(network, own, [[item]])
        torch.testing.assert_close(alone[0, 0], together[member, item])
    padded = np.full((3, 60), -1)
    padded[:, :50] = everything
    torch.testing.assert_close(score(network, rows, padded)[:, :50], together)


def test_padding_is_finite_and_has_no_gradient(network, weights, score):
    rows = weights(network, 2)
    scores = score(network, rows, np.array([[3, -1, 4], [-1, -1, -1]]))
    assert scores.isfinite().all()
    scores[0, [0, 2]].sum().backward()
    assert all(w.grad[0].any() for w in rows.values())
    assert not any(w.grad[1].any() for w in rows.values())


def test_wiring_direction_multiplicity_and_operations_matter(weights, score):
    def chain(first, second, shortcut=0):
        adjacency = np.zeros((4, 4), np.uint8)
        adjacency[0, 1] = adjacency[1, 2] = adjacency[2, 3] = 1
        adjacency[0, 2] = shortcut
        return [0, first, second, 1], adjacency

    cells = [chain(2, 3), chain(3, 2), chain(2, 2), chain(2, 3, 1), chain(2, 3, 2)]
    operations, adjacency = (np.array(part) for part in zip(*cells, strict=True))
    batch = GraphBatch(
        operations.astype(np.int16),
        adjacency,
        np.ones(operations.shape, bool),
        ("input", "output", "conv", "pool"),
    )
    network = GNN(batch, dtype=torch.float64)
    scores = score(network, weights(network, 1), np.arange(5)[None])[0].detach()
    assert np.abs(np.subtract.outer(scores, scores))[~np.eye(5, dtype=bool)].min() > 1e-5


def test_first_weights_have_the_spread_they_are_said_to_have(network):
    weights = network.initial([torch_generator(s, stream="initialisation") for s in (0, 1)])
    assert list(weights) == [parameter.name for parameter in network.parameters]
    assert network.size == sum(w[0].numel() for w in weights.values())
    for parameter in network.parameters:
        values = weights[parameter.name]
        assert values.shape == (2, *parameter.shape)
        if parameter.spread == 0:
            assert not values.any(), parameter.name
        else:
            assert values.std().item() == pytest.approx(parameter.spread, rel=0.3)


def test_first_weights_are_the_same_in_any_company_and_type(graphs, network):
    def draw(net, *seeds):
        return net.initial([torch_generator(s, stream="initialisation") for s in seeds])

    alone, among = draw(network, 5), draw(network, 3, 5, 9)
    single = draw(GNN(graphs), 5)
    for name, weight in alone.items():
        assert torch.equal(weight[0], among[name][1])
        assert torch.equal(weight.float(), single[name])
        assert single[name].dtype == torch.float32


def test_scores_of_a_new_network_are_of_the_size_of_scaled_labels(network, score):
    rows = network.initial([torch_generator(s, stream="initialisation") for s in range(20)])
    scores = score(network, rows, np.tile(np.arange(50), (20, 1)))
    assert 0.1 < scores.std() < 10


def test_the_floating_type_is_kept(graphs, weights, score):
    for dtype in (torch.float32, torch.float64):
        network = GNN(graphs, dtype=dtype)
        assert score(network, weights(network, 1), [[0, 1]]).dtype == dtype


def test_another_network_s_batch_is_refused(network, weights):
    with pytest.raises(TypeError, match="expected PackedGraphs, not str"):
        network.forward(weights(network, 1), "batch")
