import numpy as np
import pytest
import torch

from nasrank.companions.precision_recall.auxiliary import (
    AUXILIARIES,
    primal_alpha,
)
from nasrank.companions.precision_recall.objectives import make_objective
from nasrank.companions.precision_recall.pairs import discrete_pair

RATIO = torch.tensor([0.1, 0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
BEST = {
    "chi2": lambda r: 2 * (r - 1),
    "kl": lambda r: 1 + r.log(),
    # The guard of the release moves the critic by 1e-3.
    "rkl": lambda r: 1e-3 - 1 / r,
}
DIVERGENCE = {
    "chi2": lambda p, q: (q * (p / q - 1) ** 2).sum(),
    "kl": lambda p, q: (p * (p / q).log()).sum(),
    "rkl": lambda p, q: (q * (q / p).log()).sum(),
}


@pytest.mark.parametrize("name", AUXILIARIES)
def test_the_ratio_is_read_off_the_best_critic(name):
    auxiliary = AUXILIARIES[name]
    top = auxiliary.limits[1]
    assert torch.allclose(auxiliary.ratio(BEST[name](RATIO), top), RATIO, rtol=1e-9)
    assert torch.allclose(auxiliary.value(RATIO), BEST[name](RATIO), atol=2e-3)
    extreme = auxiliary.ratio(torch.tensor([-1e6, 1e6, 0.0]), top)
    assert torch.isfinite(extreme).all()
    assert (extreme >= 0).all()


@pytest.mark.parametrize("name", AUXILIARIES)
@pytest.mark.parametrize("lam", [0.02, 0.1, 0.28, 1.0, 10.0])
def test_ratios_reach_the_bend_of_the_estimate(name, lam):
    auxiliary = AUXILIARIES[name]
    weight = torch.tensor([lam], dtype=torch.float64)
    ceiling = auxiliary.ceiling(weight)
    assert ceiling.shape == (1, 1)
    assert ceiling >= auxiliary.limits[1]
    assert auxiliary.ratio(torch.tensor([[1e6]]).double(), ceiling) >= (1 - 1e-9) / lam
    # Above it the estimate is flat, and just below it is not.
    values = auxiliary.value(torch.tensor([[0.9 / lam, 1.1 / lam]]).double()).requires_grad_()
    primal_alpha(weight, fake=auxiliary.ratio(values, ceiling)).sum().backward()
    assert values.grad[0, 0] > 0
    assert values.grad[0, 1] == 0


def test_the_ceiling_of_chi2_gives_way_below_two_sevenths_alone():
    ceiling = AUXILIARIES["chi2"].ceiling(torch.tensor([0.1, 0.2, 2 / 7, 1.0, 10.0]))[:, 0]
    assert torch.allclose(ceiling, torch.tensor([18.0, 8.0, 5.0, 5.0, 5.0]))


@pytest.mark.parametrize("name", AUXILIARIES)
def test_the_best_critic_attains_the_auxiliary_divergence(name):
    auxiliary = AUXILIARIES[name]
    p, q = torch.tensor([0.2, 0.5, 0.3]).double(), torch.tensor([0.4, 0.3, 0.3]).double()
    points = torch.arange(3)
    # 10 items that stand for masses in tenths.
    data, model = (
        points.repeat_interleave((10 * p).round().long()),
        points.repeat_interleave((10 * q).round().long()),
    )
    critic = BEST[name](p / q).requires_grad_()
    loss = auxiliary.loss(critic[data], critic[model], auxiliary.limits[1])
    known = DIVERGENCE[name](p, q)
    assert -loss.item() == pytest.approx(known.item(), abs=2e-3)
    (gradient,) = torch.autograd.grad(loss, critic)
    assert gradient.abs().max() < 1e-6


def test_halves_of_the_primal_estimate_agree_for_exact_ratios():
    p, q = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.3, 0.3])
    points = np.arange(3)
    data, model = (
        np.repeat(points, (10 * p).round().astype(int)),
        np.repeat(points, (10 * q).round().astype(int)),
    )
    ratio = torch.tensor(p / q)
    lam = torch.tensor([0.3, 1.0, 4.0]).double()
    exact = torch.tensor(discrete_pair(p, q).alpha(lam.numpy()))
    fake, real = ratio[model].expand(3, -1), ratio[data].expand(3, -1)
    assert torch.allclose(primal_alpha(lam, fake=fake), exact)
    assert torch.allclose(primal_alpha(lam, real=real), exact)
    assert torch.allclose(primal_alpha(lam, fake=fake, real=real), exact)
    # The unbounded form differs by lambda (mean r - 1) over draws, which is 0 here.
    unbounded = (lam[:, None] * fake).clamp_min(1.0).mean(-1) - lam.clamp_min(1.0)
    assert torch.allclose(unbounded, lam.clamp_max(1) - exact)
    with pytest.raises(ValueError, match="ratios"):
        primal_alpha(lam)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_below_the_bound(seed):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(8)), rng.dirichlet(np.ones(8))
    ratio = p / q
    wrong = np.maximum(ratio + 0.3 * rng.normal(size=8), 0)
    # Dual gap of chi2: E_Q[(T - T*)^2] / 4 with T = 2 (r - 1), so E_Q[(wrong - ratio)^2].
    gap = (q * (wrong - ratio) ** 2).sum()
    for lam in (0.1, 1.0, 10.0):
        exact = (q * np.maximum(lam * ratio, 1)).sum()
        found = (q * np.maximum(lam * wrong, 1)).sum()
        # Chi2 is 2-convex: lambda * sqrt(2 gap / 2).
        assert abs(exact - found) <= lam * gap**0.5 + 1e-12


@pytest.mark.parametrize("method", ["pr", "naive", "dual", "kl", "rkl", "chi2", "hinge"])
def test_gradients(method):
    lam = torch.tensor([2.0], dtype=torch.float64)
    objective = make_objective(method)
    values = torch.tensor([[-1.5, -0.7, 0.3, 1.2]], dtype=torch.float64, requires_grad=True)
    other = values.detach() - 0.11
    assert torch.autograd.gradcheck(lambda x: objective.generator(x, lam), values)
    assert torch.autograd.gradcheck(lambda x: objective.critic(x, other, lam), values)


def test_the_generator_is_drawn_to_where_the_ratio_is_too_small():
    objective, lam = make_objective("pr"), torch.tensor([10.0])
    # Ratios 0.05, 0.5 and beyond the clamp: at lambda 10 only the first is below 1 / lambda.
    values = torch.tensor([[-1.9, -1.0, 9.0]], requires_grad=True)
    objective.generator(values, lam).sum().backward()
    gradient = values.grad[0]
    assert gradient[0] < 0
    assert gradient[1] == 0
    assert gradient[2] == 0
    # (alpha/2 + alpha/20)/2 with alpha = mean min(10 r, 1): slope of r in T is 1/2.
    assert gradient[0].item() == pytest.approx(-(1 / 3) * 10 * 0.5 * (0.5 + 0.05) / 2)


def test_the_naive_critic_is_free_upwards_and_the_bounded_one_is_not():
    lam = torch.tensor([1.0])
    high, low = torch.tensor([[1e3]]), torch.tensor([[0.0]])
    assert make_objective("naive").critic(high, low, lam).item() == -1e3
    assert make_objective("dual").critic(high, low, lam).item() == -1.0
