"""Proxies of a space: made once, kept in parts, gone on with after an interruption."""

import numpy as np
import pytest

from nasrank import proxies as computed
from nasrank.benchmarks import proxies
from nasrank.benchmarks.proxies import space_proxies
from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch
from nasrank.proxies import PROXY_NAMES, compute_proxies

ITEMS, PART = 7, 3


@pytest.fixture
def graphs():
    """Chains of one to seven pools and convolutions."""
    rng = np.random.default_rng(0)
    operations = np.zeros((ITEMS, 4), np.int16)
    operations[:, 1:3] = rng.integers(2, 5, (ITEMS, 2))
    operations[:, 3] = 1
    adjacency = np.zeros((ITEMS, 4, 4), np.uint8)
    adjacency[:, [0, 1, 2], [1, 2, 3]] = 1
    vocabulary = ("input", "output", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    return GraphBatch(operations, adjacency, np.ones((ITEMS, 4), np.bool_), vocabulary)


@pytest.fixture(autouse=True)
def counted(cache, monkeypatch):
    """Few graphs a part, one seed, and the sizes of the batches that are computed."""
    sizes = []

    def compute(graphs):
        sizes.append(len(graphs))
        return compute_proxies(graphs, seeds=[0])

    monkeypatch.setattr(proxies, "_PART", PART)
    monkeypatch.setattr(computed, "compute_proxies", compute)
    return sizes


def test_computed_once_and_then_read(graphs, counted):
    seen = []
    first = space_proxies("mine", graphs, on_done=seen.append)
    assert first.shape == (ITEMS, len(PROXY_NAMES))
    assert counted == seen == [3, 3, 1]
    again = space_proxies("mine", graphs, on_done=seen.append)
    np.testing.assert_array_equal(first, again)
    assert counted == [3, 3, 1]
    assert seen == [3, 3, 1] * 2
    np.testing.assert_allclose(first, compute_proxies(graphs, seeds=[0]), rtol=1e-3, atol=1e-3)


def test_the_log_says_that_it_takes_a_while_only_where_it_does(graphs, caplog):
    caplog.set_level("INFO", "nasrank")
    space_proxies("mine", graphs)
    assert caplog.messages == ["proxies of mine: computed once, then kept"]
    space_proxies("mine", graphs)
    assert len(caplog.messages) == 1


def test_an_interrupted_call_goes_on(graphs, counted):
    def stop(_):
        if len(counted) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        space_proxies("mine", graphs, on_done=stop)
    assert counted == [3, 3]
    space_proxies("mine", graphs)
    assert counted == [3, 3, 1]


def test_other_graphs_are_not_mistaken_for_these(graphs, counted):
    space_proxies("mine", graphs)
    space_proxies("mine", graphs[::-1])
    assert counted == [3, 3, 1] * 2


def test_a_space_without_pictures_is_refused_before_anything_is_computed(graphs, counted):
    other = GraphBatch(
        graphs.operations,
        graphs.adjacency,
        graphs.mask,
        ("input", "output", "gat", "gcn", "gin"),
    )
    with pytest.raises(UsageError, match=r"'g\w+' is not a known operation on images. Leave out"):
        space_proxies("nbgraph", other)
    assert counted == []


def test_no_graphs(graphs):
    assert space_proxies("mine", graphs[:0]).shape == (0, len(PROXY_NAMES))
