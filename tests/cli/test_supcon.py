"""``nasrank supcon``, typed as a user would type it."""

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import NasrankError


def nasrank(*arguments):
    done = CliRunner().invoke(app, ["supcon", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vectors(elsewhere):
    """Four blobs of vectors, as a NumPy file."""
    rng = np.random.default_rng(0)
    classes = np.tile(np.arange(4), 30)
    np.savez("blobs.npz", values=2 * np.eye(4, 6)[classes] + 0.3 * rng.normal(size=(120, 6)),
             classes=classes)  # fmt: skip
    return "blobs.npz"


def test_theory_as_a_table():
    done = nasrank("theory", "--classes", "2", "--instances", "3", "--temperatures",
                   "1", "--alphas", "0.4,0.7,1", "--quiet")  # fmt: skip
    lines = done.stdout.splitlines()
    rows = [line.split() for line in lines if "included" in line]
    assert [row[6] for row in rows] == ["0.4923"] * 3
    assert [row[8:10] for row in rows] == [
        ["collapse", "0.0000"], ["spread", "0.3341"], ["spread", "0.8000"],
    ]  # fmt: skip
    assert rows[2][7] == "never"
    assert done.stderr == ""


def test_theory_for_machines(elsewhere):
    options = ("--alphas", "0.2,0.5", "--anchors", "included", "--out", "there")
    done = nasrank("theory", *options, "--format", "json")
    rows = json.loads(done.stdout)["tables"]["theory"]
    assert [round(row["within_variance"], 4) for row in rows] == [0.2446, 0.3802]
    assert "tables: there" in done.stderr
    assert (elsewhere / "there" / "theory.parquet").exists()
    assert (elsewhere / "there" / "phases.svg").exists()
    listed = csv.DictReader(io.StringIO(nasrank("theory", *options, "--format", "csv").stdout))
    assert [row["collapsed"] for row in listed] == ["false", "false"]


def test_the_gram_matrix():
    done = nasrank("theory", "--classes", "2", "--instances", "2", "--alphas", "1", "--anchors",
                   "included", "--gram", "--format", "json")  # fmt: skip
    rows = json.loads(done.stdout)["tables"]["gram"]
    assert [(row["class"], row["instance"], row["view"]) for row in rows][:3] == [
        (1, 1, 1), (1, 1, 2), (1, 2, 1),
    ]  # fmt: skip
    # Four points make one simplex.
    assert [round(rows[0][str(n)], 4) for n in range(1, 9)] == [1, 1] + [-0.3333] * 6


def test_simulate(elsewhere):
    options = ("--shapes", "2x2", "--temperatures", "1", "--alphas", "0,1", "--steps", "300",
               "--seeds", "1")  # fmt: skip
    plan = json.loads(nasrank("simulate", *options, "--dry-run", "--format", "json").stdout)
    assert (plan["answer"]["to_do"], plan["answer"]["folder"]) == (
        4,
        "nasrank-out/supcon/simulate",
    )
    assert not (elsewhere / "nasrank-out").exists()
    done = nasrank("simulate", *options)
    assert done.stdout.startswith("Gradient descent against theory, 1 seed")
    assert "undecided with fewer than 5 seeds" in done.stdout
    folder = elsewhere / "nasrank-out" / "supcon" / "simulate"
    assert {"simulate.parquet", "claims.parquet", "simulate.svg", "run.json"} <= {
        path.name for path in folder.iterdir()
    }
    whole = json.loads(nasrank("simulate", *options, "--format", "json", "--only-cached").stdout)
    assert len(whole["claims"]) == 4
    rows = whole["tables"]["simulate"]
    assert [row["counted"] for row in rows] == [True, True, False, False]


def test_train(vectors, elsewhere):
    options = ("--data", vectors, "--alphas", "0,0.5,1", "--steps", "20", "--instances", "6",
               "--seeds", "2", "--out", "there")  # fmt: skip
    plan = json.loads(nasrank("train", *options, "--dry-run", "--format", "json").stdout)
    assert (plan["answer"]["runs"], plan["answer"]["to_do"]) == (6, 6)
    done = nasrank("train", *options, "--label-noises", "0,0.2", "--varied-alphas", "0")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("blobs.npz, mlp, included: 2 coarse classes x 6 instances")
    assert sum(line.startswith("base ") for line in lines) == 3
    assert sum(line.startswith("label noise 0.2 ") for line in lines) == 1
    assert "turned" not in done.stdout.split("Claims")[0]
    assert (elsewhere / "there" / "train.svg").exists()
    whole = json.loads(nasrank("train", *options, "--format", "json", "--quiet").stdout)
    rows = whole["tables"]["train"]
    assert len(rows) == 6
    assert whole["claims"]
    more = nasrank("train", *options, "--seeds", "3", "--only-cached")
    assert "left out: 3 of 9 encoders are missing from" in more.stderr
    assert "/" not in rows[0]["data"]


def test_train_from_a_file(vectors, elsewhere):
    (elsewhere / "own.toml").write_text(
        f'data = "{vectors}"\nalphas = [0.0]\nsteps = 10\ninstances = [4]\nout = "here"\n'
    )
    done = nasrank("train", "--config", "own.toml", "--seeds", "1", "--format", "json")
    assert len(json.loads(done.stdout)["tables"]["train"]) == 1
    assert (elsewhere / "here" / "train.parquet").exists()
    (elsewhere / "own.toml").write_text('data = "mnist"\ndata_dir = "nowhere"\n')
    assert "nowhere" in str(nasrank("train", "--config", "own.toml").exception)


def test_diagnose(vectors, elsewhere):
    done = nasrank("diagnose", vectors, "--suggest", "--alpha", "0.1", "--out", "there")
    assert "% of the variance lies within classes" in done.stdout
    assert "Theory for 4 classes, 16 instances, 2 views, temperature 0.1, anchor excluded:" in (
        done.stdout
    )
    assert "Suggested: alpha" in done.stdout
    assert (elsewhere / "there" / "diagnosis.parquet").exists()
    whole = json.loads(nasrank("diagnose", vectors, "--format", "json").stdout)
    record, rows = whole["answer"], whole["tables"]["diagnosis"]
    assert record["guideline"]["suggested"] is None
    assert record["guideline"]["classes"] == 4
    assert len(rows) == 5
    listed = csv.DictReader(io.StringIO(nasrank("diagnose", vectors, "--format", "csv").stdout))
    assert [row["verdict"] for row in listed] == [row["verdict"] for row in rows]
    assert rows[0]["verdict"] == record["verdict"]


def test_a_suggestion_is_checked_against_a_sweep(vectors):
    nasrank("train", "--data", vectors, "--alphas", "0,0.5", "--steps", "10", "--instances", "4",
            "--seeds", "1", "--out", "sweep")  # fmt: skip
    done = nasrank("diagnose", vectors, "--suggest", "--sweep", "sweep")
    assert "with alpha 0.5, the nearest; at best" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["theory", "--alphas", "1.5"], 2, "--alphas 1.5"),
        (["theory", "--alphas", "half"], 2, "--alphas 'half'"),
        (["theory", "--alphas", "nan"], 2, "--alphas nan"),
        (["theory", "--temperatures", "0"], 2, "--temperatures 0"),
        (["theory", "--classes", "1"], 2, "--classes 1"),
        (["theory", "--instances", "1"], 2, "--instances 1"),
        (["theory", "--instances", "2.5"], 2, "--instances '2.5'"),
        (["theory", "--views", "1"], 2, "--views 2"),
        (["theory", "--classes", "9" * 30], 2, "1000000000"),
        (["theory", "--anchors", "in"], 2, "unknown anchor"),
        (["theory", "--gram"], 2, "--gram"),
        (["theory", "--gram", "--alphas", "0", "--anchors", "included"], 2, "too long"),
        (["simulate", "--shapes", "3"], 2, "--shapes '3'"),
        (["simulate", "--steps", "1"], 2, "--steps 1"),
        (["simulate", "--device", "tpu"], 2, "unknown device"),
        (["simulate", "--only-cached", "--force"], 2, "leave one out"),
        (["simulate", "--only-cached"], 5, "none of the"),
        (["simulate", "--config", "nowhere.toml"], 4, "nowhere.toml"),
        (["train", "--data", "diggits"], 2, "unknown data set"),
        (["train", "--data", "no.npz"], 4, "no.npz"),
        (["train", "--data", "mnist", "--data-dir", "nowhere"], 4, "nowhere"),
        (["train", "--seeds", "0"], 2, "--seeds 0"),
        (["diagnose", "no.parquet", "--label", "k"], 4, "no such file"),
        (["diagnose", "no.txt"], 2, ".parquet"),
        (["diagnose"], 2, "EMBEDDINGS is missing"),
        (["diagnose", "no.npz", "--sweep", "x"], 2, "--suggest"),
    ],
)
def test_what_is_invalid_or_missing(arguments, code, text):
    with pytest.raises(NasrankError) as caught:
        CliRunner().invoke(app, ["supcon", *arguments], catch_exceptions=False)
    assert caught.value.exit_code == code
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_embeddings_with_nan(elsewhere):
    np.savez("bad.npz", values=np.array([[1.0, np.nan]]), classes=np.array([0]))
    with pytest.raises(NasrankError, match="row 0 holds NaN"):
        CliRunner().invoke(app, ["supcon", "diagnose", "bad.npz"], catch_exceptions=False)
