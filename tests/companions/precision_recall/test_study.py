import json
import shutil
from contextlib import nullcontext

import numpy as np
import pytest

from nasrank.companions.precision_recall import features, material, worker
from nasrank.companions.precision_recall.options import TheoryConfig, TrainConfig
from nasrank.companions.precision_recall.tables import FRONTIERS, PR, TARGETS
from nasrank.errors import DataError, NothingToCompare, UsageError
from nasrank.study.claims import CLAIMS
from nasrank.study.conduct import conduct, estimate

QUICK = {"steps": 3, "seeds": 2, "lambdas": (0.1, 1.0, 10.0), "batch_size": 8, "device": "cpu"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Fewer points to measure with, and a shorter training of the classifier."""
    monkeypatch.setattr(material, "_MOST_REAL", 300)
    monkeypatch.setattr(worker, "_TRUTH_DRAWS", 3_000)
    monkeypatch.setattr(features, "_STEPS", 20)
    material.load_material.cache_clear()
    yield
    material.load_material.cache_clear()


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32))
    return str(path)


def test_a_grid_is_trained_once_and_written(tmp_path):
    config = TrainConfig(methods=("pr", "naive", "hinge", "data"), **QUICK)
    planned = estimate(config, tmp_path)
    assert (planned.runs, planned.finished) == (15, 0)
    first = conduct(config, tmp_path)
    assert (first.computed, first.left_out) == (15, ())
    assert estimate(config, tmp_path).finished == 15
    again = conduct(config, tmp_path, only_cached=True)
    assert again.computed == 0
    assert again.tables == first.tables
    rows = PR.read(tmp_path / "pr.parquet")
    assert rows == first.tables["pr"]
    known = {row["method"]: row for row in rows}
    assert known["data"]["precision"] > 0.95
    assert known["data"]["recall"] > 0.95
    assert known["pr"]["true_alpha_10"] is not None
    # The data's own row is what a perfect model would read.
    assert 0.8 < known["data"]["true_alpha_1"] < 1
    assert known["data"]["modes_found"] == 8
    assert known["hinge"]["objective"] is None
    points = FRONTIERS.read(tmp_path / "pr_frontiers.parquet")
    assert {point["kind"] for point in points} == {"grid", "classifier"}
    assert all(point["beta"] <= 1 + 1e-9 for point in points)
    claims = CLAIMS.read(tmp_path / "claims.parquet")
    assert {claim["verdict"] for claim in claims} == {"undecided"}
    assert json.loads((tmp_path / "run.json").read_text())["config"]["data"] == "ring"


def test_a_run_does_not_depend_on_its_company(tmp_path):
    few = conduct(TrainConfig(methods=("pr",), **{**QUICK, "lambdas": (1.0,)}), tmp_path / "few")
    many = conduct(TrainConfig(methods=("hinge", "pr"), **QUICK), tmp_path / "many")
    by_id = {row["run_id"]: row for row in many.tables["pr"]}
    for row in few.tables["pr"]:
        assert row["recall"] == pytest.approx(by_id[row["run_id"]]["recall"], abs=0.005)
        assert row["true_alpha_1"] == pytest.approx(by_id[row["run_id"]]["true_alpha_1"], abs=1e-3)


def test_nothing_is_trained_where_that_was_asked(tmp_path):
    with pytest.raises(NothingToCompare):
        conduct(TrainConfig(**QUICK), tmp_path, only_cached=True)


def test_vectors_of_ones_own_and_models_kept(tmp_path, vectors):
    config = TrainConfig(data=vectors, methods=("pr", "tuned", "hinge"), keep_models=True, **QUICK)
    result = conduct(config, tmp_path)
    row = result.tables["pr"][0]
    assert row["measure"] == "5-NN on standardised vectors"
    assert row["true_alpha_1"] is None
    model = tmp_path / "models" / f"{result.tables['pr'][-1]['run_id']}.npz"
    tuned = conduct(
        TrainConfig(data=vectors, methods=("pr",), fine_tune=model, **QUICK), tmp_path / "tuned"
    )
    assert {row["start"] for row in tuned.tables["pr"]} != {None}
    wider = TrainConfig(data=vectors, methods=("pr",), fine_tune=model, width=5, **QUICK)
    with pytest.raises(DataError, match="another model"):
        conduct(wider, tmp_path / "wider")
    with pytest.raises(DataError, match="--keep-models"):
        estimate(wider.model_copy(update={"fine_tune": tmp_path / "none.npz"}), tmp_path)


def test_steps_of_ones_own_keep_who_starts_from_the_checkpoint(tmp_path, vectors):
    first = conduct(
        TrainConfig(data=vectors, methods=("hinge",), keep_models=True, **{**QUICK, "seeds": 1}),
        tmp_path / "a",
    )
    model = tmp_path / "a" / "models" / f"{first.tables['pr'][0]['run_id']}.npz"
    alone = first.tables["pr"][0]
    for methods in (("pr", "hinge"), ("hinge", "pr")):
        # The same number of steps with and without a checkpoint.
        config = TrainConfig(
            data=vectors, methods=methods, fine_tune=model, **{**QUICK, "seeds": 1}
        )
        rows = conduct(config, tmp_path / methods[0]).tables["pr"]
        (hinge,) = (row for row in rows if row["method"] == "hinge")
        assert hinge["run_id"] == alone["run_id"]
        assert hinge["gradient_norm"] == pytest.approx(alone["gradient_norm"], rel=1e-4)
        assert all(row["start"] is not None for row in rows if row["method"] == "pr")


def test_fewer_training_samples_than_test_samples(tmp_path):
    config = TrainConfig(data="digits", train_limit=40, methods=("data",), **QUICK)
    (row,) = conduct(config, tmp_path).tables["pr"]
    assert 0 < row["classifier_alpha_1"] <= 1


def test_more_neighbours_than_samples(tmp_path, vectors):
    with pytest.raises(DataError, match="--neighbours"):
        conduct(TrainConfig(data=vectors, neighbours=30, **QUICK), tmp_path)


def test_flows(tmp_path, vectors):
    pytest.importorskip("zuko")
    config = TrainConfig(data=vectors, models=("flow",), methods=("pr", "mle"), **QUICK)
    rows = conduct(config, tmp_path).tables["pr"]
    known = {row["method"]: row for row in rows}
    # What precedes adversarial training is not counted as its own.
    assert known["pr"]["steps"] == known["mle"]["steps"] == 3
    assert known["mle"]["saturation"] is None
    assert known["pr"]["saturation"] is not None
    assert not any(row["diverged"] for row in rows)


def test_images_with_both_generators(tmp_path):
    pytest.importorskip("sklearn")
    config = TrainConfig(
        data="digits", models=("mlp", "conv"), methods=("pr",), train_limit=100, **QUICK
    )
    result = conduct(config, tmp_path)
    samples, shape = result.shown
    assert shape == (1, 8, 8)
    for row in result.tables["pr"]:
        assert "classifier" in row["measure"]
        assert len(samples[row["run_id"]]) == 10 * 64


def test_rare_modes(tmp_path):
    weights = (0.5, 0.3, 0.1, 0.05, 0.02, 0.01, 0.01, 0.01)
    config = TrainConfig(methods=("pr",), mode_weights=weights, **QUICK)
    rows = conduct(config, tmp_path).tables["pr"]
    assert all(0 <= row["rare_recall"] <= 1 for row in rows)


def test_a_target(tmp_path):
    config = TrainConfig(methods=("pr",), target_recall=0.999, **QUICK)
    # Both ends and six halvings.
    assert estimate(config, tmp_path).runs == 16
    result = conduct(config, tmp_path)
    rows = TARGETS.read(tmp_path / "pr_targets.parquet")
    assert rows == result.tables["pr_targets"]
    assert [row["lambda"] for row in rows[:2]] == [0.1, 10.0]
    assert sum(row["chosen"] for row in rows) == 1
    assert rows[0]["generator_steps"] == 6


def test_a_search_is_resumed_and_read_again(tmp_path):
    config = TrainConfig(methods=("pr",), target_precision=0.7, **QUICK)
    first = conduct(config, tmp_path)
    again = conduct(config, tmp_path)
    assert again.computed == 0
    assert again.tables == first.tables
    assert again.record == first.record
    assert first.record["lambda"] in {row["lambda"] for row in first.rows}
    assert len(first.tables["pr"]) == 2 * len(first.rows) == first.computed
    # The search stops where its models are missing.
    gone = first.rows[-1]["lambda"]
    for row in first.tables["pr"]:
        if row["lambda"] == gone:
            (tmp_path / "runs.d" / f"{row['run_id']}.parquet").unlink()
    (tmp_path / "pr.parquet").unlink()
    cached = conduct(config, tmp_path, only_cached=True)
    assert [row["lambda"] for row in cached.rows] == [row["lambda"] for row in first.rows[:-1]]
    assert cached.left_out == (
        f"2 of {len(first.tables['pr'])} models are missing from {tmp_path / 'runs.d'}",
        f"models for lambda {gone:.3g}, the next to try",
    )
    assert conduct(config, tmp_path).rows[-1]["lambda"] == gone


def test_finished_models_are_found_in_the_final_tables(tmp_path):
    config = TrainConfig(methods=("pr", "hinge", "data"), **QUICK)
    first = conduct(config, tmp_path)
    shutil.rmtree(tmp_path / "runs.d")
    again = conduct(config, tmp_path, only_cached=True)
    assert again.tables == first.tables
    samples, _ = again.shown
    assert set(samples.values()) == {None}


class Heard:
    """Notes what progress is told."""

    def __init__(self):
        self.starts, self.work, self.runs = [], 0, 0

    def start(self, work, runs, finished):
        self.starts.append((work, runs, finished))

    def advance(self, work):
        self.work += work

    def saved(self, runs):
        self.runs += runs

    def stage(self, _what):
        return nullcontext(lambda _done, _of: None)


def test_progress_adds_up(tmp_path):
    heard = Heard()
    conduct(TrainConfig(methods=("pr", "data"), **QUICK), tmp_path / "grid", progress=heard)
    # Six models of three steps and a measurement each, and one measurement.
    assert heard.starts == [(25, 7, 0)]
    assert (heard.work, heard.runs) == (25, 7)
    heard = Heard()
    config = TrainConfig(methods=("pr",), target_precision=0.7, **QUICK)
    done = conduct(config, tmp_path / "target", progress=heard)
    # Both ends at once, then one lambda after the other.
    assert heard.starts[0] == (16, 4, 0)
    assert set(heard.starts[1:]) <= {(8, 2, 0)}
    assert heard.runs == done.computed == 2 * len(done.rows)
    assert heard.work == 4 * heard.runs


def test_a_model_that_diverges_has_a_row_and_the_others_too(tmp_path, monkeypatch):
    whole = worker.fit

    def broken(*arguments, **options):
        trained = whole(*arguments, **options)
        for weight in trained.weights.values():
            weight[0] = float("nan")
        return trained

    monkeypatch.setattr(worker, "fit", broken)
    rows = conduct(TrainConfig(methods=("pr",), **QUICK), tmp_path).tables["pr"]
    assert [row["diverged"] for row in rows] == [True, *[False] * 5]
    assert rows[0]["precision"] is None
    assert rows[1]["precision"] is not None


def test_theory_is_written(tmp_path):
    result = conduct(TheoryConfig(pair="ring", modes=4, lambdas=(0.5, 2.0)), tmp_path)
    assert [round(row["alpha"], 2) for row in result.rows] == [0.25, 1.0]
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "pr_theory.parquet", "pr_conjugate.parquet", "pr_rebuilt.parquet", "pr_weights.parquet",
        "run.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pair": "ring", "p": (1.0, 2.0)}, "--p is an option of --pair discrete"),
        ({"modes": 3}, "--modes is an option of --pair ring"),
    ],
)
def test_options_of_another_pair(tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        conduct(TheoryConfig(**options), tmp_path)
