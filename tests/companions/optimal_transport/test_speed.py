import pytest

from nasrank.companions.optimal_transport import speed
from nasrank.companions.optimal_transport.options import SpeedConfig
from nasrank.companions.optimal_transport.speed import measure_speed
from nasrank.companions.optimal_transport.tables import SLOPES, SPEED
from nasrank.errors import UsageError
from nasrank.study.claims import CLAIMS
from nasrank.study.conduct import conduct

QUICK = {
    "distances": ("emd", "fastft"), "samples": (4, 8, 16), "dimensions": (2,),
    "classes": (2,), "quadratic_limit": 8, "repeats": 1, "device": "cpu",
}  # fmt: skip


def test_what_is_measured(tmp_path):
    conduct(SpeedConfig(**QUICK), tmp_path)
    rows = SPEED.read(tmp_path / "speed.parquet")
    # fastft at 3 + 1 + 1 settings; emd at 2 of those alone, for the others stay at 128 samples.
    counts = {name: sum(row["distance"] == name for row in rows) for name in ("emd", "fastft")}
    assert counts == {"emd": 2, "fastft": 5}
    assert all(row["seconds"] > 0 for row in rows)
    slopes = {(r["distance"], r["axis"]): r for r in SLOPES.read(tmp_path / "slopes.parquet")}
    assert slopes["fastft", "samples"]["points"] == 3
    assert slopes["fastft", "samples"]["slope"] is not None
    assert slopes["emd", "samples"]["slope"] is None
    assert CLAIMS.read(tmp_path / "claims.parquet")[0]["claim_id"] == "fastft_linear"


def test_slopes_and_claims_of_known_times(monkeypatch):
    """fastft takes n / 1000 seconds, emd n squared / 5000."""

    def known(spec, point, repeat, _seed, device):
        n = point.samples * (1 + 0.01 * repeat)
        seconds = n / 1000 if str(spec) == "fastft" else n**2 / 5000
        return {"distance": str(spec), "axis": point.axis, "samples": point.samples,
                "dimension": 64, "classes": 4, "repeat": repeat, "seconds": seconds,
                "mebibytes": None, "device": device.type}  # fmt: skip

    monkeypatch.setattr(speed, "_row", known)
    result = measure_speed(
        SpeedConfig(distances=("emd", "fastft"), samples=(64, 128, 256, 512), dimensions=(64,),
                    classes=(4,), device="cpu")
    )  # fmt: skip
    slopes = {(row["distance"], row["axis"]): row["slope"] for row in result[SLOPES]}
    assert slopes["fastft", "samples"] == pytest.approx(1)
    assert slopes["emd", "samples"] == pytest.approx(2)
    linear, times = result[CLAIMS]
    assert linear["estimate"] == pytest.approx(0.2)
    assert linear["verdict"] == "holds"
    # 512^2 / 5000 over 512 / 1000 is 102.4, times 1 to 1.04 for the repeats: 104.4 less 50.
    assert times["estimate"] == pytest.approx(102.4 * 1.02 - 50)
    assert times["verdict"] == "holds"


def test_unknown_distances():
    with pytest.raises(UsageError, match="unknown distance"):
        measure_speed(SpeedConfig(distances=("l3",)))
