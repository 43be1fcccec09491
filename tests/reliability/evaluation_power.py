"""Say how many seeds show a difference of 20 % in evaluations, from stored runs.

    python tests/reliability/evaluation_power.py --out results/reliability

Losses are compared on the same seeds by the ratio of their evaluations to the top .1 % and 1 %.
The deviation of its logarithm over stored seeds says with how many seeds a paired test, two-sided
at 5 %, rejects in 80 % of cases where the true ratio is 1.2. How often it does so for values as
skewed as the measured ones is checked by resampling them, moved to that ratio.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from nasrank.runs.tables import EVALUATIONS
from nasrank.seeds import numpy_generator
from nasrank.tables import Column, Table, read_parquet

RATIO, POWER, ALPHA = 1.2, 0.8, 0.05
TARGETS = ("0.1pct", "1pct")
MOST = 5_000
ROOT = Path(__file__).parents[2] / "results"
FOLDERS = ("", "losses/nbgraph", "losses/transnas-micro", "targets/kernel", "targets/gnn")

EVALUATION_POWER = Table(
    "evaluation-power",
    "Seeds at which a ratio of 1.2 in evaluations is seen with 80 % power, on one task",
    (
        Column("predictor", "string", "", "Name of the predictor"),
        Column("task", "string", "", "Task by name"),
        Column("n_train", "int64", "architectures", "Training architectures"),
        Column("metric", "string", "", "evaluations to one of the top, as in summary"),
        Column("pairs", "int64", "", "Pairs of losses"),
        Column("stored_seeds", "int64", "", "Seeds that they were measured on"),
        Column("sd", "double", "1", "Deviation of the log ratio, median over pairs"),
        Column("seeds", "int64", "seeds", "Seeds needed, median over pairs"),
        Column("seeds_90", "int64", "seeds", "Seeds that suffice for nine pairs in ten"),
        Column("with_10", "double", "1", "Power of 10 seeds, median over pairs"),
        Column("with_30", "double", "1", "Power of 30 seeds, median over pairs"),
        Column("with_100", "double", "1", "Power of 100 seeds, median over pairs"),
        Column("resampled", "double", "1",
               "Share of resamples of the median number of seeds that see it, median over pairs"),
    ),
)  # fmt: skip


def power(seeds, sd, ratio=RATIO):
    """Chance that Student's two-sided test of so many paired log ratios rejects."""
    if sd == 0:
        return 1.0
    shift = np.log(ratio) / sd * np.sqrt(seeds)
    edge = stats.t.ppf(1 - ALPHA / 2, seeds - 1)
    found = stats.nct.sf(edge, seeds - 1, shift) + stats.nct.cdf(-edge, seeds - 1, shift)
    # Far tails of the noncentral distribution are not a number.
    return float(found) if np.isfinite(found) else 1.0


def seeds_for(sd, ratio=RATIO):
    """The least number of seeds with the wanted power, at most :data:`MOST`."""
    low, high = 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, sd, ratio) >= POWER else (middle, high)
    return high


def resampled(apart, seeds, trials, rng):
    """Share of resamples whose interval excludes 1, with the true ratio moved to 1.2."""
    moved = apart - apart.mean() + np.log(RATIO)
    draws = rng.choice(moved, (trials, seeds))
    error = draws.std(axis=1, ddof=1) / np.sqrt(seeds)
    return float(
        np.mean(np.abs(draws.mean(axis=1)) > stats.t.ppf(1 - ALPHA / 2, seeds - 1) * error)
    )


def rows_of(runs, trials):
    """Return rows of :data:`EVALUATION_POWER` of the runs of one folder."""
    rows = []
    runs = runs[~runs["diverged"]]
    for (predictor, task, n_train), own in runs.groupby(["predictor", "task", "n_train"]):
        for target in TARGETS:
            hit = own[f"first_hit_{target}"]
            if hit.isna().any():
                continue
            log = np.log(own["n_train"] + hit)
            wide = own.assign(log=log).pivot_table(index="seed", columns="loss", values="log")
            pairs = [
                (wide[a] - wide[b]).dropna().to_numpy() for a, b in combinations(wide.columns, 2)
            ]
            sds = [float(each.std(ddof=1)) for each in pairs if len(each) > 2]
            if not sds:
                continue
            needed = sorted(seeds_for(sd) for sd in sds)
            seeds = int(np.median(needed))
            rng = numpy_generator(0, stream="gate", change=f"{task} {n_train} {target}")
            metric = EVALUATIONS[f"first_hit_{target}"].name
            rows.append(
                {
                    "predictor": predictor,
                    "task": task,
                    "n_train": int(n_train),
                    "metric": metric,
                    "pairs": len(sds),
                    "stored_seeds": int(own["seed"].nunique()),
                    "sd": float(np.median(sds)),
                    "seeds": seeds,
                    "seeds_90": needed[int(np.ceil(0.9 * len(needed))) - 1],
                    **{
                        f"with_{count}": float(np.median([power(count, sd) for sd in sds]))
                        for count in (10, 30, 100)
                    },
                    "resampled": float(
                        np.median([resampled(each, max(seeds, 2), trials, rng) for each in pairs])
                    ),
                }
            )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "reliability")
    parser.add_argument("--trials", type=int, default=1000)
    given = parser.parse_args()
    rows = []
    for folder in FOLDERS:
        rows += rows_of(read_parquet(ROOT / folder / "runs.parquet").to_pandas(), given.trials)
    EVALUATION_POWER.write(rows, given.out / "evaluation-power.parquet", {"ratio": RATIO})
    frame = pd.DataFrame(rows)
    print(frame.to_string(index=False, float_format="{:.2f}".format))  # noqa: T201


if __name__ == "__main__":
    main()
