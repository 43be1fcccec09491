"""Lists of candidates: precision and recall by definition, and who is ahead."""

from itertools import pairwise

import numpy as np
import pytest

from nasrank.metrics import discovery_table, rank_items
from nasrank.runs.lists import LIST_TOP, LISTS, list_at, lists_table

ITEMS, TRAINED = 2_000, 100


def run_of(scores, labels, **known):
    """A finished run that trained on the first items and ranks the rest."""
    rest = slice(TRAINED, None)
    ties = np.arange(ITEMS - TRAINED)
    table = discovery_table(rank_items(scores[rest], labels[rest], labels[:TRAINED], ties))
    usual = {"task": "s/t", "predictor": "gnn", "loss": "mse", "n_train": TRAINED, "seed": 0,
             "sampling": "random", "diverged": False}  # fmt: skip
    return {**usual, **known, **{f"discovery.{name}": each for name, each in table.items()}}


@pytest.fixture
def labels():
    return np.random.default_rng(0).permutation(ITEMS).astype(float)


def noisy(labels, noise, seed=0):
    return labels + noise * ITEMS * np.random.default_rng(seed).normal(size=ITEMS)


def top_of(labels):
    return labels >= np.sort(labels)[-int(LIST_TOP * ITEMS)]


@pytest.mark.parametrize("wish", [0.1, 0.3, 1.0, 5.0])
def test_precision_and_recall_are_alpha_and_beta_of_the_list(labels, wish):
    scores = noisy(labels, 0.2)
    found = list_at(run_of(scores, labels), wish)
    candidates = np.arange(TRAINED, ITEMS)
    top = top_of(labels)[candidates]
    # The definition, on the nearest length that the run was followed at.
    lengths = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500])
    wanted = top.sum() / wish
    assert found.length == pytest.approx(wanted)

    def hits(k):
        order = np.argsort(-scores[candidates], kind="stable")
        return top[order[:k]].sum()

    below, above = lengths[lengths <= wanted].max(), lengths[lengths >= wanted].min()
    share = 0 if above == below else (wanted - below) / (above - below)
    expected = hits(below) + share * (hits(above) - hits(below))
    q, p = top / top.sum(), np.zeros(len(top))
    p[: int(wanted)] = 1 / wanted
    assert found.precision == pytest.approx(expected / wanted)
    assert found.recall == pytest.approx(found.precision / wish)
    assert found.chance == pytest.approx(top.mean())
    # A perfect order has all that min(lambda q, p) allows.
    best = list_at(run_of(labels, labels), wish)
    assert best.precision == pytest.approx(np.minimum(wish * np.sort(q)[::-1], p).sum(), abs=0.06)
    assert best.attained == pytest.approx(1, abs=0.06)


def test_the_frontier_falls_and_a_blind_list_is_chance(labels):
    run = run_of(noisy(labels, 0.1), labels)
    lists = [list_at(run, wish) for wish in (0.02, 0.1, 0.5, 1, 4)]
    assert all(a.length > b.length for a, b in pairwise(lists))
    assert all(a.recall >= b.recall for a, b in pairwise(lists))
    blind = [list_at(run_of(noisy(labels, 1e6, seed), labels), 0.1) for seed in range(60)]
    assert np.mean([each.precision for each in blind]) == pytest.approx(LIST_TOP, abs=0.003)


def test_a_list_has_one_candidate_at_least_and_all_at_most(labels):
    run = run_of(labels, labels)
    assert list_at(run, 1e9).length == 1
    every = list_at(run, 1e-9)
    assert (every.length, every.recall) == (ITEMS - TRAINED, 1)
    assert every.precision == pytest.approx(every.chance)


def test_without_a_candidate_of_the_top_there_is_no_list(labels):
    # Those trained on hold all of the top.
    ordered = -np.sort(-labels)
    assert list_at(run_of(ordered, ordered), 1) is None
    (row,) = lists_table([run_of(ordered, ordered)], [1.0])
    assert (row["n_seeds"], row["precision"], row["rank"]) == (0, None, None)
    small = run_of(labels, labels)
    small["discovery.top_fraction"] = [0.05] * len(small["discovery.top_fraction"])
    assert list_at(small, 1) is None


def test_the_better_list_ranks_first_and_diverged_runs_do_not_count(labels):
    runs = [
        run_of(noisy(labels, noise, seed), labels, loss=loss, seed=seed)
        for loss, noise in (("mse", 0.5), ("listmle", 0.01))
        for seed in range(8)
    ]
    runs[8] |= {"diverged": True}
    rows = lists_table(runs, [0.5, 1.0, 2.0])
    assert [row["lambda"] for row in rows] == [0.5, 0.5, 1, 1, 2, 2]
    for mse, listmle in zip(rows[::2], rows[1::2], strict=True):
        assert (mse["rank"], listmle["rank"]) == (2, 1)
        assert mse["verdict"] == "worse"
        assert mse["difference_upper"] < 0
        assert (mse["n_seeds"], listmle["n_seeds"]) == (8, 7)
        assert listmle["precision"] > mse["precision"]
        assert listmle["recall_lower"] <= listmle["recall"] <= listmle["recall_upper"]
    assert {name for row in rows for name in row} == {c.name for c in LISTS.columns}
    # Which loss is named first does not matter.
    turned = lists_table(runs[::-1], [1.0])
    assert sorted((r["loss"], r["rank"]) for r in turned) == [("listmle", 1), ("mse", 2)]
