"""Minimisers of penalised losses against each other, closed forms and finite differences."""

import numpy as np
import pytest
import torch

from nasrank.losses import LOSSES, parse
from nasrank.losses.named import LossSpec
from nasrank.predictors import coefficients
from nasrank.predictors.coefficients import LinearProblem
from nasrank.predictors.curvature import CURVATURES

RNG = np.random.default_rng(3)
BASIS = torch.from_numpy(RNG.normal(size=(20, 6)))
LABELS = torch.from_numpy((BASIS[:, 0].numpy() * 2 + RNG.normal(size=20)).round(1))
WHERE = torch.ones(3, 20, dtype=torch.bool)
WHERE[1, :7] = False
WHERE[2, 3::4] = False
PENALTY = torch.tensor([0.5, 0.1, 2.0], dtype=torch.float64)
START = torch.zeros(3, 6, dtype=torch.float64)


def problem(loss, where=WHERE):
    return LinearProblem(BASIS, LABELS, where, parse(loss))


def objective(each, b):
    return each.loss(b @ BASIS.T) + PENALTY / each.where.sum(dim=1) * b.square().sum(dim=1)


def test_squared_error_has_its_closed_form():
    found = problem("mse").solve(PENALTY, START)
    for row, (own, penalty) in enumerate(zip(WHERE, PENALTY, strict=True)):
        x, y = BASIS[own], LABELS[own]
        target = (y - y.mean()) / y.std(unbiased=False)
        closed = torch.linalg.solve(x.T @ x + penalty * torch.eye(6), x.T @ target)
        np.testing.assert_allclose(found[row], closed, atol=1e-9)


@pytest.mark.parametrize("loss", sorted(CURVATURES))
def test_newton_and_gradients_alone_end_at_the_same_place(loss, monkeypatch):
    newton = problem(loss).solve(PENALTY, START, tolerance=1e-9)
    other = problem(loss)
    monkeypatch.setattr(other, "_curvature", None)
    descent = other.solve(PENALTY, START, tolerance=1e-9, steps=400)
    np.testing.assert_allclose(newton, descent, atol=1e-4)
    assert newton.abs().max() > 0.01


@pytest.mark.parametrize("loss", [*sorted(CURVATURES), "listmle(top=5)", "lr(temperature=0.5)"])
def test_curvature_is_the_second_derivative(loss):
    each = problem(loss)
    scores = torch.from_numpy(RNG.normal(size=(3, 20)) * 0.05)
    found = each.curvature(scores)
    step = 1e-6
    for item in (0, 5, 19):
        moved = torch.zeros(20, dtype=torch.float64)
        moved[item] = step
        slope = (each._slope(scores + moved)[1] - each._slope(scores - moved)[1]) / (2 * step)
        np.testing.assert_allclose(found[:, item], slope, atol=1e-5)


@pytest.mark.parametrize("loss", LOSSES.names())
def test_every_loss_falls_and_lists_do_not_touch_each_other(loss):
    each = problem(loss)
    unit = each.unit_penalty()
    assert (unit > 0).all()
    found = each.solve(unit, START, tolerance=0, steps=10)
    assert torch.isfinite(found).all()
    assert (each.loss(found @ BASIS.T) < each.loss(START @ BASIS.T)).all()
    for row in range(3):
        alone = problem(loss, WHERE[row : row + 1])
        solved = alone.solve(unit[row : row + 1], START[:1], tolerance=0, steps=10)
        np.testing.assert_allclose(solved[0], found[row], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES.names())
def test_the_better_item_gets_the_higher_score(loss):
    basis = torch.tensor([[2.0], [1.0], [-1.0], [-2.0]], dtype=torch.float64)
    labels = torch.tensor([9.0, 5.0, 4.0, 1.0], dtype=torch.float64)
    each = LinearProblem(basis, labels, torch.ones(1, 4, dtype=torch.bool), LossSpec(loss))
    assert each.solve(0.1 * each.unit_penalty(), torch.zeros(1, 1, dtype=torch.float64)) > 0


def test_the_unit_of_a_penalty_follows_that_of_the_loss():
    # Ten times the margin: scores ten times as large, and the penalty ten times as weak.
    narrow, wide = (problem(f"hr(margin={margin})").unit_penalty() for margin in (0.1, 1))
    np.testing.assert_allclose(narrow / wide, 10, rtol=1e-6)


def test_equal_labels_leave_nothing_to_learn():
    flat = LinearProblem(BASIS, torch.full((20,), 5.0, dtype=torch.float64), WHERE, parse("lr"))
    np.testing.assert_array_equal(flat.unit_penalty(), 1.0)
    np.testing.assert_allclose(flat.solve(PENALTY, START), 0.0, atol=1e-12)


def test_steps_are_limited(monkeypatch):
    calls = []
    each = problem("softtau")
    monkeypatch.setattr(each, "_slope", lambda s, own=each._slope: calls.append(1) or own(s))
    each.solve(PENALTY * 0.01, START, steps=1, tolerance=0)
    assert len(calls) <= 2 + coefficients._HALVINGS
