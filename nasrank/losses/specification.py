"""From the text a user writes to a loss, and from a loss to its function."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from nasrank.errors import UsageError
from nasrank.grammar import read_call, split_list
from nasrank.losses.catalogue import LOSSES, LossFunction, Targets
from nasrank.losses.named import LossSpec
from nasrank.losses.piecewise import PiecewiseSpec

__all__ = ["LossSpec", "PiecewiseSpec", "fed_with", "parse", "resolve", "split_list"]

SWITCH = re.compile(r"[0-9]{1,9}")


def parse(text: str) -> LossSpec | PiecewiseSpec:
    """Read a loss: ``hr``, ``hr(margin=0.5)`` or ``pw(hr,mape(gap=0.2),50)``.

    ``str`` of what is returned is the canonical spelling: no blanks, no option at its default,
    options sorted, numbers in their shortest form. Parsing that again gives an equal object.

    Args:
        text: One loss; see ``split_list`` for several.

    Raises:
        UsageError: It cannot be read, or names a loss, option or value that does not exist.

    Example:
        >>> str(parse("pw( hr(margin=0.50), mape(gap=0.1), 50 )"))
        'pw(hr(margin=0.5),mape,50)'
    """
    call = read_call(text)
    if call.name != "pw":
        return LossSpec.parse(text)
    if call.options or len(call.parts) != 3 or not SWITCH.fullmatch(call.parts[2]):
        raise UsageError(
            f"{text!r} should name two losses and a whole number. Write it like pw(hr,mape,50)."
        )
    first, then = parse(call.parts[0]), parse(call.parts[1])
    if not (isinstance(first, LossSpec) and isinstance(then, LossSpec)):
        raise UsageError(f"{text!r} has a pw inside a pw. Its losses must be plain, like hr.")
    return PiecewiseSpec(first, then, int(call.parts[2]))


def fed_with(text: str, targets: Sequence[Targets]) -> list[str]:
    """Spell a loss once for each kind of target it can be told apart by.

    Args:
        text: One loss. Targets that it names itself stay.
        targets: What to feed it with; as it is if empty.

    Returns:
        Canonical spellings without repetition; a loss that sees only the order of its targets
        stays one.

    Example:
        >>> fed_with("mse", ["raw", "robust"]), fed_with("hr", ["raw", "robust"])
        (['mse', 'mse(targets=robust)'], ['hr'])
    """
    spec = parse(text)
    if isinstance(spec, PiecewiseSpec):
        fed = [
            replace(spec, first=_fed(spec.first, each), then=_fed(spec.then, each))
            for each in targets
        ]
        return list(dict.fromkeys(map(str, fed or [spec])))
    return list(dict.fromkeys(map(str, [_fed(spec, each) for each in targets] or [spec])))


def _fed(spec: LossSpec, targets: Targets) -> LossSpec:
    options = dict(spec.options)
    if "targets" not in LossSpec.known(spec.name) or "targets" in options:
        return spec
    return LossSpec(spec.name, tuple({**options, "targets": targets}.items()))


def resolve(spec: str | LossSpec) -> LossFunction:
    """Return the function of a loss with its options filled in; imports torch.

    Args:
        spec: A plain loss. A piecewise loss has no function of its own; resolve its parts.

    Returns:
        A callable ``(scores, labels, *, where=None, reduction="mean", ...)``.

    Raises:
        UsageError: There is no such loss, or it is piecewise.

    Example:
        >>> import torch
        >>> loss = resolve("hr(margin=0.5)")
        >>> round(loss(torch.tensor([0.0, 0.2]), torch.tensor([1.0, 2.0])).item(), 6)
        0.3
    """
    plain = parse(spec) if isinstance(spec, str) else spec
    if isinstance(plain, PiecewiseSpec):
        raise UsageError(f"{plain} is two losses. Use {plain.first} or {plain.then}.")
    function = LOSSES[plain.name]
    return partial(function, **plain.arguments) if plain.arguments else function
