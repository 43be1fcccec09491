import numpy as np
import pytest

from nasrank.predictors.specification import make_predictor
from nasrank.questions.search.controls import starting_order
from nasrank.questions.search.guided import candidates_of, run_control, search_fleet
from nasrank.questions.search.problem import problem_of


def run_one(problem, knowing, run, noise=1.0):
    predictor = knowing(problem, noise)
    (found,) = search_fleet(problem, predictor, [run])
    return found, predictor


def test_nothing_is_evaluated_twice_and_the_start_is_shared(problem, knowing, make_search):
    runs = [make_search(seed=seed) for seed in range(6)]
    for found in search_fleet(problem, knowing(problem, 30.0), runs):
        assert len(set(found.order)) == len(found.order) <= 30
        start = starting_order(problem, found.run.seed)[:5].tolist()
        assert found.order[:5] == start[: len(found.order)]


def test_a_predictor_that_knows_needs_one_round(problem, knowing, make_search):
    found, predictor = run_one(problem, knowing, make_search(), noise=0.0)
    assert problem.labels[found.order[-1]] == problem.best
    assert (len(found.order), len(predictor.fits)) == (6, 1)
    assert found.rounds == [0] * 5 + [1]
    assert len(found.seconds) == 2


def test_budgets_are_nested(problem, knowing, make_search):
    short, _ = run_one(problem, knowing, make_search(budget=14), noise=50.0)
    long, _ = run_one(problem, knowing, make_search(budget=29), noise=50.0)
    assert long.order[:14] == short.order
    assert len(long.order) > 14


@pytest.mark.parametrize("acquisition", ["greedy", "ucb", "ei", "thompson"])
def test_a_search_alone_is_that_of_the_fleet(problem, knowing, make_search, acquisition):
    runs = [make_search(seed=seed, acquisition=acquisition) for seed in range(5)]
    together = search_fleet(problem, knowing(problem, 4.0), runs)
    for run, found in zip(runs, together, strict=True):
        (alone,) = search_fleet(problem, knowing(problem, 4.0), [run])
        assert (alone.order, alone.rounds) == (found.order, found.rounds)


@pytest.mark.parametrize(
    "predictor", ["gp", pytest.param("gnn(ensemble=2)", marks=pytest.mark.slow)]
)
def test_real_predictors_too(problem, make_search, predictor):
    runs = [make_search(seed=seed, predictor=predictor, budget=8) for seed in range(2)]
    made = make_predictor(predictor, problem.task.space.graphs)
    together = search_fleet(problem, made, runs)
    for run, found in zip(runs, together, strict=True):
        (alone,) = search_fleet(problem, made, [run])
        assert alone.order == found.order


def test_each_round_learns_from_everything_evaluated(problem, knowing, make_search):
    found, predictor = run_one(problem, knowing, make_search(budget=12), noise=60.0)
    sizes = [len(members[0].items) for members in predictor.fits]
    assert sizes == [5, 8, 11]
    for members, size in zip(predictor.fits, sizes, strict=True):
        assert members[0].items.tolist() == problem.classes[found.order[:size]].tolist()
        assert members[0].targets.tolist() == problem.labels[found.order[:size]].tolist()
    # New weights every round.
    assert len({members[0].seed for members in predictor.fits}) == 3


def test_a_piecewise_loss_switches_by_what_is_evaluated(problem, knowing, make_search):
    _, predictor = run_one(
        problem, knowing, make_search(loss="pw(hr,mape,8)", budget=14), noise=60.0
    )
    losses = {len(members[0].items): str(members[0].loss) for members in predictor.fits}
    assert losses == {5: "hr", 8: "hr", 11: "mape"}


def test_labels_all_alike_leave_it_to_chance(make_task, knowing, make_search):
    labels = np.full((120, 1), 10.0)
    labels[77] = 90.0
    problem = problem_of(make_task(labels))
    start = starting_order(problem, 1)[:5]
    assert len(set(problem.labels[start].tolist())) == 1
    found, predictor = run_one(problem, knowing, make_search(seed=1, budget=59), noise=0.0)
    assert len(set(found.order)) == len(found.order)
    assert all(len(set(m[0].targets.tolist())) > 1 for m in predictor.fits)


def test_mutations_are_neighbours_and_strangers(load, make_search, knowing):
    problem = problem_of(load("nb201/cifar10"))
    found = run_control(problem, lambda p, *_: starting_order(p, 0)[:10], make_search())
    found.run = make_search(candidates="mutations")
    pool = candidates_of(found, 1)
    assert not set(pool.tolist()) & set(found.order)
    # Ten parents of 24 neighbours each at most, and 100 others.
    assert 100 <= len(pool) <= 340
    assert candidates_of(found, 1).tolist() == pool.tolist()
    assert candidates_of(found, 2).tolist() != pool.tolist()


def test_progress_adds_up_to_all_budgets(problem, knowing, make_search):
    told = []
    runs = [make_search(seed=seed) for seed in range(4)]
    search_fleet(problem, knowing(problem, 5.0), runs, on_evaluated=told.append)
    assert sum(told) == 4 * 30
    assert min(told) >= 0
