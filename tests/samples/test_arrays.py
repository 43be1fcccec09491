from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasrank.errors import DataError, UsageError
from nasrank.samples import load_samples
from nasrank.samples.arrays import Reading, read_samples
from nasrank.tables import write_parquet


def read_vectors(path, label=None, **how):
    labels = () if label is None else (label,)
    return read_samples(path, labels, Reading(**how)).samples


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
    found = read_samples(path, ["a"])
    assert found.samples.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert found.labels["a"].tolist() == ["x", "y"]


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
        ({"x": ["a", "b", "a"]}, None, "not numbers"),
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


def read(path, label=None, **how):
    """The values, and what is said of them."""
    found = read_vectors(path, label, **how)
    return np.asarray(found.values), found.notes


ROWS = 40
X, Y = np.random.default_rng(0).normal(size=(2, ROWS))
KIND = ["a", "b"] * (ROWS // 2)


@pytest.mark.parametrize(
    ("name", "column", "why"),
    [
        ("__index_level_0__", np.arange(ROWS), "the index of a data frame"),
        ("Unnamed: 0", np.arange(ROWS), "the index of a data frame"),
        ("", np.arange(ROWS) * 2, "the index of a data frame"),
        ("sample_id", np.repeat(np.arange(ROWS // 2), 2), "an identifier"),
        ("ID", np.arange(ROWS) * 3, "an identifier"),
        ("n", np.random.default_rng(1).permutation(ROWS) + 7, "counts the rows"),
        ("n", np.arange(ROWS).astype(float), "counts the rows"),
        ("k", np.full(ROWS, 3.5), "constant"),
        ("file", [f"{n}.png" for n in range(ROWS)], "names"),
    ],
)
def test_columns_that_are_no_features_are_left_out_and_named(tmp_path, name, column, why):
    path = parquet(tmp_path / "v.parquet", x=X, y=Y, kind=KIND, **{name: column})
    values, notes = read(path, "kind")
    assert values.shape == (ROWS, 2)
    assert f"{name} ({why})" in notes[0]
    plain, nothing = read(parquet(tmp_path / "w.parquet", x=X, y=Y, kind=KIND), "kind")
    assert nothing == ()
    assert (values == plain).all()


def test_the_index_that_pandas_wrote_is_known_by_its_metadata(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"x": X, "y": Y, "kind": KIND}, index=pd.Index(X * 3, name="when"))
    frame.to_parquet(tmp_path / "v.parquet")
    values, notes = read(tmp_path / "v.parquet", "kind")
    assert values.shape == (ROWS, 2)
    assert "when (the index of a data frame)" in notes[0]


def test_features_that_look_like_none_can_be_named(tmp_path):
    path = parquet(tmp_path / "v.parquet", x=X, n=np.arange(ROWS), kind=KIND)
    assert read(path, "kind")[0].shape == (ROWS, 1)
    values, notes = read(path, "kind", columns=("n", "x"))
    assert values[:3, 0].tolist() == [0, 1, 2]
    assert notes == ()
    with pytest.raises(UsageError, match="no column 'z'"):
        read_vectors(path, "kind", columns=("z",))
    np.save(tmp_path / "v.npy", np.eye(3))
    with pytest.raises(UsageError, match="Leave out --columns"):
        read_vectors(tmp_path / "v.npy", columns=("x",))


def test_whole_numbers_that_are_features_stay(tmp_path):
    ages = np.random.default_rng(0).integers(0, 90, ROWS)
    path = parquet(tmp_path / "v.parquet", age=ages, hid=ages[::-1].copy(), kind=KIND)
    assert read(path, "kind")[0].shape == (ROWS, 2)


def test_a_file_of_nothing_but_an_index_is_refused_for_it(tmp_path):
    path = parquet(tmp_path / "v.parquet", id=np.arange(ROWS), kind=KIND)
    with pytest.raises(DataError, match=r"no vectors: id \(an identifier\)"):
        read_vectors(path, "kind")


def test_columns_of_another_scale_are_standardised_and_named(tmp_path):
    path = parquet(tmp_path / "v.parquet", x=X, y=Y, income=1e5 * X + 3e7, kind=KIND)
    values, notes = read(path, "kind")
    assert "income (spread" in notes[0]
    assert values.std(axis=0) == pytest.approx(1, abs=1e-5)
    assert values.mean(axis=0) == pytest.approx(0, abs=1e-5)
    assert read(path, "kind", scaling="none")[0][:, 2].min() > 1e7
    # Near scales are left alone, unless it is asked for.
    near = parquet(tmp_path / "w.parquet", x=X, y=50 * Y, kind=KIND)
    assert (read(near, "kind")[0] == np.stack([X, 50 * Y], 1).astype("f4")).all()
    scaled, _ = read(near, "kind", scaling="standard")
    assert scaled.std(axis=0) == pytest.approx(1, abs=1e-5)


def test_labels_of_a_npz_file_are_its_arrays(tmp_path):
    path = tmp_path / "v.npz"
    np.savez(path, values=np.eye(4), kind=np.array(list("abca")), group=np.array([0, 0, 1, 0]))
    found = read_samples(path, ["kind", "group"])
    assert found.samples.class_names == ("a", "b", "c")
    assert found.labels["group"].tolist() == ["0", "0", "1", "0"]
    with pytest.raises(UsageError, match=r"no array 'no'. It has: values, kind, group"):
        read_samples(path, ["no"])
    np.savez(path, values=np.eye(4), kind=np.zeros(4), group=np.zeros(3))
    with pytest.raises(DataError, match="Give one each"):
        read_samples(path, ["kind", "group"])


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_metadata_of_pandas_are_read_or_refused(content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "v.parquet"
        table = pa.table({"x": X, "y": Y}).replace_schema_metadata({b"pandas": content})
        write_parquet(table, path)
        assert len(read_vectors(path)) == ROWS
