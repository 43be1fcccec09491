"""Settings around those asked for: what a sweep and a proposal look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nasrank.companions.hard_samples.methods import parse_method
from nasrank.companions.hard_samples.planning import HardRun, possible_method
from nasrank.errors import UsageError

__all__ = ["Variant", "combined", "generating_run", "variants"]

_METHOD: dict[str, dict[str, tuple[Any, ...]]] = {
    "two-stage": {
        "stretch": (0.1, 0.2, 0.5),
        "reach": (0.5, 1.0, 2.0),
        "shape": ("linear", "flat"),
        "adaptive": ("gap", "loss", "schedule", "fixed"),
        "start": (-0.4, -0.2, -0.1),
        "end": (-0.1, 0.0, 0.1),
        "reverse": (0.3, 1.0, 3.0),
        "adversarial": (0.01, 0.1, 1.0),
        "keep_class": (0.3, 1.0, 3.0),
        "keep_place": (0.3, 1.0, 3.0),
        "weight": (0.25, 0.5, 1.0),
    },
    "hdml": {"alpha": (0.03, 0.1, 0.3), "beta": (0.2, 0.5, 1.0), "balance": (0.2, 0.5, 0.8)},
    "daml": {"keep": (0.3, 1.0, 3.0), "reverse": (10.0, 50.0), "weight": (0.25, 1.0)},
}
_RUN: dict[str, tuple[Any, ...]] = {
    "margin": (0.1, 0.2, 0.5),
    "embedding": (16, 64, 128),
    "learning_rate": (1e-4, 3e-4, 1e-3),
}


@dataclass(frozen=True)
class Variant:
    """A run with one option changed.

    Attributes:
        option: The option.
        value: Its value.
        run: The run, with the seed of the one it is a variant of.
    """

    option: str
    value: str
    run: HardRun


def generating_run(runs: Sequence[HardRun]) -> HardRun:
    """Return the first run whose method generates samples.

    Raises:
        UsageError: There is none.
    """
    for run in runs:
        if parse_method(run.method).generator is not None:
            return run
    raise UsageError(
        "--sensitivity and --tune look at a method that generates, and none is asked for. "
        "Add two-stage to --methods"
    )


def variants(run: HardRun) -> list[Variant]:
    """Change one option at a time.

    Values that are those of the run are left out, and so are those that contradict its others.
    """
    method = parse_method(run.method)
    found = [
        Variant(option, f"{value}", replace(run, method=text))
        for option, values in _METHOD[method.generator or ""].items()
        for value in values
        if _can_be_made(text := str(method.with_option(option, value)))
    ] + [
        Variant(option, f"{value:g}", replace(run, **{option: value}))
        for option, values in _RUN.items()
        for value in values
    ]
    return [each for each in found if each.run != run]


def combined(run: HardRun, chosen: Sequence[Variant]) -> HardRun:
    """Return the run with several options changed at once.

    Raises:
        UsageError: They contradict one another.
    """
    for each in chosen:
        if each.option in _RUN:
            run = replace(run, **{each.option: getattr(each.run, each.option)})
        else:
            changed = parse_method(run.method).with_option(each.option, each.value)
            run = replace(run, method=str(changed))
    possible_method(run.method)
    return run


def _can_be_made(method: str) -> bool:
    try:
        possible_method(method)
    except UsageError:
        return False
    return True
