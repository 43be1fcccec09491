import math
from dataclasses import replace

import numpy as np
import pytest

from nasrank.errors import DataError
from nasrank.questions.search.problem import load_problem, problem_of

SCATTER = [0, 1, 0, 2, 1, 2]


def values(rows):
    return np.array(rows, float)


def test_a_class_is_worth_the_mean_of_its_architectures(make_task):
    task = make_task(classes=3, twins=2)
    problem = problem_of(task)
    for place, number in enumerate(problem.classes):
        members = np.flatnonzero(task.space.class_of == number)
        assert problem.labels[place] == pytest.approx(task.labels[members].mean())
        assert problem.architecture[place] == members[0]


def test_unlabelled_architectures_cannot_be_evaluated(make_task):
    whole = make_task(classes=4, twins=2)
    labels = whole.values.copy()
    gone = whole.space.class_of == 1
    labels[gone] = np.nan
    first = int(np.flatnonzero(whole.space.class_of == 2)[0])
    labels[first] = np.nan
    problem = problem_of(make_task(labels, classes=4, twins=2))
    assert problem.classes.tolist() == [0, 2, 3]
    # The class keeps the label of its other architecture, which stands for it.
    assert problem.architecture[1] == np.flatnonzero(whole.space.class_of == 2)[1]


def test_lower_is_better_is_turned(make_task):
    low = problem_of(make_task(higher_is_better=False))
    high = problem_of(make_task())
    assert np.array_equal(low.labels, -high.labels)
    assert (low.sign, high.sign) == (-1.0, 1.0)


def test_ranks_count_what_is_strictly_better(make_task):
    task = make_task(classes=4, twins=1)
    labels = np.empty(4)
    labels[:] = [5.0, 7.0, 7.0, 1.0]
    problem = problem_of(make_task(labels[:, None], classes=4, twins=1))
    by_class = dict(zip(task.space.class_of.tolist(), labels.tolist(), strict=True))
    expected = {7.0: 1, 5.0: 3, 1.0: 4}
    for number, rank in zip(problem.classes.tolist(), problem.ranks().tolist(), strict=True):
        assert rank == expected[by_class[number]]


def test_the_tolerance_by_hand(make_task):
    # Ten classes: the best tenth is the best one, with seeds 90, 92 and 94: variance
    # (4 + 0 + 4) / 2 = 4, so a standard error of 2 / sqrt(3).
    rows = np.full((10, 3), 50.0) + np.arange(10)[:, None]
    rows[4] = [90.0, 92.0, 94.0]
    problem = problem_of(make_task(rows, classes=10, twins=1))
    assert problem.tolerance == pytest.approx(2 / math.sqrt(3))
    assert problem.best == 92.0


def test_one_seed_has_no_tolerance(make_task):
    assert problem_of(make_task()).tolerance is None


def test_nothing_to_find(make_task):
    with pytest.raises(DataError, match="nothing to find"):
        problem_of(make_task(np.ones((120, 1))))


def test_validation_labels_come_with_test_labels(load):
    problem = load_problem("nbgraph/cora")
    assert problem.test_name == "nbgraph/cora:test_perf"
    assert np.isfinite(problem.test_labels).all()
    assert len(problem) == 26206
    assert load_problem("nbgraph/cora:test_perf").test_labels is None


def test_a_failed_training_can_be_evaluated_and_is_no_good(make_task):
    whole = make_task(classes=5, twins=2)
    labels, failed = whole.values.copy(), whole.space.class_of == 2
    labels[failed] = np.nan
    twin = int(np.flatnonzero(whole.space.class_of == 3)[0])
    labels[twin], failed[twin] = np.nan, True
    problem = problem_of(replace(whole, values=labels, failed=failed))
    assert problem.classes.tolist() == [0, 1, 2, 3, 4]
    assert problem.failed.tolist() == [False, False, True, False, False]
    assert problem.labels[2] == problem.labels[~problem.failed].min()
    # A labelled architecture stands for its class, not its failed twin.
    assert problem.architecture[3] == np.flatnonzero(whole.space.class_of == 3)[1]


def test_a_search_learns_no_more_from_a_failure_than_it_can_know(make_task):
    whole = make_task(classes=5, twins=1, higher_is_better=False)
    failed = whole.space.class_of == 2
    labels = np.where(failed[:, None], np.nan, whole.values)
    problem = problem_of(replace(whole, values=labels, failed=failed))
    best_two = np.argsort(-np.where(problem.failed, -np.inf, problem.labels))[:2]
    told = problem.told([best_two[0], 2, best_two[1]])
    # Level with the worst it has seen, not with the worst there is.
    assert told.tolist() == problem.labels[[best_two[0], best_two[1], best_two[1]]].tolist()
    assert problem.told([2]).tolist() == [0.0]
