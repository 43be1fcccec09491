import json

import pytest
import torch
from typer.testing import CliRunner

from nasrank.cli.app import app
from nasrank.errors import DataError, UsageError
from nasrank.questions.bench import speed as bench
from nasrank.questions.bench.matrix_rate import products_of, replay
from nasrank.questions.bench.scaling import Series
from nasrank.questions.bench.speed import Effort
from nasrank.questions.bench.tables import BENCH, Measurement, Setting, Trend

TINY = Effort(members=4, n_train=8, epochs=1, alone=2, rounds=1, repeats=1, whole_command=False)


def nasrank(*arguments):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _cache(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


def test_every_line_has_a_value_and_what_it_means(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "QUICK", TINY)
    result = nasrank("--quick", "--device", "cpu", "--format", "json", "--out", tmp_path / "o")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    rows = document["tables"]["bench"]
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
    assert about["config"] == {"device": "cpu", "quick": True, "full": False}
    assert about["environment"]["torch_threads"] >= 1
    assert document["answer"] == {"device": "cpu", "environment": about["environment"]}


def test_goals_show_which_way_is_better(monkeypatch, tmp_path):
    lines = [
        Measurement("a_rate", 60_000.0, "1/s", "n", goal=50_000, better="higher"),
        Measurement("a_time", 0.75, "s", "n", goal=0.5),
        Measurement("a_size", 3, "1", "n"),
    ]
    assert [line.reached for line in lines] == [True, False, None]
    monkeypatch.setattr(bench, "measure", lambda _effort, _device: iter(lines))
    result = nasrank("--out", tmp_path)
    table = [line.split() for line in result.stdout.splitlines()]
    assert table[3] == ["a_rate", "60,000", "1/s", ">=", "50,000", "yes", "n"]
    assert table[4] == ["a_time", "0.75", "s", "<=", "0.5", "no", "n"]
    assert table[5] == ["a_size", "3", "1", "-", "-", "n"]


def points(axis, values, powers=None):
    """Training takes 2 s a member, scoring 1, of a hundred architectures."""
    where = {"members": 2, "n_train": 78, "architectures": 100, "nodes": 8}
    for value in values:
        setting = Setting(axis, "gnn", **{**where, axis: value})
        members = setting.members
        yield Measurement("prepare_seconds", 0.5, "s", "n", setting=setting)
        yield Measurement("fit_seconds", 2.0 * members, "s", "n", setting=setting)
        yield Measurement("score_seconds", 1.0 * members, "s", "n", setting=setting)
        yield Measurement("score_rate", 100.0, "architectures/s", "n", setting=setting)
        if axis == "members":
            yield Measurement("share_of_matrix_rate", 55.5, "%", "n", setting=setting)
    for name, power in (powers or {}).items():
        yield Measurement(f"growth_of_{name}", power, "power", "n", setting=Trend(axis, "gnn"))


def test_a_series_is_a_table_of_costs_of_one_predictor(monkeypatch, tmp_path):
    powers = {"fit_seconds": 1.96, "score_seconds": 0.04}
    lines = [
        Measurement("a_size", 3, "1", "n"),
        *points("members", (1, 40)),
        *points("n_train", (39, 78, 156), powers),
    ]
    monkeypatch.setattr(bench, "measure", lambda _effort, _device: iter(lines))
    result = nasrank("--out", tmp_path)
    text = result.stdout.splitlines()
    table = [line.split() for line in text]
    fleet, train = (text.index(title) for title in ("By fleet", "By training set"))
    # Memory is not known here.
    assert table[fleet + 4 : fleet + 6] == [
        ["gnn", "1", "78", "100", "8", "0.500", "2.000", "1.000", "100", "-", "56"],
        ["gnn", "40", "78", "100", "8", "0.500", "2.000", "1.000", "100", "-", "56"],
    ]
    assert "growth" not in text[fleet + 2]
    # The power of a column stands at its end.
    at = ["0.500", "2.000"]
    assert table[train + 3 : train + 6] == [
        ["gnn", "2", "39", "100", "8", *at, "1.000", "100", "-"],
        ["gnn", "2", "78", "100", "8", *at, "1.000", "100", "-"],
        ["gnn", "2", "156", "100", "8", *at, "2.0", "1.000", "0.0", "100", "-"],
    ]
    assert text[-1].startswith("Growth: time grows with this power")
    assert (tmp_path / "bench.svg").exists()
    assert "bench.svg" in result.stderr
    rows = BENCH.read(tmp_path / "bench.parquet")
    assert [row["axis"] for row in rows].count("n_train") == 3 * 4 + 2
    quiet = nasrank("--quiet", "--format", "csv", "--out", tmp_path)
    assert quiet.stderr == ""
    assert quiet.stdout.splitlines()[0].startswith("name,axis,predictor,members,n_train,")


def test_the_usual_bench_measures_every_predictor_and_the_full_one_every_axis(monkeypatch):
    asked, paths = [], []

    def scaling(series, *_args, epochs, repeats):
        asked.append(list(series))
        return iter(())

    def measure_paths(repeats, _device):
        paths.append(repeats)
        return iter(())

    for group in ("_start_up", "_data", "_training", "_scoring", "_default_command"):
        monkeypatch.setattr(bench, group, lambda _bench, _found: iter(()))
    monkeypatch.setattr(bench, "measure_scaling", scaling)
    monkeypatch.setattr(bench, "measure_paths", measure_paths)
    for effort in (bench.QUICK, bench.USUAL, bench.FULL):
        assert list(bench.measure(effort, torch.device("cpu"))) == []
    assert paths == [bench.USUAL.repeats, bench.FULL.repeats]
    usual, full = asked
    assert {one.axis for one in usual} == {"members"}
    assert {"gnn", "mlp", "gp", "trees", "boosting"} <= {n for o in usual for n in o.predictors}
    assert [one.axis for one in full[2:]] == ["n_train", "architectures", "nodes"]
    assert all(isinstance(one, Series) and "gp" in one.predictors for one in full[2:])
    large = max(bench._series("all", torch.device("cuda"))[0].values)
    assert large > max(bench._series("all", torch.device("cpu"))[0].values)


def test_what_is_invalid_or_cannot_be_written(tmp_path):
    result = nasrank("--device", "gpu")
    assert isinstance(result.exception, UsageError)
    result = nasrank("--quick", "--full")
    assert isinstance(result.exception, UsageError)
    (tmp_path / "file").touch()
    result = nasrank("--quick", "--out", tmp_path / "file" / "x")
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
