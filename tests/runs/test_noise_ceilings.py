"""The noise ceiling of every built-in task that has replicates."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.stats import rankdata

from nasrank.benchmarks import parse_task, task_names
from nasrank.benchmarks.nb201 import cell_codes, official_order
from nasrank.graphs.setting_columns import SettingColumns
from nasrank.metrics import kendall_tau
from nasrank.runs.evaluate import noise_taus

TASKS = [name for name in task_names() if parse_task(name).metric.replicates]


def neighbours_of_grid(task):
    """Mean rank of the configurations one step away in any number of settings."""
    values = task.space.graphs.settings.values
    shape = tuple(len(np.unique(column)) for column in values.T)
    ranks = rankdata(task.oriented_labels).reshape(shape)
    total, weight = ranks, np.ones(shape)
    for axis in range(len(shape)):
        total, weight = (
            convolve1d(each, [0.25, 1, 0.25], axis=axis, mode="constant")
            for each in (total, weight)
        )
    return ((total - ranks) / (weight - 1)).ravel()


def neighbours_of_cell(task):
    """Mean rank of the 24 cells that differ in one operation."""
    digits = official_order().astype(np.int64)
    position = np.empty(len(digits), np.int64)
    position[cell_codes(digits)] = np.arange(len(digits))
    ranks = rankdata(task.oriented_labels)
    total = np.zeros(len(digits))
    for edge in range(6):
        for step in range(1, 5):
            other = digits.copy()
            other[:, edge] = (other[:, edge] + step) % 5
            total += ranks[position[cell_codes(other)]]
    return total


def scatter(items):
    """Two standard errors of tau between unrelated orders, more than of related ones."""
    return 2 * np.sqrt(2 * (2 * items + 5) / (9 * items * (items - 1)))


def test_these_are_all_tasks_with_replicates():
    assert [name.partition("/")[0] for name in TASKS] == 3 * ["nb201"] + 4 * ["hpolib"] + 8 * [
        "hpobench"
    ]


@pytest.mark.parametrize("name", TASKS)
def test_no_predictor_stands_above_the_ceiling(name, load):
    task = load(name)
    single, ceiling = noise_taus(task)
    assert single <= ceiling < 1
    smooth = neighbours_of_cell(task) if name.startswith("nb201") else neighbours_of_grid(task)
    # Scores that tie where they are not sure do better by tau-b.
    coarse = np.round(smooth / np.ptp(smooth) * 20)
    reached = [kendall_tau(scores, task.oriented_labels) for scores in (smooth, coarse)]
    assert min(reached) > 0.6
    assert max(reached) <= ceiling + scatter(len(task))


@pytest.mark.parametrize("name", ["hpobench/credit_g", "hpolib/protein_structure"])
def test_boosting_from_most_labels_stays_below_the_ceiling(name, load):
    """It comes within .04, so that a bound much lower would not hold."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    task = load(name)
    columns = SettingColumns.of(task.space.graphs.settings).rows(task.space.graphs.settings)
    ranks = rankdata(task.oriented_labels) / len(task)
    order = np.random.default_rng(0).permutation(len(task))
    train, test = order[: 7 * len(order) // 10], order[7 * len(order) // 10 :]
    model = ensemble.HistGradientBoostingRegressor(
        max_iter=300, max_leaf_nodes=63, early_stopping=False
    )
    scores = model.fit(columns[train], ranks[train]).predict(columns[test])
    _, ceiling = noise_taus(task)
    for shown in (scores, np.round(20 * scores)):
        tau = kendall_tau(shown, task.oriented_labels[test])
        assert ceiling - 0.06 < tau <= ceiling + scatter(len(test))
