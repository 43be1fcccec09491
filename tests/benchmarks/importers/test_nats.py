import bz2
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from nasrank.benchmarks.importers import Imported, nats
from nasrank.benchmarks.nb201 import architecture_string, cell_parameters, official_order
from nasrank.errors import DataError

from .conftest import MUTATIONS

TSS, SSS = "formats/NATS-tss-v1_0-3ffb9-simple", "formats/NATS-sss-v1_0-50262-simple"
SIZES = ["8:8:8:8:8", "64:56:48:40:32", "8:16:24:32:40", "16:16:16:16:16"]


TRAININGS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}


def make_result(rng, training, seed, epochs, text):
    """Make one trial, with the fields, types and key names of the official files."""
    keys = [f"{name}@{epoch}" for name in TRAININGS[training] for epoch in range(epochs)]
    accuracies = {key: float(rng.uniform(10, 90)) for key in keys}
    return {
        "name": training,
        "net_state_dict": None,
        "train_acc1es": {epoch: float(rng.uniform(10, 90)) for epoch in range(epochs)},
        "train_acc5es": None,
        "train_losses": {epoch: float(rng.uniform(0, 3)) for epoch in range(epochs)},
        "train_times": OrderedDict((epoch, 1.5 + epoch % 2) for epoch in range(epochs)),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10},
        "params": np.float64(0.344346),
        "flop": 47.5,
        "seed": f"{seed:04d}",
        "epochs": epochs,
        "latency": [np.float64(0.0125)],
        "eval_names": [*TRAININGS[training]],
        "eval_acc1es": accuracies,
        "eval_times": dict.fromkeys(accuracies, 0.25),
        "eval_losses": dict.fromkeys(accuracies, 1.0),
    }


def make_state(rng, index, text, epochs, seeds):
    """Make all trials of an architecture under one number of epochs."""
    return {
        "arch_index": index,
        "arch_str": text,
        "all_results": {
            (training, seed): make_result(rng, training, seed, epochs, text)
            for training in TRAININGS
            for seed in seeds
        },
        "dataset_seed": {training: list(seeds) for training in TRAININGS},
        "clear_net_done": True,
    }


def save(folder, name, value):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(value, 4)))


def size_cell(index, rng=None):
    rng = rng or np.random.default_rng(index)
    seeds = {"01": (777,), "12": (777, 888, 999), "90": (777,)}
    return {
        key: make_state(rng, index, SIZES[index % len(SIZES)], int(key), some)
        for key, some in seeds.items()
    }


@pytest.fixture
def folder(tmp_path):
    """A size space of four architectures; the last has no file."""
    path = tmp_path / "NATS-sss-small-simple"
    meta = {"meta_archs": SIZES, "total_archs": 4, "arch2infos": None, "evaluated_indexes": set()}
    save(path, "meta", meta)
    for index in range(3):
        save(path, f"{index:06d}", size_cell(index))
    return path


def values_of(imported):
    return {(each.dataset, each.metric.name): each.values for each in imported.measurements}


def refused(path, match, where=""):
    with pytest.raises(DataError, match=match) as caught:
        nats.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert where in message
    assert "\n" not in message


def test_the_real_topology_folder(shared_file):
    calls = []
    imported = nats.read(shared_file(TSS), on_progress=lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert imported.space == "nb201"
    assert imported.graphs is None
    assert imported.architectures[11] == architecture_string(official_order()[11])
    assert imported.datasets == ("cifar10", "cifar100", "imagenet16-120", "cifar10-valid")
    values = values_of(imported)
    for name, expected in {  # seeds 777, 888, 999, read off the file with pickletools
        ("cifar10", "val_acc"): [87.74800000488281, 88.13199999511718, 87.93999999511719],
        ("cifar10", "test_acc"): [91.79, 91.76, 91.2],
        ("cifar10", "train_acc"): [99.584, 99.642, 99.416],
        ("cifar10-valid", "test_acc"): [87.6, 87.96, 87.39],
        ("imagenet16-120", "test_acc"): [29.233333333333334, 30.96666656, 30.299999908447266],
        ("imagenet16-120", "valtest_acc"): [29.300000010172525, 31.2, 30.36666667683919],
        ("cifar10", "val_acc_12"): [62.57999999267578, 63.975999975585935],  # seeds 111, 777
        ("cifar10", "test_acc_12"): [74.0],  # seed 111
        ("cifar100", "val_acc_12"): [33.63999997253418],
        ("cifar10", "train_seconds"): [200 * 12.462056795756022],
        ("cifar10", "whole_train_seconds"): [200 * 24.924113591512043],
        ("cifar10", "train_seconds_12"): [12 * 12.462056795756022],
        ("cifar10", "parameters"): [802_426],
        ("cifar100", "parameters"): [808_276],
        ("cifar10", "flops"): [113.95137],
        ("cifar10", "latency"): [0.016163252947623268],
    }.items():
        assert values[name][11] == pytest.approx(expected, rel=1e-9), name
    known = [0, 11, 284]
    for value in values.values():
        assert np.flatnonzero(~np.isnan(value).all(axis=1)).tolist() == known
    assert imported.parameters[known] == pytest.approx(
        cell_parameters(official_order()[known], 10)
    )
    assert imported.cost_seconds["cifar10"][11] == pytest.approx(2492.411359)
    assert imported.cost_seconds["cifar100"][11] == pytest.approx(4984.822718)
    by_name = {each.metric.name: each.metric for each in imported.measurements[:13]}
    assert by_name["val_acc"].description == (
        "validation accuracy (x-valid), trained on half of the training images, 200 epochs; "
        "one column per seed (777, 888, 999)"
    )
    assert by_name["val_acc"].replicates
    assert not by_name["test_acc_12"].replicates
    assert not by_name["latency"].higher_is_better


def test_the_real_size_folder(shared_file):
    imported = nats.read(shared_file(SSS))
    assert imported.space == "nats-size"
    assert len(imported) == 32_768
    assert [imported.architectures[index] for index in (0, 11, 284)] == [
        "8:8:8:8:8", "8:8:8:16:32", "8:8:40:32:40",
    ]  # fmt: skip
    values = values_of(imported)
    for name, expected in {
        ("cifar10", "val_acc"): [83.72400000976563],
        ("cifar10", "test_acc"): [85.77],
        ("cifar10", "val_acc_12"): [74.21199997, 73.16400000488281, 72.93599999777],
        ("cifar10", "val_acc_1"): [26.372],
        ("imagenet16-120", "test_acc"): [25.4666666208903],
        ("cifar10", "parameters"): [49_202],
        ("cifar10", "train_seconds"): [90 * 2.9399166107177734],
        ("cifar10", "train_seconds_1"): [2.9399166107177734],
    }.items():
        assert values[name][11] == pytest.approx(expected, rel=1e-9), name


def test_a_size_architecture_is_a_chain(folder):
    graphs = nats.read(folder).graphs
    names = [[graphs.vocabulary[code] for code in row] for row in graphs.operations]
    assert names[1] == [
        "input", "conv1-64", "conv2-56", "conv3-48", "conv4-40", "conv5-32", "output",
    ]  # fmt: skip
    assert len(graphs.vocabulary) == 2 + 5 * 8
    edges = [tuple(edge) for edge in np.argwhere(graphs.adjacency[2])]
    assert edges == [(node, node + 1) for node in range(6)]


def test_numbers_are_the_last_epochs(folder):
    imported = nats.read(folder)
    assert imported.architectures == SIZES
    values = values_of(imported)
    for index in range(3):
        cell = size_cell(index)
        for key, suffix in (("90", ""), ("12", "_12"), ("01", "_1")):
            results = cell[key]["all_results"]
            last = int(key) - 1
            for dataset, metric, training, evaluation in (
                ("cifar10", "val_acc", "cifar10-valid", "x-valid"),
                ("cifar10", "test_acc", "cifar10", "ori-test"),
                ("cifar100", "test_acc", "cifar100", "x-test"),
                ("imagenet16-120", "valtest_acc", "ImageNet16-120", "ori-test"),
                ("cifar10-valid", "test_acc", "cifar10-valid", "ori-test"),
            ):
                expected = [
                    result["eval_acc1es"][f"{evaluation}@{last}"]
                    for (name, _), result in results.items()
                    if name == training
                ]
                assert values[dataset, metric + suffix][index].tolist() == expected
            expected = [
                result["train_acc1es"][last]
                for (name, _), result in results.items()
                if name == "cifar10"
            ]
            assert values["cifar10", f"train_acc{suffix}"][index].tolist() == expected
    # Epochs take 1.5 and 2.5 seconds in turn: 45 x 4, 6 x 4 and 1.5 seconds.
    for name, seconds in {"": 180.0, "_12": 24.0, "_1": 1.5}.items():
        assert values["cifar10", f"train_seconds{name}"][0].tolist() == [seconds]
    assert all(np.isnan(value[3]).all() for value in values.values())
    assert imported.note == "3 of 4 architectures have a file"
    assert imported.cost_seconds["cifar10"][:3].tolist() == [180.0] * 3


def test_seeds_are_columns_and_missing_ones_are_nan(tmp_path):
    texts = [architecture_string(cell) for cell in official_order()[:3]]
    path = tmp_path / "tss"
    save(path, "meta", {"meta_archs": texts})
    rng = np.random.default_rng(0)
    one, other = (
        {"200": make_state(rng, index, texts[index], 200, seeds)}
        for index, seeds in ((0, (888,)), (2, (777, 999)))
    )
    other["200"]["all_results"]["cifar10", 777]["latency"] = [-1]
    other["200"]["all_results"]["cifar10", 777]["train_times"] = None
    del other["200"]["all_results"]["cifar100", 777]["eval_acc1es"]["x-test@199"]
    save(path, "000000", one)
    save(path, "000002", other)
    values = values_of(nats.read(path))
    known = ~np.isnan(values["cifar10", "val_acc"][:4])
    assert known.tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 0]]
    # No cell has x-test of seed 777, so the columns are 888 and 999.
    assert (~np.isnan(values["cifar100", "test_acc"][2])).tolist() == [False, True]
    assert ("cifar10", "val_acc_12") not in values


def test_several_processes_read_the_same(tmp_path, monkeypatch):
    widths = range(8, 65, 8)
    texts = [f"{a}:{b}:{c}:8:8" for a in widths for b in widths for c in (8, 16)]
    path = tmp_path / "sss"
    save(path, "meta", {"meta_archs": texts})
    for index, text in enumerate(texts):
        rng = np.random.default_rng(index)
        save(path, f"{index:06d}", {"01": make_state(rng, index, text, 1, (777,))})
    read = []
    for cores in (1, 2):
        monkeypatch.setattr(nats, "_cores", lambda cores=cores: cores)
        read.append(values_of(nats.read(path)))
    assert read[0].keys() == read[1].keys()
    for name, values in read[0].items():
        np.testing.assert_array_equal(values, read[1][name])
    save(path, "000077", {"01": make_state(rng, 76, texts[76], 1, (777,))})
    refused(path, "it is of architecture 76, ", "000077.pickle.pbz2")


def test_what_is_no_folder_of_the_kind(tmp_path, refuses):
    refuses(nats, "NATS-tss")
    (tmp_path / "file").write_bytes(b"x")
    assert not nats.recognises(tmp_path / "file")
    assert not nats.recognises(tmp_path / "\0")
    refused(tmp_path / "file", "not a folder")


def test_bad_lists(folder):
    assert nats.recognises(folder)
    for meta, match in (
        ([], "no list meta_archs"),
        ({"meta_archs": []}, "no list meta_archs"),
        ({"meta_archs": [*SIZES, 5]}, "not text"),
        ({"meta_archs": [*SIZES, SIZES[1]]}, "occurs twice"),
        ({"meta_archs": [*SIZES, "8:8:8:8"]}, "is not an architecture"),
        ({"meta_archs": [*SIZES, "8:8:8:8:9"]}, "is not an architecture"),
        ({"meta_archs": ["8:8:8:8:8:8"] * 9}, "is not an architecture"),
        ({"meta_archs": ["|a~0|"]}, "not a cell of NAS-Bench-201"),
        ({"meta_archs": [""] * 40_000}, "lists 40,000"),
        ({"meta_archs": SIZES[:2]}, "lists only 2 architectures"),
    ):
        save(folder, "meta", meta)
        refused(folder, match, "pickle.pbz2")
    (folder / "meta.pickle.pbz2").unlink()
    refused(folder, "cannot be read")
    save(folder, "meta", {"meta_archs": SIZES})
    for file in folder.glob("0*"):
        file.unlink()
    refused(folder, "no file of an architecture")
    (folder / "000001.pickle.pbz2").mkdir()
    refused(folder, "cannot be read", "000001")


def trial(cell):
    return cell["90"]["all_results"]["cifar10-valid", 777]


def seeds(cell):
    one = cell["12"]["all_results"]["cifar10", 777]
    cell["12"]["all_results"].update({("cifar10", seed): one for seed in range(20)})


DAMAGE = {
    "another architecture": (lambda cell: cell["90"].update(arch_index=7), "of architecture 7"),
    "another text": (lambda cell: cell["12"].update(arch_str="8:8:8:8:64"), "not of 1, "),
    "not text": (lambda cell: cell["12"].pop("arch_str"), "no arch_str"),
    "no results": (lambda cell: cell["12"].pop("all_results"), "all_results is not a dict"),
    "a list": (lambda cell: cell.update({"12": []}), "12 epochs is not a dictionary"),
    "no epochs": (lambda cell: cell.clear(), "no training of 90 or 12 or 01 epochs"),
    "wrong epochs": (lambda cell: trial(cell).update(epochs=12), "says 12 epochs"),
    "NaN": (lambda cell: trial(cell)["eval_acc1es"].update({"x-valid@89": np.nan}), "is nan, not"),
    "infinite": (lambda cell: trial(cell)["train_acc1es"].update({89: np.inf}), "is inf, not"),
    "negative": (lambda cell: trial(cell).update(flop=-1.0), "flop is -1.0"),
    "above 100": (
        lambda cell: trial(cell)["eval_acc1es"].update({"x-valid@89": 100.5}),
        "cifar10-valid, seed 777, 90 epochs: x-valid is 100.5, not a number from 0 to 100",
    ),
    "text": (lambda cell: trial(cell).update(params="1"), "params is '1'"),
    "boolean": (lambda cell: trial(cell)["eval_acc1es"].update({"x-valid@89": True}), "is True"),
    "bad time": (
        lambda cell: trial(cell)["train_times"].update({3: np.nan}),
        "train_times is nan",
    ),
    "bad history": (lambda cell: trial(cell).update(train_times=[1]), "train_times is not a dict"),
    "bad latency": (lambda cell: trial(cell).update(latency=[1.0, "a"]), "latency is 'a'"),
    "bad key": (lambda cell: cell["90"]["all_results"].update({"a": 1}), "'a' is not a training"),
    "bad dataset": (lambda cell: cell["90"]["all_results"].update({("a", 1): 1}), "a tuple is no"),
    "seeds": (seeds, "too many seeds"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_bad_cells(folder, damage):
    change, match = DAMAGE[damage]
    cell = size_cell(1)
    change(cell)
    save(folder, "000001", cell)
    refused(folder, match, "000001.pickle.pbz2")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_code_is_not_run(folder, tmp_path):
    cell = size_cell(0)
    cell["90"]["clear_net_done"] = Bomb(tmp_path / "owned")
    save(folder, "000000", cell)
    refused(folder, "asks for '(posix|nt)\\.system'", "000000")
    assert not (tmp_path / "owned").exists()


def test_a_bomb_does_not_grow(folder):
    (folder / "000002.pickle.pbz2").write_bytes(bz2.compress(bytes(40_000_000)))
    refused(folder, "holds more than", "000002")


def test_deep_values_do_not_crash(folder):
    deep = b"\x80\x04}\x8c\x0290}(\x8c\x08arch_str\x8c\x018\x8c\x0aarch_index"
    deep += b")" + b"\x85" * 100_000 + b"us."
    (folder / "000000.pickle.pbz2").write_bytes(bz2.compress(deep))
    refused(folder, "no arch_index", "000000")


def mutate(content, rng):
    """Change, cut out or insert a few bytes, or cut the end off."""
    changed = bytearray(content)
    at = int(rng.integers(len(changed)))
    match int(rng.integers(4)):
        case 0:
            changed[at] = int(rng.integers(256))
        case 1:
            del changed[at : at + 3]
        case 2:
            changed[at:at] = rng.bytes(3)
        case _:
            del changed[at:]
    return bytes(changed)


def test_mutations_are_read_or_refused(folder):
    cells = {f"{index:06d}": pickle.dumps(size_cell(index), 4) for index in range(3)}
    cells["meta"] = pickle.dumps({"meta_archs": SIZES, "evaluated_indexes": {1}}, 4)
    # Damage close to the structure: most of a file is numbers, which may be anything.
    small = {"01": make_state(np.random.default_rng(0), 0, SIZES[0], 1, (777,))}
    cells["000000"] = pickle.dumps(small, 4)
    refusals, successes = [], 0
    for mutation in range(MUTATIONS):
        rng = np.random.default_rng([1, mutation])
        name = ("000000", "meta", "000001", "000000")[mutation % 4]
        if mutation % 3:
            content = bz2.compress(mutate(cells[name], rng))
        else:
            content = mutate(bz2.compress(cells[name]), rng)
        file = folder / f"{name}.pickle.pbz2"
        file.write_bytes(content)
        try:
            assert isinstance(nats.read(folder), Imported)
            successes += 1
        except DataError as error:
            refusals.append(str(error))
        file.write_bytes(bz2.compress(cells[name]))
    assert successes
    assert refusals
    assert all(str(folder) in refusal and "\n" not in refusal for refusal in refusals)
