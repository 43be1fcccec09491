import json

import numpy as np
import pytest

from nasrank.benchmarks.importers import macro
from nasrank.errors import DataError
from nasrank.graphs import canonicalise, isomorphism_classes


def entry(*runs, params=100, flops=2000):
    return {
        "test_acc": list(runs),
        "mean_acc": sum(runs) / len(runs),
        "std": 0.0,
        "params": params,
        "flops": flops,
    }


SMALL = {
    "02012100": entry(89.5, 88.5, 89.0),
    "00000000": entry(45.0, 45.5, 46.0),
    "11111111": entry(91.0, 92.0, 93.0),
}


@pytest.fixture
def write(tmp_path):
    def write(table, name="macro.json"):
        path = tmp_path / name
        path.write_text(table if isinstance(table, str) else json.dumps(table))
        return path

    return write


def classes(imported):
    graphs = canonicalise(imported.graphs, drop=imported.drop, contract=imported.contract)
    return isomorphism_classes(graphs), graphs


def test_reads_the_smallest_file(write):
    path = write(SMALL)
    assert macro.recognises(path)
    seen = []
    found = macro.read(path, on_progress=lambda *done: seen.append(done))
    assert found.space == "macro"
    assert found.architectures == ("00000000", "02012100", "11111111")
    accuracy, flops = found.measurements
    assert (accuracy.dataset, accuracy.metric.name, accuracy.metric.replicates) == (
        "cifar10",
        "test_acc",
        True,
    )
    assert accuracy.values.tolist() == [[45.0, 45.5, 46.0], [89.5, 88.5, 89.0], [91.0, 92.0, 93.0]]
    assert not flops.metric.higher_is_better
    assert found.parameters.tolist() == [100, 100, 100]


def test_only_identities_inside_a_stage_vanish(write):
    # Layers 0, 2 and 5 start a stage of 2, 3 and 3 layers; identities there are convolutions.
    names = ["10000000", "01000000", "00010000", "00001000", "00010010", "00001001", "00000000"]
    found = macro.read(write({name: entry(50.0) for name in names}))
    number, graphs = classes(found)
    of = dict(zip(found.architectures, number.tolist(), strict=True))
    assert of["00010000"] == of["00001000"]
    assert of["00010010"] == of["00001001"]
    assert len({*of.values()}) == 5
    # Input, output, three shrinking layers; one block more in the second architecture.
    sizes = dict(zip(found.architectures, graphs.sizes().tolist(), strict=True))
    assert sizes["00000000"] == 5
    assert sizes["01000000"] == 6
    assert sizes["10000000"] == 5


def test_layers_keep_order_and_stage():
    graphs = macro.chain_graphs([[1, 2, 0, 1, 2, 2, 0, 1]])
    names = [graphs.vocabulary[code] for code in graphs.operations[0]]
    assert names == [
        "input",
        "output",
        "s1-shrink-mb3_k3",
        "s1-mb6_k5",
        "s2-shrink-identity",
        "s2-mb3_k3",
        "s2-mb6_k5",
        "s3-shrink-mb6_k5",
        "identity",
        "s3-mb3_k3",
    ]
    # Input to the first layer, each layer to the next, the last to output: nine edges.
    assert graphs.adjacency[0].sum() == 9
    assert graphs.adjacency[0, 0, 2] == graphs.adjacency[0, 9, 1] == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "holds no architectures"),
        ([], "holds no architectures"),
        ({"0000000": entry(50.0)}, "eight digits"),
        ({"00000003": entry(50.0)}, "eight digits"),
        ({"00000000": 3}, "no list of accuracies"),
        ({"00000000": entry(50.0) | {"test_acc": []}}, "no list of accuracies"),
        ({"00000000": entry(50.0) | {"test_acc": ["50"]}}, "numbers from 0 to 100"),
        ({"00000000": entry(float("nan"))}, "numbers from 0 to 100"),
        ({"00000000": entry(float("inf"))}, "numbers from 0 to 100"),
        ({"00000000": entry(101.0)}, "numbers from 0 to 100"),
        ({"00000000": entry(50.0) | {"mean_acc": 60.0}}, "is not the mean"),
        ({"00000000": entry(50.0) | {"params": None}}, "params and flops"),
        ({"00000000": entry(50.0) | {"flops": 10**400}}, "params and flops"),
        ('{"00000000": {}, "00000000": {}}', "occurs twice"),
        ("[" * 200_000, "macro.json"),
        ('{"00000000": ' + "9" * 5000 + "}", "cannot be read"),
    ],
)
def test_says_what_is_wrong(write, table, message):
    with pytest.raises(DataError, match=message) as caught:
        macro.read(write(table))
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_file(refuses):
    refuses(macro, "macro.json")


def test_survives_mutations(survives):
    survives(macro, "macro.json", json.dumps(SMALL).encode())


def test_the_real_file(shared_file):
    path = shared_file("formats/nas-bench-macro_cifar10.json")
    assert macro.recognises(path)
    found = macro.read(path)
    # Three choices in eight layers.
    assert len(found) == 3**8
    accuracy = found.measurements[0].values
    assert accuracy.shape == (6561, 3)
    row = found.architectures.index("02012100")
    assert np.round(accuracy[row], 2).tolist() == [89.47, 88.95, 89.17]
    assert found.parameters[row] == 890_666
    number, _ = classes(found)
    # A stage of n layers has 3 choices at its start and a sequence of up to n - 1 blocks of two
    # kinds: 3 (1 + 2) = 9 for two layers, 3 (1 + 2 + 4) = 21 for three. 9 * 21 * 21 = 3,969.
    assert number.max() + 1 == 3969
    # The authors trained one architecture of each class.
    first = np.unique(number, return_index=True)[1]
    assert np.array_equal(accuracy, accuracy[first][number])
