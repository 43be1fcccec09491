"""Ways to write down, draw and disturb architectures."""

import itertools

import numpy as np
import pytest

from nasrank.graphs import GraphBatch

VOCABULARY = ("input", "output", "none", "skip_connect", "conv", "pool")


def write(*architectures, nodes=None):
    """A batch from pairs (operations in one string, edges as (source, target[, how many]))."""
    named = [(operations.split(), edges) for operations, edges in architectures]
    nodes = nodes or max((len(operations) for operations, _ in named), default=0)
    codes = np.zeros((len(named), nodes), np.int16)
    adjacency = np.zeros((len(named), nodes, nodes), np.uint8)
    mask = np.zeros((len(named), nodes), bool)
    for item, (operations, edges) in enumerate(named):
        mask[item, : len(operations)] = True
        codes[item, : len(operations)] = [VOCABULARY.index(name) for name in operations]
        for source, target, *many in edges:
            adjacency[item, source, target] = many[0] if many else 1
    return GraphBatch(codes, adjacency, mask, VOCABULARY)


def draw(rng, items, nodes, operations=("conv", "pool"), most=1, density=0.5):
    """Random architectures of different sizes: input first, output last, padding behind."""
    codes = np.zeros((items, nodes), np.int16)
    adjacency = np.zeros((items, nodes, nodes), np.uint8)
    mask = np.zeros((items, nodes), bool)
    choices = [VOCABULARY.index(name) for name in operations]
    for item in range(items):
        size = int(rng.integers(2, nodes + 1))
        mask[item, :size] = True
        codes[item, 1 : size - 1] = rng.choice(choices, size - 2)
        codes[item, size - 1] = 1
        many = rng.integers(1, most + 1, (size, size)) * (rng.random((size, size)) < density)
        adjacency[item, :size, :size] = np.triu(many, 1)
    return GraphBatch(codes, adjacency, mask, VOCABULARY)


def shuffle(rng, batch, extra=0):
    """The same architectures with nodes, and ``extra`` more padding, at random positions."""
    items, nodes = batch.operations.shape
    wide = nodes + extra
    codes = np.zeros((items, wide), np.int16)
    adjacency = np.zeros((items, wide, wide), np.uint8)
    mask = np.zeros((items, wide), bool)
    for item in range(items):
        place = rng.permutation(wide)[:nodes]
        codes[item, place] = batch.operations[item]
        mask[item, place] = batch.mask[item]
        adjacency[item][np.ix_(place, place)] = batch.adjacency[item]
    return GraphBatch(codes, adjacency, mask, batch.vocabulary)


def join(*batches):
    """One batch after the other, padded alike."""
    wide = max(batch.nodes for batch in batches)
    padded = []
    for batch in batches:
        more = (0, wide - batch.nodes)
        padded.append(
            (
                np.pad(batch.operations, ((0, 0), more)),
                np.pad(batch.adjacency, ((0, 0), more, more)),
                np.pad(batch.mask, ((0, 0), more)),
            )
        )
    operations, adjacency, mask = (np.concatenate(part) for part in zip(*padded, strict=True))
    return GraphBatch(operations, adjacency, mask, VOCABULARY)


def nb201_cells():
    """All 15,625 cells: six edges between four sums, each edge one of five operations."""
    names = ("input", "output", "none", "skip_connect", "conv1", "conv3", "pool")
    ends = list(itertools.combinations(range(4), 2))
    choices = np.array(list(itertools.product(range(5), repeat=len(ends))))
    codes = np.zeros((len(choices), 8), np.int16)
    codes[:, 1:7] = choices + 2
    codes[:, 7] = 1
    adjacency = np.zeros((8, 8), np.uint8)
    for edge, (source, target) in enumerate(ends, start=1):
        adjacency[0, edge] = source == 0
        adjacency[edge, 7] = target == 3
        for later, (start, _) in enumerate(ends, start=1):
            adjacency[edge, later] = start == target
    shape = (len(choices), 8)
    return GraphBatch(
        codes, np.broadcast_to(adjacency, (*shape, 8)).copy(), np.ones(shape, bool), names
    )


@pytest.fixture(name="write", scope="session")
def _write():
    return write


@pytest.fixture(name="draw", scope="session")
def _draw():
    return draw


@pytest.fixture(name="shuffle", scope="session")
def _shuffle():
    return shuffle


@pytest.fixture(name="join", scope="session")
def _join():
    return join


@pytest.fixture(name="nb201", scope="session")
def _nb201():
    return nb201_cells()


@pytest.fixture
def rng():
    return np.random.default_rng(20)
