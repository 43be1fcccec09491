import numpy as np
import pytest
from later import Later

from nasrank.losses import parse
from nasrank.predictors.boosting import RATE, Boosting
from nasrank.predictors.predictor import Member
from nasrank.predictors.targets import robust_scores
from nasrank.predictors.trees import scikit_seed

ensemble = Later("sklearn.ensemble")


@pytest.fixture(name="one", scope="module")
def _one(graphs):
    items = np.arange(30)
    return Member(items, graphs.sizes()[items] + 0.1 * items, parse("mse"), 3)


def test_it_is_scikit_learn_s_booster_on_robust_scores(graphs, one):
    boosting = Boosting(graphs, rounds=20, ensemble=1)
    columns = boosting.columns.reference
    oracle = ensemble.GradientBoostingRegressor(
        n_estimators=20,
        learning_rate=RATE / 20,
        max_depth=4,
        subsample=0.5,
        max_features=0.2,
        random_state=scikit_seed(3, stream="boosting", part=0),
    ).fit(columns[one.items], robust_scores(one.targets))
    fitted = boosting.fit([one])
    np.testing.assert_array_equal(fitted.scores()[0], oracle.predict(columns))
    error = oracle.predict(columns[one.items]) - robust_scores(one.targets)
    assert fitted.final_loss[0] == pytest.approx(np.mean(error**2))


def test_boosters_of_a_member_differ_by_their_seed_and_are_averaged(graphs, one):
    three = Boosting(graphs, rounds=10, ensemble=3).fit([one])
    first = Boosting(graphs, rounds=10, ensemble=1).fit([one])
    assert (three.spread() > 0).any()
    np.testing.assert_array_equal(first.spread(), 0)
    parts = np.stack([part(three._columns) for part in three._members[0]])
    np.testing.assert_array_equal(parts[0], first.scores()[0])
    assert three.scores()[0] == pytest.approx(parts.mean(axis=0))
    assert three.spread()[0] == pytest.approx(parts.std(axis=0), abs=1e-7)


def test_few_rounds_still_learn(graphs, one):
    # A rate above one would overshoot.
    once = Boosting(graphs, rounds=1, ensemble=1).fit([one]).scores()[0]
    assert np.corrcoef(once[one.items], one.targets)[0, 1] > 0
    assert np.abs(once).max() < 3
