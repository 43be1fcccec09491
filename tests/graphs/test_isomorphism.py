"""Which architectures are the same, judged by hand, by counting and by networkx."""

import itertools

import numpy as np
import pytest
from later import Later

from nasrank.graphs import GraphBatch, canonicalise, isomorphism_classes

networkx = Later("networkx")


def as_networkx(batch, item):
    graph = networkx.DiGraph()
    for node in np.flatnonzero(batch.mask[item]):
        graph.add_node(int(node), operation=int(batch.operations[item, node]))
    for source, target in np.argwhere(batch.adjacency[item]):
        many = int(batch.adjacency[item, source, target])
        graph.add_edge(int(source), int(target), many=many)
    return graph


def same(one, other):
    return networkx.is_isomorphic(
        one,
        other,
        node_match=networkx.algorithms.isomorphism.categorical_node_match("operation", None),
        edge_match=networkx.algorithms.isomorphism.categorical_edge_match("many", None),
    )


def oracle(batch):
    """Classes by comparing every graph with the first of each class."""
    first, classes = [], []
    for item in range(len(batch)):
        graph = as_networkx(batch, item)
        number = next((n for n, known in enumerate(first) if same(known, graph)), len(first))
        if number == len(first):
            first.append(graph)
        classes.append(number)
    return classes


def layers(write, *pairings, first="conv", second="pool"):
    """Input, two layers of one operation each, output; each pairing joins the two layers."""
    width = 1 + max(max(pair[:2]) for pairing in pairings for pair in pairing)
    operations = " ".join(["input", *[first] * width, *[second] * width, "output"])
    into = [(0, 1 + a) for a in range(width)]
    out = [(1 + width + b, 1 + 2 * width) for b in range(width)]
    architectures = []
    for pairing in pairings:
        between = [(1 + a, 1 + width + b, *many) for a, b, *many in pairing]
        architectures.append((operations, into + between + out))
    return write(*architectures)


def rings(*lengths):
    """A 2-regular pairing: ring after ring, each through as many convolutions as poolings.

    A ring of one is a double edge.
    """
    pairs, start = [], 0
    for length in lengths:
        if length == 1:
            pairs.append((start, start, 2))
        else:
            for k in range(length):
                pairs += [(start + k, start + k), (start + k, start + (k + 1) % length)]
        start += length
    return pairs


def partitions(total, most=None):
    """All ways to write a number as a sum, largest part first."""
    if total == 0:
        yield ()
    for part in range(min(total, most or total), 0, -1):
        for rest in partitions(total - part, part):
            yield (part, *rest)


def test_numbers_follow_first_occurrence(write):
    wire = ("input output", [(0, 1)])
    conv = ("input conv output", [(0, 1), (1, 2)])
    pool = ("input pool output", [(0, 1), (1, 2)])
    assert isomorphism_classes(write(pool, wire, pool, conv, wire)).tolist() == [0, 1, 0, 2, 1]


@pytest.mark.parametrize("nodes", [0, 4])
def test_no_architectures(nodes):
    empty = GraphBatch(
        np.zeros((0, nodes), np.int16),
        np.zeros((0, nodes, nodes), np.uint8),
        np.zeros((0, nodes), bool),
        ("input", "output"),
    )
    assert isomorphism_classes(empty).tolist() == []


def test_one_architecture(write):
    assert isomorphism_classes(write(("input output", []))).tolist() == [0]


DIFFERENT = {
    "an operation shared and one copied": (
        ("input conv pool pool output", [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]),
        ("input conv conv pool pool output", [(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]),
    ),
    "one edge and two": (
        ("input conv output", [(0, 1), (1, 2)]),
        ("input conv output", [(0, 1, 2), (1, 2)]),
    ),
    "two edges in and two edges out": (
        ("input conv output", [(0, 1, 2), (1, 2)]),
        ("input conv output", [(0, 1), (1, 2, 2)]),
    ),
    "one operation and the other": (
        ("input conv output", [(0, 1), (1, 2)]),
        ("input pool output", [(0, 1), (1, 2)]),
    ),
    "the order in a chain": (
        ("input conv pool output", [(0, 1), (1, 2), (2, 3)]),
        ("input pool conv output", [(0, 1), (1, 2), (2, 3)]),
    ),
    "edges crossed and straight": (
        ("input conv conv pool output", [(0, 1), (0, 2), (1, 3), (2, 4), (3, 4)]),
        ("input conv conv pool output", [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]),
    ),
    "an idle node more": (
        ("input output", [(0, 1)]),
        ("input conv output", [(0, 2)]),
    ),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_different(write, pair):
    assert isomorphism_classes(write(*pair)).tolist() == [0, 1]


def test_parallel_branches_in_any_order(write):
    edges = [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)]
    batch = write(
        ("input conv conv pool output", edges),
        ("input pool conv conv output", edges),
        ("input conv pool conv output", edges),
        ("input pool conv pool output", edges),
        ("input conv conv conv output", edges),
    )
    assert isomorphism_classes(batch).tolist() == [0, 0, 0, 1, 2]


def test_two_rings_of_six_are_not_one_of_twelve(write):
    # Every node sees the same, however often colours are refined: only the search can tell.
    batch = layers(write, rings(6), rings(3, 3), rings(6), rings(3, 3))
    assert isomorphism_classes(batch).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("operations", [("conv", "pool"), ("pool", "conv"), ("conv", "conv")])
@pytest.mark.parametrize(("width", "count"), [(3, 3), (4, 5), (5, 7), (6, 11)])
def test_two_regular_layers_are_counted_by_partitions(
    write, shuffle, rng, operations, width, count
):
    # A 2-regular pairing is a set of rings, so its class is how the width splits into lengths.
    first, second = operations
    pairings = [rings(*parts) for parts in partitions(width)]
    batch = layers(write, *pairings, first=first, second=second)
    assert len(batch) == count
    assert isomorphism_classes(batch).tolist() == list(range(count))
    repeated = shuffle(rng, batch[np.tile(np.arange(count), 4)], extra=1)
    assert isomorphism_classes(repeated).tolist() == list(range(count)) * 4


@pytest.mark.parametrize("width", [5, 6, 7])
def test_three_regular_layers_as_networkx(write, shuffle, rng, width):
    # Circulants have no node that differs from another, and with width 7 one is the Fano plane.
    steps = list(itertools.combinations(range(width), 3))
    pairings = [[(a, (a + s) % width) for a in range(width) for s in chosen] for chosen in steps]
    batch = shuffle(rng, layers(write, *pairings))
    classes = isomorphism_classes(batch).tolist()
    assert classes == oracle(batch)
    if width > 5:
        assert max(classes) > 0


def test_parallel_chains(write, shuffle, rng):
    # Four alike chains of two, and the same with two poolings exchanged: chains, not twins, tie.
    ops = "input conv conv conv conv pool pool pool pool output"
    into = [(0, a) for a in range(1, 5)]
    out = [(b, 9) for b in range(5, 9)]
    straight = [(a, a + 4) for a in range(1, 5)]
    joined = [(1, 5), (2, 5), (3, 7), (4, 8)]
    batch = write((ops, into + straight + out), (ops, into + joined + out))
    many = shuffle(rng, batch[rng.permutation(np.repeat([0, 1], 10))])
    assert isomorphism_classes(many).tolist() == oracle(many)


@pytest.mark.parametrize(
    ("operations", "nodes", "most", "density"),
    [
        (("conv",), 5, 1, 0.5),
        (("conv",), 5, 2, 0.7),
        (("conv",), 7, 1, 0.15),
        (("conv", "pool"), 4, 1, 0.5),
        (("conv", "pool"), 6, 2, 0.9),
    ],
)
def test_random_graphs_as_networkx(draw, shuffle, rng, operations, nodes, most, density):
    batch = draw(rng, 150, nodes, operations, most=most, density=density)
    # Half of them again, so that even the rarest class has a chance to be met twice.
    batch = shuffle(rng, batch[rng.permutation(np.r_[np.arange(150), np.arange(75)])], extra=1)
    classes = isomorphism_classes(batch).tolist()
    assert classes == oracle(batch)
    assert 5 < max(classes) < 220


def test_random_graphs_full_of_ties_as_networkx(draw, rng, shuffle):
    # Middle layers that all hear the input and reach the output, so that ties abound.
    batch = draw(rng, 120, 8, ("conv",), density=0.4)
    batch.adjacency[:, 0, 1:] = batch.mask[:, 1:]
    batch = shuffle(rng, batch)
    assert isomorphism_classes(batch).tolist() == oracle(batch)


def test_relabelled_graphs_keep_their_class(draw, shuffle, join, rng):
    batch = draw(rng, 200, 9, ("conv",), most=2, density=0.4)
    copies = [shuffle(rng, batch, extra=extra) for extra in (0, 1, 5)]
    classes = isomorphism_classes(join(batch, *copies)).reshape(4, 200)
    assert (classes == classes[0]).all()


def test_classes_do_not_depend_on_company(draw, rng):
    batch = draw(rng, 200, 6, ("conv", "pool"), most=2)
    whole = isomorphism_classes(batch)
    part = np.sort(rng.permutation(200)[:60])
    alone = isomorphism_classes(batch[part])
    # The same pairs are equal, and numbers start again from 0.
    equal = whole[part][:, None] == whole[part][None, :]
    assert np.array_equal(alone[:, None] == alone[None, :], equal)
    _, first = np.unique(alone, return_index=True)
    assert np.array_equal(alone[np.sort(first)], np.arange(len(first)))


def test_nb201_cells_that_differ(nb201):
    canonical = isomorphism_classes(canonicalise(nb201))
    kept = isomorphism_classes(canonicalise(nb201, contract=()))
    assert canonical.max() + 1 == 5_425
    assert kept.max() + 1 == 8_765
    # Contracting skips only ever merges classes.
    pairs = np.unique(np.stack([kept, canonical], axis=1), axis=0)
    assert len(pairs) == 8_765


def test_a_sample_of_nb201_cells_as_networkx(nb201, shuffle, rng):
    # Neighbours in the list differ in the last edges alone, so a run of them has many equals.
    sample = np.r_[rng.permutation(len(nb201))[:100], np.arange(7_000, 7_150)]
    for contract in (("skip_connect",), ()):
        cells = shuffle(rng, canonicalise(nb201[sample], contract=contract))
        classes = isomorphism_classes(cells).tolist()
        assert classes == oracle(cells)
        assert max(classes) < 240
