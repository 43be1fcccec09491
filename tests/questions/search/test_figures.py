import numpy as np
import pytest

from nasrank.questions.search.figures import draw_searches, mean_regret


def row(method, seed, evaluations, regret, task="toy/x"):
    return {"run_id": f"{method}{seed}", "task": task, "method": method, "loss": None,
            "evaluations": evaluations, "regret": regret}  # fmt: skip


ROWS = [
    row("random", 0, 1, 4.0), row("random", 0, 3, 1.0), row("random", 1, 1, 2.0),
    row("random", 1, 4, 2.0), row("oracle", 0, 1, 0.0), row("oracle", 1, 1, 0.0),
]  # fmt: skip


def test_what_was_in_hand_holds_until_something_better_comes():
    curves = mean_regret([r for r in ROWS if r["method"] == "random"], [1, 2, 3, 4, 9])
    assert np.array_equal(curves, [[4.0, 4.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0, 2.0]])


def test_pictures_of_every_task_that_repeat(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [*ROWS, *(row("random", seed, 1, 1.0, task="toy/y:z") for seed in range(2))]
    first = draw_searches(rows, tmp_path / "a")
    assert [path.name for path in first] == ["toy-x-search.svg", "toy-y-z-search.svg"]
    again = draw_searches(rows, tmp_path / "b")
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    text = first[0].read_text()
    for words in ("toy/x", "evaluations", "regret", "random", "oracle"):
        assert words in text


def test_only_the_best_from_the_start(tmp_path):
    pytest.importorskip("matplotlib")
    assert draw_searches([row("oracle", 0, 1, 0.0)], tmp_path)[0].exists()
