import re

import pytest
import torch

from nasrank.questions.bench import paths, pools
from nasrank.questions.bench.tables import BENCH, Measurement

KINDS = ("csv", "parquet", "jsonl")


def test_every_path_stands_beside_its_floor(monkeypatch, tmp_path):
    typed = []

    def child(*arguments):
        typed.append(arguments)
        return 0.05 if arguments[0] == "-c" else 0.5

    monkeypatch.setattr(paths, "child_seconds", child)
    monkeypatch.setattr(pools, "_ROWS", 200)
    device = torch.device("cpu")
    found = [*paths._commands(tmp_path, 3), *pools.measure_pools(tmp_path, 1, device)]
    rows = [each.row() for each in found]
    assert [row["name"] for row in rows] == [
        "help_cpu_seconds",
        "data_list_cpu_seconds",
        "data_info_cpu_seconds",
        "report_cpu_seconds",
        "compare_dry_run_cpu_seconds",
        "compare_repeated_cpu_seconds",
        "rank_cpu_seconds",
        *(f"{way}_{kind}_microseconds" for way in ("import", "pool") for kind in KINDS),
        "rank_pool_microseconds",
        "rank_billion_hours",
    ]
    for row in rows[:7]:
        assert (row["value"], row["floor"], row["ratio"]) == (0.5, 0.05, pytest.approx(10))
    assert all(row["floor"] > 0 for row in rows)
    # Each in turns with its floor, after one that does not count.
    assert [words[0] for words in typed[1:9]] == ["-m", *["-m", "-c"] * 3, "-m"]
    BENCH.build(rows)
    # A billion rows at the rate of one, by as many workers as the note says.
    *_, each, many = rows
    workers = int(re.search(r"on (\d+) of these", many["note"])[1])
    assert many["value"] == pytest.approx(each["value"] * 1e9 / 1e6 / 3600 / workers)
    assert many["ratio"] == pytest.approx(each["ratio"])


def test_a_line_without_a_floor_has_no_ratio():
    row = Measurement("a_time", 0.75, "s", "n").row()
    assert row["floor"] is None
    assert row["ratio"] is None
