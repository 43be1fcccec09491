import os
import pickle

import numpy as np
import pytest

from nasrank.benchmarks.importers import hw, tidy
from nasrank.benchmarks.nb201 import architecture_string, official_order
from nasrank.errors import DataError

NAME = "HW-NAS-Bench-v1_0.pickle"
ROWS = [7, 0, 15_624]
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")


def config(row):
    text = architecture_string(official_order()[row])
    return {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10}


def make_file(rows=ROWS, column=list):
    """Make the smallest file in the published form: here three cells, there 15,625."""
    rng = np.random.default_rng(0)
    cells = {
        dataset: {
            "config": [config(row) for row in rows],
            **{figure: column(rng.uniform(0.1, 50, len(rows)).tolist()) for figure in hw.METRICS},
        }
        for dataset in DATASETS
    }
    return {"nasbench201": cells, "fbnet": {"edgegpu_latency": {"ConvNorm_H32": 0.5}}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / NAME


def save(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol))


def refused(path, match):
    with pytest.raises(DataError, match=match) as caught:
        hw.read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize(
    "column", [list, np.array, lambda column: [np.float64(x) for x in column]]
)
def test_numbers_stand_at_their_cells(path, protocol, column):
    value = make_file(column=column)
    value["nasbench201"]["cifar10"]["edgetpu_latency"][1] = -1
    save(path, value, protocol)
    assert hw.recognises(path)
    imported = hw.read(path)
    assert len(imported) == 15_625
    assert imported.datasets == ("cifar10", "cifar100", "imagenet16-120")
    assert len(imported.measurements) == 3 * 10
    for each in imported.measurements:
        figure = next(figure for figure, metric in hw.METRICS.items() if metric == each.metric)
        dataset = {"imagenet16-120": "ImageNet16-120"}.get(each.dataset, each.dataset)
        expected = np.array(value["nasbench201"][dataset][figure], float)
        expected[expected == -1] = np.nan
        np.testing.assert_array_equal(each.values[ROWS, 0], expected)
        assert np.isnan(np.delete(each.values[:, 0], ROWS)).all()
        assert each.metric.higher_is_better == ("intensity" in each.metric.name)


def test_names_and_units_are_those_of_the_tidy_table(shared_file):
    table = tidy.read(shared_file("nb201_hw_nas_bench.parquet"))
    theirs = {each.metric.name: each.metric for each in table.measurements}
    ours = {metric.name: metric for metric in hw.METRICS.values()}
    assert theirs.keys() == ours.keys()
    for name, metric in ours.items():
        assert metric.unit == theirs[name].unit
        assert metric.higher_is_better == theirs[name].higher_is_better


def test_a_whole_file_says_what_the_tidy_table_says(shared_file, path):
    table = tidy.read(shared_file("nb201_hw_nas_bench.parquet"))
    rows = np.random.default_rng(0).permutation(15_625)
    value = {"nasbench201": {dataset: {} for dataset in DATASETS}}
    for each in table.measurements:
        dataset = {"imagenet16-120": "ImageNet16-120"}.get(each.dataset, each.dataset)
        figures = value["nasbench201"][dataset]
        figures["config"] = [config(row) for row in rows]
        figure = next(
            name for name, metric in hw.METRICS.items() if metric.name == each.metric.name
        )
        figures[figure] = np.nan_to_num(each.values[rows, 0], nan=-1).tolist()
    save(path, value)
    read = {(each.dataset, each.metric.name): each.values for each in hw.read(path).measurements}
    # The first numbers of the benchmark's own page, for cell 0 on CIFAR-10.
    for name, number in {
        "edgegpu_latency_ms": 5.807418537139893,
        "edgegpu_energy_mj": 24.226614330768584,
        "raspi4_latency_ms": 10.481976820010459,
        "eyeriss_latency_ms": 3.645620000000001,
        "fpga_energy_mj": 18.01072,
    }.items():
        assert read["cifar10", name][0, 0] == pytest.approx(number, rel=1e-12)
    for each in table.measurements:
        np.testing.assert_array_equal(read[each.dataset, each.metric.name], each.values)


def test_what_is_no_such_file(path, refuses, tmp_path):
    refuses(hw, NAME)
    save(path, {"other": 1})
    assert not hw.recognises(path)
    refused(path, "no part nasbench201")
    save(path, {"nasbench201": {"svhn": {}}})
    refused(path, "no figures of cifar10")
    path.write_bytes(bytes(10_000))
    refused(path, "refused")


DAMAGE = {
    "no config": (lambda part: part.pop("config"), "cifar100: it has no list config"),
    "no cell": (
        lambda part: part["config"][1].update(arch_str="x"),
        "config 1 is not a cell: 'x'",
    ),
    "no text": (lambda part: part["config"][1].update(arch_str=[[]]), "config 1 is not a cell"),
    "twice": (lambda part: part["config"].__setitem__(2, part["config"][0]), "configs 0 and 2"),
    "short": (lambda part: part["fpga_energy"].pop(), "fpga_energy is not a list of 3 numbers"),
    "NaN": (lambda part: part["fpga_energy"].__setitem__(2, np.nan), "fpga_energy, cell 2: nan"),
    "inf": (lambda part: part["fpga_energy"].__setitem__(0, np.inf), "fpga_energy, cell 0: inf"),
    "negative": (lambda part: part["fpga_energy"].__setitem__(0, -2), "cell 0: -2 is not a valid"),
    "text": (lambda part: part["fpga_energy"].__setitem__(0, "1"), "cell 0: '1' is not a valid"),
    "kind": (lambda part: part.update(fpga_energy={}), "fpga_energy is not a list"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_bad_contents(path, damage):
    change, match = DAMAGE[damage]
    value = make_file()
    change(value["nasbench201"]["cifar100"])
    save(path, value)
    refused(path, match)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_code_is_not_run(path, tmp_path):
    save(path, {**make_file(), "extra": Bomb(tmp_path / "owned")})
    refused(path, "refused, it asks for '(posix|nt)\\.system'")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 3)), np.array(["a", "b", "c"]), np.array([{}, 1, 2]), np.zeros((), "M8[s]")],
)
def test_other_arrays_are_refused(path, array):
    value = make_file()
    value["nasbench201"]["cifar10"]["fpga_energy"] = array
    save(path, value)
    refused(path, "refused")


def test_mutations_are_read_or_refused(survives):
    survives(hw, NAME, pickle.dumps(make_file(column=np.array), 4))
