"""The gate on runs that were stored: how often it cries wolf, and how often it is right."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def gate():
    path = ROOT / "tests" / "reliability" / "gate_power.py"
    specification = importlib.util.spec_from_file_location("gate_power", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pool(gate):
    return gate.Pool(ROOT / "results" / "reliability" / "gate-pool.parquet")


def test_the_pool_is_large_and_a_worsening_is_what_it_says(pool):
    # Two thread counts, two roots, three losses.
    assert pool.tau.shape[:2] == (2, 2)
    assert pool.runs >= 200 * 3
    for worsening in (0.0, 0.005, 0.02, 0.03):
        lost = pool.at(0.0).mean() - pool.at(worsening).mean()
        assert lost == pytest.approx(worsening, abs=1e-12)
    with pytest.raises(ValueError, match="costs at most"):
        pool.at(0.9)


@pytest.mark.slow
def test_the_gate_seldom_cries_wolf_and_nearly_always_notices(gate, pool):
    rows = gate.simulate(
        pool, 400, seeds=(20,), tolerances=(gate.TOLERANCE,), worsenings=(0.0, 0.02)
    )
    assert len(rows) == 3 * 2
    for row in rows:
        if row["worsening"]:
            assert row["worse"] >= 0.95, row
        else:
            assert row["worse"] <= 0.01, row
        assert sum(row[v] for v in ("worse", "undecided", "held", "better")) == pytest.approx(1)
