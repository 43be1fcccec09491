"""The whole of ``rank`` on spaces whose truth is known."""

import json

import numpy as np
import pytest

from nasrank.errors import DataError, UsageError
from nasrank.predictors import auto, kernel
from nasrank.predictors.auto import CANDIDATES
from nasrank.questions.rank.case import load_case
from nasrank.questions.rank.options import RankConfig
from nasrank.questions.rank.scorer import ProxyScale
from nasrank.questions.rank.tables import CALIBRATION, RACE, RANKING
from nasrank.study.conduct import conduct
from nasrank.tables import read_parquet


@pytest.fixture(autouse=True)
def _cache(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


def quick(space="nb201/cifar10", **options):
    return RankConfig(
        **{"space": space, "predictor": "mlp", "loss": "listmle", "ensemble": 2} | options
    )


def test_a_benchmark_with_labels_held_back(tmp_path):
    found = conduct(quick(n_train=78, top=15, confidence=0.8), tmp_path)
    truth = found.record["held_back"]
    assert truth["kendall_tau"] > 0.6
    assert truth["best_rank_in_list"] < 200
    rows = RANKING.read(tmp_path / "ranking.parquet")
    assert rows == found.rows
    assert [row["rank"] for row in rows] == list(range(1, 16))
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    for row in rows:
        assert row["value_lower"] < row["value"] < row["value_upper"]
        assert row["uncertainty"] >= 0
        assert row["nearest_label"] <= found.record["best_known"]["label"]
    assert truth["best_in_list"] == max(row["label"] for row in rows)
    held = CALIBRATION.read(tmp_path / "calibration.parquet")
    assert len(held) == 78
    assert json.loads((tmp_path / "answer.json").read_text())["held_back"] == truth
    about = json.loads((tmp_path / "run.json").read_text())
    assert (about["task"], about["loss"]) == ("nb201/cifar10", "listmle")
    assert not (tmp_path / "choice.parquet").exists()


def test_intervals_hold_about_their_share_of_a_benchmark(tmp_path):
    shares = []
    for seed in range(4):
        config = quick(n_train=100, seed=seed, confidence=0.8, ensemble=1, top=1)
        shares.append(conduct(config, tmp_path).record["held_back"]["coverage"])
    assert 0.7 < np.mean(shares) < 0.9


def test_lower_is_better_is_turned_round(tmp_path):
    found = conduct(quick("nb201/cifar10:latency", n_train=60, top=5), tmp_path)
    values = [row["value"] for row in found.rows]
    assert values == sorted(values)
    assert found.record["better"] == "lower"
    labels = [row["label"] for row in found.tables["calibration"]]
    assert found.record["best_known"]["label"] == min(labels) > 0
    assert found.record["held_back"]["best_in_list"] == min(row["label"] for row in found.rows)
    for row in found.rows:
        assert row["value_lower"] < row["value"] < row["value_upper"]


def test_a_diverse_list_is_more_spread_out(tmp_path):
    plain = conduct(quick(n_train=78, top=10), tmp_path / "a")
    spread = conduct(quick(n_train=78, top=10, diverse=True), tmp_path / "b")
    assert spread.rows[0]["id"] == plain.rows[0]["id"]
    assert [row["rank"] for row in spread.rows] == list(range(1, 11))
    assert max(row["score_rank"] for row in spread.rows) > 10


def test_every_score_on_request(tmp_path):
    found = conduct(quick(n_train=40, all_scores=True, top=3), tmp_path)
    table = read_parquet(tmp_path / "scores" / "space" / "part-000000.parquet").to_pylist()
    assert len(table) == found.record["candidates"]
    best = max(table, key=lambda row: row["score"])
    assert best["score"] == found.rows[0]["score"]
    conduct(quick(n_train=40, top=3), tmp_path)
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_train": 40, "update": "x.csv"}, "leave one out"),
        ({"loss": "hr", "losses": ("mse",), "n_train": 40}, "leave out one of the two"),
        ({"loss": "nonsense", "n_train": 40}, "unknown loss"),
        ({"predictor": "nonsense", "n_train": 40}, "unknown predictor"),
        ({"space": "nonsense"}, "unknown space"),
        ({"n_train": 1}, "--n-train 1"),
    ],
)
def test_what_is_refused(options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        conduct(quick(**options), tmp_path)
    assert not (tmp_path / "run.json").exists()


def test_a_choice_of_an_earlier_list_does_not_stay(tmp_path):
    chosen = conduct(quick(n_train=40, top=3, loss="auto", losses=("mse", "hr")), tmp_path)
    assert {row["loss"] for row in chosen.tables["choice"]} == {"mse", "hr"}
    assert chosen.record["choice"]["folds"] == 5
    assert (tmp_path / "choice.parquet").exists()
    conduct(quick(n_train=40, top=3), tmp_path)
    assert not (tmp_path / "choice.parquet").exists()


def test_as_a_function_of_the_library(tmp_path):
    import nasrank as nr

    given = {"space": "nb201/cifar10", "n_train": 40, "predictor": "mlp", "loss": "hr", "top": 3}
    assert len(nr.rank(**given, out=tmp_path).frame()) == 3
    with pytest.raises(UsageError, match="--space is missing"):
        nr.rank()


def test_a_space_without_candidates(tmp_path):
    with pytest.raises(DataError, match="every architecture is evaluated"):
        conduct(quick(), tmp_path)


def test_a_predictor_with_doubt_of_its_own(tmp_path):
    found = conduct(quick(predictor="gp", loss="auto", n_train=40, top=3), tmp_path)
    assert found.record["choice"] is None
    assert found.record["loss"] == "mse(targets=robust)"
    assert all(row["uncertainty"] > 0 for row in found.rows)


@pytest.fixture(name="small_race")
def _small_race(monkeypatch):
    """Fewer trees and folds: what is tested does not depend on their number."""
    pytest.importorskip("sklearn", reason="boosting is among the candidates")
    monkeypatch.setattr(auto, "_BOOSTERS", {"rounds": 10, "ensemble": 1})
    monkeypatch.setattr(auto, "_REPEATS", ())
    monkeypatch.setattr(kernel, "_REPEATS", 1)


@pytest.mark.usefixtures("small_race")
def test_the_default_races_predictors_and_says_what_it_chose(own_space, tmp_path):
    own_space(60, 30)
    config = RankConfig(space="my-space", loss="auto", losses=("listmle", "lr"), top=4)
    found = conduct(config, tmp_path / "out")
    race = RACE.read(tmp_path / "out" / "race.parquet")
    assert {row["predictor"] for row in race} == set(CANDIDATES)
    assert sum(row["weight"] for row in race) == pytest.approx(1)
    assert race[0]["weight"] == max(row["weight"] for row in race)
    assert found.record["predictor"] == "auto"
    assert "share the score" in found.record["mixture"]["reason"]
    # One kernel for both losses, and folds on which each chose its penalty.
    assert {row["loss"] for row in found.tables["choice"]} == {"listmle", "lr"}
    assert found.record["choice"]["folds"] == 5
    assert all(row["uncertainty"] > 0 for row in found.rows)
    assert found.record["calibration"]["kendall_tau"] > 0.5
    conduct(RankConfig(space="my-space", predictor="gp", top=4), tmp_path / "out")
    assert not (tmp_path / "out" / "race.parquet").exists()


def test_proxies_are_used_where_they_are_asked_for(own_space, tmp_path, monkeypatch):
    own_space(40, 20)
    case = load_case("my-space/own")
    raw = {
        name: np.array([place, -float(place % 7)])
        for place, name in enumerate(keys_of(case.graphs))
    }

    def known(graphs):
        return np.stack([raw.get(name, np.zeros(2)) for name in keys_of(graphs)])

    monkeypatch.setattr("nasrank.questions.rank.scorer.compute_proxies", known)
    monkeypatch.setattr(
        "nasrank.questions.rank.scorer.space_proxies", lambda _name, graphs: known(graphs)
    )
    scale = ProxyScale.of(case)
    np.testing.assert_allclose(scale.read(case.graphs[[5, 3]]), scale.of_space[[5, 3]])
    config = RankConfig(space="my-space", predictor="gp(features=proxies)", loss="auto", top=3)
    told = conduct(config, tmp_path / "out")
    assert told.record["predictor"] == "gp(features=proxies)"
    assert len(told.rows) == 3


def keys_of(graphs):
    """What tells graphs apart, whatever their padding."""
    return [
        (graphs.operations[item][mask].tobytes(), graphs.adjacency[item][mask][:, mask].tobytes())
        for item, mask in enumerate(graphs.mask)
    ]
