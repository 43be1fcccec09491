import numpy as np
import pyarrow as pa
import pytest
from scipy import integrate, stats

from nasrank.companions.precision_recall.pairs import (
    GaussianPair,
    discrete_pair,
    read_pair,
    sampled_pair,
)
from nasrank.companions.precision_recall.ring import Ring, histogram_pair, ring_pair
from nasrank.errors import DataError, UsageError
from nasrank.tables import write_parquet

LAMBDAS = np.array([0.05, 0.2, 0.7, 1.0, 1.4, 5.0, 30.0])


def test_published_values_of_two_gaussians():
    pair = GaussianPair(1.0)
    assert pair.alpha([0.2, 1.0, 5.0]).round(5).tolist() == [0.19073, 0.61708, 0.95365]
    # alpha = l Phi(c - mu) + 1 - Phi(c) with c = (mu^2/2 - ln l) / mu, here at mu = 1.
    c = 0.5 - np.log(LAMBDAS)
    expected = LAMBDAS * stats.norm.cdf(c - 1) + stats.norm.sf(c)
    assert np.abs(pair.alpha(LAMBDAS) - expected).max() < 1e-12
    # The same by its mirror image, and total variation 2 Phi(mu/2) - 1.
    assert np.abs(GaussianPair(-1.0).alpha(LAMBDAS) - expected).max() < 1e-12
    tv = 2 * stats.norm.cdf(1.5) - 1
    assert GaussianPair(3.0).divergence([1.0])[0] == pytest.approx(tv, abs=1e-12)


@pytest.mark.parametrize(("mean", "sd"), [(0.7, 1.5), (-1.0, 0.6), (0.0, 2.0), (2.0, 0.9)])
def test_unequal_widths_agree_with_quadrature(mean, sd):
    p, q = stats.norm(mean, sd).pdf, stats.norm().pdf
    for lam in (0.1, 1.0, 4.0):
        x = np.linspace(-30, 30, 600_001)
        expected = integrate.trapezoid(np.minimum(lam * p(x), q(x)), x)
        assert GaussianPair(mean, sd).alpha([lam])[0] == pytest.approx(expected, abs=1e-7)


def pairs():
    rng = np.random.default_rng(0)
    return [
        GaussianPair(1.0),
        GaussianPair(-0.5, 1.7),
        GaussianPair(0.3, 0.5),
        discrete_pair(rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))),
        discrete_pair([0.2, 0.3, 0.5, 0], [0.3, 0.0, 0.2, 0.5]),
    ]


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: type(pair).__name__)
def test_divergence_and_precision_add_up(pair):
    total = pair.divergence(LAMBDAS) + pair.alpha(LAMBDAS)
    assert np.abs(total - np.minimum(1, LAMBDAS)).max() < 1e-12
    assert pair.divergence(LAMBDAS).min() >= 0


def test_swap_rule():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    swapped = discrete_pair(q, p).divergence(1 / LAMBDAS)
    assert np.abs(discrete_pair(p, q).divergence(LAMBDAS) - LAMBDAS * swapped).max() < 1e-12
    # N(m, s) against N(0, 1), seen from the other side, is N(-m/s, 1/s).
    one, other = GaussianPair(0.8, 1.6), GaussianPair(-0.5, 0.625)
    assert np.abs(one.divergence(LAMBDAS) - LAMBDAS * other.divergence(1 / LAMBDAS)).max() < 1e-12


def test_equal_distributions_leave_nothing_to_be_desired():
    for pair in (
        GaussianPair(0.0),
        discrete_pair([1, 2, 3], [1, 2, 3]),
        ring_pair(Ring(), Ring()),
    ):
        assert np.abs(pair.divergence(LAMBDAS)).max() < 1e-12


def test_estimates_from_samples_are_unbiased():
    pair = GaussianPair(1.0)
    rng = np.random.default_rng(4)
    lambdas, estimates = np.array([0.2, 1.0, 5.0]), []
    for _ in range(200):
        data, model = rng.normal(1, 1, 400), rng.normal(0, 1, 400)
        # ln p/q = x - 1/2
        estimates.append(sampled_pair(np.exp(data - 0.5), np.exp(model - 0.5)).alpha(lambdas))
    estimates = np.array(estimates)
    error = estimates.mean(axis=0) - pair.alpha(lambdas)
    assert (np.abs(error) < 4 * estimates.std(axis=0) / 200**0.5).all()


def test_many_samples_come_close():
    rng = np.random.default_rng(5)
    data, model = rng.normal(1, 1, 200_000), rng.normal(0, 1, 200_000)
    pair = sampled_pair(np.exp(data - 0.5), np.exp(model - 0.5))
    assert np.abs(pair.alpha([0.2, 1, 5]) - [0.19073, 0.61708, 0.95365]).max() < 0.002


def test_published_values_of_rings():
    lambdas = np.array([0.1, 0.5, 1.0, 2.0, 10.0])
    half = ring_pair(Ring(), Ring((1, 1, 1, 1, 0, 0, 0, 0)), cells=200)
    assert half.alpha(lambdas).round(3).tolist() == [0.05, 0.25, 0.5, 1.0, 1.0]
    wide = ring_pair(Ring(), Ring(spread=0.6), cells=700)
    alpha = wide.alpha(lambdas)
    assert np.abs(alpha - [0.094, 0.196, 0.237, 0.278, 0.367]).max() < 1.5e-3
    assert np.abs(alpha / lambdas - [0.937, 0.392, 0.237, 0.139, 0.037]).max() < 6e-3


def test_draws_of_the_ring_itself_come_close_to_it():
    ring = Ring()
    pair = histogram_pair(ring, ring.draw(100_000, "again"))
    assert pair.alpha([1.0])[0] > 0.96
    assert pair.alpha([10.0])[0] > 0.99
    assert ring.recalls(ring.draw(50_000, "again")).min() > 0.95


def test_rare_modes_are_those_with_less_than_half_a_share():
    ring = Ring((0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02, 0.0))
    # Half of an even share is 1/16 = 0.0625.
    assert ring.rare.tolist() == [False] * 4 + [True] * 3 + [False]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: discrete_pair([1, 2], [1]), "the same number"),
        (lambda: discrete_pair([1, 1], [0, 0]), "--q"),
        (lambda: sampled_pair([], [1.0]), "both distributions"),
        (lambda: sampled_pair([0.0], [1.0]), "density 0"),
        (lambda: Ring((1.0, 2.0)), "8 numbers"),
        (lambda: Ring((0.0,) * 8), "not all of them 0"),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()


def test_samples_from_a_file(tmp_path):
    path = tmp_path / "samples.parquet"
    write_parquet(pa.table({"p": [0.2, 0.1], "q": [0.1, 0.2], "drawn": ["p", "q"]}), path)
    pair = read_pair(path)
    # min(1, q/p) at the data's sample and min(p/q, 1) at the model's are 0.5 both.
    assert pair.alpha([1.0])[0] == pytest.approx(0.5)
    write_parquet(pa.table({"p": [0.2], "drawn": ["p"]}), path)
    with pytest.raises(DataError, match="no column 'q'"):
        read_pair(path)
    write_parquet(pa.table({"p": [0.2, 1], "q": [0.1, 1], "drawn": ["p", "x"]}), path)
    with pytest.raises(DataError, match="drawn"):
        read_pair(path)
    write_parquet(pa.table({"p": [0.2], "q": [0.1], "drawn": ["p"]}).slice(1), path)
    with pytest.raises(DataError, match="no rows"):
        read_pair(path)
    write_parquet(pa.table({"p": [0.2, -1], "q": [0.1, 1], "drawn": ["p", "q"]}), path)
    with pytest.raises(DataError, match="negative"):
        read_pair(path)
