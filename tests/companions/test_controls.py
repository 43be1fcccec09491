"""Every claim of a companion names its control, and a fooled measure never gives a verdict."""

from pathlib import Path

import numpy as np
import pytest

from nasrank.companions.controls import (
    Labelled,
    embedding_controls,
    ranking_controls,
    variance_controls,
)
from nasrank.companions.supcon.controls import simulation_controls
from nasrank.metrics.retrieval import recall_at
from nasrank.study.claims import CLAIMS
from nasrank.study.controls import CONTROLS, NOT_MEASURABLE, Control, vouched

RESULTS = Path(__file__).parents[2] / "results"
FOLDERS = sorted(
    path.parent
    for study in ("pr", "ot", "hard", "supcon")
    for path in (RESULTS / study).rglob("claims.parquet")
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_every_committed_claim_follows_from_its_controls(folder):
    claims = CLAIMS.read(folder / "claims.parquet")
    rows = CONTROLS.read(folder / "controls.parquet")
    controls = [Control(**{name: row[name] for name in row if name != "passed"}) for row in rows]
    assert [each.passed for each in controls] == [row["passed"] for row in rows]
    fooled = {row["measure"] for row in rows if not row["passed"]}
    for claim in claims:
        names = set(claim["measures"].split(", "))
        assert claim["control"].split(": ")[0] in names, claim["claim_id"]
        assert (claim["verdict"] == NOT_MEASURABLE) == bool(names & fooled), claim["claim_id"]
    assert vouched(claims, controls) == claims


def test_there_are_such_folders_of_every_companion():
    assert {path.relative_to(RESULTS).parts[0] for path in FOLDERS} == {
        "pr", "ot", "hard", "supcon",
    }  # fmt: skip


def labelled():
    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(5), 40)
    known, asked = (np.eye(5)[classes] + 0.4 * rng.normal(size=(200, 5)) for _ in range(2))
    return Labelled(known, classes, asked, classes)


def failed(say, **options):
    return {each.control for each in embedding_controls("m", say, labelled(), **options)
            if not each.passed}  # fmt: skip


def recall(given):
    return recall_at(given.asked, given.asked_classes, ks=(1,))[1]


def test_a_sound_measure_passes():
    assert failed(recall) == set()


@pytest.mark.parametrize(
    ("say", "caught"),
    [
        (lambda given: 1.0, {"random labels", "noise", "one sample repeated"}),
        (lambda given: 0.2, {"class means"}),
        (lambda given: None if given.asked.std() > 1e3 else recall(given), {"scaled by 1e+06"}),
        (
            lambda given: recall(
                Labelled(given.known, given.known_classes, given.asked.round(3) + 0.0,
                         given.asked_classes)
            ),
            {"scaled by 1e-06"},
        ),
        (lambda given: float(np.mean(given.asked_classes[:5] == np.arange(5))),
         {"noise", "one sample repeated", "rows in another order"}),
    ],
    ids=["always best", "always chance", "gives up", "rounds", "looks at the order"],
)  # fmt: skip
def test_controls_catch_a_measure_that_is_not(say, caught):
    assert failed(say) == caught


def test_variances_within_classes_pass_their_controls():
    assert all(each.passed for each in variance_controls(["projector_within"]))
    found = simulation_controls({"within_variance", "view_spread", "total_variance"})
    assert {each.measure for each in found} == {
        "within_variance", "view_spread", "total_variance",
    }  # fmt: skip
    assert all(each.passed for each in found)


def test_true_labels_are_a_perfect_ranking_and_shuffled_ones_are_not():
    measures = ("kendall_tau", "precision_at_1pct", "precision_at_5pct", "regret_at_10")
    found = ranking_controls("nb201/cifar10", measures, 78)
    assert {each.measure for each in found} == set(measures)
    assert all(each.passed for each in found), [each for each in found if not each.passed]
    by = {(each.measure, each.control): each.value for each in found}
    assert by["kendall_tau", "true labels"] == 1
    assert by["regret_at_10", "true labels"] == 0
