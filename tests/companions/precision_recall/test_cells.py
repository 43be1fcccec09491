import numpy as np
import pytest

from nasrank.benchmarks.nb201 import official_order
from nasrank.companions.precision_recall.cells import (
    load_cells,
    predictor_scores,
    shortlist,
)
from nasrank.errors import UsageError

TASK = "nb201/cifar10"


@pytest.fixture(autouse=True)
def cached(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


def test_the_data_is_the_best_fifth_of_the_labelled():
    cells = load_cells(TASK, 78, 0)
    assert cells.train.shape == (16, 30)
    assert (cells.train.reshape(16, 6, 5).sum(axis=2) == 1).all()
    assert cells.known.sum() == 78
    # 5 % of 5,425 classes, ties included.
    assert 272 <= cells.top.sum() <= 275
    good = set(cells.classes_of(cells.train).tolist())
    labels = dict(
        zip(cells.task.space.class_of[cells.split.train], cells.split.targets, strict=True)
    )
    worst = min(labels[each] for each in good)
    assert all(value <= worst for each, value in labels.items() if each not in good)


def test_classes_are_those_of_the_space():
    cells = load_cells(TASK, 78, 0)
    some = np.eye(5)[official_order()[::500]].reshape(-1, 30)
    assert np.array_equal(cells.classes_of(some), cells.task.space.class_of[::500])


def test_the_oracle_knows_the_top():
    cells = load_cells(TASK, 0, 0)
    assert not cells.known.any()
    listed = shortlist(cells, cells.classes_of(cells.train))
    assert (listed.precision, listed.recall) == (1.0, 1.0)


def test_lists_count_new_classes_once():
    cells = load_cells(TASK, 78, 0)
    top = np.flatnonzero(cells.top & ~cells.known)
    rest = np.flatnonzero(~cells.top & ~cells.known)
    known = np.flatnonzero(cells.known)
    listed = shortlist(cells, np.concatenate([top[:3], top[:3], rest[:1], known]))
    assert (listed.size, listed.precision) == (4, 0.75)
    assert listed.recall == pytest.approx(3 / len(top))
    nothing = shortlist(cells, known)
    assert (nothing.size, nothing.precision, nothing.recall) == (0, 0.0, 0.0)


def test_the_predictor_learns_from_the_same_labels():
    cells = load_cells(TASK, 78, 0)
    scores, seconds = predictor_scores(TASK, 78, 0, "gp")
    assert seconds > 0
    order = np.argsort(-scores)
    assert scores.shape == (cells.task.space.classes,)
    assert cells.top[order[:200]].mean() > 3 * cells.top.mean()


def test_other_spaces_are_refused():
    with pytest.raises(UsageError, match="nb201"):
        load_cells("nbgraph/cora", 20, 0)
