"""Small files that stand for hours or gigabytes end in time, in memory and in one line.

Every command is a process of its own, forked from one that has imported everything.
"""

import bz2
import json
import os
import pickle
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nasrank import limits
from nasrank.errors import DataError
from nasrank.limits import most_cells, reading, reading_parts, require_regular
from nasrank.runs.tables import RUNS

LINUX = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is of Linux")
SECONDS = 10.0
"""CPU time, as machines of tests are busy."""
MEGABYTES = 2000

EACH = """
import json, os, resource, sys
import pyarrow.parquet, numpy
from nasrank.cli import run
import nasrank.cli.app, nasrank.benchmarks.importing, nasrank.report.folders, nasrank.limits
# Some take all the time that there is.
nasrank.limits._SECONDS = 2.0
for name, arguments in json.loads(sys.argv[1]):
    sys.stderr.flush()
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            print(json.dumps([name, -os.WTERMSIG(status), 0, 0]), flush=True)
        continue
    sys.argv = ["nasrank", *arguments]
    errors = os.open(f"{name}.stderr", os.O_WRONLY | os.O_CREAT)
    out, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(errors, 2), os.dup2(nowhere, 1)
    try:
        code = run()
    except SystemExit as leaving:
        code = leaving.code
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    os.write(out, json.dumps([name, code or 0, seconds, used.ru_maxrss / 1024]).encode() + b"\\n")
    os._exit(0)
"""


def environment(folder):
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "NASRANK_DATA": str(folder / "data"),
        "NASRANK_CACHE": str(folder / "cache"),
    }


def text_of_one_word(path):
    words = pa.DictionaryArray.from_arrays(np.zeros(200_000, np.int32), pa.array(["a" * 20_000]))
    pq.write_table(pa.table({"arch_str": words, "label": np.ones(200_000)}), path,
                   compression="zstd", store_schema=False)  # fmt: skip


def one_long_list(path):
    lists = pa.ListArray.from_arrays(
        pa.array([0, 50_000_000], pa.int32()), np.zeros(50_000_000, np.int8)
    )
    # Statistics of so many values take most of the time.
    pq.write_table(pa.table({"arch_str": lists, "label": [1.0]}), path, compression="zstd",
                   write_statistics=False)  # fmt: skip


def many_rows(path):
    column = pa.array(np.zeros(20_000_000))
    pq.write_table(pa.table({"label": column, "arch_str": column}), path, compression="zstd")


def zeros_in_gzip(path):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    member = packer.compress(b"0," * 2**19 + b"\n") + packer.flush()
    path.write_bytes(400 * member)


def nested_json(path):
    path.write_text("[" * 100_000 + "]" * 100_000)


def long_number(path):
    path.write_text('[{"arch_str": ' + "9" * 100_000 + ', "label": 1}]')


def colliding_keys(path):
    # Of -1 and -2 the hashes are equal, so all these tuples have one.
    keys = {tuple(-1 - (n >> bit & 1) for bit in range(17)): 0 for n in range(2**12)}
    content = pickle.dumps([keys], protocol=2)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", content)


def empty_dictionaries(path):
    content = b"\x80\x02](" + b"}" * 60_000_000 + b"e."
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", content)


def endless_view(path):
    with sqlite3.connect(path) as database:
        for statement in (
            "CREATE TABLE studies (study_id, study_name)",
            (
                "CREATE VIEW trials AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c)"
                " SELECT x AS trial_id FROM c"
            ),
        ):
            database.execute(statement)


def huge_cells(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE studies (study_id, study_name)")
        database.execute("CREATE TABLE trials (trial_id, study_id, number, state, "
                         "datetime_start, datetime_complete)")  # fmt: skip
        database.execute("INSERT INTO studies VALUES (1, zeroblob(10000000))")


def deep_journal(path):
    entry = {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}
    path.write_text(json.dumps(entry) + "\n" + '{"op_code": 8, "user_attr": '
                    + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}\n")  # fmt: skip


def many_zeros_in_npz(path):
    head = b"\x93NUMPY\x01\x00"
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (40000, 10000)}".ljust(117) + "\n"
    content = head + struct.pack("<H", len(text)) + text.encode() + b"\0" * 10_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("values.npy", content)


def promised_npy(path):
    head = b"\x93NUMPY\x01\x00"
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (900000000, 9000)}".ljust(117) + "\n"
    path.write_bytes(head + struct.pack("<H", len(text)) + text.encode())


def dotted_keys(path):
    path.write_text("seeds" + ".a" * 50_000 + " = 1")


def deep_toml(path):
    path.write_text("seeds = " + "[" * 20_000 + "]" * 20_000)


def zeros_in_bz2(path):
    path.write_bytes(bz2.compress(b"\0" * 400_000_000))


def deep_tree(path):
    path.write_text('{"a":' * 100_000 + "[]" + "}" * 100_000)


def pipe(path):
    os.mkfifo(path)


IMPORT = ("data", "import", "mine", "{}")
CONFIG = ("compare", "--dry-run", "--config", "{}")
VECTORS = ("pr", "train", "--dry-run", "--data", "{}")
TRANSNAS = ("data", "import", "transnas-micro", "{}")


def zeros_in_a_table(path):
    path.mkdir()
    for name in ("runs", "discovery"):
        column = pa.array(np.zeros(20_000_000))
        table = pa.table({each.name: column for each in RUNS.columns[:2]})
        marks = {"nasrank.table": name, "nasrank.version": "0"}
        pq.write_table(table.replace_schema_metadata(marks), path / f"{name}.parquet",
                       compression="zstd")  # fmt: skip


BOMBS = {
    "text.parquet": (text_of_one_word, IMPORT),
    "list.parquet": (one_long_list, IMPORT),
    "rows.parquet": (many_rows, IMPORT),
    "rows.csv.gz": (zeros_in_gzip, IMPORT),
    "nested.json": (nested_json, IMPORT),
    "number.json": (long_number, IMPORT),
    "keys-transnas.pth": (colliding_keys, TRANSNAS),
    "dicts-transnas.pth": (empty_dictionaries, TRANSNAS),
    "view.db": (endless_view, IMPORT),
    "cells.db": (huge_cells, IMPORT),
    "deep.journal": (deep_journal, IMPORT),
    "pipe.csv": (pipe, IMPORT),
    "dotted.toml": (dotted_keys, CONFIG),
    "deep.toml": (deep_toml, CONFIG),
    "pipe.toml": (pipe, CONFIG),
    "zeros.npz": (many_zeros_in_npz, VECTORS),
    "promised.npy": (promised_npy, VECTORS),
    "check": (zeros_in_a_table, ("check", "{}", "--against", "{}")),
    "recommend": (zeros_in_a_table, ("recommend", "--results", "{}")),
    "report": (zeros_in_a_table, ("report", "{}")),
}
"""How each is made, and the command that reads it."""


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Code, CPU seconds, megabytes and lines on stderr of every command."""
    folder = tmp_path_factory.mktemp("bombs")
    commands = []
    for name, (make, command) in BOMBS.items():
        make(folder / name)
        commands.append((name, [each.replace("{}", str(folder / name)) for each in command]))
    done = subprocess.run(
        [sys.executable, "-c", EACH, json.dumps(commands)],
        env=environment(folder), cwd=folder, capture_output=True, text=True, check=False,
        timeout=900,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return {
        name: (*figures, (folder / f"{name}.stderr").read_text().splitlines())
        for name, *figures in map(json.loads, done.stdout.splitlines())
    }


@LINUX
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.long
def test_bombs_end_in_time_in_memory_and_in_one_line(name, ends):
    code, seconds, megabytes, printed = ends[name]
    assert code == 4, printed
    (line,) = printed
    assert line.startswith("error: ")
    assert name in line
    assert seconds < SECONDS
    assert megabytes < MEGABYTES


def test_time_and_memory_grow_with_the_file(tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"")
    large.write_bytes(bytes(2**20))
    assert most_cells(0) < most_cells(2**20)
    assert limits._SECONDS < SECONDS
    assert limits._BYTES < MEGABYTES * 1e6
    with reading(small), reading(large):
        assert list(reading_parts(small, range(3))) == [0, 1, 2]


@pytest.mark.skipif(not hasattr(signal, "SIGVTALRM"), reason="no timer of CPU time")
def test_what_takes_too_long_is_stopped_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("nasrank.limits._SECONDS", 0.05)
    path = tmp_path / "slow"
    path.write_bytes(b"x")
    with pytest.raises(DataError, match="slow: takes longer to read than 0 s, for 1 bytes"):
        _read_for_ever(path)
    assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)

    def parts():
        while True:
            sum(range(300_000))
            yield 1

    # Time adds up over parts.
    with pytest.raises(DataError, match="takes longer"):
        for _ in reading_parts(path, parts()):
            pass


@LINUX
def test_what_takes_too_much_memory_is_stopped_and_more_is_there_afterwards(tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(DataError, match="takes more memory to read than"), reading(tmp_path):
        bytearray(2**31)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_nesting_without_end_is_one_line(tmp_path):
    def deeper():
        return deeper()

    with pytest.raises(DataError, match="too deeply nested"), reading(tmp_path):
        deeper()


def test_only_files_are_read(tmp_path):
    require_regular(tmp_path / "missing")
    with pytest.raises(DataError, match="a folder, not a file"):
        require_regular(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="a pipe or a device"):
        require_regular(tmp_path / "pipe")


SLOW = {
    "slow.csv": ("arch_str,label\n" + "a,1\n" * 1_500_000, IMPORT),
    "slow.toml": ("seeds" + ".a" * 50_000 + " = 1", CONFIG),
}


@LINUX
@pytest.mark.parametrize("name", SLOW)
def test_control_c_works_while_a_file_is_read(name, tmp_path):
    text, command = SLOW[name]
    (tmp_path / name).write_text(text)
    # A suite that runs in the background ignores it, and what it starts would too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "nasrank", *(each.replace("{}", name) for each in command)],
        env=environment(tmp_path), cwd=tmp_path, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    opened = tmp_path / name
    deadline = time.monotonic() + 60
    while not _has_open(process.pid, opened) and _cpu(process.pid) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    before = _cpu(process.pid)
    process.send_signal(signal.SIGINT)
    while process.poll() is None:
        used = _cpu(process.pid) - before
        assert used < 2
        time.sleep(0.02)
    (line,) = process.communicate()[1].splitlines()
    assert process.returncode == 130
    assert line.startswith("error: stopped")


def _read_for_ever(path):
    with reading(path):
        while True:
            pass


def _has_open(process, path):
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            if link.readlink() == path:
                return True
        except OSError:
            continue
    return False


def _cpu(process):
    """CPU seconds of a process so far; 0 when it has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
