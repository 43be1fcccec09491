"""An ensemble is the mean of its parts on one scale, and its doubt their disagreement."""

import numpy as np
import pytest

from nasrank.losses import parse
from nasrank.predictors.ensemble import Ensemble, spelled_out
from nasrank.predictors.predictor import Fitted, Member
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import make_predictor


class Known(Fitted):
    """Scores written down beforehand."""

    def __init__(self, table):
        self.table = np.asarray(table, float)
        self.final_loss = np.arange(len(table), dtype=float)

    @property
    def diverged(self):
        return np.isnan(self.table).any(axis=1)

    def scores(self, items=None):
        return self.table if items is None else self.table[:, items]

    def on(self, graphs, proxies=None):
        return self


def test_by_hand():
    member = Member(np.array([0, 1]), np.array([1.0, 2.0]), parse("mse"), 0)
    # On items 0 and 1 the parts have mean 1 and 20 and deviation 1 and 10.
    parts = Known([[0, 2, 4], [10, 30, 20]])
    both = Ensemble.over(parts, [member], 2)
    np.testing.assert_allclose(both.parts()[0], [[-1, 1, 3], [-1, 1, 0]])
    np.testing.assert_allclose(both.scores(), [[-1, 1, 1.5]])
    # Deviation of 3 and 0 with two parts: 3 / sqrt(2).
    np.testing.assert_allclose(both.spread(), [[0, 0, 3 / np.sqrt(2)]])
    assert both.final_loss.tolist() == [0.5]
    np.testing.assert_allclose(both.scores(np.array([2])), [[1.5]])


def test_a_part_that_scores_all_alike_adds_nothing():
    member = Member(np.array([0, 1]), np.array([1.0, 2.0]), parse("mse"), 0)
    both = Ensemble.over(Known([[0, 2, 4], [7, 7, 7]]), [member], 2)
    np.testing.assert_allclose(both.scores(), [[-0.5, 0.5, 1.5]])


def test_one_part_that_diverged_is_enough():
    member = Member(np.array([0, 1]), np.array([1.0, 2.0]), parse("mse"), 0)
    both = Ensemble.over(Known([[0, 2, 4], [np.nan] * 3]), [member], 2)
    assert both.diverged.tolist() == [True]
    assert np.isnan(both.scores()).all()


def test_seeds_are_told_apart_and_the_first_is_the_members_own():
    members = [Member(np.arange(3), np.arange(3.0), parse("mse"), seed) for seed in (4, 5)]
    seeds = [m.seed for m in spelled_out(members, 3)]
    assert (seeds[0], seeds[3]) == (4, 5)
    assert len(set(seeds)) == 6


@pytest.mark.parametrize("name", ["gnn", "mlp"])
def test_an_ensemble_of_networks_is_the_mean_of_its_networks(graphs, name):
    worth = graphs.operation_counts()[:, 2].astype(float)
    members = [Member(np.arange(20), worth[:20], parse("listmle"), seed) for seed in (0, 1)]
    recipe = Recipe(epochs=3)
    both = make_predictor(f"{name}(ensemble=2)", graphs, recipe=recipe).fit(members)
    single = make_predictor(name, graphs, recipe=recipe)
    for place, member in enumerate(members):
        rows = [single.fit([part]).scores()[0] for part in spelled_out([member], 2)]
        rows = [(row - row[:20].mean()) / row[:20].std() for row in rows]
        np.testing.assert_allclose(both.scores()[place], np.mean(rows, axis=0), atol=1e-3)
        np.testing.assert_allclose(both.spread()[place], np.std(rows, axis=0, ddof=1), atol=1e-3)
