import copy
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from nas_201_api import ArchResults, NASBench201API, ResultsCount

from nasrank.benchmarks.importers import nb201_pth
from nasrank.benchmarks.nb201 import architecture_string, official_order
from nasrank.errors import DataError

NAME = "NAS-Bench-201-small.pth"
CELLS = [architecture_string(cell) for cell in official_order()[:5]]
EVALUATIONS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
# As in version 1.0, the short trainings of the last cell are of one dataset only.
SEEDS = {
    "full": [(777, 888, 999), (888,), (777, 999)],
    "less": [(777,), (777,), (777,)],
}


def make_trial(rng, training, seed, epochs, text):
    trial = ResultsCount(
        training,
        None,
        {epoch: float(rng.uniform(10, 90)) for epoch in range(epochs)},
        {epoch: float(rng.uniform(0, 3)) for epoch in range(epochs)},
        np.float64(0.344346),
        float(rng.uniform(10, 100)),
        {"channel": 16, "num_cells": 5, "arch_str": text, "class_num": 10},
        seed,
        epochs,
        [float(rng.uniform(0.01, 0.02))],
    )
    trial.reset_pseudo_train_times(float(rng.uniform(1, 9)))
    for name in EVALUATIONS[training]:
        keys = [f"{name}@{epoch}" for epoch in range(epochs)]
        numbers = {key: float(rng.uniform(10, 90)) for key in keys}
        trial.update_eval(numbers, numbers, dict.fromkeys(keys, 0.25))
    return trial


def make_file():
    """Build the dictionary of an official file with the official package; three of five cells."""
    rng = np.random.default_rng(0)
    cells = {}
    for place, index in enumerate((0, 1, 3)):
        cells[index] = {}
        for key, epochs in (("full", 200), ("less", 12)):
            state = ArchResults(index, CELLS[index])
            for training in EVALUATIONS:
                if place == 2 and key == "less" and training != "cifar10-valid":
                    continue
                for seed in SEEDS[key][place]:
                    state.update(
                        training, seed, make_trial(rng, training, seed, epochs, CELLS[index])
                    )
            cells[index][key] = state.state_dict()
    return {"meta_archs": CELLS, "arch2infos": cells, "evaluated_indexes": {0, 1, 3}}


def save(path, value, legacy=True):
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)


@pytest.fixture(scope="module")
def official():
    return make_file()


@pytest.fixture
def path(tmp_path, official):
    file = tmp_path / NAME
    save(file, official)
    return file


def refused(path, match):
    with pytest.raises(DataError, match=match) as caught:
        nb201_pth.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message


@pytest.mark.parametrize("legacy", [True, False])
def test_every_number_is_that_of_the_official_package(tmp_path, official, legacy):
    path = tmp_path / NAME
    save(path, official, legacy)
    assert nb201_pth.recognises(path)
    calls = []
    imported = nb201_pth.read(path, on_progress=lambda *call: calls.append(call))
    assert calls == [(1, 15_625), (2, 15_625), (3, 15_625)]
    assert imported.note == "3 of 15,625 cells are in the file"
    measured = {(each.dataset, each.metric.name): each.values for each in imported.measurements}
    api = NASBench201API(copy.deepcopy(official), verbose=False)
    checked = 0
    for dataset, training in (
        ("cifar10", "cifar10"),
        ("cifar10-valid", "cifar10-valid"),
        ("cifar100", "cifar100"),
        ("imagenet16-120", "ImageNet16-120"),
    ):
        for key, epochs, suffix in (("full", "200", ""), ("less", "12", "_12")):
            columns = sorted({seed for seeds in SEEDS[key] for seed in seeds})
            for place, index in enumerate((0, 1, 3)):
                info = api.query_meta_info_by_index(index, hp=epochs)
                if training not in info.get_dataset_names():
                    continue
                for column, seed in enumerate(columns):
                    expected = {}
                    if seed in SEEDS[key][place]:
                        more = api.get_more_info(index, training, hp=epochs, is_random=seed)
                        expected = {
                            "train_acc": more["train-accuracy"],
                            "test_acc": more["test-accuracy"],
                            "val_acc": more.get("valid-accuracy"),
                            "valtest_acc": more.get("valtest-accuracy"),
                        }
                        if training == "cifar10":
                            valid = api.get_more_info(
                                index, "cifar10-valid", hp=epochs, is_random=seed
                            )
                            expected["val_acc"] = valid["valid-accuracy"]
                            seconds = measured[dataset, f"whole_train_seconds{suffix}"]
                        else:
                            seconds = measured[dataset, f"train_seconds{suffix}"]
                        assert seconds[index, column] == pytest.approx(
                            more["train-all-time"], rel=1e-12
                        )
                    for name in ("train_acc", "test_acc", "val_acc", "valtest_acc"):
                        if (dataset, name + suffix) in measured:
                            value = measured[dataset, name + suffix][index, column]
                            assert value == expected.get(name) or (
                                np.isnan(value) and not expected
                            )
                            checked += 1
                if key == "full":
                    costs = api.get_cost_info(index, measured_training(training), hp="200")
                    for name, figure in (("flops", "flops"), ("latency", "latency")):
                        values = measured[dataset, name][index]
                        assert np.nanmean(values) == pytest.approx(costs[figure], rel=1e-12)
                    assert imported.parameters[index] == 344_346
    assert checked > 100
    assert np.isnan(measured["cifar10", "val_acc"][[2, 4, 100]]).all()
    assert np.isnan(measured["cifar10", "test_acc_12"][3]).all()


def measured_training(training):
    """Return the training whose network figures stand for a dataset."""
    return "cifar10-valid" if training == "cifar10" else training


def test_both_formats_hold_the_same(tmp_path, official):
    read = []
    for legacy in (True, False):
        save(tmp_path / NAME, official, legacy)
        read.append(nb201_pth.read(tmp_path / NAME).measurements)
    for one, other in zip(*read, strict=True):
        assert (one.dataset, one.metric) == (other.dataset, other.metric)
        np.testing.assert_array_equal(one.values, other.values)


def test_old_evaluations_without_times(tmp_path, official):
    value = copy.deepcopy(official)
    trial = value["arch2infos"][0]["full"]["all_results"]["cifar100", 777]
    trial.update(train_times=None, eval_times={}, latency=None)
    save(tmp_path / NAME, value)
    imported = nb201_pth.read(tmp_path / NAME)
    measured = {(each.dataset, each.metric.name): each.values for each in imported.measurements}
    assert np.isnan(measured["cifar100", "train_seconds"][0, 0])
    assert np.isnan(measured["cifar100", "latency"][0, 0])
    assert measured["cifar100", "val_acc"][0, 0] == trial["eval_acc1es"]["x-valid@199"]


def test_what_is_no_file_of_torch(tmp_path, path, refuses):
    refuses(nb201_pth, "none.pth")
    other = tmp_path / "other.pth"
    other.write_bytes(b"something else")
    assert not nb201_pth.recognises(other)
    refused(other, "not a file saved by torch")
    path.rename(tmp_path / "cells.pkl")
    assert not nb201_pth.recognises(tmp_path / "cells.pkl")


def damage(change):
    def apply(value):
        change(value["arch2infos"][1])

    return apply


DAMAGE = {
    "empty": (lambda value: value.clear(), "no meta_archs"),
    "no cells": (lambda value: value.update(arch2infos={}), "no meta_archs"),
    "no list": (lambda value: value.pop("meta_archs"), "no meta_archs"),
    "two indexes": (
        lambda value: value["arch2infos"].update({4: value["arch2infos"][0]}),
        "has 4 entries, but 3 cells|is not at its index|occurs twice",
    ),
    "wrong index": (
        lambda value: value["arch2infos"].update({2: value["arch2infos"].pop(1)}),
        "is not at its index 1",
    ),
    "wrong list": (
        lambda value: value.update(meta_archs=CELLS[::-1]), "is not at its index",
    ),
    "another cell": (damage(lambda cell: cell["less"].update(arch_str=CELLS[2])), "different"),
    "no cell": (
        damage(lambda cell: [part.update(arch_str="|a~0|") for part in cell.values()]),
        "cell 2 in the file: '|a~0|' is not a cell",
    ),
    "twice": (
        damage(
            lambda cell: [part.update(arch_str=CELLS[0], arch_index=0) for part in cell.values()]
        ),
        "occurs twice",
    ),
    "NaN": (
        damage(
            lambda cell: cell["full"]["all_results"]["cifar100", 888]["eval_acc1es"].update(
                {"x-test@199": float("nan")}
            )
        ),
        "cifar100, seed 888, 200 epochs: x-test is nan, not a number",
    ),
    "epochs": (
        damage(lambda cell: cell.update(full=cell["less"], less=cell["full"])), "says 12 epochs",
    ),
    "weights": (
        damage(lambda cell: cell["full"].update(weights=torch.zeros(3))), "refused, it asks for",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_bad_contents(path, official, case):
    change, match = DAMAGE[case]
    value = copy.deepcopy(official)
    change(value)
    save(path, value)
    refused(path, match)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("legacy", [True, False])
def test_code_is_not_run(path, tmp_path, legacy):
    bomb = {"meta_archs": Bomb(tmp_path / "owned"), "arch2infos": {}}
    save(path, bomb, legacy)
    refused(path, "refused, it asks for '(posix|nt)\\.system'")
    assert not (tmp_path / "owned").exists()
    path.write_bytes(nb201_pth._LEGACY + pickle.dumps(bomb, 2))
    refused(path, "refused")
    assert not (tmp_path / "owned").exists()


def test_truncated_files(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in [10, 40, 100, *rng.integers(0, len(content) - 30, 10).tolist()]:
        path.write_bytes(content[:length])
        refused(path, "Get the file again")


@pytest.mark.parametrize("legacy", [True, False])
def test_mutations_are_read_or_refused(tmp_path, survives, legacy):
    """A file with the structure of the official ones and few numbers, so that damage hurts."""
    text = CELLS[0]
    rng = np.random.default_rng(0)
    state = ArchResults(0, text)
    state.update("cifar100", 777, make_trial(rng, "cifar100", 777, 12, text))
    value = {"meta_archs": CELLS[:1], "arch2infos": {0: {"less": state.state_dict()}}}
    save(tmp_path / NAME, value, legacy)
    survives(nb201_pth, NAME, (tmp_path / NAME).read_bytes(), seed=int(legacy))


def test_ordered_cells_are_cells_too(path, official):
    value = {**official, "arch2infos": OrderedDict(official["arch2infos"])}
    save(path, value)
    assert len(nb201_pth.read(path).measurements) > 10
