"""Folds hold everything once and keep groups whole."""

import numpy as np
import pytest

from nasrank.questions.rank.folds import folds_of


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
