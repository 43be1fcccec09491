"""What people see of a comparison: marks say what is known, not what a test could not tell."""

from types import SimpleNamespace

import pytest

from nasrank.questions.compare.view import view_comparison
from nasrank.runs.tables import HEADLINE, OVERALL
from nasrank.study.view import Chart, Sheet

EMPTY = dict.fromkeys(column.name for column in HEADLINE.columns)


def line(loss, **cells):
    named = {"task": "toy/x", "predictor": "gnn", "loss": loss, "n_train": 40}
    usual = {"sampling": "random", "n_seeds": 10, "kendall_tau": 0.7, "kendall_tau_upper": 0.72}
    return {**EMPTY, **named, **usual, **cells}


def judged(verdict):
    return {
        f"{name}_{end}": value
        for name in ("kendall_tau", "discovery", "cost")
        for end, value in (("rank", 2), ("verdict", verdict), ("p_holm", 1.0))
    }


def parts(rows, overall=()):
    result = SimpleNamespace(rows=rows, tables={"overall": list(overall), "summary": []})
    return list(view_comparison(result))


def marks(sheet, row):
    return [field.text(row) for field in sheet.fields if field.heading == ""]


@pytest.mark.parametrize(
    ("verdict", "mark"), [("equivalent", "="), ("undecided", "?"), ("worse", "")]
)
def test_a_mark_is_a_verdict_whatever_the_p_value(verdict, mark):
    best = line("listmle", kendall_tau_rank=1, discovery_rank=1, cost_rank=1)
    other = line("mse", **judged(verdict))
    sheet, words = parts([best, other])
    assert marks(sheet, best) == ["*", "*", "*"]
    assert marks(sheet, other) == [mark, mark, mark]
    assert "within 0.01 of it in tau, 0.05 in the share found, 10 % in evaluations" in words
    assert "p >" not in words


def over(loss, metric, **cells):
    row = dict.fromkeys(column.name for column in OVERALL.columns)
    return {
        **row, "predictor": "gnn", "loss": loss, "n_train": 40, "sampling": "random",
        "metric": metric, "n_tasks": 4, "n_spaces": 3, **cells,
    }  # fmt: skip


def test_differences_over_tasks_stand_below_where_there_are_spaces():
    rows = [line("listmle", kendall_tau_rank=1), line("mse", **judged("worse"))]
    ends = {"rank": 2, "difference_lower": 0.1, "difference_upper": 0.6}
    overall = [
        over("listmle", "kendall_tau", rank=1),
        over("mse", "kendall_tau", rank=2, difference=-0.03, difference_lower=-0.05,
             difference_upper=-0.01, verdict="undecided"),
        over("listmle", "evaluations_0.1pct", rank=1),
        over("mse", "evaluations_0.1pct", difference=0.25, verdict="worse", **ends),
        over("mse", "discovery_1pct_at_100", rank=1),
        over("listmle", "discovery_1pct_at_100", difference=-0.01, rank=2, verdict="equivalent",
             difference_lower=-0.03, difference_upper=0.01),
    ]  # fmt: skip
    _, sheet, words, _ = parts(rows, overall)
    assert isinstance(sheet, Sheet)
    assert sheet.title == "Over 4 tasks of 3 spaces"
    assert [[field.text(row) for field in sheet.fields] for row in sheet.rows] == [
        ["gnn", "listmle", "40", "best *", "-1 % [-3 %, +1 %] =", "best *"],
        ["gnn", "mse", "40", "-0.030 [-0.050, -0.010] ?", "best *", "+25 % [+10 %, +60 %]"],
    ]
    assert "3 spaces" in words
    alone = [{**row, "n_spaces": 1} for row in overall]
    assert len(parts(rows, alone)) == 2


def test_evaluations_of_the_middle_size_are_drawn_beside_random_search():
    costs = {"random_evaluations": 1_276, "evaluations_lower": 79, "confidence": 0.8}
    rows = [
        line(loss, n_train=n, evaluations=n + 10, **costs)
        for n in (40, 80, 160)
        for loss in ("mse", "hr")
    ]
    _, chart, _ = parts([*rows, line("warp", n_train=80)])
    assert isinstance(chart, Chart)
    assert chart.title == "toy/x, 80 labels: evaluations to the top 0.1 %; ┊ random search, 1,276"
    assert chart.mark == 1_276
    assert [(bar.name, bar.value, bar.lower, bar.upper) for bar in chart.bars] == [
        ("mse", 90, 79, None), ("hr", 90, 79, None),
    ]  # fmt: skip
    assert chart.bars[0].text == "90 [79, ∞)"
