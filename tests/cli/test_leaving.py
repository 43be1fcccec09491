"""Control-C at any moment, and nowhere to print to: one line and a code."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import pytest

from nasrank.cli import run
from nasrank.lifetime import as_control_c
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


TRAINS = """
import signal, sys, time
from pathlib import Path
# What runs the tests may ignore it, as nohup does, and what is ignored stays so.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from nasrank.cli import run
from nasrank.lifetime import as_control_c
sys.argv = ["nasrank", "compare", "--losses", "mse,hr", "--n-train", "78", "--seeds", "200",
            "--engine", sys.argv[1], *sys.argv[3:], "--out", sys.argv[2]]
sys.exit(run())
"""


def started(engine, out, *options):
    """A comparison that would take minutes, in a process of its own, when it trains."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINS, engine, str(out), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "runs.d").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


def children_of(process):
    """All processes below one, by number."""
    below: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, left = [], [process.pid]
    while left:
        left = [child for parent in left for child in below.get(parent, [])]
        found += left
    return found


def runs(number):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def all_ended(numbers, seconds=20):
    deadline = time.monotonic() + seconds
    while any(map(runs, numbers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not any(map(runs, numbers))


ON_LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@ON_LINUX
@pytest.mark.parametrize("engine", ["local", "processes"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_that_end_programs_are_control_c(
    engine, number, tmp_path, warm_cache, monkeypatch
):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    options = ["--jobs", "2"] if engine == "processes" else []
    process = started(engine, tmp_path / "out", *options)
    time.sleep(1)
    workers = children_of(process)
    process.send_signal(number)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    *_, line = printed.strip().splitlines()
    assert line.startswith("error: stopped")
    assert all_ended(workers)


@ON_LINUX
def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path, warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    process = started("processes", tmp_path / "out", "--jobs", "2")
    deadline = time.monotonic() + 60
    while len(workers := children_of(process)) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(5)
    workers = children_of(process)
    assert len(workers) >= 2
    process.kill()
    process.communicate(timeout=60)
    assert all_ended(workers)


@ON_LINUX
def test_a_worker_that_starts_after_its_parent_was_killed_ends():
    """Who adopted it is not its parent."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    words = f"from nasrank.lifetime import as_worker; as_worker({gone.pid}); time.sleep(60)"
    done = subprocess.run([sys.executable, "-c", f"import time; {words}"], check=False, timeout=30)
    assert done.returncode == 1
    mine = f"from nasrank.lifetime import as_worker; as_worker({os.getpid()}); time.sleep(1.5)"
    subprocess.run([sys.executable, "-c", f"import time; {mine}"], check=True, timeout=30)


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_control_c() as ending:
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
            # While things are put in order another one changes nothing.
            os.kill(os.getpid(), signal.SIGTERM)
        assert ending.signal == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_fault_of_our_own_is_one_line_and_kept(monkeypatch, capsys, tmp_path, load):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(study, "load_task", broken)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, line = outcome(capsys)
    assert code == 70
    told, _, path = line.rpartition(": ")
    assert told.startswith(
        "error: this is a fault of nasrank (ZeroDivisionError: division by zero)"
    )
    kept = Path(path).read_text()
    assert "in broken" in kept
    assert "compare" in kept


def test_a_package_that_is_not_there_is_named_with_its_command(monkeypatch, capsys, load):
    def without(*_arguments, **_options):
        raise ModuleNotFoundError("No module named 'torch'", name="torch.nn")

    monkeypatch.setattr(study, "load_task", without)
    code, line = outcome(capsys)
    assert code == 2
    assert line.startswith("error: torch is not installed. Install it with: ")
    assert line.endswith(" torch")
