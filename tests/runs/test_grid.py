import random
from itertools import pairwise, product

import pytest

from nasrank.predictors.recipe import Recipe
from nasrank.predictors.specification import parse_predictor
from nasrank.runs.grid import cut, estimated_seconds, losses_for, work

RECIPE = Recipe()


@pytest.fixture(name="grid", scope="module")
def _grid(make_run):
    """Runs and the name of the set of architectures of each."""
    runs = [
        make_run(task=task, loss=loss, n_train=n, seed=seed, predictor=predictor)
        for task, predictor, loss, n, seed in product(
            ("a/x", "a/y", "b/x"), ("gnn", "mlp"), ("mse", "hr"), (39, 64, 78, 156), range(12)
        )
    ]
    return runs, [run.task.split("/")[0] for run in runs]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_every_run_is_in_one_fleet(grid, kind):
    runs, spaces = grid
    fleets = cut(runs, spaces, kind, RECIPE)
    together = [run for fleet in fleets for run in fleet]
    assert len(together) == len(runs)
    assert set(together) == set(runs)
    assert all(fleets)


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_a_fleet_has_one_predictor_one_space_and_one_number_of_steps(grid, kind):
    runs, spaces = grid
    space_of = dict(zip(runs, spaces, strict=True))
    for fleet in cut(runs, spaces, kind, RECIPE):
        assert len({run.predictor for run in fleet}) == 1
        assert len({space_of[run] for run in fleet}) == 1
        assert len({RECIPE.steps(run.n_train) for run in fleet}) == 1
    # 39 and 64 items are two lists each: what has the same steps may stand together.
    assert any(len({run.n_train for run in f}) > 1 for f in cut(runs, spaces, kind, RECIPE))


@pytest.mark.parametrize(("kind", "most"), [("cpu", 40), ("cuda", 512)])
def test_sizes_are_bounded_and_about_equal(grid, kind, most):
    runs, spaces = grid
    fleets = cut(runs, spaces, kind, RECIPE)
    sizes = {}
    for fleet in fleets:
        first = fleet[0]
        key = RECIPE.steps(first.n_train), first.predictor, first.task.split("/")[0]
        sizes.setdefault(key, []).append(len(fleet))
    for own in sizes.values():
        assert max(own) <= most
        assert max(own) - min(own) <= 1


@pytest.mark.parametrize(("kind", "seconds"), [("cpu", 60), ("cuda", 300)])
def test_no_fleet_takes_long(make_run, kind, seconds):
    runs = [make_run(n_train=2000, seed=seed) for seed in range(700)]
    for fleet in cut(runs, ["a"] * 700, kind, RECIPE):
        training = estimated_seconds(fleet, kind, RECIPE) - estimated_seconds(
            [make_run(n_train=0)] * len(fleet), kind, RECIPE
        )
        assert training <= seconds
        assert len(fleet) > 1


def test_a_run_too_long_for_any_fleet_is_alone(make_run):
    runs = [make_run(n_train=10**6, seed=seed) for seed in range(3)]
    assert [len(f) for f in cut(runs, ["a"] * 3, "cpu", RECIPE)] == [1, 1, 1]


def test_the_order_of_the_options_does_not_matter(grid):
    runs, spaces = grid
    both = list(zip(runs, spaces, strict=True))
    random.Random(0).shuffle(both)
    mixed = cut([run for run, _ in both], [space for _, space in both], "cpu", RECIPE)
    assert mixed == cut(runs, spaces, "cpu", RECIPE)


def test_small_ones_come_first(grid):
    steps = [RECIPE.steps(fleet[0].n_train) for fleet in cut(*grid, "cpu", RECIPE)]
    assert all(before <= after for before, after in pairwise(steps))


def test_nothing_is_cut_into_nothing():
    assert cut([], [], "cpu", RECIPE) == []
    assert estimated_seconds([], "cpu", RECIPE) == 0


def test_estimates_add_up_and_grow(make_run):
    small, large = make_run(n_train=78), make_run(n_train=156)
    one, two = (estimated_seconds([run], "cpu", RECIPE) for run in (small, large))
    assert 0 < one < two < 2 * one
    assert estimated_seconds([small, large, large], "cpu", RECIPE) == pytest.approx(one + 2 * two)
    assert estimated_seconds([small], "cuda", RECIPE) < one


def test_ensembles_cost_what_their_networks_cost(make_run):
    one, four = (
        estimated_seconds([make_run(predictor=name, n_train=1000)], "cpu", RECIPE)
        for name in ("gnn", "gnn(ensemble=4)")
    )
    score = estimated_seconds([make_run(n_train=0)], "cpu", RECIPE)
    assert four - score == pytest.approx(4 * (one - score), rel=1e-4)
    runs = [make_run(predictor="gnn(ensemble=8)", seed=seed) for seed in range(40)]
    # Forty networks at once are five members of eight.
    assert {len(fleet) for fleet in cut(runs, ["a"] * 40, "cpu", RECIPE)} == {5}


@pytest.mark.parametrize("name", ["gp", "ridge", "trees", "boosting"])
def test_what_has_no_networks_has_a_cost_of_its_own(make_run, name):
    small, large = (make_run(predictor=name, n_train=n) for n in (78, 1563))
    one, other = (estimated_seconds([run], "cpu", RECIPE) for run in (small, large))
    assert 0.1 < one < other < 60
    # Epochs are nothing to it.
    assert estimated_seconds([small], "cpu", Recipe(epochs=1)) == one
    assert len(cut([small] * 30, ["a"] * 30, "cpu", RECIPE)) == 1


def test_options_change_the_cost_of_trees(make_run):
    few, many = (make_run(predictor=f"trees(trees={count})") for count in (10, 10_000))
    assert estimated_seconds([few], "cpu", RECIPE) < estimated_seconds([many], "cpu", RECIPE)
    assert len(cut([many] * 40, ["a"] * 40, "cpu", RECIPE)) > 1


def test_a_predictor_with_a_loss_of_its_own_gets_no_other():
    losses = ["hr", "listmle"]
    assert losses_for(parse_predictor("gnn"), losses) == losses
    for name in ("gp", "trees", "boosting(ensemble=2)"):
        assert losses_for(parse_predictor(name), losses) == ["mse(targets=robust)"]


def test_work_is_steps_or_milliseconds(make_run):
    # 78 items are 3 lists, 60 epochs: 180 steps.
    assert work(make_run(n_train=78), RECIPE) == 180
    # 40 items are 2 lists: 120 steps more.
    assert work(make_run(n_train=78, loss="pw(hr,mape,40)"), RECIPE) == 180 + 120
    assert work(make_run(n_train=78, predictor="gnn(ensemble=3)"), RECIPE) == 3 * 180
    alone = make_run(n_train=78, predictor="trees")
    whole = 1000 * (
        estimated_seconds([alone], "cpu", RECIPE)
        - estimated_seconds([make_run(n_train=0)], "cpu", RECIPE)
    )
    assert work(alone, RECIPE) == pytest.approx(whole, abs=1)


def test_losses_on_one_training_set_share_a_fleet_where_there_is_no_network(make_run):
    losses = ("mse", "hr", "lr", "listmle", "warp", "ew")
    grid = {
        predictor: [
            make_run(loss=loss, n_train=78, seed=seed, predictor=predictor)
            for loss, seed in product(losses, range(30))
        ]
        for predictor in ("kernel", "gnn")
    }

    def fleets_of_a_draw(predictor):
        fleets = cut(grid[predictor], ["a"] * 180, "cpu", RECIPE)
        return [sum(any(run.seed == seed for run in f) for f in fleets) for seed in range(30)]

    # A kernel is found once for a training set of a fleet; networks of one loss are one product.
    assert sum(fleets_of_a_draw("kernel")) <= 30 + 5
    assert min(fleets_of_a_draw("gnn")) >= 3
