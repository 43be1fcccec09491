import numpy as np
import pyarrow as pa
import pytest

from nasrank.companions.supcon.coarse import group_by_remainder, load_grouped
from nasrank.errors import DataError, UsageError
from nasrank.tables import write_parquet


def write(path, **columns):
    write_parquet(pa.table(columns), path)
    return str(path)


def test_digits_are_even_or_odd():
    pytest.importorskip("sklearn")
    found = load_grouped("digits")
    assert found.coarse_of.tolist() == [0, 1] * 5
    assert found.coarse_names == ("even", "odd")


def test_clothes_are_of_four_groups(tmp_path):
    """Ten images of two by two pixels in the form of the published files."""
    images = bytes([0, 0, 8, 3, *[0, 0, 0, 10], *[0, 0, 0, 2], *[0, 0, 0, 2]]) + bytes(40)
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 10, *range(10)])
    for stem in ("train", "t10k"):
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(images)
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(labels)
    found = load_grouped("fashion-mnist", data_dir=tmp_path)
    assert found.coarse_names == ("tops", "legs and dresses", "shoes", "bags")
    groups = {name: [] for name in found.coarse_names}
    for fine, coarse in zip(found.samples.class_names, found.coarse_of, strict=True):
        groups[found.coarse_names[coarse]].append(fine)
    assert groups["tops"] == ["T-shirt", "Pullover", "Coat", "Shirt"]
    assert groups["shoes"] == ["Sandal", "Sneaker", "Ankle boot"]
    assert groups["bags"] == ["Bag"]


def test_columns_of_a_file(tmp_path):
    path = write(
        tmp_path / "v.parquet",
        x=[1.0, 2.0, 3.0, 4.0],
        fine=["cat", "dog", "oak", "oak"],
        above=["animal", "animal", "plant", "plant"],
    )
    found = load_grouped(path, label="fine", coarse="above")
    assert found.coarse_of.tolist() == [0, 0, 1]
    assert found.coarse_names == ("animal", "plant")
    assert found.samples.shape == (1,)


def test_without_a_column_classes_are_even_or_odd(tmp_path):
    path = write(tmp_path / "v.parquet", x=[1.0, 2.0, 3.0], fine=["a", "c", "b"])
    found = load_grouped(path, label="fine")
    assert found.samples.class_names == ("a", "b", "c")
    assert found.coarse_of.tolist() == [0, 1, 0]


def test_coarse_classes_hold_whole_finer_ones(tmp_path):
    path = write(
        tmp_path / "v.parquet", x=[1.0, 2.0, 3.0], fine=["a", "a", "b"], above=["p", "q", "p"]
    )
    with pytest.raises(DataError, match="'a' lies in several of above: p, q"):
        load_grouped(path, label="fine", coarse="above")


def test_other_numbers_of_classes(grouped):
    assert group_by_remainder(grouped, 3).coarse_of.tolist() == [0, 1, 2, 0]
    for count in (1, 5):
        with pytest.raises(UsageError, match=f"--classes {count}"):
            group_by_remainder(grouped, count)


def test_one_class_is_refused(tmp_path):
    np.save(tmp_path / "v.npy", np.eye(4))
    with pytest.raises(DataError, match="has one class, and two are needed"):
        load_grouped(str(tmp_path / "v.npy"))
    path = write(tmp_path / "v.parquet", x=[1.0, 2.0], fine=["a", "b"], above=["p", "p"])
    with pytest.raises(DataError, match="has one class, and two are needed"):
        load_grouped(path, label="fine", coarse="above")


def test_coarse_needs_a_column(tmp_path):
    with pytest.raises(UsageError, match="--label"):
        load_grouped("digits", coarse="above")
    with pytest.raises(UsageError, match="--label"):
        load_grouped(str(tmp_path / "v.parquet"), coarse="above")
