import hashlib
import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasrank.benchmarks import tasks
from nasrank.benchmarks.tasks import SPACES
from nasrank.cache import (
    _known,
    _load,
    _store,
    cache_folder,
    cached_arrays,
    cached_columns,
    past_cache,
)
from nasrank.errors import DataError
from nasrank.tables import read_parquet

KEY = "ab" * 32
SCHEMA = {"accuracy": "float64", "key": "int64"}
ROWS = 200


class Maker:
    """Makes the columns and counts how often it was asked to."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"accuracy": np.sqrt(np.arange(float(ROWS))), "key": np.arange(ROWS)}


def get(make, *, key=KEY, schema=SCHEMA, rows=ROWS):
    columns = cached_columns("cells", key, schema, rows, make)
    assert list(columns) == list(schema)
    return columns


def assert_right(columns):
    expected = Maker()()
    for name, column in columns.items():
        np.testing.assert_array_equal(column, expected[name])
        assert column.dtype == expected[name].dtype


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_second_call_reads_what_the_first_made(cache):
    make = Maker()
    assert_right(get(make))
    assert_right(get(make))
    assert make.calls == 1
    assert files(cache) == [f"cells-{KEY[:16]}-v1.parquet"]


def test_past_the_cache_nothing_is_read_or_written(cache):
    make = Maker()
    with past_cache():
        assert_right(get(make))
        assert files(cache) == []
    get(make)
    before = files(cache)
    with past_cache():
        assert not get(make)["key"].flags.writeable
    assert make.calls == 3
    with pytest.raises(KeyError), past_cache():
        raise KeyError
    get(make)
    assert make.calls == 3
    assert files(cache) == before


def test_columns_cannot_be_changed_by_accident(cache):
    make = Maker()
    for columns in (get(make), get(make)):
        with pytest.raises(ValueError, match="read-only"):
            columns["accuracy"][0] = 1.0


def test_another_key_is_another_file(cache):
    make = Maker()
    get(make)
    get(make, key="cd" * 32)
    assert make.calls == 2
    assert len(files(cache)) == 2


def test_the_whole_key_counts(cache, caplog):
    get(Maker())
    make = Maker()
    get(make, key=KEY[:-1] + "c")  # same file name
    assert make.calls == 1
    assert "rebuilding a damaged cache file" in caplog.text


def damages(content):
    middle = len(content) // 2
    return {
        "empty": b"",
        "truncated": content[:middle],
        "footer lost": content[:-8],
        "garbage": b"garbage" * 100,
        "flipped data": content[:60] + bytes([content[60] ^ 255]) + content[61:],
        "flipped middle": content[:middle]
        + bytes([content[middle] ^ 255])
        + content[middle + 1 :],
        "flipped end": content[:-1] + b"x",
    }


@pytest.mark.parametrize("kind", sorted(damages(b"x" * 100)))
def test_damage_is_repaired_with_a_note(kind, cache, caplog):
    get(Maker())
    [path] = cache.rglob("*.parquet")
    path.write_bytes(damages(path.read_bytes())[kind])
    make = Maker()
    assert_right(get(make))
    if kind != "flipped middle":  # that byte may be one that nobody reads
        assert make.calls == 1
        assert len(caplog.records) == 1
        assert caplog.records[0].levelno == logging.WARNING
        assert "rebuilding a damaged cache file" in caplog.text
        assert str(path) in caplog.text
        assert "\n" not in caplog.records[0].getMessage()
    caplog.clear()
    again = Maker()
    assert_right(get(again))
    assert again.calls == 0
    assert not caplog.records


def test_no_flipped_byte_changes_a_number(cache, caplog):
    get(Maker())
    [path] = cache.rglob("*.parquet")
    content = path.read_bytes()
    for place in range(0, len(content), 17):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert_right(get(Maker()))


def test_a_table_of_another_shape_is_no_hit(cache, caplog):
    get(Maker())
    short = lambda: {"accuracy": np.zeros(3), "key": np.arange(3)}
    assert len(get(short, rows=3)["key"]) == 3
    other = lambda: {"accuracy": np.zeros(3)}
    assert list(get(other, schema={"accuracy": "float64"}, rows=3)) == ["accuracy"]
    assert caplog.text.count("not the expected table") == 2


def test_missing_numbers_survive(cache):
    gaps = lambda: {"accuracy": np.array([1.0, np.nan])}
    for _ in range(2):
        column = get(gaps, schema={"accuracy": "float64"}, rows=2)["accuracy"]
        np.testing.assert_array_equal(column, [1.0, np.nan])


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "file" / "cache"))
    make = Maker()
    assert_right(get(make))
    assert make.calls == 1
    assert "working without a cache" in caplog.text
    assert files(tmp_path) == ["file"]


def test_a_folder_in_the_files_place_is_done_without(cache, caplog):
    get(Maker())
    [path] = cache.rglob("*.parquet")
    path.unlink()
    path.mkdir()
    assert_right(get(Maker()))
    assert "working without a cache" in caplog.text
    assert files(cache) == []


def test_a_maker_that_fails_leaves_nothing(cache):
    def fail():
        raise DataError("no such numbers")

    with pytest.raises(DataError, match="no such numbers"):
        get(fail)
    assert not cache.exists()


def test_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("NASRANK_CACHE", "")
    assert cache_folder() == tmp_path / "xdg" / "nasrank"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "nasrank"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "nasrank"


def test_without_a_home_there_is_no_cache_but_numbers(monkeypatch, caplog):
    def homeless():
        raise RuntimeError

    monkeypatch.delenv("NASRANK_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("pathlib.Path.home", homeless)
    assert_right(get(Maker()))
    assert "Set NASRANK_CACHE to a folder" in caplog.text


WRITER = """
import numpy as np
from nasrank.cache import cached_columns
for turn in range(20):
    columns = cached_columns(
        "cells", f"{turn:064x}"[::-1], {"a": "float64"}, 5000,
        lambda: {"a": np.arange(5000) + float(turn)},
    )
    assert (columns["a"] == np.arange(5000) + turn).all()
"""


def test_processes_may_write_at_once(cache):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", WRITER]
    writers = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for writer in writers:
        _, noise = writer.communicate(timeout=60)
        assert writer.returncode == 0, noise
        assert noise == ""
    assert len(files(cache)) == 20
    assert all(name.endswith(".parquet") for name in files(cache))


def arrays():
    rng = np.random.default_rng(0)
    return {
        "rows": rng.normal(size=(40, 3)),
        "codes": np.arange(7, dtype=np.int16),
        "none": np.zeros((0, 5), np.float32),
        "mask": rng.random(50) < 0.5,
    }


def mapped(build=arrays):
    found = cached_arrays("views", KEY, "views of 40 graphs", build)
    expected = arrays()
    assert list(found) == list(expected)
    for name, array in found.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])
    return found


def unused():
    raise AssertionError("they are in the cache")


def test_arrays_are_computed_once_and_said_to_be(cache, caplog):
    caplog.set_level(logging.INFO, "nasrank")
    mapped()
    assert "preparing views of 40 graphs; they are kept for the next time" in caplog.text
    caplog.clear()
    mapped(unused)
    assert caplog.text == ""
    assert files(cache) == [f"views-{KEY[:16]}-v1.arrays"]


def test_what_is_written_to_an_array_stays_in_the_process(cache):
    mapped()
    mapped(unused)["rows"][:] = 7
    mapped(unused)


def test_past_the_cache_no_array_is_read_or_written(cache):
    with past_cache():
        mapped()
    assert not cache.exists()


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_damaged_arrays_are_computed_again(cache, data):
    """A changed byte anywhere but in padding, a file cut off, or another file in its place."""
    mapped()
    [path] = cache.rglob("*.arrays")
    content = bytearray(path.read_bytes())
    kind = data.draw(st.sampled_from(["changed", "cut", "other"]))
    # A share, as the size of the header varies a little with the time in it.
    place = int(data.draw(st.floats(0, 1, exclude_max=True)) * len(content))
    if kind == "changed":
        content[place] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del content[place:]
    else:
        content = bytearray(data.draw(st.binary(max_size=300)))
    path.write_bytes(content)
    mapped()
    mapped(unused)


@pytest.mark.parametrize(
    "entry",
    [
        '["rows", "|O", [1], 0, ""]',
        '["rows", "<f8", [-1], 0, ""]',
        '["rows", "<f8", [1, -1], 0, ""]',
        '["rows", "<f8", [99999999999999999999], 0, ""]',
        '["rows", "<f8", "many", 0, ""]',
        "7",
    ],
)
def test_a_header_that_lies_is_not_believed(cache, entry):
    mapped()
    [path] = cache.rglob("*.arrays")
    header = f'{{"key": "{KEY}", "arrays": [{entry}]}}'.encode()
    seal = len(header).to_bytes(8, "little") + hashlib.sha256(header).digest()
    path.write_bytes(b"nasrank\x01" + seal + header + bytes(64))
    mapped()
    mapped(unused)


def test_arrays_that_another_user_could_have_written_are_not_used(cache, monkeypatch, caplog):
    mapped()
    [path] = cache.rglob("*.arrays")
    path.chmod(0o666)
    mapped()
    assert "another user could have written it" in caplog.text
    caplog.clear()
    mapped(unused)
    if os.getuid():
        monkeypatch.setattr(os, "getuid", lambda: 12_345)
    else:
        os.chown(path, 12_345, -1)
    mapped()
    assert "another user could have written it" in caplog.text


def test_old_arrays_make_room(cache, monkeypatch):
    def keep(number):
        cached_arrays("part", f"{number}" * 64, "parts", lambda: {"a": np.zeros(1000)})

    for number in range(4):
        keep(number)
        [path] = cache.rglob(f"part-{number}*")
        os.utime(path, (number, number))
    # Its use makes the first the youngest; there is room for two beside a new one.
    monkeypatch.setattr("nasrank.cache.MOST_BYTES", 20_000)
    keep(0)
    keep(4)
    assert [name[5] for name in files(cache)] == ["0", "3", "4"]


@pytest.mark.skipif(os.name != "posix", reason="owners and modes are of POSIX")
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_columns_that_another_user_could_have_written_are_not_used(
    how, cache, monkeypatch, caplog
):
    make = Maker()
    assert_right(get(make))
    (path,) = cache.rglob("*.parquet")
    if how == "mode":
        path.chmod(0o664)
    else:
        monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
        if path.stat().st_uid == 0:
            os.chown(path, 12345, -1)
    with caplog.at_level(logging.WARNING, "nasrank"):
        assert_right(get(make))
    assert make.calls == 2
    assert "another user could have written it" in caplog.text


def test_whatever_the_mask_a_kept_file_is_believed(cache):
    before, make = os.umask(0o002), Maker()
    try:
        get(make)
        get(make)
    finally:
        os.umask(before)
    assert make.calls == 1


def test_what_breaks_a_known_fact_is_neither_read_nor_kept(cache, caplog):
    def require_positive(columns):
        if columns["number"].min() < 0:
            raise DataError("a negative number")

    def kept(numbers, made):
        def build():
            made.append(numbers)
            return {"number": np.array(numbers)}

        schema = {"number": "float64"}
        return cached_columns("facts", "ab" * 32, schema, 2, build, check=require_positive)

    made = []
    with pytest.raises(DataError, match="a negative number"):
        kept([-1.0, 1.0], made)
    assert not [*cache.rglob("*.parquet")]
    kept([1.0, 2.0], made)
    (path,) = cache.rglob("*.parquet")
    # Its own digest is right.
    _store(path, "ab" * 32, {"number": np.array([-1.0, 2.0])})
    with caplog.at_level(logging.WARNING, "nasrank"):
        assert kept([1.0, 2.0], made)["number"].tolist() == [1.0, 2.0]
    assert len(made) == 3
    assert "a negative number" in caplog.text


@pytest.mark.long
def test_one_changed_number_in_a_copy_of_any_benchmark_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path))
    tasks._load.cache_clear()
    built_in = [base for name in SPACES.names() if (base := SPACES.built_in(name)) is not None]
    for base in built_in:
        for dataset in base.datasets:
            tasks.load_task(f"{base.name}/{dataset}")
    paths = [*tmp_path.rglob("*.parquet")]
    assert {path.stem for path in paths} == {*_known()}
    for path in paths:
        table = read_parquet(path)
        columns = {name: table.column(name).to_numpy().copy() for name in table.column_names}
        schema = {name: column.dtype.name for name, column in columns.items()}
        key = table.schema.metadata[b"nasrank.key"].decode()
        _load(path, key, schema, len(table))
        columns[table.column_names[-1]][len(table) // 2] += 1
        _store(path, key, columns)
        with pytest.raises(DataError, match="its numbers are not those of the benchmark"):
            _load(path, key, schema, len(table))


def test_a_poisoned_copy_of_a_benchmark_is_not_believed(cache, caplog):
    # In a folder of its own: other processes read the other one.
    tasks._load.cache_clear()
    best = tasks.load_task("analog/cifar10:analog_accuracy").values.max()
    (path,) = cache.glob("benchmarks/analog-*.parquet")
    table = read_parquet(path)
    columns = {name: 100 - table.column(name).to_numpy() for name in table.column_names}
    # As somebody would who can write as we can: the digest in the file is right.
    _store(path, table.schema.metadata[b"nasrank.key"].decode(), columns)
    tasks._load.cache_clear()
    with caplog.at_level(logging.WARNING, "nasrank"):
        assert tasks.load_task("analog/cifar10:analog_accuracy").values.max() == best
    assert "its numbers are not those of the benchmark" in caplog.text
