"""A finished run of a toy task, and comparisons that take seconds."""

import numpy as np
import pytest
import torch

from nasrank.benchmarks.splits import make_split
from nasrank.predictors.recipe import Recipe
from nasrank.studies import compare as compare_module
from nasrank.studies.evaluate import Training, evaluate
from nasrank.studies.runs import Run


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Results must not depend on how many cores a machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_run():
    def make(**changes):
        usual = {
            "task": "toy/x",
            "fingerprint": "f" * 64,
            "predictor": "gnn",
            "loss": "mse",
            "n_train": 20,
            "seed": 0,
            "split": "class",
            "labels": "mean",
            "test": "rest",
            "sampling": "random",
        }
        return Run(**{**usual, **changes})

    return make


@pytest.fixture(scope="session")
def finished_row(make_run, make_task):
    """The row of a run of a toy task, scored by its labels and some noise."""

    def make(task=None, run=None, *, noise=1.0, training=None, keep_predictions=False, **changes):
        task = make_task() if task is None else task
        run = run or make_run(**changes)
        split = make_split(
            task,
            run.n_train,
            run.seed,
            split=run.split,
            labels=run.labels,
            test=run.test,
            sampling=run.sampling,
        )
        scores = np.zeros(task.space.classes)
        np.add.at(scores, task.space.class_of, task.oriented_labels)
        scores /= np.bincount(task.space.class_of)
        scores = scores + noise * np.random.default_rng(run.seed).normal(size=len(scores))
        training = training or Training(0.5, False, 1.0, 0.25, "cpu")
        return evaluate(run, task, split, scores, training, keep_predictions=keep_predictions)

    return make


@pytest.fixture
def quick(monkeypatch, warm_cache):
    """Comparisons train for four epochs."""
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setattr(compare_module, "Recipe", lambda: Recipe(epochs=4, list_length=24))
