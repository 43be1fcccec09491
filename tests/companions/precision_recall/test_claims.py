import pytest

from nasrank.companions.precision_recall.claims import claims_of
from nasrank.companions.precision_recall.tables import PR


def row(method, lam, seed, precision, recall, **more):
    blank = {column.name: None for column in PR.columns}
    return {
        **blank, "data": "ring", "model": "mlp", "method": method, "lambda": lam, "seed": seed,
        "auxiliary": "chi2", "precision": precision, "recall": recall, "objective": 0.5, **more,
    }  # fmt: skip


def verdicts(rows):
    return {each["claim_id"]: each["verdict"] for each in claims_of(rows)}


def test_claims_that_hold_and_claims_that_fail():
    rows = []
    for seed in range(5):
        for place, lam in enumerate((0.1, 1.0, 10.0)):
            noise = seed / 1000
            rows += [
                row("pr", lam, seed, 0.3 + 0.2 * place + noise, 0.9 - 0.3 * place),
                row("naive", lam, seed, 0.2, 0.2, objective=0.1 + noise),
                row("tuned", lam, seed, 0.5 + 0.2 * place, 0.9 - 0.3 * place - 0.2 + noise),
            ]
        rows.append(row("hinge", None, seed, 0.5, 0.95 + noise / 10, objective=None))
    assert verdicts(rows) == {
        "precision-rises": "holds",
        "recall-falls": "holds",
        "beats-hinge-precision": "holds",
        "beats-hinge-recall": "fails",
        "auxiliary-over-naive": "holds",
        "tuned-precision": "holds",
        "tuned-precision-same": "fails",
        "tuned-recall": "fails",
        "tuned-recall-same": "fails",
    }


def test_what_fine_tuning_lacks_is_a_mean_over_lambda_of_what_it_falls_short():
    rows = []
    for seed in range(5):
        for place, lam in enumerate((0.1, 10.0)):
            # Better by .4 at one lambda makes up for nothing at the other, where it lacks .08.
            rows += [
                row("pr", lam, seed, 0.5, 0.5),
                row("tuned", lam, seed, (0.9, 0.42)[place], 0.5),
            ]
    own = {each["claim_id"]: each["estimate"] for each in claims_of(rows)}
    assert own["tuned-precision"] == pytest.approx(0.05 - 0.04)
    assert own["tuned-precision-same"] == pytest.approx(0.05 - 0.24)
    assert own["tuned-recall"] == pytest.approx(0.05)


def test_few_seeds_and_few_lambdas_decide_nothing():
    rows = [row("pr", lam, seed, lam / 20, 0.5) for lam in (0.1, 1.0, 10.0) for seed in range(2)]
    assert set(verdicts(rows).values()) == {"undecided"}
    assert verdicts([row("pr", 1.0, 0, 0.5, 0.5)]) == {}


def test_models_that_diverged_count_as_nothing_reached():
    rows = [row("pr", lam, seed, lam, 1 - lam, objective=0.9)
            for lam in (0.1, 0.2, 0.3) for seed in range(5)]  # fmt: skip
    rows += [row("naive", lam, seed, None, None, objective=None)
             for lam in (0.1, 0.2, 0.3) for seed in range(5)]  # fmt: skip
    assert verdicts(rows)["auxiliary-over-naive"] == "holds"


def test_a_claim_does_not_vanish_with_its_first_model():
    rows = [row("pr", lam, seed, lam, 1 - lam, objective=0.9)
            for lam in (0.1, 0.2, 0.3) for seed in range(5)]  # fmt: skip
    rows += [row("naive", lam, seed, 0.1, 0.1, objective=0.1)
             for lam in (0.1, 0.2, 0.3) for seed in range(5)]  # fmt: skip
    rows[0] |= {"precision": None, "recall": None, "objective": None}
    assert verdicts(rows)["auxiliary-over-naive"] == "holds"
