import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from nasrank.benchmarks.cache import cache_folder, cached_columns, past_cache
from nasrank.errors import DataError

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
from nasrank.benchmarks.cache import cached_columns
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
