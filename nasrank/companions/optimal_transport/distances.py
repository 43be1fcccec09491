"""Distances between class distributions by name, with options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nasrank.errors import UsageError
from nasrank.grammar import read_call
from nasrank.losses.options import (
    OptionValue,
    canonical_options,
    options_of_signature,
    spelled_call,
)
from nasrank.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nasrank.companions.optimal_transport.clouds import Clouds

    Distance = Callable[..., Tensor]

__all__ = ["DISTANCES", "DistanceSpec", "parse_distance"]

DISTANCES: Registry[Distance] = Registry("distance")
"""Distances by name. Each takes clouds and a generator of chance, and its options by keyword,
and returns one number a pair of classes ``[*batch, pairs]``, in the unit of the points."""

_HERE = "nasrank.companions.optimal_transport"
DISTANCES.register("l2", target=f"{_HERE}.means:l2")
DISTANCES.register("emd", target=f"{_HERE}.exact:emd")
DISTANCES.register("sinkhorn", target=f"{_HERE}.entropic:sinkhorn")
DISTANCES.register("swd", target=f"{_HERE}.sliced:swd")
DISTANCES.register("twd", target=f"{_HERE}.quadtree:twd")
DISTANCES.register("flowtree", target=f"{_HERE}.quadtree:flowtree")
DISTANCES.register("fastft", target=f"{_HERE}.greedy:fastft")


@dataclass(frozen=True)
class DistanceSpec:
    """A distance and the options that differ from its defaults.

    Options are checked, those equal to the default are dropped and the rest are sorted, so equal
    meanings are equal objects with the same text.

    Attributes:
        name: The name of a registered distance.
        options: Pairs of an option's name and its value or the text of it.

    Raises:
        UsageError: There is no such distance or option, or it cannot have this value.
    """

    name: str
    options: tuple[tuple[str, OptionValue], ...] = ()

    def __post_init__(self) -> None:
        """Bring the options to their canonical form."""
        # The names are known without importing any; only options need the function.
        if self.options or self.name not in DISTANCES:
            known = options_of_signature(DISTANCES[self.name])
            options = canonical_options(f"distance '{self.name}'", known, dict(self.options))
            object.__setattr__(self, "options", options)

    def __str__(self) -> str:
        return spelled_call(self.name, self.options)

    @property
    def quadratic(self) -> bool:
        """Whether time and memory grow at least with the square of the samples of a class."""
        return self.name in {"emd", "sinkhorn"}

    def __call__(self, clouds: Clouds, draws: torch.Generator) -> Tensor:
        """Return the distance of each pair of clouds ``[*batch, pairs]``.

        Args:
            clouds: The clouds; gradients flow to their points.
            draws: Where chance comes from, for the distances that need any.
        """
        options: dict[str, Any] = dict(self.options)
        return DISTANCES[self.name](clouds, draws, **options)


def parse_distance(text: str) -> DistanceSpec:
    """Read a distance: ``emd``, ``sinkhorn(reg=1)``.

    Raises:
        UsageError: It cannot be read, or names one, an option or a value that does not exist.

    Example:
        >>> str(parse_distance("sinkhorn( reg = 10.0, iterations=50)")), str(parse_distance("l2"))
        ('sinkhorn(iterations=50)', 'l2')
    """
    call = read_call(text)
    if call.parts:
        raise UsageError(
            f"cannot read {call.parts[0]!r} in {text!r}. Write options like sinkhorn(reg=1)."
        )
    return DistanceSpec(call.name, call.options)
