"""Predictors whose embeddings are shaped by something beside the ranking loss."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nasrank.benchmarks import load_task
from nasrank.predictors.fleet import SideLoss, train_fleet
from nasrank.predictors.gnn import GNN
from nasrank.predictors.predictor import Member
from nasrank.predictors.recipe import Recipe
from nasrank.runs.run import Run
from nasrank.runs.train import fit_and_measure
from nasrank.study.device import choose_device

if TYPE_CHECKING:
    from nasrank.benchmarks.splits import Split
    from nasrank.predictors.predictor import Fitted

__all__ = ["LOSS", "network_of", "train_with_side"]

LOSS = "listmle"
"""The ranking loss."""


def train_with_side(
    task: str,
    method: str,
    n_train: int,
    seeds: Sequence[int],
    *,
    side: SideLoss | None = None,
    device: str = "cpu",
    recipe: Recipe | None = None,
) -> list[dict[str, Any]]:
    """Train one predictor a seed, all as one fleet, and measure them as `compare` does.

    Without a side loss they are the ``gnn`` of `compare` on the same seeds, splits and initial
    weights, so runs pair by seed.

    Args:
        task: A task by name.
        method: What stands as ``predictor`` in the rows.
        n_train: Training architectures.
        seeds: Seeds of the runs.
        side: A loss on embeddings, added to the ranking loss.
        device: ``auto``, ``cpu`` or ``cuda``.
        recipe: How to train; the default recipe if None.

    Returns:
        Rows of :data:`~nasrank.runs.tables.FINISHED`, one a seed.

    Raises:
        UsageError: There is no such task or device, or the size does not fit.
        DataError: The task's data is missing or damaged.
    """
    known = load_task(task)
    network = network_of(task, str(choose_device(device)))
    runs = [
        Run(
            known.name, known.fingerprint, method, LOSS, n_train, seed, "class", "mean",
            "rest", "random",
        )
        for seed in seeds
    ]  # fmt: skip

    def fit(members: Sequence[Member], _splits: Sequence[Split]) -> Fitted:
        return train_fleet(network, members, recipe, side=side)

    return fit_and_measure(runs, fit, network.device.type)


@lru_cache(maxsize=2)
def network_of(task: str, device: str) -> GNN:
    """Lay out the distinct architectures of a task for the graph network, once."""
    return GNN(load_task(task).space.graphs, device=device)
