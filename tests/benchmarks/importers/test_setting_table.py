"""Tables of settings: what each column is taken for, whatever the order of the table."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nasrank.benchmarks.importers import user
from nasrank.benchmarks.importers.cells import cell_of, spelled
from nasrank.benchmarks.importers.chains import places_in_chains
from nasrank.benchmarks.importers.column_roles import (
    NAMES_ROWS,
    lower_is_usually_better,
    why_no_setting,
)
from nasrank.benchmarks.importers.replicates import Replicates
from nasrank.benchmarks.importers.setting_kinds import is_geometric
from nasrank.benchmarks.importers.understood import read_wishes
from nasrank.errors import DataError, NasrankError, UsageError
from nasrank.graphs import isomorphism_classes


def text_of(columns):
    """CSV of columns of equal length."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    def read(columns, **how):
        path = tmp_path / "trials.csv"
        path.write_text(columns if isinstance(columns, str) else text_of(columns))
        how = {"label": ["acc"], **how}
        return user.read(path, **how)

    return read


RNG = np.random.default_rng(0)
ROWS = 40


def column(values, rows=ROWS):
    """The same few values again and again, in an order without a pattern."""
    return [values[each] for each in RNG.permutation(np.arange(rows) % len(values))]


def table(**columns):
    labels = RNG.normal(size=ROWS).round(6).tolist()
    # A second setting keeps whatever is tried from being the only column.
    return {"acc": labels, "other": column([1, 2, 4, 5, 6, 8, 9]), **columns}


def kinds(imported):
    found = imported.understood.settings
    return {} if found is None else {each.name: each for each in found.columns}


def left_out(imported):
    return {each.name: each.why for each in imported.understood.left_out}


@pytest.mark.parametrize(
    ("values", "kind", "scale", "levels"),
    [
        ([1, 2, 3, 4], "number", "linear", ()),
        ([0.1, 0.3, 0.5], "number", "linear", ()),
        ([1e-4, 1e-3, 1e-2], "number", "log", ()),
        ([0.0001, 0.0003, 0.001, 0.003], "number", "log", ()),
        ([16, 32, 64, 128], "number", "log", ()),
        ([3, 5, 7], "number", "linear", ()),
        ([2, 3, 4, 6], "number", "linear", ()),
        ([1, 2, 3, 4, 6], "number", "linear", ()),
        ([512, 2048, 4096, 8192], "number", "log", ()),
        ([-1, 10, 100], "number", "linear", ()),
        ([0, 1e-4, 1e-3, 1e-2], "ordered", "linear", ("0", "0.0001", "0.001", "0.01")),
        ([0, 1], "yes/no", "linear", ("no", "yes")),
        (["True", "False"], "yes/no", "linear", ("no", "yes")),
        (["on", "off"], "yes/no", "linear", ("no", "yes")),
        (["small", "large", "medium"], "ordered", "linear", ("small", "medium", "large")),
        (["XL", "S", "M"], "ordered", "linear", ("S", "M", "XL")),
        (["sgd", "adam"], "category", "linear", ("adam", "sgd")),
        (["none", "flip"], "category", "linear", ("flip", "none")),
        (["auto", 8, 16], "category", "linear", ("8", "16", "auto")),
        (["None", 8, 16, 24], "number", "linear", ()),
    ],
)
def test_kinds(read, values, kind, scale, levels):
    found = kinds(read(table(x=column(values))))["x"]
    assert (found.kind, found.scale, found.levels) == (kind, scale, levels)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (["torch"], "always torch"),
        ([""], "empty"),
        ([f"run-{n}" for n in range(ROWS)], "names of the rows"),
        ([f"https://x.org/{n % 7}" for n in range(ROWS)], "addresses"),
        ([f"2024-01-0{1 + n % 7} 10:00:00" for n in range(ROWS)], "times"),
        ([n + 1 for n in range(ROWS)], "row numbers"),
        (list(range(ROWS)), "row numbers"),
        (["a note that goes on " * 4, "b"], "free text"),
        (["[[1, 2], [3]]", "[[1], [2]]"], "lists within lists, or of more than 256 entries"),
    ],
)
def test_columns_that_are_no_settings(read, values, why):
    imported = read(table(x=column(values)))
    assert left_out(imported) == {"x": why}
    assert set(kinds(imported)) == {"other"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("seed", "seeds of trainings"),
        ("random_state", "seeds of trainings"),
        ("val_loss", "measured, not chosen"),
        ("testAccuracy", "measured, not chosen"),
        ("train_time", "measured, not chosen"),
        ("time_s", "measured, not chosen"),
        ("n_params", "measured, not chosen"),
        ("summary.best", "measured, not chosen"),
        ("_timestamp", "times"),
        ("config_id", "ids, or codes to give with --category"),
        ("loss_weight", None),
        ("label_smoothing", None),
        ("time_steps", None),
        ("config.score", None),
        ("width", None),
    ],
)
def test_names_tell_what_was_measured_from_what_was_chosen(read, name, why):
    found = left_out(read(table(**{name: column([3, 5, 9])})))
    assert found == ({} if why is None else {name: why})


def test_prefixes_say_what_was_chosen(read):
    columns = {"acc": RNG.normal(size=ROWS), "config/lr": column([1, 2]), "total": column([3, 4])}
    assert set(kinds(read(columns))) == {"config/lr", "total"}
    imported = read(columns | {"config/depth": column([2, 3, 4])})
    assert set(kinds(imported)) == {"config/lr", "config/depth"}
    assert left_out(imported) == {"total": "measured, or about the run"}


def test_a_counter_that_is_all_there_is_stays(read):
    columns = {"acc": RNG.normal(size=ROWS), "width": [*range(1, ROWS + 1)]}
    assert set(kinds(read(columns))) == {"width"}


def test_where_a_setting_applies(read):
    depth = column([2, 3, 4, 5])
    optimizer = column(["adam", "sgd", "lamb"])
    imported = read(
        table(
            depth=depth,
            optimizer=optimizer,
            kernel_1=column([3, 5, 7]),
            kernel_2=[k if d >= 4 else "" for k, d in zip(column([3, 5, 7]), depth, strict=True)],
            momentum=[0.5 + n / 99 if o == "sgd" else "" for n, o in enumerate(optimizer)],
            nesterov=["yes" if o == "sgd" else "" for o in optimizer],
            often=["" if n == 7 else k for n, k in enumerate(column([1, 2, 3]))],
        )
    )
    found = kinds(imported)
    assert found["kernel_2"].condition.setting == "depth"
    assert found["kernel_2"].condition.values == (4.0, 5.0)
    assert (found["kernel_2"].series, found["kernel_2"].position) == ("kernel_*", 1)
    assert found["kernel_1"].condition is None
    # Levels are sorted: adam, lamb, sgd.
    assert found["momentum"].condition.values == (2.0,)
    assert left_out(imported) == {"nesterov": "always yes where it applies"}
    # One row that lacks it shows no rule.
    assert found["often"].condition is None


def test_a_rule_with_one_exception_is_none(read):
    optimizer = column(["adam", "sgd"])
    momentum = [0.5 + n / 99 if o == "sgd" else "" for n, o in enumerate(optimizer)]
    momentum[optimizer.index("adam")] = 0.9
    assert kinds(read(table(optimizer=optimizer, momentum=momentum)))["momentum"].condition is None


@pytest.mark.parametrize(
    "texts", [["[3, 5]", "(7,)", "[3, 3, 5]", "[5, 3, 7]"], ["3;5", "7", "3;3;5", "5;3;7"]]
)
def test_lists_are_chains(read, texts):
    one = texts[1]
    texts = column(texts)
    imported = read(table(kernel=texts))
    found = {name: each for name, each in kinds(imported).items() if name != "other"}
    assert list(found) == ["kernel[0]", "kernel[1]", "kernel[2]"]
    assert {each.series for each in found.values()} == {"kernel[*]"}
    assert [each.position for each in found.values()] == [0, 1, 2]
    row = imported.understood.settings.values[texts.index(one)]
    assert row[1] == 7
    assert np.isnan(row[2:]).all()


@pytest.mark.parametrize(
    ("names", "chained"),
    [
        (["k1", "k2", "k3"], 3),
        (["k0", "k1"], 2),
        (["k1", "k3"], 0),
        (["beta1", "beta2"], 0),
        (["l1", "l2"], 0),
        (["n_units_l0", "n_units_l1"], 2),
        (["s1_b1", "s1_b2", "s2_b1"], 3),
        (["s1_b1", "s1_b2"], 0),
        (["conv1x1", "conv3x3", "conv5x5"], 0),
        (["depth", "width"], 0),
    ],
)
def test_names_of_chains(names, chained):
    assert len(places_in_chains(names)) == chained


def test_members_of_a_chain_have_the_same_levels(read):
    found = kinds(read(table(op1=column(["conv", "pool"]), op2=column(["pool", "skip"]))))
    assert found["op1"].levels == found["op2"].levels == ("conv", "pool", "skip")
    assert (found["op1"].position, found["op2"].position) == (0, 1)


def test_the_user_has_the_last_word(read):
    columns = table(
        layer=column([1, 2, 3]),
        size=column(["tall", "short"]),
        seed=column([0, 1]),
        lr=column([1, 2]),
    )
    wishes = read_wishes(
        kinds=["size=ordered:short<tall", "lr=log", "seed=number"],
        categories=["layer"],
        ignore=["other"],
    )
    imported = read(columns, wishes=wishes)
    found = kinds(imported)
    assert found["layer"].kind == "category"
    assert found["size"].levels == ("short", "tall")
    assert found["lr"].scale == "log"
    assert found["seed"].kind == "number"
    assert left_out(imported) == {"other": "ignored as asked"}
    chosen = read(columns, wishes=read_wishes(settings=["lr"]))
    assert set(kinds(chosen)) == {"lr"}


@pytest.mark.parametrize(
    ("wishes", "error", "message"),
    [
        ({"kinds": ["x=round"]}, UsageError, "'round' is no kind of setting"),
        ({"kinds": ["x"]}, UsageError, "write a column and its kind, as in lr=log"),
        ({"kinds": ["x=log"], "categories": ["x"]}, UsageError, "it is given two kinds"),
        ({"kinds": ["x=ordered:a<a"]}, UsageError, "different levels from low to high"),
        ({"kinds": ["x=ordered"]}, UsageError, "the order of a, b is not known"),
        ({"kinds": ["x=ordered:a<c"]}, DataError, "line .: x is 'b', not one of a, c"),
        ({"kinds": ["x=log"]}, DataError, "line 2: x is '.', not a finite number above 0"),
        ({"kinds": ["y=log"]}, UsageError, "unknown column of --setting 'y'"),
        ({"categories": ["y"]}, UsageError, "unknown column of --category 'y'"),
        ({"categories": [" "]}, UsageError, "--category is empty"),
        ({"settings": ["acc"]}, UsageError, "--settings acc: the column means something else"),
        ({"ignore": ["x"], "categories": ["x"]}, UsageError, "asked for as a setting too"),
    ],
)
def test_wrong_wishes_are_named_in_a_line(read, wishes, error, message):
    with pytest.raises(error, match=message) as caught:
        read(table(x=column(["a", "b"])), wishes=read_wishes(**wishes))
    assert "\n" not in str(caught.value)


def test_a_word_among_many_numbers_is_named(read):
    values = RNG.normal(size=ROWS).round(5).tolist()
    values[4] = "oops"
    with pytest.raises(DataError, match="line 6: x is 'oops', and a number in most rows"):
        read(table(x=values))


def test_names_of_architectures(read):
    columns = {
        "acc": [1, 2, 3, 4, 5, 6],
        "lr": [0.1, 0.2, 0.1, 0.4, 0.5, 0.1],
        "k": [1, 1, 1, 1, 1, 2],
    }
    imported = read(columns)
    assert imported.architectures == tuple(
        f"lr={lr}, k={k}" for lr, k in [(0.1, 1), (0.2, 1), (0.4, 1), (0.5, 1), (0.1, 2)]
    )
    assert imported.understood.repeats == 1
    named = read(columns | {"run": ["a", "b", "c", "d", "e", "f"]})
    assert named.architectures == ("a", "b", "c", "d", "e", "f")
    assert named.understood.named_by == "run"
    assert named.understood.repeats == 1
    assert isomorphism_classes(named.graphs).tolist() == [0, 1, 0, 2, 3, 4]
    ids = read(columns | {"id": ["a", "b", "a", "d", "e", "f"]})
    assert ids.architectures == ("a", "b", "d", "e", "f")
    with pytest.raises(DataError, match="line 4: id 'b' is also that of line 3"):
        read(columns | {"id": ["a", "b", "b", "d", "e", "f"]})


def test_rows_of_equal_settings_are_training_seeds_of_one_architecture(read):
    """By hand: 0.1 is trained three times and fails once, 0.2 fails twice, 0.3 has no label."""
    imported = read(
        {
            "lr": [0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.4, 0.1],
            "acc": [1, "failed", 2, "", "failed", "failed", 4, 3],
            "cost_seconds": [10, "", 20, "", "", 6, "", 60],
        }
    )
    (measured,) = imported.measurements
    nan = np.nan
    expected = [[1, 2, 3], [nan] * 3, [nan] * 3, [4, nan, nan]]
    np.testing.assert_array_equal(measured.values, expected)
    assert measured.metric.replicates
    assert measured.failed.tolist() == [False, True, False, False]
    np.testing.assert_array_equal(imported.cost_seconds["own"], [30, 6, nan, nan])
    assert imported.understood.settings.values[:, 0].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert imported.understood.repeats == 4
    # A group must not be divided, so what belongs to two of them stays two architectures.
    grouped = read({"lr": [0.1, 0.2, 0.1, 0.1], "acc": [1, 2, 3, 4], "group": ["a", "", "b", "a"]})
    assert grouped.architectures == ("lr=0.1", "lr=0.2", "lr=0.1 #2")
    assert grouped.groups == ["a", "", "b"]
    np.testing.assert_array_equal(grouped.measurements[0].values, [[1, 4], [2, nan], [3, nan]])


@settings(deadline=None)
@given(
    arrays(np.int64, st.integers(1, 30), elements=st.integers(0, 6)),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_no_label_is_lost_when_rows_are_joined(owners, seeds, random):
    draw = np.random.default_rng(random.getrandbits(32))
    values = np.where(
        draw.random((len(owners), seeds)) < 0.3, np.nan, draw.random((len(owners), seeds))
    )
    rows = Replicates.of([f"n{each}" for each in owners])
    joined = rows.labels(values)
    assert [f"n{each}" for each in owners[rows.first]] == [*dict.fromkeys(f"n{e}" for e in owners)]
    for number, first in enumerate(rows.first):
        own = values[owners == owners[first]]
        kept = joined[number]
        np.testing.assert_array_equal(kept[~np.isnan(kept)], own[~np.isnan(own)])
        np.testing.assert_allclose(
            rows.mean(values[:, 0])[number],
            np.nanmean(own[:, 0]) if (~np.isnan(own[:, 0])).any() else np.nan,
        )


def test_a_row_that_repeats_too_often_for_memory_joins_nothing():
    names = ["again"] * 5000 + [str(each) for each in range(5000)]
    assert Replicates.of(names).first.tolist() == [*range(len(names))]
    assert len(Replicates.of(names[4000:5100]).first) == 101


def test_graphs_have_settings_only_where_asked(read):
    columns = {
        "id": ["a", "b", "c"],
        "layers": ["x;y", "x", "y"],
        "acc": [1, 2, 3],
        "lr": [0.1, 0.2, 0.3],
    }
    plain = read(columns)
    assert plain.graphs.settings is None
    assert left_out(plain) == {"lr": "not asked for"}
    asked = read(columns, wishes=read_wishes(settings=["lr"]))
    assert asked.graphs.settings.names == ("lr",)
    assert asked.graphs.vocabulary == ("input", "output", "x", "y")
    # Numbers of layers are a setting, and no chain of operations.
    assert read(columns | {"layers": [2, 4, 8]}).graphs.settings.names == ("layers", "lr")


def test_failed_trials(read):
    imported = read(
        {
            "acc": ["1", "", "nan", "inf", "FAILED", "2", "3", "", "4", "5"],
            "lr": [*range(10)],
            "status": ["ok", "", "ok", "ok", "ok", "crashed", "RUNNING", "", "pruned", "ok"],
            "diverged": ["no", "no", "no", "no", "no", "no", "no", "no", "no", "yes"],
            "fail_reason": ["", "", "", "", "", "", "", "out of memory", "", ""],
        }
    )
    (measurement,) = imported.measurements
    nan = np.nan
    np.testing.assert_array_equal(
        measurement.values[:, 0], [1, nan, nan, nan, nan, nan, nan, nan, nan, nan]
    )
    assert (
        measurement.failed.tolist() == [False, False, True, True, True, True, False] + [True] * 3
    )
    assert imported.understood.unfinished == 1
    assert imported.understood.failures == {
        "acc nan": 1,
        "acc inf": 1,
        "acc failed": 1,
        "status crashed": 1,
        "fail_reason given": 1,
        "status pruned": 1,
        "diverged": 1,
    }
    assert imported.graphs.settings.names == ("lr",)


def test_one_failed_training_of_two_leaves_the_other(read):
    imported = read({"a": [1, "nan"], "b": ["nan", "nan"], "lr": [1, 2]}, label=["a", "b"])
    (measurement,) = imported.measurements
    assert measurement.failed.tolist() == [False, True]
    assert measurement.values[0, 0] == 1


@pytest.mark.parametrize(
    ("label", "lower"),
    [("val_loss", True), ("testError", True), ("ppl", True), ("accuracy", False),
     ("neg_mean_squared_error", False), ("floss", False), ("label", False)],
)  # fmt: skip
def test_direction_by_name(read, label, lower):
    assert lower_is_usually_better(label) == lower
    columns = {label: RNG.normal(size=ROWS), "lr": column([1, 2])}
    imported = read(columns, label=[label])
    assert imported.measurements[0].metric.higher_is_better != lower
    assert imported.understood.guessed_lower == lower
    for said in (True, False):
        imported = read(columns, label=[label], lower_is_better=said)
        assert imported.measurements[0].metric.higher_is_better != said
        assert not imported.understood.guessed_lower


def test_a_setting_that_orders_rows_like_the_label_is_pointed_out(read):
    labels = RNG.normal(size=ROWS)
    imported = read({"acc": labels, "x": labels * 2 + 1, "y": column([1, 2, 3])})
    (note,) = imported.understood.notes
    assert note.startswith("x orders the rows almost as acc does")


def test_label_smoothing_is_no_label(read):
    columns = {"label": RNG.normal(size=ROWS), "label_smoothing": column([0.1, 0.2])}
    imported = read(columns, label=[])
    assert imported.measurements[0].values.shape == (2, ROWS // 2)  # further trainings
    assert set(kinds(imported)) == {"label_smoothing"}


def complaint(call):
    """What a user would be told; any other error is one of ours."""
    try:
        call()
    except NasrankError as error:
        return str(error)
    return ""


# Laws.

numbers = st.lists(st.floats(1e-6, 1e6, allow_nan=False), min_size=3, max_size=20, unique=True)


@given(numbers, st.floats(1e-6, 1e6))
def test_a_unit_changes_no_scale(values, unit):
    values = np.array(values)
    scaled = values * unit
    gaps = [np.diff(np.sort(each)).min() / each.max() for each in (values, scaled)]
    if min(gaps) > 1e-9:  # else rounding makes equal what was not
        assert is_geometric(values) == is_geometric(scaled)


@given(numbers)
def test_no_order_changes_a_scale(values):
    assert is_geometric(values) == is_geometric(values[::-1])


cells = st.one_of(
    st.floats(-5, 5).map(lambda v: str(round(v, 2))),
    st.sampled_from(["", "-", "a", "b", "yes", "no", "1", "2", "[1, 2]", "3;4", "none", "small"]),
)


# Few values at times, so that rows with equal settings, of one architecture, are tried too.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_order_of_rows_or_columns_matters(read, data):
    rows = data.draw(st.integers(4, 12))
    names = ["x1", "x2", "y", "seed", "z"]
    few = data.draw(st.booleans())
    cell = st.sampled_from(["0.5", "a", ""]) if few else cells
    columns = {name: data.draw(st.lists(cell, min_size=rows, max_size=rows)) for name in names}
    columns["acc"] = [str(n) for n in range(rows)]
    order = data.draw(st.permutations(range(rows)))
    shuffled = {
        name: [columns[name][row] for row in order]
        for name in data.draw(st.permutations([*columns]))
    }
    try:
        first = read(columns)
    except NasrankError as error:
        with pytest.raises(type(error)):
            read(shuffled)
        return
    second = read(shuffled)
    assert kinds(first) == kinds(second)
    assert left_out(first) == left_out(second)
    # Rows of equal settings are one architecture, so rows are known by their labels.
    ours, theirs = ([rows_of(each)[n] for n in range(rows)] for each in (first, second))
    classes = isomorphism_classes(first.graphs)[ours]
    again = isomorphism_classes(second.graphs)[theirs]
    assert ((classes[:, None] == classes) == (again[:, None] == again)).all()
    # Values too, up to the order of columns.
    before, after = first.graphs.settings, second.graphs.settings
    place = [after.names.index(name) for name in before.names]
    np.testing.assert_array_equal(before.values[ours], after.values[theirs][:, place])


def rows_of(imported):
    """The architecture of each label, where no two rows have the same."""
    values = imported.measurements[0].values
    return {int(values[row, seed]): row for row, seed in np.argwhere(~np.isnan(values))}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text(max_size=12), min_size=4, max_size=4), min_size=1, max_size=8))
def test_no_text_is_too_strange(read, rows):
    columns = {name: [row[n] for row in rows] for n, name in enumerate("wxyz")}
    columns["acc"] = [str(n) for n in range(len(rows))]
    assert "\n" not in complaint(lambda: read(columns))


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "status"]), values), min_size=1, max_size=8
    )
)
def test_no_json_is_too_strange(tmp_path, rows):
    path = tmp_path / "trials.jsonl"
    lines = [json.dumps({"acc": number, **row}) for number, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    assert "\n" not in complaint(lambda: user.read(path, label=["acc"]))


def test_objects_are_no_settings(tmp_path):
    path = tmp_path / "trials.jsonl"
    rows = [{"acc": n, "lr": n % 3, "s": [{"k": 1}, n % 2]} for n in range(9)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    imported = user.read(path, label=["acc"])
    assert left_out(imported)["s[0]"] == "neither numbers nor words"
    assert "s[1]" in kinds(imported)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_spelt_number_is_read_back(value):
    assert cell_of(spelled(value)) == value


def test_two_rows_are_enough_for_names_where_the_heading_says_so():
    words = ["brave-fox", "calm-owl"]
    assert why_no_setting("run", words) == why_no_setting("trialName", words) == NAMES_ROWS
    assert why_no_setting("optimizer", words) is None
    assert why_no_setting("run", ["a", "b", "b"]) is None
