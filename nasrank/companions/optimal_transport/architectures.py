"""A tree over architectures, kept by the embedding of the predictor that ranks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nasrank.benchmarks import Space, load_task, parse_task
from nasrank.benchmarks.splits import make_split
from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.cpcc import cpcc
from nasrank.companions.optimal_transport.distances import DistanceSpec, parse_distance
from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.companions.optimal_transport.planning import OtConfig
from nasrank.files import remove_stale_parts
from nasrank.graphs import GraphBatch
from nasrank.runs.run import Run
from nasrank.runs.side import train_with_side
from nasrank.runs.tables import FINISHED
from nasrank.runs.tabulate import write_run_tables
from nasrank.seeds import torch_generator
from nasrank.study.claims import CLAIMS, paired_claim
from nasrank.study.device import choose_device
from nasrank.study.finished import FinishedRuns, Identity
from nasrank.study.finishing import Progress, absences, finish, missing
from nasrank.tables import Column, Table, write_json

__all__ = [
    "OT_ARCHS",
    "PREFIX",
    "ArchsResult",
    "TreeLoss",
    "estimate_archs",
    "families",
    "train_archs",
]

PREFIX = "archs:"
"""What names of data start with that are tasks."""

_TIERS = 3
_ONLY_SAMPLES = (
    "labels", "tree", "encoder", "batch_sizes", "epochs", "steps", "rate", "train_limit",
    "test_limit", "test_per_class", "transfer", "cost_matrix",
)  # fmt: skip
_LOSS = "listmle"
_PLAIN = "gnn"
_METRICS = ("kendall_tau", "precision_at_1pct", "precision_at_5pct", "regret_at_10")
_COPIED = {column.name: column for column in FINISHED.columns}

OT_ARCHS = Table(
    "ot_archs",
    "One predictor trained once",
    (
        Column("run_id", "string", "", "Hash of the run's configuration and data"),
        Column("data", "string", "", "archs: and the task"),
        Column("method", "string", "", "Distance inside the regulariser, or plain for none"),
        Column("seed", "int64", "", "Seed of the run"),
        Column("weight", "double", "1", "Weight of 1 - CPCC beside the ranking loss"),
        _COPIED["n_train"],
        _COPIED["n_test"],
        *(_COPIED[name] for name in _METRICS),
        Column(
            "degenerate_batches", "int64", "batches",
            "Lists without a correlation, which taught nothing of the tree",
        ),
        _COPIED["diverged"],
        _COPIED["fit_seconds"],
        _COPIED["device"],
    ),
)  # fmt: skip

_KEPT = Table(
    "ot_archs_kept",
    FINISHED.about,
    (*FINISHED.columns, OT_ARCHS.columns[-4]),
)

Row = dict[str, Any]


@dataclass(frozen=True)
class _ArchsRun(Identity):
    """What the numbers of a run depend on: those of `Run`, and the regulariser."""

    run: dict[str, Any]
    method: str
    weight: float

    @cached_property
    def run_id(self) -> str:
        """The identity of the run in ``runs``, whose predictor's name holds the regulariser."""
        return Run(**self.run).run_id


@dataclass(frozen=True)
class ArchsResult:
    """Finished runs.

    Attributes:
        rows: Rows of `OT_ARCHS`.
        claims: Rows of `CLAIMS`.
        left_out: What is missing, one line each.
        trained: Number of predictors trained by this call.
    """

    rows: list[Row]
    claims: list[Row]
    left_out: tuple[str, ...]
    trained: int


def families(graphs: GraphBatch) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Put each architecture into the family of the operation that it has most of.

    Args:
        graphs: ``[items]``.

    Returns:
        Number of the family of each ``[items]``, and the names of the families: operations, the
        first of the vocabulary where two are equally many, and ``none`` for graphs without any.
    """
    counts = graphs.operation_counts()
    outer = [
        graphs.vocabulary.index(end) for end in ("input", "output") if end in graphs.vocabulary
    ]
    counts[:, outer] = 0
    chosen = np.where(counts.max(axis=1) > 0, counts.argmax(axis=1), -1)
    numbers, family = np.unique(chosen, return_inverse=True)
    names = tuple("none" if each < 0 else graphs.vocabulary[each] for each in numbers)
    return family.astype(np.int64), names


class TreeLoss:
    """``weight * (1 - CPCC)`` of embeddings, for a tree of operation family and accuracy tier.

    The tier of an architecture is its third of the labels in its list: nothing but training
    labels is looked at. Two architectures of one family and tier are one class; classes are 2
    apart within a family and 4 otherwise.

    Args:
        family: Family of each architecture of the network ``[items]``.
        count: Number of families.
        distance: Between the embeddings of two classes.
        weight: Factor of ``1 - CPCC``.
        seed: Seed of distances that draw.
    """

    def __init__(
        self,
        family: NDArray[np.int64],
        count: int,
        distance: DistanceSpec,
        weight: float,
        seed: int,
    ) -> None:
        self._family = torch.from_numpy(family)
        self._distance, self._weight, self._classes = distance, weight, count * _TIERS
        names = [(str(f), str(t)) for f in range(count) for t in range(_TIERS)]
        self._lengths = torch.from_numpy(Hierarchy("tiers", tuple(names)).pair_distances())
        self._draws = torch_generator(seed, stream="distance", part="train")
        self.degenerate: Tensor | None = None

    def __call__(
        self, embeddings: Tensor, targets: Tensor, where: Tensor, items: Tensor
    ) -> Tensor:
        """Return one loss a member ``[members]``, and count the degenerate ones.

        Args:
            embeddings: ``[members, items, width]``.
            targets: ``[members, items]``, higher is better.
            where: Which items are real, bool ``[members, items]``.
            items: Their numbers in the network ``[members, items]``.
        """
        labels = self.classes_of(targets, where, items)
        clouds = make_clouds(embeddings, labels, self._classes)
        value, degenerate = cpcc(
            self._distance(clouds, self._draws),
            self._lengths.to(embeddings),
            where=clouds.present,
        )
        counted = degenerate.long()
        self.degenerate = counted if self.degenerate is None else self.degenerate + counted
        return self._weight * (1 - value)

    def classes_of(self, targets: Tensor, where: Tensor, items: Tensor) -> Tensor:
        """Return the class of each item, -1 on padding ``[members, items]``."""
        ranks = targets.masked_fill(~where, torch.inf).argsort(dim=-1, stable=True).argsort(dim=-1)
        tiers = (_TIERS * ranks) // where.sum(dim=-1, keepdim=True).clamp(min=1)
        family = self._family.to(items.device)[items.clamp(min=0)]
        return torch.where(where, family * _TIERS + tiers, -1)


def train_archs(
    config: OtConfig,
    out: Path,
    *,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> ArchsResult:
    """Train graph predictors with and without the tree, and measure them as `compare` does.

    Args:
        config: What to train; ``data`` is ``archs:TASK``.
        out: Folder for ``runs.d``, ``ot_archs``, ``runs``, ``discovery``, ``summary``, ``claims``
            and ``run.json``.
        progress: Hears how far it is.
        only_cached: Train nothing; report what is there.
        force: Train every run again.

    Raises:
        UsageError: The task, a distance or a size cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished fleets are kept.
    """
    device = choose_device(config.device).type
    fleets = _plan(config)
    runs = [run for fleet in fleets for run in fleet]
    about = {"command": "ot train", "config": config.model_dump(mode="json")}
    write_json(about, out / "run.json")
    remove_stale_parts(out)
    finished = FinishedRuns(out / "runs.d", table=_KEPT, kind=_ArchsRun)

    def compute(fleet: Sequence[_ArchsRun]) -> list[Row]:
        rows = _train(fleet, device)
        if progress is not None:
            progress.advance(len(fleet))
        return rows

    kept, trained = finish(
        fleets, compute, finished, what="runs", progress=progress, only_cached=only_cached,
        force=force,
    )  # fmt: skip
    present = [run for run in runs if run.run_id in kept]
    left_out = absences(runs, kept, finished, what="runs")
    rows = [_public(config.data, run, kept[run.run_id]) for run in present]
    claims = _claims(rows)
    OT_ARCHS.write(rows, out / "ot_archs.parquet", about)
    CLAIMS.write(claims, out / "claims.parquet", about)
    write_run_tables([kept[run.run_id] for run in present], out, about)
    return ArchsResult(rows, claims, left_out, trained)


def estimate_archs(
    config: OtConfig, out: Path, *, only_cached: bool = False, force: bool = False
) -> tuple[int, int, str]:
    """Return the number of runs, how many are not finished, and the kind of device."""
    runs = [run for fleet in _plan(config) for run in fleet]
    finished = FinishedRuns(out / "runs.d", table=_KEPT, kind=_ArchsRun)
    left = missing(runs, finished, only_cached=only_cached, force=force)
    return len(runs), len(left), choose_device(config.device).type


def _plan(config: OtConfig) -> list[list[_ArchsRun]]:
    """One fleet for each method and size."""
    config.refuse(_ONLY_SAMPLES)
    task = str(parse_task(config.data.removeprefix(PREFIX)))
    known = load_task(task)
    methods = list(dict.fromkeys(str(parse_distance(each)) for each in config.distances))
    settings = [("plain", 0.0), *((m, w) for m in methods for w in dict.fromkeys(config.weights))]
    seeds = range(config.seed, config.seed + config.seeds)
    fleets = []
    for n_train in dict.fromkeys(config.n_train):
        # Refused here, before anything is trained or written.
        make_split(known, n_train, config.seed, split="class")
        for method, weight in settings:
            name = _PLAIN if method == "plain" else f"{_PLAIN}+{method}*{weight:g}"
            run = {
                "task": known.name, "fingerprint": known.fingerprint, "predictor": name,
                "loss": _LOSS, "n_train": n_train, "split": "class", "labels": "mean",
                "test": "rest", "sampling": "random",
            }  # fmt: skip
            fleets.append([_ArchsRun({**run, "seed": seed}, method, weight) for seed in seeds])
    return fleets


def _train(fleet: Sequence[_ArchsRun], device: str) -> list[Row]:
    first = fleet[0]
    seeds = [run.run["seed"] for run in fleet]
    side = None
    if first.method != "plain":
        family, names = _families_of(load_task(first.run["task"]).space)
        side = TreeLoss(family, len(names), parse_distance(first.method), first.weight, seeds[0])
    rows = train_with_side(
        first.run["task"], first.run["predictor"], first.run["n_train"], seeds, side=side,
        loss=_LOSS, device=device,
    )  # fmt: skip
    none = [0] * len(rows)
    if side is not None and side.degenerate is not None:
        none = side.degenerate.tolist()
    return [{**row, "degenerate_batches": n} for row, n in zip(rows, none, strict=True)]


def _families_of(space: Space) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    return families(space.graphs)


def _public(data: str, run: _ArchsRun, kept: Mapping[str, Any]) -> Row:
    own = {"data": data, "method": run.method, "weight": run.weight}
    return {c.name: own[c.name] if c.name in own else kept[c.name] for c in OT_ARCHS.columns}


def _claims(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Judge whether a tree helps the predictor, and whether transport helps more than means."""
    weights = [row["weight"] for row in rows if row["method"] != "plain"]

    def values(method: str, n_train: int, metric: str) -> dict[int, float]:
        weight = 0.0 if method == "plain" or not weights else weights[0]
        return {
            row["seed"]: row[metric]
            for row in rows
            if (row["method"], row["n_train"], row["weight"]) == (method, n_train, weight)
            and row[metric] is not None
        }

    methods = list(dict.fromkeys(row["method"] for row in rows))
    pairs = [(m, "plain") for m in methods if m != "plain"]
    pairs += [(m, "l2") for m in methods if m not in {"plain", "l2"} and "l2" in methods]
    return [
        paired_claim(
            f"{better}_over_{worse}_{metric}_n{n_train}",
            f"with {n_train} training architectures {words} with {better} than {worse}",
            rows[0]["data"],
            values(better, n_train, metric),
            values(worse, n_train, metric),
            source=f"ot_archs: {metric}",
            higher_is_better=metric != "regret_at_10",
        )
        for n_train in dict.fromkeys(row["n_train"] for row in rows)
        for better, worse in pairs
        for metric, words in (
            ("kendall_tau", "Kendall tau is higher"),
            ("precision_at_1pct", "more of the top 1 % is among the first 1 %"),
            ("regret_at_10", "the best of the first ten is better (regret)"),
        )
    ]
