"""Company, pauses and clocks change no number and lose none."""

import contextlib
import os
import random
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import psutil
import pytest
from untimed import untimed_tables

from nasrank.questions.compare.options import CompareConfig
from nasrank.runs.tables import RUNS
from nasrank.study.conduct import conduct
from nasrank.tables import read_parquet

COMPARE = (
    "compare", "--predictors", "mlp", "--losses", "mse,listmle", "--n-train", "10,20", "--seeds",
    "2", "--device", "cpu", "--quiet",
)  # fmt: skip
QUICK = CompareConfig(losses=("mse", "hr"), n_train=(20, 30), seeds=3, device="cpu")


@pytest.fixture
def start(warm_cache, tmp_path):
    def start(*words):
        return subprocess.Popen(
            [sys.executable, "-m", "nasrank", *words],
            cwd=tmp_path,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "NASRANK_CACHE": str(warm_cache),
                "NASRANK_DATA": str(tmp_path / "data"),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(process):
    printed = process.communicate(timeout=600)[1]
    assert "Traceback" not in printed
    return process.returncode, printed


@pytest.mark.long
def test_four_commands_of_a_kind_in_one_folder_lose_nothing(start, tmp_path):
    assert ended(start(*COMPARE, "--out", "alone"))[0] == 0
    together = [start(*COMPARE, "--out", "shared") for _ in range(4)]
    assert [ended(process)[0] for process in together] == [0, 0, 0, 0]
    assert untimed_tables(tmp_path / "shared") == untimed_tables(tmp_path / "alone")
    assert not [*(tmp_path / "shared").rglob("*.part"), *(tmp_path / "shared").rglob("*.fleet")]


@pytest.mark.long
def test_four_commands_with_other_options_in_one_folder_keep_each_others_runs(start, tmp_path):
    losses = ("mse", "hr", "lr", "listmle")
    together = [start(*COMPARE, "--losses", loss, "--out", "shared") for loss in losses]
    for process in together:
        code, printed = ended(process)
        # The last one to write has its tables there; a run of any is never gone.
        assert code in (0, 4), printed
    kept = [read_parquet(path) for path in (tmp_path / "shared").glob("runs.d/*.parquet")]
    assert len(kept) == 4 * len(losses)
    again = start(*COMPARE, "--losses", ",".join(losses), "--only-cached", "--out", "shared")
    assert ended(again)[0] == 0
    assert len(RUNS.read(tmp_path / "shared" / "runs.parquet")) == 4 * len(losses)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["local", "processes"])
def test_a_command_that_is_stopped_for_a_while_goes_on(engine, start, tmp_path):
    assert ended(start(*COMPARE, "--out", "alone"))[0] == 0
    how = ("--jobs", "2") if engine == "processes" else ()
    process = start(*COMPARE, "--engine", engine, *how, "--out", "stopped")
    chance = random.Random(3)
    own = psutil.Process(process.pid)
    while process.poll() is None:
        time.sleep(chance.uniform(0.2, 1.5))
        with contextlib.suppress(psutil.Error):
            # As Control-Z or a debugger: now the command, now one of its workers.
            stopped = chance.choice([own, *own.children()])
            stopped.suspend()
            time.sleep(chance.uniform(0.2, 1.0))
            stopped.resume()
    code, printed = ended(process)
    assert code == 0, printed
    assert untimed_tables(tmp_path / "stopped") == untimed_tables(tmp_path / "alone")


def test_a_clock_that_jumps_changes_nothing(tmp_path, quick, monkeypatch):
    conduct(QUICK, tmp_path / "steady")
    real, jump = time.time, count()
    day = 86_400.0
    # Forwards and backwards by days, as after a pause of a virtual machine, or by hand.
    jumps = (0.0, 400 * day, -400 * day, 3 * day, -3 * day)
    monkeypatch.setattr(time, "time", lambda: real() + jumps[next(jump) % len(jumps)])
    # Of another machine: whether it is left over is told by the clock.
    (tmp_path / "jumping").mkdir()
    (tmp_path / "jumping" / "a.parquet.elsewhere-1-1.part").write_text("half")
    conduct(QUICK, tmp_path / "jumping")
    assert next(jump)
    for path in Path(tmp_path / "jumping").rglob("*"):
        os.utime(path, (0, 2**33))  # in the year 2242
    assert conduct(QUICK, tmp_path / "jumping").computed == 0
    assert untimed_tables(tmp_path / "jumping") == untimed_tables(tmp_path / "steady")
