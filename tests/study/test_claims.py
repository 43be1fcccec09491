import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nasrank.study.claims import (
    CLAIMS,
    Ahead,
    Falls,
    Lead,
    More,
    Of,
    Rises,
    Within,
    claim_row,
    judge,
)
from nasrank.tables import Column


def row(values, **options):
    return claim_row("c", "s", "d", values, source="t", **options)


def test_interval_and_p_are_those_of_the_t_test():
    values = np.array([0.3, -0.1, 0.5, 0.2, 0.4, 0.1])
    oracle = ttest_1samp(values, 0.0)
    bounds = oracle.confidence_interval(0.95)
    found = row(values)
    assert found["estimate"] == pytest.approx(values.mean())
    assert found["lower"] == pytest.approx(bounds.low)
    assert found["upper"] == pytest.approx(bounds.high)
    assert found["p_value"] == pytest.approx(oracle.pvalue)
    CLAIMS.build([found])


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([1, 2, 1, 2, 1], "holds"),
        ([-1, -2, -1, -2, -1], "fails"),
        ([1, -1, 1, -1, 0.5], "undecided"),
        ([1, 2, 1, 2], "undecided"),
        ([1, 1, 1, 1, 1], "holds"),
        ([0, 0, 0, 0, 0], "undecided"),
        ([1], "undecided"),
        ([], "undecided"),
        ([1, 2, 1, 2, float("nan")], "undecided"),
    ],
)
def test_verdicts(values, verdict):
    found = row(values)
    assert found["verdict"] == verdict
    CLAIMS.build([found])


def test_the_claim_turned_around_fails():
    values = np.array([0.3, 0.1, 0.5, 0.2, 0.4])
    for up, down in zip(
        (row(values)[k] for k in ("estimate", "lower", "upper")),
        (row(-values)[k] for k in ("estimate", "upper", "lower")),
        strict=True,
    ):
        assert up == pytest.approx(-down)


def test_a_margin_must_be_exceeded():
    # The mean is 0.016 below the margin, and half the interval 2.776 * 0.0055 / sqrt(5) = 0.007.
    values = [0.03, 0.04, 0.03, 0.04, 0.03]
    assert row(values)["verdict"] == "holds"
    assert row(values, margin=0.05)["verdict"] == "fails"


def test_what_would_be_undecided_is_equivalent_where_it_is_surely_small():
    near = [0.002, -0.001, 0.001, -0.002, 0.0005]
    assert row(near)["verdict"] == "undecided"
    assert row(near, negligible=0.01)["verdict"] == "equivalent"
    assert row(near, negligible=0.001)["verdict"] == "undecided"
    assert row(near[:4], negligible=0.01)["verdict"] == "undecided"
    # A difference that is small and sure is a difference.
    assert row([0.002, 0.001, 0.002, 0.001, 0.002], negligible=0.01)["verdict"] == "holds"


UP = Column("tau", "double", "1", "", "", better="higher", margin=0.01)
DOWN = Column("regret", "double", "%", "", "", better="lower")
PLAIN = Column("spread", "double", "1", "", "")


def runs(column, values, **options):
    return [
        {"method": method, column.name: value, "seed": seed, **options}
        for method, own in values.items()
        for seed, value in own.items()
    ]


def sides(column):
    return tuple(Of(column, {"method": method}) for method in ("a", "b"))


def one(claim, rows):
    (found,) = judge([claim], rows, data="d", table="t")
    CLAIMS.build([found])
    return found


def test_pairs_are_matched_by_seed():
    values = {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {2: 1.0, 1: 1.0, 7: 9.0, 0: None}}
    found = one(Ahead("c", "s", *sides(UP)), runs(UP, values))
    assert (found["n_seeds"], found["estimate"], found["source"]) == (2, 1.5, "t: tau")
    assert one(Ahead("c", "s", *sides(DOWN)), runs(DOWN, values))["estimate"] == -1.5
    assert one(Ahead("c", "s", *sides(UP), margin=0.5), runs(UP, values))["estimate"] == 1.0
    with pytest.raises(ValueError, match="neither higher nor lower"):
        one(Ahead("c", "s", *sides(PLAIN)), runs(PLAIN, values))
    # Of what is neither, there can be more.
    assert one(More("c", "s", *sides(PLAIN)), runs(PLAIN, values))["estimate"] == 1.5
    assert one(More("c", "s", *sides(DOWN)), runs(DOWN, values))["estimate"] == 1.5


def test_the_margin_of_a_column_makes_equivalent():
    near = dict(enumerate([0.702, 0.699, 0.701, 0.698, 0.7005]))
    rows = runs(UP, {"a": near, "b": dict.fromkeys(near, 0.7)})
    assert one(Ahead("c", "s", *sides(UP)), rows)["verdict"] == "equivalent"
    assert one(More("c", "s", *sides(UP)), rows)["verdict"] == "equivalent"
    # What must be more by a margin of its own is not equal where it is less.
    assert one(More("c", "s", *sides(UP), margin=1e-3), rows)["verdict"] != "equivalent"


def test_a_value_is_the_mean_of_a_seed_s_rows():
    rows = [{"seed": 0, "tau": tau} for tau in (0.2, 0.4, None)] + [{"seed": 1, "tau": None}]
    assert Of(UP).by_seed(rows) == {0: pytest.approx(0.3)}
    assert Of(UP, missing=0.0).by_seed(rows) == {0: pytest.approx(0.2), 1: 0.0}
    assert Of(UP, scale=lambda tau: min(tau, 0.3)).by_seed(rows) == {0: pytest.approx(0.25)}
    assert Of(UP, {"seed": 2}).by_seed(rows) == {}


def test_within():
    values = {"a": dict.fromkeys(range(5), 0.5), "b": dict.fromkeys(range(5), 0.53)}
    found = one(Within("c", "s", *sides(UP), 0.05), runs(UP, values))
    assert found["estimate"] == pytest.approx(0.02)
    assert found["verdict"] == "holds"
    assert one(Within("c", "s", *sides(UP), 0.02), runs(UP, values))["verdict"] == "fails"


def test_leads_are_compared_like_numbers():
    options = [(noise, method) for noise in (0, 1) for method in ("a", "b")]
    rows = [
        {"noise": noise, "method": method, "seed": seed,
         "tau": 0.5 + 0.1 * (method == "a") + 0.2 * noise * (method == "a")}
        for noise, method in options for seed in range(5)
    ]  # fmt: skip
    noisy, quiet = (
        Lead(Of(UP, {"method": "a", "noise": n}), Of(UP, {"method": "b", "noise": n}))
        for n in (1, 0)
    )
    found = one(Ahead("c", "s", noisy, quiet), rows)
    assert (found["estimate"], found["verdict"]) == (pytest.approx(0.2), "holds")


def test_trends():
    up = {0.1: 1.0, 1.0: 2.0, 10.0: 5.0}
    curves = [up, {k: -v for k, v in up.items()}, dict.fromkeys(up, 3.0), {0.1: 1.0, 1.0: 2.0}]
    rows = [
        {"seed": seed, "lambda": at, "spread": value}
        for seed, curve in enumerate(curves)
        for at, value in curve.items()
    ]
    found = one(Rises("c", "s", Of(PLAIN), "lambda"), rows)
    # A constant curve counts 0, one of two points not at all.
    assert (found["n_seeds"], found["estimate"]) == (3, 0.0)
    assert found["source"] == "t: spread, lambda"
    same = [{**row, "seed": seed} for seed in range(5) for row in rows[:3]]
    assert one(Rises("c", "s", Of(PLAIN), "lambda"), same)["verdict"] == "holds"
    assert one(Falls("c", "s", Of(PLAIN), "lambda"), same)["verdict"] == "fails"
    four = [*same, {"seed": 0, "lambda": 20.0, "spread": 9.0}]
    assert one(Rises("c", "s", Of(PLAIN), "lambda"), four)["n_seeds"] == 5
    assert one(Rises("c", "s", Of(PLAIN), "lambda", whole=True), four)["n_seeds"] == 1
