import numpy as np
import pyarrow as pa
import pytest

from nasrank.companions.optimal_transport.diagnose import count_modes, diagnose
from nasrank.companions.optimal_transport.options import DiagnoseConfig
from nasrank.companions.optimal_transport.tables import CLASSES, GEOMETRY, VERDICT
from nasrank.errors import DataError, UsageError
from nasrank.study.conduct import conduct
from nasrank.tables import write_parquet


@pytest.mark.parametrize(("name", "answer"), [("one-mode", "no"), ("two-modes", "yes")])
def test_the_answer_is_that_of_the_making(name, answer, tmp_path):
    record = conduct(DiagnoseConfig(features=name), tmp_path).record
    assert VERDICT.read(tmp_path / "verdict.parquet") == [record]
    assert record["answer"] == answer
    assert answer != "yes" or "100 %" in record["reason"]
    modes = {row["components_bic"] for row in CLASSES.read(tmp_path / "classes.parquet")}
    assert modes == ({1} if name == "one-mode" else {2})
    pairs = GEOMETRY.read(tmp_path / "geometry.parquet")
    assert len(pairs) == 15
    assert all(row["l2"] <= row["emd"] + 1e-9 for row in pairs)
    assert record["cpcc_emd"] > 0.99
    assert (record["cpcc_l2"] > 0.99) == (name == "one-mode")


def test_counting_modes():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(300, 8))
    assert count_modes(noise, 5, 0)[1] == 1
    for modes in (2, 3):
        centres = 8 * np.eye(8)[np.arange(300) % modes]
        axes, bic, aic = count_modes(noise + centres, 5, 0)
        # The root of 300 / 10, rounded down.
        assert (axes, bic) == (5, modes)
        assert aic >= bic
    assert count_modes(np.zeros((20, 3)), 5, 0)[1:] == (1, 1)
    # Ten samples for each component: no more than one of 19.
    assert count_modes(noise[:19], 5, 0)[1:] == (1, 1)


@pytest.fixture
def features(tmp_path):
    def write(kinds=3, value=None, n=30):
        rng = np.random.default_rng(0)
        kind = np.arange(n) % kinds
        points = rng.normal(size=(n, 3)) + 9 * np.eye(3)[kind % 3]
        if value is not None:
            points[2, 0] = value
        columns = {f"x{i}": points[:, i] for i in range(3)}
        columns |= {"label": [f"k{each}" for each in kind]}
        path = tmp_path / "f.parquet"
        write_parquet(pa.table(columns), path)
        return str(path)

    return write


def test_features_of_ones_own(features):
    [record] = diagnose(DiagnoseConfig(features=features()))[0][VERDICT]
    assert (record["classes"], record["samples"], record["dimensions"]) == (3, 30, 3)
    assert record["cpcc_l2"] is None
    assert record["one_shape_correlation"] is not None


def test_two_classes_have_one_distance_and_no_correlation(features):
    [record] = diagnose(DiagnoseConfig(features=features(kinds=2)))[0][VERDICT]
    assert record["answer"] == "unknown"
    assert record["l2_emd_correlation"] is None


def test_equal_distances_are_the_reason(tmp_path):
    columns = {f"x{axis}": [float(each % 3 == axis) for each in range(36)] for axis in range(3)}
    columns["label"] = [f"k{each % 3}" for each in range(36)]
    write_parquet(pa.table(columns), tmp_path / "f.parquet")
    [record] = diagnose(DiagnoseConfig(features=str(tmp_path / "f.parquet")))[0][VERDICT]
    assert record["answer"] == "unknown"
    assert "all distances of classes are equal" in record["reason"]


def test_small_classes_are_not_fitted(features):
    found = diagnose(DiagnoseConfig(features=features(n=12)))[0]
    assert [row["components_bic"] for row in found[CLASSES]] == [None] * 3
    assert found[VERDICT][0]["answer"] == "unknown"
    assert "10 samples or more" in found[VERDICT][0]["reason"]


def test_what_cannot_be_looked_at(features, tmp_path):
    for source, settings, error, message in (
        (features(kinds=1), {}, DataError, "one class alone"),
        ("f.csv", {}, UsageError, "read from"),
        (str(tmp_path / "no.parquet"), {}, DataError, "no such file"),
        ("one-mode", {"tree": "clothes"}, DataError, "not in the tree"),
    ):
        with pytest.raises(error, match=message):
            diagnose(DiagnoseConfig(features=source, **settings))
    with pytest.raises(DataError, match="row 2 holds NaN"):
        diagnose(DiagnoseConfig(features=features(value=np.nan)))
    with pytest.raises(UsageError, match="no column 'other'"):
        diagnose(DiagnoseConfig(features=features(), labels=("other",)))


def test_scikit_learn_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.mixture", None)
    with pytest.raises(UsageError, match=r"install .*scikit-learn"):
        count_modes(np.random.default_rng(0).normal(size=(20, 2)), 3, 0)
