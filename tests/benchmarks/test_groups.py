"""Groups of architectures stay on one side of a split by class."""

from dataclasses import replace

import numpy as np
import pytest

from nasrank.benchmarks.groups import class_units, largest_side, train_side
from nasrank.benchmarks.splits import largest_train_size, make_split
from nasrank.errors import DataError, UsageError


@pytest.fixture
def grouped(make_task):
    """Sixty classes of two architectures in groups of six classes; the last twelve have none."""
    task = make_task()
    group_of = task.space.class_of // 6
    return replace(task, group_of=np.where(group_of < 8, group_of, -1))


def test_units_by_hand():
    # Class 1 has an architecture in each of two groups and so joins them.
    class_of = np.array([0, 1, 1, 2, 3, 3, 4])
    group_of = np.array([7, 7, 2, 2, -1, -1, 5])
    assert class_units(class_of, group_of, 5).tolist() == [0, 0, 0, 1, 2]


def test_units_without_groups_are_the_classes():
    assert class_units(np.array([0, 1, 0, 2]), np.full(4, -1), 3).tolist() == [0, 1, 2]
    assert class_units(np.zeros(0, int), np.zeros(0, int), 0).tolist() == []


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        ([1] * 10, 5, 5),
        ([], 5, 0),
        ([9], 5, 0),
        # Fits alone, and nothing else is there.
        ([9, 3], 5, 3),
        ([3, 3], 3, 3),
        ([2, 2, 4], 4, 2),
    ],
)
def test_the_largest_side_by_hand(sizes, most, expected):
    assert largest_side(np.array(sizes, int), most) == expected


def test_every_order_fills_the_largest_side():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = rng.integers(1, 12, rng.integers(1, 9))
        unit = np.repeat(np.arange(len(sizes)), sizes)
        most = int(rng.integers(0, 30))
        side = train_side(unit, rng.permutation(len(unit)), most)
        assert largest_side(sizes, most) <= side.sum() <= most
        assert all(len(set(side[unit == number])) == 1 for number in range(len(sizes)))


@pytest.mark.parametrize("sampling", ["random", "stratified"])
def test_no_group_is_on_both_sides(grouped, sampling):
    # Of 60 classes at most 40 may be trained on, and groups of six need not fill that.
    assert largest_train_size(grouped, "class") == 40 - 6 + 1
    largest = 60 // 2 - 6 + 1
    for seed in range(5):
        split = make_split(grouped, largest, seed, sampling=sampling)
        trained, tested = (
            {*grouped.group_of[items].tolist()} - {-1} for items in (split.train, split.test)
        )
        assert not trained & tested
        classes = grouped.space.class_of
        assert not {*classes[split.train]} & {*classes[split.test]}
        assert len(split.train) == largest
        # All of the other side: half of the classes, or a little more.
        assert 30 <= len(split.test) <= 36


def test_smaller_training_sets_begin_larger_ones_and_share_their_test(grouped):
    small, large = (make_split(grouped, n, 3) for n in (10, 25))
    np.testing.assert_array_equal(large.train[:10], small.train)
    np.testing.assert_array_equal(large.test, small.test)


@pytest.mark.parametrize("sampling", ["random", "stratified", "diverse"])
def test_a_training_set_beyond_half_takes_more_groups(grouped, sampling):
    largest = largest_train_size(grouped, "class")
    for seed in range(10):
        small = make_split(grouped, 24, seed, sampling=sampling)
        large = make_split(grouped, largest, seed, sampling=sampling)
        assert len({*large.train.tolist()}) == largest
        np.testing.assert_array_equal(large.train[:24], small.train)
        assert {*large.test.tolist()} < {*small.test.tolist()}
        assert len(large.test) >= 20
        sides = [{*grouped.group_of[items].tolist()} - {-1} for items in (large.train, large.test)]
        assert not sides[0] & sides[1]


def test_training_sets_of_one_seed_mix_groups(grouped):
    split = make_split(grouped, 20, 0)
    assert len({*grouped.group_of[split.train].tolist()}) > 2


def test_the_random_split_knows_no_groups(grouped, make_task):
    assert largest_train_size(grouped, "random") == 96
    one, other = (make_split(task, 30, 2, split="random") for task in (grouped, make_task()))
    np.testing.assert_array_equal(one.train, other.train)
    np.testing.assert_array_equal(one.test, other.test)


def test_everything_is_scored_where_that_is_asked_for(grouped):
    split = make_split(grouped, 10, 0, test="all")
    assert len(split.test) == 60
    assert split.in_train.sum() == 10


def test_too_much_to_ask(grouped, make_task):
    with pytest.raises(UsageError, match=r"choose 2 to 35 .*, groups undivided\)"):
        make_split(grouped, 36, 0)
    task = make_task()
    with pytest.raises(DataError, match="too few labelled classes"):
        make_split(replace(task, group_of=np.zeros(120, int)), 2, 0)
