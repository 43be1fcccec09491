"""The budget: hypergeometric by enumeration, order statistics, rows by hand."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.metrics.budget import (
    CONFIDENCES,
    budget_rows,
    random_confidence,
    random_evaluations,
    savings,
)

LEVELS = (0.1, 0.25, 0.5, 0.8, 0.9, 0.95, 1.0)


def test_known_values():
    levels = (0.5, 0.8, 0.95)
    assert [random_evaluations(15_625, 16, c) for c in levels] == [663, 1495, 2667]


def test_every_small_space_by_enumeration():
    for universe in range(1, 26):
        for top in range(1, universe + 1):
            for confidence in LEVELS:
                least = next(
                    m
                    for m in range(universe + 1)
                    if 1 - Fraction(comb(universe - top, m), comb(universe, m))
                    >= Fraction(str(confidence))
                )
                assert random_evaluations(universe, top, confidence) == least


def test_equality_counts():
    # one of ten: 9 draws miss it with probability exactly 1/10
    assert random_evaluations(10, 1, 0.9) == 9
    assert random_evaluations(20, 1, 0.95) == 19
    assert random_evaluations(15_625, 15_625, 0.95) == 1
    assert random_evaluations(100, 30, 1.0) == 71


@given(st.integers(1, 500_000), st.data())
@settings(max_examples=60, deadline=None)
def test_least_in_large_spaces(universe, data):
    top = data.draw(st.integers(1, max(1, universe // 10)))
    confidence = data.draw(st.sampled_from(CONFIDENCES))
    m = random_evaluations(universe, top, confidence)

    def log_missed(drawn):
        if drawn > universe - top:
            return -np.inf
        return np.log1p(-top / (universe - np.arange(drawn))).sum()

    assert log_missed(m) <= np.log(1 - confidence) + 1e-9
    assert log_missed(m - 1) > np.log(1 - confidence) - 1e-9


def test_random_search_agrees_by_simulation():
    rng = np.random.default_rng(0)
    m = random_evaluations(200, 4, 0.8)
    first = np.array([np.flatnonzero(rng.permutation(200) < 4)[0] + 1 for _ in range(4000)])
    # 4 standard deviations: 4 * sqrt(.8 * .2 / 4000) = .025
    assert abs((first <= m).mean() - 0.8) < 0.035


@pytest.mark.parametrize(
    ("universe", "top", "confidence"), [(10, 0, 0.5), (10, 11, 0.5), (10, 1, 0), (10, 1, 1.1)]
)
def test_out_of_range(universe, top, confidence):
    with pytest.raises(ValueError, match="should lie in"):
        random_evaluations(universe, top, confidence)


def test_seeds_that_never_got_there_are_refused():
    with pytest.raises(ValueError, match="finite"):
        budget_rows(1, {0.01: [1, np.inf]}, 1000, {0.01: 10})


def test_random_confidence_is_the_inverse():
    # 1 - C(8, 3) / C(10, 3) = 1 - 56 / 120
    assert random_confidence(10, 2, 3) == pytest.approx(1 - 56 / 120)
    assert random_confidence(10, 2, 0) == 0
    assert random_confidence(10, 2, 9) == random_confidence(10, 2, 99) == 1
    m = random_evaluations(15_625, 16, 0.8)
    assert random_confidence(15_625, 16, m) >= 0.8 > random_confidence(15_625, 16, m - 1)
    with pytest.raises(ValueError, match="negative"):
        random_confidence(10, 2, -1)
    with pytest.raises(ValueError, match="should lie in"):
        random_confidence(10, 0, 1)


def test_savings():
    assert savings(100, 400) == 1 - 100 / 400
    assert savings(800, 400) == -1
    assert savings(None, 400) is None


HITS = [0, 3, 1, 7, 2, 5, 4, 6, 8, 9]  # sorted: 0 to 9


def make(**options):
    return budget_rows(78, {0.001: HITS}, 15_625, {0.001: 16}, **options)


def test_rows_by_hand():
    rows = make(mean_seconds=720.0)
    assert [row["confidence"] for row in rows] == [0.5, 0.8, 0.9, 0.95]
    half, most, nearly, last = rows
    assert {row["n_seeds"] for row in rows} == {10}
    assert half["evaluations"] == 78 + 5  # ceil(.5 * 11) = 6th smallest
    assert most["evaluations"] == 78 + 8  # ceil(.8 * 11) = 9th smallest
    assert nearly["evaluations"] == 78 + 9  # ceil(.9 * 11) = 10th smallest
    assert half["random_evaluations"] == 663
    assert half["savings"] == 1 - 83 / 663
    assert half["gpu_hours"] == pytest.approx(83 * 720 / 3600)
    assert half["random_gpu_hours"] == pytest.approx(663 * 720 / 3600)
    # ceil(.95 * 11) = 11 exceeds the ten seeds; random search still has its number
    assert last["random_evaluations"] == 2667
    assert all(
        last[name] is None
        for name in ("evaluations", "evaluations_lower", "evaluations_upper", "savings",
                     "savings_lower", "savings_upper", "gpu_hours")
    )  # fmt: skip


def test_bounds_by_hand():
    half, most, nearly, _ = make()
    # Of ten coins at most one shows heads in 11 of 1,024 cases, at most two in 56, 5 %: the
    # median lies between the 2nd and the 9th of 0 to 9.
    assert (half["evaluations_lower"], half["evaluations_upper"]) == (78 + 1, 78 + 8)
    assert half["savings_lower"] == 1 - (78 + 8) / 663
    assert half["savings_upper"] == 1 - (78 + 1) / 663
    # All ten are below the quantile in .8^10 = 11 % of cases: no value is surely above it.
    assert (most["evaluations_upper"], most["savings_lower"]) == (None, None)
    # At most four of ten lie below it in .6 % of cases, at most five in 3.3 %: the 5th of them.
    assert most["evaluations_lower"] == 78 + 4
    assert nearly["evaluations_upper"] is None
    for row in (half, most, nearly):
        assert row["evaluations_lower"] <= row["evaluations"]
        assert row["gpu_hours"] is row["random_gpu_hours"] is None


def test_exact_costs_take_the_place_of_the_mean():
    seconds = np.arange(10)[::-1] * 3600.0
    rows = make(mean_seconds=720.0, seed_seconds={0.001: seconds})
    assert [row["gpu_hours"] for row in rows] == [5, 8, 9, None]
    assert rows[0]["random_gpu_hours"] == pytest.approx(663 * 720 / 3600)


def test_one_seed_has_no_bounds():
    row = budget_rows(10, {0.01: [4]}, 1000, {0.01: 10})[0]
    assert (row["evaluations"], row["evaluations_lower"], row["savings_upper"]) == (14, None, None)


def test_differing_tops_grant_random_search_the_largest():
    row = budget_rows(1, {0.01: [4, 4]}, 1000, {0.01: [10, 12]})[0]
    assert row["random_evaluations"] == random_evaluations(1000, 12, 0.5)


def test_a_fraction_more_changes_no_row():
    hits, sizes = {0.01: [4, 9, 1]}, {0.01: 10}
    alone = budget_rows(1, hits, 1000, sizes)
    more = budget_rows(1, {0.05: [0, 0, 1], **hits}, 1000, {0.05: 50, **sizes})
    assert more[4:] == alone
    assert budget_rows(1, {}, 1000, {}) == []


def test_keys_should_match():
    with pytest.raises(ValueError, match="share their keys"):
        budget_rows(1, {0.01: [4]}, 1000, {0.05: 10})
    with pytest.raises(ValueError, match="share their keys"):
        make(seed_seconds={})
