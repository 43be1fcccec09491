"""Advice from stored runs: cells, likeness, regret by hand, and its own test."""

import json

import numpy as np
import pytest

from nasrank.errors import NothingToCompare, UsageError
from nasrank.questions.budget.cells import GOALS, Cell, cells_of, likeness
from nasrank.questions.budget.options import RecommendConfig
from nasrank.questions.budget.recommend import _rules
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
        assert 0 <= row["best"] <= row["equivalent"] <= row["equivalent"] + row["worse"] <= 6
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
    assert list(rules) == ["listmle", "best-on-average", "recommend", "any-loss"]
    # In these tables tau is 1 / (1 + noise) on every run, so listmle is always the best.
    assert rules["recommend"]["best"] == rules["recommend"]["equivalent"] == 1
    assert rules["any-loss"]["worse"] == pytest.approx(2 / 3)
    assert rules["recommend"]["cost"] == pytest.approx(0)
    assert rules["any-loss"]["best"] == pytest.approx(1 / 3)
    each = [1 / 1.2 - 1 / (1 + noise) for noise in NOISES.values()]
    assert rules["any-loss"]["cost"] == pytest.approx(sum(each) / 3)
    assert rules["any-loss"]["cost_worst"] == pytest.approx(sum(each) / 3)


def test_verdicts_of_a_cell_have_a_direction():
    steps = np.array([0.0, 0.001, 0.002, 0.001, 0.0, 0.001])
    found = cell([steps, steps + 0.1, steps + 0.0995], losses=("a", "b", "c"), margin=0.01)
    assert found.verdicts == {"a": "worse", "b": "equivalent", "c": "equivalent"}
    # Few seeds that differ are not as good; they are unknown.
    few = cell([[0.5, 0.9], [0.6, 1.1]], margin=0.01)
    assert few.verdicts == {"a": "undecided", "b": "equivalent"}


def held_out(costs):
    """Rows of holdout: for each rule its cost in each space, one cell a space."""
    return [
        {"left_out": f"space {place}", "rule": rule, "cost": cost, "best": 0.0,
         "equivalent": 0.0, "worse": 0.0}
        for place, each in enumerate(zip(*costs.values(), strict=True))
        for rule, cost in zip(costs, each, strict=True)
    ]  # fmt: skip


SIMPLE = [0.10, 0.11, 0.12, 0.10]


@pytest.mark.parametrize(
    ("own", "followed", "verdict"),
    [
        # Less by .05 or so in each of four spaces, which is sure.
        ([0.05, 0.06, 0.06, 0.05], "recommend", "better"),
        # Less on average, by one space alone, and more in another.
        ([0.0, 0.11, 0.12, 0.11], "listmle", "undecided"),
        ([0.15, 0.16, 0.18, 0.15], "listmle", "worse"),
        (SIMPLE, "listmle", "equivalent"),
    ],
)
def test_advice_that_does_not_beat_the_simplest_rule_becomes_that_rule(own, followed, verdict):
    blind = [0.0, 0.0, 0.0, 0.0]
    costs = {"listmle": SIMPLE, "best-on-average": SIMPLE, "recommend": own, "any-loss": blind}
    rows = {row["rule"]: row for row in _rules(held_out(costs), 0.0)}
    assert [rule for rule, row in rows.items() if row["followed"]] == [followed]
    assert rows["recommend"]["verdict"] == verdict
    assert rows["listmle"]["verdict"] is rows["listmle"]["difference"] is None
    assert rows["recommend"]["difference"] == pytest.approx(np.mean(own) - np.mean(SIMPLE))
    # A blind draw is there to compare with; nobody advises it.
    assert rows["any-loss"]["verdict"] == "better"


def test_a_space_counts_once_however_many_cells_it_has():
    rows = held_out({"listmle": [0.1, 0.3], "any-loss": [0.5, 0.5]})
    rows += [row for row in rows if row["left_out"] == "space 0"] * 3
    found = {row["rule"]: row for row in _rules(rows, 0.0)}
    assert found["listmle"]["cost"] == pytest.approx(0.2)
    assert (found["listmle"]["groups"], found["listmle"]["cells"]) == (2, 5)
    assert found["any-loss"]["difference"] == pytest.approx(0.3)


def test_the_simplest_rule_is_recommended_where_nothing_beats_it(recommend, write_results,
                                                                 tmp_path):  # fmt: skip
    # hr is ahead everywhere, and listmle, which the simplest rule takes, is surely worse.
    write_results(
        tmp_path, tasks=("toy/a", "toy/b", "other/c"), seeds=6,
        noises={"listmle": 0.5, "hr": 0.2, "mse": 2.0},
    )  # fmt: skip
    advice = recommend(tmp_path, goal="order")
    rules = {row["rule"]: row for row in advice.tables["rules"]}
    # Two spaces agree to the last digit, so the difference is sure.
    assert rules["best-on-average"]["followed"] != rules["listmle"]["followed"]
    assert advice.rows[0]["loss"] == "hr"
    told = {row["loss"]: row for row in advice.rows[:3]}
    assert told["hr"]["verdict"] is told["hr"]["difference"] is None
    assert told["listmle"]["difference"] == pytest.approx(1 / 1.2 - 1 / 1.5)
    assert (told["listmle"]["verdict"], told["mse"]["verdict"]) == ("worse", "worse")
    without = recommend(tmp_path, goal="order", tasks=("toy/a",))
    assert (without.rows[0]["loss"], without.rows[0]["rule"]) == ("hr", "recommend")


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
