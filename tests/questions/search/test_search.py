import shutil
from dataclasses import replace

import pytest

from nasrank.errors import DataError, Interrupted, NothingToCompare, UsageError
from nasrank.questions.budget.stored import _search
from nasrank.questions.budget.targets import Target, search_reached
from nasrank.questions.search import plan as plan_module
from nasrank.questions.search import study as search_module
from nasrank.questions.search.options import SearchConfig
from nasrank.questions.search.plan import plan_searches
from nasrank.questions.search.problem import problem_of
from nasrank.study.conduct import conduct, estimate
from nasrank.study.options import checked

SMALL = {"tasks": ("toy/x",), "seeds": 3, "initial": 5, "budget": 20}


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "predictor_seconds"} for row in rows]


def test_a_study_from_beginning_to_end(toy, tmp_path):
    result = conduct(SearchConfig(**SMALL), tmp_path)
    assert result.computed == 15
    assert [row["method"] for row in result.rows] == [
        "gp ei", "random", "evolution", "local", "oracle",
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        "run.json", "runs.d", "search.parquet", "search_methods.parquet", "search_summary.parquet",
    }  # fmt: skip
    oracle = result.rows[-1]
    assert (oracle["evaluations_to_optimum"], oracle["hit_share"]) == (1, 1.0)
    again = conduct(SearchConfig(**SMALL), tmp_path)
    assert again.computed == 0
    assert again.tables == result.tables
    assert result.frame("search")["rank"].min() == 1


def test_budgets_can_be_read_from_the_table(toy, tmp_path):
    conduct(SearchConfig(**SMALL), tmp_path / "search")
    stored = _search([tmp_path])
    oracle = stored[stored["method"] == "oracle"]
    assert search_reached(oracle, Target("top", 0.05), 60).tolist() == [1.0] * 3


def test_all_methods_of_a_seed_start_alike(toy, tmp_path):
    rows = conduct(SearchConfig(**SMALL), tmp_path).tables["search"]
    for seed in range(3):
        starts = {
            tuple((r["evaluations"], r["rank"]) for r in rows
                  if r["method"] == m and r["seed"] == seed and r["evaluations"] < 5)
            for m in ("gp ei", "random", "evolution", "local")
        }  # fmt: skip
        assert len(starts) == 1


def test_resuming_is_as_if_nothing_had_happened(toy, tmp_path, monkeypatch):
    config = SearchConfig(**SMALL, predictors=("gp",), acquisitions=("ei", "greedy"))
    whole = conduct(config, tmp_path / "a")
    real = search_module.search_fleet
    calls = []

    def stopped(*args, **kwargs):
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(search_module, "search_fleet", stopped)
    with pytest.raises(Interrupted, match="3 of 18 searches"):
        conduct(config, tmp_path / "b")
    monkeypatch.setattr(search_module, "search_fleet", real)
    rest = conduct(config, tmp_path / "b")
    assert rest.computed == 15
    assert without_time(rest.tables["search"]) == without_time(whole.tables["search"])


def test_only_cached_forced_and_estimated(toy, tmp_path):
    config = SearchConfig(**SMALL)
    with pytest.raises(NothingToCompare, match="only-cached"):
        conduct(config, tmp_path, only_cached=True)
    planned = estimate(config, tmp_path)
    assert (planned.runs, planned.finished) == (15, 0)
    conduct(config, tmp_path)
    assert estimate(config, tmp_path).finished == 15
    assert conduct(config, tmp_path, force=True).computed == 15
    more = SearchConfig(**{**SMALL, "seeds": 4})
    part = conduct(more, tmp_path, only_cached=True)
    assert part.left_out[0].startswith("5 of 20 searches")


def test_a_damaged_run_is_run_again(toy, tmp_path):
    conduct(SearchConfig(**SMALL), tmp_path)
    victim = min((tmp_path / "runs.d").glob("*.parquet"))
    victim.write_bytes(b"PAR1")
    (tmp_path / "search.parquet").unlink()
    assert conduct(SearchConfig(**SMALL), tmp_path).computed == 1
    shutil.rmtree(tmp_path / "runs.d")
    (tmp_path / "search.parquet").unlink()
    (tmp_path / "runs.d").write_text("a file")
    with pytest.raises(DataError):
        conduct(SearchConfig(**SMALL), tmp_path)


def test_searches_are_found_in_the_final_table(toy, tmp_path):
    whole = conduct(SearchConfig(**SMALL), tmp_path)
    shutil.rmtree(tmp_path / "runs.d")
    again = conduct(SearchConfig(**SMALL), tmp_path, only_cached=True)
    assert (again.computed, again.left_out, again.tables) == (0, (), whole.tables)


def test_the_grid(toy):
    config = SearchConfig(
        **SMALL,
        predictors=("gnn(ensemble=2)", "gp"),
        acquisitions=("greedy", "ucb(kappa=1)"),
        losses=("mse", "hr", "pw(hr,mape,9)"),
    )
    methods = {(run.method, run.loss) for run in plan_searches(config)}
    # Two acquisitions with three losses; the process always minimises its own.
    assert len(methods) == 6 + 2 + 4
    assert ("gp ucb(kappa=1)", "mse(targets=robust)") in methods
    assert ("random", None) in methods


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"initial": 20}, "--budget 20"),
        ({"budget": 500, "initial": 60}, "60 different"),
        ({"candidates": "some"}, "candidates"),
        ({"predictors": ("gnn",)}, "gnn(ensemble=4)"),
        ({"predictors": ("gm",)}, "gp"),
        ({"acquisitions": ("pi",)}, "acquisition"),
        ({"losses": ("mess",)}, "loss"),
    ],
)
def test_what_is_refused(toy, changes, text):
    with pytest.raises(UsageError) as caught:
        plan_searches(checked(SearchConfig, {**SMALL, **changes}))
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mutations_search_as_well(toy, tmp_path):
    config = SearchConfig(**SMALL, candidates="mutations")
    assert conduct(config, tmp_path).rows[0]["regret_at_budget"] >= 0


def test_candidates_are_mutations_where_there_are_any(toy, make_task, monkeypatch):
    config = SearchConfig(**SMALL)
    assert plan_searches(config)[0].candidates == "mutations"
    # Texts without a word in common: nothing is one edit from anything.
    task = make_task()
    space = replace(task.space, architectures=[f"a{n} b{n}" for n in range(len(task))])
    lonely = problem_of(replace(task, space=space))
    monkeypatch.setattr(plan_module, "load_problem", lambda *_: lonely)
    assert plan_searches(config)[0].candidates == "all"
    assert plan_searches(SearchConfig(**SMALL, candidates="mutations"))[0].candidates == (
        "mutations"
    )
