"""Control-C at any moment, and nowhere to print to: one line and a code."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from nasrank.cli import run
from nasrank.questions.compare import study
from nasrank.study import conduct
from nasrank.study.finished import FinishedRuns


def interrupt(*_arguments, **_options):
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def typed(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["nasrank", "compare", "--out", str(tmp_path / "out")])


def outcome(capsys):
    try:
        code = run()
    except SystemExit as leaving:
        code = leaving.code
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return code, line


def test_while_the_command_line_is_imported(monkeypatch, capsys):
    module = types.ModuleType("nasrank.cli.app")
    module.__getattr__ = interrupt
    monkeypatch.setitem(sys.modules, "nasrank.cli.app", module)
    assert outcome(capsys) == (130, "error: stopped. Run the same command again to resume")


@pytest.mark.parametrize(
    ("module", "moment"),
    [(study, "load_task"), (conduct, "FinishedRuns"), (FinishedRuns, "recover")],
    ids=["plan", "folder", "load"],
)
def test_while_it_prepares(module, moment, monkeypatch, capsys, load):
    monkeypatch.setattr(module, moment, interrupt)
    assert outcome(capsys) == (130, "error: stopped. Run the same command again to resume")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_when_what_is_printed_does_not_fit():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nasrank", "data", "path"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 4
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: stdout: No space left on device.")
