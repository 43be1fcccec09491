"""What an evaluation is, and what it tells: texts or classes, one training or the mean of all."""

from dataclasses import replace

import numpy as np
import pytest

from nasrank.errors import UsageError
from nasrank.questions.search.controls import CONTROLS, starting_order
from nasrank.questions.search.guided import candidates_of, run_control, search_fleet
from nasrank.questions.search.identity import SearchRun
from nasrank.questions.search.options import SearchConfig
from nasrank.questions.search.plan import plan_searches
from nasrank.questions.search.problem import PROTOCOLS, problem_of
from nasrank.questions.search.study import SEARCHES
from nasrank.questions.search.tables import search_rows
from nasrank.study.conduct import conduct

TEXTS = ("strings", "unique-strings")


@pytest.fixture
def task(make_task):
    return make_task(classes=40, twins=3, replicates=3, cost=np.full(120, 1800.0))


def of(task, protocol="classes"):
    return problem_of(task, protocol=protocol)


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", TEXTS)
def test_a_text_is_worth_the_mean_of_its_own_trainings(task, protocol):
    problem = of(task, protocol)
    assert len(problem) == 120
    assert problem.labels.tolist() == pytest.approx(task.values.mean(axis=1).tolist())
    assert problem.classes.tolist() == task.space.class_of.tolist()
    assert problem.best == pytest.approx(task.labels.max())
    assert problem.tolerance is not None


@pytest.mark.parametrize("name", CONTROLS)
def test_of_unique_texts_one_of_each_class_is_evaluated(task, name):
    problem = of(task, "unique-strings")
    for seed in range(4):
        order = CONTROLS[name](problem, seed, 10, 1000)
        classes = problem.classes[order].tolist()
        assert len(classes) == len(set(classes)) == 40
    twins = of(task, "strings")
    assert len(set(CONTROLS[name](twins, 0, 10, 1000).tolist())) == 120


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_guided_searches_keep_to_the_protocol(task, knowing, make_search, protocol):
    problem = of(task, protocol)
    run = make_search(protocol=None if protocol == "classes" else protocol, budget=30)
    (found,) = search_fleet(problem, knowing(problem, 60.0), [run])
    classes = problem.classes[found.order].tolist()
    assert len(set(found.order)) == len(found.order)
    if protocol != "strings":
        assert len(set(classes)) == len(classes)
    assert found.order[:5] == starting_order(problem, 0)[:5].tolist()


def test_twins_are_evaluated_where_texts_count(task, knowing, make_search):
    problem = of(task, "strings")
    run = make_search(protocol="strings", budget=60)
    (found,) = search_fleet(problem, knowing(problem, 60.0), [run])
    classes = problem.classes[found.order].tolist()
    assert len(set(classes)) < len(classes)
    pool = candidates_of(found, 1)
    assert set(problem.classes[pool]) & set(classes)


def test_random_search_over_texts_takes_what_the_formula_says(task):
    problem = of(task, "strings")
    hits = [
        1 + int(np.argmax(problem.labels[CONTROLS["random"](problem, s, 10, 120)] == problem.best))
        for s in range(1000)
    ]
    # One best of 120: half of all searches have it by 60.
    assert np.mean(np.array(hits) <= 60) == pytest.approx(0.5, abs=0.06)


def test_equal_optima_are_both_hits(make_task):
    values = 50.0 + np.arange(40)[:, None] / 10
    values[7] = values[31] = 94.3733
    # A mean of three labels has other last digits than that of one.
    values[7] += 1e-13
    problem = problem_of(make_task(values, classes=40, twins=1))
    best = np.flatnonzero(problem.labels == problem.best)
    assert {int(problem.architecture[place]) for place in best} == {7, 31}
    assert (problem.ranks()[best] == 1).all()


# --- one training -------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_evaluation_tells_one_training_of_one_architecture(task, protocol):
    problem = of(task, protocol)
    seen = problem.seen_by(3)
    assert seen.labels.tolist() == problem.seen_by(3).labels.tolist()
    assert seen.labels.tolist() != problem.seen_by(4).labels.tolist()
    for place, told in enumerate(seen.labels.tolist()):
        members = task.space.class_of == problem.classes[place]
        if protocol != "classes":
            members = np.arange(120) == problem.architecture[place]
        assert told in task.values[members]


def test_every_training_is_as_likely(task):
    problem = of(task)
    members = np.flatnonzero(task.space.class_of == problem.classes[0])
    values = task.values[members].ravel()
    told = np.array([problem.seen_by(seed).labels[0] for seed in range(1800)])
    counts = [(told == value).sum() for value in values]
    # 200 each, with a deviation of 13.
    assert min(counts) > 140
    assert max(counts) < 260


def test_lower_is_better_is_turned_for_one_training_too(make_task):
    problem = problem_of(make_task(classes=10, twins=1, replicates=2, higher_is_better=False))
    assert np.all(problem.seen_by(0).labels < 0)
    assert np.corrcoef(problem.seen_by(0).labels, problem.labels)[0, 1] > 0.9


def noisy(make_task):
    """Ten architectures, the best of which looks worse than the next in some trainings."""
    rows = np.full((10, 2), 50.0) + np.arange(10)[:, None]
    rows[9], rows[8] = [80.0, 70.0], [76.0, 72.0]
    return problem_of(make_task(rows, classes=10, twins=1))


def test_in_hand_is_what_looked_best_and_it_is_judged_by_its_mean(make_task, make_search):
    problem = noisy(make_task)
    for seed in range(20):
        run = make_search(labels="single", control="random", budget=10, seed=seed, predictor=None)
        found = run_control(problem, CONTROLS["random"], run)
        # It cannot know the best, so it goes on to the end.
        assert len(found.order) == 10
        last = search_rows(problem, found)[-1]
        looked = found.seen.labels
        assert last["regret"] == pytest.approx(
            problem.best - problem.labels[int(np.argmax(looked))]
        )
        fooled = looked[9] < looked[8]
        assert (last["rank"], last["regret"]) == ((2, 1.0) if fooled else (1, 0.0))


def test_the_oracle_is_not_fooled(make_task, make_search):
    problem = noisy(make_task)
    for seed in range(10):
        run = make_search(labels="single", control="oracle", budget=5, seed=seed, predictor=None)
        found = run_control(problem, CONTROLS["oracle"], run)
        assert problem.labels[found.order[0]] == problem.best


def test_a_predictor_learns_what_was_told(task, knowing, make_search):
    problem, run = of(task), make_search(labels="single", budget=12)
    predictor = knowing(problem, 60.0)
    (found,) = search_fleet(problem, predictor, [run])
    seen = problem.seen_by(0)
    for members in predictor.fits:
        size = len(members[0].targets)
        assert members[0].targets.tolist() == seen.labels[found.order[:size]].tolist()
    assert len(found.order) == 12


# --- as a study ---------------------------------------------------------------------------------


def test_searches_of_before_keep_their_identity():
    usual = {"task": "toy/x", "fingerprint": "f", "initial": 5, "budget": 20, "seed": 0}
    plain = SearchRun(**usual, control="random")
    assert plain.run_id == "06b2328139bf0771"
    others = [replace(plain, labels="single"), replace(plain, protocol="strings")]
    assert len({run.run_id for run in (plain, *others)}) == 3


def test_options_reach_the_searches(toy):
    small = {"tasks": ("toy/x",), "seeds": 2, "initial": 5, "budget": 20}
    runs = plan_searches(SearchConfig(**small, labels="single", protocol="strings"))
    assert {(run.labels, run.protocol) for run in runs} == {("single", "strings")}
    assert {(run.labels, run.protocol) for run in plan_searches(SearchConfig(**small))} == {
        (None, None)
    }


def test_single_trainings_need_several(make_task, monkeypatch):
    from nasrank.questions.search import plan as plan_module

    alone = problem_of(make_task(classes=20, twins=1))
    monkeypatch.setattr(plan_module, "load_problem", lambda name, *_: alone)
    monkeypatch.setattr(plan_module, "parse_task", lambda name: name)
    config = SearchConfig(tasks=("toy/x",), labels="single", initial=5, budget=10)
    with pytest.raises(UsageError, match="--labels single needs several trainings"):
        plan_searches(config)


def test_what_is_shown_says_what_was_counted(toy, tmp_path):
    small = {"tasks": ("toy/x",), "seeds": 3, "initial": 5, "budget": 20}
    result = conduct(SearchConfig(**small, labels="single", within=0.5), tmp_path)
    sheet, chart, words = SEARCHES.view(result)
    assert sheet.title.endswith("3 a round, one training each")
    assert "In hand is what looked best" in words
    headings = [field.heading for field in sheet.fields]
    assert headings.index("within noise\nof the best") < headings.index("regret\nat 20")
    assert headings.index("regret\nat 20") < headings.index("evaluations\nto within 0.5")
    assert chart.title.startswith("toy/x: evaluations to within noise of the best")
    named = [row for row in sheet.rows if row["method"] != "oracle"]
    assert [bar.value for bar in chart.bars] == [r["evaluations_to_noise"] for r in named]
    assert chart.most == 20


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_built_in_cells_under_every_protocol(load, protocol):
    problem = problem_of(load("nb201/cifar10"), protocol=protocol)
    assert len(problem) == (5425 if protocol == "classes" else 15625)
    # The best cells are alone in their classes, so it is the same one.
    best = problem.architecture[problem.labels == problem.best]
    assert best.tolist() == [6111]
    seen = problem.seen_by(0).labels
    assert 0.9 < np.corrcoef(seen, problem.labels)[0, 1] < 1
