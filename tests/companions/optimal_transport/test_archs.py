import pytest

from nasrank.companions.optimal_transport.options import TrainConfig
from nasrank.companions.optimal_transport.tables import OT_ARCHS
from nasrank.errors import UsageError
from nasrank.study.claims import CLAIMS
from nasrank.study.conduct import conduct, estimate
from nasrank.tables import read_parquet

TASK = "nb201/cifar10"


@pytest.fixture(autouse=True)
def cache(warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))


@pytest.mark.slow
def test_the_study(tmp_path):
    config = TrainConfig(data=f"archs:{TASK}", distances=("fastft",), n_train=(16,), seeds=2,
                         device="cpu")  # fmt: skip
    planned = estimate(config, tmp_path)
    assert (planned.runs, planned.finished) == (4, 0)
    result = conduct(config, tmp_path)
    assert result.computed == 4
    rows = OT_ARCHS.read(tmp_path / "ot_archs.parquet")
    assert [(row["method"], row["seed"]) for row in rows] == [
        ("plain", 0), ("plain", 1), ("fastft", 0), ("fastft", 1),
    ]  # fmt: skip
    assert rows[0]["kendall_tau"] != rows[2]["kendall_tau"]
    assert read_parquet(tmp_path / "runs.parquet")["predictor"].to_pylist() == [
        "gnn", "gnn", "gnn+fastft*1", "gnn+fastft*1",
    ]  # fmt: skip
    assert read_parquet(tmp_path / "discovery.parquet").num_rows
    assert len(CLAIMS.read(tmp_path / "claims.parquet")) == 3
    assert conduct(config, tmp_path).computed == 0
    assert estimate(config, tmp_path).finished == 4


def test_what_does_not_go_together(tmp_path):
    for changes, message in (
        ({"data": "archs:nb999/x"}, "unknown space"),
        ({"n_train": (100_000,)}, "n-train|n_train"),
        ({"distances": ("l3",)}, "unknown distance"),
        ({"encoder": "mlp"}, "--encoder has no meaning for archs:"),
    ):
        config = TrainConfig(**{"data": f"archs:{TASK}", **changes})
        with pytest.raises(UsageError, match=message):
            conduct(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
