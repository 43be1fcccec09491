"""The gate, typed as a CI job would type it."""

import csv
import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace
from unittest import mock

import pytest

from nasrank.cli import run
from nasrank.questions.check.baseline import read_runs, write_baseline
from nasrank.questions.check.tables import CHECK

SMALL = ["--n-train", "20", "--seeds", "3", "--losses", "mse,listmle", "--device", "cpu"]


def nasrank(*arguments):
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(stdout),
        redirect_stderr(stderr),
        mock.patch("sys.argv", ["nasrank", *map(str, arguments)]),
    ):
        try:
            code = run()
        except SystemExit as leaving:
            code = leaving.code
    return SimpleNamespace(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())


@pytest.fixture(scope="module")
def out(tmp_path_factory, warm_cache):
    folder = tmp_path_factory.mktemp("check") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASRANK_CACHE", str(warm_cache))
        assert nasrank("compare", *SMALL, "--out", folder, "--quiet").code == 0
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """What is written by default lies in a folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def baseline(out, tmp_path):
    """The baseline of these runs, or of runs that were better or worse by so much tau."""

    def make(by=0.0, seeds=(0, 1, 2)):
        path = tmp_path / f"baseline{by}.parquet"
        runs = [r for r in read_runs(out) if r["seed"] in seeds]
        write_baseline([{**r, "kendall_tau": r["kendall_tau"] + by} for r in runs], path)
        return path

    return make


def test_update_writes_what_the_same_runs_hold_against(out, tmp_path):
    path = tmp_path / "new" / "baseline.parquet"
    written = nasrank("check", out, "--against", path, "--update")
    assert written.code == 0
    assert "6" in written.stdout
    again = nasrank("check", out, "--against", path, "--update", "--format", "json")
    document = json.loads(again.stdout)
    assert document["tables"] == {}
    assert document["answer"] == {
        "baseline": str(path), "runs": 6, "bytes": path.stat().st_size,
    }  # fmt: skip
    held = nasrank("check", out, "--against", path)
    assert (held.code, held.stderr) == (0, "tables: nasrank-out/check\n")
    assert "6 pairs of runs, 3 seeds" in held.stdout
    assert "held, decides" in held.stdout


def test_a_loss_of_tau_is_code_3_and_says_how_to_accept_it(out, baseline):
    path = baseline(0.02)
    done = nasrank("check", out, "--against", path)
    assert done.code == 3
    assert "worse, decides" in done.stdout
    *_, line = done.stderr.splitlines()
    assert line.startswith(f"error: worse than {path}: mean tau -0.0200 [-0.0200, -0.0200].")
    assert line.endswith(f"nasrank check {out} --against {path} --update")
    # A loss that was asked for, or a gain, passes.
    assert nasrank("check", out, "--against", path, "--tolerance", "0.03").code == 0
    better = nasrank("check", out, "--against", baseline(-0.02))
    assert better.code == 0
    assert "better, decides" in better.stdout


def test_what_was_not_compared_is_said(out, baseline):
    done = nasrank("check", out, "--against", baseline(seeds=(1,)))
    assert done.code == 0
    lacking = f"left out: 4 runs of {out} are not in {baseline(seeds=(1,))}\n"
    assert done.stderr.startswith(lacking)
    undecided = "undecided: these runs neither show nor rule out a drop"
    assert f"! {undecided}" in done.stdout
    said = nasrank("check", out, "--against", baseline(seeds=(1,)), "--format", "csv").stderr
    assert f"note: {undecided}" in said
    # What is missing is said whatever is asked; a gate must not be quiet about it.
    assert nasrank("check", out, "--against", baseline(seeds=(1,)), "--quiet").stderr == lacking


def test_formats_and_the_table_hold_every_row(out, baseline, tmp_path):
    path = baseline(0.01)
    shown = nasrank("check", out, "--against", path, "--format", "json", "--out", tmp_path / "o")
    document = json.loads(shown.stdout)
    rows = document["tables"]["check"]
    assert shown.code == 3
    assert document["answer"]["verdict"] == "worse"
    assert [row["primary"] for row in rows] == [True] + [False] * 32
    assert CHECK.read(tmp_path / "o" / "check.parquet") == rows
    text = nasrank("check", out, "--against", path, "--format", "csv").stdout
    assert [r["verdict"] for r in csv.DictReader(io.StringIO(text))] == [
        row["verdict"] for row in rows
    ]


def test_options_may_stand_in_a_file(out, baseline, tmp_path):
    file = tmp_path / "check.toml"
    file.write_text(f'against = "{baseline(0.02)}"\ntolerance = 0.1\nout = "{tmp_path / "o"}"\n')
    assert nasrank("check", out, "--config", file).code == 0
    assert (tmp_path / "o" / "check.parquet").exists()
    assert nasrank("check", out, "--config", file, "--tolerance", "0").code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--against names the baseline"),
        (["--against", "{b}", "--tolerance", "-1"], 2, "--tolerance -1"),
        (["--against", "{b}", "--tolerance", "nan"], 2, "--tolerance nan"),
        (["--against", "{b}", "--format", "xml"], 2, "unknown format"),
        (["--against", "missing.parquet"], 4, "missing.parquet: no such file"),
        (["--against", "{out}", "--update"], 4, "a folder. Name a file"),
        (["--against", "/proc/x/b.parquet", "--update"], 4, "cannot be written"),
    ],
)
def test_what_is_invalid_is_one_line_and_a_code(arguments, code, words, out, baseline):
    filled = [each.format(b=baseline(), out=out) for each in arguments]
    done = nasrank("check", out, *filled)
    assert done.code == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_nothing_to_compare_is_code_5(out, baseline, tmp_path):
    other = tmp_path / "other.parquet"
    write_baseline([{**r, "n_train": 21} for r in read_runs(out)], other)
    done = nasrank("check", out, "--against", other)
    assert done.code == 5
    assert "they share no run" in done.stderr


def test_a_folder_that_is_not_finished_names_its_table(out, baseline, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    (copy / "runs.parquet").unlink()
    done = nasrank("check", copy, "--against", baseline())
    assert done.code == 4
    assert "runs.parquet: no such file" in done.stderr
