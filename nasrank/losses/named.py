"""A plain loss with its options: ``hr``, ``hr(margin=0.5)``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from nasrank.losses.catalogue import LOSSES, TARGETS, LossFunction, Targets
from nasrank.named import Named, Option, OptionValue, options_of_signature
from nasrank.own import version
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

    @property
    def targets(self) -> Targets:
        """What it is trained on, one of :data:`~nasrank.losses.catalogue.TARGETS`."""
        chosen = {} if "targets" in _own_options(self.name) else dict(self.options)
        targets = chosen.get("targets", LOSSES.entry(self.name).targets)
        return next(each for each in TARGETS if each == targets)

    @property
    def arguments(self) -> dict[str, OptionValue]:
        """The options that its function takes."""
        own = _own_options(self.name) if self.options else {}
        return {name: value for name, value in self.options if name in own}


def options_of(name: str) -> dict[str, Option]:
    """Return the options of a loss by name, from the signature of its function.

    Options are the keyword-only numbers and words of the signature. A loss that sees more of its
    targets than their order has the option ``targets`` as well, unless its function has one.

    Raises:
        UsageError: There is no such loss.

    Example:
        >>> options_of("hr")["margin"].default
        0.1
        >>> options_of("mse")["targets"].default
        'raw'
    """
    info = LOSSES.entry(name)
    targets = Option("targets", str, info.targets, words=TARGETS)
    return _own_options(name) if info.order_only else {"targets": targets} | _own_options(name)


def _own_options(name: str) -> dict[str, Option]:
    return _options_at(name, version(name))


@cache
def _options_at(name: str, _version: object) -> dict[str, Option]:
    without = ("where", "reduction", *LOSSES.entry(name).derived)
    return options_of_signature(LOSSES[name], without=without)
