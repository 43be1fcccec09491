import numpy as np
import pytest

from nasrank.benchmarks.neighbours import Neighbourhood
from nasrank.graphs.settings import Setting, Settings
from nasrank.metrics import random_evaluations
from nasrank.questions.search.controls import CONTROLS, starting_order
from nasrank.questions.search.problem import problem_of

EVERY = pytest.mark.parametrize("name", CONTROLS)


@EVERY
def test_nothing_is_evaluated_twice(problem, name):
    for seed in range(5):
        order = CONTROLS[name](problem, seed, 10, 55).tolist()
        assert len(order) == len(set(order)) == 55


@EVERY
def test_budgets_are_nested(problem, name):
    short, long = (CONTROLS[name](problem, 3, 10, budget).tolist() for budget in (25, 55))
    assert long[:25] == short


@EVERY
def test_a_budget_beyond_the_space_ends_with_it(problem, name):
    order = CONTROLS[name](problem, 0, 10, 1000)
    assert sorted(order.tolist()) == list(range(len(problem)))


@pytest.mark.parametrize("name", [name for name in CONTROLS if name != "oracle"])
def test_all_methods_start_alike(problem, name):
    start = starting_order(problem, 7)[:10].tolist()
    assert CONTROLS[name](problem, 7, 10, 40)[:10].tolist() == start


def test_the_oracle_finds_the_best_at_once(problem):
    order = CONTROLS["oracle"](problem, 0, 10, 20)
    assert problem.labels[order[0]] == problem.best
    assert (np.diff(problem.labels[order]) <= 0).all()


def test_random_search_takes_what_the_formula_says(problem):
    # One best of 60: half of all searches have it by evaluation 30.
    median = random_evaluations(len(problem), 1, 0.5)
    assert median == 30
    hits = [
        int(np.argmax(problem.labels[CONTROLS["random"](problem, seed, 10, 60)] == problem.best))
        + 1
        for seed in range(2000)
    ]
    # The standard error of the share is sqrt(.25 / 2000) = .011.
    assert np.mean(np.array(hits) <= median) == pytest.approx(0.5, abs=0.04)


CODES = [f"{a}-{b}" for a in ("conv", "pool", "skip") for b in range(3)]


def test_neighbours_differ_in_one_token():
    near = Neighbourhood.of_texts(CODES)
    found = {CODES[place] for place in near.of(CODES.index("conv-1"))}
    assert found == {"pool-1", "skip-1", "conv-0", "conv-2"}


def test_digits_of_codes_are_tokens_and_those_of_numbers_are_not():
    codes = ["64-0_00_011", "64-0_00_111", "64-0_03_011", "64-1_03_011"]
    assert Neighbourhood.of_texts(codes).of(0).tolist() == [1, 2]
    numbers = ["8:16", "16:16", "8:24", "24:8"]
    assert Neighbourhood.of_texts(numbers).of(0).tolist() == [1, 2]


def test_an_architecture_without_neighbours_starts_again(make_task):
    # The toy's texts a0, a1, ... are one token each, so all are neighbours of all.
    task = make_task(classes=12, twins=1)
    assert len(Neighbourhood.of_texts(task.space.architectures).of(0)) == 11
    lonely = Neighbourhood.of_texts(["a b", "c d", "e f"])
    assert lonely.of(1).tolist() == []


def test_real_cells_have_24_neighbours(load):
    space = load("nb201/cifar10").space
    near = Neighbourhood.of_texts(space.architectures)
    # Six edges with four other operations each.
    assert {len(near.of(place)) for place in range(0, len(space), 3000)} == {24}


def test_mutations_help_where_neighbours_are_alike(load):
    problem = problem_of(load("nb201/cifar10"))
    best = {
        name: np.median(
            [problem.labels[CONTROLS[name](problem, seed, 10, 150)].max() for seed in range(20)]
        )
        for name in CONTROLS
    }
    assert best["oracle"] >= best["local"] > best["random"]
    assert best["evolution"] > best["random"]


def settings_on_a_grid():
    values = np.array([[lr, depth] for lr in (1e-3, 1e-2, 1e-1) for depth in range(1, 8)])
    return Settings((Setting("lr", "number", "log"), Setting("depth", "number")), values)


def test_neighbours_of_settings_differ_in_one_of_them():
    grid = settings_on_a_grid()
    near = Neighbourhood.of_settings(grid).of(0)
    # lr = 0.001, depth = 1: the six other depths, the two other rates, and no more than it takes.
    one_apart = np.flatnonzero((grid.values != grid.values[0]).sum(axis=1) == 1)
    assert len(one_apart) == 8
    assert {*one_apart.tolist()} < {*near.tolist()}


def test_settings_that_were_drawn_have_their_nearest_as_neighbours():
    rng = np.random.default_rng(0)
    values = np.stack([10 ** rng.uniform(-5, -1, 50), rng.uniform(0, 1, 50)], axis=1)
    columns = (Setting("lr", "number", "log"), Setting("dropout", "number"))
    near = Neighbourhood.of_settings(Settings(columns, values)).of(7)
    scaled = np.stack([np.log(values[:, 0]), values[:, 1]], axis=1)
    scaled = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0)
    away = ((scaled - scaled[7]) ** 2).sum(axis=1)
    assert sorted(near.tolist()) == sorted(np.argsort(away)[1:11].tolist())
