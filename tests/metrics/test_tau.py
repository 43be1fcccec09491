"""Rank agreement: values by hand, scipy as oracle, and laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasrank.errors import DataError
from nasrank.metrics.tau import kendall_tau, spearman_rho, weighted_tau

ALL = pytest.mark.parametrize("metric", [kendall_tau, weighted_tau, spearman_rho])


def sign(x):
    return (x > 0) - (x < 0)


def pairwise_tau_b(scores, labels):
    n = len(labels)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    agree = sum(sign(scores[i] - scores[j]) * sign(labels[i] - labels[j]) for i, j in pairs)
    untied_scores = sum(scores[i] != scores[j] for i, j in pairs)
    untied_labels = sum(labels[i] != labels[j] for i, j in pairs)
    return agree / math.sqrt(untied_scores * untied_labels)


def pairwise_weighted_tau(scores, labels):
    """Weights by the true rank, equal labels ranked by score; the norms weigh alike."""
    n = len(labels)
    by_truth = sorted(range(n), key=lambda i: (-labels[i], -scores[i]))
    rank = {item: place for place, item in enumerate(by_truth)}
    total = {"ls": 0.0, "ll": 0.0, "ss": 0.0}
    for i in range(n):
        for j in range(i):
            weight = 1 / (rank[i] + 1) + 1 / (rank[j] + 1)
            label, score = sign(labels[i] - labels[j]), sign(scores[i] - scores[j])
            total["ls"] += weight * label * score
            total["ll"] += weight * label**2
            total["ss"] += weight * score**2
    return total["ls"] / math.sqrt(total["ll"] * total["ss"])


ITEMS = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
    )
)


def test_kendall_by_hand_with_ties():
    # pairs (1,1) (1,2) (1,3) (1,2) (1,3) (2,3) of scores against labels 1 2 2 3:
    # 4 agree, 0 disagree; 5 of 6 pairs are untied in scores, 5 in labels
    assert kendall_tau([1, 1, 2, 3], [1, 2, 2, 3]) == pytest.approx(4 / math.sqrt(5 * 5))


def test_weighted_by_hand_stresses_the_top():
    # ranks by truth 2, 1, 0; weights of pairs (0,1) 1/3+1/2, (0,2) 1/3+1, (1,2) 1/2+1
    total = (1 / 3 + 1 / 2) + (1 / 3 + 1) + (1 / 2 + 1)
    top_wrong = weighted_tau([1, 3, 2], [10, 20, 30])
    bottom_wrong = weighted_tau([2, 1, 3], [10, 20, 30])
    assert top_wrong == pytest.approx((total - 2 * (1 / 2 + 1)) / total)
    assert bottom_wrong == pytest.approx((total - 2 * (1 / 3 + 1 / 2)) / total)
    assert top_wrong < bottom_wrong


def test_spearman_by_hand_with_ties():
    # ranks 1.5 1.5 3 4 and 1 2 3 4, both centred on 2.5: (-1 -1 .5 1.5) and (-1.5 -.5 .5 1.5)
    expected = (1.5 + 0.5 + 0.25 + 2.25) / math.sqrt((1 + 1 + 0.25 + 2.25) * 5)
    assert spearman_rho([1, 1, 2, 3], [1, 2, 3, 4]) == pytest.approx(expected)


@given(ITEMS)
@settings(max_examples=150, deadline=None)
def test_pairs_counted_one_by_one_agree(items):
    scores, labels = items
    if len(set(scores)) == 1 or len(set(labels)) == 1:
        for metric in (kendall_tau, weighted_tau, spearman_rho):
            assert math.isnan(metric(scores, labels))
        return
    assert kendall_tau(scores, labels) == pytest.approx(pairwise_tau_b(scores, labels))
    assert weighted_tau(scores, labels) == pytest.approx(pairwise_weighted_tau(scores, labels))
    assert spearman_rho(scores, labels) == pytest.approx(
        np.corrcoef(stats.rankdata(scores), stats.rankdata(labels))[0, 1], abs=1e-12
    )


@pytest.mark.parametrize("n", [2, 3, 33, 34, 500])
def test_scipy_agrees(n):
    rng = np.random.default_rng(n)
    labels = rng.normal(size=n).round(1)
    scores = labels + rng.normal(size=n).round(1)
    if n == 2:
        labels, scores = np.array([1.0, 2.0]), np.array([5.0, 3.0])
    assert kendall_tau(scores, labels) == pytest.approx(stats.kendalltau(scores, labels).statistic)
    assert spearman_rho(scores, labels) == pytest.approx(stats.spearmanr(scores, labels).statistic)
    expected = stats.weightedtau(labels, scores, rank=None).statistic
    assert weighted_tau(scores, labels) == pytest.approx(expected)


@ALL
@given(ITEMS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_item_order_and_increasing_maps_change_nothing(metric, items, random):
    scores, labels = items
    order = random.sample(range(len(labels)), len(labels))
    there = metric(scores, labels)
    moved = metric([math.exp(scores[i]) for i in order], [3 * labels[i] + 7 for i in order])
    assert moved == pytest.approx(there, nan_ok=True)


@ALL
def test_perfect_and_reversed_orders(metric):
    labels = np.arange(30.0) ** 2
    assert metric(labels, labels) == pytest.approx(1)
    assert metric(-labels, labels) == pytest.approx(-1)


@ALL
@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([], []),
        ([1.0], [1.0]),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]),
        ([1.0, np.nan, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, np.inf, 3.0], [1.0, 2.0, 3.0]),
        ([np.nan] * 3, [1.0, 2.0, 3.0]),
    ],
)
def test_undefined_is_nan_without_a_warning(metric, scores, labels):
    assert math.isnan(metric(scores, labels))


@ALL
@pytest.mark.parametrize("label", [np.nan, np.inf])
def test_missing_labels_are_refused(metric, label):
    with pytest.raises(DataError, match="item 1"):
        metric([1.0, 2.0], [1.0, label])


@ALL
def test_shapes_are_checked(metric):
    with pytest.raises(ValueError, match="'scores' should have shape"):
        metric([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="one axis"):
        metric([[1.0, 2.0]], [[1.0, 2.0]])
