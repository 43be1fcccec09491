from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from nasrank.runs.beside import PLAIN, Method, Rivals, archs_study, view_archs
from nasrank.runs.run import Run
from nasrank.runs.side import train_with_side
from nasrank.runs.tables import RUNS
from nasrank.study.conduct import conduct
from nasrank.study.options import OnDevice, Seeded, option
from nasrank.tables import Column, Table

TASK = "nb201/cifar10"


class NudgeConfig(Seeded, OnDevice):
    """Draw embeddings towards the origin."""

    command: ClassVar[str] = "nudge"
    study: ClassVar[str] = "here:NUDGE"
    data: str = option(f"archs:{TASK}", "The task.")
    n_train: tuple[int, ...] = option((16,), "Training architectures.")
    weights: tuple[float, ...] = option((1.0,), "Weights.")


class Nudge:
    def __init__(self, members, weight):
        self.weight, self.degenerate = weight, np.zeros(members, int)

    def __call__(self, embeddings, _targets, _where, _items):
        self.degenerate += 1
        return self.weight * (embeddings**2).mean(dim=(1, 2))


NUDGED = Table(
    "nudged",
    "One predictor",
    (
        Column("run_id", "string", "", "Hash"),
        Column("data", "string", "", "archs: and the task"),
        Column("method", "string", "", "nudge or plain"),
        Column("seed", "int64", "", "Seed"),
        Column("weight", "double", "1", "Weight"),
        *RUNS.pick("n_train", "kendall_tau", "precision_at_1pct", "precision_at_5pct"),
        *RUNS.pick("regret_at_10", "diverged", "fit_seconds"),
        Column("degenerate_batches", "int64", "batches", "Lists"),
    ),
)


def beside(fleet, _device):
    return None if fleet[0].method == PLAIN else Nudge(len(fleet), fleet[0].settings["weight"])


RIVALS = Rivals(
    metrics={"kendall_tau": "higher", "regret_at_10": "lower"},
    claim_id="{better}_{worse}_{metric}_{n_train}",
    statement="{words}: {better}, {worse}, {metric}, {n_train}",
    source="nudged",
    rivals=("random",),
)
NUDGE = archs_study(
    NudgeConfig,
    table=NUDGED,
    methods=lambda config: [
        Method(PLAIN, "gnn", {"weight": 0.0}),
        *(Method("nudge", f"gnn+nudge*{w:g}", {"weight": w}) for w in config.weights),
    ],
    beside=beside,
    claims=RIVALS,
    view=view_archs,
    pictures=lambda _result: [],
    controls=lambda _job, _measures: (),
)


@pytest.mark.slow
def test_a_method_beside_the_loss(tmp_path, warm_cache, monkeypatch):
    monkeypatch.setenv("NASRANK_CACHE", str(warm_cache))
    config = NudgeConfig(seeds=2, device="cpu", weights=(0.5,))
    result = conduct(config, tmp_path, study=NUDGE)
    assert list(result.tables) == [
        "nudged", "claims", "runs", "discovery", "summary", "controls",
    ]  # fmt: skip
    assert [(r["method"], r["seed"], r["weight"]) for r in result.rows] == [
        ("plain", 0, 0.0), ("plain", 1, 0.0), ("nudge", 0, 0.5), ("nudge", 1, 0.5),
    ]  # fmt: skip
    assert [row["degenerate_batches"] > 0 for row in result.rows] == [False, False, True, True]
    # A plain run is the run that `compare` makes, under its own identity.
    (alone, _) = train_with_side(TASK, "gnn", 16, (0, 1), device="cpu")
    run = {name: alone[name] for name in Run.__dataclass_fields__ if name in alone}
    assert result.rows[0]["run_id"] == alone["run_id"]
    assert result.rows[0]["kendall_tau"] == pytest.approx(alone["kendall_tau"])
    assert run["predictor"] == "gnn"
    # What is finished is known from the final tables alone.
    for path in Path(tmp_path, "runs.d").iterdir():
        path.unlink()
    again = conduct(config, tmp_path, study=NUDGE, only_cached=True)
    assert again.computed == 0
    for name in ("nudged", "claims", "runs", "discovery"):
        assert again.tables[name] == result.tables[name]
    (sheet, note) = NUDGE.view(result)
    assert sheet.title == f"archs:{TASK}, 2 seeds"
    assert [row["method"] for row in sheet.rows] == ["plain", "nudge"]
    plain, nudged = (row["gain"] for row in sheet.rows)
    assert plain == "-"
    assert "±" in nudged
    assert "differences to plain on the same seed" in note


def rows_of(method, tau):
    return [
        {"data": "a", "method": method, "n_train": 16, "seed": seed,
         "kendall_tau": tau + 0.01 * seed, "regret_at_10": 1 - tau - 0.01 * seed}
        for seed in range(6)
    ]  # fmt: skip


def test_every_method_is_compared_with_plain_first_and_then_with_rivals():
    rows = [*rows_of("plain", 0.5), *rows_of("random", 0.6), *rows_of("two-stage", 0.7)]
    claims = RIVALS(rows)
    assert [claim["claim_id"] for claim in claims] == [
        f"{better}_{worse}_{metric}_16"
        for better, worse in (("random", "plain"), ("two-stage", "plain"), ("two-stage", "random"))
        for metric in ("kendall_tau", "regret_at_10")
    ]
    # Regret is better where it is lower.
    assert [round(claim["estimate"], 6) for claim in claims] == [0.1, 0.1, 0.2, 0.2, 0.1, 0.1]
    assert claims[0]["statement"] == "higher: random, plain, kendall_tau, 16"
    assert claims[1]["source"] == "nudged: regret_at_10"


def test_claims_of_plain_runs_alone_are_none():
    assert RIVALS(rows_of("plain", 0.5)) == []
