"""The top set and its border."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.errors import DataError
from nasrank.metrics.top import TOP_FRACTIONS, ceil_share, top_threshold


@given(st.sampled_from([*TOP_FRACTIONS, 0.5, 0.8, 0.9, 0.95, 0.07, 0.29]), st.integers(0, 500_000))
def test_rounding_up_is_exact_for_short_decimals(fraction, count):
    assert ceil_share(fraction, count) == math.ceil(Fraction(str(fraction)) * count)


def test_sizes_on_the_spaces_in_use():
    # .001 * 15625 = 15.625, .005 * 15625 = 78.125, .01 * 15625 = 156.25, .05 * 15625 = 781.25
    assert [ceil_share(f, 15_625) for f in TOP_FRACTIONS] == [16, 79, 157, 782]


def test_threshold_takes_ties_in():
    labels = [9, 9, 9, 8, 1, 1, 1, 1, 1, 1]
    # ceil(.1 * 10) = 1st best is 9, which three architectures have
    assert top_threshold(labels, 0.1) == 9
    # ceil(.35 * 10) = 4th best
    assert top_threshold(labels, 0.35) == 8


def test_top_of_less_than_one_is_undefined():
    assert top_threshold(np.arange(999), 0.001) is None
    assert top_threshold(np.arange(1000), 0.001) == 999
    assert top_threshold([], 0.5) is None


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from([0.05, 0.1, 0.5, 1]))
def test_threshold_is_the_kth_best(labels, fraction):
    expected = None
    if Fraction(str(fraction)) * len(labels) >= 1:
        k = math.ceil(Fraction(str(fraction)) * len(labels))
        expected = sorted(labels, reverse=True)[k - 1]
    assert top_threshold(labels, fraction) == expected


def test_refusals():
    with pytest.raises(ValueError, match="fraction"):
        top_threshold([1.0], 0)
    with pytest.raises(DataError):
        top_threshold([1.0, np.nan], 0.5)
