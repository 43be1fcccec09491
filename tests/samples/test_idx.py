import contextlib
import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasrank.errors import DataError
from nasrank.samples import load_samples
from nasrank.samples.idx import read_idx


def idx(array):
    head = bytes([0, 0, 8, array.ndim])
    return head + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for stem, count in (("train", 12), ("t10k", 5)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{stem}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


def test_bytes_come_out_as_the_header_says(tmp_path):
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed").write_bytes(gzip.compress(idx(array)))
    assert np.array_equal(read_idx(tmp_path / "plain"), array)
    assert np.array_equal(read_idx(tmp_path / "packed"), array)


def test_a_set_has_its_two_parts_and_pixels_up_to_one(folder):
    data = load_samples("mnist", data_dir=folder)
    assert (len(data.train), len(data.test), data.shape) == (12, 5, (1, 28, 28))
    assert data.train.values.dtype == np.float32
    assert 0.9 < data.train.values.max() <= 1.0
    assert data.train.classes[:3].tolist() == [0, 1, 2]


def test_a_missing_set_says_how_to_get_it(tmp_path):
    with pytest.raises(DataError, match="apt install dataset-fashion-mnist"):
        load_samples("fashion-mnist", data_dir=tmp_path)


def test_labels_that_do_not_fit_the_images(folder):
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx(np.zeros(4, dtype=np.uint8)))
    with pytest.raises(DataError, match="4 labels for 5 images"):
        load_samples("mnist", data_dir=folder)
    path.write_bytes(idx(np.full(5, 10, dtype=np.uint8)))
    with pytest.raises(DataError, match="a label of 10"):
        load_samples("mnist", data_dir=folder)


def test_a_packed_file_cut_short(tmp_path):
    path = tmp_path / "cut"
    path.write_bytes(gzip.compress(idx(np.zeros((9, 9), dtype=np.uint8)))[:-9])
    with pytest.raises(DataError, match="cut short"):
        read_idx(path)


@given(raw=st.binary(max_size=64))
def test_no_bytes_do_harm(raw, tmp_path_factory):
    path = tmp_path_factory.mktemp("idx") / "any"
    for content in (raw, b"\0\0\x08" + raw, b"\x1f\x8b" + raw):
        path.write_bytes(content)
        with contextlib.suppress(DataError):
            array = read_idx(path)
            assert array.size == len(content) - 4 - 4 * array.ndim
