"""Intervals, paired tests, corrections: by hand, by enumeration, by simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasrank.statistics import (
    Interval,
    clustered_interval,
    clustered_p,
    compare_with_best,
    holm,
    judged,
    mean_interval,
    median_interval,
    order_statistic,
    paired_interval,
    paired_p,
    ratio_interval,
    seeds_needed,
    share_interval,
    top_stability,
    verdict_of,
)

NAN, INF = float("nan"), float("inf")

# Types are checked where values are computed by hand; thousands of draws would only repeat it.
SIMULATED = pytest.mark.usefixtures("unchecked")


def rng():
    return np.random.default_rng(5)


def coverage(intervals, truth):
    """Share that holds the truth; an open end holds everything."""
    held = [
        (lower is None or lower <= truth) and (upper is None or truth <= upper)
        for lower, upper in intervals
    ]
    return np.mean(held)


# --- means ------------------------------------------------------------------------------------


def test_interval_of_few():
    nothing = mean_interval([NAN, NAN])
    assert (nothing.n_seeds, nothing.mean, nothing.lower, nothing.upper) == (0, None, None, None)
    one = mean_interval([NAN, 4.0])
    assert (one.n_seeds, one.mean, one.lower, one.upper, one.p_value) == (1, 4.0, None, None, None)


def test_interval_and_test_are_those_of_scipy():
    values = np.random.default_rng(0).exponential(size=15)
    theirs = stats.ttest_1samp(values, 0.0)
    ours = mean_interval(values)
    assert (ours.lower, ours.upper) == pytest.approx(tuple(theirs.confidence_interval(0.95)))
    assert ours.p_value == pytest.approx(theirs.pvalue)
    wider = mean_interval(values, level=0.99)
    assert (wider.lower, wider.upper) == pytest.approx(tuple(theirs.confidence_interval(0.99)))


def test_equal_values_are_known_exactly():
    assert mean_interval([2.0, 2.0]) == Interval(2, 2.0, 2.0, 2.0, 0.0)
    assert mean_interval([0.0, 0.0]).p_value == 1.0
    assert mean_interval(np.ones(3), held_out=0.5).p_value == 0.0


def test_missing_seeds_are_left_out():
    assert mean_interval([1.0, NAN, 3.0]) == mean_interval([1.0, 3.0])
    a, b = [1.0, 2.0, NAN, 3.0, 9.0], [0.0, 0.0, 5.0, 0.5, NAN]
    assert paired_interval(a, b) == mean_interval([1.0, 2.0, 2.5])


def test_folds_have_the_corrected_variance():
    values = np.array([0.1, 0.4, 0.3, 0.6, NAN])
    found = mean_interval(values, held_out=0.2)
    plain = stats.ttest_1samp(values[:4], 0.0)
    # Variance (1/4 + 0.2/0.8) s^2 in the place of s^2 / 4 is twice as large.
    assert found.n_seeds == 4
    assert found.mean == pytest.approx(0.35)
    low, high = plain.confidence_interval(0.95)
    assert found.upper - found.lower == pytest.approx((high - low) * np.sqrt(2))
    assert found.p_value > plain.pvalue


@SIMULATED
@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("seeds", [2, 5, 10, 20])
def test_student_s_interval_covers_what_it_says(seeds, level):
    draws = np.random.default_rng(seeds).normal(3.0, 2.0, size=(4000, seeds))
    found = [mean_interval(own, level=level) for own in draws]
    # 3 standard deviations of 4,000 trials: 3 * sqrt(.95 * .05 / 4000) = .0103
    assert coverage([(f.lower, f.upper) for f in found], 3.0) == pytest.approx(level, abs=0.02)
    if level == 0.95:
        assert 0.94 <= coverage([(f.lower, f.upper) for f in found], 3.0) <= 0.96
        false = np.mean([mean_interval(own - 3.0).p_value <= 0.05 for own in draws])
        assert 0.04 <= false <= 0.06


@SIMULATED
@pytest.mark.parametrize(("seeds", "least", "most"), [(5, 0.86, 0.90), (10, 0.88, 0.92),
                                                      (20, 0.91, 0.94)])  # fmt: skip
def test_skewed_values_cost_student_s_interval_coverage(seeds, least, most):
    draws = np.random.default_rng(0).exponential(size=(4000, seeds))
    found = [mean_interval(own) for own in draws]
    assert least <= coverage([(f.lower, f.upper) for f in found], 1.0) <= most


@SIMULATED
def test_paired_intervals_cover_whatever_pairs_share():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(4000):
        data = rng.normal(size=8)
        found.append(paired_interval(data + rng.normal(1, 0.3, 8), data + rng.normal(0, 0.3, 8)))
    assert 0.94 <= coverage([(f.lower, f.upper) for f in found], 1.0) <= 0.96


@SIMULATED
def test_intervals_over_folds_cover_where_folds_share_their_data():
    rng = np.random.default_rng(2)
    found, plain = [], []
    for _ in range(4000):
        # Folds of a fifth, correlated by as much: what the correction is derived from.
        own = np.sqrt(0.8) * rng.normal(size=5) + np.sqrt(0.2) * rng.normal()
        found.append(mean_interval(own, held_out=0.2))
        plain.append(mean_interval(own))
    assert 0.94 <= coverage([(f.lower, f.upper) for f in found], 0.0) <= 0.96
    assert coverage([(f.lower, f.upper) for f in plain], 0.0) < 0.88


def test_a_ratio_of_means_is_covered_where_there_is_one():
    draws = np.random.default_rng(8)
    held = []
    for _ in range(3000):
        whole = draws.normal(0.05, 0.04, 10)
        part = 0.6 * whole + draws.normal(0.0, 0.02, 10)
        found = ratio_interval(part, whole)
        held.append((found.lower, found.upper))
    # Where the whole may be nothing there is no interval, and nothing is claimed.
    assert 0.94 <= coverage(held, 0.6) <= 0.965
    assert 0.5 < np.mean([low is not None for low, _ in held]) < 1


def test_bounds_of_a_ratio_are_where_student_s_test_turns():
    a, b = np.array([1.0, 1.3, 0.8, 1.1, NAN]), np.array([2.0, 2.2, 1.7, 2.4, 3.0])
    found = ratio_interval(a, b)
    assert found.n_seeds == 4
    assert found.mean == pytest.approx(4.2 / 8.3)
    for end in (found.lower, found.upper):
        assert mean_interval(a - end * b).p_value == pytest.approx(0.05)
    assert found.lower < found.mean < found.upper
    turned = ratio_interval(-a, b)
    assert (turned.lower, turned.upper) == pytest.approx((-found.upper, -found.lower))
    assert ratio_interval([], []).mean is None
    assert ratio_interval([1.0], [2.0]).lower is None
    assert ratio_interval([1.0, 2.0], [-1.0, 1.0]).mean is None
    with pytest.raises(ValueError, match="pairs"):
        ratio_interval([1.0], [1.0, 2.0])


# --- shares -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "of"), [(0, 5), (3, 7), (10, 10), (1, 1)])
def test_share_against_scipy(count, of):
    theirs = stats.binomtest(count, of).proportion_ci(0.95, method="exact")
    assert share_interval(count, of) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("of", [5, 10, 40])
def test_shares_are_covered_by_enumeration(of):
    bounds = [share_interval(count, of) for count in range(of + 1)]
    for share in np.linspace(0.01, 0.99, 49):
        chance = stats.binom.pmf(np.arange(of + 1), of, share)
        held = [lower <= share <= upper for lower, upper in bounds]
        assert chance[held].sum() >= 0.95


# --- order statistics -------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "seeds"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19)])
def test_least_number_of_seeds(share, seeds):
    # ceil(.5 * 2) = 1, ceil(.8 * 5) = 4, ceil(.9 * 10) = 9, ceil(.95 * 20) = 19
    assert order_statistic(np.arange(seeds), share).value == seeds - 1
    assert order_statistic(np.arange(seeds - 1), share).value is None


@given(st.floats(0.01, 0.99).map(lambda share: round(share, 4)))
@settings(deadline=None)
def test_seeds_needed_is_the_least(share):
    least = seeds_needed(share)
    assert order_statistic(np.arange(least), share).value is not None
    assert order_statistic(np.arange(least - 1), share).value is None


def test_order_statistic_by_hand():
    values = [50, 10, 40, 30, 20, 60, 90, 80, 70, 100]
    # ceil(.5 * 11) = 6th, ceil(.8 * 11) = 9th, ceil(.9 * 11) = 10th, ceil(.95 * 11) = 11th
    found = [order_statistic(values, share).value for share in (0.5, 0.8, 0.9, 0.95)]
    assert found == [60, 90, 100, None]
    # Of ten coins at most one shows heads in 11 of 1,024 cases, at most two in 56, 5.5 %.
    half = order_statistic(values, 0.5)
    assert (half.lower, half.upper) == (20, 90)
    one_sided = order_statistic(values, 0.5, level=0.94, side="lower")
    assert (one_sided.lower, one_sided.upper) == (30, None)
    one_sided = order_statistic(values, 0.5, level=0.94, side="upper")
    assert (one_sided.lower, one_sided.upper) == (None, 80)


@pytest.mark.parametrize(("share", "seeds"), [(0.5, 6), (0.8, 17), (0.9, 36), (0.95, 72)])
def test_with_few_seeds_the_interval_is_open_above(share, seeds):
    assert order_statistic(np.arange(seeds), share).upper == seeds - 1
    fewer = order_statistic(np.arange(seeds - 1), share)
    assert fewer.value is not None
    assert fewer.upper is None


def test_coverage_of_a_new_seed():
    draws = np.random.default_rng(1).exponential(size=(4000, 20))
    covered = [new <= order_statistic(old, 0.8).value for *old, new in draws.tolist()]
    # 4 standard deviations: 4 * sqrt(.8 * .2 / 4000) = .025
    assert np.mean(covered) >= 0.8 - 0.025


@SIMULATED
@pytest.mark.parametrize("side", ["both", "lower", "upper"])
@pytest.mark.parametrize(("share", "seeds"), [(0.5, 6), (0.5, 10), (0.8, 10), (0.8, 20),
                                              (0.9, 40), (0.95, 20)])  # fmt: skip
def test_the_quantile_is_covered(share, seeds, side):
    """Two-sided at least 95 % where closed; where open, the one end errs in at most 2.5 %."""
    draws = np.random.default_rng(seeds).exponential(size=(3000, seeds))
    found = [order_statistic(own, share, side=side) for own in draws]
    truth = -np.log(1 - share)
    is_open = side != "both" or found[0].upper is None
    assert {each.upper is None for each in found} == {found[0].upper is None}
    nominal = 0.975 if side == "both" and is_open else 0.95
    # 2.5 standard deviations: 2.5 * sqrt(.05 * .95 / 3000) = .01
    assert coverage([(f.lower, f.upper) for f in found], truth) >= nominal - 0.01


@SIMULATED
def test_ties_only_add_coverage():
    # Whole numbers from a geometric law, whose .8-quantile is 8: 1 - .8^8 = .83, 1 - .8^7 = .79.
    draws = np.random.default_rng(0).geometric(0.2, size=(3000, 20))
    found = [order_statistic(own, 0.8) for own in draws]
    assert coverage([(f.lower, f.upper) for f in found], 8) >= 0.95


def test_seeds_that_never_got_there_may_decide():
    values = [10, 20, INF, 30]
    # ceil(.5 * 5) = 3rd and ceil(.8 * 5) = 4th smallest
    assert order_statistic(values, 0.5).value == 30
    assert order_statistic(values, 0.8).value == INF
    beyond = order_statistic([10, 20, 30, 40, 50, INF], 0.5)
    assert (beyond.lower, beyond.upper) == (10, None)
    assert order_statistic([INF] * 6, 0.5).lower is None


def test_a_median_by_hand():
    assert median_interval([NAN]) == Interval(0, None, None, None, None)
    assert median_interval([5.0, 1.0, NAN, 3.0]) == Interval(3, 3.0, None, None, None)
    # Of ten coins at most one shows heads in 11 of 1,024 cases, at most two in 56.
    found = median_interval([10, 1, 9, 2, 8, 3, 7, 4, 6, 500])
    assert (found.mean, found.lower, found.upper) == (6.5, 2.0, 10.0)


@SIMULATED
@pytest.mark.parametrize("seeds", [6, 10, 30])
def test_a_median_is_covered_where_a_mean_is_not(seeds):
    draws = np.random.default_rng(seeds)
    found, means = [], []
    for _ in range(2000):
        # Most seeds differ little, some by a factor of ten and more.
        own = draws.normal(0.1, 0.05, seeds)
        own += np.where(draws.random(seeds) < 0.1, draws.exponential(3.0, seeds), 0.0)
        found.append(median_interval(own))
        means.append(mean_interval(own))
    truth = np.median(
        draws.normal(0.1, 0.05, 10**6)
        + np.where(draws.random(10**6) < 0.1, draws.exponential(3.0, 10**6), 0.0)
    )
    assert coverage([(f.lower, f.upper) for f in found], truth) >= 0.94
    if seeds == 10:
        assert coverage([(f.lower, f.upper) for f in means], 0.4) < 0.8


def test_orders_of_nothing_are_refused():
    with pytest.raises(ValueError, match="should not be nan"):
        order_statistic([1.0, NAN], 0.5)
    with pytest.raises(ValueError, match="confidence"):
        order_statistic([1.0, 2.0], 0.0)


# --- verdicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [
        (-0.03, -0.0051, "worse"),
        (-0.03, -0.005, "undecided"),
        (-0.0051, 0.005, "undecided"),
        (-0.005, 0.005, "equivalent"),
        (0.0, 0.0, "equivalent"),
        (0.005, 0.1, "undecided"),
        (0.0051, 0.1, "better"),
        (None, None, "undecided"),
    ],
)
def test_verdicts(lower, upper, verdict):
    assert verdict_of(lower, upper, 0.005) == verdict


def test_a_verdict_turns_with_the_direction():
    more = mean_interval([1.0, 1.2, 1.1])
    less = mean_interval([-1.0, -1.2, -1.1])
    assert (judged(more, 1), judged(more, -1)) == ("better", "worse")
    assert (judged(less, 1), judged(less, -1)) == ("worse", "better")
    assert judged(more, -1, margin=2.0) == judged(more, 1, margin=2.0) == "equivalent"
    assert judged(mean_interval([1.0]), 1) == "undecided"


def test_without_a_margin_only_nothing_is_equivalent():
    assert verdict_of(0.0, 0.0) == "equivalent"
    assert verdict_of(-1e-9, 1e-9) == "undecided"
    assert verdict_of(1e-9, 1.0) == "better"


@pytest.mark.parametrize(("truth", "false"), [(0.5, "equivalent"), (-0.5, "equivalent"),
                                              (0.5, "better"), (-0.5, "worse")])  # fmt: skip
def test_at_the_margin_a_verdict_is_seldom_wrong(truth, false):
    draws = np.random.default_rng(3).normal(truth, 0.3, size=(4000, 10))
    bounds = [mean_interval(own) for own in draws]
    verdicts = [verdict_of(own.lower, own.upper, 0.5) for own in bounds]
    # 2.5 % and 3 standard deviations: 3 * sqrt(.025 * .975 / 4000) = .0075
    assert verdicts.count(false) / 4000 <= 0.0325


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


# --- clusters ---------------------------------------------------------------------------------


def test_a_space_is_one_unit_however_many_tasks_it_has():
    spaces = ["nb201"] * 3 + ["transnas"] * 4 + ["nbgraph"]
    tasks = [0.3, 0.1, 0.2, 0.1, 0.1, 0.2, 0.2, 0.05]
    # Eight tasks that all agree look like 2 in 256; three spaces are 2 in 8.
    assert paired_p(tasks, [0] * 8, rng()) == 2 / 256
    assert clustered_p(tasks, spaces, rng()) == 2 / 8
    # Means of .2, .15 and -.05: 4 of 8 sign patterns reach .3.
    assert clustered_p([*tasks[:-1], -0.05], spaces, rng()) == 4 / 8
    assert clustered_p([NAN, 1.0, 2.0], "aab", rng()) == 2 / 4
    assert clustered_p([NAN], "a", rng()) is None
    with pytest.raises(ValueError, match="zip"):
        clustered_p([1.0], "ab", rng())


def test_clusters_cry_wolf_no_more_often_than_they_say():
    draws = np.random.default_rng(4)
    clusters = np.repeat(np.arange(7), 3)
    clustered, plain = [], []
    for _ in range(400):
        # Tasks of a space share most of their difference, which is 0 on average.
        tasks = draws.normal(size=7)[clusters] + 0.3 * draws.normal(size=21)
        clustered.append(clustered_p(tasks, clusters.tolist(), rng()))
        signs = draws.integers(0, 2, (500, 21)) * 2 - 1
        plain.append(np.mean(np.abs(signs @ tasks) >= abs(tasks.sum())))
    assert np.mean(np.array(clustered) <= 0.05) <= 0.07
    assert np.mean(np.array(plain) <= 0.05) > 0.15


def test_an_interval_over_clusters_is_one_of_their_means():
    spaces = ["nb201"] * 3 + ["nbgraph", "darts", "darts"]
    found = clustered_interval([1, 2, 3, 4, 5, NAN], spaces)
    assert found == mean_interval([2.0, 4.0, 5.0])
    assert clustered_interval([1.0, 2.0], "aa").lower is None
    draws = np.random.default_rng(6)
    clusters = np.repeat(np.arange(4), 3)
    held = []
    for _ in range(2000):
        tasks = 1 + draws.normal(size=4)[clusters] + 0.3 * draws.normal(size=12)
        own = clustered_interval(tasks, clusters.tolist())
        held.append((own.lower, own.upper))
    assert 0.935 <= coverage(held, 1.0) <= 0.965


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
    rows = compare_with_best(values, sign=1, rng=rng())
    assert list(rows) == list(values)
    assert rows["hr"].mean == pytest.approx((0.8 + 0.9 + 0.7 + 0.6) / 4)
    assert rows["hr"].sd == pytest.approx(np.sqrt((0.0025 + 0.0225 + 0.0025 + 0.0225) / 3))
    assert (rows["hr"].rank, rows["hr"].best, rows["hr"].p_holm) == (1, True, None)
    assert rows["mse"].n_seeds == 3
    assert (rows["lr"].rank, rows["mse"].rank, rows["mse"].best) == (2, 3, False)
    # mse - hr = -.3 three times: 2/8. lr - hr = 0, -.2, -.1, -.1: both signs of the 0, so 4/16.
    # Holm over two tests: 2 * .25 for the first and no less for the second
    assert rows["mse"].p_holm == rows["lr"].p_holm == 2 * 0.25
    # Three pairs at -.3: an interval of one point. lr: mean -.1, t(3) = 3.182, sd = .0816.
    assert (rows["hr"].difference, rows["hr"].verdict) == (None, None)
    assert rows["mse"].difference.mean == pytest.approx(-0.3)
    assert rows["lr"].difference.upper == pytest.approx(-0.1 + 3.182 * 0.0816 / 2, abs=1e-3)
    assert (rows["mse"].verdict, rows["lr"].verdict) == ("worse", "undecided")
    lost = rows["diverged"]
    assert (lost.difference, lost.verdict) == (None, None)
    assert (lost.n_seeds, lost.mean, lost.sd, lost.rank, lost.best, lost.p_holm) == (
        0, None, None, None, False, None,
    )  # fmt: skip


def test_direction():
    values = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert compare_with_best(values, sign=1, rng=rng())["b"].best
    down = compare_with_best(values, sign=-1, rng=rng())
    assert down["a"].best
    # Differences keep the metric's own direction; the verdict does not.
    assert down["b"].difference.mean == 2.0
    assert down["b"].verdict == "worse"
    assert compare_with_best(values, sign=-1, rng=rng(), margin=2.0)["b"].verdict == "equivalent"


def test_equal_means_share_the_first_place():
    rows = compare_with_best(
        {"a": [1.0, 3.0], "b": [2.0, 2.0], "c": [0.0, 0.0]}, sign=1, rng=rng()
    )
    assert [row.rank for row in rows.values()] == [1, 1, 3]
    assert [row.best for row in rows.values()] == [True, True, False]
    assert rows["a"].p_holm is None
    assert rows["b"].p_holm is None


@pytest.mark.parametrize("seeds", [8, 30])
def test_order_and_company_change_no_interval(seeds):
    table = np.random.default_rng(0).normal(size=(4, seeds)) + np.arange(4)[:, None]
    values = dict(zip("abcd", table, strict=True))
    here = compare_with_best(values, sign=1, rng=rng())
    turned = compare_with_best(dict(reversed(list(values.items()))), sign=1, rng=rng())
    assert here == {loss: turned[loss] for loss in values}
    alone = compare_with_best({"a": table[0]}, sign=1, rng=rng())["a"]
    assert (alone.lower, alone.upper) == (here["a"].lower, here["a"].upper)
    assert alone.best
    assert here["a"].p_holm < 0.05


def test_edges_of_the_table():
    assert compare_with_best({}, sign=1, rng=rng()) == {}
    with pytest.raises(ValueError, match="one value for each seed"):
        compare_with_best({"a": [1.0], "b": [1.0, 2.0]}, sign=1, rng=rng())
