"""Which code computes a run: that of its predictor, its loss, and of what surrounds both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from nasrank.code import source_digest
from nasrank.losses import LOSSES, LossSpec, PiecewiseSpec, parse
from nasrank.own import folder, version
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import parse_predictor
from nasrank.registry import Registry

__all__ = ["code_of"]

_AROUND = ("nasrank.runs.train", "nasrank.runs.evaluate", "nasrank.benchmarks.splits")
"""Modules that take part in every run."""
_COUNTS = (
    "nasrank.benchmarks.groups", "nasrank.benchmarks.sampling", "nasrank.benchmarks.space",
    "nasrank.graphs", "nasrank.losses", "nasrank.metrics", "nasrank.predictors", "nasrank.seeds",
)  # fmt: skip
"""Of what they import, all that can change a number."""


def code_of(predictor: str, loss: str | None) -> tuple[str, str]:
    """Name what computes a run, and return the digest of its source.

    Nothing is imported for it. A predictor or loss of another package counts with the modules of
    its package that it imports, one of the user's with what lies beside its file.

    Args:
        predictor: Canonical spelling of the predictor.
        loss: Canonical spelling of the loss, or None.

    Example:
        >>> code_of("gnn", "hr(margin=0.5)")[0]
        'gnn hr'
    """
    names = [parse_predictor(predictor).name, *(spec.name for spec in _parts(loss))]
    origins, adapters = [], set()
    for place, name in enumerate(names):
        registry: Registry[Any] = LOSSES if place else PREDICTORS
        origins.append(registry.origin(name))
        if registry.takes(name) and registry.adapter is not None:
            adapters.add(registry.adapter)
    versions = tuple(version(name) for name in names)
    return " ".join(dict.fromkeys(names)), _digest((*origins, *sorted(adapters)), versions)


@cache
def _digest(origins: tuple[str, ...], _versions: tuple[object, ...]) -> str:
    modules = [origin.rpartition(":")[0] for origin in origins]
    packages = {module.partition(".")[0] for module in modules if not module.endswith(".py")}
    return source_digest(
        [*_AROUND, *modules], {*_COUNTS, *packages} - {"nasrank"}, folder=folder()
    )


def _parts(loss: str | None) -> Iterator[LossSpec]:
    if loss is None:
        return
    spec = parse(loss)
    if isinstance(spec, PiecewiseSpec):
        yield from (spec.first, spec.then)
    else:
        yield spec
