import numpy as np
import pytest
import torch

from nasrank.companions.supcon.augmentations import random_views, turned
from nasrank.seeds import torch_generator


@pytest.fixture
def image():
    """One bright spot right of the centre."""
    found = torch.zeros(1, 1, 9, 9)
    found[0, 0, 4, 7] = 1.0
    return found


def place(image):
    return np.unravel_index(int(image.reshape(-1).argmax()), (9, 9))


def test_no_turn_is_the_image(image):
    assert torch.allclose(turned(image, 0.0), image, atol=1e-6)


def test_turns(image):
    # A quarter turn takes three to the right of the centre to three above or below it.
    assert place(turned(image, 90.0)) in {(1, 4), (7, 4)}
    assert place(turned(image, 180.0)) == (4, 1)
    assert torch.allclose(turned(turned(image, 90.0), -90.0), image, atol=1e-4)


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 7)])
def test_views_differ_and_are_of_their_seed(shape):
    samples = torch.rand(shape, generator=torch_generator(0, stream="x"))
    spread = samples.std(dim=0)

    def views(seed, strength=1.0):
        draw = torch_generator(seed, stream="views")
        return random_views(samples, draw, strength=strength, deviation=spread)

    assert torch.equal(views(1), views(1))
    assert not torch.allclose(views(1), views(2))
    assert torch.equal(views(1, 0.0), samples)
    assert torch.isfinite(views(1, 10.0)).all()
    small, large = ((views(1, s) - samples).abs().mean() for s in (0.2, 1.0))
    assert small < large
