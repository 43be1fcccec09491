"""What is left of an architecture when nothing without effect is kept."""

import numpy as np
import pytest

from nasrank.errors import DataError
from nasrank.graphs import INPUT, OUTPUT, GraphBatch, canonicalise, isomorphism_classes
from nasrank.graphs.canonical import depths

ALL = ("none", "skip_connect", "conv", "pool")


def shown(batch, item=0):
    """Operations and edges of one architecture, as written in the test."""
    nodes = int(batch.sizes()[item])
    assert batch.mask[item, :nodes].all()
    names = " ".join(batch.vocabulary[code] for code in batch.operations[item, :nodes])
    edges = [
        (int(u), int(v), int(batch.adjacency[item, u, v]))
        for u, v in zip(*np.nonzero(batch.adjacency[item]), strict=True)
    ]
    return names, edges


CASES = {
    "an operation alone": (
        ("input conv output", [(0, 1), (1, 2)]),
        ("input conv output", [(0, 1, 1), (1, 2, 1)]),
    ),
    "a chain of skips is a wire": (
        ("input skip_connect skip_connect skip_connect output", [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ("input output", [(0, 1, 1)]),
    ),
    "two skips into one sum count twice": (
        ("input skip_connect skip_connect conv output", [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]),
        ("input conv output", [(0, 1, 2), (1, 2, 1)]),
    ),
    "a skip beside an edge counts twice": (
        ("input skip_connect output", [(0, 1), (1, 2), (0, 2)]),
        ("input output", [(0, 1, 2)]),
    ),
    # (2 + 1) sums of the input, and the wire multiplies by 2: 3 * 2 = 6
    "multiplicities multiply along skips": (
        ("input skip_connect skip_connect output", [(0, 1, 2), (0, 2), (1, 2), (2, 3, 2)]),
        ("input output", [(0, 1, 6)]),
    ),
    "a skip passes on every source": (
        ("input conv pool skip_connect output", [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]),
        ("input conv pool output", [(0, 1, 1), (0, 2, 1), (1, 3, 1), (2, 3, 1)]),
    ),
    "a dead end is removed": (
        ("input conv pool output", [(0, 1), (0, 2), (1, 3)]),
        ("input conv output", [(0, 1, 1), (1, 2, 1)]),
    ),
    "what hears nothing is removed": (
        ("input conv pool output", [(0, 1), (1, 3), (2, 3)]),
        ("input conv output", [(0, 1, 1), (1, 2, 1)]),
    ),
    "what hears only none is removed": (
        ("input none conv pool output", [(0, 1), (1, 2), (2, 4), (0, 3), (3, 4)]),
        ("input pool output", [(0, 1, 1), (1, 2, 1)]),
    ),
    "a skip that hears nothing is removed": (
        ("input conv skip_connect output", [(0, 1), (1, 3), (2, 3)]),
        ("input conv output", [(0, 1, 1), (1, 2, 1)]),
    ),
    "disconnected": (
        ("input conv none output", [(0, 1), (1, 2), (2, 3)]),
        ("input output", []),
    ),
    "disconnected, output written first": (
        ("output conv input", [(2, 1)]),
        ("input output", []),
    ),
    "two outputs stand last, the nearer one first": (
        ("input output conv output", [(0, 2), (2, 3), (0, 1)]),
        ("input conv output output", [(0, 1, 1), (0, 2, 1), (1, 3, 1)]),
    ),
    "a shared operation stays shared": (
        ("input conv pool pool output", [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]),
        (
            "input conv pool pool output",
            [(0, 1, 1), (1, 2, 1), (1, 3, 1), (2, 4, 1), (3, 4, 1)],
        ),
    ),
    "topological order, whatever the order given": (
        ("output pool conv input", [(3, 2), (2, 1), (1, 0)]),
        ("input conv pool output", [(0, 1, 1), (1, 2, 1), (2, 3, 1)]),
    ),
    "the longest way to a node counts": (
        ("input pool conv output", [(0, 1), (0, 2), (2, 1), (1, 3)]),
        ("input conv pool output", [(0, 1, 1), (0, 2, 1), (1, 2, 1), (2, 3, 1)]),
    ),
    "a cycle through none is cut": (
        ("input conv none output", [(0, 1), (1, 2), (2, 1), (1, 3)]),
        ("input conv output", [(0, 1, 1), (1, 2, 1)]),
    ),
}


@pytest.mark.parametrize(("given", "expected"), CASES.values(), ids=CASES)
def test_by_hand(write, given, expected):
    assert shown(canonicalise(write(given))) == expected


def test_cases_together_are_as_alone(write):
    together = canonicalise(write(*(given for given, _ in CASES.values())))
    for item, (_, expected) in enumerate(CASES.values()):
        assert shown(together, item) == expected
    assert together.nodes == max(together.sizes())


def test_two_inputs_stand_first_even_if_one_is_idle(write):
    batch = write(("conv input output input", [(1, 0), (0, 2)]))
    assert shown(canonicalise(batch)) == ("input input conv output", [(0, 2, 1), (2, 3, 1)])


def test_other_operations_can_be_dropped_or_contracted(write):
    batch = write(("input skip_connect conv output", [(0, 1), (0, 2), (1, 3), (2, 3)]))
    kept = canonicalise(batch, contract=())
    assert shown(kept)[0] == "input skip_connect conv output"
    assert shown(canonicalise(batch, drop=("conv",))) == ("input output", [(0, 1, 1)])
    assert shown(canonicalise(batch, contract=("skip_connect", "conv", "unheard of"))) == (
        "input output",
        [(0, 1, 2)],
    )


def test_a_cycle_is_refused_by_number(write):
    wire = ("input output", [(0, 1)])
    ring = ("input conv pool output", [(0, 1), (1, 2), (2, 1), (2, 3)])
    with pytest.raises(DataError, match="architecture 1 has a cycle"):
        canonicalise(write(wire, ring, wire, ring))


@pytest.mark.parametrize("operations", ["input conv output", "input skip_connect output"])
def test_a_loop_is_a_cycle(write, operations):
    with pytest.raises(DataError, match="architecture 0 has a cycle"):
        canonicalise(write((operations, [(0, 1), (1, 1), (1, 2)])))


def test_skips_alone_can_be_a_cycle(write):
    ring = ("input skip_connect skip_connect output", [(0, 1), (1, 2), (2, 1), (2, 3)])
    with pytest.raises(DataError, match="cycle"):
        canonicalise(write(ring))


def doubling(levels, last=1):
    """A chain of skips, each of which adds its source to itself."""
    edges = [(i, i + 1, 2) for i in range(levels)] + [(levels, levels + 1, last)]
    return " ".join(["input", *["skip_connect"] * levels, "output"]), edges


def test_255_parallel_edges_are_held(write):
    # 2^7 = 128, and 127 more beside it
    operations, edges = doubling(7)
    batch = canonicalise(write((operations, [*edges, (0, 8, 127)])))
    assert shown(batch) == ("input output", [(0, 1, 255)])


# 2^8 = 256 does not fit; 2^8, 2^16, 2^31, 2^32 and 2^64 are 0 or negative in short integers
@pytest.mark.parametrize("levels", [8, 9, 16, 31, 32, 33, 64])
def test_more_parallel_edges_are_refused(write, levels):
    with pytest.raises(DataError, match="more than 255 times"):
        canonicalise(write(doubling(levels)))


def test_many_parallel_edges_without_effect_are_not_refused(write):
    batch = write(("input skip_connect conv output", [(0, 1, 255), (1, 2, 255), (0, 3)]))
    assert shown(canonicalise(batch)) == ("input output", [(0, 1, 1)])


def assert_same(one, other):
    assert np.array_equal(one.operations, other.operations)
    assert np.array_equal(one.adjacency, other.adjacency)
    assert np.array_equal(one.mask, other.mask)
    assert one.vocabulary == other.vocabulary


def test_twice_is_once(draw, shuffle, rng):
    batch = shuffle(rng, draw(rng, 400, 8, ALL, most=2), extra=2)
    once = canonicalise(batch)
    assert_same(canonicalise(once), once)


def test_twice_is_once_on_cells(nb201):
    once = canonicalise(nb201)
    assert_same(canonicalise(once), once)


@pytest.mark.parametrize("nodes", [0, 3])
def test_no_architectures(nodes):
    empty = GraphBatch(
        np.zeros((0, nodes), np.int16),
        np.zeros((0, nodes, nodes), np.uint8),
        np.zeros((0, nodes), bool),
        ("input", "output"),
    )
    once = canonicalise(empty)
    assert len(once) == 0
    assert_same(canonicalise(once), once)


def test_positions_do_not_matter(draw, shuffle, join, rng):
    batch = draw(rng, 300, 7, ALL, most=2)
    both = canonicalise(join(batch, shuffle(rng, batch, extra=3)))
    classes = isomorphism_classes(both)
    assert np.array_equal(classes[:300], classes[300:])
    # The law would be empty if everything were in one class.
    assert classes.max() > 30


def test_the_order_is_topological_and_padding_is_clean(draw, shuffle, rng):
    batch = canonicalise(shuffle(rng, draw(rng, 300, 8, ALL), extra=2))
    assert not np.tril(batch.adjacency).any()
    assert not batch.operations[~batch.mask].any()
    assert not batch.adjacency[~batch.mask].any()
    assert not batch.adjacency.transpose(0, 2, 1)[~batch.mask].any()
    assert (batch.operations[:, 0] == INPUT).all()
    last = np.take_along_axis(batch.operations, batch.sizes()[:, None] - 1, axis=1)
    assert (last == OUTPUT).all()


def test_every_node_is_on_a_way_through(draw, rng):
    batch = canonicalise(draw(rng, 300, 8, ALL, density=0.3))
    inner = batch.mask & (batch.operations != INPUT) & (batch.operations != OUTPUT)
    assert (batch.adjacency.any(axis=1) | ~inner).all()
    assert (batch.adjacency.any(axis=2) | ~inner).all()


PRIME = 2_147_483_647


def computed(batch):
    """Run the architectures on whole numbers modulo a prime: sums, and f(0) = 0 at each node.

    Powers stand for operations, as they are not additive: merging or repeating one shows.
    """
    depth = depths(batch.adjacency.astype(np.int32))
    exponents = {"none": None, "skip_connect": 1, "output": 1, "conv": 3, "pool": 5}
    results = []
    for item in range(len(batch)):
        values = np.zeros(batch.nodes, object)
        for node in np.argsort(depth[item], kind="stable"):
            if not batch.mask[item, node]:
                continue
            name = batch.vocabulary[batch.operations[item, node]]
            total = sum(
                int(many) * value
                for many, value in zip(batch.adjacency[item, :, node], values, strict=True)
            )
            if name == "input":
                values[node] = 1_234_567
            elif name == "none":
                values[node] = 0
            else:
                values[node] = pow(total, exponents[name], PRIME)
        results.append(int(values[batch.operations[item] == OUTPUT].sum()))
    return results


def test_the_canonical_graph_computes_the_same(draw, shuffle, rng):
    batch = shuffle(rng, draw(rng, 200, 8, ALL, most=2))
    before = computed(batch)
    assert computed(canonicalise(batch)) == before
    assert computed(canonicalise(batch, contract=())) == before
    assert len(set(before)) > 30


def test_depths_count_the_longest_way():
    adjacency = np.zeros((2, 4, 4), np.int32)
    adjacency[0, [0, 0, 1, 2], [1, 2, 2, 3]] = 1
    assert depths(adjacency).tolist() == [[0, 1, 2, 3], [0, 0, 0, 0]]
