"""Plans from stored runs, checked against arithmetic on the runs themselves."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from later import Later

from nasrank.errors import NothingToCompare, UsageError
from nasrank.metrics import random_confidence, random_evaluations
from nasrank.questions.budget.options import BudgetConfig
from nasrank.questions.budget.stored import load_results
from nasrank.questions.budget.tables import PLAN, TRANSFER
from nasrank.questions.search.tables import SEARCH
from nasrank.study.conduct import conduct
from nasrank.tables import read_parquet

pandas = Later("pandas")

UNIVERSE = 1000


@pytest.fixture(scope="module")
def results(stored_folder):
    return load_results([stored_folder])


@pytest.fixture
def plan(tmp_path_factory):
    def make(results, out=None, **options):
        config = BudgetConfig(results=results.folders, **options)
        return conduct(config, out or tmp_path_factory.mktemp("plan"))

    return make


def cheapest(made):
    return [row for row in made.rows if row["cheapest"]]


def tasks_of(made):
    return list(dict.fromkeys(row["task"] for row in made.rows))


def one(rows, **wanted):
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def test_evaluations_are_the_order_statistic_of_the_runs(plan, results):
    made = plan(results, top=0.001)
    assert len(made.rows) == 2 * 2 * 2
    for row in made.rows:
        runs = results.runs
        for name in ("task", "loss", "n_train"):
            runs = runs[runs[name] == row[name]]
        # ceil(.8 * 11) = the 9th smallest of ten
        assert row["evaluations"] == row["n_train"] + sorted(runs["first_hit_0.1pct"])[8]
        assert row["k"] == row["evaluations"] - row["n_train"]
        # one of 1,000: 1 - m / 1,000 missed, so m = 800
        assert row["random_evaluations"] == 800
        assert row["savings"] == pytest.approx(1 - row["evaluations"] / 800)
        assert row["gpu_hours"] == pytest.approx(0.5 * row["evaluations"])
        assert row["random_gpu_hours"] == pytest.approx(400)
        assert row["exact"]
        assert row["cost"] is row["net_saving"] is row["return_on_work"] is None


def test_the_reference_answer_is_that_of_its_budget_table(tmp_path):
    made = conduct(BudgetConfig(), tmp_path)
    folder, *_ = made.record["results"]
    stored = pandas.read_parquet(f"{folder}/budget.parquet")
    stored = stored[(stored["top_fraction"] == 0.001) & (stored["confidence"] == 0.8)]
    keys = ["task", "loss", "n_train"]
    own = pandas.DataFrame(made.rows).set_index(keys)
    for row in stored.to_dict("records"):
        mine = own.loc[tuple(row[key] for key in keys)]
        for name in (
            "evaluations", "evaluations_lower", "evaluations_upper", "savings", "savings_lower",
            "savings_upper", "random_evaluations", "gpu_hours",
        ):  # fmt: skip
            # An open end is None here and nan there.
            seen = np.nan if mine[name] is None else mine[name]
            assert seen == pytest.approx(row[name], nan_ok=True), (row, name)


def test_money_by_hand(plan, results):
    money = {"hours_per_eval": 4.0, "cost_per_hour": 2.5, "cost_per_eval": 1.0, "overhead": 200.0}
    made = plan(results, top=0.001, **money)
    for row in made.rows:
        taken = row["evaluations"]
        # 4 * 2.5 + 1 = 11 each
        assert row["cost"] == pytest.approx(11 * taken)
        assert row["random_cost"] == pytest.approx(8800)
        assert row["net_saving"] == pytest.approx(11 * (800 - taken) - 200)
        assert row["net_saving_upper"] == pytest.approx(
            11 * (800 - row["evaluations_lower"]) - 200
        )
        # Below 17 seeds nothing bounds the .8-quantile from above.
        assert row["evaluations_upper"] is row["net_saving_lower"] is None
        assert row["return_on_work"] == pytest.approx(11 * (800 - taken) / 200)
        assert row["gpu_hours"] == pytest.approx(4 * taken)
    assert sum(stage["cost"] for stage in made.tables["stages"]) == pytest.approx(
        11 * made.tables["choices"][0]["evaluations"]
    )


def test_a_price_of_hours_nobody_knows_is_no_price(plan, write_results, tmp_path):
    write_results(tmp_path, seeds=4, hours=None)
    made = plan(load_results([tmp_path]), cost_per_hour=2.0)
    assert {row["cost"] for row in made.rows} == {None}
    assert {row["random_gpu_hours"] for row in made.rows} == {None}


def test_the_size_of_ones_own_space_is_that_of_random_search(plan, results):
    made = plan(results, top=0.01, space_size=50_000)
    assert {row["random_evaluations"] for row in made.rows} == {
        random_evaluations(50_000, 500, 0.8)
    }


def test_a_limit_on_k(plan, results):
    made = plan(results, top=0.001, k=5)
    for row in made.rows:
        runs = results.runs
        for name in ("task", "loss", "n_train"):
            runs = runs[runs[name] == row[name]]
        share = np.mean(runs["first_hit_0.1pct"] <= 5)
        assert row["reached_share"] == pytest.approx(share)
        assert row["reached_lower"] <= share <= row["reached_upper"]
        assert row["random_reached"] == random_confidence(UNIVERSE, 1, row["n_train"] + 5)
    assert all(row["k"] <= 5 for row in cheapest(made))
    assert all(choice["k"] <= 5 for choice in made.tables["choices"])
    impossible = plan(results, top=0.001, k=0, losses=("mse",))
    assert impossible.tables["choices"] == impossible.tables["stages"] == []
    assert cheapest(impossible) == []


def test_the_cheapest_and_the_worst_case(plan, results):
    made = plan(results, top=0.01)
    for task in tasks_of(made):
        own = [row for row in made.rows if row["task"] == task]
        assert one(cheapest(made), task=task)["evaluations"] == min(r["evaluations"] for r in own)
        assert [row["evaluations"] for row in own] == sorted(row["evaluations"] for row in own)
    for choice in made.tables["choices"]:
        worst = {
            n: max(
                row["evaluations"]
                for row in made.rows
                if row["loss"] == choice["loss"] and row["n_train"] == n
            )
            for n in (20, 40)
        }
        assert choice["evaluations"] == min(worst.values()) == worst[choice["n_train"]]
    # ten times less noise
    assert [choice["loss"] for choice in made.tables["choices"]] == ["listmle", "mse"]


def test_a_plan_is_carried_out_on_the_task_it_has_not_seen(plan, results):
    made = plan(results, top=0.01)
    assert made.record["transfer_left_out"] == "task"
    assert [row["left_out"] for row in made.tables["transfer"]] == ["toy/a", "toy/b"]
    for row in made.tables["transfer"]:
        (other,) = set(tasks_of(made)) - {row["task"]}
        assert row["planned"] == one(cheapest(made), task=other)["evaluations"]
        runs = results.runs
        for name in ("task", "loss", "n_train"):
            runs = runs[runs[name] == row[name]]
        k = row["planned"] - row["n_train"]
        assert row["reached"] == (runs["first_hit_1pct"] <= k).sum()
    assert plan(results, tasks=("toy/a",)).tables["transfer"] == []


def test_spaces_are_left_out_whole(plan, write_results, tmp_path):
    write_results(tmp_path, tasks=("toy/a", "toy/b", "other/c"), seeds=4)
    made = plan(load_results([tmp_path]))
    assert made.record["transfer_left_out"] == "space"
    assert [(row["left_out"], row["task"]) for row in made.tables["transfer"]] == [
        ("toy", "toy/a"), ("toy", "toy/b"), ("other", "other/c"),
    ]  # fmt: skip


def test_stages_add_up(plan, results):
    made = plan(results, top=0.001)
    stages = made.tables["stages"]
    names = [stage["stage"] for stage in stages]
    assert names == ["sample", "train", "evaluate", "stop", "value"]
    best = made.tables["choices"][0]
    assert stages[0]["evaluations"] == best["n_train"]
    assert stages[2]["evaluations"] == best["k"]
    assert stages[-1]["total"] == best["evaluations"]
    totals = np.cumsum([stage["evaluations"] for stage in stages])
    assert [stage["total"] for stage in stages] == totals.tolist()
    assert "A search cannot see for itself" in stages[3]["what"]
    seen = plan(results, better_than=89.9)
    assert "Stop as soon as one is better than 89.9" in seen.tables["stages"][-2]["what"]


def test_a_plan_dearer_than_random_search_says_so(plan, results):
    # One of the top 5 %: random search needs 32, the training set alone has 40.
    made = plan(results, top=0.05, n_train=(40,))
    assert {row["random_evaluations"] for row in made.rows} == {random_evaluations(1000, 50, 0.8)}
    assert made.tables["choices"][0]["evaluations"] > 32
    best = made.tables["choices"][0]
    row = one(made.rows, task="toy/a", loss=best["loss"], n_train=best["n_train"])
    assert row["savings"] < 0
    assert "use it instead" in made.tables["stages"][-2]["what"]


def test_where_training_alone_is_enough_nothing_is_ranked(plan, results):
    made = plan(results, top=0.05, n_train=(40,), confidence=0.5)
    assert made.tables["choices"][0]["k"] == 0
    assert "evaluate" not in [stage["stage"] for stage in made.tables["stages"]]


def test_searches_in_rounds_stand_beside(plan, write_results, tmp_path):
    write_results(tmp_path, seeds=4)
    hits = [60, 80, 90, 200]
    rows = [
        {
            "task": "toy/a", "universe": UNIVERSE, "method": "predictor", "loss": "listmle",
            "seed": seed, "evaluations": spent, "best_label": 90.0 if spent >= hit else 80.0,
            "regret": 0.0 if spent >= hit else 10.0, "rank": 1 if spent >= hit else 900,
        }
        for seed, hit in enumerate(hits) for spent in range(10, 101, 10)
    ]  # fmt: skip
    controls = [{**row, "method": "random", "loss": None} for row in rows]
    unused = dict.fromkeys(column.name for column in SEARCH.columns) | {"run_id": ""}
    SEARCH.write([{**unused, **row} for row in rows + controls], tmp_path / "search.parquet")
    results = load_results([tmp_path])
    half = plan(results, confidence=0.5)
    # ceil(.5 * 5) = the 3rd smallest of four
    row = one(half.rows, method="predictor")
    assert (row["evaluations"], row["n_train"], row["loss"]) == (90, None, "listmle")
    assert row["evaluations_upper"] is None  # beyond the 100 that were searched
    assert one(half.rows, method="random")["loss"] is None
    # ceil(.8 * 5) = the 4th, which never got there
    assert one(plan(results).rows, method="predictor")["evaluations"] is None
    assert all(row["method"] == "rank-once" for row in cheapest(half))
    assert PLAN.read(half.out / "plan.parquet") == half.rows


def test_files(plan, results, tmp_path):
    made = plan(results, tmp_path, top=0.001)
    assert {path.name for path in tmp_path.iterdir()} == {
        "plan.parquet", "choices.parquet", "transfer.parquet", "stages.parquet", "run.json",
        "answer.json",
    }  # fmt: skip
    assert len(PLAN.read(tmp_path / "plan.parquet")) == len(made.rows)
    assert TRANSFER.read(tmp_path / "transfer.parquet") == made.tables["transfer"]
    assert made.record["target"] == {"kind": "top", "value": 0.001}
    about = read_parquet(tmp_path / "plan.parquet").schema.metadata[b"nasrank.about"]
    assert json.loads(about)["command"] == "budget"
    assert json.loads(about)["results"] == list(map(str, results.folders))
    assert json.loads((tmp_path / "run.json").read_text()) == json.loads(about)


def test_rough_answers_say_what_is_missing(plan, stored_folder, tmp_path):
    for name in ("runs", "discovery", "budget"):
        (tmp_path / f"{name}.parquet").write_bytes(
            (stored_folder / f"{name}.parquet").read_bytes()
        )
    made = plan(load_results([tmp_path]), regret=0.2)
    assert not made.rows[0]["exact"]
    assert made.left_out == ()
    (line,) = made.notes
    assert "upper bounds" in line
    assert "--keep-predictions" in line
    exact = plan(load_results([stored_folder]), regret=0.2)
    assert exact.notes == exact.left_out == ()
    truth = {(r["task"], r["loss"], r["n_train"]): r["evaluations"] for r in exact.rows}
    for row in made.rows:
        assert row["evaluations"] >= truth[row["task"], row["loss"], row["n_train"]]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"top": 0.1, "regret": 1.0}, UsageError, "not several"),
        ({"top": 0.0001, "space_size": 500}, UsageError, "at least --top 0.002"),
        ({"top": 0.0001}, UsageError, "at least --top 0.001"),
        (
            {"top": 0.0001, "space_size": 10**6},
            UsageError,
            "the largest space in the tables has 1,000 different",
        ),
        ({"better_than": 95.0}, UsageError, "nothing is better"),
        ({"confidence": 0.95}, NothingToCompare, "needs 19 seeds and the tables hold 10"),
        ({"losses": ("hr",)}, NothingToCompare, "--losses hr"),
        ({"losses": ("hrr",)}, UsageError, "unknown loss"),
        ({"tasks": ("toy/x",)}, NothingToCompare, "toy/a, toy/b"),
        ({"n_train": (99,)}, NothingToCompare, "nasrank compare"),
    ],
)
def test_what_cannot_be_answered(plan, results, options, error, text):
    with pytest.raises(error, match=text):
        plan(results, **options)


def test_a_part_that_is_missing_is_named(plan, results):
    made = plan(results, losses=("mse", "hr"))
    assert {row["loss"] for row in made.rows} == {"mse"}
    assert any(line.startswith("--losses hr: not in the tables") for line in made.left_out)


def test_unreachable_tasks_are_left_out_and_named(plan, write_results, tmp_path):
    write_results(tmp_path, tasks=("toy/a",), seeds=4)
    path = tmp_path / "discovery.parquet"
    table = pq.read_table(path)
    names = table.schema.names
    other = tmp_path / "other"
    write_results(other, tasks=("toy/b",), seeds=4)
    low = pq.read_table(other / "discovery.parquet")
    place = names.index("best_label")
    worse = [value - 50 for value in low.column("best_label").to_pylist()]
    pq.write_table(low.set_column(place, low.schema.field(place), [worse]),
                   other / "discovery.parquet")  # fmt: skip
    made = plan(load_results([tmp_path, other]), better_than=89.0)
    assert tasks_of(made) == ["toy/a"]
    assert any("the best of toy/b is 40" in line for line in made.left_out)


def test_numbers_are_json(plan, results):
    text = json.dumps(plan(results).document(), allow_nan=False)
    assert not math.isnan(json.loads(text)["tables"]["plan"][0]["kendall_tau"])
