from dataclasses import replace

import numpy as np
import pytest

from nasrank.benchmarks import SPACES, load_task, parse_task, task_names
from nasrank.benchmarks.importers import Measurement
from nasrank.benchmarks.importers.merge import save
from nasrank.benchmarks.importers.store import space_path
from nasrank.benchmarks.importing import import_data, saved_rows
from nasrank.benchmarks.nb201 import architecture_string, official_order
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError, UsageError

from .test_imported import make_imported

BUILT_IN = [
    *("nb201", "analog", "nbgraph", "hpolib", "hpobench"),
    *("scaling-llm", "scaling-clip", "scaling-tabpfn"),
]
TEST = Metric("test_acc", "%", True, "test accuracy")


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


def cells(count, **changes):
    """The first cells of NAS-Bench-201 in reverse order, as a reader returns them."""
    texts = [architecture_string(cell) for cell in official_order()[:count].tolist()][::-1]
    values = np.arange(count, dtype=float)[::-1, None]
    return make_imported(
        **{
            "space": "nb201",
            "architectures": texts,
            "graphs": None,
            "measurements": (Measurement("cifar10", TEST, values),),
            "cost_seconds": {},
            "parameters": None,
            "chance": {},
            **changes,
        }
    )


def save_cells(imported):
    return save(imported, load_task("nb201/cifar10").space)


def test_a_new_space_is_a_task_like_any_other():
    assert list(SPACES) == BUILT_IN
    assert "toy" not in SPACES
    save(make_imported())
    assert list(SPACES) == [*BUILT_IN, "toy"]
    assert len(SPACES) == len(BUILT_IN) + 1
    assert "toy" in SPACES
    assert task_names()[-1] == "toy/d"
    assert str(parse_task("toy/d:val_acc")) == "toy/d"
    task = load_task("toy/d")
    assert load_task("toy/d") is task
    assert task.space.architectures == ("x", "y", "z")
    assert task.space.classes == 3
    np.testing.assert_array_equal(task.labels, [1.5, 3.5, 5.0])
    np.testing.assert_array_equal(task.cost_seconds, [10, 20, np.nan])
    np.testing.assert_array_equal(task.parameters, [1, 2, 3])
    assert task.chance == 10
    assert task.note == "made up"
    assert task.metric.replicates
    (source,) = task.sources
    assert (source.state, source.known) == ("imported", False)
    assert (source.origin.package, source.origin.licence) == ("toy.bin", "MIT")
    assert source.citation == "Nobody (2020)"


def test_datasets_have_metrics_of_their_own():
    proxy = Metric("zc_synflow", "1", True, "a proxy")
    loss = Metric("loss", "1", False, "a loss")
    values = np.array([[3.0], [1.0], [2.0]])
    measurements = (
        Measurement("d", proxy, values),
        Measurement("e", proxy, values),
        Measurement("e", loss, values),
        Measurement("d", replace(TEST, name="val_acc"), values),
    )
    save(make_imported(measurements=measurements))
    assert task_names(every_metric=True)[-4:] == [
        "toy/d",
        "toy/d:zc_synflow",
        "toy/e",
        "toy/e:zc_synflow",
    ]
    assert parse_task("toy/d").metric.name == "val_acc"
    assert parse_task("toy/e").metric.name == "loss"
    np.testing.assert_array_equal(load_task("toy/e").oriented_labels, [-3, -1, -2])
    # Chance is what guessing scores as an accuracy.
    assert load_task("toy/d").chance == 10
    assert load_task("toy/d:zc_synflow").chance is None
    with pytest.raises(UsageError, match=r"unknown metric of toy 'val_acc'. Known: loss, zc_syn"):
        parse_task("toy/e:val_acc")
    with pytest.raises(UsageError, match="unknown dataset of toy 'f'"):
        parse_task("toy/f")


def test_a_built_in_space_gets_more_metrics_and_datasets():
    plain = load_task("nb201/cifar10")
    new = Measurement("flowers", TEST, np.arange(50, dtype=float)[:, None])
    imported = cells(50)
    save_cells(replace(imported, measurements=(*imported.measurements, new)))
    assert list(SPACES) == BUILT_IN
    np.testing.assert_array_equal(load_task("nb201/cifar10").values, plain.values)
    assert load_task("nb201/cifar10").fingerprint == plain.fingerprint
    task = load_task("nb201/cifar10:test_acc")
    assert task.space is plain.space
    assert len(task) == 15625
    np.testing.assert_array_equal(task.labels[:50], np.arange(50))
    assert np.isnan(task.labels[50:]).all()
    # What is known of the dataset holds for the new metric as well.
    np.testing.assert_array_equal(task.cost_seconds, plain.cost_seconds)
    np.testing.assert_array_equal(task.parameters, plain.parameters)
    assert task.chance == 10
    flowers = load_task("nb201/flowers")
    assert flowers.metric.name == "test_acc"
    np.testing.assert_array_equal(flowers.labels[:50], np.arange(50)[::-1])
    assert flowers.cost_seconds is None
    assert "nb201/flowers" in task_names()
    assert parse_task("nb201/cifar10").metric.name == "val_acc"
    assert parse_task("nb201/cifar100:latency").metric.name == "latency"


def test_an_imported_cost_is_the_cost_of_what_is_imported():
    cost = np.arange(50, dtype=float) + 1
    save_cells(cells(50, cost_seconds={"cifar10": cost}, parameters=cost))
    task = load_task("nb201/cifar10:test_acc")
    np.testing.assert_array_equal(task.cost_seconds[:50], cost[::-1])
    assert np.isnan(task.cost_seconds[50:]).all()
    assert not np.isnan(task.parameters).any()
    assert not np.isnan(load_task("nb201/cifar10").cost_seconds).any()


def test_what_is_built_in_keeps_its_name():
    plain = load_task("nb201/cifar10")
    val = Measurement("cifar10", replace(TEST, name="val_acc"), np.ones((50, 1)))
    saved = save_cells(cells(50, measurements=(val,)))
    np.testing.assert_array_equal(load_task("nb201/cifar10").values, plain.values)
    assert load_task("nb201/cifar10:imported_val_acc").labels[:50].tolist() == [1.0] * 50
    (row,) = saved_rows(saved)
    assert row["task"] == "nb201/cifar10:imported_val_acc"
    assert (row["labelled"], row["replaced"]) == (50, None)


def test_architectures_a_built_in_space_lacks_are_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("arch_str,label\n|nor_conv_7x7~0|,1\n")
    with pytest.raises(
        DataError, match=r"mine.csv: architecture 0, '\|nor_conv_7x7~0\|', is not in"
    ):
        import_data("nb201", path)
    assert not space_path("nb201").exists()


def test_own_labels_of_built_in_architectures(tmp_path, load):
    path = tmp_path / "mine.csv"
    lines = [f"{text},{n}" for n, text in enumerate(cells(50).architectures)]
    path.write_text("\n".join(["arch_str,label", *lines]))
    for space in ("nb201", "analog"):
        saved = import_data(space, path, unit="%")
        assert saved.added == 50
        task = load(f"{space}/own")
        assert task.metric.unit == "%"
        np.testing.assert_array_equal(task.labels[:50], np.arange(50)[::-1])
    networks = load("nbgraph/cora").space.architectures[:2]
    path.write_text(f"arch_str,label\n{networks[1]},1\n{networks[0]},2\n")
    import_data("nbgraph", path)
    assert load("nbgraph/own").labels[:3].tolist()[:2] == [2.0, 1.0]


def test_fingerprints_follow_what_a_task_is_made_of():
    save(make_imported())
    first = load_task("toy/d").fingerprint
    save(make_imported())
    assert load_task("toy/d").fingerprint == first
    save(make_imported(measurements=(Measurement("d", TEST, np.ones((3, 1))),)))
    # Another metric is there now, but this one is what it was.
    assert load_task("toy/d").fingerprint == first
    assert load_task("toy/d:test_acc").fingerprint != first
    changed = make_imported().measurements[0]
    changed.values[0, 0] += 1e-12
    save(make_imported(measurements=(changed,)))
    second = load_task("toy/d").fingerprint
    assert second != first
    save(make_imported(measurements=(changed,), cost_seconds={"d": np.ones(3)}))
    assert load_task("toy/d").fingerprint not in {first, second}


def test_a_new_import_is_noticed():
    save(make_imported())
    before = load_task("toy/d")
    changed = make_imported().measurements[0]
    changed.values[0] = 77
    save(make_imported(measurements=(changed,)))
    assert load_task("toy/d").labels[0] == 77
    assert before.labels[0] == 1.5
    space_path("toy").unlink()
    with pytest.raises(UsageError, match="unknown space 'toy'"):
        load_task("toy/d")


@pytest.mark.parametrize(
    "name",
    [
        "darts/cifar10",
        "nb101/cifar10:val_acc",
        "macro/cifar10",
        "transnas-micro/jigsaw",
        "transnas-macro/jigsaw",
        "nats-size/cifar10",
        "nb201/cifar10:test_acc",
        "nb201/cifar10:zc_synflow",
        "nb201/cifar10:val_acc_12",
        "nb201/cifar10:edgegpu_latency_ms",
        "nb201/cifar10-valid",
    ],
)
def test_what_could_be_imported_says_how(name):
    space = name.partition("/")[0]
    for function in (parse_task, load_task):
        with pytest.raises(DataError) as caught:
            function(name)
        message = str(caught.value)
        assert message.startswith(f"{name} is not imported yet. ")
        assert f"nasrank data import {space} PATH, where PATH is one of: " in message
        assert "\n" not in message


def test_a_damaged_file_spoils_its_own_tasks_alone(caplog):
    save(make_imported())
    save_cells(cells(50))
    for space in ("toy", "nb201"):
        path = space_path(space)
        path.write_bytes(path.read_bytes()[:-40])
    assert load_task("nb201/cifar10").labels.max() > 90
    assert "nb201.parquet" in caplog.text
    caplog.clear()
    names = task_names()
    assert "nb201/cifar10" in names
    assert "toy/d" not in names
    assert "toy.parquet" in caplog.text
    with pytest.raises(DataError, match=r"toy.parquet.* nasrank data import toy PATH"):
        load_task("toy/d")


def test_a_damaged_column_is_found_when_it_is_read(monkeypatch):
    save(make_imported())
    stored = SPACES["toy"].load.stored
    monkeypatch.setitem(stored.digests, "d:val_acc:0", "0" * 64)
    with pytest.raises(DataError, match="its column d:val_acc:0 does not match its digest"):
        load_task("toy/d")
