"""The predictor that chooses: its rule on made-up folds, and its laws on small spaces."""

import numpy as np
import pytest

from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors import auto, kernel
from nasrank.predictors.auto import CANDIDATES, FLOOR, Auto
from nasrank.predictors.kernel import cut_folds
from nasrank.predictors.predictor import Member

pytest.importorskip("sklearn", reason="boosting is among the candidates")


@pytest.fixture(name="small", autouse=True)
def _small(monkeypatch):
    """Small forests and few folds, for what is tested does not depend on their number."""
    monkeypatch.setattr(auto, "_BOOSTERS", {"rounds": 10, "ensemble": 2})
    monkeypatch.setattr(auto, "_REPEATS", ())
    monkeypatch.setattr(kernel, "_REPEATS", 1)


def table(values):
    names = "abcdefgh"[: values.shape[1]]
    return GraphBatch.of_settings(
        Settings(tuple(Setting(name, "number") for name in names), values)
    )


def space(items=160, seed=0):
    """Settings with a smooth worth, and one that is noise."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(items, 3))
    worth = values[:, 0] - (values[:, 1] - 0.3) ** 2 + 0.1 * rng.normal(size=items)
    return values, worth


def member(worth, n=20, seed=0, loss="listmle", **given):
    items = np.arange(n)
    return Member(items, worth[items], parse(loss), seed, **given)


VALUES, WORTH = space()


@pytest.fixture(name="graphs", scope="module")
def _graphs():
    return table(VALUES)


class Made:
    """A candidate whose errors are known: scores of forty labels on folds, and of others."""

    def __init__(self, noise, truth, tested, cut, rng):
        self.whole = tested + noise * rng.normal(size=len(tested))
        laps = auto._Laps.none(cut)
        for fold, out in enumerate(cut):
            scores = truth + noise * rng.normal(size=len(truth))
            laps.scores[fold, out], laps.spreads[fold, out] = scores[out], noise
            laps.taus.append(auto.label_tau(scores[out], truth[out]))
        self.laps = laps


def raced(noises, seed):
    """Tau on further labels of the mixture, and of the floor and ridge."""
    rng = np.random.default_rng(seed)
    truth, tested = rng.normal(size=40), rng.normal(size=300)
    cut = cut_folds(np.arange(40), truth, seed, 2).numpy()
    made = {name: Made(noise, truth, tested, cut, rng) for name, noise in noises.items()}
    laps = {name: each.laps for name, each in made.items()}
    racing = auto._still_racing({name: each.taus for name, each in laps.items()})
    found = auto._mixture(laps, racing, cut, truth, 0.01)
    score = sum(w * found.slopes[name] * made[name].whole for name, w in found.weights.items())
    floors = [kendall_tau(made[name].whole, tested) for name in (FLOOR, "ridge")]
    return kendall_tau(score, tested), *floors


@pytest.mark.parametrize(
    "noises",
    [
        {"gp": 0.5, "kernel": 0.5, "boosting": 0.9, "gnn": 1.2, "ridge": 2.0},
        {"gp": 2.0, "kernel": 2.0, "boosting": 2.0, "gnn": 2.0, "ridge": 0.7},
        {"gp": 1.0, "kernel": 1.0, "boosting": 1.0, "gnn": 1.0, "ridge": 1.0},
        {"gp": 0.6, "kernel": 3.0, "boosting": 3.0, "gnn": 3.0, "ridge": 3.0},
    ],
    ids=["smooth", "linear", "alike", "floor"],
)
def test_never_below_the_floor_by_more_than_noise(noises):
    taus = np.array([raced(noises, seed) for seed in range(30)])
    assert taus[:, 0].mean() > taus[:, 1:].mean(axis=0).max() - 0.01


def test_weights_by_hand():
    # e^-1 of a prior of 1/2 beside 1: .1839 / 1.1839.
    found = auto._weights({"gp": 0.7, "boosting": 0.66})
    assert found["boosting"] == pytest.approx(0.15535, abs=1e-4)
    assert sum(found.values()) == pytest.approx(1)
    # The floor always has a share, others only one that is worth their time.
    assert list(auto._weights({"gp": 0.1, "kernel": 0.9, "gnn": 0.5})) == ["gp", "kernel"]


def test_who_is_worse_beyond_doubt_stops_but_never_the_floor():
    steady = [0.8, 0.7, 0.75, 0.72]
    worse = [each - 0.3 + 0.001 * place for place, each in enumerate(steady)]
    taus = {"kernel": steady, "ridge": worse, FLOOR: worse, "gnn": [0.9, 0.2, 0.9, 0.5]}
    assert set(auto._still_racing(taus)) == {"kernel", FLOOR, "gnn"}
    assert len(auto._still_racing(dict.fromkeys(CANDIDATES, [0.0] * 3))) == len(CANDIDATES)


def test_it_learns_and_says_what_it_chose(graphs):
    fitted = Auto(graphs).fit([member(WORTH, 30)])
    assert kendall_tau(fitted.scores()[0][30:], WORTH[30:]) > 0.5
    (mixture,) = fitted.mixtures
    assert {each.name for each in mixture.standings} == set(CANDIDATES)
    assert sum(mixture.weights.values()) == pytest.approx(1)
    assert "on folds of 30 labels" in mixture.reason
    assert kendall_tau(mixture.held, WORTH[:30]) > 0.4
    assert not fitted.diverged.any()


def test_spread_holds_about_two_thirds(graphs):
    # The labels' own noise has a deviation of .1, small beside what 30 labels leave open.
    fitted = Auto(graphs).fit([member(WORTH, 30, loss="lr")])
    scores, spread = fitted.scores()[0], fitted.spread()[0]
    assert spread[:30].mean() < spread[30:].mean()
    targets = np.interp(WORTH, np.sort(WORTH[:30]), np.sort(auto.robust_scores(WORTH[:30])))
    away = np.abs(targets - scores - (targets[:30] - scores[:30]).mean())[30:]
    assert 0.45 < np.mean(away < spread[30:]) < 0.95


def test_order_of_rows_and_copies_do_not_count(graphs):
    predictor = Auto(graphs)
    plain = predictor.fit([member(WORTH)])
    order = np.random.default_rng(1).permutation(20)
    twice = np.concatenate([order, order[:5]])
    for items in (order, twice):
        other = predictor.fit([Member(items, WORTH[items], parse("listmle"), 0)])
        np.testing.assert_allclose(other.scores(), plain.scores(), atol=1e-9)
        np.testing.assert_allclose(other.mixtures[0].held, plain.mixtures[0].held[items])


def test_units_of_settings_and_labels_do_not_count(graphs):
    plain = Auto(graphs).fit([member(WORTH)]).scores()[0]
    other = Auto(table(VALUES * [1000.0, 0.5, 1.0])).fit([member(0.01 * WORTH - 3)]).scores()[0]
    assert kendall_tau(plain, other) > 0.99


def test_members_are_what_they_are_alone(graphs):
    predictor = Auto(graphs)
    members = [member(WORTH, 12), member(WORTH, 25, seed=3, loss="hr")]
    together = predictor.fit(members)
    for place, each in enumerate(members):
        alone = predictor.fit([each])
        np.testing.assert_allclose(together.scores()[place], alone.scores()[0], atol=1e-12)
        np.testing.assert_allclose(together.spread()[place], alone.spread()[0], atol=1e-12)
        assert together.mixtures[place].standings == alone.mixtures[0].standings


def test_others_are_scored_as_those_of_the_space(graphs):
    fitted = Auto(graphs).fit([member(WORTH)])
    moved = fitted.on(graphs[[40, 3]])
    np.testing.assert_allclose(moved.scores()[0], fitted.scores()[0][[40, 3]], atol=1e-6)
    np.testing.assert_allclose(moved.spread(), fitted.spread(np.array([40, 3])), atol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [[1.0] * 12, [0.0] * 6 + [1.0] * 6, [0.0] * 11 + [1.0], [3.0, 1.0]],
    ids=["equal", "two values", "one apart", "two labels"],
)
def test_degenerate_labels_give_finite_scores_and_a_reason(graphs, labels):
    one = Member(np.arange(len(labels)), np.array(labels), parse("listmle"), 0)
    fitted = Auto(graphs).fit([one])
    assert np.isfinite(fitted.scores()).all()
    assert np.isfinite(fitted.spread()).all()
    reason = fitted.mixtures[0].reason
    if len(set(labels)) == 1:
        assert reason == "all labels are equal, so gp alone gives the score"
    if len(labels) == 2:
        assert reason.startswith("there are too few different architectures")


def test_units_of_a_member_are_not_torn_apart(graphs):
    """Copies under two numbers, told by units, cannot vouch for each other."""
    rng = np.random.default_rng(5)
    values = np.repeat(rng.normal(size=(12, 3)), 2, axis=0)
    noise = np.repeat(rng.normal(size=12), 2)
    one = Member(np.arange(24), noise, parse("mse"), 0)
    apart = Auto(table(values)).fit([one]).mixtures[0]
    together = (
        Auto(table(values))
        .fit([Member(one.items, noise, one.loss, 0, np.arange(24) // 2)])
        .mixtures[0]
    )
    best = [max(each.kendall_tau for each in found.standings) for found in (apart, together)]
    assert best[0] > best[1] + 0.2


def test_without_scikit_learn_the_others_race(graphs, monkeypatch):
    monkeypatch.setattr(auto, "_has_boosting", lambda: False)
    fitted = Auto(graphs).fit([member(WORTH)])
    assert {each.name for each in fitted.mixtures[0].standings} == {"gp", "kernel", "gnn", "ridge"}


@pytest.mark.slow
def test_a_setting_that_is_noise_costs_less_than_a_hundredth():
    costs = []
    for seed in range(4):
        values, worth = space(120, seed)
        noise = np.random.default_rng(seed + 100).normal(size=(120, 1))
        taus = [
            kendall_tau(Auto(table(each)).fit([member(worth, 60)]).scores()[0][60:], worth[60:])
            for each in (values, np.concatenate([values, noise], axis=1))
        ]
        costs.append(taus[0] - taus[1])
    assert np.mean(costs) < 0.01
