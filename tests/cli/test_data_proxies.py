"""Proxies ahead of the studies, typed as a user would type it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nasrank.benchmarks import proxies
from nasrank.cli import data
from nasrank.errors import UsageError


def run(*arguments):
    return CliRunner().invoke(data.app, ["proxies", *arguments])


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """Instead of computing, remember what was asked for."""
    asked = []

    def pretend(space, graphs, *, on_done):
        asked.append((space, len(graphs)))
        on_done(len(graphs))
        return np.zeros((len(graphs), 59))

    monkeypatch.setattr(proxies, "space_proxies", pretend)
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    return asked


def test_a_space_by_name(computed, tmp_path):
    found = run("nb201", "--format", "json")
    assert (found.exit_code, found.stderr) == (0, "")
    record = json.loads(found.stdout)["answer"]
    assert record.pop("seconds") < 60
    assert record == {
        "space": "nb201",
        "architectures": 15625,
        "classes": 5425,
        "proxies": 59,
        "folder": str(tmp_path / "cache" / "benchmarks"),
    }
    assert computed == [("nb201", 5425)]


def test_an_unknown_space(computed):
    found = run("nb202")
    assert isinstance(found.exception, UsageError)
    assert computed == []


def test_a_space_without_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "cache"))
    found = run("nbgraph")
    assert isinstance(found.exception, UsageError)
    assert "is not a known operation on images" in str(found.exception)
