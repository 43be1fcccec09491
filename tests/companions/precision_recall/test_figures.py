import pytest

from nasrank.companions.precision_recall.figures import draw_theory, draw_trainings

LAMBDAS = (0.1, 1.0, 10.0)


def rows():
    trained = [
        {"run_id": f"{method}{lam}{seed}", "data": "ring", "model": "mlp", "method": method,
         "lambda": lam, "seed": seed, "precision": 0.3 + seed / 10, "recall": 0.5}
        for method, lambdas in (("pr", LAMBDAS), ("naive", LAMBDAS), ("hinge", (None,)))
        for lam in lambdas for seed in range(2)
    ]  # fmt: skip
    failed = {**trained[0], "run_id": "broken", "seed": 7, "precision": None, "recall": None}
    return [*trained, failed, {**trained[-1], "run_id": "data", "model": "", "method": "data"}]


def points(trained):
    return [
        {"run_id": row["run_id"], "kind": kind, "lambda": lam, "alpha": 0.1, "beta": 0.2}
        for row in trained for kind in ("grid", "classifier") for lam in LAMBDAS
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _drawing():
    pytest.importorskip("matplotlib")


def test_theory(tmp_path):
    frontier = [{"lambda": lam, "alpha": min(lam, 1), "beta": min(1, 1 / lam)} for lam in LAMBDAS]
    weights = [
        {"divergence": name, "lambda": lam, "weight": None if name == "tv" else 1 / lam,
         "formula": "1/l"}
        for name in ("kl", "tv") for lam in LAMBDAS
    ]  # fmt: skip
    paths = draw_theory(frontier, weights, "a pair", tmp_path)
    assert [path.name for path in paths] == ["frontier.svg", "weights.svg"]
    assert "a pair" in paths[0].read_text()
    text = paths[1].read_text()
    assert "kl: 1/l" in text
    assert "tv: " not in text


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((2,), ["ring-mlp-lambda.svg", "ring-mlp-frontiers.svg", "ring-mlp-samples.svg"]),
        ((1, 4, 4), ["ring-mlp-lambda.svg", "ring-mlp-frontiers.svg", "ring-mlp-samples.svg"]),
        ((3,), ["ring-mlp-lambda.svg", "ring-mlp-frontiers.svg"]),
    ],
)
def test_trainings_repeat(tmp_path, shape, names):
    trained = rows()
    size = shape[0] if len(shape) == 1 else 16
    samples = {row["run_id"]: [0.5] * (4 * size) for row in trained if row["seed"] == 0}
    first = draw_trainings(trained, points(trained), samples, shape, tmp_path / "a")
    assert [path.name for path in first] == names
    again = draw_trainings(trained, points(trained), samples, shape, tmp_path / "b")
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes() == other.read_bytes()
    for words in ("hinge GAN", "naive dual", "precision", "lambda"):
        assert words in first[0].read_text()
