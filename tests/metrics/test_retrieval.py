import numpy as np
import pytest
from later import Later
from scipy.spatial.distance import cdist

from nasrank.metrics.retrieval import (
    Pairs,
    error_rates,
    false_positive_rate,
    normalised_mutual_information,
    pair_distances,
    pairwise_f1,
    recall_at,
    rework_cost,
    separation,
)

metrics = Later("sklearn.metrics")
neighbors = Later("sklearn.neighbors")


@pytest.fixture
def clusters():
    rng = np.random.default_rng(3)
    classes = rng.integers(0, 7, 700)
    return rng.normal(size=(7, 5))[classes] + rng.normal(size=(700, 5)), classes


def test_recall_is_that_of_sorted_neighbours(clusters):
    points, classes = clusters
    # The first neighbour is the query itself.
    near = neighbors.NearestNeighbors(n_neighbors=9).fit(points).kneighbors(points)[1][:, 1:]
    right = classes[near] == classes[:, None]
    found = recall_at(points, classes)
    assert list(found) == [1, 2, 4, 8]
    for k, value in found.items():
        assert value == pytest.approx(right[:, :k].any(axis=1).mean())
    assert 0.3 < found[1] < found[8] < 1


def test_recall_in_one_point_is_chance():
    # One right among three others: 1/3 with one draw, 2/3 with two, 1 with three.
    found = recall_at(np.zeros((4, 3)), [0, 0, 1, 1], ks=(1, 2, 3, 8))
    assert found == pytest.approx({1: 1 / 3, 2: 2 / 3, 3: 1, 8: 1})


def test_ties_behind_something_nearer():
    # From 0: 1 is nearer and wrong, then 2 (right) and -2 (wrong) tie. From 2: 1 is wrong and
    # nearest, then 0. So Recall@2 is (1/2 + 1) / 2; classes 1 and 2 have no partner.
    found = recall_at([[0.0], [1.0], [2.0], [-2.0]], [0, 1, 0, 2], ks=(1, 2, 3))
    assert found == pytest.approx({1: 0.0, 2: 0.75, 3: 1.0})


def test_nobody_has_a_partner():
    assert np.isnan(recall_at([[0.0], [1.0]], [0, 1])[1])
    assert np.isnan(false_positive_rate(pair_distances([[0.0], [1.0]], [0, 1])))


@pytest.mark.parametrize("seed", range(5))
def test_clusters_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 4, 60)
    found = np.where(rng.random(60) < 0.6, classes, rng.integers(0, 5, 60))
    assert normalised_mutual_information(found, classes) == pytest.approx(
        metrics.normalized_mutual_info_score(classes, found)
    )
    (_, wrong), (missed, right) = metrics.cluster.pair_confusion_matrix(classes, found)
    f1 = 2 * right / (2 * right + wrong + missed)
    assert pairwise_f1(found, classes) == pytest.approx(f1)


def test_clusters_at_their_limits():
    assert normalised_mutual_information([0, 0], [1, 1]) == 1
    assert normalised_mutual_information([0, 1, 0, 1], [0, 0, 1, 1]) == pytest.approx(0, abs=1e-12)
    assert pairwise_f1([0, 1, 0, 1], [0, 0, 1, 1]) == 0
    assert pairwise_f1([5, 5, 7], [1, 1, 0]) == 1
    assert np.isnan(pairwise_f1([0, 1], [0, 1]))
    assert np.isnan(normalised_mutual_information([], []))
    with pytest.raises(ValueError, match="one axis"):
        pairwise_f1([0, 1], [0])


def test_pairs_are_all_pairs(clusters):
    points, classes = clusters
    upper = np.triu_indices(len(points), 1)
    distances = cdist(points, points)[upper]
    same = (classes[:, None] == classes)[upper]
    pairs = pair_distances(points, classes)
    np.testing.assert_allclose(pairs.same, np.sort(distances[same]), atol=1e-4)
    np.testing.assert_allclose(pairs.different, np.sort(distances[~same]), atol=1e-4)
    assert separation(pairs) == pytest.approx(distances[~same].mean() / distances[same].mean())


@pytest.mark.parametrize("recall", [0.1, 0.5, 0.95, 1.0])
def test_false_positives_against_the_roc_curve(clusters, recall):
    pairs = pair_distances(*clusters)
    truth = np.r_[np.ones(len(pairs.same)), np.zeros(len(pairs.different))]
    scores = -np.concatenate([pairs.same, pairs.different])
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    oracle = false[np.argmax(true >= recall - 1e-12)]
    assert false_positive_rate(pairs, recall) == pytest.approx(oracle)


def test_nineteen_of_twenty_are_enough():
    pairs = Pairs(np.arange(1.0, 21.0), np.array([19.0, 19.5, 30.0, 40.0]))
    # 19 of 20 pairs lie within 19, where one of four others does too.
    assert false_positive_rate(pairs) == 0.25


def test_rework_prefers_the_cheaper_error():
    pairs = Pairs(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    # At t = 1 half of the genuine are lost, at t = 3 half of the others are taken in.
    rates = error_rates(pairs, pairs)
    assert rates.accept.tolist() == [0, 0, 0.5]
    assert rates.reject.tolist() == [1, 0.5, 0]
    dear_accepts = rework_cost(rates, false_accept=9.0, false_reject=1.0)
    assert dear_accepts == (1000 * 0.5 * 1 * 0.5, 0.0, 0.5)
    dear_rejects = rework_cost(rates, false_accept=1.0, false_reject=9.0)
    assert dear_rejects == (1000 * 0.5 * 1 * 0.5, 0.5, 0.0)
    nothing_accepted = rework_cost(rates, false_accept=9.0, false_reject=0.0)
    assert nothing_accepted[0] == 0
    rare = rework_cost(rates, false_accept=1.0, false_reject=1.0, genuine_share=0.1)
    assert rare == (pytest.approx(1000 * 0.1 * 0.5), 0.0, 0.5)


def test_few_thresholds_cost_little_more(clusters):
    points, classes = clusters
    halves = pair_distances(points[::2], classes[::2]), pair_distances(points[1::2], classes[1::2])
    costs = [
        rework_cost(error_rates(*halves, points=count), false_accept=3.0, false_reject=1.0)[0]
        for count in (201, 10**6)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=0.01)
    assert costs[0] > 0


def test_no_pair_of_a_kind_costs_an_unknown_amount():
    pairs = Pairs(np.array([1.0]), np.zeros(0))
    cost = rework_cost(error_rates(pairs, pairs), false_accept=1.0, false_reject=1.0)
    assert np.isnan(cost).all()


def test_separation_of_a_point_is_unknown():
    assert np.isnan(separation(pair_distances(np.zeros((4, 2)), [0, 0, 1, 1])))


def test_what_is_not_a_set_of_embeddings():
    with pytest.raises(ValueError, match="nan or infinity"):
        recall_at([[np.nan], [0.0]], [0, 0])
    with pytest.raises(ValueError, match=r"\[n, d\]"):
        recall_at([0.0, 1.0], [0, 0])


@pytest.mark.parametrize("unit", [1e-150, 1e-6, 1e6, 1e150])
@pytest.mark.parametrize("shift", [0.0, 1e5])
def test_neither_unit_nor_origin_of_embeddings_matters(unit, shift):
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 5, 200)
    points = rng.normal(size=(200, 16))
    points[np.arange(200), classes] += 3
    usual, moved = (
        pair_distances(points, classes),
        pair_distances(unit * (points + shift), classes),
    )
    assert recall_at(unit * (points + shift), classes) == recall_at(points, classes)
    np.testing.assert_allclose(moved.same, unit * usual.same, rtol=1e-5)
    np.testing.assert_allclose(moved.different, unit * usual.different, rtol=1e-5)


def test_equal_embeddings_are_at_no_distance_far_from_the_origin():
    pairs = pair_distances(np.full((5, 3), 1e9), [0, 0, 1, 1, 1])
    assert not pairs.same.any()
    assert not pairs.different.any()
