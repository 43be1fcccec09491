"""The floor: ridge regression against its closed forms."""

import numpy as np
import pytest

from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors.predictor import Member
from nasrank.predictors.ridge import Ridge, _Line

RNG = np.random.default_rng(2)


def test_the_line_is_the_best_of_its_penalties_with_one_label_left_out():
    columns, noise = RNG.normal(size=(15, 4)), RNG.normal(size=15)
    targets = columns @ np.array([1.0, -2.0, 0, 0]) + noise + 3
    line = _Line.of(columns, targets)

    def solve(x, y, penalty):
        centre = x.mean(axis=0)
        z = x - centre
        slope = np.linalg.solve(z.T @ z + penalty * np.eye(4), z.T @ (y - y.mean()))
        return slope, y.mean() - centre @ slope

    centred = columns - columns.mean(axis=0)
    size = np.trace(centred @ centred.T) / 15
    errors = {}
    for penalty in size * np.logspace(-4, 4, 33):
        left = [np.arange(15) != item for item in range(15)]
        lines = [solve(columns[own], targets[own], penalty) for own in left]
        off = [targets[i] - columns[i] @ slope - start for i, (slope, start) in enumerate(lines)]
        errors[penalty] = np.mean(np.square(off))
    best = min(errors, key=errors.get)
    slope, start = solve(columns, targets, best)
    np.testing.assert_allclose(line.slope, slope, atol=1e-8)
    assert line.intercept == pytest.approx(start)
    assert line.loss == pytest.approx(errors[best])


def test_it_learns_settings_and_graphs_alike(graphs):
    values = RNG.normal(size=(80, 3))
    worth = values @ np.array([1.0, -1.0, 0.3])
    settings = Settings(tuple(Setting(name, "number") for name in "abc"), values)
    fitted = Ridge(GraphBatch.of_settings(settings)).fit(
        [Member(np.arange(20), worth[:20], parse("mse"), 0)]
    )
    assert kendall_tau(fitted.scores()[0][20:], worth[20:]) > 0.9
    assert fitted.spread() is None
    counts = graphs.operation_counts()[:, 2].astype(float)
    on_graphs = Ridge(graphs).fit([Member(np.arange(30), counts[:30], parse("mse"), 0)])
    assert kendall_tau(on_graphs.scores()[0][30:], counts[30:]) > 0.5


def test_positions_of_a_chain_count():
    codes = RNG.integers(2, 4, (200, 6)).astype(np.int16)
    operations = np.pad(codes, ((0, 0), (1, 1)))
    operations[:, -1] = 1
    chain = np.broadcast_to(np.eye(8, k=1, dtype=np.uint8), (200, 8, 8)).copy()
    graphs = GraphBatch(operations, chain, np.ones((200, 8), bool), ("input", "output", "a", "b"))
    worth = (codes == 3) @ np.array([3.0, -2, 1, -1, 2, -3])
    fitted = Ridge(graphs).fit([Member(np.arange(40), worth[:40], parse("mse"), 0)])
    assert kendall_tau(fitted.scores()[0][40:], worth[40:]) > 0.8


@pytest.mark.parametrize("items", [[3, 3, 3], [0, 1], [5], [0, 1, 2, 3]])
@pytest.mark.parametrize("equal", [False, True])
def test_few_or_equal_labels_give_finite_scores(graphs, items, equal):
    labels = np.zeros(len(items)) if equal else np.arange(len(items), dtype=float)
    fitted = Ridge(graphs).fit([Member(np.array(items), labels, parse("mse"), 0)])
    assert np.isfinite(fitted.scores()).all()
    assert not fitted.diverged.any()
    if items == [0, 1] and not equal:
        assert fitted.scores()[0][1] > fitted.scores()[0][0]
