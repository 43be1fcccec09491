"""Graphs that tell themselves apart, moved copies of them, and weights of any network."""

import numpy as np
import pytest
import torch

from nasrank.graphs import GraphBatch
from nasrank.graphs.features import graph_features
from nasrank.seeds import torch_generator


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Results must not depend on how many cores a machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def graphs(make_graphs):
    """Fifty graphs, no two of which have the same counts."""
    many = make_graphs(200, seed=1)
    _, first = np.unique(graph_features(many), axis=0, return_index=True)
    return many[np.sort(first)[:50]]


@pytest.fixture(scope="session")
def moved(graphs):
    """The same graphs with nodes, and three nodes more of padding, at random positions."""
    rng = np.random.default_rng(2)
    items, nodes = graphs.operations.shape
    operations = np.zeros((items, nodes + 3), np.int16)
    adjacency = np.zeros((items, nodes + 3, nodes + 3), np.uint8)
    mask = np.zeros((items, nodes + 3), bool)
    for item in range(items):
        place = rng.permutation(nodes + 3)[:nodes]
        operations[item, place] = graphs.operations[item]
        mask[item, place] = graphs.mask[item]
        adjacency[item][np.ix_(place, place)] = graphs.adjacency[item]
    return GraphBatch(operations, adjacency, mask, graphs.vocabulary)


@pytest.fixture(scope="session")
def weights():
    """Weights of some members, none of them zero."""

    def draw(network, members, seed=0):
        generators = [torch_generator(seed + m, stream="test") for m in range(members)]
        noise = torch_generator(seed, stream="noise")
        return {
            name: (w + 0.05 * torch.randn(w.shape, generator=noise).to(w)).requires_grad_()
            for name, w in network.initial(generators).items()
        }

    return draw


@pytest.fixture(scope="session")
def score():
    """Scores of ``[members, items]`` graphs in one step."""

    def run(network, weights, items):
        (batch,) = network.batches(np.asarray(items)[None])
        return network.forward(weights, batch)

    return run
