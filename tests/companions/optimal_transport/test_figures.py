import numpy as np
import pytest

from nasrank.companions.optimal_transport.figures import (
    draw_features,
    draw_geometry,
    draw_measures,
    draw_speed,
    draw_sweep,
)
from nasrank.companions.optimal_transport.hierarchy import Hierarchy

TREE = Hierarchy("tree", (("x", "a & b"), ("x", "c"), ("y", "d"), ("y", "e")))


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
    rows = [
        run(
            name, 0, shown=rng.normal(size=40).tolist(), shown_classes=[n % 3 for n in range(20)],
            class_distances=(rng.random(6) + 1).tolist(),
        )
        for name in ("plain", "emd")
    ]  # fmt: skip
    path = tmp_path / "f.svg"
    draw_features(rows, TREE, "title", path)
    text = drawn(path)
    for word in ("title", "plain", "emd", "the tree to keep", "a &amp; b"):
        assert word in text
    before = path.read_bytes()
    draw_features(rows, TREE, "title", path)
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
