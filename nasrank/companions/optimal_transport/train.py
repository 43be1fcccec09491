"""Train classifiers with and without the tree, and measure what it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasrank.companions.optimal_transport.claims import ot_claims
from nasrank.companions.optimal_transport.confusions import confusion_rows
from nasrank.companions.optimal_transport.distances import DistanceSpec, parse_distance
from nasrank.companions.optimal_transport.measures import (
    confusion_matrix,
    feature_cpcc,
    group_probabilities,
    mistake_costs,
    one_shot_accuracy,
    principal_plane,
    retrieval_map,
)
from nasrank.companions.optimal_transport.planning import PLAIN, OtConfig, OtRun, plan_runs
from nasrank.companions.optimal_transport.problem import Problem, load_problem, only_classes
from nasrank.companions.optimal_transport.tables import CONFUSIONS, KEPT, OT
from nasrank.companions.optimal_transport.training import (
    Regulariser,
    Trained,
    train_classifier,
)
from nasrank.files import remove_stale_parts
from nasrank.study.claims import CLAIMS
from nasrank.study.device import choose_device
from nasrank.study.finished import FinishedRuns
from nasrank.study.finishing import Progress, absences, finish, missing
from nasrank.tables import write_json

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nasrank.companions.optimal_transport.hierarchy import Hierarchy
    from nasrank.samples import Samples

__all__ = ["COLUMNS", "OtEstimate", "OtResult", "estimate", "train"]

COLUMNS = tuple(column.name for column in OT.columns)
"""Names of what everybody gets to see of a run."""

_L2, _EMD = DistanceSpec("l2"), DistanceSpec("emd")
_SHOWN = 300

Row = dict[str, Any]


@dataclass(frozen=True)
class OtResult:
    """Finished runs.

    Attributes:
        out: The folder they were written to.
        problem: The data and its tree.
        rows: Rows of `KEPT`, in the order of the grid.
        confusions: Rows of `CONFUSIONS`.
        claims: Rows of `CLAIMS`.
        left_out: What is missing, one line each.
        trained: Number of models trained by this call.
    """

    out: Path
    problem: Problem
    rows: list[Row]
    confusions: list[Row]
    claims: list[Row]
    left_out: tuple[str, ...]
    trained: int


@dataclass(frozen=True)
class OtEstimate:
    """What a command would do.

    Attributes:
        runs: All its runs.
        missing: How many of them are not finished.
        device: Kind of device they would run on.
    """

    runs: tuple[OtRun, ...]
    missing: int
    device: str


def train(
    config: OtConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> OtResult:
    """Train the runs that are missing and write their tables.

    Args:
        config: What to train.
        out: Folder for ``runs.d``, ``ot``, ``confusions``, ``claims`` and ``run.json``.
        data_dir: Folder of image files.
        progress: Hears how far it is.
        only_cached: Train nothing; report what is there.
        force: Train every run again.

    Raises:
        UsageError: The configuration cannot be meant.
        DataError: Data is missing or damaged, or the folder cannot be written.
        NothingToCompare: ``only_cached``, and no run is there.
        Interrupted: Stopped by the user; finished runs are kept.
    """
    device = choose_device(config.device)
    problem = _problem(config, data_dir)
    runs = plan_runs(config, problem)
    about = {
        "command": "ot train",
        "config": config.model_dump(mode="json"),
        "fingerprint": problem.data.fingerprint,
    }
    # Written first: a folder that cannot be written must not cost a training.
    write_json(about, out / "run.json")
    remove_stale_parts(out)
    finished = FinishedRuns(out / "runs.d", table=KEPT, kind=OtRun)
    worker = _Worker(problem, device, progress)
    kept, trained = finish(
        [(run,) for run in runs],
        lambda fleet: [worker.row(run) for run in fleet],
        finished,
        what="runs",
        progress=progress,
        only_cached=only_cached,
        force=force,
    )
    rows = [kept[run.run_id] for run in runs if run.run_id in kept]
    left_out = absences(runs, kept, finished, what="runs")
    public = [{name: row[name] for name in COLUMNS} for row in rows]
    confusions = confusion_rows(rows, problem.tree, problem.data.class_names)
    claims = ot_claims(public)
    OT.write(public, out / "ot.parquet", about)
    CONFUSIONS.write(confusions, out / "confusions.parquet", about)
    CLAIMS.write(claims, out / "claims.parquet", about)
    return OtResult(out, problem, rows, confusions, claims, left_out, trained)


def estimate(
    config: OtConfig,
    out: Path,
    *,
    data_dir: Path | None = None,
    only_cached: bool = False,
    force: bool = False,
) -> OtEstimate:
    """Say what a command would do, without training or writing anything.

    Args:
        config: What to train.
        out: Folder of the runs.
        data_dir: Folder of image files.
        only_cached: Train nothing.
        force: Train every run again.
    """
    runs = plan_runs(config, _problem(config, data_dir))
    finished = FinishedRuns(out / "runs.d", table=KEPT, kind=OtRun)
    left = missing(runs, finished, only_cached=only_cached, force=force)
    return OtEstimate(runs, len(left), choose_device(config.device).type)


def _problem(config: OtConfig, data_dir: Path | None) -> Problem:
    return load_problem(
        config.data,
        labels=config.labels,
        tree=config.tree,
        costs=config.cost_matrix,
        train_limit=config.train_limit,
        test_limit=config.test_limit,
        data_dir=data_dir,
    )


class _Worker:
    """Trains runs of one problem.

    Args:
        problem: The problem.
        device: Where to train.
        progress: Hears of each run.
    """

    def __init__(self, problem: Problem, device: torch.device, progress: Progress | None) -> None:
        self._problem, self._device, self._progress = problem, device, progress
        self._raw: dict[str, dict[str, float | None]] = {}

    def row(self, run: OtRun) -> Row:
        """Train and measure one run."""
        problem = self._problem.drawn(run.seed)
        trained = self._train(run, problem.data.train, problem.tree)
        known: Row = {
            **dict.fromkeys(column.name for column in KEPT.columns),
            **{key: value for key, value in asdict(run).items() if key in COLUMNS},
            "run_id": run.run_id,
            "tree": json.loads(run.tree)[0],
            "n_train": len(problem.data.train),
            "n_test": len(problem.data.test),
            **self._raw_cpcc(run, problem),
            "batches": trained.batches,
            "degenerate_batches": trained.degenerate,
            "diverged": trained.diverged,
            "fit_seconds": trained.seconds,
            "device": self._device.type,
        }
        if not trained.diverged:
            features, logits = trained.model.apply_to(problem.data.test.values)
            known["diverged"] = _collapsed(logits, problem.data.test.classes)
        if not known["diverged"]:
            known |= _measured(trained, run, problem, features, logits)
            if run.transfer:
                known |= self._transferred(run, problem)
        if self._progress is not None:
            self._progress.advance(1)
        return known

    def _train(self, run: OtRun, samples: Samples, tree: Hierarchy) -> Trained:
        regulariser = None
        if run.method != PLAIN:
            regulariser = Regulariser(parse_distance(run.method), run.weight)
        return train_classifier(
            samples,
            tree,
            regulariser,
            encoder=run.encoder,
            batch_size=run.batch_size,
            epochs=run.epochs,
            rate=run.rate,
            seed=run.seed,
            device=self._device,
        )

    def _raw_cpcc(self, run: OtRun, problem: Problem) -> dict[str, float | None]:
        import torch

        key = f"{problem.data.fingerprint} {run.test_per_class}"
        if key not in self._raw:
            test = problem.data.test
            values = torch.from_numpy(test.values.reshape(len(test), -1))
            self._raw[key] = {
                f"raw_cpcc_{spec}": feature_cpcc(
                    values, test.classes, problem.tree, spec, per_class=run.test_per_class
                )[0]
                for spec in (_L2, _EMD)
            }
        return self._raw[key]

    def _transferred(self, run: OtRun, problem: Problem) -> Row:
        """Train once more without some classes, and measure on them."""
        unseen = problem.tree.unseen()
        seen = np.setdiff1d(np.arange(len(problem.tree)), unseen)
        tree, data = problem.tree.of(seen), problem.data
        asked = only_classes(data.test, unseen)
        # Without a tree of the seen classes every method would train plain under its own name.
        if len(unseen) < 2 or tree is None or not len(asked):
            return {}
        trained = self._train(run, only_classes(data.train, seen), tree)
        if trained.diverged:
            return {}
        own = only_classes(data.test, seen)
        if len(own) and _collapsed(trained.model.apply_to(own.values)[1], own.classes):
            return {}
        known = only_classes(data.train, unseen)
        known_features, _ = trained.model.apply_to(known.values)
        asked_features, logits = trained.model.apply_to(asked.values)
        groups = problem.tree.group_of
        shares = group_probabilities(logits.double().softmax(-1).numpy(), groups[seen])
        right = shares.argmax(axis=1) == groups[unseen][asked.classes]
        return {
            "unseen_fine_accuracy": one_shot_accuracy(
                known_features, known.classes, asked_features, asked.classes, seed=run.seed
            ),
            "unseen_coarse_accuracy": 100.0 * float(right.mean()),
        }


def _collapsed(logits: Tensor, true: NDArray[np.int64]) -> bool:
    """Whether all samples are taken for one class: dead units have no features to speak of."""
    # Of samples of one class that says nothing.
    return bool(np.ptp(true) > 0 and np.ptp(logits.argmax(dim=1).numpy()) == 0)


def _measured(
    trained: Trained, run: OtRun, problem: Problem, features: Tensor, logits: Tensor
) -> Mapping[str, Any]:
    data, tree = problem.data, problem.tree
    known, _ = trained.model.apply_to(data.train.values)
    true, groups = data.test.classes, tree.group_of
    predicted = logits.argmax(dim=1).numpy()
    shares = group_probabilities(logits.double().softmax(-1).numpy(), groups)
    confusion = confusion_matrix(true, predicted, len(tree))
    own = None
    if run.method != PLAIN:
        spec = parse_distance(run.method)
        cap = run.test_per_class if spec.quadratic else None
        own = feature_cpcc(features, true, tree, spec, seed=run.seed, per_class=cap)[0]
    by_emd, between = feature_cpcc(features, true, tree, _EMD, per_class=run.test_per_class)
    shown = np.linspace(0, len(true) - 1, min(_SHOWN, len(true))).astype(np.int64)
    return {
        "test_cpcc": own,
        "test_cpcc_l2": feature_cpcc(features, true, tree, _L2)[0],
        "test_cpcc_emd": by_emd,
        "fine_accuracy": 100.0 * float((predicted == true).mean()),
        "coarse_accuracy": 100.0 * float((shares.argmax(axis=1) == groups[true]).mean()),
        "fine_map": retrieval_map(known, data.train.classes, features, true),
        "coarse_map": retrieval_map(known, groups[data.train.classes], features, groups[true]),
        **mistake_costs(confusion, tree, problem.costs),
        "confusion": confusion.ravel().tolist(),
        "class_distances": between.tolist(),
        "shown": principal_plane(features)[shown].ravel().tolist(),
        "shown_classes": true[shown].tolist(),
    }
