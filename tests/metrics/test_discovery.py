"""Order, precision, regret and discovery: by hand, by brute force, and by law."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.errors import DataError
from nasrank.metrics.discovery import (
    discovery_table,
    evaluation_grid,
    first_hits,
    precision_at,
    rank_items,
    rank_order,
    ranking_metrics,
)
from nasrank.metrics.top import TOP_FRACTIONS

NAN = float("nan")


def rows(table):
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


@st.composite
def runs(draw):
    """Scores, labels, train labels and a tie order, with many ties in everything."""
    n = draw(st.integers(1, 60))
    numbers = st.integers(0, draw(st.sampled_from([2, 10, 1000])))
    return (
        np.array(draw(st.lists(numbers, min_size=n, max_size=n)), dtype=float),
        np.array(draw(st.lists(numbers, min_size=n, max_size=n)), dtype=float),
        np.array(draw(st.lists(numbers, max_size=40)), dtype=float),
        np.array(draw(st.permutations(range(n)))),
    )


# --- order ------------------------------------------------------------------------------------


def test_order_by_score_then_by_priority():
    scores = [0.5, NAN, 0.9, 0.5, np.inf, -np.inf, NAN]
    #          1    6    2    0    5     4        3   <- priority, the lower first
    assert rank_order(scores, [1, 6, 2, 0, 5, 4, 3]).tolist() == [4, 2, 3, 0, 5, 6, 1]


def test_a_diverged_run_is_a_random_order():
    tie_order = np.random.default_rng(0).permutation(50)
    order = rank_order(np.full(50, NAN), tie_order)
    assert tie_order[order].tolist() == list(range(50))
    assert np.array_equal(order, rank_order(np.zeros(50), tie_order))


def test_minus_zero_is_zero():
    assert rank_order([0.0, -0.0, 0.0], [2, 0, 1]).tolist() == [1, 2, 0]


def test_twins_follow_at_once():
    # classes a = {0, 3, 5}, b = {1, 4}, c = {2}; a and b are tied. Item 0 (priority 4) stands
    # for a and item 1 (priority 1) for b, so b comes first although item 5 has priority 0.
    scores = [0.7, 0.7, 0.1, 0.7, 0.7, 0.7]
    order = rank_order(scores, [4, 1, 3, 2, 5, 0], groups=[7, 8, 9, 7, 8, 7])
    assert order.tolist() == [1, 4, 5, 3, 0, 2]


def test_large_classes_do_not_win_ties():
    groups = np.array([0] + [1] * 9)
    first = [
        groups[rank_order(np.zeros(10), np.random.default_rng(seed).permutation(10),
                          groups=groups)[0]]
        for seed in range(400)
    ]  # fmt: skip
    # fair coin: 4 standard deviations of the mean of 400 are 4 * .5 / 20 = .1
    assert abs(np.mean(first) - 0.5) < 0.1


@given(runs(), st.data())
@settings(deadline=None)
def test_groups_stay_together_and_in_score_order(run, data):
    _, _, _, tie_order = run
    n = len(tie_order)
    groups = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))
    class_scores = np.array(data.draw(st.lists(st.integers(0, 3), min_size=7, max_size=7)))
    order = rank_order(class_scores[groups], tie_order, groups=groups)
    assert sorted(order) == list(range(n))
    assert (np.diff(class_scores[groups][order]) <= 0).all()
    blocks = 1 + np.count_nonzero(np.diff(groups[order]))
    assert blocks == len(set(groups))
    for group in set(groups):
        assert (np.diff(tie_order[order][groups[order] == group]) > 0).all()


@given(runs())
@settings(deadline=None)
def test_every_item_its_own_group_is_no_group(run):
    scores, _, _, tie_order = run
    alone = rank_order(scores, tie_order, groups=np.arange(len(scores)))
    assert np.array_equal(alone, rank_order(scores, tie_order))


def test_order_refusals():
    with pytest.raises(ValueError, match="permutation"):
        rank_order([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match="'scores'"):
        rank_order([1.0, 2.0], [0, 1, 2])
    with pytest.raises(ValueError, match="'groups'"):
        rank_order([1.0, 2.0], [0, 1], groups=[0])
    with pytest.raises(ValueError, match="at least one"):
        rank_items([], [], [1.0], [])
    with pytest.raises(ValueError, match="'in_train'"):
        rank_items([1.0], [1.0], [1.0], [0], in_train=[True, False])
    with pytest.raises(DataError):
        rank_items([1.0], [NAN], [1.0], [0])
    with pytest.raises(DataError):
        rank_items([1.0], [1.0], [NAN], [0])


# --- metrics of one run -----------------------------------------------------------------------


def test_a_run_by_hand():
    # 20 test items with labels 1 to 20 in predicted order 18, 20, 5, 19, then the rest falling
    ranked = [18, 20, 5, 19, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 4, 3, 2, 1]
    train = [0.5] * 79 + [18.5]
    ranking = rank_items(-np.arange(20), ranked, train, np.arange(20))
    metrics = ranking_metrics(ranking)
    assert metrics["n_at_1"] == 3  # 20 and 19 are better than 18
    assert metrics["n_at_10"] == 1
    assert metrics["regret_at_1"] == 20 - 18
    assert metrics["regret_at_10"] == 0
    assert metrics["best_possible"] == 20
    # K = ceil(.05 * 20) = 1 and max(1, ceil(.005 * 20)) = 1: the first item is not the best
    assert metrics["precision_at_5pct"] == 0
    assert metrics["precision_at_0.5pct"] == 0
    # N = 100. T(.01) = {20}, met second. T(.05) = {20, 19, 18.5, 18, 17}, and train holds 18.5.
    assert metrics["first_hit_1pct"] == 2
    assert metrics["first_hit_5pct"] == 0
    # .001 * 100 < 1 and .005 * 100 < 1
    assert metrics["first_hit_0.1pct"] is None
    assert metrics["first_hit_0.5pct"] is None


def test_equal_labels_share_the_best_rank():
    ranking = rank_items([3, 2, 1, 0], [8, 9, 8, 8], [0], np.arange(4))
    assert ranking_metrics(ranking)["n_at_1"] == 2


def test_precision_by_hand_with_a_tied_border():
    # K = 3. Labels 9 | 8 8 8 | 1: 9 holds one place, two are open to the 8s.
    assert precision_at([9, 8, 8, 8, 1, 1], 0.5) == (1 + 2) / 3
    assert precision_at([8, 8, 8, 9, 1, 1], 0.5) == (0 + 2) / 3
    assert precision_at([1, 8, 1, 9, 8, 8], 0.5) == (0 + 1) / 3
    assert precision_at([5, 5, 5], 0.5) == 1
    with pytest.raises(ValueError, match="fraction"):
        precision_at([1.0], 0)
    with pytest.raises(ValueError, match="empty"):
        precision_at([], 0.5)


@given(runs(), st.sampled_from([0.005, 0.05, 0.3, 1.0]))
@settings(deadline=None)
def test_precision_is_the_best_overlap_over_ways_to_fill_the_border(run, fraction):
    scores, labels, _, tie_order = run
    order = rank_order(scores, tie_order)
    size = max(1, math.ceil(Fraction(str(fraction)) * len(labels)))
    head = set(order[:size].tolist())
    # true top K, preferring predicted items among equal labels
    true = sorted(range(len(labels)), key=lambda i: (-labels[i], i not in head))[:size]
    value = precision_at(labels[order], fraction)
    assert value == len(head & set(true)) / size
    assert 0 <= value <= 1


@given(runs())
@settings(deadline=None)
def test_the_truth_as_scores_is_perfect(run):
    _, labels, train, tie_order = run
    metrics = ranking_metrics(rank_items(labels, labels, train, tie_order))
    for name, value in metrics.items():
        if name.startswith(("precision", "n_at")):
            assert value == 1, name
        if name.startswith("regret"):
            assert value == 0, name
        if name.startswith("first_hit"):
            assert value in {0, 1, None}, name


@given(runs())
@settings(deadline=None)
def test_metrics_agree_with_loops(run):
    scores, labels, train, tie_order = run
    n = len(labels)
    order = sorted(range(n), key=lambda i: (-scores[i], tie_order[i]))
    metrics = ranking_metrics(rank_items(scores, labels, train, tie_order))
    for k in (1, 10):
        head = order[:k]
        ranks = [1 + sum(labels[j] > labels[i] for j in range(n)) for i in head]
        assert metrics[f"n_at_{k}"] == min(ranks)
        regret = max(labels) - max(labels[i] for i in head)
        assert metrics[f"regret_at_{k}"] == regret >= 0
    universe = sorted([*labels, *train], reverse=True)
    for name, fraction in {"0.1": "0.001", "0.5": "0.005", "1": "0.01", "5": "0.05"}.items():
        share = Fraction(fraction) * len(universe)
        expected = None
        if share >= 1:
            border = universe[math.ceil(share) - 1]
            places = [place for place, i in enumerate(order, 1) if labels[i] >= border]
            expected = 0 if any(t >= border for t in train) else places[0]
        assert metrics[f"first_hit_{name}pct"] == expected


@given(runs(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_item_order_changes_nothing(run, random):
    scores, labels, train, tie_order = run
    moved = np.array(random.sample(range(len(labels)), len(labels)))
    here = rank_items(scores, labels, train, tie_order)
    there = rank_items(scores[moved], labels[moved], train[::-1], tie_order[moved])
    assert ranking_metrics(here) == ranking_metrics(there)
    assert discovery_table(here) == discovery_table(there)


# --- discovery --------------------------------------------------------------------------------


def test_grid():
    assert evaluation_grid(0) == [0]
    assert evaluation_grid(1) == [0, 1]
    assert evaluation_grid(20) == [0, 1, 2, 5, 10, 20]
    assert evaluation_grid(15_547)[-6:] == [500, 1000, 2000, 5000, 10_000, 15_547]


def test_discovery_by_hand():
    # N = 40 + 2, T(.05) = the ceil(2.1) = 3 best = {100, 99, 98}; train holds 98
    train = [98, 50]
    test = [97, 99, 10, 10, 10, 100, *[5] * 34]
    table = discovery_table(rank_items(-np.arange(40), test, train, np.arange(40)))
    assert set(table["top_fraction"]) == {0.05}
    by_k = {row["k"]: row for row in rows(table)}
    assert list(by_k) == [0, 1, 2, 5, 10, 20, 40]
    assert by_k[0] == {
        "top_fraction": 0.05, "top_size": 3, "k": 0, "discovery_rate": (1 + 0) / 3,
        "test_discovery_rate": 0 / 2, "hit": True, "best_rank": 3, "best_label": 98.0,
        "regret": 100.0 - 98,
    }  # fmt: skip
    assert by_k[1]["best_rank"] == 3  # 97 is no better than what train holds
    assert by_k[2]["discovery_rate"] == (1 + 1) / 3
    assert by_k[2]["test_discovery_rate"] == 1 / 2
    assert (by_k[2]["best_rank"], by_k[2]["best_label"], by_k[2]["regret"]) == (2, 99.0, 1.0)
    assert by_k[10]["discovery_rate"] == 1
    assert (by_k[10]["best_rank"], by_k[10]["regret"]) == (1, 0.0)


def test_nothing_evaluated_has_no_best():
    table = discovery_table(rank_items(np.zeros(20), np.arange(20), [], np.arange(20)))
    first, second = rows(table)[:2]
    assert (first["best_rank"], first["best_label"], first["regret"]) == (None, None, None)
    assert (first["hit"], first["discovery_rate"]) == (False, 0)
    assert (second["best_rank"], second["best_label"], second["regret"]) == (20, 0.0, 19.0)


def test_a_top_all_in_train_has_no_test_rate():
    table = discovery_table(rank_items(np.zeros(20), np.arange(20), [99.0], np.arange(20)))
    # N = 21, T(.05) = 2 best = {99, 19}
    assert table["test_discovery_rate"][0] == 0
    table = discovery_table(rank_items(np.zeros(20), np.arange(20), [99.0, 98.0], np.arange(20)))
    # N = 22, T(.05) = 2 best = {99, 98}
    assert set(table["test_discovery_rate"]) == {None}
    assert set(table["discovery_rate"]) == {1.0}


@given(runs())
@settings(deadline=None)
def test_discovery_agrees_with_loops(run):
    scores, labels, train, tie_order = run
    order = sorted(range(len(labels)), key=lambda i: (-scores[i], tie_order[i]))
    universe = sorted([*labels, *train], reverse=True)
    table = rows(discovery_table(rank_items(scores, labels, train, tie_order)))
    defined = [f for f in TOP_FRACTIONS if Fraction(str(f)) * len(universe) >= 1]
    assert sorted({row["top_fraction"] for row in table}) == defined
    for row in table:
        border = universe[math.ceil(Fraction(str(row["top_fraction"])) * len(universe)) - 1]
        tested = [labels[i] for i in order[: row["k"]]]
        seen = [*train, *tested]
        in_test = sum(label >= border for label in labels)
        assert row["top_size"] == sum(label >= border for label in universe)
        assert row["discovery_rate"] == sum(x >= border for x in seen) / row["top_size"]
        assert row["test_discovery_rate"] == (
            sum(x >= border for x in tested) / in_test if in_test else None
        )
        assert row["hit"] == any(x >= border for x in seen)
        assert row["best_label"] == (max(seen) if seen else None)
        if seen:
            assert row["best_rank"] == 1 + sum(x > max(seen) for x in universe)
            assert row["regret"] == universe[0] - max(seen) >= 0


@given(runs())
@settings(deadline=None)
def test_discovery_rises_to_one_and_starts_at_the_first_hit(run):
    scores, labels, train, tie_order = run
    ranking = rank_items(scores, labels, train, tie_order)
    hits = first_hits(ranking)
    table = rows(discovery_table(ranking))
    for fraction in TOP_FRACTIONS:
        part = [row for row in table if row["top_fraction"] == fraction]
        first = hits[f"first_hit_{fraction * 100:g}pct"]
        assert (first is None) == (not part)
        if not part:
            continue
        rates = [row["discovery_rate"] for row in part]
        assert rates == sorted(rates)
        assert rates[-1] == 1
        assert part[-1]["test_discovery_rate"] in {1, None}
        assert part[-1]["k"] == len(labels)
        for row in part:
            assert row["hit"] == (row["k"] >= first)
        regrets = [row["regret"] for row in part if row["regret"] is not None]
        assert regrets == sorted(regrets, reverse=True)
        assert part[-1]["best_rank"] == 1


def test_scored_training_items_are_not_counted_twice():
    rng = np.random.default_rng(0)
    labels, scores = rng.normal(size=200), rng.normal(size=200)
    known = np.zeros(200, dtype=bool)
    known[:40] = True
    tie_order = rng.permutation(200)
    whole = rank_items(scores, labels, labels[known], tie_order, in_train=known)
    apart = rank_items(scores[~known], labels[~known], labels[known],
                       np.argsort(np.argsort(tie_order[~known])))  # fmt: skip
    assert len(whole.universe) == 200
    assert discovery_table(whole) == discovery_table(apart)
    assert first_hits(whole) == first_hits(apart)
    assert ranking_metrics(whole)["best_possible"] == labels.max()


def test_values_are_plain_python():
    ranking = rank_items(np.arange(30.0), np.arange(30), np.arange(5), np.arange(30))
    values = list(ranking_metrics(ranking).values())
    values += [value for column in discovery_table(ranking).values() for value in column]
    assert {type(value) for value in values} <= {int, float, bool, type(None)}
