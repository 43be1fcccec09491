import numpy as np
import pytest

from nasrank.metrics.embeddings import (
    LinearProbe,
    effective_rank,
    knn_accuracy,
    nearest_mean_accuracy,
    on_sphere,
    simplex_distance,
    sphere_variance,
)


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)), rng.integers(0, 3, 60)


def test_lengths_do_not_count_and_zero_stays():
    unit = on_sphere([[3, 4], [0, 0], [1e-300, 0], [1e300, 1e300]])
    assert unit[0] == pytest.approx([0.6, 0.8])
    assert unit[1].tolist() == [0, 0]
    assert unit[2].tolist() == [1, 0]
    assert unit[3] == pytest.approx([0.5**0.5] * 2)


def test_variance_by_hand():
    # Class 0 is (1, 0) and (0, 1): its mean (.5, .5) has squared length .5. Class 1 is one
    # point. Two thirds and one third: within = 2/3 * .5 + 1/3 * 0.
    found = sphere_variance([[2, 0], [0, 1], [-1, 0]], [0, 0, 1])
    assert found.within == pytest.approx(1 / 3)
    # All sum to (0, 1): the mean is (0, 1/3).
    assert found.total == pytest.approx(1 - 1 / 9)
    assert found.between == pytest.approx(found.total - found.within)
    assert found.class_within == pytest.approx([0.5, 0.0])


def test_variance_is_the_mean_squared_distance(cloud):
    rows, classes = cloud
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    means = np.stack([unit[classes == c].mean(axis=0) for c in range(3)])
    found = sphere_variance(rows, classes)
    assert found.within == pytest.approx(np.mean(np.sum((unit - means[classes]) ** 2, axis=1)))
    centre = unit.mean(axis=0)
    assert found.between == pytest.approx(np.mean(np.sum((means[classes] - centre) ** 2, axis=1)))


def test_a_class_without_embeddings_has_no_variance(cloud):
    rows, classes = cloud
    found = sphere_variance(rows, classes, 4)
    assert np.isnan(found.class_within[3])
    assert found.within == pytest.approx(sphere_variance(rows, classes).within)


def test_collapsed_classes_have_none():
    corners = np.array([[1, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    found = sphere_variance(np.repeat(corners, 4, axis=0), np.repeat([0, 1, 2], 4))
    assert found.within == pytest.approx(0, abs=1e-12)
    assert found.total == pytest.approx(1)


def test_effective_rank_counts_directions():
    # Three equal axes; twice as long in one: shares 1/2, 1/4, 1/4, so 2^1.5.
    axes = np.vstack([np.eye(3), -np.eye(3)])
    assert effective_rank(axes) == pytest.approx(3)
    assert effective_rank(axes * [2, 1, 1]) == pytest.approx(2**1.5)
    assert effective_rank(1e6 * axes @ np.eye(3, 10)) == pytest.approx(3)
    assert effective_rank(np.ones((5, 3))) == 0
    assert effective_rank(np.zeros((0, 3))) == 0
    # One point and its opposite lie on a line, whatever else is constant.
    assert effective_rank([[1, 0, 7], [-1, 0, 7]]) == pytest.approx(1)


def test_effective_rank_of_wide_and_tall_agree(cloud):
    rows, _ = cloud
    few = rows[:4]
    values = np.linalg.svd(few - few.mean(axis=0), compute_uv=False)[:3]
    share = values / values.sum()
    assert effective_rank(few) == pytest.approx(np.exp(-np.sum(share * np.log(share))))


def test_simplex_distance():
    assert simplex_distance(np.eye(4)) == pytest.approx(0, abs=1e-12)
    assert simplex_distance(5 * np.eye(4) + 3) == pytest.approx(0, abs=1e-12)
    # Three points on a line, 1 apart: G = [[1, 0, -1], [0, 0, 0], [-1, 0, 1]] of length 2,
    # the simplex has S = I - 1/3 of length root 2, and <G, S> = 2. The squared distance is
    # 2 - 2 * 2 / (2 root 2).
    assert simplex_distance([[0], [1], [2]]) == pytest.approx((2 - 2**0.5) ** 0.5)
    assert simplex_distance(np.ones((3, 2))) == pytest.approx(2**0.5)


def test_nearest_mean_is_by_angle():
    means = np.array([[10.0, 0.0], [0.0, 0.1], [np.nan, np.nan]])
    assert nearest_mean_accuracy(means, [[1, 0.5], [0.5, 1], [-1, 5]], [0, 1, 1]) == 1
    assert nearest_mean_accuracy(means, [[1, 0.5]], [2]) == 0


def test_neighbours_vote():
    known = [[1, 0], [1, 0.1], [1, 0.2], [0, 1]]
    assert knn_accuracy(known, [1, 0, 0, 2], [[1, 0]], [1], neighbours=1) == 1
    assert knn_accuracy(known, [1, 0, 0, 2], [[1, 0]], [0], neighbours=3) == 1
    # One vote each: the nearer one wins. All four vote where more are asked for.
    assert knn_accuracy(known[:2], [0, 1], [[1, 0]], [0], neighbours=2) == 1
    assert knn_accuracy(known, [1, 0, 0, 2], [[0, 1]], [0], neighbours=99) == 1


def test_neighbours_agree_with_scikit_learn(cloud):
    neighbors = pytest.importorskip("sklearn.neighbors")
    rows, classes = cloud
    other = neighbors.KNeighborsClassifier(1, metric="cosine").fit(rows[:40], classes[:40])
    wanted = other.score(rows[40:], classes[40:])
    assert knn_accuracy(rows[:40], classes[:40], rows[40:], classes[40:], neighbours=1) == wanted


def test_the_probe_agrees_with_scikit_learn(cloud):
    linear = pytest.importorskip("sklearn.linear_model")
    rows, classes = cloud
    found = LinearProbe.fit(rows, classes, penalty=0.1)
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    # Its C weighs the sum of losses against half the squares.
    other = linear.LogisticRegression(C=1 / (0.1 * len(rows)), tol=1e-8, max_iter=1000)
    other.fit(scaled, classes)
    assert found.weights == pytest.approx(other.coef_.T, abs=1e-3)
    assert found.accuracy(rows, classes) == pytest.approx(other.score(scaled, classes))


def test_the_probe_reads_what_is_there_and_no_more():
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 4, 200)
    told = np.eye(4)[classes] + 0.01 * rng.normal(size=(200, 4))
    assert LinearProbe.fit(told, classes).accuracy(told, classes) == 1
    constant = np.ones((200, 3))
    share = np.bincount(classes).max() / 200
    assert LinearProbe.fit(constant, classes).accuracy(constant, classes) == pytest.approx(share)
    assert LinearProbe.fit(1e8 * told, classes).accuracy(1e8 * told, classes) == 1
