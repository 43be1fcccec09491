"""The Gaussian process against its formulas, and what it promises."""

import numpy as np
import pytest
from scipy.stats import norm

from nasrank.errors import UsageError
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors import evidence
from nasrank.predictors.gp import GaussianProcess
from nasrank.predictors.predictor import Member
from nasrank.predictors.targets import log_scores, normal_scores, robust_scores


@pytest.fixture(name="worth", scope="module")
def _worth(graphs):
    return graphs.operation_counts()[:, 2] + graphs.adjacency.sum((1, 2)) / 5


@pytest.fixture(name="process", scope="module")
def _process(graphs):
    return GaussianProcess(graphs)


def member(worth, items, seed=0):
    return Member(np.asarray(items), worth[items], parse("mse"), seed)


def test_normal_scores_by_hand():
    # Ranks 1, 2.5, 2.5, 4 of four: quantiles at 1/8, 1/2, 1/2, 7/8.
    scores = normal_scores(np.array([3.0, 5.0, 5.0, 90.0]))
    np.testing.assert_allclose(scores, norm.ppf([0.125, 0.5, 0.5, 0.875]))
    np.testing.assert_array_equal(normal_scores(np.array([2.0, 2.0])), [0.0, 0.0])


def test_log_scores_by_hand():
    # Median 6, deviation 1.4826 * 2: robust scores of -log(2.9652 + 9 - y).
    labels = np.array([1.0, 5.0, 6.0, 8.0, 9.0])
    expected = robust_scores(-np.log(2.9652 + 9 - labels))
    np.testing.assert_allclose(log_scores(labels), expected)
    np.testing.assert_allclose(log_scores(100 * labels - 7), expected)
    tied = np.array([0.0, 1.0, 1.0, 1.0, 5.0])
    np.testing.assert_array_equal(log_scores(tied), robust_scores(tied))


def test_mean_and_doubt_are_those_of_conditioning(process, worth):
    own = np.arange(12)
    fitted = process.fit([member(worth, own)])
    (posterior,) = fitted._posteriors
    choice = posterior.choice
    rows = process.rows.reference[choice.reading]
    prior = choice.kernel.between(rows, choice.rows).numpy()
    kernel = choice.kernel.noisy(choice.rows).numpy()
    np.testing.assert_allclose(
        fitted.scores()[0], prior @ np.linalg.solve(kernel, choice.targets.numpy()), atol=1e-7
    )
    explained = np.einsum("ij,jk,ik->i", prior, np.linalg.inv(kernel), prior)
    left = choice.kernel.variance(rows).numpy() - explained
    np.testing.assert_allclose(fitted.spread()[0], np.sqrt(np.maximum(left, 0)), atol=1e-5)


def test_left_out_doubt_is_that_of_the_others(process, worth):
    (posterior,) = process.fit([member(worth, np.arange(12))])._posteriors
    kernel = posterior.choice.kernel.noisy(posterior.choice.rows).numpy()
    for item in (0, 7):
        others = np.delete(np.arange(12), item)
        cross = kernel[item, others]
        left = kernel[item, item] - cross @ np.linalg.solve(kernel[np.ix_(others, others)], cross)
        assert posterior.left_out[item] == pytest.approx(np.sqrt(left), rel=1e-6)


def test_it_learns_and_doubts_what_it_has_not_seen(process, worth):
    fitted = process.fit([member(worth, np.arange(30))])
    assert kendall_tau(fitted.scores()[0][30:], worth[30:]) > 0.5
    doubt = fitted.spread()[0]
    assert doubt[:30].mean() < doubt[30:].mean()
    assert not fitted.diverged.any()
    assert np.isfinite(fitted.final_loss).all()


def test_members_are_what_they_are_alone(process, worth):
    members = [member(worth, np.arange(start, start + n)) for start, n in ((0, 10), (5, 25))]
    together = process.fit(members)
    for place, each in enumerate(members):
        alone = process.fit([each])
        np.testing.assert_array_equal(together.scores()[place], alone.scores()[0])
        np.testing.assert_array_equal(together.spread()[place], alone.spread()[0])


def test_unit_and_origin_of_labels_do_not_count(process, worth):
    own = np.arange(20)
    plain = process.fit([member(worth, own)])
    other = process.fit([Member(own, 0.01 * worth[own] - 7, parse("mse"), 1)])
    np.testing.assert_allclose(plain.scores(), other.scores(), atol=1e-6)


def test_order_of_nodes_and_padding_do_not_count(process, graphs, moved, worth):
    members = [member(worth, np.arange(25))]
    np.testing.assert_allclose(
        GaussianProcess(moved).fit(members).scores(), process.fit(members).scores(), atol=1e-4
    )


@pytest.mark.parametrize("items", [[3, 3, 3, 3], [0, 1]])
def test_few_graphs_or_one_again_and_again(process, worth, items):
    labels = np.arange(len(items), dtype=float)
    fitted = process.fit([Member(np.array(items), labels, parse("mse"), 0)])
    assert np.isfinite(fitted.scores()).all()
    assert np.isfinite(fitted.spread()).all()


def test_labels_all_alike_give_one_score(process):
    fitted = process.fit([Member(np.arange(9), np.full(9, 5.0), parse("mse"), 0)])
    np.testing.assert_allclose(fitted.scores(), 0.0, atol=1e-12)


def test_beyond_its_limit_all_labels_still_predict(process, worth, monkeypatch):
    monkeypatch.setattr(evidence, "TUNED_ON", 10)
    (posterior,) = process.fit([member(worth, np.arange(40))])._posteriors
    assert len(posterior.weights) == 40
    tuned = process.fit([member(worth, np.arange(40))])
    assert kendall_tau(tuned.scores()[0][40:], worth[40:]) > 0.5


def test_proxies_are_used_when_asked_for(graphs, worth):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    proxies = np.stack([truth * 7 + 100, np.ones(50)], axis=1)
    members = [Member(np.arange(15), truth[:15], parse("mse"), 0)]
    plain = GaussianProcess(graphs, proxies=proxies).fit(members)
    told = GaussianProcess(graphs, proxies=proxies, features="proxies").fit(members)
    assert abs(kendall_tau(plain.scores()[0][15:], truth[15:])) < 0.4
    gain = kendall_tau(told.scores()[0][15:], truth[15:]) - kendall_tau(
        plain.scores()[0][15:], truth[15:]
    )
    assert gain > 0.2
    part = told.on(graphs[[40, 41]], proxies[[40, 41]])
    np.testing.assert_allclose(part.scores()[0], told.scores()[0][[40, 41]], atol=1e-5)
    with pytest.raises(UsageError, match="proxies"):
        told.on(graphs[[40]])
    with pytest.raises(UsageError, match="proxies"):
        GaussianProcess(graphs, features="proxies")


def test_it_says_how_far_it_is(process, worth):
    heard = []
    process.fit(
        [member(worth, np.arange(9))] * 3, on_step=lambda done, of: heard.append((done, of))
    )
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_scores_and_spread_are_the_same_in_small_parts(process, worth, monkeypatch):
    fitted = process.fit([member(worth, np.arange(12))])
    whole = fitted.scores(), fitted.spread()
    monkeypatch.setattr(evidence, "_AT_ONCE", 12 * 7)
    np.testing.assert_allclose(fitted.scores(), whole[0], atol=1e-9)
    np.testing.assert_allclose(fitted.spread(), whole[1], atol=1e-6)
    assert fitted.scores(np.zeros(0, np.int64)).shape == (1, 0)
