"""The view for PyG models, and that their sparse layers agree with the packed path."""

import doctest
import importlib

import numpy as np
import pytest
import torch
from later import Later

from nasrank.errors import DataError
from nasrank.graphs.packed import RELATIONS, GraphStore

# It takes seconds to import, and nothing but this module needs it.
elements = Later("torch_geometric.data")
loader = Later("torch_geometric.loader")
nn = Later("torch_geometric.nn")
pyg = Later("nasrank.graphs.pyg")


@pytest.fixture
def graphs(draw, shuffle, rng):
    return shuffle(rng, draw(rng, 12, 7, ("conv", "pool"), most=3), extra=2)


@pytest.fixture
def dataset(graphs):
    return pyg.ArchitectureDataset(
        graphs,
        np.linspace(60, 94, 12),
        class_of=np.arange(12) // 2,
        names=[f"cell {item}" for item in range(12)],
    )


def test_the_examples_hold():
    assert doctest.testmod(importlib.import_module("nasrank.graphs.pyg"), raise_on_error=True)


def test_one_architecture_by_hand(write):
    edges = [(0, 1), (0, 2, 2), (1, 3), (2, 3)]
    data = pyg.to_data(write(("input conv pool output", edges), nodes=6), 0, label=91.25)
    assert data.x.tolist() == [0, 4, 5, 1]
    assert data.edge_index.tolist() == [[0, 0, 1, 2], [1, 2, 3, 3]]
    assert data.edge_weight.tolist() == [1.0, 2.0, 1.0, 1.0]
    assert data.y.tolist() == [91.25]
    assert (data.x.dtype, data.edge_index.dtype) == (torch.int64, torch.int64)
    assert (data.edge_weight.dtype, data.y.dtype) == (torch.float32, torch.float32)
    assert data.validate()
    assert data.num_nodes == 4


def test_no_label_and_no_edges(write):
    data = pyg.to_data(write(("input output", [])), 0)
    assert data.y is None
    assert data.edge_index.shape == (2, 0)
    assert data.edge_weight.shape == (0,)


def test_an_item_that_is_not_there(write):
    with pytest.raises(IndexError):
        pyg.to_data(write(("input output", [])), 1)


def test_edges_of_padding_are_left_out(write):
    batch = write(("input output", [(0, 1)]), nodes=3)
    batch.adjacency[0, 1, 2] = 1
    assert pyg.to_data(batch, 0).edge_index.tolist() == [[0], [1]]


def test_elements_are_what_to_data_returns(graphs, dataset):
    assert len(dataset) == 12
    assert dataset.vocabulary == graphs.vocabulary
    for item, element in enumerate(dataset):
        expected = pyg.to_data(graphs, item, label=60 + item * 34 / 11)
        assert element.validate()
        for key in ("x", "edge_index", "edge_weight", "y"):
            assert torch.equal(element[key], expected[key])
        assert element.item.tolist() == [item]
        assert element.class_of.tolist() == [item // 2]
        assert element.name == f"cell {item}"


def test_what_is_not_given_is_absent(graphs):
    assert sorted(pyg.ArchitectureDataset(graphs)[0].keys()) == [
        "edge_index",
        "edge_weight",
        "item",
        "x",
    ]


@pytest.mark.parametrize("items", [0, 1])
def test_few_architectures(graphs, items):
    few = graphs[:items]
    names = ["alone"][:items]
    dataset = pyg.ArchitectureDataset(few, [93.0][:items], class_of=[4][:items], names=names)
    assert len(dataset) == items
    for element in dataset:
        assert torch.equal(element.x, pyg.to_data(graphs, 0).x)
        assert (element.name, element.y.item(), element.class_of.item()) == ("alone", 93, 4)
    assert len(list(loader.DataLoader(dataset, batch_size=4))) == items


def test_choosing_and_shuffling_keep_what_belongs_together(dataset):
    chosen = dataset[np.array([7, 2, 7])]
    assert [element.item.item() for element in chosen] == [7, 2, 7]
    assert [element.name for element in dataset[dataset.class_of == 3]] == ["cell 6", "cell 7"]
    assert torch.equal(dataset[4:].y, dataset.y[4:])
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    assert [element.item.item() for element in dataset[order]] == order.tolist()


def test_transform_is_applied_on_access(graphs):
    def count_edges(data):
        data.edges = torch.tensor([float(data.edge_weight.sum())])
        return data

    dataset = pyg.ArchitectureDataset(graphs, transform=count_edges)
    expected = graphs.adjacency.sum(axis=(1, 2), dtype=np.int64)
    assert [element.edges.item() for element in dataset] == expected.tolist()
    batch = next(iter(loader.DataLoader(dataset, batch_size=12)))
    assert batch.edges.tolist() == expected.tolist()


def test_a_missing_label_stays_missing(graphs):
    labels = np.full(12, 90.0)
    labels[3] = np.nan
    assert pyg.ArchitectureDataset(graphs, labels).y.isnan().nonzero().tolist() == [[3]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("labels", np.zeros(11)),
        ("labels", np.zeros((12, 1))),
        ("class_of", [0] * 13),
        ("names", ["cell"]),
    ],
)
def test_columns_of_another_length_are_refused(graphs, name, value):
    with pytest.raises(DataError, match=f"'{name}' has shape .* for 12 architectures"):
        pyg.ArchitectureDataset(graphs, **{name: value})


def test_batches_are_the_packed_rows(graphs, dataset):
    items = np.array([5, 0, 5, 11, 3])
    batch = elements.Batch.from_data_list([dataset[int(item)] for item in items])
    pack = GraphStore(graphs).pack(items[None])
    assert torch.equal(batch.batch, pack.graph)
    assert torch.equal(batch.x, pack.operations[0].argmax(dim=1))


def test_loader_passes_over_every_architecture_once(dataset):
    generator = torch.Generator().manual_seed(0)
    batches = list(loader.DataLoader(dataset, batch_size=5, shuffle=True, generator=generator))
    assert [batch.num_graphs for batch in batches] == [5, 5, 2]
    items = torch.cat([batch.item for batch in batches])
    assert sorted(items.tolist()) == list(range(12))
    assert items.tolist() != list(range(12))
    assert torch.equal(torch.cat([batch.y for batch in batches]), dataset.y[items])
    assert [name for batch in batches for name in batch.name] == [f"cell {i}" for i in items]


class _BothWays(torch.nn.Module):
    """A layer of the packed path, written with two PyG layers and edges in double precision."""

    def __init__(self, width):
        super().__init__()
        self.along = nn.GraphConv(width, width, aggr="add", bias=False).double()
        self.against = nn.GraphConv(width, width, aggr="add", bias=False).double()
        torch.nn.init.zeros_(self.against.lin_root.weight)

    def forward(self, states, edge_index, edge_weight):
        weight = edge_weight.double()
        return self.along(states, edge_index, weight) + self.against(
            states, edge_index.flip(0), weight
        )

    def relations(self):
        """The same weights in the order itself, sources, targets."""
        layers = (self.along.lin_root, self.along.lin_rel, self.against.lin_rel)
        return [layer.weight for layer in layers]


def test_two_graph_convolutions_are_the_packed_path(graphs, dataset):
    torch.manual_seed(0)
    items = np.array([5, 0, 5, 11, 3, 8])
    batch = elements.Batch.from_data_list([dataset[int(item)] for item in items])
    pack = GraphStore(graphs, dtype=torch.float64).pack(items[None])
    embedding = torch.nn.Embedding(len(dataset.vocabulary), 6).double()
    layers = [_BothWays(6) for _ in range(3)]

    sparse = embedding(batch.x)
    packed = pack.operations[0] @ embedding.weight
    for layer in layers:
        sparse = layer(sparse, batch.edge_index, batch.edge_weight).tanh()
        relations = (packed @ torch.cat(layer.relations()).T).reshape(-1, 6)
        assert len(relations) == RELATIONS * len(packed)
        packed = pack.hear.sum(relations).tanh()
    torch.testing.assert_close(packed, sparse, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        pack.read.sum(packed), nn.global_add_pool(sparse, batch.batch), rtol=1e-6, atol=1e-6
    )

    weights = [weight for layer in layers for weight in layer.relations()]
    goal = torch.linspace(-1, 1, len(items)).double()[:, None]
    of_packed = torch.autograd.grad((pack.read.sum(packed) * goal).sum(), weights)
    of_sparse = torch.autograd.grad(
        (nn.global_add_pool(sparse, batch.batch) * goal).sum(), weights
    )
    torch.testing.assert_close(of_packed, of_sparse, rtol=1e-6, atol=1e-6)


def test_a_plain_sum_over_sources_is_a_product_with_the_edge_counts(graphs, rng):
    class Sum(nn.MessagePassing):
        """Add up what the sources say, as often as the edge counts."""

        def __init__(self):
            super().__init__(aggr="add")

        def forward(self, states, edge_index, edge_weight):
            return self.propagate(edge_index, x=states, edge_weight=edge_weight)

        def message(self, x_j, edge_weight):
            return x_j * edge_weight[:, None]

    for item in range(len(graphs)):
        data = pyg.to_data(graphs, item)
        here = graphs.mask[item]
        counts = torch.from_numpy(graphs.adjacency[item][np.ix_(here, here)]).float()
        states = torch.from_numpy(rng.normal(size=(data.num_nodes, 3))).float()
        heard = Sum()(states, data.edge_index, data.edge_weight)
        torch.testing.assert_close(heard, counts.T @ states, rtol=1e-6, atol=1e-5)


def test_a_model_from_outside_learns(graphs, dataset):
    torch.manual_seed(0)

    class Predictor(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(len(dataset.vocabulary), 8)
            self.layer = nn.GraphConv(8, 8)
            self.head = torch.nn.Linear(8, 1)

        def forward(self, data):
            states = self.layer(self.embedding(data.x), data.edge_index, data.edge_weight)
            return self.head(nn.global_add_pool(states.relu(), data.batch)).squeeze(1)

    model = Predictor()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        for batch in loader.DataLoader(dataset, batch_size=12):
            loss = (model(batch) - (batch.y - 77) / 10).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_a_space_of_cells_is_built_whole(nb201):
    dataset = pyg.ArchitectureDataset(nb201, np.zeros(len(nb201)))
    assert len(dataset) == 15_625
    # Two edges meet at each of the two inner sums in two ways: 1 * 2 and 2 * 1 pairs; three
    # edges leave the input and three reach the output.
    assert {element.num_edges for element in dataset[:100]} == {2 + 2 + 3 + 3}
    assert torch.equal(dataset[77].x, pyg.to_data(nb201, 77).x)
