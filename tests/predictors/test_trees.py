import builtins
import sys

import numpy as np
import pytest
from scipy.stats import kendalltau, norm

from nasrank.errors import UsageError
from nasrank.graphs.features import graph_features
from nasrank.losses import parse
from nasrank.predictors.columns import GraphColumns
from nasrank.predictors.predictor import Member
from nasrank.predictors.specification import make_predictor, parse_predictor
from nasrank.predictors.targets import robust_scores
from nasrank.questions.compare.options import CompareConfig
from nasrank.questions.compare.study import plan_runs

SMALL = {"trees": "trees(trees=8)", "boosting": "boosting(rounds=60,ensemble=3)"}
BOTH = pytest.mark.parametrize("spec", SMALL.values(), ids=SMALL)


def member(graphs, n=30, seed=0, turn=lambda y: y):
    items = np.random.default_rng(seed).permutation(len(graphs))[:n]
    labels = graphs.operation_counts()[:, 2] + graphs.sizes() / 3.0
    return Member(items, turn(labels[items].astype(float)), parse("mse"), seed)


@pytest.fixture(params=SMALL.values(), ids=SMALL)
def predictor(request, graphs):
    return make_predictor(request.param, graphs)


def test_a_member_is_what_it_would_be_alone_and_every_time(predictor, graphs):
    members = [member(graphs, n=n, seed=seed) for n, seed in ((20, 0), (30, 1), (30, 2))]
    together = predictor.fit(members).scores()
    for place in (2, 0, 1):
        np.testing.assert_array_equal(predictor.fit([members[place]]).scores()[0], together[place])


def test_the_seed_of_the_run_is_the_only_chance(predictor, graphs):
    one = member(graphs)
    other = Member(one.items, one.targets, one.loss, seed=5)
    first, second = predictor.fit([one, other]).scores()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(predictor.fit([other]).scores()[0], second)


def test_the_order_is_learnt_and_the_unit_of_labels_means_nothing(predictor, graphs):
    one = member(graphs)
    fitted = predictor.fit([one, member(graphs, turn=lambda y: 1024 * y)])
    rest = np.setdiff1d(np.arange(len(graphs)), one.items)
    truth = graphs.operation_counts()[:, 2] + graphs.sizes() / 3.0
    scores = fitted.scores()
    assert kendalltau(scores[0][rest], truth[rest]).statistic > 0.5
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not fitted.diverged.any()


def test_robust_scores_by_hand():
    # Median 92.5, deviations 82.5, .5, .5, 1.5: the median of these is 1.
    scores = robust_scores(np.array([10.0, 92.0, 93.0, 94.0]))
    ranks = norm.ppf([0.125, 0.375, 0.625, 0.875])
    away = np.array([-3.0, -0.5 / 1.4826, 0.5 / 1.4826, 1.5 / 1.4826])
    assert scores == pytest.approx((ranks + away) / 2)
    # Three of four alike: only the order counts.
    alike = robust_scores(np.array([5.0, 5.0, 5.0, 90.0]))
    assert alike == pytest.approx(norm.ppf([0.375, 0.375, 0.375, 0.875]))


def test_some_items_and_other_graphs_score_the_same(predictor, graphs):
    fitted = predictor.fit([member(graphs), member(graphs, seed=1)])
    some = np.array([4, 0, 17])
    for said in ("scores", "spread"):
        whole = getattr(fitted, said)()
        assert whole.shape == (2, len(graphs))
        np.testing.assert_array_equal(getattr(fitted, said)(some), whole[:, some])
        np.testing.assert_array_equal(getattr(fitted.on(graphs[some]), said)(), whole[:, some])
        assert getattr(fitted, said)(some[:0]).shape == (2, 0)


def test_doubt_is_the_deviation_over_parts(graphs):
    one = member(graphs)
    trees = make_predictor("trees(trees=8)", graphs)
    fitted = trees.fit([one])
    columns = trees.columns.reference
    own = fitted._members[0]
    said = np.stack([part(columns) for part in own])
    assert said.shape == (8, len(graphs))
    assert fitted.scores()[0] == pytest.approx(said.mean(axis=0))
    assert fitted.spread()[0] == pytest.approx(said.std(axis=0), abs=1e-7)
    # Every tree sees every label, so no two disagree where all graphs differ.
    assert fitted.spread(one.items)[0] == pytest.approx(0, abs=1e-7)
    assert fitted.final_loss == pytest.approx(0, abs=1e-12)
    single = make_predictor("trees(trees=1)", graphs).fit([one])
    assert single.spread() == pytest.approx(0, abs=1e-7)


def test_proxies_are_used_where_asked_for(graphs):
    proxies = np.stack([np.arange(50.0), np.ones(50)], axis=1)
    labels = proxies[:, 0]  # nothing in the graph tells this
    one = Member(np.arange(0, 50, 2), labels[::2], parse("mse"), 0)
    plain = make_predictor("trees", graphs, proxies=proxies)
    using = make_predictor("trees(features=proxies)", graphs, proxies=proxies)
    assert using.columns.reference.shape[1] == plain.columns.reference.shape[1] + 2
    tau = [kendalltau(p.fit([one]).scores()[0], labels).statistic for p in (plain, using)]
    assert tau[1] > tau[0]
    with pytest.raises(UsageError, match="needs the proxies"):
        make_predictor("trees(features=proxies)", graphs)
    with pytest.raises(UsageError, match="needs the proxies"):
        using.fit([one]).on(graphs)


def test_columns_keep_their_meaning_for_other_graphs(graphs):
    columns = GraphColumns(graphs)
    counts = graph_features(graphs).shape[1]
    assert columns.reference.dtype == np.float32
    np.testing.assert_array_equal(columns.reference[:, :counts], graph_features(graphs))
    np.testing.assert_array_equal(columns.of(graphs[np.array([7])]), columns.reference[[7]])


def test_equal_labels_and_two_of_them(predictor, graphs):
    alike = Member(np.arange(5), np.full(5, 93.0), parse("mse"), 0)
    assert predictor.fit([alike]).scores() == pytest.approx(0)
    two = predictor.fit([Member(np.arange(2), np.array([1.0, 2.0]), parse("mse"), 0)])
    assert np.isfinite(two.scores()).all()


def test_progress_counts_members(predictor, graphs):
    heard = []
    predictor.fit([member(graphs)] * 3, on_step=lambda *step: heard.append(step))
    assert heard == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("name", SMALL)
def test_without_the_extra_it_says_what_to_install(name, graphs, monkeypatch):
    found = builtins.__import__

    def missing(module, *args, **kwargs):
        if module.split(".")[0] == "sklearn":
            raise ImportError(module)
        return found(module, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    for act in (
        lambda: make_predictor(name, graphs),
        # Known before any data is read.
        lambda: plan_runs(CompareConfig(predictors=("gnn", name))),
    ):
        with pytest.raises(UsageError, match=r"install .*scikit-learn"):
            act()


def test_options_and_their_costs():
    assert str(parse_predictor("trees(trees=300)")) == "trees"
    assert str(parse_predictor("boosting( ensemble=2 )")) == "boosting(ensemble=2)"
    for bad in ("trees(trees=0)", "boosting(rounds=1.5)", "trees(rounds=3)"):
        with pytest.raises(UsageError):
            parse_predictor(bad)
