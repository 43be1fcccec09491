"""Tuning gives every loss the same budget, and judges it where it had no part in choosing."""

import importlib.util
from pathlib import Path

import pytest

from nasrank.losses import LOSSES, parse
from nasrank.tables import read_parquet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tune():
    path = ROOT / "tests" / "tuning" / "tune_losses.py"
    specification = importlib.util.spec_from_file_location("tune_losses", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("predictor", "settings"), [("kernel", 5), ("gnn", 11)])
def test_every_loss_has_one_budget(tune, predictor, settings):
    assert set(tune.OPTIONS) == set(LOSSES.names())
    for loss in tune.OPTIONS:
        tried = [tune.key_of(*pair) for pair in tune.settings(loss, predictor)]
        assert len(set(tried)) == len(tried) == settings
        assert tried[0][0] == str(parse(loss))


def test_nothing_is_tuned_on_what_it_is_tried_on(tune):
    assert not set(tune.TUNED_ON) & set(tune.CONFIRMED_ON)
    assert not set(tune.TUNING_SEEDS) & set(tune.CONFIRMING_SEEDS)
    reported = {
        task
        for path in (ROOT / "results").rglob("runs.parquet")
        for task in read_parquet(path, ["task"])["task"].to_pylist()
    }
    assert not set(tune.TUNED_ON) & reported


def found(tau):
    return [
        {"task": task, "seed": seed, "loss": loss, "kendall_tau": mean + 0.001 * seed}
        for loss, mean in tau.items()
        for task in "ab"
        for seed in range(6)
    ]


def test_a_gain_has_a_direction_and_the_default_wins_ties(tune):
    tried = list(tune.settings("hr", "kernel"))
    names = [tune.key_of(*pair)[0] for pair in tried]
    recipe = tried[0][1]
    own = {name: getattr(recipe, name) for name in tune.VARIED}

    def rows(*means):
        return [{**row, **own} for row in found(dict(zip(names, means, strict=True)))]

    assert tune.best_of(rows(0.5, 0.4, 0.6, 0.5, 0.5), tried) == tried[2]
    assert tune.best_of(rows(0.5, 0.5, 0.5, 0.4, 0.5), tried) == tried[0]
    for there, verdict in ((0.6, "better"), (0.4, "worse"), (0.502, "equivalent")):
        elsewhere = rows(0.5, 0.5, there, 0.5, 0.5)
        (row,) = tune.judged("kernel", elsewhere, elsewhere, {"hr": tried}, {"hr": tried[2]})
        assert (row["verdict"], row["gain"]) == (verdict, pytest.approx(there - 0.5))
        assert row["setting"] == names[2]
