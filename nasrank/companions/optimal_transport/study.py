"""The studies of ``nasrank ot``, declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from nasrank.benchmarks import load_task
from nasrank.companions.optimal_transport.distances import parse_distance
from nasrank.companions.optimal_transport.figures import draw_archs, file_stem
from nasrank.companions.optimal_transport.options import TrainConfig
from nasrank.companions.optimal_transport.tables import OT_ARCHS
from nasrank.companions.optimal_transport.tree_loss import TreeLoss, families
from nasrank.runs.beside import (
    Beside,
    BesideRun,
    Method,
    Rivals,
    archs_study,
    view_archs,
)
from nasrank.study.study import Result
from nasrank.study.view import Part

__all__ = ["TRAIN_ARCHS"]

_PLAIN = "plain"


def _methods(config: TrainConfig) -> list[Method]:
    names = dict.fromkeys(str(parse_distance(each)) for each in config.distances)
    return [
        Method(_PLAIN, "gnn", {"weight": 0.0}),
        *(
            Method(name, f"gnn+{name}*{weight:g}", {"weight": weight})
            for name in names
            for weight in dict.fromkeys(config.weights)
        ),
    ]


def _beside(fleet: Sequence[BesideRun], _device: str) -> Beside:
    first = fleet[0]
    if first.method == _PLAIN:
        return Beside()
    family, names = families(load_task(first.run["task"]).space.graphs)
    distance, weight = parse_distance(first.method), first.settings["weight"]
    return Beside(TreeLoss(family, len(names), distance, weight, first.run["seed"]))


def _view_archs(result: Result[TrainConfig]) -> Iterable[Part]:
    return view_archs(result, settings=("weight",))


def _draw_archs(result: Result[TrainConfig]) -> Iterable[Path]:
    data = result.config.data
    path = result.out / f"{file_stem(data.replace('/', '-'))}.svg"
    draw_archs(result.rows, data, path)
    return [path]


TRAIN_ARCHS = archs_study(
    TrainConfig,
    table=OT_ARCHS,
    methods=_methods,
    beside=_beside,
    claims=Rivals(
        metrics={
            "kendall_tau": "Kendall tau is higher",
            "precision_at_1pct": "more of the top 1 % is among the first 1 %",
            "regret_at_10": "the best of the first ten is better (regret)",
        },
        claim_id="{better}_over_{worse}_{metric}_n{n_train}",
        statement="with {n_train} training architectures {words} with {better} than {worse}",
        source=OT_ARCHS.name,
        rivals=("l2",),
        settings=("weight",),
    ),
    view=_view_archs,
    pictures=_draw_archs,
    refuses=(
        "labels", "tree", "encoder", "batch_sizes", "epochs", "steps", "learning_rate",
        "train_limit", "test_limit", "test_per_class", "transfer", "cost_matrix", "data_dir",
    ),
)  # fmt: skip
"""``archs:TASK``: a tree of operation family and accuracy tier beside the ranking loss."""
