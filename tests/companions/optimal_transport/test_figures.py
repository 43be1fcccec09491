import numpy as np
import pytest

from nasrank.companions.optimal_transport.figures import (
    Leaves,
    View,
    draw_features,
    draw_geometry,
    draw_measures,
    draw_speed,
    draw_sweep,
    file_stem,
)

LEAVES = Leaves(("a & b", "c", "d", "e"), np.array([0, 0, 1, 1]),
                np.array([2.0, 4, 4, 4, 4, 2]))  # fmt: skip


def run(method, seed, **changes):
    return {
        "method": method, "seed": seed, "weight": 1.0, "batch_size": 64, "test_cpcc": None,
        "test_cpcc_l2": 0.9, "test_cpcc_emd": 1.0, "fine_map": 90.0, "coarse_map": 95.0,
        "fine_accuracy": 90.0, "coarse_accuracy": 96.0, "mistake_distance": None, **changes,
    }  # fmt: skip


def drawn(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "nan" not in text.lower().replace("nasrank", "")
    return text


def test_features_and_trees(tmp_path):
    rng = np.random.default_rng(0)
    views = [
        View(name, rng.normal(size=(20, 2)), np.arange(20) % 3, rng.random(6) + 1)
        for name in ("plain", "emd")
    ]
    path = tmp_path / "f.svg"
    draw_features(views, LEAVES, "title", path)
    text = drawn(path)
    for word in ("title", "plain", "emd", "the tree to keep", "a &amp; b"):
        assert word in text
    before = path.read_bytes()
    draw_features(views, LEAVES, "title", path)
    assert path.read_bytes() == before


def test_measures_of_methods_with_and_without_values(tmp_path):
    path = tmp_path / "m.svg"
    rows = [run("plain", 0), run("emd", 0, test_cpcc=0.9), run("emd", 1, test_cpcc=1.0)]
    draw_measures(rows, "title", path)
    text = drawn(path)
    assert "by its own distance" in text
    assert "edges per mistake" in text


@pytest.mark.parametrize(("axis", "settings"), [("weight", (0.1, 1, 10)), ("batch_size", (8, 16))])
def test_sweeps(tmp_path, axis, settings):
    path = tmp_path / "s.svg"
    rows = [
        run(method, seed, **{axis: setting}, test_cpcc=None if method == "plain" else 0.5)
        for method in ("plain", "l2", "emd")
        for setting in settings
        for seed in range(2)
    ]
    draw_sweep(rows, axis, "title", path)
    text = drawn(path)
    assert axis.replace("_", " ") in text
    assert "plain" not in text


def test_speed_without_memory(tmp_path):
    path = tmp_path / "s.svg"
    rows = [
        {"distance": "fastft", "axis": axis, "samples": n, "dimension": n, "classes": n,
         "seconds": n / 100, "mebibytes": None}
        for axis in ("samples", "dimension", "classes")
        for n in (2, 4, 8)
    ]  # fmt: skip
    slopes = [{"distance": "fastft", "axis": "samples", "slope": 1.0}]
    draw_speed(rows, slopes, path)
    assert "fastft: 1.0" in drawn(path)


def test_geometry(tmp_path):
    path = tmp_path / "g.svg"
    rows = [{"l2": x, "emd": x + 1, "one_shape": x + 0.5} for x in (1.0, 2.0)]
    draw_geometry(rows, "title", path)
    assert "normal clouds of one shape" in drawn(path)


def test_stems():
    assert file_stem("fashion-mnist") == "fashion-mnist"
    assert file_stem("../..") == "data"
