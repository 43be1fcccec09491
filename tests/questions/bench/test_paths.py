import pytest

from nasrank.questions.bench import paths
from nasrank.questions.bench.tables import BENCH, Measurement


def test_every_path_stands_beside_its_floor(monkeypatch, tmp_path):
    typed = []

    def child(*arguments):
        typed.append(arguments)
        return 0.05 if arguments[0] == "-c" else 0.5

    monkeypatch.setattr(paths, "_child", child)
    monkeypatch.setattr(paths, "_ROWS", 200)
    found = [*paths._commands(tmp_path, 3), *paths._pool(tmp_path, 1)]
    rows = [each.row() for each in found]
    assert [row["name"] for row in rows] == [
        "help_cpu_seconds",
        "data_list_cpu_seconds",
        "data_info_cpu_seconds",
        "report_cpu_seconds",
        "compare_dry_run_cpu_seconds",
        "compare_repeated_cpu_seconds",
        "pool_csv_microseconds",
        "pool_parquet_microseconds",
    ]
    for row in rows[:6]:
        assert (row["value"], row["floor"], row["ratio"]) == (0.5, 0.05, pytest.approx(10))
    assert all(row["floor"] > 0 for row in rows)
    # Each in turns with its floor, after one that does not count.
    assert [words[0] for words in typed[1:9]] == ["-m", *["-m", "-c"] * 3, "-m"]
    BENCH.build(rows)


def test_a_line_without_a_floor_has_no_ratio():
    row = Measurement("a_time", 0.75, "s", "n").row()
    assert row["floor"] is None
    assert row["ratio"] is None
