"""Paths are counted as one would walk them."""

import numpy as np
import pytest
from later import Later

from nasrank.graphs import GraphBatch, paths
from nasrank.graphs.dag import INPUT, OUTPUT
from nasrank.graphs.paths import PathCounts

nx = Later("networkx")


def walked(graphs, item):
    """Every path of one graph, edge by edge, as the operations on its way."""
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(np.flatnonzero(graphs.mask[item]).tolist())
    for source, target in np.argwhere(graphs.adjacency[item]).tolist():
        graph.add_edges_from([(source, target)] * int(graphs.adjacency[item, source, target]))
    operations = graphs.operations[item]
    live = np.flatnonzero(graphs.mask[item])
    found = {}
    for start in live[operations[live] == INPUT].tolist():
        for end in live[operations[live] == OUTPUT].tolist():
            for path in nx.all_simple_edge_paths(graph, start, end):
                kind = tuple(int(operations[target]) for _, target, _ in path[:-1])
                found[kind] = found.get(kind, 0) + 1
    return found


def test_counts_are_those_of_a_walk(make_graphs):
    graphs = make_graphs(60, seed=3)
    counter = PathCounts(graphs)
    counts = counter.of(graphs)
    for item in range(60):
        found = {k: int(c) for k, c in zip(counter.kinds, counts[item], strict=True) if c}
        assert found == walked(graphs, item)


def test_an_edge_taken_twice_makes_two_paths():
    adjacency = np.zeros((1, 3, 3), np.uint8)
    adjacency[0, 0, 2], adjacency[0, 2, 1] = 2, 3
    graph = GraphBatch(
        np.array([[0, 1, 2]], np.int16), adjacency, np.ones((1, 3), bool), ("input", "output", "c")
    )
    assert PathCounts(graph).of(graph).tolist() == [[6.0]]  # two ways in, three ways out


def test_order_of_nodes_and_padding_do_not_count(make_graphs):
    graphs = make_graphs(30, seed=3)
    place = np.random.default_rng(0).permutation(graphs.nodes + 2)
    wide = [(0, 0), (0, 2)]
    moved = GraphBatch(
        np.pad(graphs.operations, wide)[:, place],
        np.pad(graphs.adjacency, [*wide, (0, 2)])[:, place][:, :, place],
        np.pad(graphs.mask, wide)[:, place],
        graphs.vocabulary,
    )
    counter = PathCounts(graphs)
    np.testing.assert_array_equal(counter.of(moved), counter.of(graphs))


def test_graphs_that_come_later_are_counted_by_the_kinds_known(make_graphs):
    many = make_graphs(40, seed=5)
    counter = PathCounts(many[:20])
    np.testing.assert_array_equal(counter.of(many)[:20], counter.of(many[:20]))
    for item in range(20, 40):
        found = walked(many, item)
        expected = [found.get(kind, 0) for kind in counter.kinds]
        assert counter.of(many[[item]])[0].tolist() == expected


def test_long_paths_are_counted_by_their_beginning(monkeypatch):
    monkeypatch.setattr(paths, "MOST_OPERATIONS", 2)
    chain = GraphBatch(
        np.array([[0, 2, 3, 2, 3, 1]], np.int16),
        np.eye(6, k=1, dtype=np.uint8)[None],
        np.ones((1, 6), bool),
        ("input", "output", "a", "b"),
    )
    counter = PathCounts(chain)
    assert (counter.kinds, counter.of(chain).tolist()) == ([(2, 3)], [[1.0]])


def test_only_the_commonest_beginnings_are_followed(monkeypatch, make_graphs):
    graphs = make_graphs(60, seed=3)
    everything = PathCounts(graphs)
    monkeypatch.setattr(paths, "MOST_KINDS", 2)
    few = PathCounts(graphs)
    assert 0 < len(few.kinds) < len(everything.kinds)
    for place, kind in enumerate(few.kinds):
        same = everything.of(graphs)[:, everything.kinds.index(kind)]
        np.testing.assert_array_equal(few.of(graphs)[:, place], same)


def test_an_output_that_is_never_reached_has_no_path():
    graph = GraphBatch(
        np.array([[0, 1]], np.int16),
        np.zeros((1, 2, 2), np.uint8),
        np.ones((1, 2), bool),
        ("input", "output"),
    )
    assert PathCounts(graph).of(graph).shape == (1, 0)


@pytest.mark.parametrize("count", [0, 1])
def test_few_graphs(make_graphs, count):
    graphs = make_graphs(3, seed=1)
    assert len(PathCounts(graphs).of(graphs[:count])) == count
