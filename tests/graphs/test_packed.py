"""Sparse bags of many graphs against dense matrices."""

import numpy as np
import pytest
import torch

from nasrank.graphs import GraphBatch
from nasrank.graphs.packed import RELATIONS, Bags, GraphStore

ITEMS = np.array([[3, 0, -1, 7, 3], [5, -1, -1, 1, 2], [-1, -1, -1, -1, -1]])
"""Lists of different total size, with repeats, with padding in the middle, and one empty."""


@pytest.fixture
def graphs(draw, shuffle, rng):
    return shuffle(rng, draw(rng, 9, 7, ("conv", "pool"), most=3), extra=2)


@pytest.fixture
def store(graphs):
    return GraphStore(graphs, dtype=torch.float64)


def compact(graphs, item):
    """Operations and edge counts of one graph without its padding."""
    here = graphs.mask[item]
    return graphs.operations[item, here], graphs.adjacency[item][np.ix_(here, here)]


def dense(graphs, items, rows):
    """The edge counts A[u, v] between all rows of all members, and who is real."""
    edges = np.zeros((len(items) * rows, len(items) * rows))
    real = np.zeros(len(items) * rows, bool)
    for member, chosen in enumerate(items):
        row = member * rows
        for item in chosen[chosen >= 0]:
            _, adjacency = compact(graphs, item)
            there = slice(row, row + len(adjacency))
            edges[there, there] = adjacency
            real[there] = True
            row += len(adjacency)
    return edges, real


def heard_rows(edges, real):
    """``hear`` as a matrix: row v takes (v, 0), and A[u, v] (u, 1), and A[v, w] (w, 2)."""
    relations = np.stack([np.diag(real.astype(float)), edges.T, edges], axis=2)
    return torch.from_numpy(relations.reshape(len(edges), -1))


def table(rng, rows, width=4):
    return torch.from_numpy(rng.normal(size=(rows, width)))


def test_bags_by_hand():
    # Row 0 is 2 t[1] + 3 t[0] = 20 + 3, row 1 is empty, row 2 is -t[2].
    bags = Bags(torch.tensor([1, 0, 2]), torch.tensor([0, 2, 2]), torch.tensor([2.0, 3.0, -1.0]))
    values = torch.tensor([[1.0], [10.0], [100.0]])
    assert bags.sum(values).tolist() == [[23.0], [0.0], [-100.0]]
    plain = Bags(bags.index, bags.start, None)
    assert plain.sum(values).tolist() == [[11.0], [0.0], [100.0]]


def test_shapes_and_operations(graphs, store):
    pack = store.pack(ITEMS)
    sizes = graphs.sizes()
    totals = [int(sizes[chosen[chosen >= 0]].sum()) for chosen in ITEMS]
    assert len(set(totals)) == 3
    assert (pack.members, pack.rows, pack.items) == (3, max(totals), 5)
    assert pack.operations.shape == (3, pack.rows, len(graphs.vocabulary))
    for member, chosen in enumerate(ITEMS):
        codes = [code for item in chosen[chosen >= 0] for code in compact(graphs, item)[0]]
        assert pack.operations[member, : len(codes)].argmax(dim=1).tolist() == codes
        assert pack.operations[member].sum(dim=1).tolist() == [1] * len(codes) + [0] * (
            pack.rows - len(codes)
        )


def test_graph_names_the_slot_of_each_row(graphs, store):
    pack = store.pack(ITEMS)
    sizes = graphs.sizes()
    expected = []
    for member, chosen in enumerate(ITEMS):
        slots = [member * 5 + slot for slot, item in enumerate(chosen) for _ in range(sizes[item])]
        slots = [slot for slot in slots if chosen[slot - member * 5] >= 0]
        expected += slots + [15] * (pack.rows - len(slots))
    assert pack.graph.tolist() == expected


def test_hear_is_the_dense_product(graphs, store, rng):
    pack = store.pack(ITEMS)
    matrix = heard_rows(*dense(graphs, ITEMS, pack.rows))
    assert matrix.max() > 1
    values = table(rng, matrix.shape[1])
    torch.testing.assert_close(pack.hear.sum(values), matrix @ values, rtol=1e-12, atol=1e-12)


def test_hear_is_a_layer_of_three_matrices(graphs, store, rng):
    # h W_self + A^T h W_source + A h W_target, all three products in one table.
    pack = store.pack(ITEMS)
    edges, real = (torch.from_numpy(part) for part in dense(graphs, ITEMS, pack.rows))
    states = table(rng, len(edges)) * real[:, None]
    own, source, target = (table(rng, 4, 6) for _ in range(RELATIONS))
    one_table = (states @ torch.cat([own, source, target], dim=1)).reshape(-1, 6)
    expected = states @ own + edges.T @ states @ source + edges @ states @ target
    torch.testing.assert_close(pack.hear.sum(one_table), expected, rtol=1e-12, atol=1e-12)


def test_heard_is_the_transpose(graphs, store, rng):
    pack = store.pack(ITEMS)
    matrix = heard_rows(*dense(graphs, ITEMS, pack.rows))
    values = table(rng, matrix.shape[0])
    torch.testing.assert_close(pack.heard.sum(values), matrix.T @ values, rtol=1e-12, atol=1e-12)


def test_heard_is_the_gradient_of_hear(store, rng):
    pack = store.pack(ITEMS)
    rows = pack.members * pack.rows
    values = table(rng, rows * RELATIONS).requires_grad_()
    way_back = table(rng, rows)
    pack.hear.sum(values).backward(way_back)
    torch.testing.assert_close(values.grad, pack.heard.sum(way_back), rtol=1e-12, atol=1e-12)


def test_read_sums_the_nodes_of_each_graph(store, rng):
    pack = store.pack(ITEMS)
    values = table(rng, pack.members * pack.rows)
    sums = torch.zeros(pack.members * pack.items + 1, 4, dtype=torch.float64)
    sums.index_add_(0, pack.graph.long(), values)
    read = pack.read.sum(values)
    torch.testing.assert_close(read, sums[:-1], rtol=1e-12, atol=1e-12)
    assert not read[torch.from_numpy(ITEMS.reshape(-1) < 0)].any()


def test_padding_rows_hear_nothing_and_are_not_heard(graphs, store):
    pack = store.pack(ITEMS)
    _, real = dense(graphs, ITEMS, pack.rows)
    rows = len(real)
    ones = torch.ones(rows * RELATIONS, 1, dtype=torch.float64)
    assert not pack.hear.sum(ones)[~torch.from_numpy(real)].any()
    heard = pack.heard.sum(ones[:rows]).reshape(rows, RELATIONS)
    assert not heard[~torch.from_numpy(real)].any()
    assert heard[torch.from_numpy(real), 0].tolist() == [1.0] * int(real.sum())


def test_padding_alone(store):
    pack = store.pack(np.full((2, 3), -1))
    assert (pack.members, pack.rows, pack.items) == (2, 1, 3)
    ones = torch.ones(2 * RELATIONS, 4, dtype=torch.float64)
    assert pack.hear.sum(ones).tolist() == [[0.0] * 4] * 2
    assert pack.heard.sum(ones[:2]).tolist() == [[0.0] * 4] * 6
    assert pack.read.sum(ones[:2]).tolist() == [[0.0] * 4] * 6
    assert pack.graph.tolist() == [6, 6]


def test_a_list_of_no_items(store):
    pack = store.pack(np.zeros((2, 0), np.int64))
    assert pack.read.sum(torch.ones(2, 4, dtype=torch.float64)).shape == (0, 4)


def test_a_member_is_as_alone(store, rng):
    together = store.pack(ITEMS)
    for member, chosen in enumerate(ITEMS):
        alone = store.pack(chosen[None])
        own = table(rng, alone.rows * RELATIONS)
        # What other members hold must not matter, not even when it is not a number.
        values = torch.full((3, together.rows * RELATIONS, 4), torch.nan, dtype=torch.float64)
        values[member, : len(own)] = own
        heard = together.hear.sum(values.reshape(-1, 4)).reshape(3, together.rows, 4)
        assert torch.equal(heard[member, : alone.rows], alone.hear.sum(own))


def assert_same(one, other):
    assert (one.members, one.items, one.rows) == (other.members, other.items, other.rows)
    assert torch.equal(one.operations, other.operations)
    assert torch.equal(one.graph, other.graph)
    for name in ("hear", "heard", "read"):
        left, right = getattr(one, name), getattr(other, name)
        assert torch.equal(left.index, right.index)
        assert torch.equal(left.start, right.start)
        assert (left.weight is None) == (right.weight is None)
        if left.weight is not None:
            assert torch.equal(left.weight, right.weight)


def widened(pack, rows, width=4):
    """A table with the same random row for every real row, whatever the padding."""
    values = torch.zeros(pack.members, rows, width, dtype=torch.float64)
    seeded = np.random.default_rng(1)
    values[:, : pack.rows] = torch.from_numpy(seeded.normal(size=(pack.members, 99, width)))[
        :, : pack.rows
    ]
    return values


def test_steps_of_one_size_are_as_packed_alone(store):
    steps = np.stack([ITEMS, ITEMS[:, ::-1], ITEMS[::-1]])
    for pack, items in zip(store.pack_steps(steps), steps, strict=True):
        assert_same(pack, store.pack(items))


def test_steps_of_different_size_compute_as_packed_alone(store, rng):
    # Rows are as many as the longest step needs, so only the padding may differ.
    steps = rng.integers(-1, 9, (4, 3, 5))
    steps[1] = -1
    packs = store.pack_steps(steps)
    assert len({pack.rows for pack in packs}) == 1
    for pack, items in zip(packs, steps, strict=True):
        alone = store.pack(items)
        rows, fewer = pack.rows, alone.rows
        assert torch.equal(pack.operations[:, :fewer], alone.operations)
        assert not pack.operations[:, fewer:].any()
        own = widened(alone, fewer).reshape(-1, 4)
        wide = widened(alone, rows).reshape(-1, 4)
        relations = own.repeat_interleave(RELATIONS, dim=0)
        wide_relations = wide.repeat_interleave(RELATIONS, dim=0)
        heard = pack.hear.sum(wide_relations).reshape(3, rows, 4)[:, :fewer]
        assert torch.equal(heard.reshape(-1, 4), alone.hear.sum(relations))
        back = pack.heard.sum(wide).reshape(3, rows * RELATIONS, 4)[:, : fewer * RELATIONS]
        assert torch.equal(back.reshape(-1, 4), alone.heard.sum(own))
        assert torch.equal(pack.read.sum(wide), alone.read.sum(own))
        graph = pack.graph.reshape(3, rows)
        assert torch.equal(graph[:, :fewer].reshape(-1), alone.graph)
        assert (graph[:, fewer:] == 15).all()


def test_where_the_padding_lies_does_not_matter(graphs, rng):
    assert not graphs.mask[:, 0].all()
    mask = np.arange(graphs.nodes) < graphs.sizes()[:, None]
    operations, adjacency = np.zeros_like(graphs.operations), np.zeros_like(graphs.adjacency)
    for item, size in enumerate(graphs.sizes()):
        operations[item, :size], adjacency[item, :size, :size] = compact(graphs, item)
    front = GraphBatch(operations, adjacency, mask, graphs.vocabulary)
    items = rng.integers(0, 9, (2, 6))
    assert_same(GraphStore(graphs).pack(items), GraphStore(front).pack(items))


def test_a_store_knows_its_graphs_and_type(graphs):
    store = GraphStore(graphs)
    assert len(store) == 9
    pack = store.pack(np.array([[0]]))
    assert pack.operations.dtype == pack.hear.weight.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_packs_and_sums_alike(graphs, rng):
    here = GraphStore(graphs, dtype=torch.float64).pack(ITEMS)
    there = GraphStore(graphs, "cuda", torch.float64).pack(ITEMS)
    values = table(rng, here.members * here.rows * RELATIONS)
    few = values[: here.members * here.rows]
    for name, given in (("hear", values), ("heard", few), ("read", few)):
        computed = getattr(there, name).sum(given.cuda()).cpu()
        torch.testing.assert_close(computed, getattr(here, name).sum(given))
