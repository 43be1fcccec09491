"""Which code computes a run: that of its predictor, its loss, and of what surrounds both."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from nasrank.code import source_digest
from nasrank.losses import LOSSES, LossSpec, PiecewiseSpec, parse
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import parse_predictor

__all__ = ["code_of"]

_AROUND = ("nasrank.runs.train", "nasrank.runs.evaluate", "nasrank.benchmarks.splits")
"""Modules that take part in every run."""
_COUNTS = (
    "nasrank.benchmarks.groups", "nasrank.benchmarks.sampling", "nasrank.benchmarks.space",
    "nasrank.graphs", "nasrank.losses", "nasrank.metrics", "nasrank.predictors", "nasrank.seeds",
)  # fmt: skip
"""Of what they import, all that can change a number."""


@cache
def code_of(predictor: str, loss: str | None) -> tuple[str, str]:
    """Name what computes a run, and return the digest of its source.

    Nothing is imported for it. A predictor or loss of another package counts with the modules of
    its package that it imports.

    Args:
        predictor: Canonical spelling of the predictor.
        loss: Canonical spelling of the loss, or None.

    Example:
        >>> code_of("gnn", "hr(margin=0.5)")[0]
        'gnn hr'
    """
    names = [parse_predictor(predictor).name]
    origins = [PREDICTORS.origin(names[0])]
    for spec in _parts(loss):
        names.append(spec.name)
        origins.append(LOSSES.origin(spec.name))
    modules = [origin.partition(":")[0] for origin in origins]
    within = {*_COUNTS, *(module.partition(".")[0] for module in modules)} - {"nasrank"}
    return " ".join(dict.fromkeys(names)), source_digest([*_AROUND, *modules], within)


def _parts(loss: str | None) -> Iterator[LossSpec]:
    if loss is None:
        return
    spec = parse(loss)
    if isinstance(spec, PiecewiseSpec):
        yield from (spec.first, spec.then)
    else:
        yield spec
