import numpy as np
import pytest

from nasrank.benchmarks import load_task
from nasrank.benchmarks.splits import make_split
from nasrank.losses import parse
from nasrank.predictors.fleet import Member
from nasrank.predictors.gnn import GNN

LOSSES = ("mse", "hr", "listmle", "ew")


@pytest.fixture(scope="session")
def task():
    return load_task("nb201/cifar10")


@pytest.fixture(scope="session")
def network(task):
    return GNN(task.space.graphs)


@pytest.fixture(scope="session")
def members(task):
    """Forty predictors of ten seeds and four losses."""
    splits = [make_split(task, 156, seed) for seed in range(10)]
    return [
        Member(task.space.class_of[split.train], split.targets, parse(loss), seed)
        for loss in LOSSES
        for seed, split in enumerate(splits)
    ]


@pytest.fixture(scope="session")
def steps(task):
    """The batches of eight steps of a fleet: 40 lists of 32 graphs each."""
    rng = np.random.default_rng(0)
    return rng.integers(0, task.space.classes, (8, 40, 32))
