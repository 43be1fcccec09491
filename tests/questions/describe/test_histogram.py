"""Histograms of labels with and without a tail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.questions.describe.histogram import SCALES, histogram_of


def test_ordinary_labels_have_bins_of_equal_width():
    found = histogram_of(np.arange(100.0), 10)
    assert found["scale"] == "linear"
    assert found["counts"] == [10] * 10
    np.testing.assert_allclose(np.diff(found["edges"]), 9.9)


def test_labels_over_many_decades_have_bins_of_equal_ratio():
    labels = np.geomspace(1e-3, 1e3, 60)
    found = histogram_of(labels, 6)
    assert found["scale"] == "log"
    # The last edge belongs to the last bin, and rounding decides of a label on an edge.
    np.testing.assert_allclose(np.divide(found["edges"][1:], found["edges"][:-1]), 10)
    assert max(found["counts"]) <= 11


@pytest.mark.parametrize("far", [[1e6], [-1e6], [-1e6, 1e6]])
def test_far_labels_have_a_bin_of_their_own(far):
    labels = np.concatenate([np.arange(100.0) - 50, far])
    found = histogram_of(labels, 10)
    assert found["scale"] == "tails"
    assert len(found["counts"]) == 10
    if far[-1] > 0:
        assert found["counts"][-1] == 1
    if far[0] < 0:
        assert found["counts"][0] == 1
    # All others are spread over the bins between.
    assert max(found["counts"]) < 50


@given(
    st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=50),
    st.integers(3, 20),
)
def test_every_label_is_counted_once(values, bins):
    labels = np.array(values)
    found = histogram_of(labels, bins)
    assert sum(found["counts"]) == len(labels)
    assert len(found["edges"]) == len(found["counts"]) + 1
    assert np.all(np.diff(found["edges"]) > 0)
    assert found["scale"] in SCALES
    if labels.min() < labels.max():
        assert (found["edges"][0], found["edges"][-1]) == (labels.min(), labels.max())


def test_a_common_label_hides_nothing():
    assert histogram_of(np.array([1.0] * 50 + [2.0, 3.0]), 10)["scale"] == "linear"


def test_labels_that_differ_in_their_last_bits_have_fewer_bins():
    labels = np.array([1.0, np.nextafter(1.0, 2.0), np.nextafter(1.0, 2.0)])
    found = histogram_of(labels, 20)
    assert sum(found["counts"]) == 3
    assert found["scale"] == "linear"
