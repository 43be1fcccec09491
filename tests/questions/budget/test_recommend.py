"""Advice from stored runs: cells, likeness, regret by hand, and its own test."""

import json

import numpy as np
import pytest

from nasrank.errors import NothingToCompare, UsageError
from nasrank.questions.budget.cells import GOALS, Cell, cells_of, likeness
from nasrank.questions.budget.options import RecommendConfig
from nasrank.questions.budget.stored import load_results
from nasrank.questions.budget.tables import HOLDOUT, RECOMMENDATION, RULES
from nasrank.study.conduct import conduct
from nasrank.study.options import checked

NOISES = {"listmle": 0.2, "hr": 0.3, "mse": 2.0}


@pytest.fixture(scope="module")
def folder(write_results, tmp_path_factory):
    place = tmp_path_factory.mktemp("advice")
    write_results(place, tasks=("toy/a", "toy/b", "other/c"), noises=NOISES, seeds=6)
    return place


@pytest.fixture(scope="module")
def results(folder):
    return load_results([folder])


@pytest.fixture
def recommend(tmp_path):
    def make(*folders, **options):
        settings = {"results": folders, **options}
        return conduct(checked(RecommendConfig, settings), tmp_path / "out")

    return make


def cell(values, **changes):
    usual = {
        "task": "toy/a", "n_train": 40, "space_size": 1000, "replicate_tau": 0.9,
        "losses": ("a", "b"), "sign": 1.0,
    }  # fmt: skip
    return Cell(**{**usual, **changes}, values=np.array(values, float))


def test_regret_by_hand():
    # Means of the others, seed by seed: a 2.5 2 1.5, b 3.5 2.5 2; b is always to beat.
    a, b = [1, 2, 3], [1, 3, 4]
    found = cell([a, b])
    assert found.best == "b"
    assert found.regret.tolist() == [[0, 1, 1], [0, 0, 0]]
    assert found.cost("a") == pytest.approx(2 / 3)
    # One outlier makes b the best of all, but not on the seed that is the outlier.
    turned = cell([[1, 1, 1], [0, 0, 9]])
    assert turned.best == "b"
    # others: a 1 1 1, b 4.5 4.5 0; the one to beat is b, b, a
    assert turned.regret.tolist() == [[-1, -1, 0], [0, 0, -8]]


def test_missing_seeds_and_one_seed():
    holes = cell([[1, 2, np.nan], [2, 3, 4]])
    assert np.isnan(holes.regret[0, 2])
    assert holes.cost("a") == 1
    alone = cell([[1.0], [3.0]])
    assert alone.regret.tolist() == [[2.0], [0.0]]


def test_likeness():
    cells = [cell([[1], [1]], n_train=n) for n in (20, 40, 80)]
    weights = likeness(cells, 40)
    # distances 1, 0, 1 in doublings
    near = np.exp(-0.5)
    assert weights == pytest.approx(np.array([near, 1, near]) / (1 + 2 * near))
    sizes = [cell([[1], [1]], space_size=size) for size in (1000, 10_000)]
    assert likeness(sizes, 40) == pytest.approx([0.5, 0.5])
    assert likeness(sizes, 40, space_size=1000) == pytest.approx(np.array([1, near]) / (1 + near))
    noisy = [cell([[1], [1]], replicate_tau=tau) for tau in (0.9, 0.85, None)]
    assert likeness(noisy, 40, replicate_tau=0.9) == pytest.approx(
        np.array([1, near, near]) / (1 + 2 * near)
    )
    # Far from everything the nearest still counts.
    far = likeness(cells, 10**6)
    assert far.sum() == pytest.approx(1)
    assert far[2] > far[1] > far[0]


def test_cells_hold_the_measure(results):
    for goal in GOALS.values():
        notes = []
        cells = cells_of(results, goal, None, None, notes)
        assert len(cells) == 3 * 2
        assert notes == []
        assert cells[0].losses == tuple(NOISES)
        assert cells[0].values.shape == (3, 6)
    regret = cells_of(results, GOALS["value"], None, None, [])[0]
    runs = results.runs
    own = runs[(runs["task"] == "toy/a") & (runs["n_train"] == 20) & (runs["loss"] == "hr")]
    assert regret.values[1].tolist() == (-own["regret_at_10"]).tolist()


@pytest.mark.parametrize("goal", GOALS)
def test_the_best_loss_is_recommended(recommend, folder, goal):
    advice = recommend(folder, goal=goal)
    assert len(advice.rows) == 2 * 3
    for row in advice.rows:
        assert row["cells"] == 6
        assert 0 <= row["best"] <= row["as_good"] <= 6
        assert row["cost_lower"] <= row["cost"] <= row["cost_upper"]
    places = [row["place"] for row in advice.rows]
    assert places == [1, 2, 3] * 2
    assert {row["loss"] for row in advice.rows if row["place"] == 1} <= {"listmle", "hr"}
    assert {row["loss"] for row in advice.rows if row["place"] == 3} == {"mse"}
    assert sum(row["best"] for row in advice.rows[:3]) == 6


def test_its_own_test_leaves_spaces_out(recommend, folder):
    advice = recommend(folder, goal="order")
    assert advice.record["holdout_left_out"] == "space"
    assert {row["left_out"] for row in advice.tables["holdout"]} == {"toy", "other"}
    rules = {row["rule"]: row for row in advice.tables["rules"]}
    assert set(rules) == {"recommend", "best-on-average", "listmle", "any-loss"}
    # In these tables tau is 1 / (1 + noise) on every run, so listmle is always the best.
    assert rules["recommend"]["best"] == rules["recommend"]["as_good"] == 1
    assert rules["recommend"]["cost"] == pytest.approx(0)
    assert rules["any-loss"]["best"] == pytest.approx(1 / 3)
    each = [1 / 1.2 - 1 / (1 + noise) for noise in NOISES.values()]
    assert rules["any-loss"]["cost"] == pytest.approx(sum(each) / 3)
    assert rules["any-loss"]["cost_worst"] == pytest.approx(sum(each) / 3)


def test_one_space_leaves_tasks_out_and_one_task_nothing(recommend, folder):
    tasks = recommend(folder, tasks=("toy/a", "toy/b"))
    assert tasks.record["holdout_left_out"] == "task"
    alone = recommend(folder, tasks=("toy/a",))
    assert alone.tables["holdout"] == alone.tables["rules"] == []
    assert any("cannot be measured" in note for note in alone.notes)


def test_what_the_tables_cannot_say(recommend, folder):
    value = recommend(folder, goal="value")
    assert any("no table measures the error of predicted values" in note for note in value.notes)
    notes = recommend(folder, n_train=(5, 30), space_size=10, replicate_tau=0.5).notes
    assert any(note.startswith("n 5: ") for note in notes)
    assert not any(note.startswith("n 30") for note in notes)
    assert any("--space-size has no effect" in note for note in notes)
    assert any("--replicate-tau has no effect" in note for note in notes)


def test_losses_that_are_not_everywhere(recommend, folder, write_results, tmp_path):
    write_results(tmp_path, tasks=("more/d",), noises={"listmle": 0.2, "mse": 1.0}, seeds=2)
    advice = recommend(folder, tmp_path)
    assert {row["loss"] for row in advice.rows} == {"listmle", "mse"}
    assert any(
        note == "left out, as not measured on every task and training size: hr"
        for note in advice.notes
    )


def test_diverged_runs_do_not_count(recommend, write_results, tmp_path):
    write_results(
        tmp_path, seeds=3,
        change=lambda run: {**run, "diverged": run["loss"] == "mse" and run["seed"] == 0},
    )  # fmt: skip
    advice = recommend(tmp_path, goal="order")
    assert any("2 runs have no kendall_tau" in note for note in advice.notes)
    assert {row["loss"] for row in advice.rows} == {"listmle", "mse"}


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"goal": "best"}, UsageError, "unknown goal"),
        ({"losses": ("mse",)}, NothingToCompare, "needs two"),
        ({"losses": ("lr",)}, NothingToCompare, "--losses lr: not in the tables"),
        ({"tasks": ("toy/z",)}, NothingToCompare, "--tasks toy/z: not in the tables"),
    ],
)
def test_what_cannot_be_answered(recommend, folder, options, error, text):
    with pytest.raises(error, match=text):
        recommend(folder, **options)


def test_files(recommend, folder):
    advice = recommend(folder)
    for table in (RECOMMENDATION, HOLDOUT, RULES):
        assert table.read(advice.out / f"{table.name}.parquet") == advice.tables[table.name]
    about = json.loads((advice.out / "run.json").read_text())
    assert about["command"] == "recommend"
    assert about["results"] == [str(folder)]
    document = json.loads(json.dumps(advice.document(), allow_nan=False))
    assert document["answer"]["holdout_left_out"] == "space"
