"""Values follow scores, and intervals hold what they promise."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from nasrank.questions.rank.calibration import calibrate
from nasrank.questions.rank.folds import folds_of


def data(count, seed, bend=False):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=count)
    clean = np.where(scores > 0, 0.2 * scores, 8 * scores) if bend else 3 * scores
    (folds,) = folds_of(np.arange(count), 10, 1, seed)
    return scores, 90 + clean + rng.normal(size=count) * 0.3, folds


def test_few_labels_get_a_straight_line():
    scores, labels, folds = data(19, 0)
    found = calibrate(scores, labels, folds, 0.9)
    slope, start = np.polyfit(scores, labels, 1)
    assert found.method == "linear"
    np.testing.assert_allclose(
        found.values(np.array([-5.0, 0.0])), start + slope * np.array([-5.0, 0.0])
    )
    # Beyond the greatest score it rises by a quarter of its slope.
    high = scores.max()
    np.testing.assert_allclose(
        found.values(np.array([high + 2.0])), start + slope * (high + 0.25 * 2)
    )
    assert found.reach.shape == (1,)


def test_bent_data_get_the_isotonic_map_which_goes_on_beyond_its_ends():
    scores, labels, folds = data(200, 1, bend=True)
    found = calibrate(scores, labels, folds, 0.9)
    assert found.method == "isotonic"
    order = np.argsort(scores)
    np.testing.assert_allclose(
        found.values(scores[order]), isotonic_regression(labels[order]).x, atol=1e-9
    )
    beyond = found.values(np.array([found.low - 1, found.low, found.high, found.high + 1]))
    assert beyond[1] - beyond[0] == pytest.approx(8, abs=0.8)
    # A quarter of .2, the slope of the upper third.
    assert beyond[3] - beyond[2] == pytest.approx(0.05, abs=0.05)
    # The noise is the same everywhere, the bins have widths of their own.
    assert found.reach.shape == (4,)


def test_the_map_never_falls():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60)
    (folds,) = folds_of(np.arange(60), 5, 1, 0)
    found = calibrate(scores, -scores, folds, 0.9)
    grid = np.linspace(-6, 6, 200)
    assert (np.diff(found.values(grid)) >= -1e-12).all()


def test_the_half_width_is_an_order_statistic():
    scores, labels, folds = data(19, 3)
    found = calibrate(scores, labels, folds, 0.8)
    errors = np.abs(labels - found.held_out[0])
    # The highest five, of which the width needs four and a fold takes some: ceil(0.8 * 6) = 5,
    # and ceil(0.8 * 15) = 12 of the others.
    order = np.argsort(scores)
    assert found.reach[1] == pytest.approx(np.sort(errors[order[14:]])[4])
    assert found.reach[0] == pytest.approx(np.sort(errors[order[:14]])[11])
    assert found.reaches(scores[order])[13:15].tolist() == found.reach.tolist()
    assert found.error == pytest.approx(errors.mean())


def test_too_few_labels_give_no_interval():
    scores, labels, folds = data(8, 0)
    found = calibrate(scores, labels, folds, 0.9)
    # ceil(0.9 * 9) = 9 of 8
    assert np.isnan(found.reach).all()
    assert found.coverage is None
    assert np.isfinite(found.values(scores)).all()
    assert np.isfinite(calibrate(*data(9, 0), 0.9).reach).all()


def test_intervals_hold_their_share():
    shares = []
    for seed in range(60):
        scores, labels, folds = data(50, seed)
        found = calibrate(scores, labels, folds, 0.8)
        fresh, truth, _ = data(400, seed + 1000)
        inside = np.abs(found.values(fresh) - truth) <= found.reaches(fresh)
        shares.append(inside.mean())
    assert 0.77 < np.mean(shares) < 0.86


def test_intervals_hold_on_the_list_where_labels_crowd_below_a_limit():
    """What is chosen for its score among many owes a part of it to chance."""
    shares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)

        def draw(count, rng=rng):
            worth = rng.normal(size=count)
            return worth + 0.5 * rng.normal(size=count), 94 - 2 * np.exp(-2 * worth)

        scores, labels = draw(39)
        (folds,) = folds_of(np.arange(39), 10, 1, seed)
        found = calibrate(scores, labels, folds, 0.9)
        fresh, truth = draw(3000)
        listed = np.argsort(-fresh)[:20]
        inside = np.abs(found.values(fresh) - truth) <= found.reaches(fresh)
        shares.append(inside[listed].mean())
    assert np.mean(shares) > 0.87


def test_equal_scores_have_one_width():
    (folds,) = folds_of(np.arange(50), 5, 1, 0)
    found = calibrate(np.zeros(50), np.arange(50.0), folds, 0.9)
    assert found.reach.shape == (1,)
    assert np.isfinite(found.reach).all()


def test_equal_scores_say_the_mean():
    (folds,) = folds_of(np.arange(20), 5, 1, 0)
    labels = np.arange(20.0)
    found = calibrate(np.zeros(20), labels, folds, 0.9)
    np.testing.assert_allclose(found.values(np.array([0.0, 3.0])), 9.5)
