import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr, weightedtau

from nasrank.benchmarks.splits import make_split
from nasrank.runs.evaluate import CURVE_ITEMS, Training, curve_items, evaluate
from nasrank.runs.tables import FINISHED, PREDICTIONS

DONE = Training(0.5, False, 1.0, 0.25, "cpu")


@pytest.fixture(name="plain", scope="module")
def _plain(make_task):
    """Thirty architectures without twins, worth 0 to 29 percent."""
    return make_task(np.arange(30.0)[:, None], classes=30, twins=1, cost=np.arange(30.0) * 10)


def measure(task, run, scores, **options):
    split = make_split(
        task, run.n_train, run.seed, split=run.split, labels=run.labels, test=run.test
    )
    row = evaluate(run, task, split, np.asarray(scores, float), DONE, **options)
    FINISHED.build([row])
    return row, split


def discovery(row, fraction):
    columns = {
        name.removeprefix("discovery."): values
        for name, values in row.items()
        if name.startswith("discovery.")
    }
    assert len({len(values) for values in columns.values()}) == 1
    return [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
        if values[0] == fraction
    ]


def test_a_perfect_order_by_hand(plain, make_run):
    row, split = measure(plain, make_run(n_train=5), np.arange(30.0))
    labels = split.test_labels
    assert row["n_test"] == 25
    assert row["space_size"] == 30
    for name in ("kendall_tau", "weighted_tau", "spearman_rho"):
        assert row[name] == pytest.approx(1)
    for top in ("0.5pct", "1pct", "5pct"):
        assert row[f"precision_at_{top}"] == 1
    assert row["n_at_1"] == row["n_at_10"] == 1
    assert row["regret_at_1"] == row["regret_at_10"] == 0
    assert row["best_possible"] == labels.max()
    # A universe of 30: the top 5 % are ceil(1.5) = 2, the smaller fractions are below one.
    best_in_train = max(split.targets) >= 28
    assert row["first_hit_5pct"] == (0 if best_in_train else 1)
    assert row["first_hit_1pct"] is row["first_hit_0.5pct"] is row["first_hit_0.1pct"] is None
    assert row["train_gpu_seconds"] == 10 * split.targets.sum()
    assert row["replicate_tau"] is row["ceiling_tau"] is None
    assert row["predicted_top"] == [split.test[labels.argmax()]]
    assert (row["final_loss"], row["diverged"]) == (0.5, False)
    assert (row["fit_seconds"], row["predict_seconds"], row["device"]) == (1.0, 0.25, "cpu")
    ends = discovery(row, 0.05)
    assert [each["k"] for each in ends] == [0, 1, 2, 5, 10, 20, 25]
    assert {each["top_size"] for each in ends} == {2}
    assert ends[0]["best_label"] == split.train_labels.max()
    assert ends[-1]["discovery_rate"] == 1
    assert (ends[2]["best_label"], ends[2]["best_rank"], ends[2]["regret"]) == (29, 1, 0)


def test_the_reverse_order_by_hand(plain, make_run):
    row, split = measure(plain, make_run(n_train=5), -np.arange(30.0))
    assert row["kendall_tau"] == pytest.approx(-1)
    assert row["n_at_1"] == 25
    assert row["n_at_10"] == 16
    ordered = np.sort(split.test_labels)
    assert row["regret_at_1"] == ordered[-1] - ordered[0]
    assert row["regret_at_10"] == ordered[-1] - ordered[9]
    assert row["precision_at_5pct"] == 0


def test_correlations_are_those_of_scipy(make_task, make_run):
    task = make_task()
    scores = np.random.default_rng(0).normal(size=60)
    row, split = measure(task, make_run(), scores)
    predicted = scores[task.space.class_of[split.test]]
    assert row["kendall_tau"] == pytest.approx(kendalltau(predicted, split.test_labels)[0])
    assert row["spearman_rho"] == pytest.approx(spearmanr(predicted, split.test_labels)[0])
    weighted = weightedtau(split.test_labels, predicted, rank=None)
    assert row["weighted_tau"] == pytest.approx(weighted.statistic)


def test_lower_is_better_is_reported_in_the_metric_s_own_direction(make_task, make_run):
    values = 100 + np.arange(60.0)[:, None]
    up = make_task(-values, classes=60, twins=1)
    down = make_task(values, classes=60, twins=1, higher_is_better=False)
    scores = np.random.default_rng(1).normal(size=60)
    one, split = measure(up, make_run(), scores, keep_predictions=True)
    other, _ = measure(down, make_run(), scores, keep_predictions=True)
    turned = {"best_possible", "discovery.best_label", "predictions.label"}
    for name, value in one.items():
        if name in turned:
            np.testing.assert_array_equal(np.asarray(other[name]), -np.asarray(value))
        else:
            assert other[name] == value, name
    assert other["best_possible"] == -split.test_labels.max() == down.labels[split.test].min()
    assert min(other["discovery.regret"]) == 0
    assert min(other["regret_at_1"], other["regret_at_10"]) >= 0
    assert set(other["predictions.label"]) == set(values[:, 0])
    for best, regret in zip(other["discovery.best_label"], other["discovery.regret"], strict=True):
        assert best - 100 == pytest.approx(regret)


def test_equal_scores_are_ordered_by_the_run_s_seed_and_not_by_the_loss(make_task, make_run):
    task = make_task(classes=300, twins=1)
    flat = np.zeros(300)
    rows = {
        (loss, seed): measure(task, make_run(loss=loss, seed=seed), flat)[0]
        for loss in ("mse", "hr")
        for seed in (0, 1)
    }
    assert rows["mse", 0]["kendall_tau"] is None
    assert len(rows["mse", 0]["predicted_top"]) == 3  # ceil(1 % of 280)
    for name in ("predicted_top", "n_at_1", "regret_at_10", "discovery.best_label"):
        assert rows["mse", 0][name] == rows["hr", 0][name]
    assert rows["mse", 0]["predicted_top"] != rows["mse", 1]["predicted_top"]
    # Not the first ones of the space either.
    assert sorted(rows["mse", 0]["predicted_top"]) != [0, 1, 2]


def test_a_predictor_of_nothing_has_no_tau_and_a_random_top(make_task, make_run):
    task = make_task(classes=300, twins=1)
    run = make_run()
    split = make_split(task, 20, 0)
    training = Training(float("nan"), True, 1.0, 0.25, "cpu")
    lost = np.full(300, np.nan)
    row = evaluate(run, task, split, lost, training, keep_predictions=True)
    FINISHED.build([row])
    for name in ("kendall_tau", "weighted_tau", "spearman_rho", "final_loss"):
        assert row[name] is None
    assert row["diverged"]
    flat, _ = measure(task, run, np.zeros(300))
    assert row["predicted_top"] == flat["predicted_top"]
    assert set(row["predictions.score"]) == {None}


@pytest.mark.parametrize("split", ["class", "random"])
@pytest.mark.parametrize("test", ["rest", "all"])
def test_predictions_list_every_architecture_once(make_task, make_run, split, test):
    task = make_task()
    scores = np.random.default_rng(2).normal(size=60)
    run = make_run(split=split, test=test)
    row, drawn = measure(task, run, scores, keep_predictions=True)
    names = [c.name for c in PREDICTIONS.columns if c.name not in {"run_id", "architecture"}]
    item, score, label, in_train = (np.array(row[f"predictions.{name}"]) for name in names)
    assert in_train.sum() == 20
    np.testing.assert_array_equal(score, scores[task.space.class_of[item]])
    np.testing.assert_array_equal(item[:20], drawn.train)
    if split == "random":
        assert sorted(item) == list(range(120))
        np.testing.assert_allclose(label, task.labels[item])
    else:
        assert len(item) == 60
        assert sorted(task.space.class_of[item]) == list(range(60))
    without, _ = measure(task, run, scores)
    assert all(without[f"predictions.{name}"] is None for name in names)


def test_scoring_the_training_architectures_too_changes_what_is_measured_alone(
    make_task, make_run
):
    task = make_task()
    scores = np.random.default_rng(3).normal(size=60)
    rest, _ = measure(task, make_run(), scores)
    everything, _ = measure(task, make_run(test="all"), scores)
    assert everything["n_test"] == rest["n_test"] + 20 == 60
    assert everything["run_id"] != rest["run_id"]
    for name in ("first_hit_5pct", "discovery.discovery_rate", "discovery.best_label"):
        assert everything[name] == rest[name]


def test_twins_follow_the_one_that_stands_for_them(make_task, make_run):
    task = make_task(classes=100, twins=4)
    scores = np.random.default_rng(4).normal(size=100)
    row, _ = measure(task, make_run(split="random", n_train=40), scores)
    classes = task.space.class_of[row["predicted_top"]]
    # The top 1 % of 360 are four strings.
    assert len(classes) == 4
    assert (np.diff(scores[classes]) <= 0).all()
    assert len(set(classes)) < 4


def test_noise_is_a_property_of_the_task_and_not_of_the_run(make_task, make_run):
    values = np.random.default_rng(0).normal(80, 5, (60, 1))
    values = values + np.random.default_rng(1).normal(0, 0.5, (60, 3))
    task = make_task(values, classes=60, twins=1)
    rows = [measure(task, make_run(seed=seed), np.arange(60.0))[0] for seed in (0, 1)]
    assert rows[0]["replicate_tau"] == rows[1]["replicate_tau"]
    assert rows[0]["ceiling_tau"] == rows[1]["ceiling_tau"]
    assert 0.5 < rows[0]["replicate_tau"] < 1
    assert 0.5 < rows[0]["ceiling_tau"] < 1


def test_a_curve_is_kept_as_it_was_followed(plain, make_run):
    run = make_run(n_train=5)
    split = make_split(plain, 5, 0)
    followed = Training(0.5, False, 1.0, 0.25, "cpu", [(0.9, 0.1), (float("nan"), float("nan"))])
    row = evaluate(run, plain, split, np.arange(30.0), followed)
    FINISHED.build([row])
    assert row["curves.epoch"] == [1, 2]
    assert row["curves.loss"] == [0.9, None]
    assert row["curves.kendall_tau"] == [0.1, None]
    assert measure(plain, run, np.arange(30.0))[0]["curves.epoch"] is None


def test_curves_follow_the_same_items_for_all_losses(make_task, make_run):
    task = make_task(classes=3000, twins=1)
    split = make_split(task, 20, 0)
    items = curve_items(make_run(), split)
    assert len(items) == len(set(items)) == CURVE_ITEMS
    assert (np.diff(items) > 0).all()
    np.testing.assert_array_equal(items, curve_items(make_run(loss="hr"), split))
    assert (items != curve_items(make_run(seed=1), split)).any()
    few = make_split(make_task(), 20, 0)
    np.testing.assert_array_equal(curve_items(make_run(), few), np.arange(40))
