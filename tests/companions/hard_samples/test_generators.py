import numpy as np
import pytest
import torch

from nasrank.companions.hard_samples.generators import (
    Conditional,
    adversarial_losses,
    relative_error,
)
from nasrank.companions.hard_samples.measures import covered_modes, own_and_other
from nasrank.seeds import seeded_torch


def test_a_condition_changes_what_is_made():
    with seeded_torch(0, stream="test"):
        told, untold = Conditional(4, 3, 5), Conditional(4, 3, None)
    given, classes = torch.ones(2, 4), torch.tensor([0, 1])
    assert not torch.equal(told(given, classes)[0], told(given, classes)[1])
    assert torch.equal(untold(given, classes)[0], untold(given, classes)[1])


def test_still_and_normalised():
    with seeded_torch(0, stream="test"):
        still = Conditional(4, 3, 2, still=True)
        scaled = Conditional(4, 3, None, normalise=True)
    given = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    classes = torch.zeros(6, dtype=torch.int64)
    assert not still(given, classes).any()
    torch.testing.assert_close(
        scaled(given, classes), scaled(50 * given + 3, classes), atol=1e-3, rtol=1e-3
    )


def test_adversarial_losses_by_hand():
    # log(1 + exp(-1)) = .3133 and log(1 + exp(1)) = 1.3133.
    critic, generator = adversarial_losses(torch.tensor([1.0]), torch.tensor([-1.0]))
    assert critic.item() == pytest.approx(2 * 0.313262)
    assert generator.item() == pytest.approx(1.313262)
    for score in (1e4, -1e4):
        assert all(torch.isfinite(x) for x in adversarial_losses(*torch.full((2, 3), score)))


def test_relative_error():
    real = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert relative_error(real, real) == 0
    # The mean everywhere errs by the variance.
    assert relative_error(real.mean(dim=0).expand(2, 2), real).item() == pytest.approx(1)


@pytest.mark.slow
def test_a_class_condition_puts_samples_of_a_mixture_into_their_class():
    angle = 2 * np.pi * np.arange(6) / 6
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    classes = np.repeat(np.arange(6), 40)
    rng = np.random.default_rng(0)
    real = centres[classes] + 0.2 * rng.normal(size=(240, 2))
    features, told = torch.tensor(real, dtype=torch.float32), torch.from_numpy(classes)
    share, covered = {}, {}
    for condition in (6, None):
        with seeded_torch(0, stream="test"):
            maker, critic = Conditional(2, 2, condition), Conditional(2, 1, condition)
            steps = [
                torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.9)) for net in (maker, critic)
            ]
            for _ in range(200):
                made = maker(torch.randn(240, 2), told)
                for place in (1, 0):
                    known, found = critic(features, told), critic(made, told)
                    loss = adversarial_losses(known, found)[1 - place]
                    steps[place].zero_grad()
                    loss.backward(retain_graph=place == 1)
                    steps[place].step()
            points = maker(torch.randn(240, 2), told).detach().double().numpy()
        near, far = own_and_other(points, classes, real, classes)
        share[condition] = np.mean(near < far)
        covered[condition] = covered_modes(points, classes, real, classes)
    assert share[6] > 0.9
    # By chance one in six.
    assert share[None] < 0.4
    assert covered[6] > covered[None]
