import pytest
import torch

from nasrank.companions.hard_samples.daml import generator_loss

USUAL = {"keep": 1.0, "reverse": 50.0, "alpha": 1.0}


def test_a_loss_by_hand():
    # Squares: 2 to the anchor, 5 to the negative, 1 between the pair.
    anchor, positive = torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    negative, made = torch.tensor([[3.0, 2.0]]), torch.tensor([[1.0, 1.0]])
    slack = generator_loss(anchor, positive, negative, made, **USUAL)
    # 2 - 1 - 1 = 0: the constraint is just met.
    assert slack.item() == pytest.approx(2 + 5)
    tight = generator_loss(anchor, positive, negative, made, keep=2.0, reverse=10.0, alpha=0.5)
    assert tight.item() == pytest.approx(2 + 2 * 5 + 10 * 0.5)


def test_the_last_term_moves_the_sample_to_the_anchor():
    generator = torch.Generator().manual_seed(0)
    anchor, positive, negative = torch.randn(3, 50, 4, dtype=torch.float64, generator=generator)
    made = (anchor + 9 * (negative - anchor)).requires_grad_()
    whole = generator_loss(anchor, positive, negative, made, **USUAL)
    (gradient,) = torch.autograd.grad(50 * whole, made)
    # Far out everything is active: 2 (1 + 50) to the anchor and 2 to the negative.
    away = made.detach() - anchor
    torch.testing.assert_close(gradient, 102 * away + 2 * (made.detach() - negative))
