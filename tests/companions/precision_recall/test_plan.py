import numpy as np
import pytest

from nasrank.companions.precision_recall.options import TrainConfig
from nasrank.companions.precision_recall.plan import (
    cut_fleets,
    plan_runs,
    plan_training,
    seeded_runs,
)
from nasrank.companions.precision_recall.study import train_study
from nasrank.errors import UsageError
from nasrank.study.options import checked


def plan(*, images=False, samples=0, start=None, **options):
    config = checked(TrainConfig, options)
    return plan_runs(config, "f" * 16, images=images, samples=samples, start=start)


def test_the_default_grid():
    runs = plan()
    # Seven lambdas and one hinge GAN, three seeds each, and the data itself once.
    assert len(runs) == 7 * 3 + 3 + 1
    assert {run.auxiliary for run in runs if run.method == "pr"} == {"chi2"}
    assert [run.lam for run in runs if run.method == "hinge"] == [None] * 3
    assert len({run.run_id for run in runs}) == len(runs)


def test_fine_tuning_takes_a_tenth_of_the_steps():
    steps = {run.method: run.steps for run in plan(methods=("pr", "tuned"))}
    assert steps == {"pr": 1500, "tuned": 150}
    (run,) = plan(methods=("pr",), lambdas=(1,), seeds=1, start="d" * 16)
    assert (run.steps, run.start) == (150, "d" * 16)
    (run,) = plan(methods=("pr",), lambdas=(1,), seeds=1, start="d" * 16, steps=70)
    assert run.steps == 70


def test_many_samples_are_worth_more_steps():
    def steps(**options):
        return {run.steps for run in plan(methods=("pr",), **options)}

    assert steps(data="digits", images=True, samples=1258) == {1000}
    assert steps(data="fashion-mnist", images=True, samples=10_000) == {3000}
    assert steps(data="fashion-mnist", images=True, samples=10_000, steps=7) == {7}
    assert steps(data="ring", samples=10_000) == {1500}


def test_likelihood_is_for_flows_alone():
    runs = plan(methods=("pr", "mle"), models=("mlp", "flow"), lambdas=(1,), seeds=1)
    assert {(run.model, run.method) for run in runs} == {
        ("mlp", "pr"), ("flow", "pr"), ("flow", "mle"),
    }  # fmt: skip


def test_fleets_hold_what_trains_together():
    runs = plan(methods=("pr", "hinge", "tuned", "data"), seeds=5)
    fleets = cut_fleets(runs)
    assert sorted(run.run_id for fleet in fleets for run in fleet) == sorted(
        run.run_id for run in runs
    )
    assert max(map(len, fleets)) <= 36
    for fleet in fleets:
        assert len({(run.model, run.steps, run.method == "data") for run in fleet}) == 1
    assert cut_fleets(runs) == fleets


def test_moving_to_another_lambda():
    runs = plan(lambdas=(0.1, 10), seeds=2)
    moved = seeded_runs(runs, 3)
    assert [(run.lam, run.seed, run.method) for run in moved] == [(3.0, 0, "pr"), (3.0, 1, "pr")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lambdas": (1.0, 0.0)}, "--lambdas 0.0: input should be greater than 0"),
        ({"lambdas": (-1.0,)}, "--lambdas -1.0"),
        ({"lambdas": (float("inf"),)}, "--lambdas inf"),
        ({"methods": ("prr",)}, "Did you mean 'pr'"),
        ({"models": ("cnn",)}, "unknown model"),
        ({"models": ("conv",)}, "for images"),
        ({"auxiliary": "chi3"}, "Did you mean 'chi2'"),
        ({"methods": ("mle",)}, "--models flow"),
        ({"methods": ("hinge",), "target_precision": 0.9}, "--target-precision"),
        ({"target_recall": 0.9, "target_precision": 0.9}, "two targets"),
        ({"lambdas": (1.0,), "target_precision": 0.9}, "ends of --lambdas"),
        ({"models": ("mlp", "flow"), "target_recall": 0.5}, "--models"),
    ],
)
def test_what_is_invalid_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        plan(**options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"side": 4}, "--side"),
        ({"train_limit": 100}, "--train-limit"),
        ({"data": "digits", "mode_weights": (1.0,) * 8}, "--mode-weights"),
        ({"label": "kind"}, "--label"),
    ],
)
def test_options_without_meaning_for_the_data(options, word):
    config = TrainConfig(**options)
    with pytest.raises(UsageError, match=f"{word} has no meaning for {config.data}"):
        train_study(config).check(config)


def test_a_search_begins_with_both_ends():
    planned = plan_training(TrainConfig(target_recall=0.5, seeds=2))
    assert [(run.lam, run.seed) for run in planned.runs] == [(0.1, 0), (0.1, 1), (10, 0), (10, 1)]
    assert {run.method for run in planned.runs} == {"pr"}


def test_the_file_of_vectors_is_known_by_how_many_are_read(tmp_path):
    """Also where its name begins like that of the ring."""
    path = tmp_path / "rings.npy"
    np.save(path, np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32))
    ids = {
        run.run_id
        for limit in (30, 40)
        for run in plan_training(
            TrainConfig(data=str(path), methods=("data",), train_limit=limit)
        ).runs
    }
    assert len(ids) == 2
