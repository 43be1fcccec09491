"""Ask whether a distance between labels says beforehand how well advice on a loss carries over.

    python tests/reliability/advice_transfer.py --out results/reliability

Advice is the loss that is best on one task; its regret is the tau that it loses to the best one on
a task of another space. The distance of two tasks is the transport distance (Wasserstein-1) of
their labels, each with mean 0 and deviation 1, higher better: heavy tails are what raw regression
suffers from, so it might tell. Beside it stand two controls: sizes of the spaces, which should
tell nothing, and how much the gap between raw regression and listmle differs, which cannot be
known beforehand and shows what a distance that tells would look like. Spaces are the units: both
are means over the tasks of a pair of them, and whether a rank correlation is more than chance is
asked by exchanging spaces (Mantel 1967).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from nasrank.benchmarks import load_task
from nasrank.seeds import numpy_generator
from nasrank.tables import Column, Table, read_parquet

ROOT = Path(__file__).parents[2] / "results"
FOLDERS = ("kernel", "gnn")
PERMUTATIONS = 2_000

ADVICE_TRANSFER = Table(
    "advice-transfer",
    "Whether one distance between tasks tells how well the best loss of one serves another",
    (
        Column("predictor", "string", "", "Name of the predictor"),
        Column("n_train", "int64", "architectures", "Training architectures"),
        Column("distance", "string", "", "labels, or one of the controls sizes and gaps"),
        Column("pairs", "int64", "", "Ordered pairs of spaces"),
        Column("regret", "double", "1", "Mean tau that advice loses", better="lower"),
        Column("blind", "double", "1", "The same of a loss drawn blindly", better="lower"),
        Column("correlation", "double", "1",
               "Spearman's correlation of distance and regret; above 0 where near tasks agree"),
        Column("p_value", "double", "1", "Share of exchanges of spaces with as high a one"),
    ),
)  # fmt: skip


def space_of(task):
    return task.partition("/")[0]


def standard(labels):
    """Labels with mean 0 and deviation 1."""
    return (labels - labels.mean()) / labels.std()


def regrets(tau):
    """Tau that the best loss of a row's task loses on a column's task; ``tau`` is task by loss."""
    values = tau.to_numpy()
    return values.max(axis=1)[None, :] - values[:, values.argmax(axis=1)].T


def by_space(values, spaces):
    """Means over the tasks of every pair of spaces."""
    one = np.array([spaces == name for name in dict.fromkeys(spaces)], float)
    one /= one.sum(axis=1, keepdims=True)
    return one @ values @ one.T


def correlation(distance, regret, order=None):
    """Rank correlation over ordered pairs, with the rows of the distance in another order."""
    apart = ~np.eye(len(regret), dtype=bool)
    moved = distance if order is None else distance[np.ix_(order, order)]
    return float(stats.spearmanr(moved[apart], regret[apart]).statistic)


def judged(distance, regret, rng, permutations=PERMUTATIONS):
    """Correlation, and the share of exchanges of spaces that reach it."""
    found = correlation(distance, regret)
    chance = [
        correlation(distance, regret, rng.permutation(len(regret))) for _ in range(permutations)
    ]
    # The order as it is counts as one of them.
    return found, (1 + sum(each >= found - 1e-12 for each in chance)) / (1 + permutations)


def distances(tau, labels, sizes):
    """Every distance between the tasks of ``tau``, by name."""
    gap = (tau["listmle"] - tau["mse"]).to_numpy()
    size = np.log([sizes[task] for task in tau.index])
    transport = [
        [stats.wasserstein_distance(labels[a], labels[b]) for b in tau.index] for a in tau.index
    ]
    return {
        "labels": np.array(transport),
        "sizes": np.abs(size[:, None] - size),
        "gaps": np.abs(gap[:, None] - gap),
    }


def rows_of(folder, permutations=PERMUTATIONS):
    runs = read_parquet(ROOT / "targets" / folder / "runs.parquet").to_pandas()
    runs = runs[~runs["diverged"]]
    labels, sizes = {}, {}
    for name in runs["task"].unique():
        task = load_task(name)
        known = task.labels[~np.isnan(task.labels)]
        labels[name] = standard(known if task.metric.higher_is_better else -known)
        sizes[name] = len(known)
    for n_train, own in runs.groupby("n_train"):
        tau = own.pivot_table(index="task", columns="loss", values="kendall_tau")
        spaces = np.array([space_of(task) for task in tau.index])
        regret = by_space(regrets(tau), spaces)
        blind = by_space(np.tile(tau.max(axis=1) - tau.mean(axis=1), (len(tau), 1)), spaces)
        apart = ~np.eye(len(regret), dtype=bool)
        for name, distance in distances(tau, labels, sizes).items():
            rng = numpy_generator(0, stream="advice", part=f"{folder} {n_train} {name}")
            found, p_value = judged(by_space(distance, spaces), regret, rng, permutations)
            yield {
                "predictor": folder,
                "n_train": int(n_train),
                "distance": name,
                "pairs": int(apart.sum()),
                "regret": float(regret[apart].mean()),
                "blind": float(blind[apart].mean()),
                "correlation": found,
                "p_value": p_value,
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "reliability")
    given = parser.parse_args()
    rows = [row for folder in FOLDERS for row in rows_of(folder)]
    ADVICE_TRANSFER.write(rows, given.out / "advice-transfer.parquet", {})
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))  # noqa: T201


if __name__ == "__main__":
    main()
