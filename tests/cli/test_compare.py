"""The main command, typed as a user would type it."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time
from types import SimpleNamespace
from unittest import mock

import pyarrow.parquet as pq
import pytest

from nasrank.cli import run

SMALL = ["--n-train", "20", "--seeds", "2", "--losses", "mse,listmle"]


def nasrank(*arguments):
    """Type a command, in this process: importing torch anew for each would take minutes."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "argv", ["nasrank", *arguments]),
    ):
        try:
            code = run()
        except SystemExit as leaving:
            code = leaving.code
    return SimpleNamespace(returncode=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    done = nasrank("compare", *SMALL, "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done


def test_the_table_names_every_loss_and_the_task(out):
    _, done = out
    assert "nb201/cifar10, gnn, 2 seeds" in done.stdout
    rows = [line.split()[:2] for line in done.stdout.splitlines() if " / " in line]
    assert rows == [["mse", "20"], ["listmle", "20"]]
    # Data on stdout, everything else on stderr.
    assert "saved" in done.stderr
    assert "saved after" not in done.stdout


def test_several_predictors_share_a_table(tmp_path):
    done = nasrank("compare", *SMALL, "--predictors", "gnn,gp", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["nb201/cifar10,", "2", "seeds"]
    rows = [line for line in lines if line and line[0] in {"gnn", "gp"}]
    assert [row[:3] for row in rows] == [
        ["gnn", "mse", "20"],
        ["gnn", "listmle", "20"],
        ["gp", "mse(targets=robust)", "20"],
    ]
    # Which is best is asked of all three.
    assert sum(row.count("*") for row in rows) == 3


def test_a_space_too_small_for_a_top_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    own = tmp_path / "archs.csv"
    lines = [
        f"a{n},input;{';'.join(['conv'] * (1 + n % 9) + ['pool'] * (n // 9))};output,"
        f"{';'.join(f'{step}-{step + 1}' for step in range(2 + n % 9 + n // 9))},{50 + n}"
        for n in range(60)
    ]
    own.write_text("\n".join(["id,operations,edges,label", *lines]))
    assert nasrank("data", "import", "mine", str(own)).returncode == 0
    done = nasrank(
        "compare", "--tasks", "mine/own", "--losses", "mse", "--n-train", "20", "--seeds", "2",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "No evaluations are counted: the top 0.1 % of so small a space" in done.stdout
    assert "mine/own, gnn, 2 seeds" in done.stdout


def test_the_folder_holds_every_table_and_no_part_of_one(out):
    folder, _ = out
    names = {path.stem for path in folder.glob("*.parquet")}
    assert {"headline", "runs", "discovery", "budget", "summary"} <= names
    assert {"run.json", "runs.d"} <= {path.name for path in folder.iterdir()}
    assert len(list((folder / "runs.d").iterdir())) == 4
    assert not list(folder.rglob("*.part"))
    config = json.loads((folder / "run.json").read_text())["config"]
    assert config["losses"] == ["mse", "listmle"]
    assert config["n_train"] == [20]


def test_a_second_call_trains_nothing_and_prints_the_same(out):
    folder, done = out
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs.d").iterdir()}
    again = nasrank("compare", *SMALL, "--out", str(folder))
    assert again.stdout == done.stdout
    assert "saved" not in again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "runs.d").iterdir()}


def test_json_and_csv_say_the_same(out):
    folder, _ = out
    shown = nasrank("compare", *SMALL, "--out", str(folder), "--format", "json").stdout
    rows = json.loads(shown)["tables"]["headline"]
    text = nasrank("compare", *SMALL, "--out", str(folder), "--format", "csv").stdout
    header, *lines = text.splitlines()
    assert header.split(",") == list(rows[0])
    assert len(lines) == len(rows) == 2
    assert {row["loss"] for row in rows} == {"mse", "listmle"}
    runs = pq.read_table(folder / "runs.parquet").to_pylist()
    for row in rows:
        own = [run["kendall_tau"] for run in runs if run["loss"] == row["loss"]]
        assert row["kendall_tau"] == pytest.approx(sum(own) / 2)


def test_quiet_says_nothing_beside_the_result(out):
    folder, done = out
    quiet = nasrank("compare", *SMALL, "--out", str(folder), "--quiet")
    assert quiet.stderr == ""
    assert quiet.stdout == done.stdout


def test_the_command_line_beats_the_file(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('losses = ["mse", "hr"]\nn-train = [20]\nseeds = 3\n')
    done = nasrank(
        "compare", "--config", str(file), "--seeds", "2", "--dry-run", "--format", "json"
    )
    assert json.loads(done.stdout)["answer"]["runs"] == 2 * 2


def test_dry_run_writes_nothing(tmp_path):
    folder = tmp_path / "out"
    done = nasrank("compare", *SMALL, "--out", str(folder), "--dry-run", "--format", "json")
    assert json.loads(done.stdout)["answer"]["to_do"] == 4
    assert not folder.exists()


@pytest.mark.parametrize(
    ("subset", "runs"), [("ci", 3 * 20), ("full", 3 * 12 * 4 * 30)], ids=["ci", "full"]
)
def test_subsets(subset, runs, tmp_path):
    done = nasrank(
        "compare", "--subset", subset, "--dry-run", "--format", "json", "--out", str(tmp_path)
    )
    assert json.loads(done.stdout)["answer"]["runs"] == runs


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--losses", "listmel"], 2, "Did you mean 'listmle'?"),
        (["--losses", "hr(margn=1)"], 2, "Did you mean 'margin'?"),
        (["--losses", "hr(margin=0)"], 2, "must be a number above 0"),
        (["--losses", "pw(hr,mape,99)", "--n-train", "78"], 2, "below every --n-train"),
        (["--losses", ""], 2, "--losses is empty"),
        (["--predictors", "gcn"], 2, "Did you mean 'gnn'?"),
        (["--tasks", "nb201/cifar1"], 2, "Did you mean"),
        (["--tasks", "nb202/cifar10"], 2, "Did you mean 'nb201'?"),
        (["--tasks", "nb201/cifar10:acc"], 2, "unknown metric"),
        (["--n-train", "1"], 2, "choose 2 to 4340"),
        (["--n-train", "4341"], 2, "choose 2 to 4340"),
        (["--n-train", "7,x"], 2, "whole numbers"),
        (["--seeds", "0"], 2, "--seeds 0"),
        (["--seed", "-1"], 2, "--seed -1"),
        (["--device", "tpu"], 2, "unknown device 'tpu'"),
        (["--split", "clas"], 2, "Did you mean 'class'?"),
        (["--labels", "one"], 2, "unknown labels"),
        (["--sampling", "divers"], 2, "Did you mean 'diverse'?"),
        (["--sampling", "diverse", "--split", "random"], 2, "needs --split class"),
        (["--tasks", "nb201/cifar10:latency", "--labels", "single"], 2, "--labels mean"),
        (["--format", "xml"], 2, "unknown format"),
        (["--subset", "cii"], 2, "Did you mean 'ci'?"),
        (["--config", "missing.toml"], 4, "missing.toml"),
        (["--only-cached"], 5, "Leave out --only-cached"),
        (["--only-cached", "--force"], 2, "leave one out"),
        (["--nonsense"], 2, "no such option: --nonsense"),
        (["--seeds", "1.5"], 2, "compare --help"),
        (["--tasks", ""], 2, "--tasks is empty"),
        (["--losses", "mse,,hr"], 2, "a name is missing in"),
        (["--losses", "./mine:f"], 2, "./mine.py:my_loss"),
        (["--metrics", "nope"], 2, "./mine.py:my_metric"),
    ],
)
def test_invalid_usage_is_one_line_and_a_code(arguments, code, words, tmp_path):
    done = nasrank("compare", "--out", str(tmp_path / "out"), *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("*.parquet"))


def test_an_unknown_option_in_the_file_is_named(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("loses = ['mse']\n")
    done = nasrank("compare", "--config", str(file))
    assert done.returncode == 2
    assert "Did you mean 'losses'?" in done.stderr


def test_a_file_in_the_place_of_the_folder_is_said_before_any_training(tmp_path):
    (tmp_path / "taken").write_text("")
    done = nasrank("compare", *SMALL, "--out", str(tmp_path / "taken" / "out"))
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert "taken" in done.stderr


@pytest.mark.slow
def test_control_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path):
    # Sizes differ, so there are two fleets, and the first is small.
    arguments = ["compare", "--n-train", "10,400", "--seeds", "8", "--losses", "listmle,hr"]
    arguments += ["--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "nasrank", *arguments]
    # A program started in the background may be told to ignore Control-C, and its children too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    finished = tmp_path / "out" / "runs.d"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(finished.glob("*.parquet"))) < 16:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    last = stderr.strip().splitlines()[-1]
    assert last.startswith("error: stopped: 16 of 32 runs are saved")
    assert not list((tmp_path / "out").rglob("*.part"))


def test_stdout_may_be_closed_early(out):
    folder, _ = out
    command = [sys.executable, "-m", "nasrank", "compare", *SMALL, "--out", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    with process:
        stderr = process.stderr.read().decode()
    assert "Traceback" not in stderr


def test_a_piecewise_loss_and_the_other_predictor_run(tmp_path):
    done = nasrank(
        "compare", "--losses", "pw(hr, mape, 10)", "--predictors", "mlp", "--n-train", "20",
        "--seeds", "2", "--out", str(tmp_path), "--keep-predictions", "--curves", "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pw(hr,mape,10)" in done.stdout
    predictions = pq.read_table(tmp_path / "predictions.parquet")
    assert predictions.num_rows == 2 * 5425
    curves = pq.read_table(tmp_path / "curves.parquet").to_pylist()
    assert [row["epoch"] for row in curves] == [*range(1, 61)] * 2
