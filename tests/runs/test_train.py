import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from nasrank.errors import UsageError
from nasrank.metrics import kendall_tau
from nasrank.predictors import networks
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.recipe import Recipe
from nasrank.questions.compare.options import CompareConfig
from nasrank.runs import train as train_module
from nasrank.runs.evaluate import curve_items
from nasrank.runs.extras import Extras
from nasrank.runs.features import predictor_on
from nasrank.runs.fleets import device_of
from nasrank.runs.grid import work
from nasrank.runs.train import Trainer, split_of
from nasrank.study.device import choose_device, kind_of

RECIPE = Recipe(epochs=4, list_length=10)
CPU = torch.device("cpu")
CLOCK = {"fit_seconds", "predict_seconds"}


@pytest.fixture(name="toy")
def _toy(make_task, monkeypatch):
    task = make_task(classes=150, twins=2, replicates=2, cost=np.arange(300.0))
    monkeypatch.setattr(train_module, "load_task", lambda name: task)
    return task


@pytest.fixture(name="runs", scope="module")
def _runs(make_run):
    return [
        make_run(loss="mse", seed=0),
        make_run(loss="pw(hr,mse,12)", seed=0, n_train=36),
        make_run(loss="listmle", seed=1, labels="single", test="all"),
        make_run(loss="mse", seed=2, split="random", n_train=30),
    ]


def without_clock(rows):
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in rows]


def test_devices_by_name(monkeypatch):
    assert choose_device("cpu") == CPU
    with pytest.raises(UsageError, match=r"unknown device 'gpu'\. Known: auto, cpu, cuda, mps\."):
        choose_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(UsageError, match="--device cuda: torch sees no CUDA device here") as error:
        choose_device("cuda")
    assert "Use --device cpu" in str(error.value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    assert choose_device("cpu") == CPU


def test_an_apple_gpu_is_used_only_where_it_is_named(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"no Apple GPU here. Use --device cpu"):
        choose_device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("mps") == torch.device("mps")
    assert device_of("mps", 5) == torch.device("mps")
    assert kind_of(CompareConfig(device="mps")) == "mps"
    assert choose_device("auto").type != "mps"


def test_runs_are_trained_and_returned_in_their_order(toy, runs):
    rows = Trainer(CPU, RECIPE).train(runs)
    assert [row["run_id"] for row in rows] == [run.run_id for run in runs]
    for run, row in zip(runs, rows, strict=True):
        assert (row["task"], row["loss"], row["n_train"]) == ("toy/x", run.loss, run.n_train)
        assert (row["device"], row["diverged"]) == ("cpu", False)
        assert row["train_gpu_seconds"] == split_of(run).train.sum()
        assert row["fit_seconds"] > 0
        assert row["predict_seconds"] > 0
    assert len({row["fit_seconds"] for row in rows}) == 1
    assert [row["n_test"] for row in rows] == [130, 114, 150, 270]


def test_a_second_training_gives_the_same_rows(toy, runs):
    one, other = (Trainer(CPU, RECIPE).train(runs) for _ in range(2))
    assert without_clock(one) == without_clock(other)


def test_a_row_is_about_the_predictor_and_its_split(toy, make_run, monkeypatch):
    kept = []

    def keep(*args, **options):
        kept.append(train_fleet(*args, **options))
        return kept[-1]

    monkeypatch.setattr(networks, "train_fleet", keep)
    run = make_run(loss="listmle", seed=3, n_train=40)
    trainer = Trainer(CPU, Recipe(), Extras(predictions=True))
    (row,) = trainer.train([run])
    (fleet,) = kept
    split = split_of(run)
    scores = fleet.scores()[0][toy.space.class_of]
    assert row["kendall_tau"] == pytest.approx(kendall_tau(scores[split.test], split.test_labels))
    assert row["kendall_tau"] > 0.5
    assert row["final_loss"] == fleet.final_loss[0]
    np.testing.assert_allclose(row["predictions.score"], scores[row["predictions.item"]])


def test_curves_end_where_the_run_ends(toy, runs):
    trainer = Trainer(CPU, RECIPE, Extras(curves=True, predictions=True))
    for run, row in zip(runs, trainer.train(runs), strict=True):
        # Of a piecewise loss the second stage is followed.
        assert row["curves.epoch"] == [1, 2, 3, 4]
        assert row["curves.loss"][-1] == row["final_loss"]
        split = split_of(run)
        score = dict(zip(row["predictions.item"], row["predictions.score"], strict=True))
        chosen = curve_items(run, split)
        # Of twins under test all, the training one is listed; their scores are the same.
        by_class = {toy.space.class_of[item]: value for item, value in score.items()}
        predicted = [by_class[toy.space.class_of[item]] for item in split.test[chosen]]
        tau = kendall_tau(np.array(predicted), split.test_labels[chosen])
        assert row["curves.kendall_tau"][-1] == pytest.approx(tau, abs=1e-3)


def test_following_curves_changes_nothing_else(toy, runs):
    plain = Trainer(CPU, RECIPE).train(runs)
    followed = Trainer(CPU, RECIPE, Extras(curves=True)).train(runs)
    for one, other in zip(without_clock(plain), without_clock(followed), strict=True):
        assert {k: v for k, v in one.items() if not k.startswith("curves.")} == {
            k: v for k, v in other.items() if not k.startswith("curves.")
        }
    assert Extras(curves=True).parts == ("curves",)
    assert Extras(predictions=True, curves=True).parts == ("predictions", "curves")


def test_work_is_told_step_by_step(toy, runs):
    heard = []
    Trainer(CPU, RECIPE).train(runs, heard.append)
    # First stage: 12 items, 2 lists, 4 epochs. Second: 36 items, 4 lists, 4 epochs.
    assert len(heard) == 4 * 2 + 4 * 4
    # Lists of 20, 36 after 12, 20 and 30 items.
    assert sum(heard) == 4 * (2 + 2 + 4 + 2 + 3)
    assert max(heard) - min(heard) <= 1


def test_members_without_steps_share_the_work(toy, runs):
    heard = []
    own = [replace(run, predictor="gp", loss="mse") for run in runs]
    Trainer(CPU, RECIPE).train(own, heard.append)
    assert len(heard) == len(runs)
    assert sum(heard) == sum(work(run, RECIPE) for run in own)
    assert max(heard) - min(heard) <= 1


def test_what_does_not_fit_the_device_is_halved(toy, runs, monkeypatch, caplog):
    whole = Trainer(CPU, RECIPE).train(runs)
    sizes = []

    def small(network, members, *args, **options):
        sizes.append(len(members))
        if len(members) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return train_fleet(network, members, *args, **options)

    monkeypatch.setattr(networks, "train_fleet", small)
    with caplog.at_level(logging.WARNING, "nasrank"):
        rows = Trainer(CPU, RECIPE).train(runs)
    assert sizes == [4, 2, 1, 1, 2, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "a fleet of 4 runs does not fit the device; it is halved",
        *["a fleet of 2 runs does not fit the device; it is halved"] * 2,
    ]
    assert [row["run_id"] for row in rows] == [row["run_id"] for row in whole]
    for one, other in zip(rows, whole, strict=True):
        assert one["kendall_tau"] == pytest.approx(other["kendall_tau"], abs=0.005)


def test_a_run_that_does_not_fit_alone_is_an_error(toy, runs, monkeypatch):
    def none(*args, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(networks, "train_fleet", none)
    with pytest.raises(torch.OutOfMemoryError):
        Trainer(CPU, RECIPE).train(runs)


def test_graphs_are_laid_out_once_for_all_fleets(toy, runs, monkeypatch):
    made = []

    def make(*args, **options):
        made.append(args)
        return predictor_on(*args, **options)

    monkeypatch.setattr(train_module, "predictor_on", make)
    trainer = Trainer(CPU, Recipe(epochs=1))
    for run in runs:
        trainer.train([run])
    assert len(made) == 1
