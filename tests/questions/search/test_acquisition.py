import numpy as np
import pytest
from scipy.stats import norm

from nasrank.errors import UsageError
from nasrank.questions.search.acquisition import (
    ACQUISITIONS,
    Outlook,
    choose,
    parse_acquisition,
)
from nasrank.seeds import numpy_generator


def chance():
    return numpy_generator(0, stream="test")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("greedy", "greedy"),
        ("ucb(kappa=2.0)", "ucb"),
        (" ucb( kappa=.5 ) ", "ucb(kappa=0.5)"),
        ("thompson", "thompson"),
        ("ei", "ei"),
    ],
)
def test_spelling(text, canonical):
    assert str(parse_acquisition(text)) == canonical
    assert parse_acquisition(canonical) == parse_acquisition(text)


@pytest.mark.parametrize(
    "text",
    ["ucd", "ucb(kapa=1)", "ucb(kappa=0)", "ucb(kappa=-1)", "greedy(kappa=1)", "ucb(1)", ""],
)
def test_what_cannot_be_meant(text):
    with pytest.raises(UsageError):
        parse_acquisition(text)


def test_expected_improvement_is_that_of_a_normal():
    mean, best = np.linspace(-3.0, 4.0, 29), 0.7
    spread = np.linspace(0.2, 2.0, 29)
    u = (mean - best) / spread
    direct = spread * (u * norm.cdf(u) + norm.pdf(u))
    (row,) = ACQUISITIONS["ei"](Outlook(mean, spread, best), 1, chance())
    assert np.exp(row) == pytest.approx(direct, rel=1e-9)


def test_expected_improvement_has_an_order_everywhere():
    mean = np.array([-1e6, -1e3, -60.0, -49.9, -30.0, -5.0, -1.0, 0.0, 5.0, 29.0, 31.0, 1e6])
    (row,) = ACQUISITIONS["ei"](Outlook(mean, np.ones(len(mean)), 0.0), 1, chance())
    assert np.isfinite(row).all()
    assert (np.diff(row) > 0).all()


def test_no_doubt_is_no_reason_to_fail():
    (row,) = ACQUISITIONS["ei"](Outlook(np.array([1.0, 2.0]), np.zeros(2), 1.5), 1, chance())
    assert row[1] > row[0]


@pytest.mark.parametrize("name", ["ucb", "ei", "thompson"])
def test_a_predictor_without_doubt(name):
    with pytest.raises(UsageError, match="needs a predictor with an uncertainty"):
        ACQUISITIONS[name](Outlook(np.zeros(3), None, 0.0), 1, chance())


def test_thompson_follows_one_opinion_a_pick():
    opinions = np.array([[9.0, 0.0, 1.0], [0.0, 9.0, 1.0]])
    worth = ACQUISITIONS["thompson"](
        Outlook(opinions.mean(axis=0), opinions.std(axis=0), 1.0, opinions), 40, chance()
    )
    assert {tuple(row) for row in worth.tolist()} == {tuple(row) for row in opinions.tolist()}


def test_thompson_draws_by_spread():
    worth = ACQUISITIONS["thompson"](
        Outlook(np.array([0.0, 3.0]), np.array([1.0, 2.0]), 0.0), 4000, chance()
    )
    assert worth.mean(axis=0) == pytest.approx([0.0, 3.0], abs=0.15)
    assert worth.std(axis=0) == pytest.approx([1.0, 2.0], rel=0.06)


def test_each_pick_follows_its_own_row_and_none_is_taken_twice():
    worth = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
    assert choose(worth, 3, chance()).tolist() == [0, 2, 1]


def test_unknown_worth_comes_last_and_ties_are_left_to_chance():
    assert choose(np.array([[np.nan, 1.0]]), 2, chance()).tolist() == [1, 0]
    firsts = {
        int(choose(np.zeros((1, 4)), 1, numpy_generator(seed, stream="t"))[0])
        for seed in range(40)
    }
    assert firsts == {0, 1, 2, 3}
