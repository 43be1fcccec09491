"""Distances between class distributions by name, with options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nasrank.named import Named
from nasrank.registry import Registry

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float
    from torch import Tensor

    from nasrank.companions.optimal_transport.clouds import Clouds

    Distance = Callable[..., Tensor]

__all__ = ["DISTANCES", "DistanceSpec", "parse_distance"]

DISTANCES: Registry[Distance] = Registry("distance")
"""Distances by name. Each takes clouds and a generator of chance, and its options by keyword,
and returns one number a pair of classes, in the unit of the points."""

_HERE = "nasrank.companions.optimal_transport"
DISTANCES.register("l2", target=f"{_HERE}.means:l2")
DISTANCES.register("emd", target=f"{_HERE}.exact:emd")
DISTANCES.register("sinkhorn", target=f"{_HERE}.entropic:sinkhorn")
DISTANCES.register("swd", target=f"{_HERE}.sliced:swd")
DISTANCES.register("twd", target=f"{_HERE}.quadtree:twd")
DISTANCES.register("flowtree", target=f"{_HERE}.quadtree:flowtree")
DISTANCES.register("fastft", target=f"{_HERE}.greedy:fastft")


@dataclass(frozen=True)
class DistanceSpec(Named):
    """A distance and the options that differ from its defaults.

    Raises:
        UsageError: There is no such distance or option, or it cannot have this value.

    Example:
        >>> str(parse_distance("sinkhorn( reg = 10.0, iterations=50)")), str(parse_distance("l2"))
        ('sinkhorn(iterations=50)', 'l2')
    """

    registry: ClassVar[Registry[Distance]] = DISTANCES
    example: ClassVar[str] = "sinkhorn(reg=1)"

    @property
    def quadratic(self) -> bool:
        """Whether time and memory grow at least with the square of the samples of a class."""
        return self.name in {"emd", "sinkhorn"}

    def __call__(self, clouds: Clouds, draws: torch.Generator) -> Float[Tensor, "*batch pairs"]:
        """Return the distance of each pair of clouds.

        Args:
            clouds: The clouds; gradients flow to their points.
            draws: Where chance comes from, for the distances that need any.
        """
        options: dict[str, Any] = dict(self.options)
        return DISTANCES[self.name](clouds, draws, **options)


parse_distance = DistanceSpec.parse
