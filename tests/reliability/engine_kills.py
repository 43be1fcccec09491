"""Kill commands, workers and schedulers at random moments, and see that nothing is lost.

    OMP_NUM_THREADS=1 python tests/reliability/engine_kills.py --kills 60 --out results/reliability

A small comparison runs on each engine again and again. What is killed is the command itself, a
worker, or the scheduler of a Dask cluster. After each kill every file has to be whole, runs that
were saved before have to be there, and no process of the command may be left; whenever the
command gets through, its tables have to equal those of an undisturbed one. The table is written
after every kill; repeat a stopped command to go on. ``--force`` begins anew.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from nasrank.tables import Column, Table, read_parquet

sys.path.insert(0, str(Path(__file__).parents[1]))

from untimed import untimed_tables

COMPARE = [
    sys.executable, "-m", "nasrank", "compare", "--predictors", "mlp", "--losses", "mse,listmle",
    "--n-train", "10,20,40", "--seeds", "2", "--device", "cpu", "--quiet",
]  # fmt: skip
TARGETS = {
    "local": ("command",),
    "processes": ("command", "worker"),
    "dask": ("command", "worker", "scheduler"),
}
PATIENCE = 20.0

KILLS = Table(
    "engine-kills",
    "Kills at random moments on one engine",
    (
        Column("engine", "string", "", "local, processes or dask"),
        Column("command_kills", "int64", "", "Times the command was killed"),
        Column("worker_kills", "int64", "", "Times one of its workers was"),
        Column("scheduler_kills", "int64", "", "Times the scheduler of its cluster was"),
        Column("finished", "int64", "", "Times it got through, with the tables of an undisturbed"),
        Column("runs_lost", "int64", "runs", "Saved runs that were gone or changed afterwards"),
        Column("files_damaged", "int64", "files", "Files that could not be read afterwards"),
        Column("orphans", "int64", "processes", "Processes left 20 s after the command's end"),
        Column("tracebacks", "int64", "", "Times a traceback was printed"),
        Column("seconds", "double", "s", "Wall clock"),
        Column("load", "double", "1", "Load average of the last minute, at the end"),
    ),
)


class Cluster:
    """A scheduler and two workers of one thread, each a process that can be killed."""

    def __init__(self):
        self.start()

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._program(
            "dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
        )
        self.workers = [self._worker() for _ in range(2)]

    def _worker(self):
        return self._program(
            "dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"
        )

    @staticmethod
    def _program(name, *words):
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *words],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self, target, chance):
        if target == "scheduler":
            self.scheduler.kill()
        else:
            chance.choice(self.workers).kill()

    def mend(self):
        if self.scheduler.poll() is not None:
            self.stop()
            self.start()
        self.workers = [
            self._worker() if worker.poll() is not None else worker for worker in self.workers
        ]

    def stop(self):
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.wait()


class Engine:
    """A comparison on one engine, in a folder that outlives kills."""

    def __init__(self, name, scratch, reference, seconds):
        self.name, self.scratch, self.reference, self.seconds = name, scratch, reference, seconds
        self.chance = random.Random(name)
        self.row = {column.name: 0 for column in KILLS.columns} | {"engine": name}
        self.cluster = Cluster() if name == "dask" else None
        self.folder, self.kept = scratch / f"{name}-0", {}

    def command(self):
        words = [*COMPARE, "--engine", self.name, "--out", str(self.folder)]
        if self.name == "processes":
            words += ["--jobs", "2"]
        if self.cluster is not None:
            words += ["--scheduler", self.cluster.address]
        return subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def disturb(self, target):
        """Start the command, kill something, and look at what is left."""
        process = self.command()
        own = psutil.Process(process.pid)
        begun = time.monotonic()
        until = begun + self.chance.uniform(0.2, 1.0) * self.seconds
        seen = set()
        while process.poll() is None and time.monotonic() < until:
            seen |= _below(own)
            time.sleep(0.1)
        if process.poll() is None:
            seen |= _below(own)
            if target == "command":
                process.kill()
            elif self.cluster is not None:
                self.cluster.kill(target, self.chance)
            elif workers := [each for each in seen if _is_worker(each)]:
                self.chance.choice(sorted(workers, key=lambda each: each.pid)).kill()
            self.row[f"{target}_kills"] += 1
        else:
            # Faster than before: the next moment is drawn from what it takes now.
            self.seconds = time.monotonic() - begun
        _, printed = process.communicate(timeout=600)
        if "Traceback" in printed:
            self.row["tracebacks"] += 1
            print(printed, flush=True)  # noqa: T201
        deadline = time.monotonic() + PATIENCE
        while any(map(_runs, seen)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.row["orphans"] += sum(map(_runs, seen))
        self.look(finished=process.returncode == 0)
        if self.cluster is not None:
            self.cluster.mend()

    def look(self, *, finished):
        present = {}
        for path in self.folder.rglob("*.parquet"):
            try:
                rows = read_parquet(path).to_pylist()
            except Exception:  # noqa: BLE001 - what must not happen is counted
                self.row["files_damaged"] += 1
                continue
            if path.parent.name == "runs.d":
                present[path.name] = rows
        lost = [name for name, rows in self.kept.items() if present.get(name) != rows]
        self.row["runs_lost"] += len(lost)
        self.kept = present
        if finished:
            if untimed_tables(self.folder) != self.reference:
                raise SystemExit(f"{self.folder}: other tables than those of an undisturbed run")
            if left := [*self.folder.rglob("*.part"), *self.folder.rglob("*.fleet")]:
                raise SystemExit(f"left behind: {left}")
            self.row["finished"] += 1
            shutil.rmtree(self.folder)
            self.folder, self.kept = self.scratch / f"{self.name}-{self.row['finished']}", {}

    def kills(self):
        return sum(self.row[f"{target}_kills"] for target in ("command", "worker", "scheduler"))


def _below(process):
    try:
        return {*process.children(recursive=True)}
    except psutil.Error:
        return set()


def _is_worker(process):
    """Tell a worker from the process by which joblib cleans up after them."""
    try:
        return process.is_running() and any("LokyProcess" in w for w in process.cmdline())
    except psutil.Error:
        return False


def _runs(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def attack(name, kills, scratch, earlier):
    """Yield the row of one engine after every kill, counted on from an earlier row."""
    reference = scratch / "reference"
    begun = time.monotonic()
    subprocess.run([*COMPARE, "--out", str(reference)], stdout=subprocess.DEVNULL, check=True)
    seconds = time.monotonic() - begun
    engine = Engine(name, scratch, untimed_tables(reference), seconds)
    engine.row |= earlier

    def row():
        spent = earlier.get("seconds", 0.0) + time.monotonic() - begun
        return engine.row | {"seconds": spent, "load": os.getloadavg()[0]}

    try:
        while engine.kills() < kills:
            targets = TARGETS[name]
            engine.disturb(targets[engine.kills() % len(targets)])
            yield row()
        # Undisturbed, what is left of the last one is made whole.
        process = engine.command()
        process.communicate(timeout=600)
        engine.look(finished=process.returncode == 0)
        yield row()
    finally:
        if engine.cluster is not None:
            engine.cluster.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=60, help="on each engine")
    parser.add_argument("--engines", default=",".join(TARGETS))
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    path = given.out / f"{KILLS.name}.parquet"
    rows = {}
    if path.exists() and not given.force:
        rows = {row["engine"]: row for row in KILLS.read(path)}
    for name in given.engines.split(","):
        earlier = rows.get(name, {})
        if sum(earlier.get(f"{target}_kills", 0) for target in TARGETS["dask"]) >= given.kills:
            continue
        with tempfile.TemporaryDirectory(prefix="nasrank-kills-") as scratch:
            for row in attack(name, given.kills, Path(scratch), earlier):
                rows[name] = row
                print(row, flush=True)  # noqa: T201
                KILLS.write(rows.values(), path, {"kills": given.kills})
    bad = ("runs_lost", "files_damaged", "orphans", "tracebacks")
    return int(any(row[each] for row in rows.values() for each in bad))


if __name__ == "__main__":
    sys.exit(main())
