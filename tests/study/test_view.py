"""Runs of a setting are put into one row, by mean or sum."""

from nasrank.study.view import Measure, over_seeds

MEASURES = (
    Measure("tau", "tau", digits=2, spread=False),
    Measure("hit", "hit", digits=0, spread=False),
    Measure("diverged", "diverged", over="sum"),
)


def run(method, tau, hit, *, diverged=False):
    return {"method": method, "tau": tau, "hit": hit, "diverged": diverged}


def test_means_and_sums_of_each_setting():
    rows = [
        run("a", 0.5, 1), run("a", 0.7, 7), run("a", None, 4, diverged=True), run("b", 0.1, None),
    ]  # fmt: skip
    sheet = over_seeds(rows, ["method"], MEASURES)
    assert sheet.rows == [
        {"method": "a", "tau": "0.60", "hit": "4", "diverged": "1"},
        {"method": "b", "tau": "0.10", "hit": "-", "diverged": "0"},
    ]
    assert [field.heading for field in sheet.fields] == ["method", "tau", "hit", "diverged"]


def test_what_no_run_has_and_what_never_happened_has_no_column():
    sheet = over_seeds([run("a", 0.5, None)], ["method"], MEASURES)
    assert [field.key for field in sheet.fields] == ["method", "tau"]
    assert sheet.rows == [{"method": "a", "tau": "0.50"}]
