"""Train a classifier with or without the tree, and measure what it has learnt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int64

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
from nasrank.companions.optimal_transport.plan import PLAIN, OtRun
from nasrank.companions.optimal_transport.problem import Problem, only_classes
from nasrank.companions.optimal_transport.tables import KEPT, OT
from nasrank.companions.optimal_transport.training import (
    Regulariser,
    Trained,
    train_classifier,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nasrank.companions.optimal_transport.hierarchy import Hierarchy
    from nasrank.samples import Samples

__all__ = ["ModelWorker"]

_COLUMNS = {column.name for column in OT.columns}
_L2, _EMD = DistanceSpec("l2"), DistanceSpec("emd")
_SHOWN = 300

Row = dict[str, Any]


class ModelWorker:
    """Trains and measures runs of one problem."""

    def __init__(self, problem: Problem, device: torch.device) -> None:
        self._problem, self._device = problem, device
        self._raw: dict[str, dict[str, float | None]] = {}

    def __call__(self, fleet: Sequence[OtRun], _on_work: object = None) -> list[Row]:
        """Return a row of `KEPT` for each run."""
        return [self._row(run) for run in fleet]

    def _row(self, run: OtRun) -> Row:
        problem = self._problem.drawn(run.seed)
        trained = self._train(run, problem.data.train, problem.tree)
        known: Row = {
            **dict.fromkeys(column.name for column in KEPT.columns),
            **{key: value for key, value in asdict(run).items() if key in _COLUMNS},
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


def _collapsed(logits: Float[Tensor, "n classes"], true: Int64[np.ndarray, "n"]) -> bool:
    """Whether all samples are taken for one class: dead units have no features to speak of."""
    # Of samples of one class that says nothing.
    return bool(np.ptp(true) > 0 and np.ptp(logits.argmax(dim=1).numpy()) == 0)


def _measured(
    trained: Trained,
    run: OtRun,
    problem: Problem,
    features: Float[Tensor, "n d"],
    logits: Float[Tensor, "n classes"],
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
