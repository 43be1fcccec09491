import sys
from xml.etree import ElementTree as ET

import pytest

from nasrank.errors import UsageError
from nasrank.questions.bench.figures import draw_bench

WHERE = {"predictor": "gnn", "members": 1, "n_train": 156, "architectures": 100, "nodes": 8}


def rows(axis, values, predictors=("gnn", "gp")):
    lone = {
        **dict.fromkeys(WHERE),
        "axis": None,
        "name": "help_seconds",
        "value": 0.2,
        "unit": "s",
    }
    trend = {**lone, "axis": axis, "predictor": "gnn", "name": "growth_of_fit_seconds"}
    points = [
        {**WHERE, "axis": axis, "predictor": predictor, axis: value, "name": name, "value": 1.0,
         "unit": unit}
        for predictor in predictors
        for value in values
        for name, unit in (("fit_seconds", "s"), ("score_rate", "1/s"), ("peak_memory", "MiB"))
    ]  # fmt: skip
    return [lone, *points, trend]


def texts(path):
    return {"".join(e.itertext()).strip() for e in ET.parse(path).iter() if e.tag.endswith("text")}  # noqa: S314 - our own file


def test_every_predictor_and_axis_is_named(tmp_path):
    pytest.importorskip("matplotlib")
    path = draw_bench([*rows("members", (1, 8)), *rows("nodes", (8, 16))], tmp_path)
    assert path == tmp_path / "bench.svg"
    assert {"gnn", "gp", "predictors trained together", "nodes of the largest graph"} <= texts(
        path
    )
    assert "training architectures" not in texts(path)
    again = path.read_bytes()
    draw_bench([*rows("members", (1, 8)), *rows("nodes", (8, 16))], tmp_path)
    assert path.read_bytes() == again


def test_without_memory_or_variation(tmp_path):
    pytest.importorskip("matplotlib")
    known = [row for row in rows("n_train", (39, 78)) if row["name"] != "peak_memory"]
    assert draw_bench(known, tmp_path).exists()
    assert draw_bench(rows("n_train", (39,)), tmp_path) is None
    assert draw_bench(rows("members", (1,))[:1], tmp_path) is None


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"install .*matplotlib"):
        draw_bench(rows("members", (1, 8)), tmp_path)
