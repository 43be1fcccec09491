import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.predictors.recipe import Recipe


@given(st.integers(1, 200), st.integers(2, 40), st.integers(1, 4))
def test_an_epoch_is_a_permutation_in_equal_lists(items, list_length, epochs):
    recipe = Recipe(epochs=epochs, list_length=list_length)
    schedule = recipe.schedule(items, np.random.default_rng(items))
    assert len(schedule) == recipe.steps(items) == epochs * recipe.lists(items)
    assert recipe.lists(items) == -(-items // list_length)
    for epoch in schedule.reshape(epochs, recipe.lists(items), -1):
        assert sorted(epoch[epoch >= 0]) == list(range(items))
        lengths = (epoch >= 0).sum(axis=1)
        assert lengths.max() <= list_length
        assert lengths.max() - lengths.min() <= 1
        # Padding is behind the items, and there is no column of padding alone.
        assert all((row[:length] >= 0).all() for row, length in zip(epoch, lengths, strict=True))
        assert schedule.shape[1] == lengths.max()


def test_every_epoch_is_shuffled_anew():
    schedule = Recipe(epochs=5, list_length=10).schedule(20, np.random.default_rng(0))
    epochs = schedule.reshape(5, 20)
    assert len({tuple(epoch) for epoch in epochs}) == 5
    np.testing.assert_array_equal(
        schedule, Recipe(epochs=5, list_length=10).schedule(20, np.random.default_rng(0))
    )
    other = Recipe(epochs=5, list_length=10).schedule(20, np.random.default_rng(1))
    assert (other != schedule).any()


def test_every_item_meets_every_other_in_some_list():
    schedule = Recipe(epochs=30, list_length=10).schedule(20, np.random.default_rng(0))
    met = np.zeros((20, 20), bool)
    for row in schedule:
        met[np.ix_(row, row)] = True
    assert met.all()


def test_steps_by_hand():
    # 78 items in lists of at most 32 are 3 lists of 26.
    recipe = Recipe(epochs=60, list_length=32)
    assert (recipe.lists(78), recipe.steps(78)) == (3, 180)
    assert (recipe.lists(32), recipe.lists(33), recipe.lists(1)) == (1, 2, 1)
    assert recipe.schedule(78, np.random.default_rng(0)).shape == (180, 26)


def test_the_rate_by_hand():
    recipe = Recipe(learning_rate=1.0, warm_up=0.5)
    # After a half, a quarter of the cosine's turn is one half of its height.
    expected = [0.25 / 0.5, 1.0, 0.5 * (1 + math.cos(math.pi / 2)), 0.0]
    assert [recipe.rate(step, 4) for step in range(4)] == pytest.approx(expected)


@given(st.integers(8, 400))
def test_the_rate_warms_up_to_its_peak_and_ends_at_nothing(steps):
    recipe = Recipe()
    rates = np.array([recipe.rate(step, steps) for step in range(steps)])
    peak = int(rates.argmax())
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()
    assert abs((peak + 1) / steps - recipe.warm_up) <= 1 / steps
    assert 0.7 * recipe.learning_rate < rates[peak] <= recipe.learning_rate
    assert 0 < rates[0] <= recipe.learning_rate
    assert rates[-1] == pytest.approx(0, abs=1e-12)
    # No jump anywhere, the peak included.
    assert np.abs(np.diff(rates)).max() <= recipe.learning_rate / recipe.warm_up / steps + 1e-12


def test_the_rate_is_a_share_of_its_peak():
    small, large = Recipe(learning_rate=1e-3), Recipe(learning_rate=1e-2)
    for step in range(30):
        assert large.rate(step, 30) == pytest.approx(10 * small.rate(step, 30))
