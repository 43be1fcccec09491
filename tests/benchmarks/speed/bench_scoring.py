"""Scoring all of NAS-Bench-201: each class once, then spread to all 15,625 cells."""

import pytest

from nasrank.metrics import kendall_tau
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.recipe import Recipe


@pytest.mark.parametrize("count", [1, 40])
def test_score_the_space(benchmark, network, members, task, count):
    fleet = train_fleet(network, members[:count], Recipe(epochs=1))
    benchmark.extra_info["architectures"] = count * len(task)
    scores = benchmark(lambda: fleet.scores()[:, task.space.class_of])
    assert scores.shape == (count, len(task))


def test_kendall_tau_of_the_space(benchmark, task):
    benchmark(kendall_tau, task.values[:, 0], task.values[:, 1])
