import numpy as np
import pytest

from nasrank.companions.hard_samples.measures import covered_modes, judge, own_and_other


def mixture(seed=0, each=60, modes=8):
    """A circle of modes in the plane, one class each."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(modes) / modes
    centres = 4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    classes = np.repeat(np.arange(modes), each)
    return centres[classes] + 0.3 * rng.normal(size=(len(classes), 2)), classes


def test_a_generator_like_the_data_covers_it():
    real, classes = mixture()
    like, own = mixture(1)
    assert covered_modes(like, own, real, classes) > 0.95


def test_a_collapsed_generator_covers_little():
    real, classes = mixture()
    one_each = np.stack([real[classes == c].mean(axis=0) for c in range(8)])
    points = covered_modes(one_each.repeat(60, axis=0), classes, real, classes)
    one_class = covered_modes(mixture(1)[0][:60], np.zeros(60, int), real, classes)
    assert points < 0.4
    assert one_class == pytest.approx(1 / 8, abs=0.01)
    assert covered_modes(np.full((480, 2), 99.0), classes, real, classes) == 0


def test_a_generator_that_confuses_classes_covers_nothing():
    real, classes = mixture()
    like, own = mixture(1)
    assert covered_modes(like, (own + 1) % 8, real, classes) == 0


def test_classes_of_one_are_left_out():
    assert np.isnan(
        covered_modes(np.zeros((1, 2)), np.zeros(1, int), np.zeros((1, 2)), np.zeros(1, int))
    )
    pair = np.array([[0.0], [1.0], [9.0]])
    classes = np.array([0, 0, 1])
    assert covered_modes(pair[:1], np.zeros(1, int), pair, classes) == 1


def test_own_and_other_classes():
    real, classes = mixture()
    like, own = mixture(1)
    near, far = own_and_other(like, own, real, classes)
    # Neighbouring centres are 8 sin(pi / 8) = 3.06 apart.
    assert (near < far).all()
    assert 1 < far.mean() < 3.1
    swapped_near, swapped_far = own_and_other(like, (own + 1) % 8, real, classes)
    assert (swapped_near > swapped_far).all()
    alone, nobody = own_and_other(like[:1], own[:1], real[:60], classes[:60])
    assert np.isfinite(alone).all()
    assert np.isinf(nobody).all()


def test_clusters_that_are_apart():
    points, classes = mixture()
    numbers, halves = judge(points, classes, seed=0)
    assert numbers["recall_at_1"] == 1
    assert numbers["nmi"] == pytest.approx(1)
    assert numbers["f1"] == pytest.approx(1)
    assert numbers["separation"] > 5
    assert numbers["fpr_at_95_recall"] == 0
    for half in halves:
        assert len(half.same) + len(half.different) == 240 * 239 / 2


def test_one_point_is_chance():
    numbers, _ = judge(np.zeros((40, 3)), np.repeat([0, 1], 20), seed=0)
    assert numbers["recall_at_1"] == pytest.approx(19 / 39)
    assert numbers["nmi"] == 0
    assert numbers["fpr_at_95_recall"] == 1
