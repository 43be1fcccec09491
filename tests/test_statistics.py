"""Intervals, paired tests, corrections: by hand, by enumeration, by simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasrank.statistics import (
    compare_with_best,
    holm,
    mean_interval,
    paired_p,
    top_stability,
)

NAN = float("nan")


def rng():
    return np.random.default_rng(5)


# --- intervals --------------------------------------------------------------------------------


def test_interval_of_few():
    nothing = mean_interval([NAN, NAN], rng())
    assert (nothing.n_seeds, nothing.mean, nothing.lower, nothing.upper) == (0, None, None, None)
    one = mean_interval([NAN, 4.0], rng())
    assert (one.n_seeds, one.mean, one.lower, one.upper) == (1, 4.0, None, None)


def test_interval_against_the_normal_one():
    values = np.random.default_rng(0).normal(size=400)
    interval = mean_interval(values, rng())
    half = 1.96 * values.std(ddof=1) / 20
    assert interval.lower == pytest.approx(values.mean() - half, abs=0.01)
    assert interval.upper == pytest.approx(values.mean() + half, abs=0.01)
    wider = mean_interval(values, rng(), level=0.99)
    assert wider.lower < interval.lower < interval.mean < interval.upper < wider.upper


def test_interval_against_scipy():
    values = np.random.default_rng(0).exponential(size=15)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", rng=rng(), n_resamples=20_000
    ).confidence_interval
    ours = mean_interval(values, rng())
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_missing_seeds_are_left_out():
    assert mean_interval([1.0, NAN, 3.0], rng()) == mean_interval([1.0, 3.0], rng())


# --- paired test ------------------------------------------------------------------------------


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=7))
@settings(deadline=None)
def test_p_by_enumeration(differences):
    seen = abs(sum(differences))
    signs = list(product([-1, 1], repeat=len(differences)))
    reached = [
        abs(sum(s * d for s, d in zip(row, differences, strict=True))) >= seen for row in signs
    ]
    p = paired_p(differences, [0] * len(differences), rng())
    assert p == sum(reached) / len(signs)


@pytest.mark.parametrize("seeds", [1, 5, 10, 12])
def test_least_attainable_p(seeds):
    assert paired_p(np.arange(1, seeds + 1), np.zeros(seeds), rng()) == 2 / 2**seeds


def test_least_attainable_p_by_chance():
    assert paired_p(np.arange(1, 31), np.zeros(30), rng()) == 1 / 10_000


def test_decimal_dust_is_no_difference():
    # .1 + .2 and .3 differ in the last digit; all eight assignments reach the sum of 0
    assert paired_p([0.1, 0.2, 0.0], [0.0, 0.0, 0.3], rng()) == 1


def test_p_of_equal_methods_and_symmetry():
    values = np.random.default_rng(0).normal(size=(2, 20))
    assert paired_p(values[0], values[0], rng()) == 1
    assert paired_p(*values, rng()) == paired_p(*values[::-1], rng())


def test_p_against_scipy():
    a, b = np.random.default_rng(0).normal(size=(2, 10))
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert paired_p(a, b, rng()) == pytest.approx(theirs)
    a, b = np.random.default_rng(1).normal(size=(2, 25))
    a += 0.4
    theirs = stats.ttest_rel(a, b).pvalue
    assert paired_p(a, b, rng()) == pytest.approx(theirs, abs=0.02)


def test_pairs_with_a_missing_half_are_dropped():
    a, b = [1.0, 2.0, NAN, 3.0, 9.0], [0.0, 0.0, 5.0, 0.0, NAN]
    assert paired_p(a, b, rng()) == paired_p([1, 2, 3], [0, 0, 0], rng()) == 2 / 8
    assert paired_p([NAN, 1.0], [1.0, NAN], rng()) is None


def test_pairs_should_align():
    with pytest.raises(ValueError, match="pairs"):
        paired_p([1.0, 2.0], [1.0], rng())
    with pytest.raises(ValueError, match="one axis"):
        paired_p([[1.0]], [[1.0]], rng())


# --- Holm -------------------------------------------------------------------------------------


def test_holm_by_hand():
    # sorted .01 .02 .03 .6: 4 * .01, 3 * .02, max(2 * .03, .06), 1 * .6
    assert holm([0.02, 0.6, 0.01, 0.03]) == pytest.approx([0.06, 0.6, 0.04, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_tests_that_were_not_made_do_not_count():
    assert holm([None, 0.04, None]) == [None, 0.04, None]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_laws(p_values):
    corrected = holm(p_values)
    for p, q in zip(p_values, corrected, strict=True):
        assert p <= q <= min(1, len(p_values) * p) or q == pytest.approx(p)
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()
    if p_values:
        assert holm(p_values[::-1]) == corrected[::-1]


# --- stability --------------------------------------------------------------------------------


def test_stability():
    assert top_stability([]) is None
    assert top_stability([{1}]) is None
    assert top_stability([{1, 2}, {1, 2}, {2, 1}]) == 1
    assert top_stability([{1}, {2}]) == 0
    assert top_stability([set(), set()]) == 1
    # {2, 3} of {1, 2, 3, 4}, {3} of {1, 2, 3, 5}, {3} of {2, 3, 4, 5}
    tops = [[1, 2, 3], [2, 3, 4], [3, 5]]
    assert top_stability(tops) == pytest.approx((2 / 4 + 1 / 4 + 1 / 4) / 3)


# --- comparison -------------------------------------------------------------------------------


def test_comparison_by_hand():
    values = {
        "mse": [0.5, 0.6, 0.4, NAN],
        "hr": [0.8, 0.9, 0.7, 0.6],
        "lr": [0.8, 0.7, 0.6, 0.5],
        "diverged": [NAN] * 4,
    }
    rows = compare_with_best(values, higher_is_better=True, rng=rng())
    assert list(rows) == list(values)
    assert rows["hr"].mean == pytest.approx((0.8 + 0.9 + 0.7 + 0.6) / 4)
    assert rows["hr"].sd == pytest.approx(np.sqrt((0.0025 + 0.0225 + 0.0025 + 0.0225) / 3))
    assert (rows["hr"].rank, rows["hr"].best, rows["hr"].p_holm) == (1, True, None)
    assert rows["mse"].n_seeds == 3
    assert (rows["lr"].rank, rows["mse"].rank, rows["mse"].best) == (2, 3, False)
    # mse - hr = -.3 three times: 2/8. lr - hr = 0, -.2, -.1, -.1: both signs of the 0, so 4/16.
    # Holm over two tests: 2 * .25 for the first and no less for the second
    assert rows["mse"].p_holm == rows["lr"].p_holm == 2 * 0.25
    lost = rows["diverged"]
    assert (lost.n_seeds, lost.mean, lost.sd, lost.rank, lost.best, lost.p_holm) == (
        0, None, None, None, False, None,
    )  # fmt: skip


def test_direction():
    values = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert compare_with_best(values, higher_is_better=True, rng=rng())["b"].best
    assert compare_with_best(values, higher_is_better=False, rng=rng())["a"].best


def test_equal_means_share_the_first_place():
    rows = compare_with_best(
        {"a": [1.0, 3.0], "b": [2.0, 2.0], "c": [0.0, 0.0]}, higher_is_better=True, rng=rng()
    )
    assert [row.rank for row in rows.values()] == [1, 1, 3]
    assert [row.best for row in rows.values()] == [True, True, False]
    assert rows["a"].p_holm is None
    assert rows["b"].p_holm is None


@pytest.mark.parametrize("seeds", [8, 30])
def test_order_and_company_change_no_interval(seeds):
    table = np.random.default_rng(0).normal(size=(4, seeds)) + np.arange(4)[:, None]
    values = dict(zip("abcd", table, strict=True))
    here = compare_with_best(values, higher_is_better=True, rng=rng())
    turned = compare_with_best(
        dict(reversed(list(values.items()))), higher_is_better=True, rng=rng()
    )
    assert here == {loss: turned[loss] for loss in values}
    alone = compare_with_best({"a": table[0]}, higher_is_better=True, rng=rng())["a"]
    assert (alone.lower, alone.upper) == (here["a"].lower, here["a"].upper)
    assert alone.best
    assert here["a"].p_holm < 0.05


def test_edges_of_the_table():
    assert compare_with_best({}, higher_is_better=True, rng=rng()) == {}
    with pytest.raises(ValueError, match="one value for each seed"):
        compare_with_best({"a": [1.0], "b": [1.0, 2.0]}, higher_is_better=True, rng=rng())
