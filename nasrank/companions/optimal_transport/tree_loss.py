"""A tree over architectures, kept by the embedding of the predictor that ranks them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from nasrank.companions.optimal_transport.clouds import make_clouds
from nasrank.companions.optimal_transport.cpcc import cpcc
from nasrank.companions.optimal_transport.distances import DistanceSpec
from nasrank.companions.optimal_transport.hierarchy import Hierarchy
from nasrank.companions.tiers import tiers_of
from nasrank.graphs import GraphBatch
from nasrank.seeds import torch_generator

__all__ = ["TreeLoss", "families"]

_TIERS = 3


def families(graphs: GraphBatch) -> tuple[Int64[np.ndarray, "items"], tuple[str, ...]]:
    """Put each architecture into the family of the operation that it has most of.

    Returns:
        Number of the family of each, and the names of the families: operations, the
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
        family: Family of each architecture of the network.
        count: Number of families.
        distance: Between the embeddings of two classes.
        weight: Factor of ``1 - CPCC``.
        seed: Seed of distances that draw.
    """

    def __init__(
        self,
        family: Int64[np.ndarray, "items"],
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
        self,
        embeddings: Float[Tensor, "members items width"],
        targets: Float[Tensor, "members items"],
        where: Bool[Tensor, "members items"],
        items: Int64[Tensor, "members items"],
    ) -> Float[Tensor, "members"]:
        """Return one loss a member, and count the degenerate ones.

        Args:
            embeddings: One an item.
            targets: Higher is better.
            where: Which items are real.
            items: Their numbers in the network.
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

    def classes_of(
        self,
        targets: Float[Tensor, "members items"],
        where: Bool[Tensor, "members items"],
        items: Int64[Tensor, "members items"],
    ) -> Int64[Tensor, "members items"]:
        """Return the class of each item, -1 on padding."""
        tiers = tiers_of(targets, _TIERS, where=where)
        family = self._family.to(items.device)[items.clamp(min=0)]
        return torch.where(where, family * _TIERS + tiers, -1)
