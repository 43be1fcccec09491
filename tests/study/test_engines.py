"""Wherever a grid is executed and whatever is lost on the way, its tables are the same."""

import logging
import os
import signal
import sys
import time

import psutil
import pytest
import torch

from nasrank.errors import DataError, Interrupted, UsageError
from nasrank.questions.compare.options import CompareConfig
from nasrank.runs.fleets import device_of
from nasrank.runs.tables import BUDGET, DISCOVERY, HEADLINE, PREDICTIONS, RUNS, SUMMARY
from nasrank.study.conduct import conduct, estimate
from nasrank.study.engines import dask as dask_engine
from nasrank.study.engines.dask import DaskEngine
from nasrank.study.engines.engine import OnEngines
from nasrank.study.engines.local import LocalEngine
from nasrank.study.engines.processes import ProcessEngine, usual_jobs
from nasrank.study.options import checked

CLOCK = {"fit_seconds", "predict_seconds", "device"}
TABLES = (HEADLINE, RUNS, DISCOVERY, BUDGET, SUMMARY, PREDICTIONS)
# Four numbers of steps, so four fleets.
CONFIG = CompareConfig(
    losses=("mse", "listmle"), n_train=(20, 40, 60, 80), seeds=2, device="cpu",
    keep_predictions=True,
)  # fmt: skip
TWO = {"engine": "processes", "jobs": 2}


def on(config=CONFIG, **how):
    """The same comparison, executed elsewhere."""
    return config.model_copy(update=how)


def tables_in(folder):
    return {
        table.name: [
            {name: value for name, value in row.items() if name not in CLOCK}
            for row in table.read(folder / f"{table.name}.parquet")
        ]
        for table in TABLES
    }


class Watcher:
    """Does something once, when the first runs are saved; remembers what it heard."""

    def __init__(self, act=None):
        self.act, self.work, self.told, self.runs = act, 0, 0, 0

    def start(self, work, runs, finished):
        self.work = work

    def advance(self, work):
        self.told += work

    def saved(self, runs):
        self.runs += runs
        act, self.act = self.act, None
        if act is not None:
            act()


@pytest.fixture(scope="module")
def undisturbed(warm_cache, tmp_path_factory):
    """The tables as this process alone makes them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASRANK_CACHE", str(warm_cache))
        patch.setattr("nasrank.questions.compare.study.Recipe", quick_recipe)
        conduct(CONFIG, folder)
    return tables_in(folder)


def quick_recipe():
    from nasrank.predictors.recipe import Recipe

    return Recipe(epochs=4, list_length=24)


@pytest.fixture(scope="module")
def cluster(warm_cache):
    from distributed import LocalCluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASRANK_CACHE", str(warm_cache))
        with LocalCluster(
            processes=True,
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL + 1,
        ) as cluster:
            yield cluster.scheduler_address


def workers_of_this_process():
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if any("popen_loky" in word for word in child.cmdline())
    ]


def kill_a_busy_worker(address):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            busy = [name for name, tasks in client.processing().items() if tasks]
            if busy:
                (process,) = client.run(os.getpid, workers=busy[:1]).values()
                os.kill(process, signal.SIGKILL)
                return
    pytest.fail("no worker had anything to do")


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_processes_make_the_same_tables(undisturbed, tmp_path):
    watcher = Watcher()
    conduct(on(**TWO), tmp_path, progress=watcher)
    assert tables_in(tmp_path) == undisturbed
    assert (watcher.runs, watcher.told) == (16, watcher.work)
    assert not workers_of_this_process()


@pytest.mark.long
@pytest.mark.usefixtures("quick")
def test_a_killed_process_costs_nothing_but_time(undisturbed, tmp_path, caplog):
    def kill():
        workers_of_this_process()[0].kill()

    with caplog.at_level(logging.WARNING, "nasrank"):
        conduct(on(**TWO), tmp_path, progress=Watcher(kill))
    assert tables_in(tmp_path) == undisturbed
    assert "a worker process was killed; its work is executed again" in caplog.text


@pytest.mark.long
@pytest.mark.usefixtures("quick")
def test_a_dask_cluster_makes_the_same_tables_with_a_worker_killed(cluster, undisturbed, tmp_path):
    watcher = Watcher(lambda: kill_a_busy_worker(cluster))
    conduct(on(engine="dask", scheduler=cluster), tmp_path, progress=watcher)
    assert watcher.act is None
    assert tables_in(tmp_path) == undisturbed
    assert (watcher.runs, watcher.told) == (16, watcher.work)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("engine", ["local", "processes", "dask"])
def test_what_is_saved_stays_and_another_engine_goes_on(engine, cluster, undisturbed, tmp_path):
    how = {
        "local": {},
        "processes": TWO,
        "dask": {"engine": "dask", "scheduler": cluster},
    }[engine]
    with pytest.raises(Interrupted, match=r"stopped: [0-9]+ of 16 runs are saved"):
        conduct(on(**how), tmp_path, progress=Watcher(interrupt))
    assert not workers_of_this_process()
    saved = len([*tmp_path.glob("runs.d/*.parquet")])
    assert 4 <= saved < 16
    result = conduct(CONFIG, tmp_path)
    assert result.computed == 16 - saved
    assert tables_in(tmp_path) == undisturbed


@pytest.mark.slow
def test_a_process_that_always_dies_is_not_tried_for_ever(caplog):
    engine = ProcessEngine(2)
    why = "killed 3 times in a row, probably out of memory"
    with pytest.raises(DataError, match=why) as caught:
        list(engine.map(lambda item, _: os._exit(item), [1, 2]))
    assert "fewer --jobs than 2, or --memory-limit" in str(caught.value)
    assert len(caplog.records) == 2


@pytest.mark.slow
def test_work_that_costs_every_dask_worker_is_given_up(cluster):
    with pytest.raises(DataError, match="several workers were lost on the same work"):
        list(DaskEngine(cluster).map(lambda item, _: os._exit(item), [1]))


@pytest.mark.slow
def test_an_error_of_a_worker_is_one_line_with_its_name(cluster):
    def fail(item, _):
        from nasrank.errors import DataError

        raise DataError(f"{item} is missing")

    with pytest.raises(DataError, match=r"^worker tcp://127.0.0.1:\d+ on \S+: it is missing") as e:
        list(DaskEngine(cluster).map(fail, ["it"]))
    assert "\n" not in str(e.value)
    with pytest.raises(DataError, match=r"^it is missing$"):
        list(ProcessEngine(2).map(fail, ["it", "it"]))


@pytest.mark.slow
def test_a_worker_without_the_data_says_so_and_what_to_do(
    cluster, tmp_path, monkeypatch, warm_cache
):
    from nasrank.cli import run

    rows = [f"a{k},input;{';'.join(['conv'] * k)};output," for k in range(1, 61)]
    rows = [
        f"{row}{';'.join(f'{n}-{n + 1}' for n in range(k + 1))},{90 - k / 10}"
        for k, row in enumerate(rows, 1)
    ]
    table = tmp_path / "own.csv"
    table.write_text("\n".join(["id,operations,edges,label", *rows]))
    monkeypatch.setenv("NASRANK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.setattr(sys, "argv", ["nasrank", "data", "import", "only-here", str(table)])
    assert run() == 0
    config = CompareConfig(tasks=("only-here/own",), losses=("mse",), n_train=(10,), seeds=1)
    config = on(config, engine="dask", scheduler=cluster)
    with pytest.raises((DataError, UsageError), match=r"^worker tcp://.*only-here") as caught:
        conduct(config, tmp_path / "out")
    assert "nasrank data import" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_worker_with_another_version_is_refused(cluster, monkeypatch):
    monkeypatch.setattr(dask_engine, "__version__", "99.0")
    with pytest.raises(DataError, match=r"^worker tcp://\S+ has nasrank \S+, but this is nasrank"):
        list(DaskEngine(cluster).map(lambda item, _: item, [1]))


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_an_error_within_seconds(tmp_path):
    started = time.monotonic()
    with pytest.raises(DataError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1\. "):
        list(DaskEngine("tcp://127.0.0.1:1").map(lambda item, _: item, [1]))
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_an_error():
    from distributed import LocalCluster

    with LocalCluster(
        processes=False,
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL + 1,
    ) as own:
        results = DaskEngine(own.scheduler_address).map(lambda item, _: item, [1, 2])
        next(results)
    with pytest.raises(DataError, match=r"is gone\. Finished runs are saved"):
        list(results)


@pytest.mark.slow
def test_processes_share_the_cores(monkeypatch):
    def threads(item, _):
        import torch

        return torch.get_num_threads()

    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    assert [count for _, count in ProcessEngine(2).map(threads, [1, 2, 3])] == [2, 2, 2]


def test_a_local_engine_hands_work_on():
    heard = []
    results = LocalEngine().map(lambda item, tell: tell(item), [3, 4], heard.append)
    assert [place for place, _ in results] == [0, 1]
    assert heard == [3, 4]


def test_without_the_extra_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"needs distributed.*install .*distributed"):
        OnEngines(engine="dask", scheduler="tcp://127.0.0.1:8786").make_engine("cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 2}, "--jobs needs --engine processes"),
        ({"engine": "dask", "jobs": 2}, "--jobs needs --engine processes"),
        ({"scheduler": "tcp://a:1"}, "--scheduler needs --engine dask"),
        ({"engine": "dask"}, "needs the address of its scheduler"),
        ({"engine": "dask", "scheduler": "here"}, "should be an address such as tcp://"),
        ({"memory_limit": "much"}, "should be a size such as 4GiB"),
        ({"memory_limit": "1MiB"}, "one gnn on nb201/cifar10 with 78 training architectures"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_invalid_options_are_refused_before_anything_is_done(options, message, tmp_path):
    config = CompareConfig(device="cpu", **options)
    for act in (conduct, estimate):
        with pytest.raises(UsageError, match=message):
            act(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_cuda_devices_take_turns(monkeypatch):
    assert device_of("cpu", 3) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    named = [str(device_of("cuda", number)) for number in range(4)]
    assert named == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert usual_jobs("cuda") == 2
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="torch sees no CUDA device here"):
        device_of("cuda", 0)


def test_cuda_of_a_cluster_is_not_looked_for_here(monkeypatch, tmp_path, load):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = CompareConfig(device="cuda")
    afar = on(config, engine="dask", scheduler="tcp://127.0.0.1:8786")
    assert estimate(afar, tmp_path).device == "cuda"
    with pytest.raises(UsageError, match="torch sees no CUDA device here"):
        estimate(config, tmp_path)


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown engine 'ray'.*Known: local, processes, dask"):
        checked(CompareConfig, {"engine": "ray"})


OWN = """
import numpy as np


class Model:
    def fit(self, X, y):
        self.weights = np.linalg.solve(X.T @ X + 9 * np.eye(X.shape[1]), X.T @ y)

    def predict(self, X):
        return X @ self.weights


def best_of_ten(scores, labels):
    return labels.max() - labels[(-scores).argsort()[:10]].max()


best_of_ten.better = "lower"
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_own_code_is_found_wherever_it_is_executed(engine, cluster, tmp_path, monkeypatch):
    # Workers were started elsewhere: the file counts from the folder of the command.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    config = CompareConfig(
        tasks=("scaling-llm/valid_loss",), predictors=("./mine.py:Model",), n_train=(20,),
        metrics=("./mine.py:best_of_ten",), seeds=2, device="cpu",
    )  # fmt: skip
    where = {"processes": {"jobs": 1}, "dask": {"scheduler": cluster}}[engine]
    here, there = (
        conduct(each, tmp_path / f"out{place}").frame("own_metrics").to_dict("records")
        for place, each in enumerate((config, on(config, engine=engine, **where)))
    )
    assert here == there
    assert {row["metric"] for row in here} == {"./mine.py:best_of_ten"}
