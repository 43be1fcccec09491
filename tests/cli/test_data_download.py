"""Downloads, typed as a user would type them; nothing here opens a connection."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from nasrank.benchmarks import downloading, remote_files
from nasrank.benchmarks.downloading import Download
from nasrank.benchmarks.remote_files import REMOTE_FILES
from nasrank.cli import data
from nasrank.errors import DataError, UsageError

KEYS = ["source", "space", "file", "path", "state", "bytes", "sha256", "licence", "page", "next"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "downloads"


def run(*arguments):
    return CliRunner().invoke(data.app, ["download", *arguments])


def test_the_list(folder):
    rows = json.loads(run("--format", "json").stdout)["tables"]["files"]
    assert [row["source"] for row in rows] == [remote.name for remote in REMOTE_FILES]
    assert all(list(row) == KEYS for row in rows)
    assert {row["state"] for row in rows} == {"missing", "by hand"}
    folder.mkdir(parents=True)
    (folder / "nasbench_only108.tfrecord").write_bytes(b"12345")
    rows = json.loads(run("--format", "json").stdout)["tables"]["files"]
    assert (rows[0]["state"], rows[0]["bytes"]) == ("there", 5)
    done = run()
    assert (done.exit_code, done.stderr) == (0, "")
    assert "NAS-Bench-201-v1_1-096897.pth" in done.stdout


def test_a_file_that_was_fetched(folder, monkeypatch):
    def fetch(remote, *, on_progress):
        on_progress(0, None)
        on_progress(7, 7)
        return Download(remote, folder / remote.file, 7, "downloaded")

    monkeypatch.setattr(downloading, "download", fetch)
    done = run("nb101")
    assert (done.exit_code, done.stderr) == (0, "")
    next_ = f"nasrank data import nb101 {folder / 'nasbench_only108.tfrecord'}"
    assert f"Read it with: {next_}" in done.stdout
    (row,) = json.loads(run("nb101-full", "--format", "json", "--quiet").stdout)["tables"]["files"]
    assert list(row) == KEYS
    assert (row["source"], row["state"], row["bytes"]) == ("nb101-full", "downloaded", 7)
    assert row["next"].endswith("nasbench_full.tfrecord")
    assert all(key in data.download_file.__doc__ for key in KEYS)


def test_offline_is_one_line(monkeypatch):
    # The address is of a kind that is refused before anything is opened.
    bad = tuple(replace(each, url=each.url and "http://h/x") for each in REMOTE_FILES)
    monkeypatch.setattr(remote_files, "REMOTE_FILES", bad)
    done = run("macro")
    assert isinstance(done.exception, DataError)
    assert "it cannot be reached" in str(done.exception)
    assert "put the file at" in str(done.exception)
    assert done.stdout == ""


def test_by_hand_and_misspelt():
    done = run("transnas-micro")
    assert isinstance(done.exception, DataError)
    assert "and type: nasrank data import transnas-micro" in str(done.exception)
    done = run("nb11")
    assert isinstance(done.exception, UsageError)
    assert "Did you mean 'nb101'" in str(done.exception)
