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


@pytest.mark.parametrize("shape", [(5, 1, 8, 8), (5, 3, 8, 8), (5, 7)])
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
    if shape[1] != 3:
        small, large = ((views(1, s) - samples).abs().mean() for s in (0.2, 1.0))
        assert small < large


def views_of(image, count=400):
    samples = image.expand(count, *image.shape)
    draw = torch_generator(0, stream="views")
    return random_views(samples, draw, strength=1.0, deviation=image)


def test_every_colour_changes_on_its_own():
    views = views_of(torch.ones(3, 16, 16))
    middle = views[:, :, 6:10, 6:10].mean(dim=(2, 3))
    apart = (middle[:, 0] - middle[:, 1]) / middle.mean(dim=1)
    # Two factors from .7 to 1.3, evenly drawn: their difference has a deviation of .6 / 6 ** .5.
    assert apart.std() == pytest.approx(0.6 / 6**0.5, rel=0.2)


def test_pictures_in_colour_are_mirrored_and_cut_and_grey_ones_are_not():
    right = torch.zeros(3, 16, 16)
    right[:, :, 12:] = 1.0
    sides = [
        (views[:, :, :, 8:].sum(dim=(1, 2, 3)) > views[:, :, :, :8].sum(dim=(1, 2, 3))).float()
        for views in (views_of(right), views_of(right[:1]))
    ]
    assert sides[0].mean() == pytest.approx(0.5, abs=0.1)
    assert sides[1].mean() == 1.0
    dot = torch.zeros(3, 32, 32)
    dot[:, 14:18, 14:18] = 1.0
    covered = [
        (views > 0.4).sum(dim=(1, 2, 3)).float() / 16
        for views in (views_of(dot), views_of(dot[:1]))
    ]
    # A part of side .6 to 1 shows everything up to 2.8 times as large.
    assert covered[0].mean() / 3 > 1.3 * covered[1].mean()
