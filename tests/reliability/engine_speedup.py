"""Measure what more workers gain, and work out what many would.

    OMP_NUM_THREADS=1 python tests/reliability/engine_speedup.py --out results/reliability

The same 80 runs, two fleets of the same size, in this process, on 2 worker processes, and on
Dask clusters of 1 and 2 workers on loopback; every worker has one thread. Beside the wall clock
there is the CPU time of all processes and the load of the machine, which was there before.
"""

import argparse
import logging
import os
import sys
import tempfile
import time
from math import ceil
from pathlib import Path

import torch
from distributed import Client, LocalCluster

from nasrank.benchmarks import load_task
from nasrank.questions.compare.options import CompareConfig
from nasrank.study.conduct import conduct
from nasrank.study.finished import FinishedRuns
from nasrank.tables import Column, Table

CONFIG = CompareConfig(losses=("mse", "listmle"), n_train=(39,), seeds=40, device="cpu")
FLEET = 40
MODEL_FLEETS = 4096
MODEL_SECONDS = 60.0

KEEP_MEMORY = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(1 << 26))
"""By its own setting Dask returns every freed tensor to the system, which costs CPU time."""

ENGINES = Table(
    "engines",
    "A grid with some number of workers: measured here, and modelled for many",
    (
        Column("kind", "string", "", "measured or model"),
        Column("engine", "string", "", "local, processes, dask, or any in the model"),
        Column("workers", "int64", "", "Worker processes of one thread"),
        Column("runs", "int64", "", "Runs of the grid"),
        Column("fleets", "int64", "", "Fleets of the grid"),
        Column("seconds", "double", "s", "From the command's first line to the last fleet saved"),
        Column("start_seconds", "double", "s", "Until a fleet can begin", "not measured"),
        Column("cpu_seconds", "double", "s", "CPU time of all processes", "model"),
        Column("save_seconds", "double", "s", "Saving of all runs by the parent"),
        Column("speedup", "double", "1", "Seconds of one worker over these"),
        Column("load", "double", "1", "Load average of the last minute before", "model"),
        Column("cores", "int64", "", "Cores of the machine", "model"),
    ),
)


class Saving:
    """Times what the parent does for every fleet."""

    def __init__(self):
        self.seconds, self._save = 0.0, FinishedRuns.save_fleet
        # As a function, so that it is given the folder it is called on.
        FinishedRuns.save_fleet = lambda *args: self.timed(*args)  # noqa: PLW0108

    def timed(self, *args):
        started = time.perf_counter()
        self._save(*args)
        self.seconds += time.perf_counter() - started


def cpu_of_workers(address):
    if address is None:
        return 0.0
    with Client(address, set_as_default=False) as client:
        return sum(client.run(time.process_time).values())


def measure(saving, workers, **how):
    config = CONFIG.model_copy(update=how)
    load = os.getloadavg()[0]
    saving.seconds, elsewhere = 0.0, cpu_of_workers(config.scheduler)
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        conduct(config, Path(folder))
        seconds = time.perf_counter() - started
    spent = sum(os.times()[:4]) - sum(before[:4]) + cpu_of_workers(config.scheduler) - elsewhere
    row = {
        "kind": "measured", "engine": config.engine, "workers": workers, "runs": 80, "fleets": 2,
        "seconds": seconds, "start_seconds": None,
        # This process, its children, and what the cluster did for it.
        "cpu_seconds": spent, "save_seconds": saving.seconds, "load": load,
        "cores": os.cpu_count(),
    }  # fmt: skip
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()
    return row


def measured(saving):
    rows = [measure(saving, 1)]
    rows.append(measure(saving, 2, engine="processes", jobs=2))
    os.environ |= KEEP_MEMORY
    for workers in (1, 2):
        with LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster:  # fmt: skip
            address = cluster.scheduler_address
            # Once to import everything: a cluster is there before and after a grid.
            with Client(address, set_as_default=False) as client:
                client.run(__import__, "nasrank.runs.fleets")
            rows.append(measure(saving, workers, engine="dask", scheduler=address))
    for row in rows:
        # One process is one process, whether it is this one or another.
        alone = "dask" if row["engine"] == "dask" else "local"
        one = next(r for r in rows if r["engine"] == alone and r["workers"] == 1)
        row["speedup"] = one["seconds"] / row["seconds"]
    return rows


def model(workers, save_a_run, start):
    """Equal fleets in waves; the parent saves the last wave, or it saves all the time."""
    fleets, seconds = MODEL_FLEETS, MODEL_SECONDS
    runs = fleets * FLEET
    last_wave = min(workers, fleets) * FLEET * save_a_run
    waves = ceil(fleets / workers) * seconds + last_wave
    parent = seconds + runs * save_a_run
    return {
        "kind": "model", "engine": "any", "workers": workers, "runs": runs, "fleets": fleets,
        "seconds": start + max(waves, parent), "start_seconds": start,
        "save_seconds": runs * save_a_run,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/reliability"))
    parser.add_argument("--start", type=float, default=10.0, help="seconds until workers work")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    load_task("nb201/cifar10")
    rows = measured(Saving())
    save_a_run = max(row["save_seconds"] / row["runs"] for row in rows)
    modelled = [model(count, save_a_run, chosen.start) for count in (1, 8, 32, 128, 256, 512)]
    for row in modelled:
        row["speedup"] = modelled[0]["seconds"] / row["seconds"]
        sys.stdout.write(f"{row}\n")
    empty = dict.fromkeys(column.name for column in ENGINES.columns)
    about = {"command": "tests/reliability/engine_speedup.py"}
    table = [{**empty, **row} for row in rows + modelled]
    ENGINES.write(table, chosen.out / "engines.parquet", about)


if __name__ == "__main__":
    main()
