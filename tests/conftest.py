"""What the tests of several packages share: a small space of one's own making, and real tasks."""

import os
import tempfile

import numpy as np
import pytest

from nasrank.benchmarks import load_task
from nasrank.benchmarks.space import Metric, Space, Task
from nasrank.graphs import GraphBatch


def pytest_configure():
    """Nothing a developer has imported may be seen, not even by doctests."""
    os.environ["NASRANK_DATA"] = tempfile.mkdtemp(prefix="nasrank-tests-")


VOCABULARY = ("input", "output", "conv", "pool", "skip")


def make_graphs(items, *, nodes=7, seed=0):
    """Random graphs of different sizes: a chain from input to output with shortcuts."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((items, nodes), np.int16)
    adjacency = np.zeros((items, nodes, nodes), np.uint8)
    mask = np.zeros((items, nodes), bool)
    for item in range(items):
        size = int(rng.integers(3, nodes + 1))
        mask[item, :size] = True
        codes[item, 1 : size - 1] = rng.integers(2, len(VOCABULARY), size - 2)
        codes[item, size - 1] = 1
        many = rng.integers(0, 3, (size, size)) * (rng.random((size, size)) < 0.3)
        adjacency[item, :size, :size] = np.triu(many, 1)
        adjacency[item, np.arange(size - 1), np.arange(1, size)] |= 1
    return GraphBatch(codes, adjacency, mask, VOCABULARY)


def make_task(
    values=None,
    *,
    classes=60,
    twins=2,
    replicates=1,
    higher_is_better=True,
    parameters=None,
    cost=None,
    seed=0,
):
    """A task on ``classes * twins`` architectures, twins scattered over the space.

    By default an architecture is worth a number of its own: that of its class, something small
    that tells it from its twins, and something smaller for each replicate.
    """
    rng = np.random.default_rng(seed)
    scattered = rng.permutation(np.repeat(np.arange(classes), twins))
    _, first, number = np.unique(scattered, return_index=True, return_inverse=True)
    # Classes are numbered by first occurrence, as in every space.
    class_of = np.argsort(np.argsort(first))[number].astype(np.int64)
    items = len(class_of)
    graphs = make_graphs(classes, seed=seed)
    if values is None:
        worth = graphs.operation_counts()[:, 2] + graphs.sizes() / 3 + rng.random(classes)
        values = 50 + 5 * worth[class_of] + rng.random(items) / 10
        values = values[:, None] + rng.random((items, replicates)) / 100
    space = Space("toy", [f"a{n}" for n in range(items)], class_of, graphs, np.sort(first))
    metric = Metric("own", "%", higher_is_better, "a number", replicates=replicates > 1)
    values = np.asarray(values, np.float64)
    return Task("toy/x", space, "x", metric, values, cost, parameters, None, (), "f" * 64)


@pytest.fixture(name="make_task", scope="session")
def _make_task():
    return make_task


@pytest.fixture(name="make_graphs", scope="session")
def _make_graphs():
    return make_graphs


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory):
    """One cache folder for all tests that only read tasks."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def load(warm_cache, monkeypatch):
    """``load_task`` with that cache."""
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    return load_task
