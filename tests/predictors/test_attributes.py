"""Spaces whose architectures differ in numbers of their nodes, such as widths of layers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.graphs import GraphBatch
from nasrank.graphs.features import standardised_attributes
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.gnn import GNN, LAYERS, TYPICAL_NODES, WIDTH
from nasrank.predictors.mlp import MLP
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe

NETWORKS = pytest.mark.parametrize("kind", [GNN, MLP])
WIDTHS = np.array([32, 64, 128, 256, 512])


@pytest.fixture(name="sequences", scope="module")
def _sequences():
    """Stages of mobile networks: five layers of two kinds, each with a width."""
    rng = np.random.default_rng(3)
    items, layers = 400, 5
    codes = np.zeros((items, layers + 2), np.int16)
    codes[:, 1:-1] = rng.integers(2, 4, (items, layers))
    codes[:, -1] = 1
    widths = np.full((items, layers + 2, 1), np.nan, np.float32)
    widths[:, 1:-1, 0] = rng.choice(WIDTHS, (items, layers))
    chain = np.eye(layers + 2, k=1, dtype=np.uint8)
    return GraphBatch(
        codes,
        np.broadcast_to(chain, (items, *chain.shape)).copy(),
        np.ones(codes.shape, bool),
        ("input", "output", "mb3", "mb6"),
        widths,
        ("width",),
    )


@pytest.fixture(name="worth", scope="module")
def _worth(sequences):
    """Wide layers help, late ones most, and in mb6 twice as much."""
    inner = slice(1, -1)
    width = np.log2(sequences.attributes[:, inner, 0] / 32)
    kind = np.where(sequences.operations[:, inner] == 3, 2.0, 1.0)
    return 60 + (width * kind * np.linspace(0.5, 1.5, 5)).sum(axis=1)


def plain(graphs):
    return replace(graphs, attributes=None, attribute_names=())


def trained(kind, graphs, worth, seeds=(0,), **options):
    members = [Member(np.arange(100), worth[:100], parse("listmle"), seed) for seed in seeds]
    return train_fleet(kind(graphs, **options), members)


@NETWORKS
def test_what_depends_on_widths_is_learnt(kind, sequences, worth):
    rest = np.arange(100, 400)
    with_widths = trained(kind, sequences, worth).scores(rest)[0]
    without = trained(kind, plain(sequences), worth).scores(rest)[0]
    tau = kendall_tau(with_widths, worth[rest])
    blind = kendall_tau(without, worth[rest])
    assert tau > 0.7
    assert blind < 0.4


def test_scores_are_those_of_the_definition(sequences, weights, score):
    network = GNN(sequences, dtype=torch.float64)
    rows = weights(network, 2)
    items = np.array([[0, 1, 2], [9, 9, 4]])
    found = score(network, rows, items)
    table = torch.from_numpy(standardised_attributes(sequences)).double()
    for member, place in np.ndindex(items.shape):
        item, own = items[member, place], {name: w[member] for name, w in rows.items()}
        adjacency = torch.from_numpy(sequences.adjacency[item].astype(float))
        kind = torch.from_numpy(sequences.operations[item].astype(np.int64))
        nodes = own["operation"][kind] + table[item] @ own["attribute"]
        for layer in range(LAYERS):
            unit = torch.nn.functional.layer_norm(nodes, (WIDTH,))
            self_, sources, targets = own[f"message{layer}"].split(WIDTH, dim=1)
            heard = unit @ self_ + adjacency.T @ (unit @ sources) + adjacency @ (unit @ targets)
            nodes = nodes + (heard + own[f"shift{layer}"]).relu() * (1 + own[f"gate{layer}"][kind])
        read = nodes.sum(0, keepdim=True) / TYPICAL_NODES
        hidden = (read @ own["hidden"] + own["hidden_shift"]).relu()
        expected = (hidden @ own["score"] + own["score_shift"]).squeeze()
        torch.testing.assert_close(found[member, place], expected, rtol=1e-9, atol=1e-9)
    found.sum().backward()
    assert (rows["attribute"].grad != 0).any(dim=2).all()


@NETWORKS
def test_numbering_and_padding_of_nodes_change_nothing(kind, sequences, weights, score):
    rng = np.random.default_rng(5)
    items, nodes = sequences.operations.shape
    wide = nodes + 2
    codes, mask = np.zeros((items, wide), np.int16), np.zeros((items, wide), bool)
    edges = np.zeros((items, wide, wide), np.uint8)
    widths = np.full((items, wide, 1), np.nan, np.float32)
    for item in range(items):
        place = rng.permutation(wide)[:nodes]
        codes[item, place], mask[item, place] = sequences.operations[item], True
        edges[item][np.ix_(place, place)] = sequences.adjacency[item]
        widths[item, place] = sequences.attributes[item]
    other = GraphBatch(codes, edges, mask, sequences.vocabulary, widths, ("width",))
    one, again = (kind(graphs, dtype=torch.float64) for graphs in (sequences, other))
    rows, chosen = weights(one, 2), np.tile(np.arange(50), (2, 1))
    torch.testing.assert_close(
        score(again, rows, chosen), score(one, rows, chosen), rtol=1e-5, atol=1e-5
    )


@NETWORKS
def test_a_fleet_is_its_members(kind, sequences, worth):
    network = kind(sequences, dtype=torch.float64)
    members = [
        Member(np.arange(n), worth[:n], parse(loss), seed)
        for n, loss, seed in ((20, "mse", 0), (40, "hr", 1), (30, "listmle", 2))
    ]
    recipe = Recipe(epochs=10)
    together = train_fleet(network, members, recipe).scores()
    for member, expected in zip(members, together, strict=True):
        alone = train_fleet(network, [member], recipe).scores()[0]
        np.testing.assert_allclose(alone, expected, rtol=1e-6, atol=1e-6)


def test_without_attributes_nothing_is_other(sequences):
    names = [parameter.name for parameter in GNN(sequences).parameters]
    assert "attribute" in names
    names.remove("attribute")
    assert [parameter.name for parameter in GNN(plain(sequences)).parameters] == names
