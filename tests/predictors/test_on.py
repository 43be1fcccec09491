"""Graphs that were not there when a predictor was fitted are scored as if they had been."""

import numpy as np
import pytest

from nasrank.graphs import GraphBatch
from nasrank.losses import parse
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import make_predictor


def with_widths(graphs, seed=5):
    rng = np.random.default_rng(seed)
    widths = rng.choice([16.0, 64.0, 512.0], (*graphs.operations.shape, 1)).astype(np.float32)
    widths[~graphs.mask | (rng.random(graphs.mask.shape) < 0.2)] = np.nan
    return GraphBatch(
        graphs.operations, graphs.adjacency, graphs.mask, graphs.vocabulary, widths, ("width",)
    )


@pytest.fixture(name="known", params=[False, True], ids=["plain", "widths"])
def _known(request, make_graphs):
    graphs = make_graphs(60, seed=4)
    return with_widths(graphs) if request.param else graphs


@pytest.mark.parametrize(
    "spec", ["gnn", "mlp", "gnn(ensemble=2)", "mlp(ensemble=2)", "gp", "kernel", "ridge", "blend"]
)
def test_chunks_score_as_the_whole(spec, known):
    # However long it was trained.
    recipe = Recipe(epochs=8)
    worth = known.operation_counts()[:, 2].astype(float) + np.arange(60) / 100
    members = [Member(np.arange(40), worth[:40], parse("listmle"), seed) for seed in (0, 1)]
    fitted = make_predictor(spec, known, recipe=recipe).fit(members)
    whole = fitted.scores()
    assert np.ptp(whole) > 0
    for chunks in ([range(60)], [range(7), range(7, 8), range(8, 60)], [[3, 3]]):
        for chunk in chunks:
            items = np.array(chunk)
            np.testing.assert_allclose(
                fitted.on(known[items]).scores(), whole[:, items], atol=1e-5, rtol=1e-5
            )
            # Once more removed: the measures are handed on.
            again = fitted.on(known[items]).on(known[items[::-1]])
            np.testing.assert_allclose(again.scores(), whole[:, items[::-1]], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "spec", ["gnn", "mlp(ensemble=3)", "gp", "kernel", "trees", "boosting", "blend", "auto"]
)
def test_scores_and_spread_are_the_same_together_as_apart(spec, make_graphs):
    known = make_graphs(60, seed=4)
    worth = known.operation_counts()[:, 2].astype(float) + np.arange(60) / 100
    members = [
        Member(np.arange(own, own + 30), worth[own : own + 30], parse("mse"), own)
        for own in (0, 9)
    ]
    fitted = make_predictor(spec, known).fit(members)
    for here in (fitted, fitted.on(known[20:50])):
        for items in (None, np.array([3, 0, 3, 29])):
            scores, spread = here.scores_and_spread(items)
            np.testing.assert_array_equal(scores, here.scores(items))
            apart = here.spread(items)
            assert (spread is None) == (apart is None) == (spec == "gnn")
            if spread is not None and apart is not None:
                np.testing.assert_array_equal(spread, apart)
                assert (spread >= 0).all()
                assert np.ptp(spread) > 0


@pytest.mark.parametrize("spec", ["gnn", "mlp"])
def test_deeper_graphs_with_new_numbers_can_be_scored(spec, make_graphs):
    known = with_widths(make_graphs(40, nodes=5, seed=4))
    fitted = make_predictor(spec, known).fit(
        [Member(np.arange(40), known.sizes().astype(float), parse("mse"), 0)]
    )
    deeper = with_widths(make_graphs(30, nodes=9, seed=6))
    scores = fitted.on(deeper).scores()
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(fitted.on(deeper[[4]]).scores()[0], scores[0, [4]], atol=1e-5)
