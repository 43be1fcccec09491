import numpy as np
import pyarrow as pa
import pytest

from nasrank.companions.supcon.advice import guideline
from nasrank.companions.supcon.closed_form import Batch, optimal_embedding, optimum
from nasrank.companions.supcon.diagnose import check_sweep, diagnose, verdict
from nasrank.companions.supcon.tables import DIAGNOSIS, TRAINING
from nasrank.errors import DataError, UsageError
from nasrank.tables import write_parquet


def store(path, values, classes):
    np.savez(path, values=values, classes=classes)
    return path


@pytest.fixture
def collapsed(tmp_path):
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 20)
    return store(
        tmp_path / "c.npz", np.eye(3, 8)[classes] + 0.02 * rng.normal(size=(60, 8)), classes
    )


def test_collapsed(collapsed):
    found = diagnose(collapsed)
    DIAGNOSIS.build(found.rows)
    assert found.verdict == "collapsed"
    assert "below 5 %" in found.reason
    assert found.simplex_distance < 0.05
    assert found.neighbours == 1
    assert [row["class"] for row in found.rows] == ["all", "0", "1", "2"]


@pytest.mark.parametrize(
    ("alpha", "wanted"), [(0.0, "collapsed"), (0.4, "near"), (0.7, "healthy"), (1.0, "healthy")]
)
def test_optimal_embeddings_are_judged_by_their_variance(tmp_path, alpha, wanted):
    setting = (3, 4, 2, 0.5, alpha)
    path = store(
        tmp_path / "o.npz",
        7 * optimal_embedding(Batch(*setting[:-1]), setting[-1]),
        np.repeat(np.arange(3), 8),
    )
    found = diagnose(path)
    assert found.verdict == wanted
    share = float(optimum(Batch(*setting[:-1]), setting[-1]).within_variance)
    assert found.rows[0]["within_share"] == pytest.approx(share, abs=1e-6)
    assert found.total_variance == pytest.approx(1, abs=1e-6)
    # Eight embeddings a class: the mean over 7 others, one at cosine 1, six at s.
    cosine = (1 + 6 * float(optimum(Batch(*setting[:-1]), setting[-1]).within_cosine)) / 7
    assert found.rows[0]["mean_cosine"] == pytest.approx(cosine, abs=1e-6)
    assert found.rows[1]["mean_cosine"] == pytest.approx(cosine, abs=1e-6)


def test_one_collapsed_class_is_named(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 4))
    values[:20] = [5, 0, 0, 0] + 0.01 * values[:20]
    found = diagnose(store(tmp_path / "m.npz", values, np.repeat([0, 1], 20)))
    assert found.verdict == "healthy"
    assert "these classes are collapsed: 0" in found.reason


def test_a_class_of_one(tmp_path):
    found = diagnose(store(tmp_path / "o.npz", np.eye(3), np.array([0, 0, 1])))
    assert found.rows[2]["verdict"] == "one embedding"
    assert found.rows[2]["mean_cosine"] is None


def test_verdicts():
    assert [verdict(share) for share in (0.0, 0.049, 0.05, 0.149, 0.15, 1.0)] == [
        "collapsed", "collapsed", "near", "near", "healthy", "healthy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "classes", "text"),
    [
        (np.eye(3), [0, 0, 0], "has one class, and two are needed"),
        (np.eye(3), [0, 1, 2], "none can collapse"),
        (np.diag([1.0, 1, 0]), [0, 0, 1], "row 2 has length 0"),
        (np.diag([1.0, np.nan, 1]), [0, 0, 1], "row 1 holds NaN"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, values, classes, text):
    with pytest.raises(DataError, match=text):
        diagnose(store(tmp_path / "w.npz", values, np.array(classes)))


def test_columns(tmp_path):
    path = tmp_path / "e.parquet"
    write_parquet(pa.table({"x": [1.0, 2, 0], "y": [0.0, 1, 1], "k": ["a", "a", "b"]}), path)
    assert len(diagnose(path, "k").rows) == 3
    with pytest.raises(UsageError, match="no column 'kind'"):
        diagnose(path, "kind")
    with pytest.raises(DataError, match="no such file"):
        diagnose(tmp_path / "no.parquet", "k")


@pytest.mark.parametrize("anchor", ["included", "excluded"])
def test_the_guideline(anchor):
    setting = (4, 10, 2, 0.5)
    found = guideline(Batch(*setting, anchor=anchor))
    assert found.alpha_star < found.lower < found.suggested < found.upper < 1
    for alpha, share in ((found.lower, 0.25), (found.suggested, 0.5), (found.upper, 0.75)):
        within = float(optimum(Batch(*setting, anchor=anchor), alpha).within_variance)
        assert within == pytest.approx(share * found.largest_within, abs=1e-6)


def test_the_sweep_is_looked_up(tmp_path):
    def row(alpha, accuracy, noise=0.0):
        kinds = {"string": "x", "int64": 1, "double": 0.0, "bool": False}
        blank = {column.name: kinds[column.type] for column in TRAINING.columns}
        return blank | {"alpha": alpha, "fine_probe_accuracy": accuracy, "label_noise": noise}

    rows = [row(0.0, 0.5), row(0.0, 0.7), row(0.5, 0.8), row(1.0, 0.9), row(1.0, None)]
    TRAINING.write([*rows, row(0.4, 0.99, noise=0.2)], tmp_path / "train.parquet")
    found = check_sweep(tmp_path, 0.41)
    assert (found.alpha, found.accuracy) == (0.5, 0.8)
    assert (found.best_alpha, found.best_accuracy, found.seeds) == (1.0, 0.9, 1)
    assert check_sweep(tmp_path, 0.1).accuracy == pytest.approx(0.6)
    with pytest.raises(DataError, match="no such file"):
        check_sweep(tmp_path / "none", 0.1)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_random_vectors_with_random_labels_are_not_healthy(tmp_path, classes):
    rng = np.random.default_rng(classes)
    for place in range(5):
        values, labels = rng.normal(size=(400, 16)), rng.integers(0, classes, 400)
        found = diagnose(store(tmp_path / f"{place}.npz", values, labels))
        assert found.verdict == "not learned"
        assert "not in the embeddings" in found.reason
        assert "healthy" not in {row["verdict"] for row in found.rows}


def test_classes_that_are_learned_with_much_variance_are_healthy(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    values = 2 * np.eye(5, 16)[labels] + rng.normal(size=(300, 16)) * 0.7
    assert diagnose(store(tmp_path / "v.npz", values, labels)).verdict == "healthy"
    # The same vectors under shuffled labels are not.
    shuffled = store(tmp_path / "w.npz", values, rng.permutation(labels))
    assert diagnose(shuffled).verdict == "not learned"


def test_classes_of_one_embedding_do_not_lower_the_neighbours(tmp_path):
    values = np.vstack([np.eye(4)[[0, 0, 1, 1]] + 0.3, np.eye(4)[2:]])
    found = diagnose(store(tmp_path / "v.npz", values, np.array([0, 0, 1, 1, 2, 3])))
    assert found.neighbours == 1
