import inspect
import json
import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nasrank
from nasrank.errors import CheckFailed, DataError, NothingToCompare, UsageError
from nasrank.questions.check.baseline import read_runs, run_key, write_baseline
from nasrank.questions.check.gate import check_runs, detectable_loss, gate_verdict, judged
from nasrank.questions.check.options import CheckConfig
from nasrank.questions.check.tables import BASELINE, CHECK, PAIRING
from nasrank.questions.compare.options import CompareConfig
from nasrank.runs.tables import DISCOVERY, METRICS, RUNS
from nasrank.study.conduct import conduct


def row(loss="mse", seed=0, tau=0.7, **changes):
    """What was measured on one run; metrics that a test does not name are 0."""
    usual = {
        **{metric.name: 0.0 for metric in METRICS},
        "n_at_1": 1,
        "n_at_10": 1,
        **{metric.name: 3 for metric in METRICS if metric.name.startswith("first_hit")},
        "task": "nb201/cifar10",
        "predictor": "gnn",
        "loss": loss,
        "n_train": 78,
        "seed": seed,
        "split": "class",
        "labels": "mean",
        "test": "rest",
        "sampling": "random",
        "fingerprint": "f" * 64,
        "diverged": False,
        "kendall_tau": tau,
    }
    return {**usual, **changes}


def rows(taus, loss="mse", **changes):
    return [row(loss, seed, tau, **changes) for seed, tau in enumerate(taus)]


def one(found, **wanted):
    (match,) = [r for r in found.rows if all(r[k] == v for k, v in wanted.items())]
    return match


# Verdicts.


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [
        (-0.03, -0.0051, "worse"),
        (-0.03, -0.005, "undecided"),
        (-0.0051, 0.1, "undecided"),
        (-0.005, 0.1, "held"),
        (0.0, 0.0, "held"),
        (0.005, 0.1, "held"),
        (0.0051, 0.1, "better"),
        (None, None, "undecided"),
    ],
)
def test_verdicts(lower, upper, verdict):
    assert gate_verdict(lower, upper, 0.005) == verdict


def test_where_lower_is_better_the_verdict_turns_and_the_numbers_do_not():
    old = np.arange(10.0)
    more = judged(old + 2, old, sign=-1, tolerance=0.0)
    assert (more["difference"], more["lower"], more["upper"]) == (2, 2, 2)
    assert more["verdict"] == "worse"
    assert judged(old - 2, old, sign=-1, tolerance=0.0)["verdict"] == "better"
    assert judged(old, old, sign=-1, tolerance=0.0)["verdict"] == "held"


@pytest.mark.parametrize("metric", [*(metric.name for metric in METRICS), "diverged"])
def test_every_metric_is_judged_in_its_direction(metric):
    """The direction is that of the name here, not of the table."""
    lower = metric.startswith(("n_at_", "regret_at_", "first_hit_", "diverged"))
    few, many = (False, True) if metric == "diverged" else (0.0, 0.5)
    rare, often = ([row(seed=seed, **{metric: at}) for seed in range(6)] for at in (few, many))
    for new, old, better in ((often, rare, not lower), (rare, often, lower)):
        found = one(check_runs(new, old), metric=metric)
        assert found["verdict"] == ("better" if better else "worse")


def test_the_loss_that_can_be_seen_is_where_95_of_100_intervals_end_below():
    differences = np.random.default_rng(0).normal(0, 0.01, 400)
    spread = differences.std(ddof=1) / 20
    found = detectable_loss(differences, 0.005)
    assert found == pytest.approx(0.005 + 3.605 * spread)
    draws = np.random.default_rng(1).normal(-found, spread, 20_000)
    assert np.mean(draws + 1.96 * spread < -0.005) == pytest.approx(0.95, abs=0.01)
    assert detectable_loss(np.zeros(5), 0.005) is None
    assert detectable_loss(np.ones(1), 0.005) is None


# Pairing.


def test_equal_runs_hold():
    runs = rows([0.6, 0.7, 0.8]) + rows([0.7, 0.8, 0.7], "hr")
    found = check_runs(runs, runs)
    assert found.held
    assert (found.pairs, found.only_baseline, found.only_results) == (6, 0, 0)
    assert {r["verdict"] for r in found.rows} == {"held"}
    assert found.primary["metric"] == "mean_tau"
    # (.6 + .7 + .8 + .7 + .8 + .7) / 6
    assert found.primary["baseline"] == pytest.approx(4.3 / 6)
    assert found.detectable is None
    assert [r["primary"] for r in found.rows].count(True) == 1
    assert CHECK.build(found.rows).num_rows == len(found.rows) == 1 + 2 * (len(METRICS) + 1)


def test_the_primary_row_averages_a_seed_before_it_asks_how_far_that_is_known():
    old = rows([0.7] * 4) + rows([0.7] * 4, "hr")
    # Within a seed one loss rises by what the other falls: nothing has changed, and surely so.
    shift = np.array([0.1, -0.2, 0.05, 0.3])
    new = rows(0.7 + shift) + rows(0.7 - shift - 0.02, "hr")
    primary = check_runs(new, old).primary
    assert primary["difference"] == pytest.approx(-0.01)
    assert primary["lower"] == pytest.approx(primary["upper"])
    assert primary["n_pairs"] == 4
    assert primary["verdict"] == "worse"
    assert check_runs(new, old, tolerance=0.011).held


def test_runs_are_paired_whatever_their_order_and_others_are_counted():
    old = rows([0.1, 0.5, 0.9])
    new = [row(seed=2, tau=0.9), row(seed=7, tau=0.0), row(seed=1, tau=0.5)]
    found = check_runs(new, old)
    assert (found.pairs, found.only_baseline, found.only_results) == (2, 1, 1)
    assert found.primary["difference"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "nb201/cifar100"},
        {"predictor": "mlp"},
        {"loss": "hr"},
        {"n_train": 79},
        {"seed": 9},
        {"split": "random"},
        {"labels": "single"},
        {"test": "all"},
        {"sampling": "diverse"},
    ],
)
def test_runs_that_differ_in_anything_else_are_not_compared(changes):
    assert set(changes) <= set(PAIRING)
    with pytest.raises(NothingToCompare, match="they share no run"):
        check_runs([row(**changes)], [row()])


def test_other_data_is_an_error_even_for_one_task():
    new = [row(), row(task="nb201/cifar100", fingerprint="e" * 64)]
    old = [row(), row(task="nb201/cifar100")]
    with pytest.raises(DataError, match="nb201/cifar100"):
        check_runs(new, old)


def test_a_predictor_that_diverged_counts_as_one_without_an_order():
    old = rows([0.6] * 12)
    new = [*rows([0.6] * 11), row(seed=11, tau=None, diverged=True)]
    found = check_runs(new, old)
    assert found.primary["difference"] == pytest.approx(-0.6 / 12)
    assert one(found, metric="diverged")["difference"] == pytest.approx(1 / 12)
    assert one(found, metric="diverged")["n_pairs"] == 12


def test_a_metric_without_a_value_is_left_out_with_its_partner():
    old = rows([0.6] * 3)
    old[0]["first_hit_0.1pct"] = None
    found = one(check_runs(rows([0.6] * 3), old), metric="first_hit_0.1pct")
    assert found["n_pairs"] == 2
    every = [{**each, "first_hit_0.1pct": None} for each in old]
    found = one(check_runs(rows([0.6] * 3), every), metric="first_hit_0.1pct")
    assert (found["n_pairs"], found["difference"], found["verdict"]) == (0, None, "undecided")


def test_one_pair_decides_nothing():
    found = check_runs([row(tau=0.1)], [row(tau=0.9)])
    assert found.primary["verdict"] == "undecided"
    assert found.held


def test_the_tolerance_is_for_shares_alone():
    found = check_runs(rows([0.6] * 3), rows([0.6] * 3), tolerance=0.01)
    by = {r["metric"]: r["tolerance"] for r in found.rows}
    assert by["mean_tau"] == by["kendall_tau"] == by["discovery_1pct_at_100"] == 0.01
    assert by["first_hit_1pct"] == by["regret_at_1"] == by["n_at_10"] == 0


# Files.


@pytest.fixture(name="folder")
def _folder(tmp_path, quick):
    """A comparison of two losses and three seeds."""
    config = CompareConfig(losses=("mse", "hr"), n_train=(20,), seeds=3, device="cpu")
    conduct(config, tmp_path / "out")
    return tmp_path / "out"


def check(results, against):
    """Check into a folder beside the results."""
    place = results.parent / "check"
    return conduct(CheckConfig(results=results, against=against), place)


def test_a_baseline_holds_what_was_measured_and_is_small(folder, tmp_path):
    path = tmp_path / "baseline.parquet"
    runs = read_runs(folder)
    write_baseline(runs, path)
    assert sorted(map(run_key, read_runs(path))) == sorted(map(run_key, runs))
    assert pq.read_schema(path).equals(BASELINE.schema)
    measured = {r["run_id"]: r for r in RUNS.read(folder / "runs.parquet")}
    for name in ("kendall_tau", "regret_at_10", "first_hit_1pct"):
        assert [r[name] for r in runs] == [r[name] for r in measured.values()]
    found = {
        r["run_id"]: r["discovery_rate"]
        for r in DISCOVERY.read(folder / "discovery.parquet")
        if r["top_fraction"] == 0.01 and r["k"] == 100
    }
    assert [r["discovery_1pct_at_100"] for r in runs] == [found[run_id] for run_id in measured]
    assert path.stat().st_size < 30_000
    write_baseline(runs[::-1], tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_a_folder_is_checked_against_a_file_or_a_folder(folder, tmp_path):
    path = tmp_path / "baseline.parquet"
    write_baseline(read_runs(folder), path)
    for against in (path, folder):
        found = check(folder, against)
        assert found.error is None
        assert found.record["verdict"] == "held"
        assert found.record["pairs"] == 6
        assert CHECK.read(found.out / "check.parquet") == found.rows


def test_results_of_other_code_are_named(folder, tmp_path):
    baseline = tmp_path / "baseline.parquet"
    write_baseline(read_runs(folder), baseline)
    assert not any("code" in note for note in check(folder, baseline).notes)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    path = copy / "runs.parquet"
    table = RUNS.load(path)
    about = json.loads(table.schema.metadata[b"nasrank.about"])
    name = next(iter(about["code"]))
    about["code"][name] = "0" * 16
    RUNS.write(table.to_pylist(), path, about)
    other = check(copy, baseline)
    assert f"the installed code of {name}: other code made it" in other.notes[-1]


def test_as_a_function_results_are_given_by_place(folder, tmp_path):
    path = tmp_path / "baseline.parquet"
    written = nasrank.check(str(folder), against=path, update=True, out=tmp_path / "o")
    assert written.record == {"baseline": str(path), "runs": 6, "bytes": path.stat().st_size}
    worse = [{**r, "kendall_tau": r["kendall_tau"] - 0.1} for r in read_runs(folder)]
    write_baseline(worse, tmp_path / "worse.parquet")
    found = nasrank.check(tmp_path / "worse.parquet", against=path, out=str(tmp_path / "o"))
    assert isinstance(found.error, CheckFailed)
    assert found.frame()["verdict"].iloc[0] == found.record["verdict"] == "worse"
    assert next(iter(inspect.signature(nasrank.check).parameters)) == "results"
    with pytest.raises(UsageError, match="RESULTS is missing"):
        nasrank.check(against=path)
    for places, options in (((folder, path), {}), ((folder,), {"results": folder})):
        with pytest.raises(
            TypeError, match=r"check\(\) takes only results by position, each once"
        ):
            nasrank.check(*places, **options)
    with pytest.raises(TypeError, match=r"budget\(\) takes no positional arguments"):
        nasrank.budget(0.01)


def test_other_data_says_what_to_do(folder, tmp_path):
    path = tmp_path / "baseline.parquet"
    write_baseline([{**r, "fingerprint": "0" * 64} for r in read_runs(folder)], path)
    with pytest.raises(DataError, match="was measured on other data than") as caught:
        check(folder, path)
    assert f"nasrank check {folder} --against {path} --update" in str(caught.value)


def test_what_is_no_baseline_is_refused(folder, tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(DataError, match="no such file"):
        check(folder, path)
    with pytest.raises(DataError, match=r"runs\.parquet: no such file"):
        check(tmp_path, path)
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="damaged or not a Parquet file"):
        check(folder, path)
    pq.write_table(pa.table({"task": ["a"]}), path)
    with pytest.raises(DataError, match="not a table 'baseline'"):
        check(folder, path)
    table = pa.Table.from_pylist([{**row(), "seed": "0"}])
    pq.write_table(table, path)
    with pytest.raises(DataError, match="column 'seed' is missing or of another type"):
        check(folder, path)
    pq.write_table(BASELINE.build([row()]).set_column(0, "task", pa.array([None], "string")), path)
    with pytest.raises(DataError, match="column 'task' has empty cells"):
        check(folder, path)
    write_baseline([row(), row()], path)
    with pytest.raises(DataError, match="is there twice"):
        check(folder, path)
    write_baseline([], path)
    with pytest.raises(NothingToCompare, match="holds no run"):
        check(folder, path)
    with pytest.raises(DataError, match=r"a folder\. Name a file"):
        write_baseline([row()], folder)


@pytest.mark.parametrize("about", [b"{}", b"nonsense", b'{"fingerprints": []}', b"[]", None])
def test_a_folder_that_does_not_name_its_data_is_refused(folder, tmp_path, about):
    path = folder / "runs.parquet"
    table = pq.read_table(path)
    metadata = {b"nasrank.table": b"runs"}
    if about is not None:
        metadata[b"nasrank.about"] = about
    pq.write_table(table.replace_schema_metadata(metadata), path)
    with pytest.raises(DataError, match=r"runs.parquet: (not a table that|does not say)"):
        read_runs(folder)


def test_a_task_without_a_fingerprint_is_refused(folder):
    path = folder / "runs.parquet"
    about = {
        b"nasrank.table": b"runs",
        b"nasrank.about": json.dumps({"fingerprints": {"other": "f"}}).encode(),
    }
    pq.write_table(pq.read_table(path).replace_schema_metadata(about), path)
    with pytest.raises(DataError, match="does not say what data nb201/cifar10 had"):
        read_runs(folder)


def test_numbers_that_are_not_finite_count_as_missing(tmp_path):
    path = tmp_path / "x.parquet"
    write_baseline([row(tau=math.nan), row(seed=1, tau=math.inf)], path)
    assert [r["kendall_tau"] for r in read_runs(path)] == [None, None]
