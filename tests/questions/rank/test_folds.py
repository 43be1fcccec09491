"""Folds hold everything once, keep groups whole, and are no independent experiments."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nasrank.questions.rank.folds import fold_estimate, folds_of


@pytest.mark.parametrize(
    ("count", "most", "folds"), [(8, 5, 2), (12, 5, 3), (40, 5, 5), (9, 10, 2)]
)
def test_folds_share_everything_out(count, most, folds):
    cuts = folds_of(np.arange(count), most, 3, seed=1)
    assert [len(cut) for cut in cuts] == [folds] * 3
    for cut in cuts:
        np.testing.assert_array_equal(np.sort(np.concatenate(cut)), np.arange(count))
        sizes = [len(fold) for fold in cut]
        assert max(sizes) - min(sizes) <= 1
    assert not np.array_equal(cuts[0][0], cuts[1][0])


def test_groups_stay_whole():
    units = np.repeat(np.arange(6), [10, 1, 1, 4, 4, 4])
    (cut,) = folds_of(units, 5, 1, seed=0)
    for unit in range(6):
        assert sum(unit in units[fold] for fold in cut) == 1


def test_the_interval_is_that_of_the_corrected_variance():
    values = np.array([0.1, 0.4, 0.3, 0.6, np.nan])
    found = fold_estimate(values, 0.2)
    plain = ttest_1samp(values[:4], 0.0)
    # Variance (1/4 + 0.2/0.8) s^2 in the place of s^2 / 4 is twice as large.
    assert found.count == 4
    assert found.mean == pytest.approx(0.35)
    low, high = plain.confidence_interval(0.95)
    assert found.upper - found.lower == pytest.approx((high - low) * np.sqrt(2))
    assert found.p > plain.pvalue


def test_without_spread_or_values():
    assert fold_estimate(np.array([np.nan]), 0.5).mean is None
    assert fold_estimate(np.array([2.0]), 0.5).lower is None
    assert fold_estimate(np.zeros(3), 0.5).p == 1.0
    assert fold_estimate(np.ones(3), 0.5).p == 0.0
