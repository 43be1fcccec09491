import numpy as np
import pytest

from nasrank.companions.precision_recall.measures import (
    CURVE_LAMBDAS,
    neighbour_frontier,
    neighbour_precision_recall,
)
from nasrank.companions.precision_recall.pairs import GaussianPair
from nasrank.errors import DataError

RNG = np.random.default_rng(0)


def test_a_set_against_itself():
    points = RNG.normal(size=(200, 40)).astype(np.float32)
    assert neighbour_precision_recall(points, points, 3) == (1.0, 1.0)
    assert neighbour_precision_recall(1000 + points, 1000 + points, 3) == (1.0, 1.0)


def test_far_clouds_have_nothing_in_common():
    points = RNG.normal(size=(50, 2))
    assert neighbour_precision_recall(points, points + 100, 5) == (0.0, 0.0)


def test_a_subset_of_modes_is_precise_and_forgets():
    points = RNG.normal(size=(400, 2))
    both = np.concatenate([points, points + 50])
    precision, recall = neighbour_precision_recall(both, points, 5)
    assert precision == 1.0
    assert recall == 0.5
    assert neighbour_precision_recall(points, both, 5) == (0.5, 1.0)


def test_by_hand():
    # Radii of 0, 1, 3 with one neighbour: 1, 1, 2. Draws at 1.5 and 9 have radius 7.5.
    # 1.5 is inside of 1's and 3's ball, 9 of none; 0, 1, 3 are within 7.5 of 1.5.
    data = np.array([[0.0], [1.0], [3.0]])
    assert neighbour_precision_recall(data, np.array([[1.5], [9.0]]), 1) == (0.5, 1.0)


def test_too_few_points():
    with pytest.raises(DataError, match="--neighbours"):
        neighbour_precision_recall(np.zeros((5, 2)), np.zeros((9, 2)), 5)
    with pytest.raises(DataError, match="as many"):
        neighbour_frontier(np.zeros((5, 2)), np.zeros((9, 2)), [1.0])


def test_the_classifier_finds_the_frontier_of_gaussians():
    real, fake = RNG.normal(1, 1, (3000, 1)), RNG.normal(0, 1, (3000, 1))
    lambdas = [0.2, 1.0, 5.0]
    found = neighbour_frontier(real, fake, lambdas)
    assert np.abs(found - GaussianPair(1.0).alpha(lambdas)).max() < 0.05


def test_the_frontier_stays_within_its_bounds():
    same = neighbour_frontier(RNG.normal(size=(300, 2)), RNG.normal(size=(300, 2)), CURVE_LAMBDAS)
    bound = np.minimum(1, CURVE_LAMBDAS)
    assert (same <= bound + 1e-12).all()
    assert (same >= 0.7 * bound).all()
    apart = neighbour_frontier(np.zeros((50, 2)), np.full((50, 2), 9.0), CURVE_LAMBDAS)
    assert np.abs(apart).max() == 0


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, 1e7])
def test_neither_unit_nor_origin_matters(unit, shift):
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(300, 8)), 0.7 * rng.normal(size=(300, 8))
    moved = [unit * (each + shift) for each in (real, fake)]
    assert neighbour_precision_recall(*moved) == neighbour_precision_recall(real, fake)
    lambdas = [0.3, 1.0, 3.0]
    np.testing.assert_array_equal(
        neighbour_frontier(*moved, lambdas), neighbour_frontier(real, fake, lambdas)
    )


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_refused(wrong):
    rows = np.random.default_rng(0).normal(size=(20, 3))
    ill = rows.copy()
    ill[3, 1] = wrong
    for pair, who in (((ill, rows), "samples"), ((rows, ill), "draws")):
        with pytest.raises(DataError, match=f"the {who} hold nan or infinity"):
            neighbour_precision_recall(*pair)
