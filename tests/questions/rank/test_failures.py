"""What ``rank`` makes of trainings that failed, on a space of settings alone."""

import numpy as np
import pytest

from nasrank.benchmarks.importers import Imported, Measurement
from nasrank.benchmarks.importers.merge import save
from nasrank.benchmarks.space import Metric
from nasrank.errors import DataError
from nasrank.graphs import GraphBatch
from nasrank.graphs.settings import Setting, Settings
from nasrank.questions.rank.case import load_case
from nasrank.questions.rank.options import RankConfig
from nasrank.questions.rank.tables import RANKING
from nasrank.study.conduct import conduct

LOSS = Metric("loss", "1", False, "a loss")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))


def save_trials(rng, labelled=50, failed=12, free=120):
    """Trials of two settings, of which those with the highest rates failed."""
    rows = labelled + failed + free
    rate, depth = 10 ** rng.uniform(-5, -1, rows), rng.integers(1, 9, rows)
    loss = (np.log10(rate) + 3.5) ** 2 + 0.3 * abs(depth - 5) + rng.normal(0, 0.05, rows)
    known = rng.permutation(rows)[: labelled + failed]
    broken = known[np.argsort(-rate[known])[:failed]]
    kept = np.full(rows, np.nan)
    kept[known] = loss[known]
    kept[broken] = np.nan
    settings = Settings(
        (Setting("lr", "number", "log"), Setting("depth", "number")),
        np.stack([rate, depth.astype(float)], axis=1),
    )
    save(
        Imported(
            space="trials",
            title="Trials",
            architectures=tuple(f"t{row}" for row in range(rows)),
            graphs=GraphBatch.of_settings(settings),
            drop=(),
            contract=(),
            measurements=(
                Measurement("own", LOSS, kept[:, None], np.isin(np.arange(rows), broken)),
            ),
            cost_seconds={},
            parameters=None,
            chance={},
            note="",
            source="trials",
            licence="",
            citation="",
        )
    )
    return loss, broken, np.setdiff1d(np.arange(rows), known)


def test_failed_trials_are_learnt_from_and_not_proposed(tmp_path):
    loss, broken, free = save_trials(np.random.default_rng(0))
    case = load_case("trials/own")
    assert len(case.items) == 62
    worst = case.labels.min()
    for name, label in zip(case.names, case.labels.tolist(), strict=True):
        assert (int(name[1:]) in broken) <= (label == worst)
    found = conduct(
        RankConfig(space="trials", predictor="gnn", loss="listmle", ensemble=1, top=20), tmp_path
    )
    assert "12 evaluated architectures failed" in " ".join(found.notes)
    rows = RANKING.read(tmp_path / "ranking.parquet")
    named = [int(row["id"][1:]) for row in rows]
    assert {*named} <= {*free.tolist()}
    # The list is far better than a blind draw of the same size.
    assert np.median(loss[named]) < np.quantile(loss[free], 0.3)


def test_what_is_in_the_way_of_scores_is_said_before_anything_is_trained(tmp_path, monkeypatch):
    save_trials(np.random.default_rng(0))
    out = tmp_path / "out"
    out.mkdir()
    (out / "scores").write_text("mine")

    def train(*_given):
        raise AssertionError("trained before the folder was looked at")

    monkeypatch.setattr("nasrank.questions.rank.study.learn", train)
    with pytest.raises(DataError, match=r"scores: cannot be written .*exists"):
        conduct(RankConfig(space="trials"), out)
    assert (out / "scores").read_text() == "mine"
