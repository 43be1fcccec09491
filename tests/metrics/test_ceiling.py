"""Noise ceilings: exact without noise, a bound under any noise, null without replicates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
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


def normal(rng, items, replicates):
    truth = rng.normal(size=items)
    return truth, truth[:, None] + 0.5 * rng.normal(size=(items, replicates))


def uneven(rng, items, replicates):
    """Noise grows tenfold from the worst to the best."""
    truth = np.sort(rng.normal(size=items))
    spread = np.geomspace(0.05, 0.5, items)[:, None]
    return truth, truth[:, None] + spread * rng.normal(size=(items, replicates))


def explosions(rng, items, replicates):
    """One training in ten ends somewhere far away, the others are nearly exact."""
    truth, values = normal(rng, items, replicates)
    values = truth[:, None] + 0.02 * rng.normal(size=values.shape)
    lost = rng.random(values.shape) < 0.1
    return truth, np.where(lost, 1e6 * rng.normal(size=values.shape), values)


def cauchy(rng, items, replicates):
    truth = rng.normal(size=items)
    return truth, truth[:, None] + 0.1 * rng.standard_cauchy(size=(items, replicates))


def rounded(rng, items, replicates):
    """A small test set: many values are equal."""
    truth, values = normal(rng, items, replicates)
    return truth, np.round(2 * values) / 2


def clusters(rng, items, replicates):
    """Only two kinds of architectures, and scores that say which: ties where noise orders."""
    truth = (rng.random(items) < 0.5).astype(float)
    return truth, truth[:, None] + 0.1 * rng.normal(size=(items, replicates))


def shifted(rng, items, replicates):
    """All trainings of a seed share a shift larger than all differences."""
    truth, values = normal(rng, items, replicates)
    return truth, values + 20 * rng.normal(size=replicates)


def incomplete(rng, items, replicates):
    truth, values = normal(rng, items, replicates)
    values[: items // 2, 2:] = NAN
    values[: items // 4, 1:] = NAN
    return truth, values


KINDS = [normal, uneven, explosions, cauchy, rounded, clusters, shifted, incomplete]


def simulated(kind, replicates, items=400, times=40):
    """Tau of the best scores there are, ceiling and replicate tau, each over many simulations."""
    rows = []
    for seed in range(times):
        generator = np.random.default_rng(seed)
        truth, values = kind(generator, items, replicates)
        best = stats.kendalltau(truth, np.nanmean(values, axis=1)).statistic
        rows.append((best, ceiling_tau(values, rng()), replicate_tau(values, rng())))
    return np.array(rows).T


@pytest.mark.parametrize("replicates", [2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_no_scores_are_expected_above_the_ceiling(kind, replicates):
    best, ceiling, single = simulated(kind, replicates)
    error = (best - ceiling).std(ddof=1) / np.sqrt(len(best))
    assert (best - ceiling).mean() <= 2 * error
    assert (single <= ceiling).all()


@pytest.mark.parametrize("replicates", [2, 3, 5])
def test_the_ceiling_lies_close_above_what_the_truth_reaches(replicates):
    best, ceiling, _ = simulated(normal, replicates, items=800, times=10)
    # What the truth lacks to 1 is 2 ** 0.5 times what the bound lacks, as noise gets small.
    assert (1 - best).mean() / (1 - ceiling).mean() == pytest.approx(1.4, abs=0.15)


def test_a_handful_of_explosions_hardly_moves_the_ceiling():
    generator = np.random.default_rng(0)
    _, values = normal(generator, 1000, 4)
    before = ceiling_tau(values, rng())
    values[generator.choice(1000, 10, replace=False), 0] *= 1e9
    assert ceiling_tau(values, rng()) == pytest.approx(before, abs=0.02)


def test_what_a_seed_shares_is_no_noise():
    generator = np.random.default_rng(0)
    _, values = normal(generator, 500, 3)
    offsets = np.array([0.0, 50.0, -50.0])
    assert ceiling_tau(values + offsets, rng()) == ceiling_tau(values, rng())
    # Who trains each with a seed of its own has that noise too.
    assert replicate_tau(values + offsets, rng()) < replicate_tau(values, rng())


def test_only_the_order_of_two_seeds_matters():
    generator = np.random.default_rng(0)
    _, values = normal(generator, 300, 2)
    assert ceiling_tau(np.exp(values), rng()) == ceiling_tau(values, rng())


def test_the_extrapolation_by_hand():
    """Seeds that agree at tau 1/3: r = sin(30 degrees) = 1/2; means of two have r = 2/3."""
    first = np.array([1.0, 2.0, 3.0])
    values = np.stack([first, [2.0, 1.0, 3.0]], axis=1)
    assert stats.kendalltau(*values.T).statistic == pytest.approx(1 / 3)
    expected = np.sqrt(2 / np.pi * np.arcsin(2 / 3))
    found = {round(ceiling_tau(values, np.random.default_rng(s)), 12) for s in range(50)}
    # Where the seeds happen to be chosen so that all agree, that is the bound.
    assert found == {round(expected, 12), 1.0}


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(2, 8), st.integers(1, 5)),
        elements=st.sampled_from([0.0, 1.0, 2.0, 1e9, NAN]),
    ),
    st.integers(0, 9),
)
def test_never_below_the_tau_of_a_replicate(values, seed):
    values = values[~np.isnan(values).all(axis=1)]
    single = replicate_tau(values, np.random.default_rng(seed))
    ceiling = ceiling_tau(values, np.random.default_rng(seed))
    if ceiling is not None:
        assert -1 <= ceiling <= 1 + 1e-12
        assert single is None or single <= ceiling


def test_halves_of_many_columns_are_drawn():
    generator = np.random.default_rng(0)
    _, values = normal(generator, 300, 12)
    found = ceiling_tau(values, rng())
    assert found == ceiling_tau(values, rng())
    assert found == pytest.approx(ceiling_tau(values, np.random.default_rng(1)), abs=0.01)


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
