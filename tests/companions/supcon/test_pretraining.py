from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.benchmarks.neighbours import neighbourhood_of
from nasrank.companions.supcon import pretraining
from nasrank.companions.supcon.archs_claims import archs_claims
from nasrank.companions.supcon.options import TrainConfig
from nasrank.companions.supcon.pretraining import Contrast, contrast_cells
from nasrank.companions.supcon.study import train_study
from nasrank.companions.supcon.tables import ARCHITECTURES
from nasrank.companions.tiers import tiers_of
from nasrank.errors import UsageError
from nasrank.losses import parse
from nasrank.predictors.gnn import GNN
from nasrank.predictors.predictor import Member
from nasrank.study.conduct import conduct
from nasrank.study.options import checked
from nasrank.tables import read_parquet

HOW = Contrast(3, 4, 2, 0.5, 0.0, "included", 40)
TASK = "archs:nb201/cifar10"


def plan(**settings):
    config = checked(TrainConfig, {"data": TASK, **settings})
    return train_study(config).runs.plan(config)


@pytest.fixture
def task(load):
    return load("nb201/cifar10")


@pytest.fixture
def members(task):
    draw = np.random.default_rng(0)
    return [
        Member(items, task.oriented_labels[task.space.first_of_class[items]], parse("listmle"), s)
        for s, items in enumerate(draw.permutation(task.space.classes)[:60].reshape(2, 30))
    ]


def test_tiers_are_of_equal_size():
    targets = np.array([5.0, 1, 2, 8, 7, 3])
    assert tiers_of(torch.as_tensor(targets), 3).tolist() == [1, 0, 0, 2, 2, 1]
    assert tiers_of(torch.zeros(4), 2).tolist() == [0, 0, 1, 1]
    assert torch.bincount(tiers_of(torch.arange(7.0), 3)).tolist() == [3, 2, 2]


def test_views_are_the_cell_and_its_neighbours(task, members):
    space = task.space
    near = pretraining._neighbours(members, space)
    member = members[0]
    tiers = tiers_of(torch.from_numpy(member.targets), 3).numpy()
    items, instances = pretraining._draw(
        tiers, member.items, near, np.random.default_rng(0), replace(HOW, views=3)
    )
    assert len(items) == 3 * 4 * 3
    # Tier by tier, cell by cell, the cell first.
    assert tiers[instances].tolist() == np.repeat([0, 1, 2], 12).tolist()
    assert items[::3].tolist() == member.items[instances[::3]].tolist()
    around = neighbourhood_of(space)
    for place in (1, 2, 19):
        cell = space.first_of_class[member.items[instances[place]]]
        assert items[place] in space.class_of[around.of(int(cell))]
        assert items[place] != member.items[instances[place]]


def test_alpha_spreads_the_tiers(task, members):
    network = GNN(task.space.graphs)
    collapsed, spread = (
        contrast_cells(network, members, task.space, replace(HOW, alpha=alpha))
        for alpha in (0.0, 1.0)
    )
    assert (collapsed.within < spread.within - 0.2).all()
    assert (spread.total > 0.8).all()
    assert not collapsed.degenerate.any()
    names = set(collapsed.weights)
    assert "operation" in names
    # Its scoring layers start afresh.
    assert not {name for name in names if name.startswith(("hidden", "score", "head"))}
    for weight in collapsed.weights.values():
        assert weight.shape[0] == 2
        assert not weight.requires_grad


def test_members_are_as_alone(task, members):
    network = GNN(task.space.graphs, dtype=torch.float64)
    together = contrast_cells(network, members, task.space, replace(HOW, steps=10))
    alone = contrast_cells(network, members[1:], task.space, replace(HOW, steps=10))
    assert together.within[1] == pytest.approx(alone.within[0], rel=1e-6)
    assert together.loss[1] == pytest.approx(alone.loss[0], rel=1e-6)


def test_no_step_is_the_usual_start(task, members, monkeypatch):
    from nasrank.seeds import torch_generator

    monkeypatch.setattr(pretraining, "_RATE", 0.0)
    network = GNN(task.space.graphs)
    found = contrast_cells(network, members, task.space, replace(HOW, steps=10))
    usual = network.initial([torch_generator(m.seed, stream="initialisation") for m in members])
    for name, weight in found.weights.items():
        assert torch.equal(weight, usual[name])


def test_the_plan(load):
    fleets = plan(
        alphas=(0.0, 0.5), varied_alphas=(0.5,), temperatures=(0.5, 0.1), n_train=(20, 30), seeds=2
    ).fleets
    # Nothing, two alphas, one further temperature; two sizes; two seeds in each fleet.
    assert [len(fleet) for fleet in fleets] == [2] * 8
    assert fleets[0][0].method == "gnn"
    assert fleets[3][0].contrast == Contrast(3, 8, 2, 0.1, 0.5, "included", 150)
    assert len({run.run_id for fleet in fleets for run in fleet}) == 16


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"alphas": (2.0,)}, "--alphas 2"),
        ({"temperatures": (-1.0,)}, "--temperatures -1"),
        ({"classes": (1,)}, "classes 1"),
        ({"instances": (5000,)}, "30,000 cells"),
        ({"instances": (1,)}, "--instances 1"),
        ({"classes": (30,), "n_train": (20,)}, "--classes 30"),
        ({"n_train": (99_999,)}, "99,?999"),
        ({"loss": "mess"}, "unknown loss"),
        ({"data": "archs:nb202/x"}, "unknown space"),
    ],
)
def test_what_is_invalid(load, changes, text):
    with pytest.raises(UsageError, match=text):
        plan(**changes)


@pytest.mark.slow
def test_trained_and_written(load, tmp_path):
    config = TrainConfig(data=TASK, alphas=(0.0, 0.8), n_train=(20,), seeds=2, steps=10)
    first = conduct(config, tmp_path)
    assert first.computed == 6
    plain = [row for row in first.rows if row["method"] == "gnn"]
    assert [row["alpha"] for row in plain] == [None, None]
    assert conduct(config, tmp_path).rows == first.rows
    assert ARCHITECTURES.read(tmp_path / "archs.parquet") == first.rows
    runs = read_parquet(tmp_path / "runs.parquet").to_pylist()
    assert [row["run_id"] for row in runs] == [row["run_id"] for row in first.rows]
    assert (tmp_path / "discovery.parquet").exists()


def make_rows(gain=0.05, harm=0.05, seeds=5):
    rows = []
    for seed in range(seeds):
        usual = {"data": "archs:x", "n_train": 39, "seed": seed, "temperature": None,
                 "anchor": None, "tiers": None, "instances": None, "alpha_star": None,
                 "projector_within": None, "first_hit_0.1pct": 50}  # fmt: skip
        rows.append(usual | {"alpha": None, "kendall_tau": 0.6 + seed / 100})
        at = {"temperature": 0.5, "anchor": "included", "tiers": 3, "instances": 8,
              "alpha_star": 0.2}  # fmt: skip
        for alpha, more in ((0.0, gain - harm), (0.5, gain), (1.0, gain - 0.01)):
            tau = 0.6 + more + seed / 100 + alpha * seed / 1e4
            rows.append(
                usual | at
                | {"alpha": alpha, "kendall_tau": tau, "projector_within": alpha,
                   "first_hit_0.1pct": 20 if gain > 0 else 90}
            )  # fmt: skip
    return rows


def test_claims():
    held = archs_claims(make_rows())
    assert {row["verdict"] for row in held} == {"holds"}
    assert len(held) == 5
    failed = {row["claim_id"]: row["verdict"] for row in archs_claims(make_rows(-0.05, -0.02))}
    assert failed["pre-training-raises-tau"] == "fails"
    assert failed["pre-training-saves-evaluations"] == "fails"
    assert failed["collapse-lowers-tau"] == "fails"
    assert archs_claims(make_rows()[:1]) == []
