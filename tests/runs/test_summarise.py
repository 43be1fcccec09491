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
    overall_table,
    sampling_table,
    summary_table,
)
from nasrank.runs.tables import (
    BUDGET,
    DISCOVERY_AT,
    EVALUATIONS,
    HEADLINE,
    METRICS,
    OVERALL,
    SAMPLING,
    SUMMARY,
)
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
    assert len(summary_table(rows)) == 3 * 2 * (len(METRICS) + len(EVALUATIONS) + 2)
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


def hits(row, **first):
    return {**row, **{f"first_hit_{top}": hit for top, hit in first.items()}}


def seeds_of(rows, loss, after, top="1pct"):
    """One run for each number of evaluations after the training set of 30."""
    first = of(rows, loss=loss, n_train=30)[0]
    return [{**hits(first, **{top: k}), "seed": seed} for seed, k in enumerate(after)]


def test_evaluations_are_compared_by_ratio(rows):
    # 30 + 10, 20, 30, 50 against 30 + 50, 70, 90, 130 and so on: twice as many, each time.
    after = (10, 20, 30, 50, 70, 970)
    two = seeds_of(rows, "listmle", after) + seeds_of(rows, "mse", [30 + 2 * k for k in after])
    found = {row["loss"]: row for row in of(summary_table(two), metric="evaluations_1pct")}
    best, other = found["listmle"], found["mse"]
    assert (best["rank"], other["rank"]) == (1, 2)
    # Of 40, 50, 60, 80, 100 and 1,000 the middle two, by ratio; the ends bound it with six seeds.
    assert best["mean"] == pytest.approx((60 * 80) ** 0.5)
    assert (best["lower"], best["upper"]) == pytest.approx((40, 1000))
    assert other["mean"] == pytest.approx(2 * best["mean"])
    ends = [other[f"difference{end}"] for end in ("", "_lower", "_upper")]
    assert ends == pytest.approx([1.0, 1.0, 1.0])
    assert (other["margin"], other["verdict"], best["verdict"]) == (0.1, "worse", None)
    # 2 of 2^6 sign patterns.
    assert other["p_holm"] == 2 / 64


def test_one_slow_seed_decides_nothing(rows):
    after = (10, 12, 14, 16, 18, 20, 22)
    slow = (*(k + 1 for k in after[:-1]), 2_000)
    two = seeds_of(rows, "listmle", after) + seeds_of(rows, "mse", slow)
    by = {row["metric"]: row for row in of(summary_table(two), loss="mse")}
    # With seven seeds the interval of a median is that of all of them.
    assert by["evaluations_1pct"]["difference"] == pytest.approx(1 / 44)
    assert by["evaluations_1pct"]["verdict"] == "undecided"
    assert by["first_hit_1pct"]["difference"] > 280
    more = seeds_of(rows, "listmle", after * 2) + seeds_of(rows, "mse", slow * 2)
    row = one(summary_table(more), loss="mse", metric="evaluations_1pct")
    assert row["verdict"] == "equivalent"


def test_five_seeds_bound_no_median(rows):
    two = seeds_of(rows, "listmle", range(5)) + seeds_of(rows, "mse", range(500, 505))
    row = one(summary_table(two), loss="mse", metric="evaluations_1pct")
    assert (row["lower"], row["difference_lower"], row["verdict"]) == (None, None, "undecided")
    assert row["rank"] == 2


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.05, "equivalent"), (1.09, "equivalent"), (1.2, "worse")]
)
def test_a_ratio_is_judged_by_its_margin(rows, factor, verdict):
    after = (970, 971, 972, 973, 974, 975)
    later = [round(factor * (30 + k)) - 30 for k in after]
    two = seeds_of(rows, "listmle", after, "0.1pct") + seeds_of(rows, "mse", later, "0.1pct")
    row = one(summary_table(two), loss="mse", metric="evaluations_0.1pct")
    assert row["verdict"] == verdict
    assert row["difference"] == pytest.approx(factor - 1, abs=1e-3)
    top = headline(summary_table(two), budget_table(two))
    assert one(top, loss="mse")["cost_verdict"] == verdict
    assert one(top, loss="mse")["cost_difference"] == row["difference"]


def test_the_quickest_is_the_best_by_every_top(task, make_run, finished_row):
    noise = {"mse": 0.0, "hr": 40.0}
    rows = [
        finished_row(task, make_run(loss=loss, seed=seed), noise=noise[loss])
        for loss, seed in product(noise, range(6))
    ]
    # Half of all training sets hold one of the top 5 % already.
    for metric in list(EVALUATIONS.values())[:3]:
        perfect, poor = (one(summary_table(rows), loss=loss, metric=metric.name) for loss in noise)
        assert (perfect["rank"], poor["rank"]) == (1, 2), metric.name
        assert poor["difference"] > 0, metric.name
        assert poor["verdict"] in {"worse", "undecided"}, metric.name
    assert one(summary_table(rows), loss="hr", metric="evaluations_0.1pct")["verdict"] == "worse"


def over_tasks(task, make_run, finished_row, tasks, noise):
    return [
        {**finished_row(task, make_run(loss=loss, seed=seed), noise=noise[loss]), "task": name}
        for name, loss, seed in product(tasks, noise, SEEDS)
    ]


def test_over_tasks_spaces_are_the_units(task, make_run, finished_row):
    noise = {"mse": 40.0, "hr": 0.0}
    rows = over_tasks(task, make_run, finished_row, ["a/1", "a/2", "a/3", "b/1", "c/1"], noise)
    # Where a space differs, its three tasks have the weight of one.
    for row in of(rows, loss="mse"):
        row["kendall_tau"] = 0.1 if row["task"].startswith("a") else 0.4
    for row in of(rows, loss="hr"):
        row["kendall_tau"] = 0.7
    found = overall_table(rows)
    OVERALL.build(found)
    best, poor = (one(found, loss=loss, metric="kendall_tau") for loss in ("hr", "mse"))
    assert (best["rank"], poor["rank"]) == (1, 2)
    assert (best["n_tasks"], best["n_spaces"]) == (5, 3)
    assert poor["mean"] == pytest.approx((0.1 + 0.4 + 0.4) / 3)
    low, high = ttest_1samp([-0.6, -0.3, -0.3], 0.0).confidence_interval(0.95)
    assert poor["difference"] == pytest.approx(-0.4)
    assert (poor["difference_lower"], poor["difference_upper"]) == pytest.approx((low, high))
    # Three spaces that agree are 2 of 8, and the interval reaches beyond 0.
    assert (poor["p_holm"], poor["verdict"]) == (0.25, "undecided")
    assert best["difference"] is best["verdict"] is best["p_holm"] is None
    cost = one(found, loss="mse", metric="evaluations_0.1pct")
    assert (cost["rank"], cost["difference"] > 0) == (2, True)


def test_over_tasks_a_verdict_has_the_direction_of_its_metric(task, make_run, finished_row):
    noise = {"mse": 40.0, "hr": 0.0}
    rows = over_tasks(task, make_run, finished_row, [f"{space}/1" for space in "abcdefg"], noise)
    verdicts = {row["metric"]: row for row in of(overall_table(rows), loss="mse")}
    # Half of all training sets hold one of the top 5 % already.
    del verdicts["evaluations_5pct"]
    assert len(verdicts) > len(EVALUATIONS) + 3
    for metric, row in verdicts.items():
        assert row["verdict"] == "worse", metric
        assert row["p_holm"] == 2 / 2**7, metric
        assert (row["difference"] > 0) == metric.startswith("evaluations"), metric
    turned = overall_table([{**row, "loss": {"mse": "hr", "hr": "mse"}[row["loss"]]}
                            for row in rows])  # fmt: skip
    best = [row for row in of(turned, loss="mse") if row["metric"] != "evaluations_5pct"]
    assert {(row["rank"], row["verdict"]) for row in best} == {(1, None)}


def test_over_tasks_one_space_has_no_interval(task, make_run, finished_row):
    noise = {"mse": 40.0, "hr": 0.0}
    rows = over_tasks(task, make_run, finished_row, ["a/1", "a/2"], noise)
    # A loss that diverged on one task leaves that task out for all.
    for row in of(rows, loss="hr", task="a/2"):
        row["diverged"] = True
    poor = one(overall_table(rows), loss="mse", metric="kendall_tau")
    assert (poor["n_tasks"], poor["n_spaces"]) == (1, 1)
    assert (poor["difference_lower"], poor["verdict"], poor["p_holm"]) == (None, "undecided", 1.0)


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
