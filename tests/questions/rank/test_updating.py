"""New labels get into the space whole or not at all, and the list says what they changed."""

import numpy as np
import pytest

from nasrank.benchmarks import load_task
from nasrank.benchmarks.importers.store import open_space
from nasrank.errors import DataError, UsageError
from nasrank.questions.rank.options import RankConfig
from nasrank.study.conduct import conduct


def run(tmp_path, **options):
    base = {"space": "my-space", "predictor": "mlp", "loss": "listmle", "ensemble": 1, "top": 10}
    return conduct(RankConfig(**base | options), tmp_path / "out")


def new_labels(tmp_path, lines):
    path = tmp_path / "new.csv"
    path.write_text("\n".join(["id,label", *lines]) + "\n")
    return path


def test_new_labels_are_kept_and_learnt_from(own_space, tmp_path):
    rows = own_space()
    first = run(tmp_path)
    worth = {row["id"]: row["worth"] for row in rows}
    chosen = [row["id"] for row in first.rows[:6]]
    path = new_labels(tmp_path, [f"{name},{worth[name]:.3f}" for name in chosen])
    second = run(tmp_path, update=path)
    task = load_task("my-space/own")
    assert np.isfinite(task.labels).sum() == 46
    for name in chosen:
        assert task.labels[task.space.position(name)] == pytest.approx(worth[name], abs=1e-3)
    change = second.record["update"]
    assert (change["new_labels"], change["replaced_labels"]) == (6, 0)
    assert 0.3 < change["rank_correlation"] <= 1
    assert change["best_now"] >= change["best_before"]
    assert not {row["id"] for row in second.rows} & set(chosen)
    # The same labels again change nothing.
    third = run(tmp_path, update=path)
    assert third.record["update"]["new_labels"] == third.record["update"]["replaced_labels"] == 0
    assert third.record["update"]["rank_correlation"] == pytest.approx(1.0)
    assert third.rows == second.rows


def test_an_update_may_be_what_makes_them_enough(own_space, tmp_path):
    rows = own_space(labelled=4)
    with pytest.raises(DataError, match=r"4 different evaluated architectures are too few"):
        run(tmp_path)
    path = new_labels(tmp_path, [f"{row['id']},{row['worth']}" for row in rows[4:14]])
    found = run(tmp_path, update=path)
    assert found.record["update"]["new_labels"] == 10
    assert found.record["update"]["rank_correlation"] is None


def test_labels_of_a_pool_bring_their_graphs(own_space, networks, write_csv, tmp_path):
    own_space()
    rows = networks(80, seed=9, prefix="pool")
    pool = write_csv(tmp_path / "pool.csv", rows)
    first = run(tmp_path, pool=pool)
    worth = {row["id"]: row["worth"] for row in rows}
    chosen = [row["id"] for row in first.rows[:5]]
    path = new_labels(tmp_path, [f"{name},{worth[name]}" for name in chosen])
    with pytest.raises(DataError, match=r"no architecture of my-space\. Give the file"):
        run(tmp_path, update=path)
    second = run(tmp_path, update=path, pool=pool)
    assert open_space("my-space").size == 125
    assert second.record["update"]["new_labels"] == 5
    assert second.record["passed_over"] >= 5
    assert not {row["id"] for row in second.rows} & set(chosen)
    assert 40 < second.record["update"]["compared"] <= 75


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["net0050,90", "nobody,91"], "line 3: 'nobody' is no architecture of my-space"),
        (["net0050,90", "net0050,91"], "line 3: id 'net0050' is that of line 2 too"),
        (["net0050,good"], "line 2: label is 'good', not a finite number"),
        (["net0050,"], "no row has a label"),
        ([",90"], "line 2: id is not a name"),
        ([], "holds no architecture"),
    ],
)
def test_bad_labels_leave_the_space_alone(lines, message, own_space, tmp_path):
    own_space()
    before = open_space("my-space").path.read_bytes()
    with pytest.raises(DataError, match=message):
        run(tmp_path, update=new_labels(tmp_path, lines))
    assert open_space("my-space").path.read_bytes() == before


def test_a_built_in_space_takes_none(own_data, warm_cache, monkeypatch, tmp_path):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    with pytest.raises(UsageError, match="nb201 is built in"):
        run(tmp_path, space="nb201", update=new_labels(tmp_path, ["x,1"]))


def test_labels_that_cannot_be_learnt_from(own_space, networks, tmp_path):
    rows = [row | {"worth": 90.0} for row in networks(30)]
    own_space(labelled=20, rows=rows)
    with pytest.raises(DataError, match="all 20 labels are equal"):
        run(tmp_path)
