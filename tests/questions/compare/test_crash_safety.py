"""Whatever happens to a process or its folder: whole files, nothing lost that was finished.

``NASRANK_KILLS`` sets how often the command is killed; ``make reliability`` asks for 60.
"""

import ctypes
import os
import random
import resource
import shutil
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from nasrank.errors import DataError, Interrupted
from nasrank.questions.compare.options import CompareConfig
from nasrank.questions.compare.study import plan_runs
from nasrank.runs.run import Run
from nasrank.runs.tables import BUDGET, DISCOVERY, FINISHED, HEADLINE, PREDICTIONS, RUNS, SUMMARY
from nasrank.study import conduct as conduct_module
from nasrank.study.conduct import conduct, estimate
from nasrank.study.finished import FinishedRuns

KILLS = int(os.environ.get("NASRANK_KILLS", "10"))
CLOCK = {"fit_seconds", "predict_seconds", "device"}
TABLES = (HEADLINE, RUNS, DISCOVERY, BUDGET, SUMMARY, PREDICTIONS)
TOY = CompareConfig(
    predictors=("mlp",), losses=("mse", "listmle"), n_train=(10, 40, 70), seeds=2, device="cpu"
)
ARGUMENTS = [
    "compare", "--predictors", "mlp", "--losses", "mse,listmle", "--n-train", "10,40,70",
    "--seeds", "2", "--device", "cpu", "--keep-predictions",
]  # fmt: skip


def tables_in(folder, tables=TABLES):
    return {
        table.name: [
            {name: value for name, value in row.items() if name not in CLOCK}
            for row in table.read(folder / f"{table.name}.parquet")
        ]
        for table in tables
        if (folder / f"{table.name}.parquet").exists()
    }


@pytest.fixture(scope="module")
def command(warm_cache):
    """The command as a process of its own, on one thread as the fixed fleets of these tests."""

    def start(folder, *more, **options):
        return subprocess.Popen(
            [sys.executable, "-m", "nasrank", *ARGUMENTS, "--out", str(folder), *more],
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "NASRANK_CACHE": str(warm_cache),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return start


def ended(process):
    stdout, stderr = process.communicate(timeout=300)
    assert "Traceback" not in stderr
    return process.returncode, stdout, stderr


@pytest.fixture(scope="module")
def undisturbed(command, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.monotonic()
    code, stdout, stderr = ended(command(folder))
    assert code == 0, stderr
    return folder, stdout, time.monotonic() - started


def assert_whole(folder):
    """Every file with its final name can be read to its end."""
    for path in folder.rglob("*.parquet"):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            assert file.read().num_rows
    for path in folder.rglob("*.svg"):
        assert path.read_text().rstrip().endswith("</svg>")


def assert_same(folder, undisturbed):
    reference, _, _ = undisturbed
    assert_whole(folder)
    found, wanted = tables_in(folder), tables_in(reference)
    assert found.keys() == wanted.keys() == {table.name for table in TABLES}
    for name, rows in wanted.items():
        assert found[name] == rows, name
    leftover = [p for p in folder.rglob("*") if p.suffix in {".part", ".fleet"}]
    assert not leftover


@pytest.mark.long
@pytest.mark.usefixtures("warm_cache")
def test_killed_at_any_moment_it_goes_on_and_gives_the_same(command, undisturbed, tmp_path):
    fleets = plan_runs(TOY).fleets
    assert len(fleets) == 3
    _, _, seconds = undisturbed
    chance = random.Random(KILLS)
    folder, round_ = tmp_path / "0", 0
    kept = set()
    for _ in range(KILLS):
        process = command(folder)
        time.sleep(chance.uniform(0.1, 1.1) * seconds)
        alive = process.poll() is None
        process.kill()
        process.communicate()
        assert_whole(folder)
        present = {path.name for path in folder.glob("runs.d/*.parquet")}
        assert kept <= present
        kept = present
        # What the next process finds is whole fleets: at most the one in flight is lost.
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        if folder.exists():
            shutil.copytree(folder, copy)
        finished = FinishedRuns(copy / "runs.d", table=FINISHED, kind=Run)
        finished.recover()
        for fleet in fleets:
            assert len({finished.load(run) is None for run in fleet}) == 1
        if not alive:
            assert process.returncode == 0
            assert_same(folder, undisturbed)
            round_ += 1
            folder, kept = tmp_path / str(round_), set()
    code, stdout, stderr = ended(command(folder))
    assert code == 0, stderr
    assert stdout == undisturbed[1]
    assert_same(folder, undisturbed)


@pytest.mark.slow
def test_two_processes_may_share_a_folder(command, undisturbed, tmp_path):
    first = command(tmp_path)
    # The second finds some fleets done, one in flight and one not begun, or whatever it is.
    time.sleep(undisturbed[2] / 2)
    second = command(tmp_path)
    for process in (first, second):
        code, stdout, stderr = ended(process)
        assert code == 0, stderr
        assert stdout == undisturbed[1]
    assert_same(tmp_path, undisturbed)


def small_files():
    # As a full disk: what is written beyond the first bytes of a file fails.
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, 15_000))


@pytest.mark.long
def test_a_file_that_does_not_fit_is_one_line_and_can_be_gone_on_from(
    command, undisturbed, tmp_path
):
    code, stdout, stderr = ended(command(tmp_path, "--quiet", preexec_fn=small_files))
    assert code == 4
    assert stdout == ""
    (line,) = stderr.splitlines()
    assert line.startswith("error:")
    assert "cannot be written (File too large). Free some space" in line
    assert not list(tmp_path.rglob("*.part"))
    assert_whole(tmp_path)
    assert ended(command(tmp_path))[0] == 0
    assert_same(tmp_path, undisturbed)


@pytest.mark.long
def test_a_full_disk_is_one_line_and_can_be_gone_on_from(command, undisturbed, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    mounted = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if not mounted or mounted.returncode:
        pytest.skip("a disk of one's own needs the right to mount")
    try:
        code, _, stderr = ended(command(disk / "out", "--quiet"))
        assert code == 4
        (line,) = stderr.splitlines()
        assert "cannot be written (" in line
        assert not list(disk.rglob("*.part"))
        assert_whole(disk)
        subprocess.run([mount, "-o", "remount,size=100m", str(disk)], check=True)
        assert ended(command(disk / "out"))[0] == 0
        assert_same(disk / "out", undisturbed)
    finally:
        subprocess.run([umount, str(disk)], check=True)


def as_anybody():
    """Give up root's right to write and read everything, from the next program on."""
    libc = ctypes.CDLL(None)
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc.prctl(24, right, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def locked(tmp_path):
    """A folder that nobody may write to."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    probe = f"open({str(folder / 'x')!r}, 'w')"
    done = subprocess.run(
        [sys.executable, "-c", probe], preexec_fn=as_anybody, capture_output=True, check=False
    )
    if done.returncode == 0:
        pytest.skip("this user may write everywhere")
    yield folder
    folder.chmod(0o755)


@pytest.mark.slow
def test_a_read_only_folder_is_said_before_any_training(command, locked):
    for folder in (locked, locked / "out"):
        code, _, stderr = ended(command(folder, preexec_fn=as_anybody))
        assert code == 4
        (line,) = stderr.splitlines()
        assert "cannot be written (Permission denied)" in line


@pytest.mark.slow
def test_a_read_only_folder_of_runs_is_said_before_any_training(command, tmp_path):
    (tmp_path / "runs.d").mkdir()
    (tmp_path / "runs.d").chmod(0o555)
    process = command(tmp_path, "--quiet", preexec_fn=as_anybody)
    code, _, stderr = ended(process)
    (tmp_path / "runs.d").chmod(0o755)
    if code == 0:
        pytest.skip("this user may write everywhere")
    assert code == 4
    (line,) = stderr.splitlines()
    assert f"{tmp_path / 'runs.d'}: cannot be written (Permission denied)" in line


@pytest.mark.long
def test_a_cache_that_cannot_be_read_or_written_is_gone_without(command, undisturbed, tmp_path):
    cache = tmp_path / "cache"
    cache.write_text("not a folder")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NASRANK_CACHE": str(cache)}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-m", "nasrank", *ARGUMENTS, "--out", str(tmp_path / "out"), "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "without a cache" in done.stderr
    assert_same(tmp_path / "out", undisturbed)


# Within the process, where the moment can be chosen.


class KilledError(BaseException):
    """Stands for a SIGKILL: nothing of the library may catch it."""


QUICK = CompareConfig(losses=("mse", "hr"), n_train=(20, 30), seeds=3, device="cpu")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("saved", [0, 1, 5])
def test_a_fleet_that_was_being_saved_is_not_trained_again(saved, tmp_path, monkeypatch):
    whole = conduct(QUICK, tmp_path / "whole")
    folder = tmp_path / "cut"
    save, count = FinishedRuns.save, 0

    def dying(self, run, row, **how):
        nonlocal count
        if count == saved:
            raise KilledError
        count += 1
        save(self, run, row, **how)

    monkeypatch.setattr(FinishedRuns, "save", dying)
    with pytest.raises(KilledError):
        conduct(QUICK, folder)
    monkeypatch.setattr(FinishedRuns, "save", save)
    assert len(list(folder.glob("runs.d/*.parquet"))) == saved
    assert len(list(folder.glob("runs.d/*.fleet"))) == 1
    rest = conduct(QUICK, folder)
    # Two fleets of six; the first was trained.
    assert rest.computed == 6
    assert tables_in(folder) == tables_in(whole.out)
    assert not list(folder.glob("runs.d/*.fleet"))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense"])
def test_a_damaged_or_foreign_fleet_is_put_away(content, tmp_path):
    folder = tmp_path / "runs.d"
    folder.mkdir()
    (folder / "0123456789abcdef.fleet").write_bytes(content)
    RUNS.write([], folder / "fedcba9876543210.fleet", {"runs": []})
    few = CompareConfig(losses=("mse",), n_train=(20,), seeds=1, device="cpu")
    assert conduct(few, tmp_path).computed == 1
    assert not list(folder.glob("*.fleet"))


@pytest.mark.usefixtures("quick")
def test_parts_of_dead_processes_are_removed_and_others_left(tmp_path):
    few = CompareConfig(losses=("mse",), n_train=(20,), seeds=1, device="cpu")
    conduct(few, tmp_path)
    machine = conduct_module.remove_stale_parts.__globals__["_machine"]()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = [
        folder / f"a.parquet.{machine}-{gone.pid}-1.part"
        for folder in (tmp_path, tmp_path / "runs.d")
    ]
    alive = tmp_path / f"b.parquet.{machine}-{os.getpid()}-1.part"
    far, old = tmp_path / "c.parquet.elsewhere-1-1.part", tmp_path / "d.parquet.elsewhere-1-2.part"
    for part in (*dead, alive, far, old):
        part.write_text("half")
    os.utime(old, (0, 0))
    assert conduct(few, tmp_path).computed == 0
    assert not any(part.exists() for part in (*dead, old))
    assert alive.exists()
    assert far.exists()


@pytest.mark.usefixtures("quick")
def test_after_control_c_under_force_the_message_leaves_force_out(tmp_path):
    class Stop:
        def start(self, work, runs, finished):
            pass

        def advance(self, work):
            pass

        def saved(self, runs):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"6 of 12 runs are saved.*the same command without"):
        conduct(QUICK, tmp_path, progress=Stop(), force=True)
    assert conduct(QUICK, tmp_path).computed == 6


@pytest.mark.usefixtures("quick")
def test_an_estimate_counts_what_the_command_would_train(tmp_path):
    few = CompareConfig(losses=("mse",), n_train=(20,), seeds=2, device="cpu")
    conduct(few, tmp_path)
    more = few.model_copy(update={"curves": True})
    kept = few.model_copy(update={"keep_predictions": True})

    def to_do(config, **how):
        return estimate(config, tmp_path, **how).row()["to_do"]

    assert to_do(few) == 0
    assert to_do(few, force=True) == 2
    assert to_do(more) == 2
    assert to_do(kept) == 2
    assert to_do(more, only_cached=True) == 0


@pytest.mark.usefixtures("quick")
def test_a_folder_of_runs_that_cannot_be_made_costs_no_training(tmp_path):
    (tmp_path / "runs.d").write_text("in the way")
    with pytest.raises(DataError, match=r"runs\.d: cannot be written") as caught:
        conduct(QUICK, tmp_path)
    assert "\n" not in str(caught.value)
