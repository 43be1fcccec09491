import numpy as np
import pytest
from later import Later

from nasrank.graphs import GraphBatch, canonicalise
from nasrank.graphs import path_statistics as module
from nasrank.graphs.path_statistics import path_statistics

nx = Later("networkx")


def walked(graphs, item):
    """Every path by networkx, an edge taken twice as two paths: [paths, operations]."""
    graph = nx.MultiDiGraph()
    mask, codes = graphs.mask[item], graphs.operations[item]
    for source, target in zip(*np.nonzero(graphs.adjacency[item]), strict=True):
        for _ in range(graphs.adjacency[item, source, target]):
            graph.add_edge(int(source), int(target))
    starts = [int(n) for n in np.flatnonzero(mask & (codes == 0)) if n in graph]
    ends = [int(n) for n in np.flatnonzero(mask & (codes == 1)) if n in graph]
    rows = []
    for start in starts:
        for path in nx.all_simple_edge_paths(graph, start, ends):
            nodes = [edge[1] for edge in path]
            rows.append(np.bincount(codes[nodes], minlength=len(graphs.vocabulary))[2:])
    return np.array(rows).reshape(-1, len(graphs.vocabulary) - 2)


def test_agrees_with_walking_every_path(make_graphs):
    graphs = canonicalise(make_graphs(60, seed=3), contract=("skip",))
    found = path_statistics(graphs)
    # conv, pool, skip; each pair; all three. Nothing in it is called skip_connect any more.
    sets = ([0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2])
    assert found.shape == (60, 1 + 3 * 7)
    for item in range(60):
        paths = walked(graphs, item)
        counts = np.stack([paths[:, chosen].sum(axis=1) for chosen in sets], axis=1)
        wanted = np.concatenate(
            [
                [np.log1p(len(paths))],
                counts.mean(axis=0),
                counts.max(axis=0),
                counts.min(axis=0),
            ]
        )
        assert found[item] == pytest.approx(wanted, abs=2e-3)


def test_the_order_of_nodes_changes_nothing(make_graphs, shuffle, rng):
    graphs = make_graphs(30, seed=5)
    assert path_statistics(canonicalise(shuffle(rng, graphs))) == pytest.approx(
        path_statistics(canonicalise(graphs)), abs=1e-5
    )


def test_a_graph_without_a_path():
    operations = np.array([[0, 1], [0, 1]], np.int16)
    adjacency = np.zeros((2, 2, 2), np.uint8)
    adjacency[1, 0, 1] = 1
    found = path_statistics(
        GraphBatch(operations, adjacency, np.ones((2, 2), bool), ("input", "output", "conv"))
    )
    assert found[0].tolist() == [0, 0, -1, -1]
    # One path with nothing on it.
    assert found[1].tolist() == pytest.approx([np.log(2), 0, 0, 0])


def test_many_graphs_are_laid_out_in_parts(make_graphs, monkeypatch):
    graphs = canonicalise(make_graphs(25, seed=1))
    whole = path_statistics(graphs)
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    np.testing.assert_array_equal(path_statistics(graphs), whole)
    assert path_statistics(graphs[:0]).shape == (0, whole.shape[1])


def test_pairs_are_left_out_of_large_vocabularies(make_graphs, monkeypatch):
    graphs = canonicalise(make_graphs(3))
    assert path_statistics(graphs).shape[1] == 1 + 3 * (3 + 3 + 1)
    monkeypatch.setattr(module, "MOST_PAIRED", 2)
    assert path_statistics(graphs).shape[1] == 1 + 3 * (3 + 1)
