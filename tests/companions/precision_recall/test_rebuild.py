import math

import numpy as np
import pytest
from scipy import integrate, stats

from nasrank.companions.precision_recall.pairs import GaussianPair, discrete_pair, sampled_pair
from nasrank.companions.precision_recall.rebuild import (
    F_DIVERGENCES,
    direct,
    lambda_weights,
    rebuild,
)


def value(pair, name):
    return rebuild(pair, F_DIVERGENCES[name]).value


@pytest.mark.parametrize("mu", [0.2, 1.0, 2.5])
def test_equal_widths_give_the_closed_forms(mu):
    pair = GaussianPair(mu)
    expected = {
        "kl": mu**2 / 2,
        "rkl": mu**2 / 2,
        "chi2": math.expm1(mu**2),
        "neyman": math.expm1(mu**2),
        "hellinger": 2 - 2 * math.exp(-(mu**2) / 8),
        "tv": 2 * stats.norm.cdf(mu / 2) - 1,
    }
    for name, known in expected.items():
        assert value(pair, name) == pytest.approx(known, rel=1e-9, abs=1e-9)
        if name != "tv":
            assert direct(pair, F_DIVERGENCES[name]) == pytest.approx(known, rel=1e-12)


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 1.2), (0.0, 0.8), (-1.0, 1.1)])
def test_unequal_widths_give_the_closed_forms(mean, sd):
    pair = GaussianPair(mean, sd)
    for name in ("kl", "rkl", "chi2", "neyman", "hellinger"):
        known = direct(pair, F_DIVERGENCES[name])
        assert value(pair, name) == pytest.approx(known, abs=1e-9), name


def test_jensen_shannon_by_quadrature():
    p, q = stats.norm(1.0).pdf, stats.norm().pdf
    f = F_DIVERGENCES["gan"].generator
    known, _ = integrate.quad(lambda x: q(x) * f(np.array(p(x) / q(x))), -20, 20, epsabs=1e-12)
    assert value(GaussianPair(1.0), "gan") == pytest.approx(known, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_discrete_distributions_are_rebuilt_exactly(seed):
    rng = np.random.default_rng(seed)
    pair = discrete_pair(rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7)))
    for name, each in F_DIVERGENCES.items():
        assert value(pair, name) == pytest.approx(direct(pair, each), rel=1e-11), name


@pytest.mark.parametrize("small", [1e-30, 1e-120, 1e-290])
def test_mass_that_one_side_hardly_has(small):
    # Divergences at lambda as small as this mass, where a total less the rest is all rounding.
    pair = discrete_pair([0.5, 0.5], [1.0, small])
    known = 0.5 * math.log(0.5) + 0.5 * math.log(0.5 / small)
    assert value(pair, "kl") == pytest.approx(known, rel=1e-11)
    assert value(pair, "rkl") == pytest.approx(math.log(2), rel=1e-11)
    if small > 1e-90:
        assert value(pair, "chi2") == pytest.approx(0.25 / small, rel=1e-11)
    turned = discrete_pair([1.0, small], [0.5, 0.5])
    assert value(turned, "rkl") == pytest.approx(known, rel=1e-11)


def test_mass_outside_of_the_other_support():
    pair = discrete_pair([0.2, 0.3, 0.5, 0.0], [0.3, 0.1, 0.2, 0.4])
    for name, each in F_DIVERGENCES.items():
        known = direct(pair, each)
        # The model has mass where the data has none: ln(p/q) is minus infinity there.
        assert math.isinf(known) == (name in {"rkl", "neyman"})
        assert value(pair, name) == (known if math.isinf(known) else pytest.approx(known))
    apart = discrete_pair([1, 0], [0, 1])
    # Nothing in common: total variation 1, squared Hellinger 2, twice Jensen-Shannon 2 ln 2.
    assert value(apart, "tv") == 1
    assert value(apart, "hellinger") == pytest.approx(2)
    assert value(apart, "gan") == pytest.approx(2 * math.log(2))


def test_samples_rebuild_their_own_plug_in_estimate():
    rng = np.random.default_rng(0)
    data, model = rng.normal(1, 1, 3000), rng.normal(0, 1, 3000)
    pair = sampled_pair(np.exp(data - 0.5), np.exp(model - 0.5))
    known = direct(pair, F_DIVERGENCES["kl"])
    assert value(pair, "kl") == pytest.approx(known, rel=1e-4)
    assert known == pytest.approx(0.5, abs=0.05)


def test_weights_are_second_derivatives():
    lambdas = np.array([0.2, 1.0, 3.0])
    for name, each in F_DIVERGENCES.items():
        if each.log_weight is None:
            continue
        u, h = 1 / lambdas, 1e-4
        f = each.generator
        second = (f(u + h) - 2 * f(u) + f(u - h)) / h**2
        weight = np.exp(each.log_weight(np.log(lambdas)))
        assert np.allclose(weight, second / lambdas**3, rtol=1e-4), name
        # f less its tangent at 1: value and slope are 0 there.
        one = np.array([1 - h, 1.0, 1 + h])
        assert np.abs(f(one)).max() < 1e-7


def test_kl_looks_at_recall_more_than_its_reverse():
    pair = GaussianPair(1.0)
    kl, rkl = (rebuild(pair, F_DIVERGENCES[name]).recall_share for name in ("kl", "rkl"))
    assert kl == pytest.approx(1 - rkl)
    assert kl > 0.6
    rows = {(row["divergence"], row["lambda"]): row["weight"] for row in lambda_weights([0.5])}
    assert rows["kl", 0.5] / rows["rkl", 0.5] == pytest.approx(2)
    assert rows["tv", 0.5] is None
