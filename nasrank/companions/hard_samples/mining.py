"""Which triplets of a batch are learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from nasrank.errors import needing

if TYPE_CHECKING:
    Miner = Callable[[Tensor, Tensor], "Triplets"]

__all__ = ["Triplets", "distances_of", "mean_distances", "mine", "triplet_loss"]


class Triplets(NamedTuple):
    """Places in a batch."""

    anchor: Int64[Tensor, "triplets"]
    positive: Int64[Tensor, "triplets"]
    negative: Int64[Tensor, "triplets"]

    @property
    def found(self) -> bool:
        """Whether there is one."""
        return self.anchor.numel() > 0

    def limited(self, most: int) -> Triplets:
        """Return at most so many, drawn from torch's global numbers."""
        if len(self.anchor) <= most:
            return self
        # The numbers that miners draw from, which are seeded while a model is trained.
        chance = torch.default_generator
        kept = torch.multinomial(torch.ones(len(self.anchor)), most, generator=chance)
        kept = kept.to(self.anchor.device)
        return Triplets(self.anchor[kept], self.positive[kept], self.negative[kept])


def mine(
    name: str, embeddings: Float[Tensor, "n d"], classes: Int64[Tensor, "n"], *, margin: float
) -> Triplets:
    """Choose triplets of a batch.

    - ``triplet-random``: for each anchor as many as its class has samples, positive and negative
      at random.
    - ``semi-hard``: all whose negative is beyond the positive, but by less than the margin.
    - ``batch-hard``: for each anchor the furthest positive and the nearest negative.
    - ``distance-weighted``: negatives drawn against the density of distances on a sphere.

    Args:
        name: One of `~nasrank.companions.hard_samples.methods.MINERS`.
        embeddings: On the unit sphere.
        classes: Theirs.
        margin: Of the triplet loss.

    Returns:
        Triplets; none where the batch holds none of the kind.

    Raises:
        UsageError: pytorch-metric-learning is not installed.

    References:
        Schroff et al. (2015), "FaceNet", CVPR; Hermans et al. (2017), "In defense of the triplet
        loss for person re-identification"; Wu et al. (2017), "Sampling matters in deep embedding
        learning", ICCV.
    """
    return Triplets(*_miners(margin)[name](embeddings.detach(), classes))


def triplet_loss(
    embeddings: Float[Tensor, "n d"], triplets: Triplets, *, margin: float
) -> Float[Tensor, ""]:
    r"""Mean of the triplet losses that are above 0, and 0 where none is.

    .. math:: \max(0, d(a, p) - d(a, n) + m)

    Args:
        embeddings: What the triplets point into.
        triplets: At least one.
        margin: m, in units of distance.

    Example:
        >>> z = torch.tensor([[0.0], [1.0], [1.5], [9.0]])
        >>> places = Triplets(*torch.tensor([[0, 0], [1, 1], [2, 3]]))
        >>> triplet_loss(z, places, margin=1.0).item()  # 1 - 1.5 + 1, and one that is 0
        0.5
    """
    near, far = distances_of(embeddings, triplets)
    losses = (near - far + margin).clamp(min=0)
    return losses.sum() / (losses > 0).sum().clamp(min=1)


def distances_of(
    embeddings: Float[Tensor, "n d"], triplets: Triplets
) -> tuple[Float[Tensor, "triplets"], Float[Tensor, "triplets"]]:
    """Return the distances to positive and negative."""
    anchor, positive, negative = (embeddings[places] for places in triplets)
    return (
        torch.linalg.vector_norm(anchor - positive, dim=-1),
        torch.linalg.vector_norm(anchor - negative, dim=-1),
    )


def mean_distances(
    embeddings: Float[Tensor, "n d"], classes: Int64[Tensor, "n"]
) -> tuple[float, float]:
    """Return the mean distance within and between the classes of a batch; nan where undefined."""
    apart = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    own = classes[:, None] == classes
    between = apart[~own].mean().item() if not own.all() else float("nan")
    own.fill_diagonal_(False)
    return (apart[own].mean().item() if own.any() else float("nan")), between


def _miners(margin: float) -> Mapping[str, Callable[[Tensor, Tensor], tuple[Tensor, ...]]]:
    with needing("metric", "hard samples need pytorch-metric-learning"):
        from pytorch_metric_learning import miners
        from pytorch_metric_learning.utils.loss_and_miner_utils import get_random_triplet_indices
    return {
        "triplet-random": lambda _embeddings, classes: get_random_triplet_indices(classes),
        "semi-hard": miners.TripletMarginMiner(margin=margin, type_of_triplets="semihard"),
        "batch-hard": miners.BatchHardMiner(),
        "distance-weighted": miners.DistanceWeightedMiner(),
    }
