"""Which training loss finds the best architectures with the fewest evaluations.

The commands are functions of the same names: ``nasrank.compare(losses=["mse", "listmle"])`` does
what ``nasrank compare --losses mse,listmle`` does, and returns its tables. ``load_task`` reads a
benchmark, `LOSSES` and `PREDICTORS` hold losses and predictors by name.
"""

from typing import TYPE_CHECKING, Any

from nasrank.version import __version__

if TYPE_CHECKING:
    from nasrank.api import budget, check, compare, explain, rank, recommend, search
    from nasrank.benchmarks import load_task
    from nasrank.losses import LOSSES
    from nasrank.predictors import PREDICTORS

__all__ = [
    "LOSSES",
    "PREDICTORS",
    "__version__",
    "budget",
    "check",
    "compare",
    "explain",
    "load_task",
    "rank",
    "recommend",
    "search",
]

_FROM = {
    "load_task": "nasrank.benchmarks",
    "LOSSES": "nasrank.losses",
    "PREDICTORS": "nasrank.predictors",
}
_API = "nasrank.api"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module may hold
    if name in __all__:
        from importlib import import_module

        return getattr(import_module(_FROM.get(name, _API)), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
