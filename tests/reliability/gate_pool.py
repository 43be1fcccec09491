"""Train the pool of runs from which the gate's false alarms and power are estimated.

    python tests/reliability/gate_pool.py --out results/reliability

Every combination of loss, seed, number of threads and initialisation root is one run on the split
of its seed. Roots stand for a change that should not matter: another order of random numbers gives
other initial weights and another order of the training set, and no better or worse predictor.
Worse predictors are made by adding normal noise to the scores. Finished parts are kept in
``pool.d``; repeat a stopped command to go on.
"""

import argparse
import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

from nasrank.tables import Column, Table, read_parquet, write_parquet

LOSSES = ("mse", "hr", "listmle")
THREADS = (1, 2)
ROOTS = (0, 1)
NOISE = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
TASK, N_TRAIN, FLEET = "nb201/cifar10", 78, 25

POOL = Table(
    "gate-pool",
    "One run of the CI subset whose scores were made worse by noise",
    (
        Column("loss", "string", "", "Canonical spelling of the loss"),
        Column("seed", "int64", "", "Seed of the split"),
        Column("threads", "int64", "threads", "OMP_NUM_THREADS while training"),
        Column("root", "int64", "", "0: initialised by the seed; 1: by another stream of it"),
        Column("noise", "double", "1", "Sd of the noise, in sds of the scores"),
        Column("kendall_tau", "double", "1", "Kendall's tau-b on the test set, higher is better"),
    ),
)


def train(loss, seeds, threads, root):
    """Return the rows of one fleet."""
    from nasrank.benchmarks import load_task
    from nasrank.benchmarks.splits import make_split
    from nasrank.losses import parse
    from nasrank.metrics import kendall_tau
    from nasrank.predictors.predictor import Member
    from nasrank.predictors.specification import make_predictor
    from nasrank.seeds import derive_seed, numpy_generator

    task = load_task(TASK)
    splits = {seed: make_split(task, N_TRAIN, seed) for seed in seeds}
    members = [
        Member(
            task.space.class_of[split.train],
            split.targets,
            parse(loss),
            derive_seed(seed, stream="root", root=root) if root else seed,
        )
        for seed, split in splits.items()
    ]
    scores = make_predictor("gnn", task.space.graphs).fit(members).scores()
    rows = []
    for (seed, split), own in zip(splits.items(), scores, strict=True):
        predicted = own[task.space.class_of[split.test]]
        draw = numpy_generator(seed, stream="noise", root=root, threads=threads, loss=loss)
        error = predicted.std() * draw.standard_normal(len(predicted))
        for noise in NOISE:
            tau = kendall_tau(predicted + noise * error, split.test_labels)
            cells = (loss, seed, threads, root, noise, tau)
            names = [column.name for column in POOL.columns]
            rows.append(dict(zip(names, cells, strict=True)))
    return rows


def part(out, loss, first, threads, root):
    return out / "pool.d" / f"{loss}-{first}-threads{threads}-root{root}.parquet"


def work(out, count):
    """Train the missing fleets of this process's number of threads."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    for first, root, loss in product(range(0, count, FLEET), ROOTS, LOSSES):
        path = part(out, loss, first, threads, root)
        if not path.exists():
            seeds = range(first, min(first + FLEET, count))
            POOL.write(train(loss, seeds, threads, root), path)
            print(path, flush=True)  # noqa: T201


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/reliability"))
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        work(given.out, given.seeds)
        return
    for threads in THREADS:
        # The number of threads is read once, when torch is first imported.
        subprocess.run(
            [sys.executable, __file__, "--child", *sys.argv[1:]],
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive"},
            check=True,
        )
    import pyarrow as pa

    parts = [
        read_parquet(part(given.out, loss, first, threads, root))
        for threads, root, loss, first in product(
            THREADS, ROOTS, LOSSES, range(0, given.seeds, FLEET)
        )
    ]
    write_parquet(pa.concat_tables(parts), given.out / "gate-pool.parquet")
    # The next pool is of the predictors as they are then.
    shutil.rmtree(given.out / "pool.d")


if __name__ == "__main__":
    main()
