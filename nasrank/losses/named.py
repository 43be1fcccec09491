"""A plain loss with its options: ``hr``, ``hr(margin=0.5)``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from nasrank.losses.catalogue import LOSSES, LossFunction
from nasrank.named import Named, Option, options_of_signature
from nasrank.registry import Registry

__all__ = ["LossSpec", "options_of"]


@dataclass(frozen=True)
class LossSpec(Named):
    """A plain loss and the options that differ from its defaults.

    Raises:
        UsageError: There is no such loss or option, or the option cannot have this value.

    Example:
        >>> LossSpec("hr", (("margin", "0.50"),))
        LossSpec(name='hr', options=(('margin', 0.5),))
        >>> str(LossSpec("hr", (("margin", 0.1),)))  # the default
        'hr'
    """

    registry: ClassVar[Registry[LossFunction]] = LOSSES
    example: ClassVar[str] = "hr(margin=0.5)"

    @classmethod
    def known(cls, name: str) -> Mapping[str, Option]:
        """Return the options of a loss, without the arguments that every loss takes."""
        return options_of(name)


@cache
def options_of(name: str) -> dict[str, Option]:
    """Return the options of a loss by name, from the signature of its function.

    Options are the keyword-only numbers and words of the signature.

    Raises:
        UsageError: There is no such loss.

    Example:
        >>> options_of("hr")["margin"].default
        0.1
    """
    return options_of_signature(
        LOSSES[name], without=("where", "reduction", *LOSSES.entry(name).derived)
    )
