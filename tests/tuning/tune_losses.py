"""Look for better settings of every loss, on tasks and seeds that no table reports.

    python tests/tuning/tune_losses.py --out results/tuning

One setting at a time is moved away from its default: the learning rate, the number of epochs, and
each option of the loss. The best setting of a loss over the tuning tasks is then tried on tasks
that had no part in choosing it. Finished parts are kept in ``tuning.d``; repeat a stopped command
to go on.
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
from nasrank.predictors.fleet import train_fleet
from nasrank.predictors.gnn import GNN
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.study.claims import claim_row
from nasrank.tables import Column, Table

LOG = logging.getLogger(__name__)

N_TRAIN = 78
TUNED_ON, TUNING_SEEDS = ("analog/cifar10", "nbgraph/citeseer", "nbgraph/photo"), range(100, 110)
CONFIRMED_ON, CONFIRMING_SEEDS = (
    ("nb201/cifar10", "nb201/imagenet16-120", "nbgraph/cora"),
    range(200, 210),
)
RATES, EPOCHS = (3.5e-3, 1.4e-2), (30, 120)
OPTIONS = {
    "mse": [],
    "mse+sr": ["weight=0.03", "weight=0.3", "weight=1"],
    "hr": ["margin=0.03", "margin=0.3", "margin=1"],
    "lr": ["temperature=0.3", "temperature=3"],
    "softtau": ["temperature=0.3", "temperature=3"],
    "listmle": ["top=10"],
    "listnet": ["temperature=0.3", "temperature=1"],
    "approxndcg": ["alpha=3", "alpha=10", "grades=3"],
    "ew": ["variant=expm1"],
    "mape": ["gap=0.03", "gap=0.3"],
    "warp": ["margin=0.3", "margin=3"],
    "lambdarank": ["grades=3", "grades=8"],
}

TUNING = Table(
    "tuning",
    "One predictor trained with one setting",
    (
        Column("phase", "string", "", "tuned: settings are chosen on it; confirmed: they are not"),
        Column("task", "string", "", "Task by name"),
        Column("loss", "string", "", "Canonical spelling of the loss with its options"),
        Column("learning_rate", "double", "1", "Peak learning rate"),
        Column("epochs", "int64", "epochs", "Passes over the training set"),
        Column("seed", "int64", "", "Seed of the run"),
        Column("kendall_tau", "double", "1", "Kendall's tau-b on the test set, higher is better"),
    ),
)


def settings(loss):
    """Every (loss with options, recipe) to try; the default comes first."""
    default = Recipe()
    yield loss, default
    yield from ((loss, Recipe(learning_rate=rate)) for rate in RATES)
    yield from ((loss, Recipe(epochs=epochs)) for epochs in EPOCHS)
    yield from ((f"{loss}({option})", default) for option in OPTIONS[loss])


def measure(task_name, recipe, losses, seeds):
    """Tau of every loss and seed under one recipe, all as one fleet."""
    task = load_task(task_name)
    splits = {seed: make_split(task, N_TRAIN, seed) for seed in seeds}
    cells = [(loss, seed) for loss in losses for seed in seeds]
    members = [
        Member(task.space.class_of[splits[s].train], splits[s].targets, parse(loss), s)
        for loss, s in cells
    ]
    scores = train_fleet(GNN(task.space.graphs), members, recipe).scores()
    for (loss, seed), own in zip(cells, scores, strict=True):
        predicted = own[task.space.class_of[splits[seed].test]]
        yield loss, seed, float(kendall_tau(predicted, splits[seed].test_labels))


def rows(out, phase, task, wanted, seeds):
    """Rows of one task, trained unless they are there; ``wanted`` is (loss, recipe) pairs."""
    by_recipe = defaultdict(list)
    for loss, recipe in wanted:
        by_recipe[recipe].append(str(parse(loss)))
    found = []
    for recipe, losses in by_recipe.items():
        name = f"{phase}-{task}-{recipe.learning_rate:g}-{recipe.epochs}"
        path = out / "tuning.d" / (re.sub(r"[^a-z0-9.]+", "-", name) + ".parquet")
        if not path.exists():
            part = [
                dict(zip([c.name for c in TUNING.columns], cells, strict=True))
                for loss, seed, tau in measure(task, recipe, losses, seeds)
                for cells in [(phase, task, loss, recipe.learning_rate, recipe.epochs, seed, tau)]
            ]
            TUNING.write(part, path)
            LOG.info("%s: %d predictors", path.stem, len(part))
        found += TUNING.read(path)
    return found


def gain(found, setting, default):
    """Tau gained by seed, averaged over tasks, as a claim that it is above 0."""
    taus = defaultdict(dict)
    for row in found:
        key = row["loss"], row["learning_rate"], row["epochs"]
        taus[key][row["task"], row["seed"]] = row["kendall_tau"]
    by_seed = defaultdict(list)
    for (task, seed), tau in taus[setting].items():
        by_seed[seed].append(tau - taus[default][task, seed])
    values = [np.mean(each) for each in by_seed.values()]
    return claim_row("gain", "tau gained over the default", "", values, source="tuning")


def key_of(loss, recipe):
    return str(parse(loss)), recipe.learning_rate, recipe.epochs


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    tried = {loss: list(settings(loss)) for loss in OPTIONS}
    everything = [pair for pairs in tried.values() for pair in pairs]
    tuned = [
        row for task in TUNED_ON for row in rows(out, "tuned", task, everything, TUNING_SEEDS)
    ]
    best = {}
    for loss, (default, *others) in tried.items():
        ranked = sorted(
            others, key=lambda pair: -gain(tuned, key_of(*pair), key_of(*default))["estimate"]
        )
        best[loss] = ranked[0]
    pairs = [tried[loss][0] for loss in OPTIONS] + list(best.values())
    confirmed = [
        row
        for task in CONFIRMED_ON
        for row in rows(out, "confirmed", task, pairs, CONFIRMING_SEEDS)
    ]
    TUNING.write(tuned + confirmed, out / "tuning.parquet", {"command": "tune_losses"})
    LOG.info("loss, best setting: tau gained where it was chosen, and elsewhere")
    for loss, setting in best.items():
        default = key_of(*tried[loss][0])
        text, rate, epochs = key_of(*setting)
        parts = []
        for found in (tuned, confirmed):
            row = gain(found, (text, rate, epochs), default)
            parts.append(f"{row['estimate']:+.4f} [{row['lower']:+.4f}, {row['upper']:+.4f}]")
        LOG.info("%s, rate %g, %d epochs: %s; %s", text, rate, epochs, *parts)


if __name__ == "__main__":
    main()
