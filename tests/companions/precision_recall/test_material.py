import numpy as np
import pytest

from nasrank.companions.precision_recall import features
from nasrank.companions.precision_recall.features import train_classifier
from nasrank.companions.precision_recall.material import load_material, shrink
from nasrank.errors import DataError, UsageError
from nasrank.samples import Samples, SampleSet


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.npy"
    np.save(path, np.random.default_rng(0).normal(5, [1, 2, 0], (60, 3)).astype(np.float32))
    return path


def stripes(count, side=16):
    """Upright and lying stripes."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, count)
    images = np.tile((np.arange(side) % 4 < 2).astype(np.float32), (count, side, 1))
    images[classes == 1] = images[classes == 1].transpose(0, 2, 1)
    values = np.clip(images + rng.normal(0, 0.1, images.shape), 0, 1).astype(np.float32)
    return Samples(values[:, None], classes.astype(np.int64), ("up", "flat"))


def test_the_ring_is_scaled_and_comes_back():
    material = load_material("ring")
    assert np.abs(material.train.mean(axis=0)).max() < 1e-3
    assert np.abs(material.train.std(axis=0) - 1).max() < 1e-3
    back = material.restore(material.train[:5])
    assert np.abs(back - material.ceiling[:5]).max() < 1e-5
    rare = load_material("ring", mode_weights=(0.5, 0.4, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01))
    assert rare.fingerprint != material.fingerprint


def test_vectors_with_a_constant_dimension(vectors):
    material = load_material(str(vectors))
    assert material.train.shape == (42, 3)
    assert np.abs(material.train[:, 2]).max() < 1e-3
    assert np.isfinite(material.real).all()


def test_pixels_go_from_minus_one_to_one(monkeypatch):
    monkeypatch.setattr(features, "_STEPS", 20)
    load_material.cache_clear()
    pytest.importorskip("sklearn")
    material = load_material("digits", train_limit=200)
    assert (material.train.min(), material.train.max()) == (-1.0, 1.0)
    assert material.restore(material.train[:3]).min() == 0
    assert "small classifier" in material.measure
    assert material.ceiling.shape[1] == material.real.shape[1] == 32
    load_material.cache_clear()


def test_shrinking_averages_blocks():
    values = np.arange(64, dtype=np.float32).reshape(1, 1, 8, 8) / 64
    part = Samples(values, np.zeros(1, np.int64), ("all",))
    small = shrink(SampleSet("toy", part, part), 4).train.values
    # The first block holds 0, 1, 8, 9.
    assert small[0, 0, 0, 0] == pytest.approx(4.5 / 64)
    for side in (3, 16, 2):
        with pytest.raises(UsageError, match="--side"):
            shrink(SampleSet("toy", part, part), side)


@pytest.mark.parametrize("side", [8, 16])
def test_the_classifier_learns(side, monkeypatch):
    monkeypatch.setattr(features, "_STEPS", 100)
    train, test = stripes(400, side), stripes(100, side)
    classifier = train_classifier(SampleSet("stripes", train, test))
    assert classifier.accuracy > 0.95
    found = classifier.features(test.values)
    assert found.shape == (100, 32)
    assert np.array_equal(found, train_classifier(
        SampleSet("stripes", train, test)).features(test.values))  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: np.save(path, np.ones((50, 3), np.float32)), "all samples are the same"),
        (lambda path: np.save(path, np.ones((1, 3), np.float32)), "nothing is left"),
        (lambda path: np.save(path, np.ones((3, 4, 5), np.float32)), "shape"),
    ],
)
def test_data_that_cannot_be_used(vectors, change, words):
    change(vectors)
    with pytest.raises(DataError, match=words):
        load_material(str(vectors))


def test_options_that_do_not_fit_the_data(vectors):
    with pytest.raises(UsageError, match="--side"):
        load_material(str(vectors), side=8)
    with pytest.raises(UsageError, match="Did you mean 'digits'"):
        load_material("digit")
