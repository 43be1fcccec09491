import json
import math
import shutil
from itertools import product

import numpy as np
import pyarrow.parquet as pq
import pytest

from nasrank.benchmarks.sampling import SAMPLINGS
from nasrank.benchmarks.splits import LABELS, SPLITS, TESTS
from nasrank.errors import DataError, Interrupted, NothingToCompare, UsageError
from nasrank.metrics import random_evaluations
from nasrank.predictors.recipe import Recipe
from nasrank.questions.compare import study as compare_module
from nasrank.questions.compare.options import CompareConfig
from nasrank.questions.compare.study import plan_runs
from nasrank.runs.lists import LISTS
from nasrank.runs.tables import (
    BUDGET,
    CURVES,
    DISCOVERY,
    HEADLINE,
    PREDICTIONS,
    RUNS,
    SAMPLING,
    SUMMARY,
)
from nasrank.study.conduct import conduct, estimate
from nasrank.study.options import checked, choices_of
from nasrank.tables import write_parquet

pytestmark = pytest.mark.usefixtures("quick")

LOSSES = ("mse", "listmle", "pw(hr,mse,10)")
TINY = CompareConfig(losses=LOSSES, n_train=(20, 30), seeds=3, device="cpu")
CLOCK = {"fit_seconds", "predict_seconds", "device"}
ALWAYS = (HEADLINE, RUNS, DISCOVERY, BUDGET, SUMMARY)


def changed(config=TINY, **options):
    return checked(CompareConfig, {**config.model_dump(), **options})


def tables_in(folder, tables=ALWAYS):
    """Every table on disk, without what the clock says."""
    return {
        table.name: [
            {name: value for name, value in row.items() if name not in CLOCK}
            for row in table.read(folder / f"{table.name}.parquet")
        ]
        for table in tables
    }


def of(rows, **wanted):
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def one(rows, **wanted):
    (row,) = of(rows, **wanted)
    return row


@pytest.fixture(name="reference", scope="module")
def _reference(tmp_path_factory, warm_cache):
    """One whole comparison that nothing disturbed."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NASRANK_CACHE", str(warm_cache))
        patch.setattr(compare_module, "Recipe", lambda: Recipe(epochs=4, list_length=24))
        return conduct(TINY, folder)


class Heard:
    """Progress that writes down what it hears, and stops the study on request."""

    def __init__(self, stop_after=math.inf):
        self.work, self.runs, self.finished = None, None, None
        self.advanced, self.kept, self.stop_after = 0, [], stop_after

    def start(self, work, runs, finished):
        self.work, self.runs, self.finished = work, runs, finished

    def advance(self, work):
        self.advanced += work

    def saved(self, runs):
        self.kept.append(runs)
        if len(self.kept) >= self.stop_after:
            raise KeyboardInterrupt


# What is written.


def test_the_tables_keep_their_contracts(reference):
    assert set(reference.tables) == {table.name for table in ALWAYS}
    for table in ALWAYS:
        path = reference.out / f"{table.name}.parquet"
        assert pq.read_schema(path).equals(table.schema)
        assert table.read(path) == reference.tables[table.name]
        assert reference.tables[table.name]
    assert reference.computed == 18
    assert reference.left_out == ()
    assert {path.name for path in reference.out.iterdir()} == {
        "runs.d",
        "run.json",
        *(f"{table.name}.parquet" for table in ALWAYS),
    }
    assert len(list((reference.out / "runs.d").iterdir())) == 18


def test_runs_come_in_the_order_of_the_options(reference):
    runs = reference.tables["runs"]
    assert [(run["n_train"], run["loss"], run["seed"]) for run in runs] == list(
        product((20, 30), LOSSES, range(3))
    )
    assert len({run["run_id"] for run in runs}) == 18
    for run in runs:
        assert run["task"] == "nb201/cifar10"
        assert (run["space_size"], run["n_test"]) == (15625, 5425 - run["n_train"])
        assert -1 < run["kendall_tau"] < run["ceiling_tau"] < 1
        assert run["train_gpu_seconds"] > 0
        assert run["device"] == "cpu"
        assert not run["diverged"]


def test_losses_are_compared_on_the_same_data(reference):
    for n, seed in product((20, 30), range(3)):
        own = of(reference.tables["runs"], n_train=n, seed=seed)
        assert len({run["train_gpu_seconds"] for run in own}) == 1
        assert len({run["best_possible"] for run in own}) == 1
        assert len({run["kendall_tau"] for run in own}) == 3


def test_every_file_says_what_it_was_made_by(reference):
    about = json.loads((reference.out / "run.json").read_text())
    assert about["command"] == "compare"
    assert CompareConfig(**about["config"]) == TINY
    stored = pq.read_schema(reference.out / "runs.parquet").metadata
    stored = json.loads(stored[b"nasrank.about"])
    assert stored["config"] == about["config"]
    assert set(stored["fingerprints"]) == {"nb201/cifar10"}


def test_discovery_belongs_to_its_runs(reference):
    rows, runs = reference.tables["discovery"], reference.tables["runs"]
    assert {row["run_id"] for row in rows} == {run["run_id"] for run in runs}
    for run in runs[::5]:
        own = of(rows, run_id=run["run_id"], top_fraction=0.01)
        rates = [row["discovery_rate"] for row in own]
        assert rates == sorted(rates)
        assert rates[-1] == 1
        assert own[0]["k"] == 0
        assert own[-1]["k"] == run["n_test"]
        hit = next(row["k"] for row in own if row["hit"])
        assert run["first_hit_1pct"] <= hit


def test_the_summary_is_that_of_the_runs(reference):
    summary = reference.tables["summary"]
    for loss, n in product(LOSSES, (20, 30)):
        runs = of(reference.tables["runs"], loss=loss, n_train=n)
        for metric in ("kendall_tau", "regret_at_10", "first_hit_0.1pct"):
            values = [run[metric] for run in runs]
            row = one(summary, loss=loss, n_train=n, metric=metric)
            assert row["mean"] == pytest.approx(sum(values) / 3)
            assert row["sd"] == pytest.approx(np.std(values, ddof=1))
        ids = {run["run_id"] for run in runs}
        rates = [
            row["discovery_rate"]
            for row in of(reference.tables["discovery"], top_fraction=0.01, k=100)
            if row["run_id"] in ids
        ]
        row = one(summary, loss=loss, n_train=n, metric="discovery_1pct_at_100")
        assert row["mean"] == pytest.approx(sum(rates) / 3)


def test_the_budget_is_that_of_the_runs(reference, load):
    task = load("nb201/cifar10")
    for loss, n in product(LOSSES, (20, 30)):
        runs = of(reference.tables["runs"], loss=loss, n_train=n)
        for name, top, size in (("0.1pct", 0.001, 6), ("1pct", 0.01, 55)):
            # ceil(.001 * 5425) = 6 and ceil(.01 * 5425) = 55 classes, no two of them tied.
            needed = sorted(n + run[f"first_hit_{name}"] for run in runs)[1]
            own = of(reference.tables["budget"], loss=loss, n_train=n, top_fraction=top)
            row = one(own, confidence=0.5)
            # ceil(.5 * 4) = 2nd smallest of three.
            assert row["evaluations"] == needed
            random = random_evaluations(5425, size, 0.5)
            assert row["random_evaluations"] == random
            assert row["savings"] == pytest.approx(1 - needed / random)
            hours = task.cost_seconds.mean() / 3600
            assert row["gpu_hours"] == pytest.approx(needed * hours)
            assert row["random_gpu_hours"] == pytest.approx(random * hours)
            assert one(own, confidence=0.8)["evaluations"] is None


# Again and again.


def test_a_second_call_trains_nothing_and_says_the_same(reference):
    before = {path: path.read_bytes() for path in reference.out.rglob("*") if path.is_file()}
    again = conduct(TINY, reference.out)
    assert again.computed == 0
    assert again.tables == reference.tables
    after = {path: path.read_bytes() for path in reference.out.rglob("*") if path.is_file()}
    assert before == after


def test_a_killed_command_goes_on_where_it_was(reference, tmp_path):
    with pytest.raises(Interrupted, match="9 of 18 runs are saved in") as caught:
        conduct(TINY, tmp_path, progress=Heard(stop_after=1))
    assert caught.value.exit_code == 130
    assert "\n" not in str(caught.value)
    assert len(list((tmp_path / "runs.d").iterdir())) == 9
    assert not (tmp_path / "runs.parquet").exists()
    rest = Heard()
    resumed = conduct(TINY, tmp_path, progress=rest)
    assert resumed.computed == rest.runs == 9
    assert rest.finished == 9
    assert tables_in(tmp_path) == tables_in(reference.out)


def test_another_folder_gives_the_same_tables_and_progress_adds_up(reference, tmp_path):
    heard = Heard()
    conduct(TINY, tmp_path, progress=heard)
    assert tables_in(tmp_path) == tables_in(reference.out)
    assert (heard.runs, heard.finished) == (18, 0)
    assert heard.kept == [9, 9]
    # Fleets of 9 runs and 4 epochs, of one list and of two, and 4 steps more for the first stage
    # of each piecewise loss.
    assert heard.advanced == heard.work == 9 * 4 + 3 * 4 + 9 * 8 + 3 * 4


@pytest.mark.parametrize("damage", [b"", b"PAR1 nonsense", None])
def test_a_damaged_or_missing_run_is_trained_again(reference, tmp_path, damage):
    few = changed(n_train=(20,), losses=("mse", "hr"))
    first = conduct(few, tmp_path)
    lost = first.tables["runs"][1]
    path = tmp_path / "runs.d" / f"{lost['run_id']}.parquet"
    path.unlink() if damage is None else path.write_bytes(damage)
    # Its final tables would still say what was measured.
    (tmp_path / "runs.parquet").unlink()
    again = conduct(few, tmp_path)
    assert again.computed == 1
    for row, other in zip(first.tables["runs"], again.tables["runs"], strict=True):
        if row["run_id"] != lost["run_id"]:
            assert row == other
        else:
            assert row["kendall_tau"] == pytest.approx(other["kendall_tau"], abs=0.005)
    assert conduct(few, tmp_path).computed == 0


def test_more_seeds_and_losses_keep_what_is_there(tmp_path):
    first = conduct(changed(n_train=(20,), losses=("mse",), seeds=2), tmp_path)
    more = conduct(changed(n_train=(20,), losses=("mse", "hr"), seeds=3), tmp_path)
    assert more.computed == 6 - 2
    assert [row for row in more.tables["runs"] if row in first.tables["runs"]] == (
        first.tables["runs"]
    )
    fewer = conduct(changed(n_train=(20,), losses=("hr",), seeds=1, seed=1), tmp_path)
    assert fewer.computed == 0
    assert [(row["loss"], row["seed"]) for row in fewer.tables["runs"]] == [("hr", 1)]


def test_force_trains_all_again_and_gives_the_same(tmp_path):
    few = changed(n_train=(20,), losses=("mse",))
    conduct(few, tmp_path)
    before = tables_in(tmp_path)
    assert conduct(few, tmp_path, force=True).computed == 3
    assert tables_in(tmp_path) == before


def test_only_what_is_there_on_request(tmp_path):
    few = changed(n_train=(20,), losses=("mse",), seeds=2)
    with pytest.raises(NothingToCompare, match="none of the 2 runs is in") as caught:
        conduct(few, tmp_path, only_cached=True)
    assert caught.value.exit_code == 5
    assert "Leave out --only-cached to compute them" in str(caught.value)
    assert not (tmp_path / "runs.d").exists()
    conduct(few, tmp_path)
    part = conduct(changed(few, seeds=5), tmp_path, only_cached=True)
    assert part.computed == 0
    assert len(part.tables["runs"]) == 2
    assert part.left_out == (f"3 of 5 runs are missing from {tmp_path / 'runs.d'}",)


def test_an_estimate_trains_and_writes_nothing(reference, tmp_path):
    plan = estimate(TINY, tmp_path / "new")
    assert (plan.runs, plan.finished, plan.device) == (18, 0, "cpu")
    assert plan.seconds > 0
    assert not (tmp_path / "new").exists()
    done = estimate(TINY, reference.out)
    assert (done.finished, done.seconds) == (18, 0)


def test_a_folder_that_cannot_be_written_costs_no_training(tmp_path):
    (tmp_path / "taken").write_text("")
    heard = Heard()
    with pytest.raises(DataError, match="cannot be written") as caught:
        conduct(TINY, tmp_path / "taken", progress=heard)
    assert "\n" not in str(caught.value)
    assert heard.work is None


def test_finished_runs_are_summarised_from_the_final_tables(reference, tmp_path):
    for name in ("runs", "discovery"):
        shutil.copy(reference.out / f"{name}.parquet", tmp_path)
    again = conduct(TINY, tmp_path, only_cached=True)
    assert (again.computed, again.left_out) == (0, ())
    for name in ("runs", "discovery", "budget"):
        assert again.tables[name] == reference.tables[name], name
    # Which architectures were predicted to be the top is in no final table.
    kept = [row for row in reference.tables["summary"] if row["metric"] != "top_stability"]
    assert [row for row in again.tables["summary"] if row["metric"] != "top_stability"] == kept
    assert {row["top_stability"] for row in again.rows} == {None}


def test_tables_of_before_learn_what_an_evaluation_costs(reference, tmp_path):
    rows = pq.read_table(reference.out / "runs.parquet").drop_columns(["mean_gpu_seconds"])
    write_parquet(rows, tmp_path / "runs.parquet")
    shutil.copy(reference.out / "discovery.parquet", tmp_path)
    again = conduct(TINY, tmp_path, only_cached=True)
    assert again.tables["runs"] == reference.tables["runs"]
    assert again.tables["budget"] == reference.tables["budget"]


# Predictors beside networks.


def test_a_predictor_with_a_loss_of_its_own_is_trained_once_a_seed(tmp_path):
    both = changed(
        predictors=("gnn", "gp"), losses=("hr", "listmle"), n_train=(20,), seeds=2, curves=True
    )
    runs = plan_runs(both).runs
    assert [(run.predictor, run.loss, run.seed) for run in runs] == [
        (predictor, loss, seed)
        for predictor, loss in (("gnn", "hr"), ("gnn", "listmle"), ("gp", "mse(targets=robust)"))
        for seed in (0, 1)
    ]
    heard = Heard()
    done = conduct(both, tmp_path, progress=heard)
    assert heard.advanced == heard.work
    assert [(row["predictor"], row["loss"]) for row in done.rows] == [
        ("gnn", "hr"), ("gnn", "listmle"), ("gp", "mse(targets=robust)"),
    ]  # fmt: skip
    # One of all is the best, and predictor and loss stand among all pairs.
    assert sorted(row["kendall_tau_rank"] for row in done.rows) == [1, 2, 3]
    # It has no epochs, and is not asked for them again.
    assert {row["run_id"] for row in done.tables["curves"]} == {
        run.run_id for run in runs if run.predictor == "gnn"
    }
    assert conduct(both, tmp_path).computed == 0
    # Whatever the losses, it is the same run.
    assert conduct(changed(both, predictors=("gp",), losses=("ew",)), tmp_path).computed == 0


# Tables on request.


def test_predictions_on_request(tmp_path, load):
    few = changed(n_train=(20,), losses=("mse",), seeds=2)
    plain = conduct(few, tmp_path)
    assert not (tmp_path / "predictions.parquet").exists()
    asked = changed(few, keep_predictions=True)
    done = conduct(asked, tmp_path)
    # The scores were not kept the first time.
    assert done.computed == 2
    rows = done.tables["predictions"]
    assert pq.read_schema(tmp_path / "predictions.parquet").equals(PREDICTIONS.schema)
    assert PREDICTIONS.read(tmp_path / "predictions.parquet") == rows
    task = load("nb201/cifar10")
    for run in plain.tables["runs"]:
        own = of(rows, run_id=run["run_id"])
        assert len(own) == 5425
        assert sum(row["in_train"] for row in own) == 20
        assert len({row["item"] for row in own}) == 5425
        assert all(row["architecture"] == task.space.architectures[row["item"]] for row in own)
        best = max((row for row in own if not row["in_train"]), key=lambda row: row["score"])
        assert run["regret_at_1"] == pytest.approx(run["best_possible"] - best["label"])
    assert conduct(asked, tmp_path).computed == 0
    assert conduct(few, tmp_path).computed == 0


def test_curves_on_request(tmp_path):
    few = changed(n_train=(20,), losses=("mse", "pw(hr,mse,10)"), seeds=2, curves=True)
    done = conduct(few, tmp_path)
    rows = done.tables["curves"]
    assert CURVES.read(tmp_path / "curves.parquet") == rows
    for run in done.tables["runs"]:
        own = of(rows, run_id=run["run_id"])
        assert [row["epoch"] for row in own] == [1, 2, 3, 4]
        assert own[-1]["loss"] == run["final_loss"]
        # On 1,000 of the test architectures and on all of them.
        assert own[-1]["kendall_tau"] == pytest.approx(run["kendall_tau"], abs=0.1)


def test_what_a_loss_is_fed_with_is_a_factor(tmp_path):
    fed = changed(n_train=(20,), losses=("mse", "hr"), targets=("raw", "robust"), seeds=2)
    done = conduct(fed, tmp_path)
    rows = SUMMARY.read(tmp_path / "summary.parquet")
    # hr sees only the order, so it is trained once.
    assert {row["loss"] for row in rows} == {"mse", "mse(targets=robust)", "hr"}
    assert done.computed == 6
    as_named = conduct(changed(n_train=(20,), losses=("mse(targets=robust)",), seeds=2), tmp_path)
    assert as_named.computed == 0


def test_lists_are_cut_from_finished_runs(tmp_path):
    small = {"n_train": (20,), "losses": ("mse", "hr"), "seeds": 2}
    assert LISTS.name not in conduct(changed(**small), tmp_path).tables
    done = conduct(changed(**small, lambdas=(0.1, 10.0)), tmp_path)
    assert done.computed == 0
    rows = done.tables["lists"]
    assert LISTS.read(tmp_path / "lists.parquet") == rows
    assert [(row["loss"], row["lambda"]) for row in rows] == [
        ("mse", 0.1), ("hr", 0.1), ("mse", 10), ("hr", 10),
    ]  # fmt: skip
    for row in rows:
        assert row["precision"] == pytest.approx(row["recall"] * row["lambda"], rel=1e-6)


def test_ways_to_sample_side_by_side(tmp_path):
    ways = ("random", "stratified", "diverse")
    done = conduct(changed(n_train=(20,), losses=("mse", "hr"), sampling=ways, seeds=2), tmp_path)
    rows = done.tables["sampling"]
    assert SAMPLING.read(tmp_path / "sampling.parquet") == rows
    assert {(row["sampling"], row["against"]) for row in rows} == {
        ("stratified", "random"),
        ("diverse", "random"),
    }
    for loss in ("mse", "hr"):
        tau = {
            way: [run["kendall_tau"] for run in of(done.tables["runs"], loss=loss, sampling=way)]
            for way in ways
        }
        row = one(rows, loss=loss, sampling="diverse", metric="kendall_tau")
        assert row["difference"] == pytest.approx(
            np.subtract(tau["diverse"], tau["random"]).mean()
        )
    assert {row["sampling"] for row in done.tables["summary"]} == set(ways)


# Tasks.


def test_lower_is_better_is_reported_in_its_own_direction(tmp_path, load):
    task = load("nb201/cifar10:latency")
    done = conduct(
        changed(tasks=("nb201/cifar10:latency",), n_train=(30,), keep_predictions=True), tmp_path
    )
    fastest = task.labels.min()
    for run in done.tables["runs"]:
        assert run["kendall_tau"] > 0
        assert run["regret_at_1"] >= run["regret_at_10"] >= 0
        assert run["best_possible"] >= fastest > 0
        assert run["replicate_tau"] is None
    for row in done.tables["discovery"]:
        assert row["regret"] >= 0
        assert row["best_label"] >= fastest
    ends = [row for row in done.tables["discovery"] if row["discovery_rate"] == 1]
    assert max(row["best_label"] for row in ends) < np.median(task.labels)
    own = of(done.tables["predictions"], run_id=done.tables["runs"][0]["run_id"])
    scores, labels = (np.array([row[name] for row in own]) for name in ("score", "label"))
    # High scores are meant for short times.
    assert np.corrcoef(scores, labels)[0, 1] < 0


def test_tasks_of_one_space_are_trained_together_as_if_alone(reference, tmp_path):
    both = conduct(
        changed(tasks=("nb201/cifar10", "nb201/cifar100"), n_train=(20,), losses=("mse",)),
        tmp_path,
    )
    for run in of(both.tables["runs"], task="nb201/cifar10"):
        alone = one(reference.tables["runs"], run_id=run["run_id"])
        assert run["kendall_tau"] == pytest.approx(alone["kendall_tau"], abs=0.005)
    assert {row["task"] for row in both.tables["summary"]} == {"nb201/cifar10", "nb201/cifar100"}


def test_a_cell_out_of_range_is_left_out_and_named(tmp_path):
    config = changed(
        tasks=("nbgraph/proteins", "nb201/cifar10"),
        predictors=("mlp",),
        losses=("mse",),
        n_train=(20, 1700),
        seeds=1,
    )
    grid = plan_runs(config)
    assert [(run.task, run.n_train) for run in grid.runs] == [
        ("nbgraph/proteins", 20),
        ("nb201/cifar10", 20),
        ("nb201/cifar10", 1700),
    ]
    (reason,) = grid.left_out
    assert reason == (
        "--n-train 1700 is out of range for nbgraph/proteins: choose 2 to 1616 "
        "(80 % of its labelled classes, 20 left to test)"
    )
    done = conduct(config, tmp_path)
    assert done.left_out == (reason,)
    assert len(done.tables["runs"]) == 3
    proteins = of(done.tables["runs"], task="nbgraph/proteins")
    assert proteins[0]["train_gpu_seconds"] is None


def test_nothing_left_of_the_grid_is_an_error():
    with pytest.raises(UsageError, match="nothing is left of the grid: --n-train 9000"):
        plan_runs(changed(tasks=("nbgraph/proteins", "nb201/cifar10"), n_train=(9000,)))
    with pytest.raises(UsageError, match="--n-train 1700 is out of range for nbgraph/proteins"):
        plan_runs(changed(tasks=("nbgraph/proteins",), n_train=(20, 1700)))


# Invalid options.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"losses": ("mse", "listmel")}, "unknown loss 'listmel'. Did you mean 'listmle'?"),
        ({"losses": ("hr(margins=1)",)}, "Did you mean 'margin'?"),
        ({"tasks": ("nb202/cifar10",)}, "unknown space 'nb202'. Did you mean 'nb201'?"),
        ({"tasks": ("nb201/cifar",)}, "Did you mean 'cifar10'?"),
        ({"predictors": ("gmn",)}, "unknown predictor 'gmn'. Did you mean 'gnn'?"),
        ({"split": "clas"}, "unknown split 'clas'. Did you mean 'class'?"),
        ({"labels": "singel"}, "unknown labels 'singel'. Did you mean 'single'?"),
        ({"test": "every"}, "unknown test 'every'. Known: rest, all."),
        ({"sampling": ("random", "divers")}, "unknown sampling 'divers'. Did you mean 'diverse'?"),
        ({"device": "gpu"}, "unknown device 'gpu'. Did you mean 'cpu'?"),
        (
            {"n_train": (20, 1), "losses": ("mse",)},
            "--n-train 1 is out of range for nb201/cifar10: choose 2 to",
        ),
        ({"n_train": (4341,)}, "--n-train 4341 is out of range"),
        ({"losses": ("pw(hr,mse,20)",)}, "pw(hr,mse,20) switches at 20"),
        ({"losses": ("pw(hr,mse,1)",)}, "at least 2 and below every --n-train, the least of"),
        ({"split": "random", "sampling": ("diverse",)}, "--sampling diverse needs --split class"),
        (
            {"tasks": ("nb201/cifar10", "nb201/cifar10:latency"), "labels": "single"},
            "nb201/cifar10:latency has one; use --labels mean",
        ),
    ],
)
def test_an_invalid_option_is_one_line_and_writes_nothing(options, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        conduct(changed(**options), tmp_path / "new")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"losses": ()},
        {"tasks": ()},
        {"n_train": ()},
        {"n_train": (0,)},
        {"seeds": 0},
        {"seed": -1},
        {"epochs": 3},
    ],
)
def test_a_configuration_is_checked_when_it_is_made(options):
    with pytest.raises(UsageError, match=next(iter(options)).replace("_", "-")):
        changed(**options)


def test_the_words_of_options_are_those_of_the_splits():
    def words(name):
        return choices_of(CompareConfig.model_fields[name])

    assert words("split") == SPLITS
    assert words("labels") == LABELS
    assert words("test") == TESTS
    assert words("sampling") == SAMPLINGS


def test_one_meaning_is_one_run():
    config = changed(
        tasks=("nb201/cifar10", "nb201/cifar10:val_acc"),
        losses=("hr", " hr(margin=0.1)", "hr(margin=0.10)", "pw( hr, mse ,10)"),
        n_train=(20, 20),
        predictors=("gnn", "gnn"),
        sampling=("random", "random"),
        seeds=1,
    )
    runs = plan_runs(config).runs
    assert [(run.task, run.loss) for run in runs] == [
        ("nb201/cifar10", "hr"),
        ("nb201/cifar10", "pw(hr,mse,10)"),
    ]


def test_seeds_are_the_root_and_those_that_follow():
    runs = plan_runs(changed(seeds=3, seed=40, losses=("mse",), n_train=(20,))).runs
    assert [run.seed for run in runs] == [40, 41, 42]


@pytest.mark.parametrize("subset", CompareConfig.subsets)
def test_fixed_grids_are_valid(subset):
    config = CompareConfig(**CompareConfig.subsets[subset])
    grid = plan_runs(config)
    assert grid.left_out == ()
    counts = (config.tasks, config.losses, config.n_train)
    assert len(grid.runs) == math.prod(map(len, counts)) * config.seeds
