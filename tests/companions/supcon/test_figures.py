import numpy as np
import pytest

pytest.importorskip("matplotlib")

from nasrank.companions.supcon.figures import draw_phases, draw_simulation, draw_training


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_phases(tmp_path):
    warm, alphas = np.geomspace(0.1, 1, 5), np.linspace(0, 1, 4)
    panel = ("2 classes", np.outer(alphas, np.ones(5)), np.linspace(0.1, 0.5, 5))
    path = draw_phases(tmp_path / "p.svg", warm, alphas, [panel] * 4)
    assert text_of(path).count("2 classes") >= 4


def test_the_same_picture_is_the_same_file(tmp_path):
    panel = ("a", np.ones((2, 2)) / 2, np.ones(2) / 2)
    first, second = (
        draw_phases(tmp_path / name, np.array([1.0, 2.0]), np.arange(2.0), [panel]).read_bytes()
        for name in ("a.svg", "b.svg")
    )
    assert first == second


def test_simulation(tmp_path):
    row = {"data": "free", "method": "included", "diverged": False, "converged": True,
           "within_variance": 0.2, "predicted_within": 0.2, "alpha": 0.5,
           "alpha_star": 0.3}  # fmt: skip
    rows = [row, row | {"converged": False}, row | {"diverged": True, "within_variance": None}]
    shown = text_of(draw_simulation(rows, tmp_path / "s.svg"))
    assert "free, anchor included, not converged" in shown


def test_training(tmp_path):
    names = ("predicted_within", "projector_within", "projector_within_test", "encoder_within",
             "coarse_train_accuracy", "fine_probe_accuracy", "fine_knn_accuracy",
             "fine_probe_projector", "fine_probe_noisy", "final_loss", "loss_floor")  # fmt: skip
    rows = [
        {"data": "d", "method": "mlp", "alpha": alpha, "alpha_star": 0.1, "diverged": False,
         "fine_probe_rotated": None, **dict.fromkeys(names, alpha + seed / 10)}
        for alpha in (0.0, 1.0) for seed in range(3)
    ]  # fmt: skip
    shown = text_of(draw_training(rows, tmp_path / "t.svg"))
    assert "projector, test" in shown
    assert "turned" not in shown
    gone = draw_training([row | {"diverged": True} for row in rows], tmp_path / "none.svg")
    assert gone.exists()
