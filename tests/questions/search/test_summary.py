import numpy as np
import pytest

from nasrank.questions.search.guided import run_control
from nasrank.questions.search.summary import (
    censored_median,
    checkpoints,
    method_rows,
    summary_rows,
)
from nasrank.questions.search.tables import (
    SEARCH,
    SEARCH_METHODS,
    SEARCH_SUMMARY,
    SEARCHED,
    kept_row,
    rows_of,
    search_rows,
)

INF = float("inf")


@pytest.mark.parametrize(
    ("values", "median", "missed"),
    [
        ([30.0, 10.0, 20.0], 20.0, 0),
        ([30.0, INF, 20.0], 30.0, 1),
        ([10.0, 20.0, 40.0, INF], 30.0, 1),
        # Exactly half missed: one of the middle two is beyond the budget, so the median is.
        ([10.0, 20.0, INF, INF], None, 2),
        ([10.0, INF, INF], None, 2),
        ([INF], None, 1),
    ],
)
def test_medians_by_hand(values, median, missed):
    result = censored_median(np.array(values))
    assert (result.median, result.missed) == (median, missed)


def test_an_interval_may_reach_beyond_the_budget():
    # Of six coins all show heads in 1 of 64 cases: the least and the largest enclose the median.
    result = censored_median(np.array([10.0, 12.0, 14.0, 16.0, INF, INF]))
    assert (result.median, result.lower, result.upper) == (15.0, 10.0, None)
    assert censored_median(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).upper == 6.0
    # Five are too few to bound it at 95 %.
    few = censored_median(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert (few.median, few.lower, few.upper) == (3.0, None, None)


def test_checkpoints_end_with_the_budget():
    assert checkpoints(150) == [50, 100, 150]
    assert checkpoints(120) == [50, 100, 120]
    assert checkpoints(30) == [30]


def row(seed, evaluations, rank, regret, *, method="gp ei", loss="mse"):
    return {
        "run_id": f"{method}{seed}", "task": "toy/x", "universe": 60, "method": method,
        "predictor": None if loss is None else "gp", "loss": loss, "seed": seed,
        "round": None if loss is None else 0, "evaluations": evaluations,
        "best_label": 90 - regret, "test_label": None, "regret": regret, "rank": rank,
        "within_noise": None, "gpu_hours": None,
        "predictor_seconds": None if loss is None else 1.5,
    }  # fmt: skip


ROWS = [
    row(0, 1, 9, 4.0), row(0, 20, 1, 0.0),
    row(1, 1, 5, 2.0), row(1, 40, 1, 0.0),
    row(2, 1, 8, 3.0), row(2, 60, 3, 1.0),
    row(0, 1, 9, 4.0, method="random", loss=None), row(0, 60, 7, 3.0, method="random", loss=None),
    row(1, 1, 5, 2.0, method="random", loss=None), row(1, 50, 1, 0.0, method="random", loss=None),
    row(2, 1, 8, 3.0, method="random", loss=None), row(2, 60, 8, 3.0, method="random", loss=None),
]  # fmt: skip


def cells():
    rows = summary_rows(ROWS, 60, ("gp ei", "mse"))
    SEARCH_SUMMARY.build(rows)
    return {(each["method"], each["metric"]): each for each in rows}


def test_a_summary_by_hand():
    found = cells()
    optimum = found["gp ei", "evaluations_to_optimum"]
    # 20, 40 and beyond 60.
    assert (optimum["value"], optimum["n_missed"], optimum["n_seeds"]) == (40.0, 1, 3)
    assert found["random", "evaluations_to_optimum"]["value"] is None
    hits = found["gp ei", "hit_share"]
    assert hits["value"] == pytest.approx(2 / 3)
    # Clopper-Pearson of two in three.
    assert (hits["lower"], hits["upper"]) == pytest.approx((0.0943, 0.9916), abs=1e-4)
    # After 50 evaluations: 0, 0 and, since nothing better came until 60, still 3.
    assert found["gp ei", "regret_at_50"]["value"] == pytest.approx(1.0)
    assert found["gp ei", "regret_at_60"]["value"] == pytest.approx(1 / 3)
    assert found["gp ei", "best_label_at_60"]["value"] == pytest.approx(90 - 1 / 3)
    assert found["gp ei", "predictor_seconds"]["value"] == 1.5
    assert ("random", "predictor_seconds") not in found
    assert ("gp ei", "evaluations_to_noise") not in found
    assert ("gp ei", "test_label_at_60") not in found


def test_differences_to_the_headline_by_hand():
    found = cells()
    headline = found["gp ei", "evaluations_to_optimum"]
    assert headline["against"] is headline["difference"] is headline["verdict"] is None
    random = found["random", "evaluations_to_optimum"]
    # 61 to 20, 50 to 40 and 61 to 61: ratios 3.05, 1.25 and 1; one of 2^2 sign patterns of the two
    # that differ and its mirror reach that sum, each with either sign of the zero: 4 of 8.
    assert random["difference"] == pytest.approx(0.25)
    assert (random["margin"], random["verdict"]) == (0.1, "undecided")
    assert random["p_holm"] == pytest.approx(0.5)
    assert random["against"] == "gp ei mse"
    regret = found["random", "regret_at_60"]
    # 3, 0 and 3 less 0, 0 and 1.
    assert regret["difference"] == pytest.approx(5 / 3)
    assert regret["difference_lower"] < 0 < regret["difference_upper"]


def verdicts(worse_by):
    """A method that needs so many times the evaluations, with so much more regret."""
    rows = []
    for seed in range(8):
        rows += [row(seed, 1, 9, 4.0), row(seed, 20 + seed, 1, 0.5)]
        late = round(worse_by * (20 + seed))
        rows += [
            row(seed, 1, 9, 4.0, method="random", loss=None),
            row(seed, late, 1, 0.5 * worse_by + 0.01 * seed, method="random", loss=None),
        ]
    summary = summary_rows(rows, 100, ("gp ei", "mse"))
    found = {each["metric"]: each for each in summary if each["method"] == "random"}
    methods = {each["method"]: each for each in method_rows(summary, ("gp ei", "mse"))}
    for metric in ("evaluations_to_optimum", "regret_at_100"):
        assert methods["random"][f"{metric}_verdict"] == found[metric]["verdict"]
    return found["evaluations_to_optimum"]["verdict"], found["regret_at_100"]["verdict"]


def test_a_verdict_has_a_direction():
    assert verdicts(2.0) == ("worse", "worse")
    assert verdicts(0.5) == ("better", "better")
    assert verdicts(1.0)[0] == "equivalent"


def test_the_target_may_be_near_the_best():
    rows = summary_rows(ROWS, 60, ("gp ei", "mse"), 1.0)
    found = {(each["method"], each["metric"]): each for each in rows}
    # The third search never has the best, but at 60 something 1.0 from it.
    assert found["gp ei", "hit_share"]["value"] == 1.0
    assert found["gp ei", "evaluations_to_optimum"]["value"] == 40.0
    assert found["gp ei", "evaluations_to_optimum"]["n_missed"] == 0
    assert found["random", "hit_share"]["value"] == pytest.approx(1 / 3)


def test_hours_are_compared_too_and_what_missed_took_at_least_all_it_spent():
    hours = {("gp ei", 20): 2.0, ("gp ei", 40): 4.0, ("gp ei", 60): 9.0,
             ("random", 60): 12.0, ("random", 50): 8.0}  # fmt: skip
    rows = [
        {**each, "gpu_hours": hours.get((each["method"], each["evaluations"]), 0.1)}
        for each in ROWS
    ]
    summary = summary_rows(rows, 60, ("gp ei", "mse"))
    found = {(each["method"], each["metric"]): each for each in summary}
    random = found["random", "gpu_hours_to_optimum"]
    # 12 to 2, 8 to 4 and 12 to 9, the last two of searches that were cut off.
    assert random["difference"] == pytest.approx(1.0)
    assert method_rows(summary, ("gp ei", "mse"))[0]["gpu_hours_to_optimum"] == 4.0


def test_a_method_in_one_row():
    summary = summary_rows(ROWS, 120, ("gp ei", "mse"))
    rows = method_rows(summary, ("gp ei", "mse"))
    SEARCH_METHODS.build(rows)
    of = {(each["method"], each["metric"]): each for each in summary}
    for line in rows:
        assert line["headline"] == (line["method"] == "gp ei")
        own = of[line["method"], "regret_at_120"]
        assert line["regret_at_budget"] == own["value"]
        assert line["regret_at_budget_upper"] == own["upper"]
        assert line["regret_at_100"] == of[line["method"], "regret_at_100"]["value"]
        assert line["regret_at_150"] is None
        assert (
            line["evaluations_to_optimum_p_holm"]
            == (of[line["method"], "evaluations_to_optimum"]["p_holm"])
        )


def test_rows_of_a_search_by_hand(problem, make_search):
    order = np.argsort(-problem.labels)[[40, 7, 20, 3, 0, 50]]
    found = run_control(problem, lambda *_: order, make_search())
    found.rounds, found.seconds = [0, 0, 0, 1, 2], [0.0, 1.0, 2.0]
    rows = search_rows(problem, found)
    # What is kept of a search is its rows.
    kept = kept_row(rows)
    SEARCHED.build([kept])
    assert rows_of(found.run, kept) == rows
    SEARCH.build(rows)
    columns = {name: [each[name] for each in rows] for name in rows[0]}
    # Better at 1, 2, 4 and 5; the start ends at 3; what follows the optimum is not there.
    assert columns["evaluations"] == [1, 2, 3, 4, 5]
    assert columns["rank"] == [41, 8, 8, 4, 1]
    assert columns["round"] == [0, 0, 0, 1, 2]
    assert columns["predictor_seconds"] == [0.0, 0.0, 0.0, 1.0, 3.0]
    assert columns["gpu_hours"] == [0.5, 1.0, 1.5, 2.0, 2.5]
    assert columns["regret"][-1] == 0.0
    assert columns["best_label"][-1] == problem.best
    assert columns["within_noise"][-1] is True
    assert columns["universe"] == [60] * 5
