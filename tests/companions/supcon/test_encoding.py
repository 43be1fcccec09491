import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.companions.supcon import encoding as encoding_module
from nasrank.companions.supcon import plan as plan_module
from nasrank.companions.supcon.encoding import Encoding, train_encoder
from nasrank.companions.supcon.options import TrainConfig
from nasrank.companions.supcon.plan import load_data, plan_encodings
from nasrank.companions.supcon.tables import TRAINING
from nasrank.companions.supcon.train_claims import ends, training_claims
from nasrank.errors import UsageError
from nasrank.study.conduct import conduct, estimate
from nasrank.study.options import checked

CPU = torch.device("cpu")


@pytest.fixture
def run(grouped):
    config = TrainConfig(data="blobs", instances=(6,), steps=60, alphas=(0.0,), seeds=1)
    return plan_encodings(config, grouped)[0]


def test_a_trained_encoder(run, grouped):
    row = train_encoder(run, grouped, CPU)
    TRAINING.build([row])
    assert not row["diverged"]
    assert row["degenerate_batches"] == 0
    # Two blobs a class, easily told apart, pulled together.
    assert row["coarse_train_accuracy"] == 1
    assert row["projector_within"] < 0.1
    assert row["projector_total"] <= 1
    assert row["fine_probe_accuracy"] > 0.9
    assert row["fine_probe_rotated"] is None
    assert row["train_size"] == 80
    assert row["loss_floor"] < row["final_loss"] < row["loss_floor"] + 0.5
    assert row["predicted_within"] == 0


def test_alpha_spreads_the_classes(run, grouped):
    spread = train_encoder(replace(run, alpha=1.0), grouped, CPU)
    assert spread["projector_within"] > 0.5


def test_the_same_run_gives_the_same_numbers(run, grouped):
    first, second = (train_encoder(run, grouped, CPU) for _ in range(2))
    assert {**first, "fit_seconds": 0} == {**second, "fit_seconds": 0}


def test_seeds_decide_the_batches_and_alpha_does_not(run, grouped, monkeypatch):
    seen = []
    keep = encoding_module.pair_up

    def listen(classes, instances, *, anchor):
        seen.append(instances.tolist())
        return keep(classes, instances, anchor=anchor)

    monkeypatch.setattr(encoding_module, "pair_up", listen)
    for changes in ({}, {"alpha": 1.0}, {"seed": 1}):
        train_encoder(replace(run, steps=10, **changes), grouped, CPU)
    assert seen[:10] == seen[10:20]
    assert seen[:10] != seen[20:]
    # Balanced: six of either class, each twice.
    coarse = grouped.coarse_of[grouped.samples.train.classes]
    assert np.bincount(coarse[seen[0]]).tolist() == [12, 12]


def test_imbalance_and_degenerate_batches(run, grouped):
    row = train_encoder(replace(run, imbalance=20.0, instances=2, steps=30), grouped, CPU)
    # Forty of the first class, a twentieth of the other: two.
    assert row["train_size"] == 42
    # Most batches of four miss the rare class.
    assert row["degenerate_batches"] > 10
    assert not row["diverged"]


def test_label_noise_changes_so_many_labels(run, grouped):
    noisy = replace(run, label_noise=0.25)
    places, told = encoding_module._training_set(noisy, grouped)
    truth = grouped.coarse_of[grouped.samples.train.classes[places]]
    assert (told != truth).sum() == 20


def test_divergence_is_a_row(run, grouped, monkeypatch):
    monkeypatch.setattr(encoding_module, "_RATE", 1e30)
    row = train_encoder(run, grouped, CPU)
    TRAINING.build([row])
    assert row["diverged"]
    assert row["final_loss"] is None
    assert row["predicted_within"] == 0


def test_images_are_also_turned(run, grouped):
    data = grouped.samples
    rng = np.random.default_rng(0)
    bright = np.tile(rng.random((4, 1, 8, 8)), (20, 1, 1, 1)).astype(np.float32)
    train_part = replace(data.train, values=bright)
    test_part = replace(data.test, values=bright[:40])
    images = replace(grouped, samples=replace(data, train=train_part, test=test_part))
    for encoder in ("mlp", "cnn"):
        row = train_encoder(replace(run, encoder=encoder, steps=20), images, CPU)
        assert 0 <= row["fine_probe_rotated"] <= 1


def test_the_plan_varies_one_thing_at_a_time(grouped):
    config = TrainConfig(
        alphas=(0.0, 0.5, 1.0),
        varied_alphas=(0.0,),
        temperatures=(0.5, 0.1),
        label_noises=(0.0, 0.2),
        classes=(0, 3),
        seeds=2,
    )
    runs = plan_encodings(config, grouped)
    # Three alphas and two seeds, then three further values for one alpha and two seeds.
    assert len(runs) == 3 * 2 + 3 * 2
    base = {(r.temperature, r.label_noise, r.coarse_of) for r in runs[:6]}
    assert base == {(0.5, 0.0, (0, 1, 0, 1))}
    assert {(r.temperature, r.label_noise, r.coarse_of) for r in runs[6:]} == {
        (0.1, 0.0, (0, 1, 0, 1)),
        (0.5, 0.2, (0, 1, 0, 1)),
        (0.5, 0.0, (0, 1, 2, 0)),
    }


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"alphas": (1.5,)}, "--alphas 1.5"),
        ({"alphas": (math.nan,)}, "--alphas nan"),
        ({"temperatures": (0.0,)}, "--temperatures 0.0"),
        ({"instances": (5000,)}, "20,000 views"),
        ({"instances": (1,)}, "--instances 1"),
        ({"imbalances": (0.5,)}, "--imbalances 0.5"),
        ({"label_noises": (1.5,)}, "--label-noises 1.5"),
        ({"encoders": ("cnm",)}, "unknown encoder"),
        ({"encoders": ("cnn",)}, "Use mlp"),
        ({"anchors": ("out",)}, "unknown anchor"),
        ({"classes": (1,)}, "--classes 1"),
    ],
)
def test_what_is_invalid(grouped, changes, text):
    with pytest.raises(UsageError, match=text):
        plan_encodings(checked(TrainConfig, changes), grouped)


def test_resumed_and_written(grouped, tmp_path, monkeypatch):
    limited = replace(grouped, samples=grouped.samples.limited(40, 40))
    monkeypatch.setattr(plan_module, "load_data", lambda _config: limited)
    config = TrainConfig(data="blobs", alphas=(0.0, 1.0), instances=(4,), steps=10, seeds=2)
    assert estimate(config, tmp_path).row()["to_do"] == 4
    first = conduct(config, tmp_path)
    assert first.computed == 4
    assert first.rows[0]["train_size"] == 40
    assert estimate(config, tmp_path).row()["to_do"] == 0
    again = conduct(config, tmp_path, only_cached=True)
    assert (again.rows, again.left_out) == (first.rows, ())
    assert TRAINING.read(tmp_path / "train.parquet") == first.rows
    more = conduct(config.model_copy(update={"seeds": 3}), tmp_path, only_cached=True)
    assert more.rows == first.rows
    assert more.left_out == (f"2 of 6 encoders are missing from {tmp_path / 'runs.d'}",)


def test_data_is_limited_and_named_without_its_folder(grouped, tmp_path):
    samples = grouped.samples.train
    path = tmp_path / "blobs.npz"
    np.savez(path, values=samples.values, classes=samples.classes)
    data = load_data(TrainConfig(data=str(path), train_limit=40))
    assert (data.samples.name, len(data.samples.train)) == ("blobs.npz", 40)


def make_rows(run, seeds=5, **measures):
    """Rows of a sweep in which every measure is a function of alpha and seed."""
    rows = []
    for seed in range(seeds):
        for alpha in (0.0, 0.05, 0.2, 0.5, 0.8, 1.0):
            usual = {
                "projector_within": alpha + seed / 100,
                "fine_probe_accuracy": 0.9 - (alpha - 0.6) ** 2 / 5 + seed / 1000,
                "coarse_train_accuracy": 0.99,
                "final_loss": 3.5,
            }
            shown = {name: get(alpha, seed) for name, get in measures.items()}
            rows.append(
                {
                    "data": "blobs", "method": "mlp, included", "seed": seed, "encoder": "mlp",
                    "classes": 2, "instances": 16, "views": 2, "temperature": 0.5,
                    "alpha": alpha, "anchor": "included", "features": 64, "initial_scale": 1.0,
                    "augmentation": 1.0, "imbalance": 1.0, "label_noise": 0.0,
                    "alpha_star": 0.096, "loss_floor": 3.4, "fine_knn_accuracy": 0.9,
                    "fine_probe_projector": 0.9 + alpha / 100 + seed / 1e4,
                    "fine_probe_rotated": None, "fine_probe_noisy": 0.8 + alpha / 10 + seed / 1e3,
                    "largest_class_within": 0.5 + seed / 100, "smallest_class_within": 0.4,
                    **usual, **shown,
                }
            )  # fmt: skip
    return rows


def verdicts(rows):
    return {row["claim_id"]: row["verdict"] for row in training_claims(rows)}


def test_claims_hold_where_rows_say_so(run):
    found = verdicts(make_rows(run))
    assert found.pop("moderate-beats-collapse-neighbours") == "equivalent"  # all equal
    assert set(found.values()) == {"holds"}
    assert "moderate-beats-collapse-turned" not in found
    assert ends(make_rows(run)) == (0.0, 0.5)


def test_claims_fail_where_rows_say_so(run):
    found = verdicts(
        make_rows(
            run,
            projector_within=lambda alpha, seed: 1 - alpha,
            fine_probe_accuracy=lambda alpha, seed: 0.9 - alpha / 10 + seed / 1000,
            coarse_train_accuracy=lambda alpha, seed: 0.99 - alpha / 5,
            final_loss=lambda alpha, seed: 3.5 + alpha,
        )
    )
    for name in (
        "variance-rises", "moderate-beats-collapse", "collapse-is-worst", "same-coarse-accuracy",
        "same-loss", "suggestion-is-near-best",
    ):  # fmt: skip
        assert found[name] == "fails"


def test_claims_about_noise_and_imbalance(run):
    rows = make_rows(run)
    worse = make_rows(run, fine_probe_accuracy=lambda alpha, seed: 0.5 + 0.4 * alpha + seed / 999)
    found = verdicts(
        rows
        + [row | {"label_noise": 0.3, "projector_within": 2.0} for row in worse]
        + [row | {"imbalance": 8.0} for row in worse]
    )
    for name in (
        "label-noise-variance", "label-noise-lowers-transfer", "label-noise-widens-gain",
        "imbalance-variance", "imbalance-lowers-transfer", "imbalance-widens-gain",
    ):  # fmt: skip
        assert found[name] == "holds"


def test_no_claims_without_both_sides_of_the_threshold(run):
    rows = make_rows(run)
    assert training_claims([row for row in rows if row["alpha"] > 0.1]) == []
    assert training_claims([row for row in rows if row["alpha"] < 0.1]) == []
    assert training_claims([]) == []
    few = training_claims([row for row in rows if row["seed"] < 2])
    assert {row["verdict"] for row in few} == {"undecided"}


def test_identity_depends_on_everything(run):
    assert replace(run, alpha=0.5).run_id != run.run_id
    assert replace(run, coarse_of=(0, 1, 1, 0)).run_id != run.run_id
    assert isinstance(run, Encoding)
