import math

import pytest

from nasrank.companions.precision_recall.bisection import Tried, best_of, replay, target_rows


def measure(lam):
    """Precision rises from 0.25 at 0.1 to 0.75 at 10, recall falls likewise."""
    share = math.log(lam / 0.1) / math.log(100)
    return Tried(lam, 0.25 + 0.5 * share, 0.75 - 0.5 * share, 100, 2.0)


def search(measure, side, wanted, low, high):
    """Train for whatever comes next, as a study does."""
    known = {}
    while True:
        tried, following = replay(known.get, side, wanted, low, high)
        if not following:
            assert [each.lam for each in tried] == list(known)
            return tried, best_of(tried, side, wanted)
        assert not set(following) & set(known)
        known |= {lam: measure(lam) for lam in following}


@pytest.mark.parametrize("side", ["precision", "recall"])
def test_a_goal_in_between_is_found(side):
    tried, chosen = search(measure, side, 0.4, 0.1, 10.0)
    assert 0.38 <= getattr(tried[chosen], side) <= 0.45
    assert len(tried) <= 8
    # Of those that reach the goal it is the one with most of the other side.
    other = "recall" if side == "precision" else "precision"
    good = [each for each in tried if getattr(each, side) >= 0.38]
    assert getattr(tried[chosen], other) == max(getattr(each, other) for each in good)


def test_a_goal_that_the_poor_end_has_already():
    tried, chosen = search(measure, "precision", 0.2, 0.1, 10.0)
    assert (len(tried), tried[chosen].lam) == (2, 0.1)


def test_a_goal_out_of_reach():
    tried, chosen = search(measure, "recall", 0.9, 0.1, 10.0)
    assert (len(tried), tried[chosen].lam) == (2, 0.1)
    rows = target_rows("ring", "recall", 0.9, tried)
    assert [row["reached"] for row in rows] == [False, False]
    assert [row["generator_steps"] for row in rows] == [100, 200]


def test_lambdas_whose_models_diverge_are_left_behind():
    def broken(lam):
        return measure(lam) if lam < 2 else Tried(lam, math.nan, math.nan, 100, 2.0)

    tried, chosen = search(broken, "recall", 0.6, 0.1, 10.0)
    assert tried[chosen].recall == pytest.approx(0.6, abs=0.06)
    rows = target_rows("ring", "recall", 0.6, tried)
    assert any(row["precision"] is None for row in rows)


def test_a_search_is_replayed_as_far_as_it_is_known():
    assert replay(lambda _: None, "precision", 0.4, 0.1, 10.0) == ([], [0.1, 10.0])
    whole, _ = search(measure, "precision", 0.4, 0.1, 10.0)
    few = {each.lam: each for each in whole[:3]}
    assert replay(few.get, "precision", 0.4, 0.1, 10.0) == (whole[:3], [whole[3].lam])
    one = {10.0: measure(10.0)}
    assert replay(one.get, "precision", 0.4, 0.1, 10.0) == ([measure(10.0)], [0.1])
