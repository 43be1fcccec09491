"""Look for better settings of every loss, on tasks and seeds that no table reports.

    python tests/tuning/tune_losses.py --out results/tuning

Every loss is tried with as many settings, each one step away from its default: four of its own
options and of what it is fed with, and with ``--predictor gnn`` two learning rates, two numbers
of epochs and two lengths of lists as well. The best setting of a loss over the tuning tasks is
then tried on tasks and seeds that had no part in choosing it. Finished parts are kept in
``tuning.d``; repeat a stopped command to go on.
"""

import argparse
import logging
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from nasrank.benchmarks import load_task
from nasrank.benchmarks.splits import make_split
from nasrank.losses import parse
from nasrank.metrics import kendall_tau
from nasrank.predictors import PREDICTORS
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.statistics import holm, mean_interval, verdict_of
from nasrank.tables import Column, Table, bounds, number, text

LOG = logging.getLogger(__name__)

N_TRAIN = {"kernel": 78, "gnn": 156}
"""Labels of a training set."""
MOST_SCORED = 4_000
"""Test architectures that a tau is taken on: its error is far below that of a seed."""
TUNED_ON, TUNING_SEEDS = (
    ("analog/cifar10", "nbgraph/citeseer", "hpolib/naval_propulsion"),
    range(100, 105),
)
CONFIRMED_ON, CONFIRMING_SEEDS = (
    ("nb201/cifar10", "hpobench/phoneme", "scaling-clip/val_loss"),
    range(200, 208),
)
MARGIN = 0.005
"""A gain of tau that is worth another default."""
VARIED = {
    "learning_rate": "rate {:g}",
    "epochs": "{} epochs",
    "list_length": "lists of {}",
}
"""What of the recipe is tuned with a network, and how it is spelt."""
RATES, EPOCHS, LISTS = (7.5e-3, 3e-2), (30, 120), (16, 64)
OPTIONS = {
    "mse": ["targets=clipped", "targets=robust", "targets=normal", "targets=rank"],
    "mse+sr": ["weight=0.03", "weight=0.3", "weight=1", "targets=robust"],
    "hr": ["margin=0.01", "margin=0.03", "margin=0.3", "margin=1"],
    "lr": ["temperature=0.1", "temperature=0.3", "temperature=3", "temperature=10"],
    "softtau": ["temperature=0.1", "temperature=0.3", "temperature=3", "temperature=10"],
    "listmle": ["top=5", "top=10", "top=20", "top=40"],
    "listnet": ["temperature=0.3", "temperature=1", "temperature=3", "targets=robust"],
    "approxndcg": ["alpha=3", "alpha=10", "alpha=30", "grades=3"],
    "ew": ["variant=expm1", "targets=clipped", "targets=robust", "targets=rank"],
    "mape": ["gap=0.03", "gap=0.3", "gap=1", "targets=robust"],
    "warp": ["margin=0.1", "margin=0.3", "margin=3", "margin=10"],
    "lambdarank": ["grades=2", "grades=3", "grades=8", "targets=robust"],
}
"""Four for every loss."""

TUNING = Table(
    "tuning",
    "One predictor trained with one setting",
    (
        Column("phase", "string", "", "tuned: settings are chosen on it; confirmed: they are not"),
        Column("task", "string", "", "Task by name"),
        Column("predictor", "string", "", "Name of the predictor"),
        Column("loss", "string", "", "Canonical spelling of the loss with its options"),
        Column("learning_rate", "double", "1", "Peak learning rate; no matter to a kernel"),
        Column("epochs", "int64", "epochs", "Passes over the training set; no matter to a kernel"),
        Column("list_length", "int64", "items", "Items compared at once; no matter to a kernel"),
        Column("seed", "int64", "", "Seed of the run"),
        Column("kendall_tau", "double", "1", "Kendall's tau-b on the test set, higher is better"),
    ),
)

_GAIN = "95 % Student interval over seeds of the mean over tasks"
TUNED = Table(
    "tuned",
    "The best setting of one loss, and what it gains over the default where it was not chosen",
    (
        text("predictor", "Name of the predictor"),
        text("loss", "The loss as it is by default"),
        text("setting", "The setting that was best over the tuning tasks, default included"),
        number("tuned_gain", "1", "Tau gained where it was chosen, which flatters it"),
        number("kendall_tau", "1", "Its mean tau on tasks and seeds that had no part in choosing"),
        number("gain", "1", "Tau gained on tasks and seeds that had no part in it"),
        *bounds("1", _GAIN, "the default itself", of="gain"),
        number("p_holm", "1", "Student's test that nothing is gained, Holm over losses",
               "the default itself"),
        text("verdict", f"better: by surely more than {MARGIN:g}; worse; equivalent; undecided"),
    ),
)  # fmt: skip


def settings(loss, predictor):
    """Every (loss with options, recipe) to try; the default comes first."""
    default = Recipe()
    yield loss, default
    if predictor == "gnn":
        yield from ((loss, Recipe(learning_rate=rate)) for rate in RATES)
        yield from ((loss, Recipe(epochs=epochs)) for epochs in EPOCHS)
        yield from ((loss, Recipe(list_length=length)) for length in LISTS)
    yield from ((f"{loss}({option})", default) for option in OPTIONS[loss])


class Bench:
    """Trains what is asked for, each predictor made once for a task."""

    def __init__(self, predictor, out):
        self.predictor, self.out, self._made = predictor, out, {}

    def measure(self, name, recipe, losses, seeds):
        """Tau of every loss and seed under one recipe, all in one fit."""
        task = load_task(name)
        key = name.split("/")[0], recipe
        if key not in self._made:
            self._made = {key: PREDICTORS[self.predictor](task.space.graphs, recipe=recipe)}
        splits = {seed: make_split(task, N_TRAIN[self.predictor], seed) for seed in seeds}
        cells = [(loss, seed) for seed in seeds for loss in losses]
        members = [
            Member(task.space.class_of[splits[s].train], splits[s].targets, parse(loss), s)
            for loss, s in cells
        ]
        fitted = self._made[key].fit(members)
        for seed in seeds:
            split = splits[seed]
            tested = np.random.default_rng(seed).permutation(len(split.test))[:MOST_SCORED]
            scores = fitted.scores(task.space.class_of[split.test[tested]])
            for (loss, own_seed), own in zip(cells, scores, strict=True):
                if own_seed == seed:
                    yield loss, seed, float(kendall_tau(own, split.test_labels[tested]))

    def rows(self, phase, task, wanted, seeds):
        """Rows of one task, trained unless they are there; ``wanted`` is (loss, recipe) pairs."""
        by_recipe = defaultdict(list)
        for loss, recipe in wanted:
            by_recipe[recipe].append(str(parse(loss)))
        # A kernel is found once for a seed, whatever the losses; networks are one fleet.
        parts = [[seed] for seed in seeds] if self.predictor == "kernel" else [list(seeds)]
        found = []
        for recipe, losses in by_recipe.items():
            for part in parts:
                varied = "-".join(f"{each:g}" for each in of_recipe(recipe))
                name = f"{self.predictor}-{phase}-{task}-{varied}-{part[0]}"
                path = self.out / "tuning.d" / (re.sub(r"[^a-z0-9.]+", "-", name) + ".parquet")
                if not path.exists():
                    made = [
                        dict(zip([c.name for c in TUNING.columns], cells, strict=True))
                        for loss, seed, tau in self.measure(task, recipe, losses, part)
                        for cells in [
                            (phase, task, self.predictor, loss, *of_recipe(recipe), seed, tau)
                        ]
                    ]  # fmt: skip
                    TUNING.write(made, path)
                    LOG.info("%s: %d predictors", path.stem, len(made))
                found += TUNING.read(path)
        return found


def key_in(row):
    """What a row was trained with."""
    return row["loss"], *(row[name] for name in VARIED)


def gains(found, setting, default):
    """Tau gained by each seed, averaged over tasks."""
    taus = defaultdict(dict)
    for row in found:
        taus[key_in(row)][row["task"], row["seed"]] = row["kendall_tau"]
    by_seed = defaultdict(list)
    for (task, seed), tau in taus[setting].items():
        by_seed[seed].append(tau - taus[default][task, seed])
    return [float(np.mean(each)) for each in by_seed.values()]


def of_recipe(recipe):
    return tuple(getattr(recipe, name) for name in VARIED)


def key_of(loss, recipe):
    return str(parse(loss)), *of_recipe(recipe)


def best_of(tuned, tried):
    """The setting of the greatest mean tau; the default where none is above it."""
    default = key_of(*tried[0])
    return max(tried, key=lambda pair: float(np.mean(gains(tuned, key_of(*pair), default))))


def judged(predictor, tuned, confirmed, tried, best):
    """Rows of :data:`TUNED`."""
    rows = []
    for loss, setting in best.items():
        default = key_of(*tried[loss][0])
        name, *recipe = key_of(*setting)
        extra = "".join(
            f", {words.format(own)}"
            for words, own, usual in zip(VARIED.values(), recipe, default[1:], strict=True)
            if own != usual
        )
        taus = [row["kendall_tau"] for row in confirmed if key_in(row) == key_of(*setting)]
        own = mean_interval(gains(confirmed, key_of(*setting), default))
        chosen = key_of(*setting) != default
        rows.append(
            {
                "predictor": predictor,
                "loss": loss,
                "setting": name + extra,
                "tuned_gain": float(np.mean(gains(tuned, key_of(*setting), default))),
                "kendall_tau": float(np.mean(taus)),
                "gain": own.mean,
                "gain_lower": own.lower if chosen else None,
                "gain_upper": own.upper if chosen else None,
                "p_holm": own.p_value if chosen else None,
                "verdict": verdict_of(own.lower, own.upper, MARGIN),
            }
        )
    corrected = holm([row["p_holm"] for row in rows])
    return [{**row, "p_holm": p} for row, p in zip(rows, corrected, strict=True)]


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--predictor", choices=("kernel", "gnn"), default="kernel")
    given = parser.parse_args()
    bench = Bench(given.predictor, given.out)
    tried = {loss: list(settings(loss, given.predictor)) for loss in OPTIONS}
    everything = [pair for pairs in tried.values() for pair in pairs]
    tuned = [
        row for task in TUNED_ON for row in bench.rows("tuned", task, everything, TUNING_SEEDS)
    ]
    best = {loss: best_of(tuned, own) for loss, own in tried.items()}
    pairs = list(dict.fromkeys([tried[loss][0] for loss in OPTIONS] + list(best.values())))
    confirmed = [
        row
        for task in CONFIRMED_ON
        for row in bench.rows("confirmed", task, pairs, CONFIRMING_SEEDS)
    ]
    about = {"command": "tune_losses", "predictor": given.predictor}
    TUNING.write(tuned + confirmed, given.out / f"tuning-{given.predictor}.parquet", about)
    rows = judged(given.predictor, tuned, confirmed, tried, best)
    TUNED.write(rows, given.out / f"tuned-{given.predictor}.parquet", about)
    for row in rows:
        ends = [row[f"gain{end}"] for end in ("", "_lower", "_upper")]
        shown = ["-" if end is None else f"{end:+.4f}" for end in ends]
        LOG.info("%s: %s, %s [%s, %s], %s", row["loss"], row["setting"], *shown, row["verdict"])


if __name__ == "__main__":
    main()
