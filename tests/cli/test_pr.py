"""``nasrank pr``, typed as a user would type it."""

import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.companions.precision_recall import material, worker
from nasrank.errors import NasrankError

QUICK = (
    "--steps",
    "3",
    "--batch-size",
    "8",
    "--seeds",
    "2",
    "--lambdas",
    "0.1,1,10",
    "--device",
    "cpu",
)


def nasrank(*arguments):
    done = CliRunner().invoke(app, ["pr", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, warm_cache):
    # Fewer points to measure with.
    monkeypatch.setattr(material, "_MOST_REAL", 300)
    monkeypatch.setattr(worker, "_TRUTH_DRAWS", 3_000)
    material.load_material.cache_clear()
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_theory_for_people():
    done = nasrank("theory", "--lambdas", "0.2,1,5")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "data N(1, 1^2), model N(0, 1)"
    assert lines[4].split() == ["0.2", "0.190729", "0.953646", "0.009271", "0", "1"]
    assert any(line.split()[:1] == ["chi2"] and "1.71828183" in line for line in lines)
    assert "looks at recall" in done.stdout


def test_theory_for_machines(elsewhere):
    done = nasrank("theory", "--pair", "discrete", "--p", "1,1", "--q", "1,3", "--lambdas", "1",
                   "--format", "json", "--out", "there")  # fmt: skip
    content = json.loads(done.stdout)
    # min(1/2, 1/4) + min(1/2, 3/4) = 3/4
    tables = content["tables"]
    assert tables["pr_theory"][0]["alpha"] == pytest.approx(0.75)
    known = {row["divergence"]: row for row in tables["pr_rebuilt"]}
    assert known["tv"]["rebuilt"] == pytest.approx(0.25)
    assert known["kl"]["rebuilt"] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert {path.name for path in (elsewhere / "there").iterdir()} >= {
        "pr_theory.parquet", "pr_conjugate.parquet", "pr_rebuilt.parquet", "pr_weights.parquet",
        "weights.svg", "frontier.svg",
    }  # fmt: skip
    listed = list(csv.DictReader(io.StringIO(nasrank("theory", "--format", "csv").stdout)))
    assert len(listed) == 7
    assert (elsewhere / "nasrank-out" / "pr" / "theory" / "pr_theory.parquet").exists()


def test_training_for_people_and_for_machines(elsewhere):
    done = nasrank("train", *QUICK)
    assert done.exit_code == 0
    assert done.stdout.startswith("ring, mlp, 2 seeds\n")
    assert "±" in done.stdout
    for words in ("5-NN on points; truth by a grid", "Claims", "true", "hinge", "undecided"):
        assert words in done.stdout
    folder = elsewhere / "nasrank-out" / "pr" / "train"
    assert {path.name for path in folder.iterdir()} >= {
        "pr.parquet", "pr_frontiers.parquet", "claims.parquet", "run.json", "ring-mlp-lambda.svg",
        "ring-mlp-frontiers.svg", "ring-mlp-samples.svg",
    }  # fmt: skip
    assert "tables: nasrank-out/pr/train" in done.stderr
    again = nasrank("train", *QUICK, "--only-cached", "--quiet")
    assert again.stdout == done.stdout
    assert again.stderr == ""

    document = json.loads(nasrank("train", *QUICK, "--format", "json", "--quiet").stdout)
    rows = document["tables"]["pr"]
    assert document["tables"].keys() == {"pr", "pr_frontiers", "controls"}
    assert document["claims"]
    assert len(rows) == 9
    assert {row["method"] for row in rows} == {"pr", "hinge", "data"}
    table = nasrank("train", *QUICK, "--format", "csv", "--quiet").stdout
    assert [row["run_id"] for row in csv.DictReader(io.StringIO(table))] == [
        row["run_id"] for row in rows
    ]


def test_a_dry_run_writes_nothing(elsewhere):
    done = nasrank("train", *QUICK, "--dry-run", "--format", "json")
    row = json.loads(done.stdout)["answer"]
    assert (row["runs"], row["to_do"]) == (9, 9)
    assert not (elsewhere / "nasrank-out").exists()


def test_from_a_goal_to_lambda():
    done = nasrank("train", *QUICK, "--methods", "pr", "--target-precision", "0.99")
    assert done.exit_code == 0
    assert "from precision 0.99 to lambda" in done.stdout
    assert "not reached: the best is precision" in done.stdout
    listed = nasrank("train", *QUICK, "--methods", "pr", "--target-precision", "0.99",
                     "--only-cached", "--format", "csv").stdout  # fmt: skip
    assert listed.startswith("data,target,wanted,step,lambda")


def test_options_from_a_file(elsewhere):
    (elsewhere / "own.toml").write_text(
        'data = "ring"\nsteps = 2\nbatch-size = 8\nseeds = 1\nlambdas = [1.0]\nout = "there"\n'
    )
    assert nasrank("train", "--config", "own.toml", "--quiet").exit_code == 0
    assert (elsewhere / "there" / "pr.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("theory", "--lambdas", "0"), 2, "--lambdas 0.0"),
        (("theory", "--pair", "gaussian"), 2, "Did you mean 'gaussians'"),
        (("theory", "--pair", "samples"), 2, "--samples"),
        (("theory", "--pair", "samples", "--samples", "none.parquet"), 4, "no such file"),
        (("theory", "--sd", "-1"), 2, "--sd -1.0"),
        (("theory", "--modes", "3"), 2, "--pair ring"),
        (("theory", "--p", "1,x"), 2, "--p"),
        (("train", "--lambdas", "1,-1"), 2, "--lambdas -1.0"),
        (("train", "--lambdas", "a"), 2, "--lambdas"),
        (("train", "--data", "rings"), 2, "Did you mean 'ring'"),
        (("train", "--data", "none.npy"), 4, "none.npy"),
        (("train", "--data", "fashion-mnist", "--data-dir", "."), 4,
         "apt install dataset-fashion-mnist"),
        (("train", "--data", "flat.npy"), 4, "all samples are the same"),
        (("train", "--data", "few.npy"), 4, "--neighbours"),
        (("train", "--data", "odd.npy", "--models", "conv"), 2, "divide by 4"),
        (("train", "--data", "odd.npy", "--side", "5"), 2, "--side 5"),
        (("train", "--data", "cube.npy"), 4, "shape"),
        (("train", "--fine-tune", "none.npz"), 4, "--keep-models"),
        (("train", "--fine-tune", "flat.npy"), 4, "plain arrays"),
        (("train", "--target-precision", "1.5"), 2, "--target-precision"),
        (("train", "--mode-weights", "1,2"), 2, "8 numbers"),
        (("train", "--side", "4"), 2, "--side has no meaning for ring"),
        (("train", "--only-cached", "--force"), 2, "leave one out"),
        (("train", "--only-cached"), 5, "--only-cached"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_line(elsewhere, arguments, code, words):
    rng = np.random.default_rng(0)
    np.save(elsewhere / "flat.npy", np.ones((50, 3), np.float32))
    np.save(elsewhere / "few.npy", rng.random((9, 3)).astype(np.float32))
    np.save(elsewhere / "odd.npy", rng.random((40, 1, 10, 6)).astype(np.float32))
    np.save(elsewhere / "cube.npy", rng.random((40, 3, 10)).astype(np.float32))
    done = nasrank(*arguments)
    assert done.exception.exit_code == code, done.output
    message = str(done.exception)
    assert words in message
    assert "\n" not in message
