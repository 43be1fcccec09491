"""Limits of time and memory: which runs are measured, and what the ratios of rounds mean."""

import pytest
import torch

from nasrank.errors import CheckFailed, DataError, UsageError
from nasrank.questions.check import costs
from nasrank.questions.check.baseline import write_baseline
from nasrank.questions.check.costs import Cost, cost_rows, costs_in_turns, measured_runs
from nasrank.questions.check.options import CheckConfig
from nasrank.questions.check.tables import BASELINE, COST_LIMITS
from nasrank.study.conduct import conduct


def row(**changes):
    """What was measured on one run, of which only what identifies it counts here."""
    usual = {column.name: 0 for column in BASELINE.columns}
    names = {
        "task": "nb201/cifar10", "predictor": "ridge", "loss": "mse(targets=robust)",
        "n_train": 20, "seed": 0, "split": "class", "labels": "mean", "test": "rest",
        "sampling": "random", "fingerprint": "f", "diverged": False,
    }  # fmt: skip
    return {**usual, **names, **changes}


ROUNDS = [
    # Predictor and reference: 2, 3 and 5 times the time, 2, 4 and 3 times the memory.
    (Cost(2.0, 40.0), Cost(1.0, 20.0)),
    (Cost(6.0, 40.0), Cost(2.0, 10.0)),
    (Cost(5.0, 30.0), Cost(1.0, 10.0)),
]


def test_ratios_are_taken_within_rounds():
    time, memory = cost_rows(ROUNDS, max_slower=2.5, max_memory=1.5)
    assert (time["measure"], time["unit"], time["limit"]) == ("time", "s", 2.5)
    # Of 2, 3, 5; costs are medians too: of 2, 6, 5 and of 1, 2, 1.
    assert (time["ratio"], time["ratio_lowest"], time["ratio_highest"]) == (3, 2, 5)
    assert (time["cost"], time["reference_cost"]) == (5, 1)
    assert time["verdict"] == "undecided"
    assert (memory["unit"], memory["ratio"], memory["ratio_lowest"], memory["ratio_highest"]) == (
        "MiB", 3, 2, 4,
    )  # fmt: skip
    assert (memory["cost"], memory["reference_cost"]) == (40, 10)
    assert memory["verdict"] == "worse"


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [(1.99, "worse"), (2.0, "undecided"), (4.99, "undecided"), (5.0, "held")],
)
def test_only_what_is_above_the_limit_in_every_round_is_worse(limit, verdict):
    (found,) = cost_rows(ROUNDS, max_slower=limit, max_memory=None)
    assert found["verdict"] == verdict


def test_next_to_no_memory_counts_as_one_mebibyte():
    rounds = [(Cost(1.0, 3.0), Cost(1.0, 0.0))] * 3
    (found,) = cost_rows(rounds, max_slower=None, max_memory=3)
    assert (found["reference_cost"], found["ratio"], found["verdict"]) == (1, 3, "held")


def test_memory_that_the_system_does_not_tell_is_an_error_only_where_it_is_limited():
    rounds = [(Cost(1.0, None), Cost(1.0, None))] * 3
    assert cost_rows(rounds, max_slower=2, max_memory=None)[0]["verdict"] == "held"
    with pytest.raises(DataError, match="only Linux does"):
        cost_rows(rounds, max_slower=None, max_memory=2)


def test_the_largest_training_sets_are_measured_with_the_reference_beside():
    rows = [row(n_train=size, seed=seed) for size in (20, 40) for seed in (3, 4)]
    rows += [row(predictor="gnn", loss=loss, n_train=80) for loss in ("listmle", "mse")]
    runs, beside = measured_runs(rows, "ridge", "gnn(ensemble=2)")
    assert [(r.predictor, r.n_train, r.seed) for r in runs] == [("ridge", 40, 3), ("ridge", 40, 4)]
    assert [(r.predictor, r.loss) for r in beside] == [
        ("gnn(ensemble=2)", "mse(targets=robust)")
    ] * 2
    # The first loss there is, and the reference's own where it takes no other.
    runs, beside = measured_runs(rows, "gnn", "gp")
    assert [(r.predictor, r.loss, r.seed) for r in runs] == [("gnn", "listmle", 0)]
    assert beside[0].loss == "mse(targets=robust)"
    with pytest.raises(UsageError, match=r"of the results 'mlp'.*ridge, gnn"):
        measured_runs(rows, "mlp", "gnn")


def test_rounds_change_who_comes_first(monkeypatch):
    asked = []
    monkeypatch.setattr(
        costs, "_in_a_process", lambda runs: asked.append(runs) or Cost(float(runs), None)
    )
    told = []
    rounds = costs_in_turns((1, 2), lambda *done: told.append(done))
    assert asked == [1, 2, 2, 1, 1, 2]
    assert rounds == [(Cost(1.0, None), Cost(2.0, None))] * 3
    assert told == [(place, 6) for place in range(1, 7)]


def test_a_check_fails_for_cost_alone(tmp_path, monkeypatch):
    path = tmp_path / "baseline.parquet"
    write_baseline([row(seed=seed, kendall_tau=0.5) for seed in range(3)], path)
    monkeypatch.setattr(costs, "_in_a_process", lambda runs: Cost(
        3.0 if runs[0].predictor == "ridge" else 1.0, 10.0))  # fmt: skip
    asked = {"results": path, "against": path, "predictors": ("ridge",), "reference": "gp"}
    result = conduct(CheckConfig(**asked, max_slower=2, max_memory=1), tmp_path / "out")
    assert isinstance(result.error, CheckFailed)
    assert str(result.error) == (
        "ridge takes 3.00 times the time of gp, more than --max-slower 2 in every round. If that "
        "is intended, raise --max-slower"
    )
    rows = COST_LIMITS.read(tmp_path / "out" / "cost_limits.parquet")
    assert [(each["measure"], each["verdict"], each["runs"]) for each in rows] == [
        ("time", "worse", 3), ("memory", "held", 3),
    ]  # fmt: skip
    assert conduct(CheckConfig(**asked, max_slower=3), tmp_path / "out").error is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_slower": 2}, "need --predictors"),
        ({"max_memory": 2, "predictors": ("gnn",)}, "and --reference"),
        ({"reference": "gp"}, "limit nothing alone"),
        ({"predictors": ("gp",)}, "limit nothing alone"),
        ({"max_slower": 2, "predictors": ("gnn",), "reference": "gp", "update": True}, "--update"),
    ],
)
def test_what_is_missing_is_named(options, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        CheckConfig(results=tmp_path, against=tmp_path / "b.parquet", **options)


def test_a_hungry_predictor_is_measured_as_such(tmp_path, warm_cache, monkeypatch):
    """In this process: what holds 200 MiB while it is fitted, beside what does not."""
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours.py").write_text(
        "import numpy as np\n\n\nclass Model:\n    def __init__(self, megabytes=0):\n"
        "        self.megabytes = megabytes\n\n    def fit(self, X, y):\n"
        "        self.held = np.ones((self.megabytes, 2**17))\n        return self\n\n"
        "    def predict(self, X):\n        return X[:, 0]\n"
    )
    from nasrank.benchmarks import load_task
    from nasrank.own import trust, trusted

    trust("./ours.py:Model")
    mark = load_task("nb201/cifar10").fingerprint
    names = ("./ours.py:Model(megabytes=200)", "./ours.py:Model")
    rows = [row(predictor=name, fingerprint=mark) for name in names]
    threads = torch.get_num_threads()
    hungry, modest = (costs._measure(runs, trusted()) for runs in measured_runs(rows, *names))
    assert torch.get_num_threads() == threads
    assert min(hungry.seconds, modest.seconds) > 0
    if modest.mebibytes is None:
        pytest.skip("this system does not tell the peak memory of a process")
    assert hungry.mebibytes - modest.mebibytes == pytest.approx(200, abs=60)
