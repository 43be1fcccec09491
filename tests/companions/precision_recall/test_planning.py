import pytest
from pydantic import ValidationError

from nasrank.companions.precision_recall.planning import (
    TrainConfig,
    cut_fleets,
    plan_runs,
    seeded_runs,
)
from nasrank.errors import UsageError


def plan(*, images=False, samples=0, start=None, **options):
    config = TrainConfig(**options)
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


def test_architectures_are_cut_by_seed():
    runs = plan(data="archs:nb201/cifar10", n_labels=(78, 156), seeds=2, lambdas=(1, 10))
    assert {run.n_labels for run in runs} == {78, 156, 0}
    for fleet in cut_fleets(runs):
        if fleet[0].method == "pr":
            assert len({(run.seed, run.n_labels) for run in fleet}) == 1
    # The oracle knows everything, so it does not depend on the number of labels.
    assert sum(run.method == "oracle" for run in runs) == 4


def test_moving_to_another_lambda():
    runs = plan(lambdas=(0.1, 10), seeds=2)
    moved = seeded_runs(runs, 3)
    assert [(run.lam, run.seed, run.method) for run in moved] == [(3.0, 0, "pr"), (3.0, 1, "pr")]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lambdas": (1.0, 0.0)}, "lambda 0"),
        ({"lambdas": (-1.0,)}, "lambda -1"),
        ({"methods": ("prr",)}, "Did you mean 'pr'"),
        ({"models": ("cnn",)}, "unknown model"),
        ({"models": ("conv",)}, "for images"),
        ({"auxiliary": "chi3"}, "Did you mean 'chi2'"),
        ({"methods": ("mle",)}, "--models flow"),
        ({"methods": ("oracle",)}, "archs:TASK"),
        ({"data": "archs:nb201/cifar10", "methods": ("tuned",)}, "no meaning"),
        ({"data": "archs:nb201/cifar10", "models": ("flow",)}, "--models mlp"),
        ({"methods": ("hinge",), "target_precision": 0.9}, "--target-precision"),
        ({"target_recall": 0.9, "target_precision": 0.9}, "two targets"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        plan(**options)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (
            {"data": "archs:nb201/cifar10", "n_labels": (78, 469), "target_recall": 0.5},
            "--n-labels",
        ),
        ({"models": ("mlp", "flow"), "target_recall": 0.5}, "--models"),
        ({"side": 4}, "--side"),
        ({"data": "archs:nb201/cifar10", "mode_weights": (1.0, 2.0)}, "--mode-weights"),
        ({"data": "archs:nb201/cifar10", "label": "kind"}, "--label"),
    ],
)
def test_options_that_do_not_go_together(options, word):
    with pytest.raises(UsageError, match=word):
        plan(**options)


def test_a_predictor_needs_labels():
    with pytest.raises(ValidationError, match="greater than or equal to 2"):
        TrainConfig(data="archs:nb201/cifar10", n_labels=(0,))
