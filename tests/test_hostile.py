"""Readers read or refuse, whatever they are given; at length: tests/reliability/hostile_inputs.py.

``NASRANK_HOSTILE`` sets how many inputs each reader gets.
"""

import os

import hostile
import pytest

from nasrank.runs.tabulate import run_tables

INPUTS = int(os.environ.get("NASRANK_HOSTILE", "25"))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, warm_cache, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))


def assert_sound(tally):
    # A report leaves out what it cannot read, with a line.
    assert tally.refused or tally.reader == "report"
    assert not tally.failures
    assert not tally.code_run
    assert not tally.foreign_changed


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("name", hostile.FILES)
def test_a_changed_file_is_read_or_refused(name, tmp_path):
    assert_sound(hostile.attack_file(name, INPUTS, tmp_path / "files"))


@pytest.mark.parametrize("name", hostile.CHUNKED)
def test_a_changed_pool_is_read_or_refused(name, tmp_path):
    assert_sound(hostile.attack_file(name, INPUTS, tmp_path / "files", chunked=True))


@pytest.fixture(scope="module")
def compared(tmp_path_factory, finished_row):
    folder = tmp_path_factory.mktemp("compared")
    rows = [finished_row(loss=loss, seed=seed) for loss in ("mse", "hr") for seed in range(5)]
    about = {"fingerprints": {"toy/x": "f" * 64}, "config": {"losses": ["mse", "hr"]}}
    for table, found in run_tables(rows).items():
        table.write(found, folder / f"{table.name}.parquet", about)
    return folder


COMMANDS = {
    "report": lambda copy: ("report", copy, "--out", copy.parent / "report.html"),
    # 60 architectures, one of which is no part of a thousand.
    "budget": lambda copy: (
        "budget", "--results", copy, "--top", "0.05", "--out", copy.parent / "out",
    ),
    "recommend": lambda copy: (
        "recommend", "--results", copy, "--goal", "order", "--out", copy.parent / "out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_changed_folder_is_read_or_refused(name, tmp_path, compared):
    tally = hostile.attack_folder(name, INPUTS // 3, tmp_path / "work", compared, COMMANDS[name])
    assert_sound(tally)


def test_what_goes_wrong_is_noticed(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()

    def worst():
        (folder / "notes.txt").write_text("overwritten")
        (tmp_path / "pwned").write_text("")
        raise ZeroDivisionError

    tally = hostile.attack("worst", 2, folder, lambda _: None, lambda: hostile.outcome(worst))
    assert len(tally.failures) == tally.code_run == tally.foreign_changed == 2
    assert "ZeroDivisionError" in tally.failures[0]
