import numpy as np
import pytest

from nasrank.companions.optimal_transport.made import MADE, make_mixture


@pytest.mark.parametrize("name", MADE)
def test_shapes_and_seeds(name):
    data, again, other = (make_mixture(name, seed) for seed in (0, 0, 1))
    assert data.fingerprint == again.fingerprint != other.fingerprint
    for part in (data.train, data.test):
        assert np.bincount(part.classes).tolist() == [120] * 6


def test_two_modes_have_equal_means_and_one_mode_has_not():
    two, one = (make_mixture(name, 3).train for name in ("two-modes", "one-mode"))
    means = [
        np.stack([part.values[part.classes == number].mean(0) for number in range(6)])
        for part in (two, one)
    ]
    assert np.linalg.norm(means[0], axis=1).max() < 0.35
    assert np.linalg.norm(means[1], axis=1) == pytest.approx([4] * 6, abs=0.3)
    # Of a group: the angle between g + o/2 and g + o'/2 has cosine 1 / 1.25.
    assert means[1][0] @ means[1][1] / 16 == pytest.approx(0.8, abs=0.05)
    assert means[1][0] @ means[1][4] / 16 == pytest.approx(0, abs=0.05)
