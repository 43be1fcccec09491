"""The samples of a mini-batch, sorted into one weighted cloud of points a class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

__all__ = ["Clouds", "make_clouds", "weighted"]


@dataclass(frozen=True, eq=False)
class Clouds:
    """Clouds of points, padded to one size, in any number of independent batches.

    Attributes:
        points: Anything on padding.
        weights: Those of a class sum to 1, padding has 0, and so has
            every place of a class without a sample. They carry no gradient.
    """

    points: Float[Tensor, "*batch classes n d"]
    weights: Float[Tensor, "*batch classes n"]

    @cached_property
    def pairs(self) -> tuple[Int64[Tensor, "pairs"], Int64[Tensor, "pairs"]]:
        """First and second class of each unordered pair, in row order."""
        first, second = torch.triu_indices(
            self.classes, self.classes, offset=1, device=self.points.device
        )
        return first, second

    @property
    def classes(self) -> int:
        """Number of classes, those without a sample included."""
        return self.points.shape[-3]

    @cached_property
    def counts(self) -> Int64[Tensor, "*batch classes"]:
        """Samples of each class."""
        return (self.weights > 0).sum(dim=-1)

    @property
    def present(self) -> Bool[Tensor, "*batch pairs"]:
        """Whether both classes of a pair have a sample."""
        first, second = self.pairs
        there = self.counts > 0
        return there[..., first] & there[..., second]

    def means(self) -> Float[Tensor, "*batch classes d"]:
        """Weighted means; zeros for a class without a sample."""
        return (self.weights.unsqueeze(-1).to(self.points) * self.points).sum(dim=-2)


def make_clouds(
    features: Float[Tensor, "*batch samples d"],
    labels: Int64[Tensor, "*batch samples"],
    classes: int,
) -> Clouds:
    """Sort samples into clouds, each in the order of the batch, with equal weights.

    Args:
        features: A row a sample.
        labels: Class of each sample; -1 for none.
        classes: Number of classes.

    Returns:
        Clouds of the size of the largest class; gradients flow to ``features``.

    Example:
        >>> clouds = make_clouds(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1, 0, 1]), 2)
        >>> clouds.points[1].flatten().tolist(), clouds.weights.tolist()
        ([1.0, 3.0], [[1.0, 0.0], [0.5, 0.5]])
    """
    inside = torch.nn.functional.one_hot(labels + 1, classes + 1)[..., 1:]
    counts = inside.sum(dim=-2)
    # Samples of no class sort behind all others, where no place reads them.
    order = torch.where(labels < 0, classes, labels).argsort(dim=-1, stable=True)
    size = max(int(counts.max()), 1)
    slots = torch.arange(size, device=labels.device)
    starts = (counts.cumsum(-1) - counts).unsqueeze(-1)
    real = slots < counts.unsqueeze(-1)
    places = torch.where(real, starts + slots, 0).flatten(-2)
    chosen = order.gather(-1, places).unsqueeze(-1)
    points = features.gather(-2, chosen.expand(*chosen.shape[:-1], features.shape[-1]))
    weights = real / counts.clamp(min=1).unsqueeze(-1).to(torch.float64)
    shape = (*points.shape[:-2], classes, size, points.shape[-1])
    return Clouds(points.reshape(shape), weights)


def weighted(clouds: Clouds, kind: str) -> Clouds:
    """Weight the points of each cloud by their distance to its mean.

    Args:
        clouds: Clouds with equal weights.
        kind: ``uniform`` leaves them equal; ``near`` takes the softmax of minus the distance, so
            that outliers count little; ``far`` of plus the distance.

    Returns:
        The same points; the weights are constants of the gradient.
    """
    if kind == "uniform":
        return clouds
    with torch.no_grad():
        away = (clouds.points - clouds.means().unsqueeze(-2)).norm(dim=-1).double()
        signed = away if kind == "far" else -away
        real = clouds.weights > 0
        # The lowest finite number and not minus infinity: a class may have no sample at all.
        masked = signed.masked_fill(~real, torch.finfo(torch.float64).min)
        # No weight may fall to 0, which stands for padding.
        weights = masked.softmax(dim=-1).clamp(min=torch.finfo(torch.float64).tiny) * real
    return Clouds(clouds.points, weights)
