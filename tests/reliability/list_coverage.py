"""Say how often the intervals of ``nasrank rank`` hold on the list that is shown.

    python tests/reliability/list_coverage.py --out results/reliability

Labels of built-in tasks are held back, so that the truth of every listed architecture is known.
What is stored already is not computed again.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import torch

from nasrank.predictors.specification import parse_predictor
from nasrank.questions.rank.case import load_case
from nasrank.questions.rank.model import Training, learn
from nasrank.tables import Column, Table

TASKS = ("nb201/cifar10", "nbgraph/cora", "scaling-llm/valid_loss", "hpobench/car")
N_TRAIN = (39, 78, 156)
LISTED, CONFIDENCE = 20, 0.9

LIST_COVERAGE = Table(
    "list-coverage",
    "Intervals of 90 % of one ranking with labels held back",
    (
        Column("task", "string", "", "Task by name"),
        Column("predictor", "string", "", "Name of the predictor"),
        Column("n_train", "int64", "architectures", "Training architectures"),
        Column("seed", "int64", "", "Seed of their draw"),
        Column("candidates", "int64", "architectures", "Ranked architectures"),
        Column("all", "double", "1", "Share of all true labels within their intervals"),
        Column("listed", "double", "1", "The same of the first 20"),
        Column("below", "double", "1", "Share of the first 20 true labels below their intervals"),
        Column("width", "double", "metric", "Mean width of the intervals of the first 20"),
    ),
)


def row_of(task, predictor, n_train, seed):
    """Rank with labels held back, and count the intervals that hold."""
    case = load_case(task, n_train, seed)
    training = Training(parse_predictor(predictor), "listmle", seed, torch.device("cpu"))
    model = learn(case, training, CONFIDENCE)
    scores, _ = model.scorer.score(case.graphs[case.candidates])
    values, reach = model.calibration.values(scores), model.calibration.reaches(scores)
    inside = np.abs(values - case.truth) <= reach
    listed = np.argsort(-scores, kind="stable")[:LISTED]
    return {
        "task": task,
        "predictor": predictor,
        "n_train": n_train,
        "seed": seed,
        "candidates": len(scores),
        "all": float(inside.mean()),
        "listed": float(inside[listed].mean()),
        "below": float((case.truth < values - reach)[listed].mean()),
        "width": float(2 * reach[listed].mean()),
    }


def main():
    """Write the table, row by row."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/reliability"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--predictor", default="gp")
    given = parser.parse_args()
    path = given.out / f"{LIST_COVERAGE.name}.parquet"
    rows = LIST_COVERAGE.read(path) if path.exists() else []
    known = {(row["task"], row["predictor"], row["n_train"], row["seed"]) for row in rows}
    for seed, n_train, task in product(range(given.seeds), N_TRAIN, TASKS):
        if (task, given.predictor, n_train, seed) not in known:
            rows.append(row_of(task, given.predictor, n_train, seed))
            LIST_COVERAGE.write(rows, path)


if __name__ == "__main__":
    main()
