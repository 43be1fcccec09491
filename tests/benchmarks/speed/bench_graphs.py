"""Reading a space: canonical graphs, classes, batches, and a task from the cache."""

import pytest

from nasrank.benchmarks import nb201, parse_task
from nasrank.graphs import canonicalise, isomorphism_classes
from nasrank.graphs.packed import GraphStore


@pytest.fixture(scope="module")
def cells():
    return nb201.cell_graphs(nb201.official_order())


def test_canonicalise(benchmark, cells):
    benchmark(canonicalise, cells)


def test_classes(benchmark, cells):
    benchmark(isomorphism_classes, canonicalise(cells))


def test_store(benchmark, task):
    benchmark(GraphStore, task.space.graphs)


def test_pack_eight_steps(benchmark, task, steps):
    benchmark(GraphStore(task.space.graphs).pack_steps, steps)


def test_read_a_task_from_the_cache(benchmark, task):
    name = parse_task(task.name)
    benchmark(name.benchmark.load, task.name, name.dataset, name.metric)
