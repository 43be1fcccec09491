"""Noise ceilings: exact without noise, right on simulated noise, null without replicates."""

import numpy as np
import pytest
from scipy import stats

from nasrank.metrics.ceiling import ceiling_tau, replicate_tau

NAN = float("nan")


def rng():
    return np.random.default_rng(7)


def test_replicates_that_agree():
    values = np.arange(30.0)[:, None] + np.zeros(3)
    assert replicate_tau(values, rng()) == pytest.approx(1)
    assert ceiling_tau(values, rng()) == pytest.approx(1)


def test_two_replicates_are_compared_with_each_other():
    values = np.array([[1.0, 3.0], [2.0, 1.0], [3.0, 2.0]])
    # whichever is chosen in each row, one of eight pairings of the columns
    possible = set()
    for code in range(8):
        chosen = [code >> i & 1 for i in range(3)]
        one = [values[i, c] for i, c in enumerate(chosen)]
        other = [values[i, 1 - c] for i, c in enumerate(chosen)]
        possible.add(round(stats.kendalltau(one, other).statistic, 9))
    seen = {round(replicate_tau(values, np.random.default_rng(s)), 9) for s in range(100)}
    assert seen == possible


def test_missing_values_are_neither_chosen_nor_averaged():
    full = np.array([[1.0, 1.5, NAN], [NAN, 2.0, 2.5], [3.0, NAN, 3.5], [NAN, NAN, 0.0]])
    # the last row has one value and is left out; the others keep their order however split
    assert replicate_tau(full, rng()) == pytest.approx(1)


def test_replicate_of_three_is_compared_with_the_mean_of_two():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=4000)
    values = truth[:, None] + generator.normal(size=(4000, 3))
    # corr(one, mean of two) = 1 / sqrt(2 * 1.5); for normals tau = 2/pi asin(corr)
    expected = 2 / np.pi * np.arcsin(1 / np.sqrt(2 * 1.5))
    assert replicate_tau(values, rng()) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("replicates", [2, 4])
def test_ceiling_of_simulated_noise(replicates):
    generator = np.random.default_rng(0)
    truth = generator.normal(size=4000)
    values = truth[:, None] + 0.5 * generator.normal(size=(4000, replicates))
    # m has variance 1 + .25/r and e has .25/r: corr = sqrt((1 + .25/r) / (1 + .5/r))
    corr = np.sqrt((1 + 0.25 / replicates) / (1 + 0.5 / replicates))
    expected = 2 / np.pi * np.arcsin(corr)
    assert ceiling_tau(values, rng()) == pytest.approx(expected, abs=0.02)


def test_noise_is_pooled_by_label_bin():
    """Noise among the worst half alone leaves the order of the best half alone."""
    generator = np.random.default_rng(0)
    labels = np.concatenate([np.linspace(0, 1, 500), np.linspace(100, 101, 500)])
    noise = np.concatenate([np.full(500, 0.5), np.zeros(500)])
    values = labels[:, None] + noise[:, None] * generator.normal(size=(1000, 2))
    halves = [ceiling_tau(values[:500], rng()), ceiling_tau(values[500:], rng())]
    assert halves[0] < 0.7
    assert halves[1] == pytest.approx(1)
    # of 499,500 pairs, 124,750 lie in the worst half and the rest stay in order
    share = 124_750 / 499_500
    assert ceiling_tau(values, rng()) == pytest.approx(1 - share + share * halves[0], abs=0.03)


def test_bins_without_replicates_borrow_from_all():
    generator = np.random.default_rng(0)
    values = np.arange(100.0)[:, None] + generator.normal(size=(100, 2))
    values[50:, 1] = NAN
    assert 0.9 < ceiling_tau(values, rng()) < 1


@pytest.mark.parametrize("metric", [replicate_tau, ceiling_tau])
@pytest.mark.parametrize(
    "values",
    [
        np.empty((0, 3)),
        np.arange(5.0)[:, None],
        np.array([[1.0, NAN], [2.0, NAN], [NAN, 3.0]]),
        np.array([[1.0, 2.0], [NAN, NAN]]),
        np.ones((5, 2)),
    ],
)
def test_nothing_to_compare_is_none(metric, values):
    assert metric(values, rng()) is None


@pytest.mark.parametrize("metric", [replicate_tau, ceiling_tau])
def test_same_chance_same_value_and_direction_does_not_matter(metric):
    values = np.random.default_rng(3).normal(size=(50, 1)) + np.random.default_rng(4).normal(
        size=(50, 3)
    )
    assert metric(values, rng()) == metric(values, rng())
    assert metric(-values, rng()) == pytest.approx(metric(values, rng()), abs=0.2)
    with pytest.raises(ValueError, match="axes"):
        metric(np.ones(3), rng())
