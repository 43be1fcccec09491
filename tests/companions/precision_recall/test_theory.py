import numpy as np
import pytest

from nasrank.companions.precision_recall.pairs import discrete_pair
from nasrank.companions.precision_recall.theory import pr_conjugate

LAMBDAS = (0.05, 0.3, 1.0, 2.5, 20.0)


def pr_generator(ratio, lam):
    """The function whose f-divergence trades precision for recall."""
    return np.maximum(lam * np.asarray(ratio), 1.0) - max(lam, 1.0)


def best_critic(data, model, lam):
    """The critic that attains the dual form."""
    return np.where(lam * data > model, lam, 0.0)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_generator_is_convex_zero_at_one_and_lambda_lipschitz(lam):
    u = np.linspace(0, 40, 4001)
    f = pr_generator(u, lam)
    assert pr_generator(1.0, lam) == 0
    assert np.diff(f, 2).min() > -1e-9
    slopes = np.diff(f) / np.diff(u)
    assert slopes.min() >= -1e-12
    assert slopes.max() <= lam + 1e-9
    # The only kink is at 1 / lambda.
    kinks = u[1:-1][np.abs(np.diff(f, 2)) > 1e-9]
    assert np.abs(kinks - 1 / lam).max(initial=0) <= 0.02


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_conjugate_is_the_supremum(lam):
    u = np.append(np.linspace(0, 100, 200_001), 1 / lam)
    t = np.linspace(-2, lam, 17)
    # The slope beyond the kink is lambda, so the supremum over u is attained at 0 or at the kink.
    supremum = (t[:, None] * u - pr_generator(u, lam)).max(axis=1)
    assert np.allclose(pr_conjugate(t, lam), supremum, atol=1e-9)
    assert np.isinf(pr_conjugate(lam * 1.001, lam))


@pytest.mark.parametrize("lam", LAMBDAS)
def test_the_best_critic_attains_the_divergence(lam):
    rng = np.random.default_rng(3)
    p, q = rng.dirichlet(np.ones(9)), rng.dirichlet(np.ones(9))
    critic = best_critic(p, q, lam)
    dual = (p * critic).sum() - (q * pr_conjugate(critic, lam)).sum()
    primal = (q * pr_generator(p / q, lam)).sum()
    assert dual == pytest.approx(primal, abs=1e-12)
    other = np.clip(critic + rng.normal(size=9), 0, lam)
    assert (p * other).sum() - (q * pr_conjugate(other, lam)).sum() <= dual + 1e-12


def test_the_divergence_is_that_of_its_generator():
    rng = np.random.default_rng(2)
    p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    for lam in (*LAMBDAS, 0.01, 100.0):
        expected = (q * pr_generator(p / q, lam)).sum()
        assert discrete_pair(p, q).divergence([lam])[0] == pytest.approx(expected, abs=1e-12)
