"""Predictors whose embeddings are shaped by something beside the ranking loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    from torch import Tensor

    from nasrank.benchmarks.splits import Split
    from nasrank.predictors.predictor import Fitted

__all__ = ["Start", "network_of", "train_with_side"]

Start = Callable[[GNN, Sequence[Member]], Mapping[str, "Tensor"]]
"""Makes first weights: the network and its members to weights by name, ``[members, *shape]``."""


def train_with_side(
    task: str,
    method: str,
    n_train: int,
    seeds: Sequence[int],
    *,
    side: SideLoss | None = None,
    start: Start | None = None,
    loss: str = "listmle",
    device: str = "cpu",
    recipe: Recipe | None = None,
) -> list[dict[str, Any]]:
    """Train one predictor a seed, all as one fleet, and measure them as `compare` does.

    With neither a side loss nor first weights they are the ``gnn`` of `compare` on the same
    seeds, splits and initial weights, so runs pair by seed.

    Args:
        task: A task by name.
        method: What stands as ``predictor`` in the rows.
        n_train: Training architectures.
        seeds: Seeds of the runs.
        side: A loss on embeddings, added to the ranking loss.
        start: Makes first weights; names it leaves out start as usual.
        loss: The ranking loss.
        device: ``auto``, ``cpu`` or ``cuda``.
        recipe: How to train; the default recipe if None.

    Returns:
        Rows of :data:`~nasrank.runs.tables.FINISHED`, one a seed.

    Raises:
        UsageError: There is no such task, loss or device, or the size does not fit.
        DataError: The task's data is missing or damaged.
    """
    known = load_task(task)
    network = network_of(task, str(choose_device(device)))
    runs = [
        Run(
            known.name, known.fingerprint, method, loss, n_train, seed, "class", "mean",
            "rest", "random",
        )
        for seed in seeds
    ]  # fmt: skip

    def fit(members: Sequence[Member], _splits: Sequence[Split]) -> Fitted:
        first = None if start is None else start(network, members)
        return train_fleet(network, members, recipe, start=first, side=side)

    return fit_and_measure(runs, fit, network.device.type)


@lru_cache(maxsize=2)
def network_of(task: str, device: str) -> GNN:
    """Lay out the distinct architectures of a task for the graph network, once."""
    return GNN(load_task(task).space.graphs, device=device)
