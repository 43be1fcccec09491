import json

import pytest

from nasrank.companions.hard_samples.figures import draw_archs, draw_hard, write_embeddings

pytest.importorskip("matplotlib")

NUMBERS = ("triplet_loss", "active_share", "synthetic_negative", "met_share")


@pytest.fixture
def tables():
    summary = [
        {
            "method": method, "augmentation": on, "weight_decay": decay, "metric": metric,
            "mean": mean, "lower": None if method == "untrained" else 0.4, "upper": 0.6,
        }
        for method, on, decay in (
            ("untrained", False, 0.0), ("two-stage", False, 0.0), ("two-stage", True, 0.1),
        )
        for metric, mean in (
            ("recall_at_1", 0.5), ("separation", None), ("fpr_at_95_recall", 0.5),
        )
    ]  # fmt: skip
    epochs = [
        {
            "method": "two-stage",
            "augmentation": False,
            "weight_decay": 0.0,
            "seed": seed,
            "epoch": epoch,
            **dict.fromkeys(NUMBERS, 0.1 * epoch),
        }
        for seed in (0, 1)
        for epoch in (1, 2)
    ]
    sensitivity = [
        {
            "data": "digits", "method": "two-stage", "option": "weight", "value": value,
            "difference": difference, "lower": -0.1, "upper": 0.2, "matters": matters,
        }
        for value, difference, matters in (
            ("0.25", 0.1, "better"), ("1.0", 0.0, "no difference seen"), ("2.0", None, "worse"),
        )
    ]  # fmt: skip
    return {"hard_summary": summary, "hard_epochs": epochs, "hard_sensitivity": sensitivity}


def test_pictures_of_the_tables(tables, tmp_path):
    paths = draw_hard(tables, tmp_path)
    assert [path.name for path in paths] == ["methods.svg", "epochs.svg", "sensitivity.svg"]
    methods = paths[0].read_text()
    for name in ("untrained", "two-stage", "two-stage, augmented, decay 0.1"):
        assert f">{name}<" in methods
    assert "weight = 0.25" in paths[2].read_text()
    assert "weight = 2.0" not in paths[2].read_text()
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in draw_hard(tables, tmp_path)] == before


def test_nothing_to_draw(tmp_path):
    assert draw_hard({"hard_summary": [], "hard_epochs": []}, tmp_path) == []


def test_architectures(tmp_path):
    metrics = ("kendall_tau", "precision_at_5pct")
    rows = [{"n_train": 20, "method": "plain", **dict.fromkeys(metrics, v)} for v in (0.4, 0.6)]
    rows.append({"n_train": 20, "method": "two-stage", **dict.fromkeys(metrics)})
    path = draw_archs(rows, tmp_path)
    assert "n = 20, two-stage" in path.read_text()


def test_what_is_played_is_written_as_it_was_given(tmp_path):
    picture = {
        "classes": [[0, 1], [0, 1], [1, 0]],
        "names": {0: "cat", 1: "</script><b>dog"},
        "epochs": [
            {"real": [[0.0, 1.0], [2.0, 3.0]], "positive": None, "negative": [[1.0, 1.0]] * 2},
            {"real": [[0.5, 1.0], [2.0, 3.5]], "positive": None, "negative": [[1.5, 1.0]] * 2},
        ],
        "log": {"triplet_loss": [0.2, 0.1], "threshold": [float("nan"), -0.1]},
        "seed": 0,
    }
    path = tmp_path / "embeddings.json"
    write_embeddings({"two-stage": picture}, path)
    found = json.loads(path.read_text(encoding="utf-8"))["two-stage"]
    assert found["epochs"] == picture["epochs"]
    assert found["names"] == {"0": "cat", "1": "</script><b>dog"}
    assert found["log"]["threshold"] == [None, -0.1]
