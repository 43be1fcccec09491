"""What tests share: a small space of one's own making, real tasks, finished runs of a toy task."""

import gc
import os
import sys
import tempfile
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from _pytest.doctest import DoctestModule
from hypothesis import HealthCheck, settings
from jaxtyping import config as shape_checks
from type_checks import PACKAGES

from nasrank.benchmarks import load_task
from nasrank.benchmarks.space import Metric, Space, Task
from nasrank.benchmarks.splits import make_split
from nasrank.graphs import GraphBatch
from nasrank.metrics import discovery_table, random_evaluations, rank_items, ranking_metrics
from nasrank.predictors.recipe import Recipe
from nasrank.questions.compare import study as compare_module
from nasrank.runs.evaluate import Training, evaluate
from nasrank.runs.run import Run
from nasrank.runs.tables import BUDGET, DISCOVERY, PREDICTIONS, RUNS
from nasrank.seeds import numpy_generator


def pytest_report_header():
    return f"types and shapes are checked in {', '.join(PACKAGES)}"


class Collecting:
    """Tests are found without what only running them needs."""

    RUN_BY_A_TEST = Path("nasrank", "graphs", "pyg.py")
    """Its examples: importing ``torch_geometric`` takes seconds."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self):
        """Look for no garbage among what is imported, then or later: it is kept to the end."""
        gc.disable()
        found = yield
        self.imported = frozenset(sys.modules)
        gc.freeze()
        gc.enable()
        return found

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path):
        """Look for examples only in files that hold one: a file is imported to look for them."""
        found = yield
        if b">>>" in file_path.read_bytes() and not file_path.match(str(self.RUN_BY_A_TEST)):
            return found
        return [one for one in found if not isinstance(one, DoctestModule)]


def pytest_configure(config):
    """Nothing a developer has imported may be seen, not even by doctests."""
    os.environ["NASRANK_DATA"] = tempfile.mkdtemp(prefix="nasrank-tests-")
    config.pluginmanager.register(Collecting(), "collecting")


# Two cores that do other things at the same time say nothing of how fast a case is.
settings.register_profile(
    "nasrank", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("nasrank")


@pytest.fixture(autouse=True)
def pictures_are_sound(monkeypatch):
    """Every picture that a test draws is looked at: texts apart from each other, none cut off."""
    figure = sys.modules.get("matplotlib.figure")
    found = []
    if figure is not None:
        write = figure.Figure.savefig

        def savefig(self, *places, **options):
            from picture_checks import faults

            found.extend(faults(self))
            return write(self, *places, **options)

        monkeypatch.setattr(figure.Figure, "savefig", savefig)
    yield
    assert found == []


VOCABULARY = ("input", "output", "conv", "pool", "skip")


def make_graphs(items, *, nodes=7, seed=0):
    """Random graphs of different sizes: a chain from input to output with shortcuts."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((items, nodes), np.int16)
    adjacency = np.zeros((items, nodes, nodes), np.uint8)
    mask = np.zeros((items, nodes), bool)
    for item in range(items):
        size = int(rng.integers(3, nodes + 1))
        mask[item, :size] = True
        codes[item, 1 : size - 1] = rng.integers(2, len(VOCABULARY), size - 2)
        codes[item, size - 1] = 1
        many = rng.integers(0, 3, (size, size)) * (rng.random((size, size)) < 0.3)
        adjacency[item, :size, :size] = np.triu(many, 1)
        adjacency[item, np.arange(size - 1), np.arange(1, size)] |= 1
    return GraphBatch(codes, adjacency, mask, VOCABULARY)


def make_task(
    values=None,
    *,
    classes=60,
    twins=2,
    replicates=1,
    higher_is_better=True,
    parameters=None,
    cost=None,
    seed=0,
):
    """A task on ``classes * twins`` architectures, twins scattered over the space.

    By default an architecture is worth a number of its own: that of its class, something small
    that tells it from its twins, and something smaller for each replicate.
    """
    rng = np.random.default_rng(seed)
    scattered = rng.permutation(np.repeat(np.arange(classes), twins))
    _, first, number = np.unique(scattered, return_index=True, return_inverse=True)
    # Classes are numbered by first occurrence, as in every space.
    class_of = np.argsort(np.argsort(first))[number].astype(np.int64)
    items = len(class_of)
    graphs = make_graphs(classes, seed=seed)
    if values is None:
        worth = graphs.operation_counts()[:, 2] + graphs.sizes() / 3 + rng.random(classes)
        values = 50 + 5 * worth[class_of] + rng.random(items) / 10
        values = values[:, None] + rng.random((items, replicates)) / 100
    space = Space("toy", [f"a{n}" for n in range(items)], class_of, graphs, np.sort(first))
    metric = Metric("own", "%", higher_is_better, "a number", replicates=replicates > 1)
    values = np.asarray(values, np.float64)
    return Task("toy/x", space, "x", metric, values, cost, parameters, None, (), "f" * 64)


@pytest.fixture(name="make_task", scope="session")
def _make_task():
    return make_task


@pytest.fixture(name="make_graphs", scope="session")
def _make_graphs():
    return make_graphs


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory):
    """One cache folder for all tests that only read tasks, whichever process they run in."""
    folder = tmp_path_factory.getbasetemp()
    cache = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"
    cache.mkdir(exist_ok=True)
    return cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own; it does not exist yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NASRANK_CACHE", str(folder))
    return folder


@pytest.fixture
def load(warm_cache, monkeypatch):
    """``load_task`` with that cache."""
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    return load_task


@pytest.fixture
def unchecked(monkeypatch):
    """Shapes are not checked, as where somebody uses the package, which has to refuse them."""
    monkeypatch.setattr(shape_checks, "jaxtyping_disable", True)


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


HOURS = 0.5
UNIVERSE = 1000
_NUMBER = count()


def labels_of(task):
    """Worth of every architecture: 90 for the best, .01 less for each place."""
    order = numpy_generator(0, task=task).permutation(UNIVERSE)
    return 90.0 - 0.01 * order


def simulate(task, loss, n_train, seed, noise, *, lower=False):
    """A run, its steps and its scores, of a predictor that sees labels through noise."""
    rng = numpy_generator(seed, task=task, loss=loss, n=n_train)
    labels = labels_of(task)
    chosen = numpy_generator(seed, task=task, n=n_train).permutation(UNIVERSE)
    train, test = chosen[:n_train], chosen[n_train:]
    scores = labels + noise * rng.normal(size=UNIVERSE)
    ties = numpy_generator(seed, stream="ties").permutation(len(test))
    ranking = rank_items(scores[test], labels[test], labels[train], ties)
    sign = -1.0 if lower else 1.0
    run_id = f"{next(_NUMBER):016x}"
    run = {
        "run_id": run_id, "task": task, "space_size": 2 * UNIVERSE, "predictor": "gnn",
        "loss": loss, "n_train": n_train, "n_test": len(test), "seed": seed, "split": "class",
        "labels": "mean", "test": "rest", "sampling": "random",
        "kendall_tau": 1 / (1 + noise), "weighted_tau": 0.5, "spearman_rho": 0.5,
        **ranking_metrics(ranking), "replicate_tau": 0.9, "ceiling_tau": 0.95,
        "train_gpu_seconds": None,
        "mean_gpu_seconds": None, "final_loss": 0.1, "diverged": False, "fit_seconds": 1.0,
        "predict_seconds": 0.1, "device": "cpu",
    }  # fmt: skip
    run["best_possible"] *= sign
    table = discovery_table(ranking)
    table["best_label"] = [sign * label for label in table["best_label"]]
    steps = [
        {"run_id": run_id, **dict(zip(table, row, strict=True))}
        for row in zip(*table.values(), strict=True)
    ]
    predictions = [
        {"run_id": run_id, "item": int(item), "architecture": f"a{item}",
         "score": float(scores[item]), "label": float(sign * labels[item]), "in_train": inside}
        for part, inside in ((train, True), (test, False)) for item in part
    ]  # fmt: skip
    return run, steps, predictions


def write_results(
    folder,
    *,
    tasks=("toy/a", "toy/b"),
    noises=None,
    sizes=(20, 40),
    seeds=10,
    predictions=False,
    lower=False,
    hours=HOURS,
    change=lambda run: run,
):
    """Write ``runs``, ``discovery`` and ``budget`` of a grid; noise by loss."""
    noises = {"listmle": 0.2, "mse": 2.0} if noises is None else noises
    done = [
        simulate(task, loss, n_train, seed, noise, lower=lower)
        for task in tasks
        for n_train in sizes
        for loss, noise in noises.items()
        for seed in range(seeds)
    ]
    runs = [change(run) for run, _, _ in done]
    about = {
        "command": "compare",
        "config": {
            "tasks": list(tasks), "losses": list(noises), "n_train": list(sizes), "seeds": seeds,
            "split": "class", "labels": "mean", "test": "rest", "sampling": ["random"],
            "predictors": ["gnn"],
        },
    }  # fmt: skip
    RUNS.write(runs, folder / "runs.parquet", about)
    DISCOVERY.write([s for _, steps, _ in done for s in steps], folder / "discovery.parquet")
    by_random = random_evaluations(UNIVERSE, 1, 0.8)
    none = ("evaluations", "evaluations_lower", "evaluations_upper", "savings", "savings_lower",
            "savings_upper", "gpu_hours")  # fmt: skip
    budget = [
        {"task": task, "predictor": "gnn", "loss": loss, "n_train": size, "sampling": "random",
         "top_fraction": 0.001, "confidence": 0.8, "n_seeds": seeds, **dict.fromkeys(none),
         "random_evaluations": by_random,
         "random_gpu_hours": None if hours is None else hours * by_random}
        for task in tasks for loss in noises for size in sizes
    ]  # fmt: skip
    BUDGET.write(budget, folder / "budget.parquet")
    if predictions:
        rows = [row for _, _, kept in done for row in kept]
        PREDICTIONS.write(rows, folder / "predictions.parquet")
    return runs


@pytest.fixture(name="write_results", scope="session")
def _write_results():
    return write_results


@pytest.fixture(scope="session")
def stored_folder(tmp_path_factory):
    """Two tasks, two losses, two sizes, ten seeds, every score."""
    folder = tmp_path_factory.mktemp("stored")
    write_results(folder, predictions=True)
    return folder
