import numpy as np
import pytest
from scipy.spatial.distance import pdist

from nasrank.benchmarks.sampling import SAMPLINGS, order_classes
from nasrank.benchmarks.splits import make_split
from nasrank.errors import UsageError
from nasrank.graphs.features import graph_features

EVERY = pytest.mark.parametrize("sampling", SAMPLINGS)
SIZES = np.repeat(np.arange(200.0), 1)


@pytest.fixture(name="task", scope="module")
def _task(make_task):
    return make_task(classes=200, twins=1, parameters=SIZES)


@pytest.fixture(name="candidates", scope="module")
def _candidates():
    return np.random.default_rng(1).permutation(200)


@EVERY
def test_no_label_is_looked_at(make_task, sampling):
    rng = np.random.default_rng(0)
    values = rng.random((120, 1))
    one = make_task(values, parameters=np.arange(120.0))
    two = make_task(rng.permutation(values), parameters=np.arange(120.0))
    for seed in range(3):
        a, b = (make_split(task, 25, seed, sampling=sampling) for task in (one, two))
        np.testing.assert_array_equal(a.train, b.train)
        assert (a.targets != b.targets).any()


@EVERY
def test_as_many_as_wanted_and_none_twice(task, candidates, sampling):
    longest = order_classes(task, candidates, 0, sampling, 100)
    assert len(set(longest)) == len(longest) == 100
    assert set(longest) <= set(candidates)
    assert longest.dtype == np.int64
    for count in (1, 7, 50):
        fewer = order_classes(task, candidates, 0, sampling, count)
        np.testing.assert_array_equal(fewer, longest[:count])


def test_random_takes_them_as_they_come(task, candidates):
    order = order_classes(task, candidates, 0, "random", 200)
    np.testing.assert_array_equal(order, candidates)


def test_every_beginning_of_stratified_covers_all_sizes(task, candidates):
    order = order_classes(task, candidates, 0, "stratified", 200)
    tenth = SIZES[order] // 20
    for turn in range(20):
        # Each ten in a row hold one of each tenth.
        assert sorted(tenth[10 * turn : 10 * turn + 10]) == list(range(10))
    # Counted after any beginning, no tenth is ahead of another by more than one.
    ahead = np.cumsum(tenth[:, None] == np.arange(10), axis=0)
    assert (ahead.max(axis=1) - ahead.min(axis=1)).max() == 1


def test_within_a_turn_the_order_is_that_of_the_candidates(task, candidates):
    order = order_classes(task, candidates, 0, "stratified", 200)
    place = np.empty(200, int)
    place[candidates] = np.arange(200)
    for turn in range(20):
        assert (np.diff(place[order[10 * turn : 10 * turn + 10]]) > 0).all()


def test_without_parameters_size_is_the_number_of_operations(make_task, candidates):
    task = make_task(classes=200, twins=1)
    order = order_classes(task, candidates, 0, "stratified", 200)
    nodes = task.space.graphs.sizes()[task.space.class_of[order]]
    ten = np.sort(task.space.graphs.sizes())[np.arange(10) * 20]
    # The smallest of each tenth bound what the first ten may hold.
    assert (np.sort(nodes[:10]) >= ten).all()
    assert nodes[:10].max() == task.space.graphs.sizes().max()


def test_fewer_candidates_than_strata_are_all_there(task):
    few = np.array([5, 17, 3])
    assert sorted(order_classes(task, few, 0, "stratified", 3)) == [3, 5, 17]
    assert len(order_classes(task, few, 0, "diverse", 2)) == 2
    assert order_classes(task, few[:1], 0, "diverse", 1).tolist() == [5]


def spread(task, chosen):
    return pdist(graph_features(task.space.graphs)[task.space.class_of[chosen]]).min()


def test_diverse_is_farther_apart_than_random(load):
    task = load("nb201/cifar10")
    for seed in range(3):
        random = make_split(task, 40, seed).train
        diverse = make_split(task, 40, seed, sampling="diverse").train
        assert spread(task, diverse) > 1.5 * spread(task, random)


def test_diverse_takes_the_farthest_each_time(task, candidates):
    order = order_classes(task, candidates, 0, "diverse", 100)
    features = graph_features(task.space.graphs)[task.space.class_of].astype(float)
    assert order[0] == candidates[0]
    for place in range(1, 30):
        left = np.setdiff1d(candidates[:100], order[:place])
        gap = ((features[left, None] - features[None, order[:place]]) ** 2).sum(-1).min(1)
        own = gap[left == order[place]]
        assert own >= gap.max() - 1e-5


def test_diverse_goes_on_with_the_other_half(task, candidates):
    half = order_classes(task, candidates, 0, "diverse", 100)
    everything = order_classes(task, candidates, 0, "diverse", 200)
    np.testing.assert_array_equal(everything[:100], half)
    assert {*half.tolist()} == {*candidates[:100].tolist()}
    assert {*everything.tolist()} == {*candidates.tolist()}


@EVERY
def test_seeds_differ_and_repeat(load, sampling):
    task = load("nb201/cifar10")
    sets = [make_split(task, 30, seed, sampling=sampling).train for seed in (0, 1, 2, 0)]
    np.testing.assert_array_equal(sets[0], sets[3])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        # Even the extremes of a space are not the same for every seed.
        assert len(set(sets[a]) & set(sets[b])) < 15


def test_an_unknown_way_is_told(task, candidates):
    with pytest.raises(UsageError, match="Did you mean 'stratified'"):
        order_classes(task, candidates, 0, "stratifed", 9)
