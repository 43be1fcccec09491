"""What holds for the proxies of any cell, and that they are what a plain network has."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from nasrank.errors import DataError, UsageError
from nasrank.graphs import GraphBatch
from nasrank.proxies import OPERATIONS, PROXY_NAMES, compute_proxies
from nasrank.proxies.wiring import wire

_place = Path(__file__).with_name("slow.py")
_spec = importlib.util.spec_from_file_location("slow", _place)
slow = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slow)

CONV1, CONV3, AVERAGE, LARGEST, SKIP, NONE = range(2, 8)
VOCABULARY = (
    *("input", "output", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "max_pool_3x3"),
    *("skip_connect", "none"),
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def graph_batch(*graphs, vocabulary=VOCABULARY):
    """Each graph is (codes, edges); edges may repeat."""
    width = max(len(codes) for codes, _ in graphs)
    operations = np.zeros((len(graphs), width), np.int16)
    adjacency = np.zeros((len(graphs), width, width), np.uint8)
    mask = np.zeros((len(graphs), width), np.bool_)
    for item, (codes, edges) in enumerate(graphs):
        operations[item, : len(codes)] = codes
        mask[item, : len(codes)] = True
        for source, target in edges:
            adjacency[item, source, target] += 1
    return GraphBatch(operations, adjacency, mask, vocabulary)


DIAMOND = ([0, CONV3, CONV1, LARGEST, 1], [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 4), (0, 4)])
CHAIN = ([0, CONV3, AVERAGE, CONV3, 1], [(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)])
POOL = ([0, AVERAGE, 1], [(0, 1), (1, 2)])
STRAIGHT = ([0, 1], [(0, 1)])
CUT = ([0, CONV3, 1], [(0, 1)])
DEAD = ([0, NONE, 1], [(0, 1), (1, 2)])
EVERY = (DIAMOND, CHAIN, POOL, STRAIGHT, CUT, DEAD)


def of(*graphs, seeds=(0,), **more):
    return compute_proxies(graph_batch(*graphs), seeds=seeds, **more)


def agree(found, expected, tolerance=1e-3):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("graph", [DIAMOND, CHAIN, POOL])
def test_the_same_as_a_plain_network_with_autograd(graph):
    found = dict(zip(PROXY_NAMES, of(graph)[0], strict=True))
    expected = slow.SlowNetwork(wire(graph_batch(graph)), seed=0).scores()
    assert set(expected) >= set(PROXY_NAMES) - {"codes_logdet_stage1"} - {
        name for name in PROXY_NAMES if name.startswith("codes_")
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=5e-3, abs=5e-3), name


@pytest.mark.parametrize(
    "name", [name for name, meaning in OPERATIONS.items() if meaning and meaning.steps]
)
def test_every_operation_is_the_same_as_in_a_plain_network(name):
    batch = graph_batch(
        ([0, 2, 1], [(0, 1), (1, 2), (0, 2)]), vocabulary=("input", "output", name)
    )
    found = dict(zip(PROXY_NAMES, compute_proxies(batch, seeds=[3])[0], strict=True))
    expected = slow.SlowNetwork(wire(batch), seed=3).scores()
    for each in ("units", "loudness_stage2", "sensitivity_random", "gradient_all", "snip_stage1"):
        assert found[each] == pytest.approx(expected[each], rel=5e-3, abs=5e-3), each


def test_finite_for_every_cell_even_one_that_passes_nothing_on():
    scores = of(*EVERY)
    assert scores.shape == (len(EVERY), len(PROXY_NAMES))
    assert np.isfinite(scores).all()
    agree(scores[4], scores[5])
    # Nothing reaches the output, so no picture changes anything.
    assert scores[4, PROXY_NAMES.index("sensitivity_outputs")] < np.log(1e-12)


def test_the_same_every_time():
    np.testing.assert_array_equal(of(*EVERY), of(*EVERY))


def test_company_does_not_matter():
    together = of(*EVERY * 4)
    for item, graph in enumerate(EVERY):
        agree(together[item], of(graph)[0])


def test_equal_graphs_have_equal_rows():
    scores = of(DIAMOND, CHAIN, DIAMOND)
    np.testing.assert_array_equal(scores[0], scores[2])


def test_the_order_of_nodes_and_padding_do_not_matter():
    wide = ([0] * 9, [])
    batch = graph_batch(DIAMOND, CHAIN, wide)[:2]
    rng = np.random.default_rng(0)
    expected = of(DIAMOND, CHAIN)
    for _ in range(4):
        order = rng.permutation(batch.nodes)
        moved = GraphBatch(
            batch.operations[:, order],
            batch.adjacency[:, order][:, :, order],
            batch.mask[:, order],
            VOCABULARY,
        )
        agree(compute_proxies(moved, seeds=[0]), expected)


def test_names_of_one_meaning_and_their_order_do_not_matter():
    other = ("input", "output", "skip", "maxpool3x3", "Conv_3x3", "conv1x1", "avgpool")
    codes = {CONV1: 5, CONV3: 4, AVERAGE: 6, LARGEST: 3, 0: 0, 1: 1}
    renamed = ([codes[code] for code in DIAMOND[0]], DIAMOND[1])
    agree(compute_proxies(graph_batch(renamed, vocabulary=other), seeds=[0]), of(DIAMOND))


def test_skips_are_edges():
    skipping = ([0, SKIP, 1], [(0, 1), (1, 2)])
    np.testing.assert_array_equal(*of(skipping, STRAIGHT))


def test_seeds_are_averaged():
    both = of(CHAIN, POOL, seeds=(0, 1))
    np.testing.assert_allclose(
        both, (of(CHAIN, POOL, seeds=(0,)) + of(CHAIN, POOL, seeds=(1,))) / 2, atol=1e-6
    )
    assert (of(CHAIN, seeds=(0,)) != of(CHAIN, seeds=(1,))).any()


def test_loud_cells_do_not_overflow():
    loud = ([0, CONV3, 1], [*[(0, 2)] * 200, (0, 1), (1, 2)])
    assert np.isfinite(of(loud)).all()
    assert np.abs(of(loud)).max() < 1e3


def test_progress_counts_every_graph_once():
    seen = []
    of(*EVERY * 10, on_done=seen.append)
    assert sum(seen) == 60


def test_no_graphs():
    empty = graph_batch(POOL)[:0]
    assert compute_proxies(empty, seeds=[0]).shape == (0, len(PROXY_NAMES))


def test_an_unknown_operation_is_named():
    batch = graph_batch(POOL, vocabulary=("input", "output", "x", "y", "gcn"))
    with pytest.raises(UsageError, match="'gcn' is not a known operation on images"):
        compute_proxies(batch)


def test_an_unknown_operation_that_does_not_occur_is_no_trouble():
    vocabulary = (*VOCABULARY[:5], "gcn")
    assert np.isfinite(compute_proxies(graph_batch(POOL, vocabulary=vocabulary), seeds=[0])).all()


def test_a_cycle_is_refused():
    with pytest.raises(DataError, match="cycle"):
        of(([0, CONV3, CONV3, 1], [(0, 1), (1, 2), (2, 1), (2, 3)]))
