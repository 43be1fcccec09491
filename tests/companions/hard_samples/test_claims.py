import pytest

from nasrank.companions.hard_samples.claims import MET, hard_claims
from nasrank.companions.hard_samples.controls import second_stage
from nasrank.companions.hard_samples.options import HardConfig
from nasrank.study.claims import CLAIMS
from nasrank.study.controls import negative, vouched


def rows(methods, value, seeds=5):
    return [
        {
            "method": method, "seed": seed, "augmentation": False, "weight_decay": 0.0,
            "recall_at_1": value(method, seed), "positive_spread": value(method, seed),
            "positive_own_distance": 0.2,
            "positive_other_distance": 0.2 + (value(method, seed) or 0),
        }
        for method in methods for seed in range(seeds)
    ]  # fmt: skip


def test_the_full_grid_judges_every_claim():
    methods = ("untrained", *HardConfig.subsets["full"]["methods"])
    found = hard_claims(rows(methods, lambda m, s: 0.5 + 0.1 * (m == "two-stage")), "digits")
    CLAIMS.build(found)
    verdicts = {row["claim_id"]: row["verdict"] for row in found}
    assert verdicts == {
        "hard-plain": "holds", "hard-hdml": "holds", "hard-daml": "holds",
        "hard-with-semi-hard": "equivalent", "hard-with-batch-hard": "equivalent",
        "hard-with-distance-weighted": "equivalent", "hard-condition": "holds",
        "hard-constraint": "holds", "hard-adaptive": "holds", "hard-own-class": "holds",
        "hard-training": "holds",
    }  # fmt: skip


def test_a_claim_that_fails_says_so():
    worse = rows(("triplet-random", "two-stage"), lambda m, s: 0.5 - 0.1 * (m == "two-stage"))
    (plain,) = (row for row in hard_claims(worse, "d") if row["claim_id"] == "hard-plain")
    assert plain["verdict"] == "fails"
    assert plain["estimate"] == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("own", "without", "estimate", "verdict"),
    [(0.8, 0.3, 0.5, "holds"), (0.3, 0.8, -0.5, "fails"), (3.0, 1.5, 0.0, "equivalent")],
)
def test_collapse_is_seen_in_the_spread_up_to_the_real_one(own, without, estimate, verdict):
    methods = ("two-stage", "two-stage(without=condition)")
    found = hard_claims(rows(methods, lambda m, s: own if m == methods[0] else without), "d")
    (claim,) = (row for row in found if row["claim_id"] == "hard-condition")
    assert claim["estimate"] == pytest.approx(estimate)
    assert claim["verdict"] == verdict
    assert claim["statement"].endswith("spread of generated positives, at most that of real ones")
    assert claim["source"] == "hard: positive_spread"


def test_only_the_first_setting_counts():
    usual = rows(("triplet-random", "two-stage"), lambda m, s: 0.5)
    other = [{**row, "augmentation": True, "recall_at_1": 0.9 * (row["method"] == "two-stage")}
             for row in usual]  # fmt: skip
    (plain,) = (row for row in hard_claims(usual + other, "d") if row["claim_id"] == "hard-plain")
    assert plain["estimate"] == 0


def test_what_was_not_run_is_not_claimed():
    assert hard_claims(rows(("untrained",), lambda m, s: 0.5), "d") == []
    found = hard_claims(rows(("semi-hard",), lambda m, s: 0.5), "d")
    assert found == []
    diverged = rows(("triplet-random", "two-stage"), lambda m, s: None)
    for row in diverged:
        row |= {"positive_other_distance": None}
    diverged_claims = hard_claims(diverged, "d")
    assert {row["verdict"] for row in diverged_claims} == {"undecided"}
    assert {row["n_seeds"] for row in diverged_claims} == {0}


def test_without_negatives_as_near_as_asked_there_is_no_second_stage_to_judge():
    found = rows(("triplet-random", "two-stage"), lambda m, s: 0.5 + 0.1 * (m == "two-stage"))
    (claim,) = (row for row in hard_claims(found, "d") if row["claim_id"] == "hard-plain")
    for met, verdict in ((0.9, "holds"), (0.1, "not measurable"), (None, "holds")):
        own = [{**row, MET: met if row["method"] == "two-stage" else None} for row in found]
        controls = [second_stage(own), negative("recall_at_1", "noise", 0.0, best=1.0, chance=0.0)]
        (row,) = vouched([claim], controls)
        assert row["verdict"] == verdict
