import numpy as np
import pyarrow as pa
import pytest

from nasrank.errors import DataError, UsageError
from nasrank.samples import load_samples
from nasrank.samples.arrays import read_columns, read_vectors
from nasrank.tables import write_parquet


def parquet(path, **columns):
    write_parquet(pa.table(columns), path)
    return path


def test_number_columns_are_the_dimensions(tmp_path):
    path = parquet(tmp_path / "v.parquet", x=[1.0, 2.0], kind=["b", "a"], y=[3, 4])
    found = read_vectors(path, "kind")
    assert found.values.tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert (found.class_names, found.classes.tolist()) == (("a", "b"), [1, 0])


def test_a_column_of_lists_is_the_vectors(tmp_path):
    path = parquet(tmp_path / "v.parquet", vector=[[1.0, 2.0], [3.0, 4.0]], a=["x", "y"])
    found, labels = read_columns(path, ["a"])
    assert found.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert labels[0].tolist() == ["x", "y"]


def test_numpy_files(tmp_path):
    np.save(tmp_path / "v.npy", np.eye(3))
    assert read_vectors(tmp_path / "v.npy").class_names == ("all",)
    np.savez(tmp_path / "v.npz", values=np.eye(3), classes=np.array([2, 0, 2]))
    found = read_vectors(tmp_path / "v.npz")
    assert (found.class_names, found.classes.tolist()) == (("0", "2"), [1, 0, 1])
    assert len(load_samples(str(tmp_path / "v.npz")).train) == 2


def test_numpy_files_that_need_unpickling_are_refused(tmp_path):
    np.save(tmp_path / "v.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="not a plain NumPy file"):
        read_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize(
    ("columns", "label", "message"),
    [
        ({"x": [1.0, float("nan")]}, None, "row 1 holds NaN"),
        ({"x": [1.0, None]}, None, "row 1 holds NaN"),
        ({"x": ["a", "b"]}, None, "not numbers"),
        ({"x": [[1.0], [1.0, 2.0]]}, None, "unequal length"),
        ({"x": [[1.0]], "y": [[1.0]]}, None, "several columns of lists"),
        ({"x": [1.0], "k": [None]}, "k", "empty cells"),
        ({"k": ["a"]}, "k", "no vectors"),
        ({"x": pa.array([], pa.float64())}, None, "no vectors"),
    ],
)
def test_bad_parquet(tmp_path, columns, label, message):
    with pytest.raises(DataError, match=message):
        read_vectors(parquet(tmp_path / "v.parquet", **columns), label)


def test_names_that_are_not_there(tmp_path):
    path = parquet(tmp_path / "v.parquet", x=[1.0])
    with pytest.raises(UsageError, match=r"no column 'k'. It has: x"):
        read_vectors(path, "k")
    with pytest.raises(UsageError, match="Leave out --label"):
        read_vectors(tmp_path / "v.npy", "k")
    with pytest.raises(UsageError, match=r"read from .parquet"):
        read_vectors(tmp_path / "v.csv")
    with pytest.raises(UsageError, match="Did you mean 'digits'"):
        load_samples("digit")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"no", b"\x80\x04N."])
@pytest.mark.parametrize("ending", [".npy", ".npz", ".parquet"])
def test_damaged_files(tmp_path, content, ending):
    path = tmp_path / f"v{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"v\.n?p"):
        read_vectors(path)


def test_digits_are_in_the_box():
    data = load_samples("digits")
    assert (len(data.train) + len(data.test), data.shape) == (1797, (1, 8, 8))
    assert np.bincount(data.test.classes).min() > 50
