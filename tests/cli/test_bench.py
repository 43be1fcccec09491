import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from nasrank.cli import bench as command
from nasrank.errors import DataError, UsageError
from nasrank.studies import bench
from nasrank.studies.bench import BENCH, Effort, Measurement
from nasrank.studies.matrix_rate import products_of, replay

TINY = Effort(members=4, n_train=8, epochs=1, alone=2, rounds=1, repeats=1, whole_command=False)
app = typer.Typer()
app.command("bench", epilog=command.EPILOG)(command.bench)


@pytest.fixture(autouse=True)
def _cache(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


def test_every_line_has_a_value_and_what_it_means(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "QUICK", TINY)
    arguments = ["--quick", "--device", "cpu", "--format", "json", "--out", str(tmp_path / "o")]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["name"] for row in rows] == [
        "help_seconds",
        "help_heavy_imports",
        "start_seconds",
        "load_seconds",
        "first_load_extra_seconds",
        "classes_seconds",
        "fleet_speedup",
        "fleet_seconds_per_predictor",
        "alone_seconds_per_predictor",
        "training_rate",
        "matrix_rate",
        "share_of_matrix_rate",
        "score_rate",
        "fleet_score_rate",
        "default_train_seconds",
        "default_score_seconds",
        "default_evaluate_seconds",
        "default_command_seconds",
    ]
    names = [column.name for column in BENCH.columns]
    for row in rows:
        assert list(row) == names
        assert row["unit"]
        assert row["note"]
        assert row["better"] in {"higher", "lower"}
        assert (row["goal"] is None) == (row["reached"] is None)
        if row["name"] != "help_heavy_imports":
            assert row["value"] > 0
    assert rows[1]["value"] == 0
    # Both are work over time, of the same work.
    values = {row["name"]: row["value"] for row in rows}
    share = values["training_rate"] / values["matrix_rate"]
    assert values["share_of_matrix_rate"] == pytest.approx(100 * share)
    assert BENCH.read(tmp_path / "o" / "bench.parquet") == rows
    about = json.loads((tmp_path / "o" / "run.json").read_text())
    assert about["config"] == {"device": "cpu", "quick": True}
    assert about["environment"]["torch_threads"] >= 1


def test_goals_show_which_way_is_better(monkeypatch, tmp_path):
    lines = [
        Measurement("a_rate", 60_000.0, "1/s", "n", goal=50_000, better="higher"),
        Measurement("a_time", 0.75, "s", "n", goal=0.5),
        Measurement("a_size", 3, "1", "n"),
    ]
    assert [line.reached for line in lines] == [True, False, None]
    monkeypatch.setattr(bench, "measure", lambda _effort, _device: iter(lines))
    result = CliRunner().invoke(app, ["--out", str(tmp_path)], catch_exceptions=False)
    table = [line.split() for line in result.stdout.splitlines()]
    assert table[3] == ["a_rate", "60,000", "1/s", ">=", "50,000", "yes", "n"]
    assert table[4] == ["a_time", "0.75", "s", "<=", "0.5", "no", "n"]
    assert table[5] == ["a_size", "3", "1", "-", "-", "n"]


def test_what_cannot_be_meant_or_written(tmp_path):
    result = CliRunner().invoke(app, ["--device", "gpu"])
    assert isinstance(result.exception, UsageError)
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["--quick", "--out", str(tmp_path / "file" / "x")])
    assert isinstance(result.exception, DataError)


def test_products_are_counted_with_those_of_their_gradients():
    left = torch.randn(3, 4, 5, requires_grad=True)
    right = torch.randn(3, 5, 6, requires_grad=True)
    forward = products_of(lambda: torch.bmm(left, right))
    # 2 * 3 * 4 * 5 * 6 = 720
    assert [product.flops for product in forward] == [720]
    both = products_of(lambda: torch.bmm(left, right).sum().backward())
    assert sum(p.flops * count for p, count in both.items()) == 3 * 720
    plain = products_of(lambda: torch.nn.functional.linear(left[0], right[0].T, torch.zeros(6)))
    # 2 * 4 * 5 * 6 = 240
    assert sum(p.flops * count for p, count in plain.items()) == 240
    assert not products_of(lambda: left + 1)


def test_products_can_be_taken_again():
    left, right = torch.randn(2, 3, 4), torch.randn(1, 4, 5).expand(2, 4, 5)
    products = products_of(lambda: [torch.bmm(left, right) for _ in range(3)])
    assert list(products.values()) == [3]
    again = replay(products, torch.device("cpu"), torch.float32)
    assert products_of(again).total() == 3
