import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nasrank.benchmarks import SPACES, class_labels, load_task, parse_task, task_names
from nasrank.benchmarks.space import Metric, Space, Task, build_space
from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch


def test_all_tasks_by_name():
    names = task_names()
    assert names[:4] == [
        "nb201/cifar10",
        "nb201/cifar100",
        "nb201/imagenet16-120",
        "analog/cifar10",
    ]
    graphs = ["cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv"]
    assert names[4:13] == [f"nbgraph/{dataset}" for dataset in [*graphs, "proteins"]]
    assert len([name for name in names if name.startswith("hpolib/")]) == 4
    assert len([name for name in names if name.startswith("hpobench/")]) == 8
    assert names[25:] == [
        "scaling-llm/valid_loss",
        "scaling-llm/large",
        "scaling-clip/val_loss",
        "scaling-clip/large",
        "scaling-tabpfn/val_loss",
    ]
    every = task_names(every_metric=True)
    scaling = 2 * 30 + 2 * 47 + 8
    assert len(every) == 3 * 4 + 21 + 9 * 4 + 4 * 3 + 8 * 4 + scaling
    assert set(names) < set(every)


def test_names_are_spelt_in_one_way():
    for name in task_names(every_metric=True):
        assert str(parse_task(name)) == name
        assert str(parse_task(f" {name}\n")) == name
    assert str(parse_task("nb201/cifar10:val_acc")) == "nb201/cifar10"
    assert str(parse_task("nb201/cifar10:latency")) == "nb201/cifar10:latency"


def test_a_task_is_loaded_once(load):
    assert load("nb201/cifar10") is load("nb201/cifar10:val_acc")
    assert load("nb201/cifar10").name == "nb201/cifar10"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nb2o1/cifar10", "unknown space 'nb2o1'. Did you mean 'nb201'?"),
        ("", "unknown space ''."),
        (
            "nb201",
            "the task 'nb201' names no dataset. Write one of: nb201/cifar10, nb201/cifar100",
        ),
        ("nb201/", "names no dataset"),
        ("nb201:val_acc", "names no dataset"),
        ("nb201/cifar", "unknown dataset of nb201 'cifar'. Did you mean 'cifar10'?"),
        ("nb201/cifar10/x", "unknown dataset of nb201 'cifar10/x'"),
        ("nb201/cifar10:", "unknown metric of nb201 ''. Known: val_acc, latency"),
        ("nb201/cifar10:val-acc", "Did you mean 'val_acc'?"),
        ("nb201/cifar10:val_acc:x", "unknown metric of nb201 'val_acc:x'"),
    ],
)
def test_unknown_names_are_told_in_one_line(name, message):
    for function in (parse_task, load_task):
        with pytest.raises(UsageError) as caught:
            function(name)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_metrics_say_what_they_are():
    for name in SPACES:
        benchmark = SPACES[name]
        assert benchmark.name == name
        assert len({metric.name for metric in benchmark.metrics}) == len(benchmark.metrics)
        for metric in benchmark.metrics:
            assert metric.unit in {"%", "s", "parameters", "loss", "FLOPs"}
            assert metric.description


def test_fingerprints_name_the_data(load):
    tasks = [load(name) for name in task_names()]
    prints = [task.fingerprint for task in tasks]
    assert len(set(prints)) == len(prints)
    assert all(len(each) == 64 and int(each, 16) >= 0 for each in prints)
    assert load("nb201/cifar10:latency").fingerprint == load("nb201/cifar10").fingerprint


def test_spaces_are_consistent(load):
    for name in ("nb201/cifar10", "nbgraph/cora", "nbgraph/proteins"):
        space = load(name).space
        assert len(space) == len(space.class_of) == len(space.architectures)
        assert space.classes == len(space.graphs) == space.class_of.max() + 1
        np.testing.assert_array_equal(
            space.class_of[space.first_of_class], np.arange(space.classes)
        )
        # Numbered by first occurrence: every new number is one more than the largest before.
        assert (np.diff(space.first_of_class) > 0).all()
        for at in (0, len(space) // 2, len(space) - 1):
            assert space.position(space.architectures[at]) == at
        with pytest.raises(UsageError, match="is not an architecture of"):
            space.position("nonsense")


def test_listing_and_loading_import_neither_torch_nor_pandas(warm_cache):
    code = (
        "import sys; from nasrank.benchmarks import load_task, task_names; task_names();"
        "load_task('nb201/cifar10');"
    )
    light = "assert not {'torch', 'pandas', 'scipy', 'analognasbench'} & set(sys.modules)"
    path = ":".join(sys.path)
    # The first fills the cache, which may take more; from then on it is read.
    for text in (code, code + light):
        subprocess.run(
            [sys.executable, "-c", text],
            check=True,
            env={"PYTHONPATH": path, "NASRANK_CACHE": str(warm_cache)},
        )


def make_task(values, *, higher_is_better=True):
    items = len(values)
    graphs = GraphBatch(
        np.zeros((items, 2), np.int16),
        np.zeros((items, 2, 2), np.uint8),
        np.ones((items, 2), np.bool_),
        ("input", "output"),
    )
    number = np.arange(items)
    space = Space("own", [str(n) for n in number], number, graphs, number)
    metric = Metric("loss", "%", higher_is_better, "a number")
    return Task("own/x", space, "x", metric, np.asarray(values), None, None, None, (), "")


def test_labels_are_means_over_the_seeds_there_are():
    nan = np.nan
    task = make_task([[1.0, 2.0, 6.0], [4.0, nan, 5.0], [nan, nan, nan], [7.0, nan, nan]])
    np.testing.assert_array_equal(task.labels, [(1 + 2 + 6) / 3, (4 + 5) / 2, nan, 7.0])
    np.testing.assert_array_equal(task.oriented_labels, task.labels)
    assert len(task) == 4


def test_means_that_differ_by_rounding_alone_are_equal():
    values = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.1, 0.2, 0.3 + 1e-9]]
    assert sum(values[0]) != sum(values[1])
    first, same, other = make_task(values).labels
    assert first == same != other
    assert first == pytest.approx(0.2, rel=1e-12)
    single = make_task([[0.1 + 0.2], [1e300 / 3]]).labels
    assert single.tolist() == [0.1 + 0.2, 1e300 / 3]


def test_lower_is_better_is_turned_round_for_ranking_only():
    task = make_task([[1.0, 3.0], [5.0, np.nan]], higher_is_better=False)
    np.testing.assert_array_equal(task.labels, [2.0, 5.0])
    np.testing.assert_array_equal(task.oriented_labels, [-2.0, -5.0])
    np.testing.assert_array_equal(task.oriented_values, [[-1.0, -3.0], [-5.0, np.nan]])


@given(
    arrays(np.float64, 12, elements=st.floats(-9, 9) | st.just(np.nan)),
    arrays(np.int64, 12, elements=st.integers(0, 4)),
)
def test_class_labels_are_means_of_known_labels(labels, class_of):
    found = class_labels(labels, class_of, 6)
    for number in range(6):
        known = [y for y, c in zip(labels, class_of, strict=True) if c == number and y == y]
        if known:
            assert found[number] == pytest.approx(sum(known) / len(known))
        else:
            assert np.isnan(found[number])


def test_the_classes_of_a_space_are_kept_by_what_they_depend_on(cache):
    operations = np.array([[0, 1, 2], [0, 1, 3], [0, 1, 2]], np.int16)
    wiring = np.zeros((3, 3, 3), np.uint8)
    wiring[:, 0, 2] = wiring[:, 2, 1] = 1
    graphs = GraphBatch(operations, wiring, operations >= 0, ("input", "output", "a", "b"))
    for _ in range(2):
        space = build_space("own", ("x", "y", "z"), graphs)
        assert space.class_of.tolist() == [0, 1, 0]
        assert space.first_of_class.tolist() == [0, 1]
        assert len(space.graphs) == 2
    assert build_space("own", ("x", "y", "z"), graphs, drop=("a", "b")).classes == 1
    assert len(list(cache.rglob("*.parquet"))) == 2
