"""The kernel of columns and views against its formula, and how it is chosen."""

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from scipy.stats import kendalltau, multivariate_normal

from nasrank.predictors import evidence
from nasrank.predictors.evidence import (
    Form,
    Kernel,
    Objective,
    Rows,
    choose_kernel,
    label_tau,
)

RNG = np.random.default_rng(0)
TWO = np.array([False, False, True, False])
FORM = Form(np.array([0, 0, 1, 2]), TWO, {"view": 2.0})


def rows_of(items, seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(items, 4))
    columns[:, 2] = np.where(columns[:, 2] > 0, 1.0, -1.0)
    return Rows(torch.from_numpy(columns), {"view": torch.from_numpy(rng.normal(size=(items, 3)))})


def matern(distance):
    reach = np.sqrt(5) * distance
    return (1 + reach + reach**2 / 3) * np.exp(-reach)


def by_formula(parameters, one, other):
    """The kernel of two architectures, written out."""
    b, d, a, u, amplitude, length, height = np.split(parameters, [3, 7, 10, 14, 18, 19])
    x, y = one.columns.numpy()[0], other.columns.numpy()[0]
    half = np.log(2) / 2
    joint, linear, additive = np.exp(np.log([1, 0.3, 0.1]) - half + amplitude[:3])
    total = 0.3**2
    squares = product = alone = 0.0
    for j, group in enumerate(FORM.groups):
        factor = np.exp(-np.log(4) / 2 + 0.7 * b[group] + 0.5 * d[j])
        squares += factor**2 * (x[j] - y[j]) ** 2
        product += factor**2 * x[j] * y[j]
        weight = np.exp(2 * (0.7 * a[group] + 0.5 * u[j])) / 4
        alone += weight * (x[j] * y[j] if TWO[j] else matern(abs(x[j] - y[j]) / 1.4))
    apart = np.linalg.norm(one.views["view"].numpy() - other.views["view"].numpy())
    total += joint**2 * matern(np.sqrt(squares)) + linear**2 * product + additive**2 * alone
    return total + np.exp(2 * (height[0] - half)) * matern(apart / (2.0 * np.exp(length[0])))


def test_the_kernel_is_its_formula():
    rows, others = rows_of(5), rows_of(3, seed=1)
    parameters = RNG.normal(size=20) * 0.5
    kernel = Kernel(FORM, parameters, 0.0)
    expected = [
        [by_formula(parameters, rows[i : i + 1], others[j : j + 1]) for j in range(3)]
        for i in range(5)
    ]
    np.testing.assert_allclose(kernel.between(rows, others), expected, atol=1e-9)
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    np.testing.assert_allclose(kernel.mean(rows, others, weights), expected @ weights.numpy())
    itself = [by_formula(parameters, rows[i : i + 1], rows[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(kernel.variance(rows), itself, atol=1e-7)
    noise = np.exp(2 * (np.log(0.3) + parameters[17])) + evidence._JITTER
    np.testing.assert_allclose(kernel.noisy(rows).diagonal(), np.add(itself, noise), atol=1e-7)


def test_the_objective_is_likelihood_times_prior_and_its_gradient_is_right():
    rows, targets = rows_of(12), RNG.normal(size=12)
    objective = Objective(FORM, rows, torch.from_numpy(targets))
    at = RNG.normal(size=20) * 0.5
    value, slope = objective(at)
    covariance = Kernel(FORM, at, 0.0).noisy(rows).numpy()
    expected = -multivariate_normal(np.zeros(12), covariance).logpdf(targets)
    assert value == pytest.approx(expected - 6 * np.log(2 * np.pi) + at @ at / 2)
    assert (np.abs(slope) > 1e-3).all()
    assert check_grad(lambda x: objective(x)[0], lambda x: objective(x)[1], at) < 1e-4


def test_without_columns_or_views_there_is_a_constant():
    empty = Rows(torch.zeros(4, 0, dtype=torch.float64), {})
    form = Form(np.zeros(0, np.int64), np.zeros(0, bool), {})
    choice = choose_kernel([(form, empty)], np.array([3.0, 1.0, 2.0, 9.0]))
    np.testing.assert_allclose(choice.kernel.between(empty, empty), 0.09)


def test_the_likelier_reading_is_chosen_and_the_column_that_counts_has_the_shorter_length():
    plain = RNG.uniform(-6, 6, size=(60, 2))
    worth = np.sin(plain[:, 0])
    form = Form(np.array([0, 1]), np.array([False, False]), {})
    readings = [torch.from_numpy(np.exp(plain)), torch.from_numpy(plain)]
    scaled = [(each - each.mean(0)) / each.std(0) for each in readings]
    choice = choose_kernel([(form, Rows(each, {})) for each in scaled], worth)
    assert choice.reading == 1
    counts, idle = form.read(choice.kernel.parameters).reach
    assert counts > idle + 1


@pytest.mark.parametrize("labels", [[1.0, 1, 1, 1, 1], [0, 0, 0, 0, 5.0]])
def test_labels_that_are_equal_or_nearly_all_tied(labels):
    choice = choose_kernel([(FORM, rows_of(5))], np.array(labels))
    assert torch.isfinite(choice.targets).all()
    assert np.isfinite(choice.kernel.parameters).all()


def test_beyond_the_limit_the_kernel_is_chosen_on_labels_of_all_heights(monkeypatch):
    monkeypatch.setattr(evidence, "TUNED_ON", 10)
    monkeypatch.setattr(evidence, "_SEVERAL_ON", 10)
    labels = RNG.normal(size=40)
    chosen = evidence.spread_out(labels, 10)
    ranks = labels.argsort().argsort()[chosen.numpy()]
    np.testing.assert_array_equal(ranks, [0, 4, 9, 13, 17, 22, 26, 30, 35, 39])
    assert len(choose_kernel([(FORM, rows_of(40))], labels).targets) == 40


@pytest.mark.parametrize("size", [2, 3, 16, 160])
def test_tau_of_a_fold_is_that_of_scipy_ties_included(size):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, max(2, size // 3), size).astype(float)
        scores = np.round(labels + rng.normal(size=size), seed % 3)
        expected = np.nan_to_num(kendalltau(scores, labels).statistic)
        assert label_tau(scores, labels) == pytest.approx(expected, abs=1e-12)
        assert label_tau(-scores, labels) == pytest.approx(-expected, abs=1e-12)


@pytest.mark.parametrize("size", [0, 1, 4])
def test_tau_without_an_order_is_0(size):
    assert label_tau(np.arange(size) * 1.0, np.ones(size)) == 0
    assert label_tau(np.ones(size), np.arange(size) * 1.0) == 0
