import pytest

from nasrank.companions.supcon.options import SimulateConfig
from nasrank.companions.supcon.plan import plan_problems
from nasrank.companions.supcon.simulate import Problem, solve_problems
from nasrank.companions.supcon.simulate_claims import simulation_claims
from nasrank.companions.supcon.tables import SIMULATION
from nasrank.errors import NothingToCompare, UsageError
from nasrank.study.conduct import conduct
from nasrank.study.options import checked


def problem(m, n, p, t, alpha, *, anchor="included", model="free", steps=600, seed=0):
    return Problem(model, m, n, p, t, alpha, anchor, steps, seed)


def test_free_embeddings_end_where_theory_says():
    found = solve_problems(
        [problem(2, 3, 2, 1.0, a) for a in (0.3, 0.7, 0.9, 1.0)]
        + [problem(3, 4, 2, 0.5, a) for a in (0.2, 0.5, 0.9)]
    )
    wanted = [0, 0.3341, 0.6393, 0.8, 0, 0.1838, 0.6591]
    assert [row["within_variance"] for row in found] == pytest.approx(wanted, abs=1e-3)
    assert [row["converged"] and row["counted"] for row in found] == [True] * 7
    assert [row["total_variance"] for row in found] == pytest.approx([1] * 7, abs=1e-3)
    assert [row["loss"] for row in found] == pytest.approx(
        [row["predicted_loss"] for row in found], abs=1e-4
    )
    assert [row["dimension"] for row in found] == [5, 5, 5, 5, 11, 11, 11]


def test_views_spread_as_predicted_where_the_anchor_is_excluded():
    (row,) = solve_problems([problem(2, 3, 2, 0.5, 0.0, anchor="excluded")])
    assert row["predicted_spread"] == pytest.approx(0.2525, abs=1e-4)
    assert row["view_spread"] == pytest.approx(row["predicted_spread"], abs=1e-3)
    assert row["within_variance"] == pytest.approx(row["predicted_within"], abs=1e-3)


def test_company_changes_nothing():
    one, other = problem(2, 3, 2, 0.5, 0.5, steps=30), problem(3, 5, 2, 1.0, 0.2, steps=30)
    (alone,), (beside, _) = solve_problems([one]), solve_problems([one, other])
    for name in ("within_variance", "total_variance", "loss"):
        assert beside[name] == pytest.approx(alone[name], rel=1e-4)


def test_slow_descent_is_reported():
    (row,) = solve_problems([problem(2, 3, 2, 0.3, 0.345, steps=60)])
    assert not row["converged"]
    assert row["drift"] > 1e-3
    assert not row["counted"]  # .0099 from the threshold


def test_a_net_of_two_layers_is_never_counted():
    (row,) = solve_problems([problem(2, 3, 2, 1.0, 0.0, model="net", steps=300)])
    assert not row["counted"]
    assert row["within_variance"] < 0.02


def test_the_grid():
    config = SimulateConfig(shapes=("2x3",), temperatures=(1.0,), alphas=(0.0, 1.0), seeds=2)
    problems = plan_problems(config).runs
    # .4923 - .01 and + .01 beside 0 and 1.
    assert [round(each.alpha, 4) for each in problems] == [0, 1, 0.4823, 0.5023] * 2
    assert {each.seed for each in problems} == {0, 1}
    assert len(plan_problems(SimulateConfig()).runs) == 3 * (6 * 3 * (6 + 2))


def test_resumed_and_written(tmp_path):
    config = SimulateConfig(
        shapes=("2x2", "2x3"), temperatures=(1.0,), alphas=(0.0, 1.0), near=(), steps=200, seeds=5
    )
    with pytest.raises(NothingToCompare):
        conduct(config, tmp_path, only_cached=True)
    first = conduct(config, tmp_path)
    assert first.computed == 20
    again = conduct(config, tmp_path)
    assert again.computed == 0
    assert again.rows == first.rows
    assert SIMULATION.read(tmp_path / "simulate.parquet") == first.rows
    assert [row["verdict"] for row in first.claims] == ["holds"] * 4
    assert (tmp_path / "claims.parquet").exists()


def test_claims_fail_where_points_do():
    rows = solve_problems(
        [problem(2, 3, 2, 1.0, a, steps=300, seed=s) for s in range(5) for a in (0.3, 0.9)]
    )
    assert {row["verdict"] for row in simulation_claims(rows)} == {"holds"}
    wrong = [
        row | {"within_variance": 0.02} if row["alpha"] == 0.3 else row | {"total_variance": None}
        for row in rows
    ]
    verdicts = {row["claim_id"]: row["verdict"] for row in simulation_claims(wrong)}
    assert verdicts["closed-form-included"] == "fails"
    assert verdicts["threshold-included"] == "fails"
    assert verdicts["total-variance-included"] == "fails"
    assert simulation_claims([row | {"counted": False} for row in rows]) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"shapes": ("1x3",)}, "classes 1"),
        ({"shapes": ("2x1",)}, "instances 1"),
        ({"shapes": ("100x100",)}, "20,000 embeddings"),
        ({"shapes": ("2by3",)}, "--shapes '2by3'"),
        ({"temperatures": (0.0,)}, "--temperatures 0"),
        ({"alphas": (1.5,)}, "--alphas 1.5"),
        ({"anchors": ("in",)}, "unknown anchor"),
        ({"models": ("tree",)}, "unknown model"),
        ({"views": (1,), "anchors": ("excluded",)}, "--views 2"),
    ],
)
def test_what_is_invalid(changes, text):
    with pytest.raises(UsageError, match=text):
        plan_problems(checked(SimulateConfig, changes))
