import pytest

from nasrank.companions.hard_samples import archs
from nasrank.companions.hard_samples.options import HardConfig
from nasrank.companions.hard_samples.tables import HARD_ARCHS
from nasrank.errors import UsageError
from nasrank.predictors import recipe as recipe_module
from nasrank.runs.tables import DISCOVERY, RUNS
from nasrank.study.claims import CLAIMS
from nasrank.study.conduct import conduct, estimate


@pytest.fixture(autouse=True)
def quick(monkeypatch, warm_cache):
    """A few epochs instead of sixty."""
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    short = recipe_module.Recipe(epochs=3)
    for module in (archs, "nasrank.predictors.fleet"):
        target = f"{module}.Recipe" if isinstance(module, str) else (module, "Recipe")
        if isinstance(target, str):
            monkeypatch.setattr(target, lambda: short)
        else:
            monkeypatch.setattr(*target, lambda: short)


def config(**changes):
    usual = {"data": "archs:nbgraph/cora", "n_train": (20,), "seeds": 2, "device": "cpu"}
    return HardConfig(**{**usual, **changes})


@pytest.mark.slow
def test_tables_of_compare_and_of_the_study(tmp_path):
    result = conduct(config(), tmp_path)
    assert result.computed == 6
    rows = HARD_ARCHS.read(tmp_path / "hard_archs.parquet")
    assert [row["method"] for row in rows] == [
        method for method in ("plain", "triplet-random", "two-stage") for _ in range(2)
    ]  # fmt: skip
    assert all(row["degenerate_batches"] == 0 and not row["diverged"] for row in rows)
    # The triplets change what is learnt.
    assert len({row["kendall_tau"] for row in rows}) == 6
    runs = RUNS.read(tmp_path / "runs.parquet")
    assert [run["kendall_tau"] for run in runs] == [row["kendall_tau"] for row in rows]
    assert {run["predictor"] for run in runs} == {
        "gnn", "gnn+triplet-random[4,0.2]*0.3", "gnn+two-stage[4,0.2]*0.3",
    }  # fmt: skip
    assert DISCOVERY.read(tmp_path / "discovery.parquet")
    claims = CLAIMS.read(tmp_path / "claims.parquet")
    # Three pairs of methods, three metrics.
    assert len(claims) == 9
    assert conduct(config(), tmp_path).computed == 0
    assert estimate(config(), tmp_path).finished == 6


@pytest.mark.slow
def test_without_weight_it_is_the_plain_predictor(tmp_path):
    result = conduct(config(side_weight=1e-30, seeds=1), tmp_path)
    taus = {row["method"]: row["kendall_tau"] for row in result.tables["hard_archs"]}
    assert taus["triplet-random"] == pytest.approx(taus["plain"], abs=5e-3)
    assert taus["two-stage"] == pytest.approx(taus["plain"], abs=5e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("hdml",)}, "triplet-random and two-stage, not hdml"),
        ({"methods": ("two-stage+semi-hard",)}, "not two-stage"),
        ({"data": "archs:nbgraph/core"}, "unknown dataset"),
        ({"methods": ("two-stage(end=-0.5)",)}, "below its start"),
        ({"tune": True}, "--tune has no meaning for archs:nbgraph/cora"),
        ({"sensitivity": True}, "--sensitivity has no meaning for archs:"),
        ({"tiers": 11}, "Ask for 10 tiers or fewer"),
        ({"n_train": (10**6,)}, "out of range"),
    ],
)
def test_what_is_invalid(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message) as caught:
        conduct(config(**changes), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
