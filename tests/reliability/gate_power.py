"""Estimate how often the gate cries wolf, and how often it notices that predictors got worse.

    python tests/reliability/gate_power.py --out results/reliability

Every trial draws seeds from the pool of ``gate_pool.py`` without replacement, takes the baseline
from one kind of run and the results from another, makes the results worse by noise in the scores,
and asks the gate for its verdict on the primary row.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from nasrank.questions.check.gate import gate_verdict
from nasrank.questions.check.options import TOLERANCE
from nasrank.seeds import numpy_generator
from nasrank.statistics import paired_interval
from nasrank.tables import Column, Table, read_parquet

SEEDS = (5, 10, 20)
TOLERANCES = (0.0, 0.002, TOLERANCE, 0.01)
WORSENINGS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03)
CHANGES = {
    # Threads, root: what differs between the baseline and the results.
    "nothing but threads": (True, False),
    "initialisation": (False, True),
    "both": (True, True),
}

POWER = Table(
    "gate-power",
    "Verdicts of the gate on resampled runs, for one change, number of seeds and tolerance",
    (
        Column("change", "string", "", "What differs between baseline and results beside tau"),
        Column("n_seeds", "int64", "seeds", "Seeds of one check; three losses each"),
        Column("tolerance", "double", "1", "Drop in mean tau that is tolerated"),
        Column("worsening", "double", "1", "True loss of mean tau, made by noise in the scores"),
        Column("trials", "int64", "checks", "Checks simulated"),
        Column("worse", "double", "1", "Share of the verdict: with no worsening, false alarms"),
        Column("undecided", "double", "1", "Share of the verdict"),
        Column("held", "double", "1", "Share of the verdict"),
        Column("better", "double", "1", "Share of the verdict"),
    ),
)


class Pool:
    """Mean tau over losses by threads, root and seed, at any worsening."""

    def __init__(self, path):
        frame = read_parquet(path).to_pandas()
        wide = frame.pivot_table(
            index=["threads", "root", "seed"], columns="noise", values="kendall_tau"
        )
        self.seeds = np.array(sorted(frame["seed"].unique()))
        self.noise = wide.columns.to_numpy()
        self.tau = wide.to_numpy().reshape(2, 2, len(self.seeds), len(self.noise))
        self.runs = len(frame) // len(self.noise)

    def at(self, worsening):
        """Return ``[threads, root, seed]`` the mean tau that is lower by so much on average."""
        lost = self.tau[..., 0].mean() - self.tau.mean(axis=(0, 1, 2))
        if worsening > lost[-1]:
            raise ValueError(f"the pool's noise costs at most {lost[-1]:.3f}")
        # Linear between two levels, with the same weights for all runs.
        place = int(np.clip(np.searchsorted(lost, worsening), 1, len(lost) - 1))
        share = (worsening - lost[place - 1]) / (lost[place] - lost[place - 1])
        return (1 - share) * self.tau[..., place - 1] + share * self.tau[..., place]


def simulate(pool, trials, *, seeds=SEEDS, tolerances=TOLERANCES, worsenings=WORSENINGS):
    """Return rows of :data:`POWER`."""
    rows = []
    for (change, differs), count, worsening in (
        (change, count, worsening)
        for change in CHANGES.items()
        for count in seeds
        for worsening in worsenings
    ):
        rng = numpy_generator(0, stream="gate", change=change, seeds=count)
        worse = pool.at(worsening)
        bounds = []
        for _ in range(trials):
            threads, root = rng.integers(0, 2, 2)
            chosen = rng.permutation(len(pool.seeds))[:count]
            old = pool.tau[threads, root, chosen, 0]
            new = worse[threads ^ differs[0], root ^ differs[1], chosen]
            interval = paired_interval(new, old)
            bounds.append((interval.lower, interval.upper))
        for tolerance in tolerances:
            verdicts = pd.Series([gate_verdict(*bound, tolerance) for bound in bounds])
            shares = verdicts.value_counts(normalize=True)
            rows.append(
                {
                    "change": change,
                    "n_seeds": count,
                    "tolerance": tolerance,
                    "worsening": worsening,
                    "trials": trials,
                    **{
                        name: float(shares.get(name, 0.0))
                        for name in ("worse", "undecided", "held", "better")
                    },
                }
            )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("results/reliability"))
    parser.add_argument("--trials", type=int, default=2000)
    given = parser.parse_args()
    pool = Pool(given.out / "gate-pool.parquet")
    rows = simulate(pool, given.trials)
    POWER.write(rows, given.out / "gate-power.parquet", {"runs": pool.runs})
    frame = pd.DataFrame(rows)
    table = frame.pivot_table(
        index=["change", "n_seeds", "tolerance"], columns="worsening", values="worse"
    )
    print("share of checks that fail, by true loss of mean tau")  # noqa: T201
    print(table.to_string(float_format="{:.4f}".format))  # noqa: T201


if __name__ == "__main__":
    main()
