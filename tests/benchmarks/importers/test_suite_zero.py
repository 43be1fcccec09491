import json

import numpy as np
import pytest

from nasrank.benchmarks.importers import suite_zero
from nasrank.benchmarks.importers.darts_cells import parse_genotype
from nasrank.errors import DataError


def entry(score, accuracy=80.0):
    return {
        "idx": "3",
        "synflow": {"score": score, "time": 0.5},
        "jacov": {"score": -1e8, "time": 0.5},
        "val_accuracy": accuracy,
    }


NB201 = {
    "cifar10": {"(4, 0, 3, 1, 4, 3)": entry(1.5), "(1, 1, 2, 1, 1, 1)": entry(2.5, 90.0)},
    "ImageNet16-120": {"(1, 1, 2, 1, 1, 1)": entry(float("-inf"), 40.0)},
}
EDGES = "((0, 3), (1, 4), (0, 2), (2, 3), (0, 0), (3, 1), (1, 5), (4, 6))"
DARTS = {"cifar10": {f"({EDGES}, {EDGES})": entry(3.5, 94.0)}}
MICRO = {"jigsaw": {"(1, 0, 2, 3, 3, 3)": entry(0.5, 90.0)}}


@pytest.fixture
def write(tmp_path):
    def write(table):
        path = tmp_path / "zc_space.json"
        path.write_text(json.dumps(table))
        return path

    return write


def test_nb201_keys_are_operations_in_the_authors_order(write):
    path = write(NB201)
    assert suite_zero.recognises(path)
    found = suite_zero.read(path)
    assert found.space == "nb201"
    # Edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3 of the first key carry average pooling, skip, 1x1, none,
    # average pooling, 1x1; the one operation of the second, 3x3, is on edge 0-3.
    assert found.architectures == (
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|",
        "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    )
    named = {(each.dataset, each.metric.name): each.values.ravel() for each in found.measurements}
    assert named["cifar10", "val_acc_suite_zero"].tolist() == [80.0, 90.0]
    assert named["cifar10", "zc_synflow"].tolist() == [1.5, 2.5]
    assert np.isnan(named["cifar10", "zc_jacov"]).all()
    assert np.isnan(named["imagenet16-120", "zc_synflow"]).all()
    np.testing.assert_array_equal(named["imagenet16-120", "val_acc_suite_zero"], [np.nan, 40.0])


def test_darts_keys_are_pairs_of_input_and_operation(write):
    found = suite_zero.read(write(DARTS))
    assert found.space == "darts"
    genotype = parse_genotype(found.architectures[0])
    assert genotype.normal[:2] == (("sep_conv_3x3", 0), ("sep_conv_5x5", 1))
    assert genotype.reduce[7] == ("dil_conv_5x5", 4)
    assert "prediction" in found.note
    assert found.measurements[0].metric.name == "val_acc"


def test_micro_keys_are_digits(write):
    found = suite_zero.read(write(MICRO))
    assert found.space == "transnas-micro"
    assert found.architectures == ("64-41414-1_02_333",)
    assert found.measurements[0].metric.name == "val_acc"


def first_release(space, table):
    """The form of the first files: the space around the datasets, numbers for scores."""
    plain = {
        dataset: {
            key: {"synflow": each["synflow"]["score"], "flops": 3, "val_accuracy": 80.0}
            for key, each in entries.items()
        }
        for dataset, entries in table.items()
    }
    return {space: plain}


@pytest.mark.parametrize(("name", "table"), [("nasbench201", NB201), ("nasbench301", DARTS)])
def test_files_of_the_first_release_say_the_same(name, table, write):
    later = suite_zero.read(write(table))
    path = write(first_release(name, table))
    assert suite_zero.recognises(path)
    found = suite_zero.read(path)
    assert (found.space, found.architectures) == (later.space, later.architectures)
    metrics = {each.metric.name: each.values[0, 0] for each in found.measurements[:3]}
    accuracy = later.measurements[0].metric.name
    assert metrics == {
        accuracy: 80.0,
        "zc_synflow": 1.5 if name[-3] == "2" else 3.5,
        "zc_flops": 3,
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "holds no dataset"),
        ({}, "holds no dataset"),
        ({"cifar10": {}}, "holds no architecture"),
        ({"cifar10": {"(9, 0, 0, 0, 0, 0)": entry(1.0)}}, "six operations below 5"),
        ({"jigsaw": {"(4, 0, 0, 0, 0, 0)": entry(1.0)}}, "six operations below 4"),
        ({"cifar10": {"(0, 0)": entry(1.0)}}, "not of a space that can be read"),
        ({"cifar10": {f"({EDGES}, {EDGES.replace('4, 6', '4, 9')})": entry(1.0)}}, "unknown op"),
        (
            {"cifar10": {f"({EDGES}, {EDGES.replace('4, 6', '5, 6')})": entry(1.0)}},
            "not an earlier",
        ),
        ({"cifar10": {"(0, 0, 0, 0, 0, 0)": 3}}, "has no proxies"),
        ({"cifar10": {"(0, 0, 0, 0, 0, 0)": {"snip": {"score": "x"}}}}, "no number for 'snip'"),
        ({"cifar10": {"(0, 0, 0, 0, 0, 0)": entry(1.0, 800)}}, "outside 0 to 100"),
        ({"cifar10": {"(0,0,0,0,0,0)": entry(1.0), "(0, 0,0,0,0,0)": entry(1.0)}}, "two ways"),
        ({"cifar10": {"(0, 0, 0, 0, 0, 0)": {}}}, "it has no measurements"),
    ],
)
def test_says_what_is_wrong(write, table, message):
    with pytest.raises(DataError, match=message) as caught:
        suite_zero.read(write(table))
    assert "\n" not in str(caught.value)


def test_refuses_what_is_no_file(refuses):
    refuses(suite_zero, "zc_space.json")


@pytest.mark.parametrize("table", [NB201, DARTS])
def test_survives_mutations(survives, table):
    survives(suite_zero, "zc_space.json", json.dumps(table).encode())
