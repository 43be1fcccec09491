"""Reasons are what they say they are."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from nasrank.questions.rank.explaining import (
    diverse_order,
    effects_of,
    features_of,
    nearest_of,
    usual_operations,
)


@pytest.fixture
def model(own_case, learnt):
    return learnt(own_case(), loss="mse")


def test_effects_have_the_signs_of_the_truth(model):
    case = model.case
    graphs = case.graphs[case.candidates]
    scores, _ = model.scorer.score(graphs)
    found = effects_of(case, model.scorer, graphs, scores, model.calibration)
    assert set(usual_operations(case)) <= {"conv3x3", "conv5x5", "pool", "identity"}
    gains = {name: [] for name in graphs.vocabulary}
    for pairs in found:
        assert [gain for _, gain in pairs] == sorted((gain for _, gain in pairs), reverse=True)
        for name, gain in pairs:
            gains[name].append(gain)
    assert not gains["input"]
    assert not gains["output"]
    assert np.mean(gains["conv3x3"]) > np.mean(gains["pool"])
    # An operation that is not there cannot add anything.
    counts = graphs.operation_counts()
    for row, pairs in enumerate(found):
        assert {name for name, _ in pairs} <= {
            graphs.vocabulary[code] for code in np.flatnonzero(counts[row])
        }


def test_the_nearest_is_the_nearest_and_the_better_of_equals(model):
    case = model.case
    graphs = case.graphs[case.candidates[:20]]
    distance = cdist(features_of(case, graphs), features_of(case, case.graphs[case.items]))
    for row, found in enumerate(nearest_of(case, graphs)):
        assert found.distance == pytest.approx(distance[row].min(), abs=1e-5)
        equal = np.flatnonzero(distance[row] < distance[row].min() + 1e-6)
        assert case.labels[found.item] == case.labels[equal].max()
        assert found.difference
    (own,) = nearest_of(case, case.graphs[case.items[[3]]])
    assert own.distance == 0


def test_a_diverse_batch_is_spread_out_and_starts_with_the_best():
    rng = np.random.default_rng(0)
    scores = np.sort(rng.normal(size=300))[::-1]
    features = rng.normal(size=(300, 4))
    chosen = diverse_order(scores, features, 20)
    assert chosen[0] == 0
    assert len(set(chosen.tolist())) == 20
    spread = [
        cdist(features[rows], features[rows])[np.triu_indices(20, 1)].min()
        for rows in (chosen, np.arange(20))
    ]
    assert spread[0] > spread[1]
    assert scores[chosen].mean() > scores.mean()
    assert len(diverse_order(scores[:5], features[:5], 20)) == 5
