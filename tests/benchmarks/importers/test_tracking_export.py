"""Exports of trackers: what was chosen is a setting, and what was measured is none."""

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.benchmarks.importers import user
from nasrank.benchmarks.importers.records import read_records
from nasrank.errors import NasrankError

# Learning rate, optimizer, validation accuracy, loss, state: of twelve runs.
RUNS = [
    (10.0 ** -(1 + number % 4), ("adam", "sgd")[number % 3 == 0], 80 + number / 7, number / 9,
     "crashed" if number == 5 else "finished")
    for number in range(12)
]  # fmt: skip


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def of_wandb(number, run):
    lr, optimizer, accuracy, loss, state = run
    return {
        "Name": f"swift-sun-{number}",
        "State": state,
        "Runtime": 100 + number,
        "config.lr": lr,
        "config.opt.name": optimizer,
        "config.layers": number % 5,
        "summary.val_acc": accuracy if state == "finished" else "NaN",
        "summary.epoch": loss,
        "summary._timestamp": 1.7e9 + number,
        "_step": number,
    }


def of_pages(number, run):
    """The table of the pages of W&B does not say what is a setting."""
    lr, optimizer, accuracy, loss, state = run
    return {
        "Name": f"swift-sun-{number}",
        "State": state,
        "Notes": "-",
        "User": "ann",
        "Tags": "",
        "Created": "2024-05-01T10:00:00.000Z",
        "Runtime": 100 + number,
        "Sweep": "abc",
        "lr": lr,
        "opt.name": optimizer,
        "layer_count": number % 5,
        "val_acc": accuracy if state == "finished" else "",
        "train_loss": loss,
    }


def of_the_api(number, run):
    """As the sample of W&B's documentation writes it: dicts as Python prints them."""
    row = of_wandb(number, run)
    config = {"lr": run[0], "opt": {"name": run[1]}, "layers": number % 5}
    summary = {"val_acc": row["summary.val_acc"], "epoch": run[3], "_runtime": 100.0 + number}
    summary["val_acc"] = float(summary["val_acc"])
    return {"": number, "summary": str(summary), "config": str(config), "name": row["Name"],
            "state": run[4]}  # fmt: skip


def of_mlflow(number, run):
    lr, optimizer, accuracy, loss, state = run
    return {
        "run_id": f"{number:032x}",
        "experiment_id": 0,
        "status": {"finished": "FINISHED", "crashed": "FAILED"}[state],
        "artifact_uri": f"file:///mlruns/0/{number:032x}/artifacts",
        "start_time": f"2024-05-01 10:00:{number:02d}.000000+00:00",
        "end_time": f"2024-05-01 10:01:{number:02d}.000000+00:00",
        "metrics.val_acc": accuracy if state == "finished" else "",
        "metrics.epoch": loss,
        "params.lr": lr,
        "params.opt.name": optimizer,
        "params.layers": number % 5,
        "tags.mlflow.runName": f"loud-bee-{number}",
        "tags.mlflow.user": ["ann", "bob"][number % 2],
    }


@pytest.mark.parametrize(
    ("form", "first", "cost"),
    [
        (of_wandb, "swift-sun-0", [100, 101]),
        (of_pages, "swift-sun-0", [100, 101]),
        (of_the_api, "0", [100, 101]),
        (of_mlflow, "0" * 32, None),
    ],
)
def test_an_export_needs_only_its_label(form, first, cost, tmp_path):
    rows = [form(number, run) for number, run in enumerate(RUNS)]
    path = write(tmp_path / "runs.csv", rows)
    imported = user.read(path, label=["val_acc"])
    names = {each.name for each in imported.graphs.settings.columns}
    layers = "layer_count" if form is of_pages else None
    prefix = "params" if form is of_mlflow else "config"
    assert names == {"lr", "opt.name", layers or f"{prefix}.layers"}
    (measured,) = imported.measurements
    assert measured.metric.name == "val_acc"
    assert measured.values[4, 0] == RUNS[4][2]
    assert measured.failed.tolist() == [number == 5 for number in range(12)]
    assert imported.architectures[0] == first
    if cost is None:
        assert imported.cost_seconds == {}
    else:
        assert imported.cost_seconds["own"][:2].tolist() == cost


def test_labels_may_be_called_as_the_file_calls_them(tmp_path):
    rows = [of_wandb(number, run) for number, run in enumerate(RUNS)]
    path = write(tmp_path / "runs.csv", rows)
    for name in ("val_acc", "summary.val_acc", "Val_Acc"):
        assert user.read(path, label=[name]).measurements[0].metric.name == "val_acc"
    found = read_records(path)
    assert found.results >= {"val_acc", "epoch", "_timestamp", "_step", "State", "id"}
    assert not found.results & {"lr", "opt.name", "config.layers"}
    assert found.notes == ("runs are named by Name", "Runtime is the cost in seconds")


def test_json_of_runs_is_an_export_too(tmp_path):
    rows = [
        {"name": f"r{number}", "state": run[4], "config": {"lr": run[0]},
         "summary": {"val_acc": run[2]}}
        for number, run in enumerate(RUNS)
    ]  # fmt: skip
    (tmp_path / "runs.json").write_text(json.dumps(rows))
    assert read_records(tmp_path / "runs.json").columns == ("id", "state", "lr", "val_acc")


def test_names_that_are_taken_keep_their_prefix(tmp_path):
    rows = [{"config.acc": 1, "summary.acc": 2, "summary.lr": 3, "lr": 4, "config.": 5}]
    found = read_records(write(tmp_path / "a.csv", rows))
    assert found.columns == ("acc", "summary.acc", "summary.lr", "lr", "config.")


def test_names_that_repeat_name_nothing(tmp_path):
    rows = [of_wandb(0, run) for run in RUNS]
    found = read_records(write(tmp_path / "a.csv", rows))
    assert "id" not in found.columns
    assert "Name" in found.results


def test_a_frame_of_optuna(tmp_path):
    rows = [
        {"number": number, "value": run[2], "datetime_start": "2024-05-01 10:00:00",
         "duration": "0 days 00:00:01", "params_lr": run[0], "params_opt": run[1],
         "user_attrs_note": "x", "state": "FAIL" if run[4] == "crashed" else "COMPLETE"}
        for number, run in enumerate(RUNS)
    ]  # fmt: skip
    imported = user.read(write(tmp_path / "a.csv", rows))
    assert {each.name for each in imported.graphs.settings.columns} == {"lr", "opt"}
    # The failed trial has the settings of one that went well, so its architecture has a label.
    assert imported.measurements[0].failed is None
    assert imported.understood.failures == {"state fail": 1}
    assert imported.understood.repeats == 4


@pytest.mark.parametrize(
    "row",
    [
        {"id": "a", "lr": 0.1, "label": 1},
        {"name": "a", "state": "x", "runtime": 3, "label": 1},
        {"params_lr": 0.1, "label": 3},
        {"config.lr": 0.1, "depth": 3},
    ],
)
def test_other_tables_are_left_alone(row, tmp_path):
    found = read_records(write(tmp_path / "a.csv", [row]))
    assert found.columns == tuple(row)
    assert found.results == frozenset()


HEADS = [
    *("id", "Label", "label", "label_1", "layers", "lr", "config.lr", "summary.acc", "State"),
    *("Name", "params_x", "number", "value", "status", "diverged", "", "Unnamed: 0", "group"),
    *("attribute_w", "stage1_k", "stage2_k", "cost_seconds", "Runtime", "_step", "\x1b[2J"),
]
CELLS = [
    *("", "1", "-1", "1,5", "0.5", "-", "nan", "inf", "[1, 2]", "['a', 'b']", "{'a': nan}", "5%"),
    *("1±2", "true", "007", "a;b", "failed", "\x1b[1m", "=x", "1e999", "64;128", "1,234"),
]


@settings(max_examples=200, deadline=2000)
@given(st.data())
def test_tables_of_any_columns_are_read_or_refused_in_one_line(tmp_path_factory, data):
    heads = data.draw(st.lists(st.sampled_from(HEADS), min_size=1, max_size=6, unique=True))
    # Few different cells in a column, so that columns are of one kind now and then.
    kinds = [data.draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=3)) for _ in heads]
    path = tmp_path_factory.mktemp("fuzz") / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=data.draw(st.sampled_from(",;\t|")))
        writer.writerow([*heads, "label_0"])
        for number in range(data.draw(st.integers(1, 9))):
            cells = [data.draw(st.sampled_from(kind)) for kind in kinds]
            writer.writerow([*cells, number / 7])
    refusals = []
    try:
        user.read(path)
    except NasrankError as error:
        refusals.append(str(error))
    assert all("\n" not in refusal for refusal in refusals)


def test_an_index_in_percent_is_left_out_all_the_same(tmp_path):
    rows = [{"": "5%", "config.lr": number, "summary.acc": number} for number in range(3)]
    assert read_records(write(tmp_path / "a.csv", rows)).columns == ("lr", "acc")
