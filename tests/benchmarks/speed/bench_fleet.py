"""Training: a fleet, the same predictors one after another, and what a step is made of."""

import pytest
import torch

from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.recipe import Recipe
from nasrank.questions.bench.matrix_rate import products_of, replay
from nasrank.seeds import torch_generator

EPOCHS = Recipe(epochs=4)


@pytest.mark.benchmark(group="20 steps of 40 predictors")
def test_fleet(benchmark, network, members):
    benchmark.pedantic(train_fleet, (network, members, EPOCHS), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="20 steps of 40 predictors")
def test_one_after_another(benchmark, network, members):
    def train():
        for member in members:
            train_fleet(network, [member], EPOCHS)

    benchmark.pedantic(train, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="20 steps of 40 predictors")
def test_matrix_products_of_the_fleet_alone(benchmark, network, members):
    products = products_of(lambda: train_fleet(network, members, EPOCHS))
    benchmark(replay(products, network.device, network.dtype))


@pytest.fixture(scope="module")
def weights(network):
    start = network.initial([torch_generator(seed, stream="initialisation") for seed in range(40)])
    return {name: weight.requires_grad_() for name, weight in start.items()}


@pytest.mark.benchmark(group="one step of 40 predictors")
def test_forward(benchmark, network, weights, steps):
    batch = next(iter(network.batches(steps[:1])))
    with torch.no_grad():
        benchmark(network.forward, weights, batch)


@pytest.mark.benchmark(group="one step of 40 predictors")
def test_forward_and_backward(benchmark, network, weights, steps):
    batch = next(iter(network.batches(steps[:1])))
    benchmark(lambda: network.forward(weights, batch).sum().backward())
