import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nasrank.metrics import random_evaluations
from nasrank.runs.summarise import (
    budget_table,
    discovery_at,
    headline,
    sampling_table,
    summary_table,
)
from nasrank.runs.tables import BUDGET, DISCOVERY_AT, HEADLINE, METRICS, SAMPLING, SUMMARY
from nasrank.statistics import top_stability

SEEDS = range(4)
NAMES = [metric.name for metric in METRICS]
NOISE = {"listmle": 1.0, "mse": 12.0, "hr": 1.5}


@pytest.fixture(name="task", scope="module")
def _task(make_task):
    cost = np.full(2000, 36.0)
    cost[::2] = 108.0  # 72 on average
    return make_task(classes=1000, twins=2, cost=cost)


@pytest.fixture(name="rows", scope="module")
def _rows(task, make_run, finished_row):
    return [
        finished_row(task, make_run(loss=loss, seed=seed, n_train=n), noise=NOISE[loss])
        for loss, n, seed in product(NOISE, (30, 60), SEEDS)
    ]


def of(rows, **wanted):
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def one(rows, **wanted):
    (row,) = of(rows, **wanted)
    return row


def test_tables_keep_their_contracts(rows):
    SUMMARY.build(summary_table(rows))
    BUDGET.build(budget_table(rows))
    HEADLINE.build(headline(summary_table(rows), budget_table(rows)))
    assert len(summary_table(rows)) == 3 * 2 * (len(METRICS) + 2)
    assert len(budget_table(rows)) == 3 * 2 * 4 * 4


def test_every_metric_has_its_mean_and_sd(rows):
    summary = summary_table(rows)
    for loss, n, metric in product(NOISE, (30, 60), NAMES):
        row = one(summary, loss=loss, n_train=n, metric=metric)
        runs = of(rows, loss=loss, n_train=n)
        if metric == DISCOVERY_AT.name:
            values = [discovery_at(run, 0.01, 100) for run in runs]
        else:
            values = [run[metric] for run in runs]
        assert row["n_seeds"] == 4
        assert row["mean"] == pytest.approx(sum(values) / 4)
        assert row["sd"] == pytest.approx(np.std(values, ddof=1))
        bounds = ttest_1samp(values, 0.0).confidence_interval(0.95) if row["sd"] else values
        assert (row["lower"], row["upper"]) == pytest.approx((bounds[0], bounds[1]))


def test_discovery_after_a_hundred_counts_the_top_in_train_and_head(rows, task):
    # Of 1,000 classes the top 1 % are ten.
    run = of(rows, loss="mse", n_train=30)[0]
    columns = zip(
        run["discovery.top_fraction"],
        run["discovery.k"],
        run["discovery.discovery_rate"],
        run["discovery.top_size"],
        strict=True,
    )
    ((rate, size),) = [(rate, size) for top, k, rate, size in columns if (top, k) == (0.01, 100)]
    assert size == 10
    assert discovery_at(run, 0.01, 100) == rate
    assert rate * 10 == pytest.approx(round(rate * 10))
    assert discovery_at(run, 0.01, 101) is None
    assert discovery_at(run, 0.02, 100) is None


@pytest.mark.parametrize("metric", NAMES)
def test_places_follow_the_means_in_the_metric_s_direction(rows, metric):
    for n in (30, 60):
        own = of(summary_table(rows), n_train=n, metric=metric)
        way = 1 if metric.startswith(("n_at_", "regret_at_", "first_hit_")) else -1
        means = [way * row["mean"] for row in own]
        for row, mean in zip(own, means, strict=True):
            assert row["rank"] == 1 + sum(other < mean for other in means)
            assert row["best"] == (row["rank"] == 1)
            assert (row["p_holm"] is None) == row["best"]


def test_who_orders_all_is_first_by_every_metric(task, make_run, finished_row):
    """The direction of a metric is what a perfect order gets more of, not what a table says."""
    noise = {"mse": 0.0, "hr": 40.0}
    rows = [
        finished_row(task, make_run(loss=loss, seed=seed), noise=noise[loss])
        for loss, seed in product(noise, range(6))
    ]
    for metric in NAMES:
        perfect, poor = (one(summary_table(rows), loss=loss, metric=metric) for loss in noise)
        assert perfect["mean"] != poor["mean"], metric
        assert (perfect["rank"], poor["rank"]) == (1, 2), metric
        way = 1 if poor["mean"] > perfect["mean"] else -1
        assert way * poor["difference"] > 0 > way * -poor["difference"], metric
        assert poor["verdict"] in {"worse", "undecided"}, metric
    tau = one(summary_table(rows), loss="hr", metric="kendall_tau")
    assert tau["verdict"] == "worse"
    assert tau["difference_upper"] < -tau["margin"] == -0.01


def test_differences_to_the_best_by_hand(rows):
    summary = of(summary_table(rows), n_train=30, metric="kendall_tau")
    (best,) = [row["loss"] for row in summary if row["best"]]
    tau = {
        loss: np.array([run["kendall_tau"] for run in of(rows, loss=loss, n_train=30)])
        for loss in NOISE
    }
    for row in summary:
        if row["best"]:
            assert row["difference"] is row["difference_lower"] is row["verdict"] is None
            continue
        found = ttest_1samp(tau[row["loss"]] - tau[best], 0.0)
        low, high = found.confidence_interval(0.95)
        assert row["difference"] == pytest.approx((tau[row["loss"]] - tau[best]).mean())
        assert (row["difference_lower"], row["difference_upper"]) == pytest.approx((low, high))


def test_p_values_by_hand(rows):
    summary = summary_table(rows)
    for n in (30, 60):
        tau = {
            loss: np.array([run["kendall_tau"] for run in of(rows, loss=loss, n_train=n)])
            for loss in NOISE
        }
        best = max(tau, key=lambda loss: tau[loss].mean())
        raw = {}
        for loss in tau.keys() - {best}:
            d = tau[loss] - tau[best]
            flips = [abs(np.dot(signs, d)) for signs in product((1, -1), repeat=4)]
            raw[loss] = np.mean(np.array(flips) >= abs(d.sum()) - 1e-12)
        small, large = sorted(raw, key=raw.get)
        first = min(1.0, 2 * raw[small])
        expected = {small: first, large: max(first, raw[large])}
        for loss, p in expected.items():
            row = one(summary, loss=loss, n_train=n, metric="kendall_tau")
            assert row["p_holm"] == pytest.approx(p)


def test_predictors_stand_in_one_line_with_losses(rows):
    other = [{**row, "predictor": "gp", "loss": "hr"} for row in of(rows, loss="mse")]
    two = [*of(rows, loss="listmle"), *of(rows, loss="mse"), *other]
    summary = summary_table(two)
    SUMMARY.build(summary)
    for n in (30, 60):
        tau = of(summary, n_train=n, metric="kendall_tau")
        assert [(r["predictor"], r["loss"]) for r in tau] == [
            ("gnn", "listmle"), ("gnn", "mse"), ("gp", "hr"),
        ]  # fmt: skip
        # Two of the three have the same values.
        assert [row["rank"] for row in tau] == [1, 2, 2]
        assert tau[1]["p_holm"] == tau[2]["p_holm"]
    top = headline(summary, budget_table(two))
    assert [(r["n_train"], r["predictor"]) for r in top] == [
        (n, predictor) for n in (30, 60) for predictor in ("gnn", "gnn", "gp")
    ]
    # Alone, each pair has the same mean.
    alone = one(summary_table(other), n_train=30, metric="kendall_tau")
    together = one(summary, predictor="gp", n_train=30, metric="kendall_tau")
    assert (alone["mean"], alone["rank"]) == (together["mean"], 1)


def test_the_order_of_the_losses_changes_no_number(rows):
    key = ("task", "predictor", "sampling", "n_train", "loss", "metric")
    mixed = sorted(rows, key=lambda row: (row["loss"], -row["n_train"]))
    one, other = (
        {tuple(row[k] for k in key): row for row in summary_table(each)} for each in (rows, mixed)
    )
    assert one == other


def test_another_loss_changes_no_interval(rows):
    both = of(summary_table(rows), loss="hr")
    alone = summary_table(of(rows, loss="hr"))
    for with_others, row in zip(both, alone, strict=True):
        for name in ("n_seeds", "mean", "sd", "lower", "upper"):
            assert with_others[name] == row[name]
    assert all(row["best"] or row["mean"] is None for row in alone)


def test_stability_and_diverged_runs(rows):
    lost = [{**row, "diverged": row["seed"] == 2} for row in rows]
    for loss, n in product(NOISE, (30, 60)):
        tops = [set(row["predicted_top"]) for row in of(rows, loss=loss, n_train=n)]
        stable = one(summary_table(rows), loss=loss, n_train=n, metric="top_stability")
        assert stable["mean"] == pytest.approx(top_stability(tops))
        assert stable["sd"] is stable["lower"] is stable["upper"] is stable["p_holm"] is None
        for given, share in ((rows, 0.0), (lost, 0.25)):
            row = one(summary_table(given), loss=loss, n_train=n, metric="diverged_share")
            assert (row["mean"], row["n_seeds"]) == (share, 4)


def test_a_diverged_run_counts_in_no_mean(rows):
    lost = [{**row, "diverged": (row["loss"], row["seed"]) == ("mse", 1)} for row in rows]
    summary = summary_table(lost)
    for metric in NAMES:
        row = one(summary, loss="mse", n_train=30, metric=metric)
        assert row["n_seeds"] == 3
        assert one(summary, loss="hr", n_train=30, metric=metric)["n_seeds"] == 4
    kept = [run["kendall_tau"] for run in of(rows, loss="mse", n_train=30) if run["seed"] != 1]
    tau = one(summary, loss="mse", n_train=30, metric="kendall_tau")
    assert tau["mean"] == pytest.approx(sum(kept) / 3)


def test_a_loss_that_always_diverges_has_no_place(rows):
    lost = [{**row, "diverged": row["loss"] == "mse"} for row in rows]
    summary = summary_table(lost)
    SUMMARY.build(summary)
    row = one(summary, loss="mse", n_train=30, metric="kendall_tau")
    assert (row["n_seeds"], row["mean"], row["rank"], row["best"]) == (0, None, None, False)
    assert one(summary, loss="hr", n_train=30, metric="kendall_tau")["rank"] in {1, 2}
    top = headline(summary, budget_table(lost))
    assert one(top, loss="mse", n_train=30)["kendall_tau"] is None


def test_one_seed_has_a_mean_and_nothing_else(rows):
    summary = summary_table(of(rows, seed=0))
    SUMMARY.build(summary)
    row = one(summary, loss="mse", n_train=30, metric="kendall_tau")
    assert row["n_seeds"] == 1
    assert row["mean"] == of(rows, loss="mse", n_train=30, seed=0)[0]["kendall_tau"]
    assert row["sd"] is row["lower"] is row["upper"] is None
    assert one(summary, loss="mse", n_train=30, metric="top_stability")["mean"] is None


def test_budgets_by_hand(rows):
    budget = budget_table(rows)
    for loss, n in product(NOISE, (30, 60)):
        runs = of(rows, loss=loss, n_train=n)
        for name, top in (("0.1pct", 0.001), ("1pct", 0.01), ("5pct", 0.05)):
            needed = sorted(n + run[f"first_hit_{name}"] for run in runs)
            size = max(
                run["discovery.top_size"][run["discovery.top_fraction"].index(top)] for run in runs
            )
            assert size == math.ceil(top * 1000)
            for confidence in (0.5, 0.8):
                row = one(budget, loss=loss, n_train=n, top_fraction=top, confidence=confidence)
                # ceil(.5 * 5) = 3rd and ceil(.8 * 5) = 4th smallest of four.
                expected = needed[2] if confidence == 0.5 else needed[3]
                random = random_evaluations(1000, size, confidence)
                assert row["n_seeds"] == 4
                assert row["evaluations"] == expected
                assert row["random_evaluations"] == random
                assert row["savings"] == pytest.approx(1 - expected / random)
                # 95 % closes with six seeds for the median, and above .8 with 17; at most one
                # of four lies below the .8-quantile in .0272 of cases, none in .0016.
                lower = None if confidence == 0.5 else needed[0]
                assert (row["evaluations_lower"], row["evaluations_upper"]) == (lower, None)
                most = None if lower is None else pytest.approx(1 - lower / random)
                assert (row["savings_lower"], row["savings_upper"]) == (None, most)
                # 72 seconds an architecture on average.
                assert row["gpu_hours"] == pytest.approx(expected * 72 / 3600)
                assert row["random_gpu_hours"] == pytest.approx(random * 72 / 3600)
            for confidence in (0.9, 0.95):
                row = one(budget, loss=loss, n_train=n, top_fraction=top, confidence=confidence)
                assert row["evaluations"] is row["savings"] is row["gpu_hours"] is None
                assert row["random_evaluations"] > 0


def test_a_small_universe_has_no_small_top(make_task, finished_row):
    task = make_task()
    rows = [finished_row(task, seed=seed) for seed in SEEDS]
    budget = budget_table(rows)
    BUDGET.build(budget)
    # Of 60 classes only the top 5 % is at least one.
    assert {row["top_fraction"] for row in budget} == {0.05}
    assert all(row["gpu_hours"] is row["random_gpu_hours"] is None for row in budget)
    (top,) = headline(summary_table(rows), budget)
    assert top["evaluations"] is None


def test_the_universe_is_the_same_whether_or_not_training_ones_are_scored(task, finished_row):
    tables = [
        budget_table([finished_row(task, seed=seed, test=test) for seed in SEEDS])
        for test in ("rest", "all")
    ]
    assert tables[0] == tables[1]


def test_random_search_draws_strings_where_the_split_does(task, finished_row):
    row = budget_table([finished_row(task, seed=seed, split="random") for seed in SEEDS])[0]
    assert (row["top_fraction"], row["confidence"]) == (0.001, 0.5)
    assert row["random_evaluations"] == random_evaluations(2000, 2, 0.5)


def test_ways_to_sample_are_compared_seed_by_seed(task, finished_row):
    ways = ("random", "stratified", "diverse")
    rows = [finished_row(task, sampling=way, seed=seed) for way in ways for seed in SEEDS]
    table = sampling_table(rows)
    SAMPLING.build(table)
    assert len(table) == 2 * len(METRICS)
    tau = {way: [run["kendall_tau"] for run in of(rows, sampling=way)] for way in ways}
    for way in ways[1:]:
        row = one(table, sampling=way, metric="kendall_tau")
        differences = np.subtract(tau[way], tau["random"])
        assert row["against"] == "random"
        assert row["n_seeds"] == 4
        assert row["difference"] == pytest.approx(differences.mean())
        assert row["lower"] <= row["difference"] <= row["upper"]
        flips = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=4)]
        p = np.mean(np.array(flips) >= abs(differences.sum()) - 1e-12)
        assert row["p_value"] == pytest.approx(p)
    assert sampling_table(of(rows, sampling="random")) == []


def test_a_seed_that_diverged_under_one_way_is_no_pair(task, finished_row):
    rows = [
        finished_row(task, sampling=way, seed=seed)
        for way in ("random", "diverse")
        for seed in SEEDS
    ]
    rows[0]["diverged"] = True
    row = one(sampling_table(rows), metric="kendall_tau")
    assert row["n_seeds"] == 3
    for each in rows:
        each["diverged"] = True
    table = sampling_table(rows)
    SAMPLING.build(table)
    row = one(table, metric="kendall_tau")
    assert (row["n_seeds"], row["difference"], row["p_value"]) == (0, None, None)


def test_the_headline_repeats_the_tables(rows):
    summary, budget = summary_table(rows), budget_table(rows)
    top = headline(summary, budget)
    assert [(row["n_train"], row["loss"]) for row in top] == [
        (n, loss) for n in (30, 60) for loss in NOISE
    ]
    for row in top:
        key = {"loss": row["loss"], "n_train": row["n_train"]}
        tau = one(summary, metric="kendall_tau", **key)
        assert row["kendall_tau"] == tau["mean"]
        assert (row["kendall_tau_lower"], row["kendall_tau_upper"]) == (tau["lower"], tau["upper"])
        assert row[DISCOVERY_AT.name] == one(summary, metric=DISCOVERY_AT.name, **key)["mean"]
        cost = one(budget, top_fraction=0.001, confidence=0.8, **key)
        assert row["confidence"] == 0.8
        for name in ("evaluations", "savings", "gpu_hours", "random_evaluations"):
            assert row[name] == cost[name]
    # Three seeds are too few for 80 %: the 4th smallest of three does not exist.
    few = [row for row in rows if row["seed"] < 3]
    fewer = headline(summary_table(few), budget_table(few))
    assert {row["confidence"] for row in fewer} == {0.5}
