import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nasrank.study.claims import CLAIMS, claim_row, paired_claim, trend_claim


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


def test_pairs_are_matched_by_seed():
    a = {0: 1.0, 1: 2.0, 2: 3.0}
    b = {2: 1.0, 1: 1.0, 7: 9.0}
    found = paired_claim("c", "s", "d", a, b, source="t")
    assert (found["n_seeds"], found["estimate"]) == (2, 1.5)
    lower = paired_claim("c", "s", "d", a, b, source="t", sign=-1)
    assert lower["estimate"] == -1.5


def test_trends():
    up = {0.1: 1.0, 1.0: 2.0, 10.0: 5.0}
    curves = [up, {k: -v for k, v in up.items()}, dict.fromkeys(up, 3.0), {0.1: 1.0, 1.0: 2.0}]
    found = trend_claim("c", "s", "d", curves, source="t")
    assert (found["n_seeds"], found["estimate"]) == (3, 0.0)
    assert trend_claim("c", "s", "d", [up] * 5, source="t", rising=False)["verdict"] == "fails"
