"""How settings, chains and graphs become the rows of a kernel."""

import numpy as np
import pytest

from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.predictors.kernel_columns import column_tables
from nasrank.predictors.kernel_rows import KernelRows

RNG = np.random.default_rng(1)


def settings_of(values, *columns):
    return Settings(tuple(columns), np.array(values, float))


def number(name, scale="linear", series=""):
    return Setting(name, "number", scale, series=series)


def test_numbers_are_read_as_given_and_on_a_log_scale():
    rates, levels = [1e-4, 1e-3, 1e-2, 1e-1], [2, 1, 4, 3]
    settings = settings_of(
        list(zip(rates, levels, strict=True)), number("rate", "log"), number("level")
    )
    given, logs = column_tables(settings)
    assert [c.scale for c in given.settings] == ["log", "linear"]
    assert [c.scale for c in logs.settings] == ["log", "log"]
    np.testing.assert_allclose(given.rows(settings)[:, 0], np.array([-3, -1, 1, 3]) / np.sqrt(5))
    np.testing.assert_allclose(given.rows(settings)[:, 1], np.array([-1, -3, 3, 1]) / np.sqrt(5))


def test_a_number_that_reaches_zero_stays_linear():
    settings = settings_of([[0], [1], [10], [100]], number("decay"))
    assert [t.settings[0].scale for t in column_tables(settings)] == ["linear"]


def test_other_architectures_below_all_known_values_are_taken_as_the_least():
    settings = settings_of([[0.1], [1], [10]], number("rate", "log"))
    table = column_tables(settings)[0]
    lower = table.rows(settings_of([[-5.0], [0.1]], number("rate")))
    np.testing.assert_allclose(lower[0], lower[1])


def test_copies_and_constants_are_dropped_and_series_share_a_group():
    base = RNG.normal(size=40)
    values = np.stack([base, 3 * base - 1, np.full(40, 7.0), RNG.normal(size=40)], axis=1)
    settings = settings_of(
        values, number("a", series="s"), number("copy"), number("same"), number("b", series="s")
    )
    (table,) = column_tables(settings)
    rows = table.rows(settings)
    assert rows.shape == (40, 2)
    assert table.groups.tolist() == [0, 0]
    np.testing.assert_allclose(rows.std(axis=0), 1)


def test_settings_alone_have_no_views_and_graphs_have_statistics_as_columns(graphs):
    alone = GraphBatch.of_settings(settings_of([[1], [2], [3]], number("depth")))
    assert not KernelRows(alone).reference[0].views
    (rows,) = KernelRows(graphs).reference
    assert set(rows.views) == {"counts", "paths", "untrained"}
    assert rows.columns.shape[1] > 3
    with_proxies = KernelRows(graphs, RNG.normal(size=(50, 2))).reference[0]
    assert with_proxies.columns.shape[1] == rows.columns.shape[1] + 2


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_of_other_graphs_are_those_they_would_have_had(graphs, seed):
    rows = KernelRows(graphs)
    items = np.random.default_rng(seed).permutation(50)[:7]
    (own,) = rows.of(graphs[items])
    np.testing.assert_allclose(own.columns, rows.reference[0].columns[items], atol=1e-6)
    for name, view in own.views.items():
        np.testing.assert_allclose(view, rows.reference[0].views[name][items], atol=1e-4)
