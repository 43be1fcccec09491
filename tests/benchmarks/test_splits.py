from dataclasses import replace

import numpy as np
import pytest

from nasrank.benchmarks.space import class_labels
from nasrank.benchmarks.splits import largest_train_size, make_split
from nasrank.errors import DataError, UsageError

CLASS_SAMPLINGS = pytest.mark.parametrize("sampling", ["random", "stratified", "diverse"])
BOTH = pytest.mark.parametrize("split", ["class", "random"])


def test_the_random_split_is_the_published_protocol(make_task):
    task = make_task()
    split = make_split(task, 30, 5, split="random")
    drawn = np.random.default_rng(5).permutation(120)[:30]
    np.testing.assert_array_equal(split.train, drawn)
    np.testing.assert_array_equal(split.test, np.setdiff1d(np.arange(120), drawn))
    np.testing.assert_array_equal(split.targets, task.labels[drawn])
    np.testing.assert_array_equal(split.train_labels, task.labels[drawn])
    np.testing.assert_array_equal(split.test_labels, task.labels[split.test])
    np.testing.assert_array_equal(split.groups, task.space.class_of[split.test])
    assert split.in_train is None
    assert split.universe_size == 120


def test_the_random_split_of_the_real_cells_is_that_of_published_tables(load):
    task = load("nb201/cifar10")
    split = make_split(task, 156, 777, split="random")
    np.testing.assert_array_equal(split.train, np.random.default_rng(777).permutation(15625)[:156])
    assert len(split.test) == 15625 - 156


@CLASS_SAMPLINGS
def test_no_class_is_in_train_and_test(make_task, sampling):
    task = make_task(twins=3, parameters=np.arange(180.0))
    for seed in range(5):
        split = make_split(task, 20, seed, sampling=sampling)
        trained = task.space.class_of[split.train]
        tested = task.space.class_of[split.test]
        assert len(set(trained)) == 20
        assert not set(trained) & set(tested)
        # One item for each class that is left: its first in the space's order.
        assert sorted({*trained, *tested}) == list(range(60))
        np.testing.assert_array_equal(split.test, task.space.first_of_class[tested])
        assert (np.diff(tested) > 0).all()
        assert split.groups is None
        assert split.universe_size == 60


def test_classes_are_disjoint_on_real_cells(load):
    task = load("nb201/cifar10")
    split = make_split(task, 156, 0)
    trained, tested = task.space.class_of[split.train], task.space.class_of[split.test]
    assert len(set(trained)) == 156
    assert not set(trained) & set(tested)
    assert len(tested) == 5425 - 156


def test_a_test_label_is_the_mean_of_its_class_and_a_target_is_its_own(make_task):
    task = make_task(replicates=2)
    split = make_split(task, 20, 0)
    for item, label in zip(split.test, split.test_labels, strict=True):
        twins = task.space.class_of == task.space.class_of[item]
        assert label == pytest.approx(task.values[twins].mean())
    for item, target, worth in zip(split.train, split.targets, split.train_labels, strict=True):
        twins = task.space.class_of == task.space.class_of[item]
        assert target == pytest.approx(task.values[item].mean())
        assert worth == pytest.approx(task.values[twins].mean())


def test_the_class_split_takes_the_first_of_each_class_along_one_permutation(make_task):
    task = make_task(classes=45, twins=4)
    by_size = {n: make_split(task, n, 3).train for n in (2, 10, 20)}
    # All but the last architectures of a permutation, so mostly not the first of their class.
    first = task.space.first_of_class[task.space.class_of[by_size[20]]]
    assert (by_size[20] != first).any()
    for n in (2, 10):
        np.testing.assert_array_equal(by_size[n], by_size[20][:n])


@CLASS_SAMPLINGS
def test_training_sets_are_nested_over_n_and_differ_over_seeds(make_task, sampling):
    task = make_task(parameters=np.arange(120.0))
    for seed in range(3):
        sizes = [make_split(task, n, seed, sampling=sampling).train for n in (5, 12, 25)]
        np.testing.assert_array_equal(sizes[0], sizes[2][:5])
        np.testing.assert_array_equal(sizes[1], sizes[2][:12])
    sets = {frozenset(make_split(task, 12, s, sampling=sampling).train.tolist()) for s in range(5)}
    assert len(sets) == 5


@BOTH
def test_the_same_call_gives_the_same_split(make_task, split):
    one, two = (
        make_split(make_task(replicates=3), 20, 4, split=split, labels="single") for _ in range(2)
    )
    for name in ("train", "targets", "train_labels", "test", "test_labels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@BOTH
def test_single_labels_never_tell_what_is_tested(make_task, split):
    # Replicates that name themselves: item i, replicate r is worth 1000 i + 10^r, so that the
    # mean of the others spells which one was left out.
    task = make_task()
    values = 1000.0 * np.arange(120)[:, None] + np.array([1.0, 10.0, 100.0])
    task = make_task(values, twins=1, classes=120)
    run = make_split(task, 40, 1, split=split, labels="single", test="all")
    told = run.targets - 1000 * run.train
    assert set(told) == {1.0, 10.0, 100.0}
    np.testing.assert_allclose(run.train_labels - 1000 * run.train, (111 - told) / 2)
    at = dict(zip(run.test, run.test_labels, strict=True))
    np.testing.assert_allclose([at[item] for item in run.train], run.train_labels)
    assert not set(run.targets) & set(run.test_labels)


def test_single_labels_are_drawn_once_for_all_sizes_and_splits(make_task):
    task = make_task(replicates=3, twins=1)
    small, large = (make_split(task, n, 2, labels="single") for n in (10, 30))
    np.testing.assert_array_equal(small.targets, large.targets[:10])
    other = make_split(task, 30, 3, labels="single")
    shared = set(large.train) & set(other.train)
    told = [
        [split.targets[split.train.tolist().index(item)] for item in sorted(shared)]
        for split in (large, other)
    ]
    assert told[0] != told[1]


def test_single_labels_pass_over_missing_replicates(make_task):
    values = 100.0 + np.arange(240).reshape(80, 3)
    values[:, 1] = np.nan
    values[:5, 2] = np.nan  # one value: nothing to test against
    task = make_task(values, classes=80, twins=1)
    split = make_split(task, 30, 0, labels="single", test="all")
    assert np.isfinite(split.targets).all()
    assert np.isfinite(split.test_labels).all()
    assert set(split.test) == set(range(5, 80))
    for item, target, worth in zip(split.train, split.targets, split.train_labels, strict=True):
        assert {target, worth} == {values[item, 0], values[item, 2]}


def test_single_labels_need_replicates(make_task):
    with pytest.raises(UsageError, match="--labels single needs values of several training seeds"):
        make_split(make_task(), 20, 0, labels="single")


def test_single_labels_of_real_cells(load):
    split = make_split(load("nb201/cifar10"), 78, 0, labels="single")
    assert (split.targets != split.train_labels).mean() > 0.9
    # Both are accuracies of the same cells, so they agree but for the noise of training.
    assert np.median(np.abs(split.targets - split.train_labels)) < 1


@BOTH
def test_everything_is_scored_on_request(make_task, split):
    task = make_task()
    rest, everything = (make_split(task, 20, 0, split=split, test=t) for t in ("rest", "all"))
    units = 60 if split == "class" else 120
    assert len(everything.test) == units
    assert everything.in_train.sum() == 20
    assert everything.universe_size == rest.universe_size == units
    np.testing.assert_array_equal(everything.train, rest.train)
    np.testing.assert_array_equal(everything.test[~everything.in_train], rest.test)
    np.testing.assert_array_equal(everything.test_labels[~everything.in_train], rest.test_labels)
    seen = everything.test[everything.in_train]
    if split == "random":
        assert set(seen) == set(rest.train)
    assert set(task.space.class_of[seen]) == set(task.space.class_of[rest.train])


@BOTH
def test_unlabelled_architectures_are_passed_over(make_task, split):
    full = make_task()
    values = full.values.copy()
    gone = np.arange(0, 120, 3)
    values[gone] = np.nan
    task = make_task(values)
    run = make_split(task, 20, 0, split=split, test="all")
    assert not set(run.train) & set(gone)
    assert np.isfinite(run.targets).all()
    worth = class_labels(task.labels, task.space.class_of, 60)
    if split == "class":
        np.testing.assert_array_equal(run.test_labels, worth[task.space.class_of[run.test]])
        assert len(run.test) == np.isfinite(worth).sum()
    else:
        order = np.random.default_rng(0).permutation(120)
        np.testing.assert_array_equal(run.train, order[~np.isin(order, gone)][:20])
        assert not set(run.test) & set(gone)


@BOTH
def test_lower_is_better_is_turned_round(make_task, split):
    up, down = (make_task(higher_is_better=way) for way in (True, False))
    a, b = (make_split(task, 20, 0, split=split) for task in (up, down))
    np.testing.assert_array_equal(a.train, b.train)
    for name in ("targets", "train_labels", "test_labels"):
        np.testing.assert_allclose(getattr(a, name), -getattr(b, name))


def test_the_largest_size_is_four_fifths_and_leaves_twenty(make_task):
    # Of 60 classes four fifths are 48, but then 12 would be left to test: 60 - 20 = 40.
    assert largest_train_size(make_task(), "class") == 40
    assert largest_train_size(make_task(), "random") == 96
    assert largest_train_size(make_task(classes=30), "class") == 10
    values = np.full((120, 2), 50.0) + np.arange(240).reshape(120, 2)
    values[:40, 1] = np.nan
    task = make_task(values, twins=1, classes=120)
    assert largest_train_size(task, "class") == 96
    assert largest_train_size(task, "class", "single") == 60


def test_the_largest_size_of_real_tasks(load):
    assert largest_train_size(load("nb201/cifar10"), "class") == 4340
    assert largest_train_size(load("nb201/cifar10"), "random") == 12_500
    assert largest_train_size(load("nbgraph/proteins"), "class") == 1616


@BOTH
@pytest.mark.parametrize("labels", ["mean", "single"])
def test_every_allowed_size_gives_just_that_many(make_task, split, labels):
    values = 50 + np.random.default_rng(0).random((120, 2))
    values[::4, 1] = np.nan
    task = make_task(values)
    largest = largest_train_size(task, split, labels)
    for sampling in ("random", "diverse") if split == "class" else ("random",):
        for n in (2, largest):
            run = make_split(task, n, 0, split=split, labels=labels, sampling=sampling)
            assert len(run.train) == len(run.targets) == len(run.train_labels) == n
            assert len(run.test) >= 20


@pytest.mark.parametrize("n", [-3, 0, 1, 41])
def test_sizes_out_of_range_say_what_is_allowed(make_task, n):
    with pytest.raises(UsageError) as caught:
        make_split(make_task(), n, 0)
    assert str(caught.value) == (
        f"--n-train {n} is out of range for toy/x: choose 2 to 40 "
        "(80 % of its labelled classes, 20 left to test)"
    )
    with pytest.raises(UsageError, match="80 % of its labelled architectures"):
        make_split(make_task(), 97, 0, split="random")


def test_single_labels_have_a_range_of_their_own(make_task):
    values = 50 + np.random.default_rng(0).random((120, 2))
    values[:60, 1] = np.nan
    task = make_task(values, classes=120, twins=1)
    assert len(make_split(task, 60, 0).train) == 60
    with pytest.raises(UsageError, match="choose 2 to 40"):
        make_split(task, 41, 0, labels="single")


@BOTH
def test_too_few_labels_are_the_data_s_fault(make_task, split):
    values = np.full((120, 1), np.nan)
    with pytest.raises(DataError, match="toy/x: too few labelled"):
        make_split(make_task(values), 2, 0, split=split)
    values[:10, 0] = np.arange(10)
    with pytest.raises(DataError, match="too few labelled"):
        make_split(make_task(values), 2, 0, split=split)


@BOTH
def test_equal_labels_are_the_data_s_fault(make_task, split):
    task = make_task(np.full((120, 1), 93.0))
    with pytest.raises(DataError, match="toy/x: all labels are equal") as caught:
        make_split(task, 20, 0, split=split)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"split": "clas"}, "unknown split 'clas'. Did you mean 'class'?"),
        ({"labels": "means"}, "unknown labels 'means'. Did you mean 'mean'?"),
        ({"test": "everything"}, "unknown test 'everything'. Known: rest, all."),
        ({"sampling": "diverze"}, "unknown sampling 'diverze'. Did you mean 'diverse'?"),
        (
            {"split": "random", "sampling": "diverse"},
            "--sampling diverse needs --split class, since its seed fixes the random split",
        ),
    ],
)
def test_unknown_names_are_told(make_task, names, message):
    with pytest.raises(UsageError) as caught:
        make_split(make_task(), 20, 0, **names)
    assert message in str(caught.value)


def failing(task, rows):
    """The same task where the trainings of some rows failed."""
    values, failed = task.values.copy(), np.zeros(len(task), bool)
    values[rows], failed[rows] = np.nan, True
    return replace(task, values=values, failed=failed)


@BOTH
def test_a_failed_training_costs_a_place_and_is_level_with_the_worst(make_task, split):
    task = make_task(twins=1, classes=120)
    broken = failing(task, np.arange(0, 120, 4))
    drawn = make_split(broken, 30, 1, split=split)
    failed = broken.failed[drawn.train]
    # The draw is that of the task without failures, so they were not skipped.
    np.testing.assert_array_equal(drawn.train, make_split(task, 30, 1, split=split).train)
    assert 0 < failed.sum() < 30
    assert (drawn.targets[failed] == drawn.targets[~failed].min()).all()
    assert (drawn.train_labels[failed] == drawn.targets[~failed].min()).all()
    np.testing.assert_array_equal(drawn.targets[~failed], task.labels[drawn.train[~failed]])
    assert not broken.failed[drawn.test].any()
    assert len(drawn.test) == 90 - (~failed).sum()


def test_a_failed_twin_of_a_labelled_architecture_is_not_drawn_by_class(make_task):
    task = make_task(twins=2)
    broken = failing(task, task.space.first_of_class)
    for seed in range(3):
        assert not broken.failed[make_split(broken, 20, seed).train].any()


def test_where_all_that_is_drawn_failed_there_is_nothing_to_learn(make_task):
    task = make_task(twins=1, classes=120)
    rows = make_split(task, 5, 3).train
    with pytest.raises(DataError, match="all 5 trainings drawn failed"):
        make_split(failing(task, rows), 5, 3)
