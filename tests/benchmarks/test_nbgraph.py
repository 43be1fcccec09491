import pickle

import numpy as np
import pytest

from nasrank.benchmarks import nbgraph, parse_task
from nasrank.benchmarks.nbgraph import BENCHMARK, LINKS, OPERATIONS, decode, network_graphs
from nasrank.benchmarks.pickles import safe_loads
from nasrank.benchmarks.sources import read_source
from nasrank.errors import DataError

DATASETS = BENCHMARK.datasets


def origin(dataset):
    return nbgraph.ORIGINS[dataset]


def original(dataset):
    source, content = read_source(origin(dataset))
    return safe_loads(content, str(source.path))


def load_fresh(dataset):
    name = parse_task(f"nbgraph/{dataset}")
    return BENCHMARK.load(str(name), dataset, name.metric)


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_is_read(dataset, load):
    task = load(f"nbgraph/{dataset}")
    networks = 2_021 if dataset == "proteins" else 26_206
    assert len(task) == len(set(task.space.architectures)) == networks
    # The authors removed duplicates themselves: no two of their networks are isomorphic.
    assert task.space.classes == networks
    assert task.sources[0].known
    assert task.metric.name == "valid_perf"
    test = load(f"nbgraph/{dataset}:test_perf")
    for labels in (task.labels, test.labels):
        assert 50 < np.median(labels) <= labels.max() < 95
    assert load(f"nbgraph/{dataset}:latency").labels.min() > 0
    parameters = load(f"nbgraph/{dataset}:parameters")
    assert 30_000 < parameters.labels.min() <= parameters.labels.max() < 10_000_000
    assert parameters.space is task.space


def test_datasets_share_their_networks_but_for_proteins(load):
    spaces = {load(f"nbgraph/{dataset}").space for dataset in DATASETS}
    assert {space.name for space in spaces} == {"nbgraph", "nbgraph-proteins"}
    assert len(spaces) == 2


def test_numbers_are_those_of_the_file(load):
    table = original("cora")
    task = load("nbgraph/cora")
    # The ninth of the links, and the operations 8, 1, 2, 4.
    row = task.space.position("0123|skip|gcn|gin|sage")
    entry = table[88124]
    assert task.labels[row] == pytest.approx(100 * entry["valid_perf"])
    assert load("nbgraph/cora:test_perf").labels[row] == pytest.approx(100 * entry["perf"])
    assert load("nbgraph/cora:latency").labels[row] == entry["latency"]
    assert task.parameters[row] == pytest.approx(1e6 * entry["para"])


def test_the_order_is_that_of_the_keys(load):
    keys = sorted(original("proteins"))
    architectures = load("nbgraph/proteins").space.architectures
    assert list(architectures) == [
        nbgraph.architecture_string(row) for row in decode(np.array(keys))
    ]


def test_proteins_uses_five_of_the_operations():
    digits = decode(np.array(sorted(original("proteins"))))
    used = {OPERATIONS[digit] for digit in np.unique(digits[:, 1:])}
    assert used == {"gcn", "sage", "arma", "fc", "skip"}


def test_links_go_to_earlier_operations_and_leaves_to_the_output():
    keys = np.array([10_000 * link + 1_234 for link in range(len(LINKS))])
    graphs = network_graphs(decode(keys))
    assert [graphs.vocabulary[code] for code in graphs.operations[0]] == [
        "input", "output", "gcn", "gin", "cheb", "sage",
    ]  # fmt: skip
    for row, links in enumerate(LINKS):
        edges = set(
            zip(*(ends.tolist() for ends in np.nonzero(graphs.adjacency[row])), strict=True)
        )
        into = {
            (0 if source == 0 else source + 1, place + 2) for place, source in enumerate(links)
        }
        leaves = {(place + 2, 1) for place in range(4) if place + 1 not in links}
        assert edges == into | leaves
        assert graphs.adjacency[row].max() == 1


def test_a_skip_becomes_an_edge(load):
    space = load("nbgraph/cora").space
    row = space.position("0123|skip|gcn|gin|sage")
    graph = space.graphs[[int(space.class_of[row])]]
    names = [graph.vocabulary[code] for code in graph.operations[0][graph.mask[0]]]
    assert sorted(names) == ["gcn", "gin", "input", "output", "sage"]


@pytest.mark.parametrize("key", [-1, 90_000, 100_000, 9])
def test_what_is_no_key_is_told(key):
    with pytest.raises(DataError, match=f"^{key} is not the key"):
        decode(np.array([12_345, key]))


def lose(table):
    del table[1111]


def other_network(table):
    table[0] = table.pop(1111)


def text_key(table):
    table["1111"] = table.pop(1111)


def no_number(table):
    del table[1111]["para"]


def percent(table):
    for entry in table.values():
        entry["valid_perf"] *= 100


def negative(table):
    table[1111]["latency"] = -1.0


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lose, "it does not hold the 2,021 published networks"),
        (other_network, "it does not hold the 2,021 published networks"),
        (text_key, "it is not a table of networks"),
        (no_number, "network 1111 has no finite number for para"),
        (percent, "it holds fractions of valid_perf outside 0 to 1"),
        (negative, "it holds values of latency that are not positive"),
    ],
)
def test_wrong_content_is_refused(damage, complaint, cache, fake_package):
    table = original("proteins")
    damage(table)
    file = fake_package(origin("proteins"), pickle.dumps(table))
    with pytest.raises(DataError, match=complaint) as caught:
        load_fresh("proteins")
    assert str(caught.value).startswith(f"{file}: ")
    assert not cache.exists()
