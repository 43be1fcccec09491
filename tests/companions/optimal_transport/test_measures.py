import numpy as np
import pytest
import torch
from later import Later

from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.companions.optimal_transport.measures import (
    confusion_matrix,
    feature_cpcc,
    group_probabilities,
    mean_average_precision,
    mistake_costs,
    one_shot_accuracy,
    principal_plane,
    retrieval_map,
)

decomposition = Later("sklearn.decomposition")
metrics = Later("sklearn.metrics")

TREE = Hierarchy("t", (("a", "w"), ("a", "x"), ("b", "y"), ("b", "z")))
RNG = np.random.default_rng


def test_average_precision_is_that_of_sklearn():
    rng = RNG(0)
    scores, targets = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    theirs = metrics.average_precision_score
    expected = np.mean([theirs(targets == c, scores[:, c]) for c in range(4)])
    assert mean_average_precision(scores, targets) == pytest.approx(100 * expected)
    # A target without a sample is left out.
    more = np.column_stack([scores, rng.normal(size=50)])
    assert mean_average_precision(more, targets) == pytest.approx(100 * expected)


def test_retrieval_by_cosine_to_the_mean():
    known = torch.tensor([[1.0, 0], [3.0, 0.1], [0, 1.0], [0.1, 2.0]])
    groups = np.array([0, 0, 1, 1])
    asked = torch.tensor([[5.0, 1], [1.0, 5], [0.1, 1]])
    assert retrieval_map(known, groups, asked, np.array([0, 1, 1])) == 100
    # Class 0 asks for the two that are farthest from it: at ranks 2 and 3 of 3; class 1 at 3.
    worst = retrieval_map(known, groups, asked, np.array([1, 0, 0]))
    assert worst == pytest.approx(100 * ((1 / 2 + 2 / 3) / 2 + 1 / 3) / 2)


def test_mistakes_cost_their_distance():
    confusion = confusion_matrix(np.array([0, 0, 1, 3]), np.array([0, 1, 2, 3]), 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    costs = np.zeros((4, 4))
    costs[1, 2], costs[2, 1] = 7, 1
    found = mistake_costs(confusion, TREE, costs)
    # One mistake within a group, 2 edges, and one between, 4; the second costs 7, of 4 samples.
    assert found == {"mistake_distance": 3, "mean_distance": 1.5, "expected_cost": 7 / 4}
    perfect = mistake_costs(np.diag([1, 1, 1, 1]), TREE)
    assert perfect == {"mistake_distance": None, "mean_distance": 0, "expected_cost": None}


def test_groups_sum_their_classes():
    shares = RNG(0).dirichlet(np.ones(4), 5)
    assert group_probabilities(shares, TREE.group_of) == pytest.approx(
        np.column_stack([shares[:, :2].sum(1), shares[:, 2:].sum(1)])
    )


def nested(n, seed=0, noise=0.01):
    rng = RNG(seed)
    classes = rng.permutation(np.repeat(np.arange(4), n))
    centres = np.zeros((4, 6))
    centres[np.arange(4), np.arange(4)] = 1
    centres[np.arange(4), 4 + np.arange(4) // 2] = 3
    return torch.tensor(centres[classes] + noise * rng.normal(size=(len(classes), 6))), classes


@pytest.mark.parametrize("name", ["l2", "emd", "fastft"])
def test_cpcc_of_features(name):
    features, classes = nested(20)
    value, distances = feature_cpcc(features, classes, TREE, DistanceSpec(name))
    assert value == pytest.approx(1, abs=1e-3)
    # Within a group sqrt(2), between groups sqrt(2 + 18).
    expected = np.array([2, 20, 20, 20, 20, 2]) ** 0.5
    assert distances == pytest.approx(expected, abs=0.02)


def test_a_cap_takes_the_first_of_each_class():
    features, classes = nested(20)
    first = np.concatenate([np.flatnonzero(classes == c)[:3] for c in range(4)])
    spoilt = torch.full_like(features, 1e6)
    spoilt[first] = features[first]
    capped = feature_cpcc(spoilt, classes, TREE, DistanceSpec("emd"), per_class=3)
    assert capped[0] == pytest.approx(1, abs=1e-3)


def test_constant_features_have_no_cpcc():
    assert feature_cpcc(torch.zeros(8, 3), np.arange(8) % 4, TREE, DistanceSpec("l2"))[0] is None
    lost = torch.full((8, 3), torch.nan)
    assert feature_cpcc(lost, np.arange(8) % 4, TREE, DistanceSpec("emd"))[0] is None


def test_one_shot_learns_what_is_separable():
    rng = RNG(1)
    classes = rng.integers(0, 3, 60)
    features = torch.tensor(5 * np.eye(3)[classes] + 0.1 * rng.normal(size=(60, 3)))
    assert one_shot_accuracy(features, classes, features, classes, seed=0) == 100
    noise = torch.tensor(rng.normal(size=(60, 3)))
    assert 15 < one_shot_accuracy(noise, classes, noise, classes, seed=0) < 60


def test_one_shot_takes_gradient_steps_as_written():
    """Against autograd: the drawn sample of a class with one sample is that sample."""
    rng = RNG(2)
    shots = torch.tensor(rng.normal(size=(3, 4)), dtype=torch.float32)
    asked = torch.tensor(rng.normal(size=(40, 4)), dtype=torch.float32)
    # Around their mean, in units of their root mean square; then both are in those units.
    centre = shots.mean(dim=0)
    spread = (shots - centre).square().mean().sqrt()
    shots, asked = (shots - centre) / spread, (asked - centre) / spread
    layer = torch.nn.Linear(4, 3)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(layer(shots), torch.arange(3)).backward()
        optimiser.step()
    guesses = layer(asked).argmax(1).numpy()
    assert one_shot_accuracy(shots, np.arange(3), asked, guesses, seed=0) == 100


def test_principal_plane_is_that_of_sklearn():
    features = torch.tensor(RNG(0).normal(size=(30, 5)) * [5, 3, 1, 1, 1])
    ours, theirs = principal_plane(features), decomposition.PCA(2).fit_transform(features.numpy())
    assert np.abs(ours) == pytest.approx(np.abs(theirs))
    assert (ours[np.abs(ours).argmax(0), [0, 1]] > 0).all()
    assert principal_plane(torch.tensor([[1.0], [2.0]])).shape == (2, 2)
