import numpy as np
import pytest
import torch

from nasrank.graphs import GraphBatch
from nasrank.graphs.packed import GraphStore
from nasrank.graphs.shared_nodes import SharedNodes
from nasrank.predictors.gnn import GNN, LAYERS

INPUT, OUTPUT, CONV, POOL = range(4)


def chains(*operations):
    """Chains from input to output with these operations between."""
    nodes = max(map(len, operations)) + 2
    codes = np.zeros((len(operations), nodes), np.int16)
    adjacency = np.zeros((len(operations), nodes, nodes), np.uint8)
    mask = np.zeros((len(operations), nodes), np.bool_)
    for item, inner in enumerate(operations):
        size = len(inner) + 2
        codes[item, :size] = [INPUT, *inner, OUTPUT]
        mask[item, :size] = True
        adjacency[item, np.arange(size - 1), np.arange(1, size)] = 1
    return GraphBatch(codes, adjacency, mask, ("input", "output", "conv", "pool"))


def colours(graphs, rounds):
    packed = GraphStore(graphs).pack(np.arange(len(graphs))[None])
    return [len(each.own) for each in SharedNodes.of(packed, rounds).rounds]


def test_colours_by_hand():
    """Input, conv, output and input, conv, pool, output.

    After one round the two inputs are still alike (each is heard by a convolution), the two
    convolutions are not (one is heard by an output), nor are the outputs. After two rounds the
    inputs differ too.
    """
    graphs = chains([CONV], [CONV, POOL])
    assert colours(graphs, 2) == [6, 7]


def test_equal_graphs_are_computed_once():
    assert colours(chains(*[[CONV, POOL, CONV]] * 9), 4) == [5, 5, 5, 5]


def test_multiplicity_tells_nodes_apart():
    graphs = chains([CONV], [CONV])
    assert colours(graphs, 1) == [3]
    graphs.adjacency[1, 1, 2] = 2
    assert colours(graphs, 1) == [5]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_the_same(make_graphs, seed):
    """Graphs drawn from few, so that there is much to share.

    To a few units in the last place: how a library multiplies a row may depend on how many there
    are, which differs between processors.
    """
    few = make_graphs(12, seed=seed)
    graphs = few[np.random.default_rng(seed).integers(0, 12, 40)]
    network = GNN(graphs, dtype=torch.float64)
    weights = network.initial([torch.Generator().manual_seed(member) for member in range(3)])
    for weight in weights.values():
        weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)))
    items = np.arange(len(graphs))
    (batch,) = network.batches(np.broadcast_to(items, (1, 3, len(items))))
    scores = network.scores(weights, items)
    close = {"rtol": 1e-13, "atol": 1e-13 * float(scores.abs().max())}
    torch.testing.assert_close(scores, network.forward(weights, batch), **close)
    some = items[::-3].copy()
    torch.testing.assert_close(network.scores(weights, some), scores[:, some], **close)
    assert sum(colours(graphs, LAYERS)) < LAYERS * graphs.mask.sum() / 2


def test_numbers_that_collide_share_nothing(make_graphs, monkeypatch):
    """Were two neighbourhoods mixed to one number, each node would be computed on its own."""
    graphs = make_graphs(20)
    zeros = lambda *parts: np.zeros(len(parts[0]), np.uint64)
    monkeypatch.setattr("nasrank.graphs.shared_nodes._mixed", zeros)
    assert colours(graphs, 2) == [graphs.mask.sum()] * 2
