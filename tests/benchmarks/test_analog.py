import pickle
import sys
import types

import numpy as np
import pytest
from scipy.stats import kendalltau

from nasrank.benchmarks import analog, parse_task
from nasrank.benchmarks.analog import BENCHMARK, METRICS
from nasrank.benchmarks.nb201 import is_disconnected, official_order
from nasrank.benchmarks.pickles import Record, safe_loads
from nasrank.benchmarks.sources import read_source
from nasrank.errors import DataError

FIRST = (0, 0, 0, 0, 0, 0)  # six skip connections
DRIFTS = [
    f"{network}_drift_{seconds}"
    for network in ("baseline", "analog")
    for seconds in (60, 3600, 86400, 2592000)
]


@pytest.fixture(scope="module")
def table():
    """The package's own table."""
    source, content = read_source(analog.ORIGIN)
    return safe_loads(content, str(source.path), allowed=analog._RECORDS)


def load_fresh():
    name = parse_task("analog/cifar10")
    return BENCHMARK.load(str(name), "cifar10", name.metric)


def test_every_metric_of_the_file_is_there(load):
    names = [metric.name for metric in METRICS]
    plain = ["baseline", "ptq", "qat", "noisy", "analog"]
    assert names == [
        *(f"{name}_accuracy" for name in plain),
        *DRIFTS,
        *(f"{drift}_spread" for drift in DRIFTS),
    ]
    for name in names:
        task = load(f"analog/cifar10:{name}")
        assert task.values.shape == (15_625, 1)
        assert not np.isnan(task.values).any()
        assert 0 <= task.labels.min() <= task.labels.max() <= 100
        assert task.metric.higher_is_better != name.endswith("_spread")
        assert task.sources[0].known
        assert task.cost_seconds is None
    assert load("analog/cifar10").name == "analog/cifar10"
    assert load("analog/cifar10").metric.name == "baseline_accuracy"


def test_the_cells_at_chance_are_those_that_pass_nothing_on(load):
    task = load("analog/cifar10")
    at_chance = task.labels == 10.0
    assert at_chance.sum() == 341
    np.testing.assert_array_equal(at_chance, is_disconnected(official_order()))


def test_drift_costs_accuracy_with_time(load):
    for network in ("baseline", "analog"):
        means = [
            load(f"analog/cifar10:{network}_drift_{seconds}").labels.mean()
            for seconds in (60, 3600, 86400, 2592000)
        ]
        assert means == sorted(means, reverse=True)


def test_one_cell_by_hand(load, table):
    """Follows one key of the file through its own numbering of edges and operations."""
    # Edges 0-1, 0-2, 0-3, 1-2, 1-3, 2-3: conv3, conv1, pool, skip, none, conv3.
    record = table[2, 3, 4, 0, 1, 2]
    text = (
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"
    )
    task = load("analog/cifar10")
    row = task.space.position(text)
    assert task.labels[row] == record.state["baseline_accuracy"]
    drift = record.state["analog_drift_60"].state
    assert load("analog/cifar10:analog_drift_60").labels[row] == drift["value"]
    assert load("analog/cifar10:analog_drift_60_spread").labels[row] == drift["uncertainty"]


def test_the_cells_are_those_of_the_official_table(shared_data, load):
    import pyarrow.parquet as pq

    test = pq.read_table(
        shared_data / "nb201_test_200epochs.parquet", columns=["cifar10_test_acc"]
    )
    tau = kendalltau(load("analog/cifar10").labels, test.column(0).to_numpy()).statistic
    assert tau == pytest.approx(0.926, abs=5e-4)


def test_the_space_is_that_of_nb201(load):
    assert load("analog/cifar10").space is load("nb201/cifar10").space
    assert "analognasbench" not in sys.modules


@pytest.fixture
def pickle_table(monkeypatch):
    """Pickle a table as the package would, with stand-ins for its classes."""

    def dump(table):
        module = types.ModuleType("analognasbench.data")
        for name in ("Architecture", "DriftMeasurement"):
            setattr(module, name, type(name, (), {"__module__": module.__name__}))

        def revive(record):
            thing = getattr(module, record.cls[1])()
            for name, value in record.state.items():
                inner = revive(value) if hasattr(value, "state") else value
                setattr(thing, name, inner)
            return thing

        things = {
            key: revive(value) if hasattr(value, "state") else value
            for key, value in table.items()
        }
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "analognasbench", types.ModuleType("analognasbench"))
            patch.setitem(sys.modules, "analognasbench.data", module)
            return pickle.dumps(things)

    return dump


def change(**fields):
    """Give the cell that only passes its input on other numbers."""

    def damage(table):
        table[FIRST].state.update(fields)

    return damage


def lose(table):
    del table[FIRST]


def odd_key(table):
    table["cell"] = table.pop(FIRST)


def no_record(table):
    table[FIRST] = 91.0


def no_drift(table):
    del table[FIRST].state["analog_drift_60"]


def failed_parse(table):
    drift = Record(("analognasbench.data", "DriftMeasurement"))
    drift.state = {"value": 0.0, "uncertainty": 0.0}
    table[FIRST].state["analog_drift_60"] = drift


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lose, "it does not hold 15,625 cells"),
        (odd_key, "it has the key 'cell', which is not a cell"),
        (
            change(architecture=(0, 0, 0, 0, 0, 1)),
            r"the entry of cell \(0, 0, 0, 0, 0, 0\) belongs to another cell",
        ),
        (no_record, "belongs to another cell"),
        (change(ptq_accuracy=None), "has no number for ptq_accuracy"),
        (no_drift, "has no number for analog_drift_60"),
        (failed_parse, "it lacks a value of analog_drift_60"),
        (change(qat_accuracy=100.5), "values of qat_accuracy outside 0 to 100 %"),
        (
            change(baseline_accuracy=10.0),
            "the cells at chance are not those without a signal",
        ),
    ],
)
def test_wrong_content_is_refused(damage, complaint, cache, table, monkeypatch):
    cell = Record(table[FIRST].cls)
    cell.state = dict(table[FIRST].state)
    damaged = {**table, FIRST: cell}
    damage(damaged)
    monkeypatch.setattr(analog, "safe_loads", lambda *args, **kwargs: damaged)
    with pytest.raises(DataError, match=complaint):
        load_fresh()
    assert not cache.exists()


def test_the_same_numbers_in_another_file_are_read(cache, load, table, fake_package, pickle_table):
    fake_package(analog.ORIGIN, pickle_table(dict(reversed(table.items()))))
    task = load_fresh()
    assert not task.sources[0].known
    np.testing.assert_array_equal(task.labels, load("analog/cifar10").labels)
