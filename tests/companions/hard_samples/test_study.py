import json

import numpy as np
import pytest

from nasrank.companions.hard_samples.options import HardConfig
from nasrank.companions.hard_samples.plan import held_out, load_data, plan_runs
from nasrank.companions.hard_samples.tables import (
    HARD,
    HARD_EPOCHS,
    HARD_SENSITIVITY,
    HARD_SUMMARY,
    HARD_TUNING,
)
from nasrank.companions.hard_samples.variants import Variant, combined, generating_run, variants
from nasrank.errors import DataError, NothingToCompare, UsageError
from nasrank.study.claims import CLAIMS
from nasrank.study.conduct import conduct, estimate
from nasrank.study.options import checked
from nasrank.tables import read_parquet


@pytest.fixture
def config(table):
    def make(**changes):
        usual = {
            "data": changes.get("data") or str(table()), "label": "kind",
            "methods": ("triplet-random", "two-stage"),
            "epochs": 1, "batch_size": 16, "embedding": 8, "seeds": 2, "device": "cpu",
        }  # fmt: skip
        return checked(HardConfig, {**usual, **changes})

    return make


def without_time(rows):
    return [{k: v for k, v in row.items() if k != "fit_seconds"} for row in rows]


def test_tables_and_what_they_hold(config, tmp_path):
    out = tmp_path / "out"
    result = conduct(config(), out)
    assert result.computed == 6
    rows = HARD.read(out / "hard.parquet")
    assert [(row["method"], row["seed"]) for row in rows] == [
        (method, seed) for method in ("untrained", "triplet-random", "two-stage")
        for seed in (0, 1)
    ]  # fmt: skip
    for row in rows:
        assert row["train_classes"] == row["test_classes"] == 4
        assert row["n_train"] == row["n_test"] == 56
        assert 0 <= row["recall_at_1"] <= row["recall_at_8"] <= 1
        assert (row["positive_coverage"] is None) == (row["method"] != "two-stage")
        assert row["device"] == "cpu"
    epochs = HARD_EPOCHS.read(out / "hard_epochs.parquet")
    assert [row["epoch"] for row in epochs] == [1] * 4
    summary = HARD_SUMMARY.read(out / "hard_summary.parquet")
    mine = [row["recall_at_1"] for row in rows if row["method"] == "two-stage"]
    (cell,) = (
        row for row in summary if (row["method"], row["metric"]) == ("two-stage", "recall_at_1")
    )
    assert cell["mean"] == pytest.approx(np.mean(mine))
    claims = CLAIMS.read(out / "claims.parquet")
    assert {row["claim_id"] for row in claims} == {"hard-plain", "hard-own-class", "hard-training"}
    assert {row["verdict"] for row in claims} == {"undecided"}
    about = json.loads((out / "run.json").read_text())
    assert about["config"]["methods"] == ["triplet-random", "two-stage"]
    assert "data_dir" not in about["config"]
    assert list(result.shown) == ["triplet-random", "two-stage"]


def test_nothing_is_done_twice(config, tmp_path):
    out = tmp_path / "out"
    first = conduct(config(), out)
    again = conduct(config(), out)
    assert again.computed == 0
    assert again.tables["hard"] == first.tables["hard"]
    forced = conduct(config(), out, force=True)
    assert forced.computed == 6
    assert without_time(forced.tables["hard"]) == without_time(first.tables["hard"])
    more = conduct(config(seeds=3), out)
    assert more.computed == 3
    # Costs are counted afterwards, so they train nothing.
    dear = conduct(config(cost_false_accept=9.0), out)
    assert dear.computed == 0
    for old, new in zip(first.tables["hard"], dear.tables["hard"], strict=True):
        assert new["false_accept_rate"] <= old["false_accept_rate"]
        assert new["rework_cost"] == pytest.approx(
            500 * (9 * new["false_accept_rate"] + new["false_reject_rate"])
        )


def test_only_what_is_there(config, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(NothingToCompare, match="none of the 6 runs"):
        conduct(config(), out, only_cached=True)
    conduct(config(seeds=1), out)
    part = conduct(config(), out, only_cached=True)
    assert part.left_out[0].startswith("3 of 6 runs are missing from")


def test_estimates(config, tmp_path):
    out = tmp_path / "out"
    planned = estimate(config(), out)
    assert (planned.runs, planned.finished, planned.device) == (6, 0, "cpu")
    assert not out.exists()
    conduct(config(), out)
    assert estimate(config(), out).finished == 6
    assert estimate(config(), out, force=True).finished == 0


def test_augmentation_and_decay_are_a_grid(config):
    chosen = config(augmentations=("off", "on"), weight_decays=(0.0, 0.1), seeds=1)
    runs = plan_runs(chosen, load_data(chosen))
    settings = [(r.augmentation, r.weight_decay) for r in runs if r.method == "two-stage"]
    assert settings == [(False, 0.0), (False, 0.1), (True, 0.0), (True, 0.1)]
    # What is not trained has no way of training.
    (control,) = (r for r in runs if r.method == "untrained")
    other = config(
        epochs=9, batch_size=32, images_per_class=4, margin=0.5, learning_rate=0.1, warm_up=0.5
    )
    assert plan_runs(other, load_data(other))[0] == control


def test_variants_change_one_option(config):
    chosen = config(methods=("semi-hard", "two-stage(stretch=0.5)+semi-hard"))
    run = generating_run(plan_runs(chosen, load_data(chosen)))
    found = variants(run)
    assert {each.option for each in found} >= {"stretch", "adaptive", "end", "margin", "weight"}
    assert len({each.run for each in found}) == len(found)
    for each in found:
        assert each.run != run
        assert each.run.seed == run.seed
    by = {(each.option, each.value): each for each in found}
    assert by["stretch", "0.2"].run.method == "two-stage+semi-hard"
    assert by["weight", "1.0"].run.method == "two-stage(stretch=0.5,weight=1)+semi-hard"
    both = combined(run, [by["weight", "1.0"], by["margin", "0.5"]])
    assert (both.method, both.margin) == (by["weight", "1.0"].run.method, 0.5)


def test_variants_that_cannot_be_made_are_left_out(config):
    chosen = config(methods=("two-stage(start=0.05,end=0.08)",))
    run = generating_run(plan_runs(chosen, load_data(chosen)))
    found = variants(run)
    values = {
        option: [each.value for each in found if each.option == option]
        for option in ("start", "end")
    }
    # An end of -.1 or 0 lies below the start.
    assert values == {"start": ["-0.4", "-0.2", "-0.1"], "end": ["0.1"]}
    with pytest.raises(UsageError, match="below its start"):
        combined(run, [Variant("end", "-0.1", run)])


def test_nothing_that_generates_has_no_options(config, tmp_path):
    with pytest.raises(UsageError, match="Add two-stage"):
        conduct(config(methods=("semi-hard",), tune=True), tmp_path)


@pytest.fixture
def few(monkeypatch):
    """A sweep of two options."""
    from nasrank.companions.hard_samples import variants as module

    options = {"two-stage": {"weight": (0.25, 1.0)}}
    monkeypatch.setattr(module, "_METHOD", options)
    monkeypatch.setattr(module, "_RUN", {"margin": (0.1, 0.2)})


def test_sensitivity(config, tmp_path, few):
    result = conduct(config(sensitivity=True, seeds=2), tmp_path)
    rows = HARD_SENSITIVITY.read(tmp_path / "hard_sensitivity.parquet")
    assert [(row["option"], row["value"]) for row in rows] == [
        ("weight", "0.25"), ("weight", "1.0"), ("margin", "0.1"),
    ]  # fmt: skip
    usual = [r["recall_at_1"] for r in result.tables["hard"] if r["method"] == "two-stage"]
    for row in rows:
        assert row["difference"] == pytest.approx(row["recall_at_1"] - np.mean(usual))
        # With two seeds nothing can be said to matter.
        assert row["matters"] == "no difference seen"


def test_proposals_come_from_held_out_classes(config, tmp_path, few):
    conduct(config(tune=True, seeds=2), tmp_path)
    rows = HARD_TUNING.read(tmp_path / "hard_tuning.parquet")
    assert sum(row["proposed"] for row in rows) == 1
    best = max(row["recall_at_1"] for row in rows)
    assert next(row for row in rows if row["proposed"])["recall_at_1"] == best
    assert rows[0]["difference"] == 0
    assert len(rows) >= 4
    again = conduct(config(tune=True, seeds=2), tmp_path)
    assert again.computed == 0


def test_held_out_classes_are_seen_ones(config):
    data = load_data(config())
    inner = held_out(data)
    parts = [set(np.unique(part.classes).tolist()) for part in (inner.train, inner.test)]
    assert parts == [{0, 1}, {2, 3}]
    with pytest.raises(UsageError, match="four or more"):
        held_out(load_data(config(unseen=5)))


def test_a_class_of_one_is_named(config, table, tmp_path):
    import pyarrow as pa

    from nasrank.tables import read_parquet, write_parquet

    path = table()
    found = read_parquet(path)
    first = found.slice(0, 1).set_column(
        found.column_names.index("kind"), "kind", pa.array(["a-lonely"])
    )
    write_parquet(pa.concat_tables([found, first]), path)
    result = conduct(config(data=str(path), methods=("triplet-random",), seeds=1), tmp_path / "o")
    assert result.notes == (f"training classes of {path} with one sample, so only negatives: 1",)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"label": None}, UsageError, "--label"),
        ({"label": "none"}, UsageError, "no column 'none'"),
        ({"unseen": 7}, UsageError, "four classes or more"),
        ({"encoder": "cnn"}, UsageError, "for images"),
        ({"encoder": "cmn"}, UsageError, "Did you mean"),
        ({"methods": ("two-stages",)}, UsageError, "Did you mean"),
        ({"data": "digit"}, UsageError, "unknown data set"),
        ({"data": "nowhere.parquet"}, DataError, "nowhere.parquet"),
        ({"device": "tpu"}, UsageError, "device"),
    ],
)
def test_what_is_invalid_or_cannot_be_read(config, tmp_path, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        conduct(config(**changes), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "runs.d").exists()


def test_classes_of_one_alone_are_refused(config, table, tmp_path):
    with pytest.raises(DataError, match=r"seen classes, none of two samples.*--train-limit"):
        conduct(config(data=str(table(each=1))), tmp_path / "out")


def test_a_run_that_diverges_stops_no_other(config, tmp_path):
    # A weight beyond single precision makes the generator's loss infinite.
    methods = ("daml(reverse=1e39)", "triplet-random")
    rows = conduct(config(methods=methods, warm_up=0.0, epochs=2, seeds=1), tmp_path).tables[
        "hard"
    ]
    assert [row["diverged"] for row in rows] == [False, True, False]
    for row in rows:
        assert row["diverged"] == (row["recall_at_1"] is None)


def test_missing_extras(config, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pytorch_metric_learning", None)
    with pytest.raises(UsageError, match=r"install .*pytorch-metric-learning"):
        conduct(config(), tmp_path)


@pytest.fixture
def tables_alone(config, tmp_path):
    """A folder of final tables, as the repository ships them."""
    conduct(config(), tmp_path / "o")
    for path in (tmp_path / "o" / "runs.d").iterdir():
        path.unlink()
    return tmp_path / "o"


def test_final_tables_give_themselves_again(config, tables_alone):
    names = ("hard", "hard_epochs", "hard_summary", "claims")
    before = [read_parquet(tables_alone / f"{name}.parquet") for name in names]
    again = conduct(config(), tables_alone)
    assert (again.computed, again.left_out, again.shown) == (0, (), {})
    for name, old in zip(names, before, strict=True):
        assert read_parquet(tables_alone / f"{name}.parquet").to_pylist() == old.to_pylist()


def test_other_costs_need_error_rates(config, tables_alone):
    found = conduct(config(cost_false_accept=9.0), tables_alone)
    assert found.computed == 0
    assert {row["rework_cost"] for row in found.rows} == {None}
    (line,) = found.left_out
    assert line.startswith("rework costs of 6 of 6 runs: their error rates are not kept")


def test_sweeps_and_proposals_are_found_in_the_final_tables(config, tmp_path, few):
    first = conduct(config(sensitivity=True, tune=True), tmp_path)
    for path in (tmp_path / "runs.d").iterdir():
        path.unlink()
    again = conduct(config(sensitivity=True, tune=True), tmp_path)
    assert again.computed == 0
    assert again.tables == first.tables
    assert {row["held_out"] for row in again.tables["hard_variants"]} == {False, True}


def test_what_was_not_swept_makes_no_table(config, tmp_path, few):
    conduct(config(), tmp_path)
    found = conduct(config(sensitivity=True, tune=True), tmp_path, only_cached=True)
    tables = {"hard", "hard_epochs", "hard_summary", "claims", "controls"}
    assert found.tables.keys() == tables
    assert found.record is None
    # Three variants, and those and the settings asked for on held-out classes.
    assert found.left_out[0].startswith("14 of 20 runs are missing from")


def test_estimates_count_what_tuning_adds(config, tmp_path, few):
    assert estimate(config(tune=True), tmp_path).runs == 6 + 8 + 2
