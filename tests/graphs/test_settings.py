from dataclasses import replace

import numpy as np
import pytest

from nasrank.errors import DataError
from nasrank.graphs import GraphBatch, canonicalise, isomorphism_classes, joined
from nasrank.graphs.features import FeatureReference, graph_features, node_numbers
from nasrank.graphs.setting_columns import SettingColumns
from nasrank.graphs.settings import Setting, Settings

LR = Setting("lr", "number", "log")
DEPTH = Setting("depth", "number")
SIZE = Setting("size", "ordered", levels=("small", "medium", "large"))
OPTIMIZER = Setting("optimizer", "category", levels=("adam", "lion", "sgd"))
BIAS = Setting("bias", "yes/no", levels=("no", "yes"))
ALL = (LR, DEPTH, SIZE, OPTIMIZER, BIAS)


def table(items=40, seed=0, columns=ALL):
    rng = np.random.default_rng(seed)
    drawn = {
        "lr": 10 ** rng.uniform(-4, -1, items),
        "depth": rng.integers(2, 9, items),
        "size": rng.integers(0, 3, items),
        "optimizer": rng.integers(0, 3, items),
        "bias": rng.integers(0, 2, items),
    }
    return Settings(columns, np.stack([drawn[each.name] for each in columns], 1).astype(float))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "float"}, "no kind 'float'"),
        ({"kind": "number", "levels": ("a",)}, "levels"),
        ({"kind": "category"}, "levels"),
        ({"kind": "category", "levels": ("a", "a")}, "levels"),
        ({"kind": "category", "scale": "log", "levels": ("a",)}, "only a number has a log scale"),
        ({"kind": "yes/no", "levels": ("yes", "no")}, "the levels no and yes"),
    ],
)
def test_contradictory_settings_are_refused(unchecked, fields, message):
    with pytest.raises(DataError, match=message):
        Setting("x", **fields)


@pytest.mark.parametrize(
    ("column", "value"),
    [(LR, 0.0), (LR, -1.0), (DEPTH, np.inf), (SIZE, 3.0), (SIZE, -1.0), (OPTIMIZER, 0.5)],
)
def test_values_that_a_column_cannot_have_are_refused(column, value):
    with pytest.raises(DataError, match=f"setting '{column.name}': {value:g} is not a value"):
        Settings((column,), np.array([[1.0], [value]]))
    assert len(Settings((column,), np.array([[1.0], [np.nan]]))) == 2


def test_names_are_unique_and_rows_complete(unchecked):
    with pytest.raises(DataError, match="names of their own"):
        Settings((LR, LR), np.ones((2, 2)))
    with pytest.raises(DataError, match="for 2 names"):
        Settings((LR, DEPTH), np.ones((2, 3)))


def test_a_row_and_a_change_are_spelt_as_people_do():
    settings = Settings(ALL, np.array([[3e-4, 4, 0, 2, 1], [1e-3, 5, 0, np.nan, 0]]))
    assert settings.text(0) == "lr=0.0003, depth=4, size=small, optimizer=sgd, bias=yes"
    assert settings.text(1) == "lr=0.001, depth=5, size=small, bias=no"
    assert settings.changes(0, 1) == [
        "lr 0.0003 -> 0.001",
        "depth +1",
        "without optimizer",
        "bias yes -> no",
    ]
    assert settings.changes(1, 0)[1:3] == ["depth -1", "with optimizer sgd"]
    close = Settings((LR,), np.array([[0.00030004], [0.00030001], [0.1234]]))
    assert close.changes(0, 1) == ["lr 0.00030004 -> 0.00030001"]
    assert close.changes(0, 2) == ["lr 0.0003 -> 0.123"]
    assert settings.changes(0, 0) == []


def test_recoding_keeps_what_every_row_says():
    settings = table()
    turned = (replace(OPTIMIZER, levels=("sgd", "new", "adam", "lion")), DEPTH, LR, BIAS, SIZE)
    other = settings.recoded(turned)
    for row in range(len(settings)):
        assert {*other.text(row).split(", ")} == {*settings.text(row).split(", ")}
    with pytest.raises(DataError, match="'optimizer' has no level 'sgd'"):
        settings.recoded((replace(OPTIMIZER, levels=("adam", "lion")),))
    with pytest.raises(DataError, match="'width' is missing"):
        settings.recoded((Setting("width", "number"),))
    with pytest.raises(DataError, match="'depth' is number, not ordered"):
        settings.recoded((replace(SIZE, name="depth"),))


def test_columns_are_standardised_and_a_category_weighs_as_much_as_a_number():
    settings = table(500)
    columns = SettingColumns.of(settings)
    assert columns.names == (
        *("lr", "depth", "size"),
        *("optimizer=adam", "optimizer=lion", "optimizer=sgd", "bias"),
    )
    assert columns.group.tolist() == [0, 1, 2, 3, 3, 3, 4]
    rows = columns.rows(settings)
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    for number in range(5):
        assert rows[:, columns.group == number].var(axis=0).sum() == pytest.approx(1)
    logs = np.log(settings.values[:, 0])
    np.testing.assert_allclose(rows[:, 0], (logs - logs.mean()) / logs.std())


def test_units_of_a_number_do_not_matter():
    settings = table()
    values = settings.values.copy()
    values[:, 0] *= 1000
    values[:, 1] = 7 * values[:, 1] - 3
    rows = SettingColumns.of(settings).rows(settings)
    other = replace(settings, values=values)
    np.testing.assert_allclose(SettingColumns.of(other).rows(other), rows, atol=1e-12)


def test_missing_settings_are_the_mean_and_one_column_says_so():
    settings = table(20, columns=(LR, DEPTH))
    settings.values[:5] = np.nan
    columns = SettingColumns.of(settings)
    # Both are missing together, so one column says so for both.
    assert columns.names == ("lr", "lr given", "depth")
    rows = columns.rows(settings)
    assert not rows[:5, [0, 2]].any()
    assert (rows[:5, 1] < 0).all()
    assert (rows[5:, 1] > 0).all()


def test_a_constant_setting_takes_no_column_and_other_rows_keep_the_scale():
    settings = table()
    settings.values[:, 1] = 4
    columns = SettingColumns.of(settings)
    assert "depth" not in columns.names
    np.testing.assert_array_equal(columns.rows(settings[[3]]), columns.rows(settings)[[3]])


def test_architectures_are_one_class_exactly_if_all_settings_agree():
    settings = table(30)
    settings.values[7] = settings.values[3]
    settings.values[9, 1] = settings.values[8, 1] = np.nan
    settings.values[9] = settings.values[8]
    settings.values[10] = settings.values[11]
    settings.values[10, 4] = 1 - settings.values[10, 4]
    graphs = GraphBatch.of_settings(settings)
    assert graphs.only_settings
    classes = isomorphism_classes(canonicalise(graphs))
    assert classes[7] == classes[3]
    assert classes[9] == classes[8]
    assert classes[10] != classes[11]
    assert len({*classes.tolist()}) == 28


def test_settings_join_features_and_follow_their_architecture(make_graphs):
    graphs = replace(make_graphs(40), settings=table())
    plain = replace(graphs, settings=None)
    columns = SettingColumns.of(table())
    features = graph_features(graphs)
    width = graph_features(plain).shape[1]
    np.testing.assert_array_equal(features[:, :width], graph_features(plain))
    rows = columns.rows(table()).astype(np.float32)
    np.testing.assert_array_equal(features[:, width:], rows)
    numbers = node_numbers(graphs, FeatureReference.of(graphs))
    np.testing.assert_array_equal(numbers[graphs.mask], np.repeat(rows, graphs.sizes(), axis=0))
    assert not numbers[~graphs.mask].any()
    some = graphs[[5, 2]]
    np.testing.assert_array_equal(some.settings.values, graphs.settings.values[[5, 2]])
    both = joined([some, graphs[[9]]])
    np.testing.assert_array_equal(both.settings.values, graphs.settings.values[[5, 2, 9]])
    with pytest.raises(DataError, match="40 rows of settings for 2 architectures"):
        replace(some, settings=table())
