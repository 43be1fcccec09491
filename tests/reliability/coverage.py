"""Simulate how often each interval that nasrank prints holds the truth.

    python tests/reliability/coverage.py --out results/reliability

Draws come from laws whose truth is known, and from measured values: 100 seeds of Kendall tau, 100
searches and the evaluations of 100 seeds are taken as the whole population, and seeds drawn from
it with replacement. A level of 95 % held with ``trials`` draws has a standard error of
``sqrt(.95 * .05 / trials)``, .003 with 4,000.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from nasrank.runs.tables import EVALUATIONS
from nasrank.seeds import numpy_generator
from nasrank.statistics import (
    clustered_interval,
    mean_interval,
    median_interval,
    order_statistic,
    paired_interval,
    ratio_interval,
    share_interval,
)
from nasrank.tables import Column, Table, read_parquet

SEEDS = (5, 10, 20, 30)
SHARES = (0.5, 0.8, 0.9, 0.95)
ROOT = Path(__file__).parents[2] / "results"

COVERAGE = Table(
    "coverage",
    "How often one kind of 95 % interval held the truth, with one number of seeds and one law",
    (
        Column("interval", "string", "", "What it is an interval of, and which"),
        Column("printed_by", "string", "", "Where such intervals are printed"),
        Column("law", "string", "", "What the values were drawn from"),
        Column("n_seeds", "int64", "", "Values of one interval; of clusters their number"),
        Column("trials", "int64", "", "Intervals simulated"),
        Column("coverage", "double", "1", "Share that held the truth; an open end holds all"),
        Column("open_above", "double", "1", "Share without an upper end"),
    ),
)


def laws(rng_of):
    """Name, draw of ``[trials, seeds]`` values, and true mean of each law."""
    yield "normal", lambda n, s: rng_of("normal").normal(1, 2, (n, s)), 1.0
    yield "exponential", lambda n, s: rng_of("exponential").exponential(size=(n, s)), 1.0
    for name, values in measured():

        def draw(n, s, values=values, name=name):
            return rng_of(name).choice(values, (n, s))

        yield name, draw, float(values.mean())


def measured():
    """Values of many seeds, each list taken as a whole population."""
    pool = read_parquet(ROOT / "reliability" / "gate-pool.parquet").to_pandas()
    plain = pool[(pool["noise"] == 0) & (pool["threads"] == 1) & (pool["root"] == 0)]
    for loss, own in plain.groupby("loss"):
        yield f"Kendall tau of {loss}, nb201/cifar10", own["kendall_tau"].to_numpy()
    searches = read_parquet(ROOT / "search" / "nb201-test" / "search.parquet").to_pandas()
    guided = searches[searches["task"] == "nb201/imagenet16-120:test_acc"]
    guided = guided[guided["loss"].notna()]
    by_50 = guided[guided["evaluations"] <= 50].groupby("seed")["regret"].last()
    yield "regret at 50 of a search, nb201/imagenet16-120", by_50.to_numpy()
    first = guided[guided["rank"] == 1].groupby("seed")["evaluations"].first()
    yield "log evaluations of a search, nb201/imagenet16-120", np.log(first.to_numpy())


def means(trials, rng_of):
    for law, draw, truth in laws(rng_of):
        for seeds in SEEDS:
            found = [mean_interval(own) for own in draw(trials, seeds)]
            yield "mean, Student", "every study", law, seeds, found, truth


def differences(trials, rng_of):
    """Differences of pairs that share most of their noise, as losses on one split do."""
    for seeds in SEEDS:
        rng = rng_of(f"pairs {seeds}")
        found = []
        for _ in range(trials):
            shared = rng.normal(size=seeds)
            pair = [shared + rng.normal(mean, 0.3, seeds) for mean in (1, 0)]
            found.append(paired_interval(*pair))
        yield "paired difference, Student", "summary, check", "normal, shared", seeds, found, 1.0


def ratios(trials, rng_of):
    """Ratios of evaluations of two losses on the same seeds; their mean for comparison."""
    metric = EVALUATIONS["first_hit_1pct"].name
    for folder in ("", "losses/nbgraph", "losses/transnas-micro"):
        runs = read_parquet(ROOT / folder / "runs.parquet").to_pandas()
        runs = runs[runs["n_train"] == 78]
        for task, own in runs.groupby("task"):
            hit = np.log(own["n_train"] + own["first_hit_1pct"])
            wide = own.assign(log=hit).pivot_table(index="seed", columns="loss", values="log")
            # An odd number has one median.
            apart = (wide["mse"] - wide["listmle"]).to_numpy()[:9]
            law = f"{metric} of mse and listmle, {task}, 9 seeds resampled"
            for seeds in (10, 30):
                draws = rng_of(f"ratios {task} {seeds}").choice(apart, (trials, seeds))
                exact = [median_interval(each) for each in draws]
                yield "median of ratios, exact", "summary", law, seeds, exact, np.median(apart)
                found = [mean_interval(each) for each in draws]
                yield "mean of log ratios, Student", "nowhere", law, seeds, found, apart.mean()


def quantiles(trials, rng_of):
    for share in SHARES:
        for seeds in (*SEEDS, 40, 100):
            draws = rng_of(f"quantile {share} {seeds}").exponential(size=(trials, seeds))
            found = [order_statistic(own, share) for own in draws]
            if found[0].value is not None:
                name = f"evaluations at confidence {share:g}, exact"
                yield name, "budget", "exponential", seeds, found, -np.log(1 - share)


def shares(trials, rng_of):
    for truth in (0.05, 0.5, 0.9):
        for seeds in SEEDS:
            counts = rng_of(f"share {truth} {seeds}").binomial(seeds, truth, trials)
            found = [share_interval(int(count), seeds) for count in counts]
            yield "share, Clopper-Pearson", "search, budget", f"{truth:g}", seeds, found, truth


def folds(trials, rng_of):
    for count in (5, 10):
        rng = rng_of(f"folds {count}")
        share = 1 / count
        values = np.sqrt(1 - share) * rng.normal(size=(trials, count))
        values += np.sqrt(share) * rng.normal(size=(trials, 1))
        found = [mean_interval(own, held_out=share) for own in values]
        law = "folds, correlated by the share held out"
        yield "mean over folds, corrected", "rank", law, count, found, 0.0


def clusters(trials, rng_of):
    for spaces in (2, 3, 5, 8):
        rng = rng_of(f"clusters {spaces}")
        of = np.repeat(np.arange(spaces), 3)
        values = 1 + rng.normal(size=(trials, spaces))[:, of]
        values += 0.3 * rng.normal(size=(trials, len(of)))
        found = [clustered_interval(own, of.tolist()) for own in values]
        law = "normal, three tasks a space"
        yield "mean over spaces, Student", "overall, recommend", law, spaces, found, 1.0


def gaps(trials, rng_of):
    """Shares of a gap, of parts that follow the whole and of wholes that may be nothing."""
    for seeds in (10, 30):
        rng = rng_of(f"gaps {seeds}")
        whole = rng.normal(0.05, 0.04, (trials, seeds))
        part = 0.6 * whole + rng.normal(0, 0.02, (trials, seeds))
        found = [ratio_interval(*each) for each in zip(part, whole, strict=True)]
        known = [each for each in found if each.lower is not None]
        law = "normal, where the whole is surely something"
        yield "share of a gap, Fieller", "results/targets", law, seeds, known, 0.6


KINDS = (means, differences, ratios, quantiles, shares, folds, clusters, gaps)


def simulate(trials, kinds=KINDS):
    """Return rows of :data:`COVERAGE`."""
    rows = []
    for kind in kinds:
        made = kind(trials, lambda part: numpy_generator(0, stream="gate", change=part))
        for interval, printed_by, law, seeds, found, truth in made:
            ends = [each if isinstance(each, tuple) else (each.lower, each.upper)
                    for each in found]  # fmt: skip
            held = [
                (low is None or low <= truth) and (high is None or truth <= high)
                for low, high in ends
            ]
            rows.append(
                {
                    "interval": interval,
                    "printed_by": printed_by,
                    "law": law,
                    "n_seeds": seeds,
                    "trials": len(held),
                    "coverage": float(np.mean(held)),
                    "open_above": float(np.mean([high is None for _, high in ends])),
                }
            )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "reliability")
    parser.add_argument("--trials", type=int, default=4000)
    given = parser.parse_args()
    rows = simulate(given.trials)
    COVERAGE.write(rows, given.out / "coverage.parquet", {"command": "coverage"})
    frame = pd.DataFrame(rows).drop(columns=["trials", "printed_by"])
    print(frame.to_string(index=False, float_format="{:.3f}".format))  # noqa: T201


if __name__ == "__main__":
    main()
