import pytest

from nasrank.companions.optimal_transport.claims import ot_claims
from nasrank.companions.optimal_transport.tables import OT

SEEDS = range(6)


def row(method, seed, *, size=64, weight=1.0, data="digits", **metrics):
    known = dict.fromkeys(column.name for column in OT.columns)
    return {
        **known, "data": data, "method": method, "seed": seed, "batch_size": size,
        "weight": 0.0 if method == "plain" else weight, **metrics,
    }  # fmt: skip


def by_id(rows):
    return {claim["claim_id"]: claim for claim in ot_claims(rows)}


def test_orders_by_each_scale():
    rows = [
        row(method, seed, test_cpcc=own + seed / 1000, test_cpcc_l2=0.5 + seed / 1000,
            test_cpcc_emd=0.9 - own)
        for method, own in (("l2", 0.7), ("emd", 0.8), ("fastft", 0.9))
        for seed in SEEDS
    ]  # fmt: skip
    claims = by_id(rows)
    assert claims["fastft_over_emd_own"]["estimate"] == pytest.approx(0.1)
    assert claims["fastft_over_emd_own"]["verdict"] == "holds"
    assert claims["emd_over_l2_by_l2"]["verdict"] == "equivalent"
    assert claims["emd_over_l2_by_emd"]["verdict"] == "fails"


def test_mistakes_are_better_when_nearer():
    rows = [
        row(method, seed, mistake_distance=edges + seed % 2 / 10, fine_map=90.0)
        for method, edges in (("plain", 4.0), ("emd", 3.0))
        for seed in SEEDS
    ]
    claims = by_id(rows)
    assert claims["emd_nearer_mistakes"]["estimate"] == pytest.approx(1)
    assert claims["emd_nearer_mistakes"]["verdict"] == "holds"
    assert claims["emd_fine_retrieval"]["verdict"] == "equivalent"
    # Nobody measured it.
    assert "emd_unseen_fine" not in claims


def test_errors_count_where_nobody_is_mistaken():
    rows = [
        row("plain", seed, mistake_distance=2.0, mean_distance=0.2 + seed / 1000) for seed in SEEDS
    ] + [row("emd", seed, mean_distance=0.0) for seed in SEEDS]
    claims = by_id(rows)
    assert "emd_nearer_mistakes" not in claims
    assert claims["emd_error_cost"]["estimate"] == pytest.approx(0.2025)
    assert claims["emd_error_cost"]["verdict"] == "holds"


def test_statements_name_the_setting_of_a_grid():
    def said(weights, sizes):
        rows = [
            row(method, seed, weight=weight, size=size, test_cpcc=0.5, fine_accuracy=90.0)
            for method in ("plain", "l2", "emd")
            for weight in weights
            for size in sizes
            for seed in SEEDS
        ]
        return {name: claim["statement"] for name, claim in by_id(rows).items()}

    one = said([1.0], [64])
    assert not [text for text in one.values() if "weight" in text or "batches" in text]
    many = said([0.01, 0.1, 1.0], [64, 128, 256])
    for name in ("emd_over_l2_own", "l2_fine_accuracy"):
        assert many[name] == f"{one[name]}, weight 0.01, batches of 64"
    assert many["emd_weight"].endswith("(rank correlation), batches of 64")
    assert many["emd_batch_own"].endswith("(rank correlation), weight 0.01")


def test_a_lead_that_grows_with_the_batch():
    rows = [
        row(method, seed, size=size, test_cpcc=0.5 + (size / 1000 if method == "emd" else 0),
            test_cpcc_emd=0.5 - (size / 1000 if method == "emd" else 0), test_cpcc_l2=0.4)
        for method in ("l2", "emd")
        for size in (32, 64, 128)
        for seed in SEEDS
    ]  # fmt: skip
    claims = by_id(rows)
    assert claims["emd_batch_own"]["estimate"] == pytest.approx(1)
    assert claims["emd_batch_by_emd"]["estimate"] == pytest.approx(-1)
    assert claims["emd_batch_by_l2"]["estimate"] == 0
    assert "fastft_batch_own" not in claims
    assert not [
        name for name in by_id([r for r in rows if r["batch_size"] < 100]) if "batch" in name
    ]


def test_weights():
    rows = [
        row("emd", seed, weight=weight, test_cpcc=0.5 + weight / 10)
        for weight in (0.1, 1, 3)
        for seed in SEEDS
    ]
    assert by_id(rows)["emd_weight"]["estimate"] == pytest.approx(1)


def test_modes():
    def runs(data, by_l2):
        return [
            row(method, seed, data=data, raw_cpcc_emd=0.99, raw_cpcc_l2=by_l2 + seed / 1e4,
                test_cpcc_emd=0.9)
            for method in ("l2", "emd")
            for seed in SEEDS
        ]  # fmt: skip

    blind, level = by_id(runs("two-modes", 0.1)), by_id(runs("one-mode", 0.98))
    # .99 - .1 - .1 and what the seeds take.
    assert blind["modes_inputs"]["estimate"] == pytest.approx(0.79, abs=1e-3)
    assert blind["modes_inputs"]["verdict"] == "holds"
    assert "(estimate: what is beyond 0.1)" in blind["modes_inputs"]["statement"]
    assert "(estimate: 0.02 less the size" in level["modes_inputs"]["statement"]
    assert level["modes_inputs"]["verdict"] == level["modes_trained"]["verdict"] == "holds"
    assert by_id(runs("one-mode", 0.9))["modes_inputs"]["verdict"] == "fails"
    assert "modes_inputs" not in by_id(runs("digits", 0.1))


def test_nothing_to_claim():
    assert ot_claims([]) == []
