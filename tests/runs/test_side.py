import numpy as np
import pytest
import torch

from nasrank.errors import UsageError
from nasrank.losses import parse
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.mlp import MLP
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.questions.compare.options import CompareConfig
from nasrank.runs.side import network_of, train_with_side
from nasrank.runs.tabulate import run_tables
from nasrank.study.conduct import conduct

TASK = "nb201/cifar10"
SHORT = Recipe(epochs=3)


def taus(rows):
    return [row["kendall_tau"] for row in rows]


def nothing(embeddings, _targets, _where, _items):
    return embeddings.sum(dim=(1, 2)) * 0


def test_without_anything_beside_it_is_the_predictor_of_compare(tmp_path):
    config = CompareConfig(tasks=(TASK,), losses=("listmle",), n_train=(24,), seeds=2)
    compared = conduct(config, tmp_path).tables["runs"]
    ours = train_with_side(TASK, "gnn", 24, [0, 1])
    assert taus(ours) == pytest.approx(taus(compared), abs=1e-6)
    assert [row["run_id"] for row in ours] == [row["run_id"] for row in compared]
    made = run_tables(ours, budget=False)
    assert [table.name for table in made] == ["runs", "discovery", "summary"]
    assert all(table.build(rows).num_rows for table, rows in made.items())


def test_a_side_loss_of_zero_changes_nothing():
    plain = train_with_side(TASK, "a", 16, [0, 1], recipe=SHORT)
    beside = train_with_side(TASK, "b", 16, [0, 1], recipe=SHORT, side=nothing)
    assert taus(beside) == pytest.approx(taus(plain), abs=1e-6)
    assert {row["predictor"] for row in beside} == {"b"}


def test_a_side_loss_sees_the_embeddings_and_labels_of_each_member():
    seen = []

    def side(embeddings, targets, where, items):
        seen.append((targets.clone(), where.clone(), items.clone()))
        assert embeddings.shape[:2] == targets.shape == where.shape == items.shape
        return (embeddings.square().mean(-1) * where).sum(1)

    rows = train_with_side(TASK, "small", 40, [3, 4, 5], recipe=SHORT, side=side)
    assert len(seen) == SHORT.steps(40)
    # Two lists of twenty an epoch: each training architecture once.
    for member in range(3):
        first = [s[2][member][s[1][member]] for s in seen[:2]]
        assert len(set(torch.cat(first).tolist())) == 40
    value = {}
    for targets, where, items in seen:
        for label, item in zip(targets[0][where[0]], items[0][where[0]], strict=True):
            assert value.setdefault(int(item), float(label)) == float(label)
    assert np.isfinite(taus(rows)).all()


def test_a_strong_side_loss_has_its_way():
    def shrink(embeddings, _targets, where, _items):
        return 1e4 * (embeddings.square().mean(-1) * where).sum(1)

    network = network_of(TASK, "cpu")
    items = np.arange(24)
    member = Member(items, np.linspace(80, 90, 24), parse("mse"), 0)
    (batch,) = network.batches(items[None, None])
    size = [
        float(network.embed(train_fleet(network, [member], side=side).weights, batch).norm())
        for side in (None, shrink)
    ]
    assert size[1] < size[0] / 3


def test_a_network_without_embeddings_has_no_side():
    network = MLP(network_of(TASK, "cpu").graphs)
    with pytest.raises(TypeError, match="MLP has no embeddings"):
        train_fleet(network, [], side=nothing)


def test_sizes_that_do_not_fit():
    with pytest.raises(UsageError, match=r"n_train|--n-train"):
        train_with_side(TASK, "a", 100_000, [0])
