"""Losses that train a predictor, by name.

``LOSSES["listmle"]`` is the function, ``LOSSES.entry("listmle")`` its description,
``parse("pw(hr(margin=0.5),mape,50)")`` reads a name with options, ``resolve`` makes it
callable, and ``prepare`` scales the labels of a training set to what a loss expects. Importing
this package does not import torch; ``prepare`` and the functions do.
"""

from typing import TYPE_CHECKING, Any

from nasrank.grammar import split_list
from nasrank.losses.catalogue import LOSSES, LossFunction, LossInfo
from nasrank.losses.named import LossSpec
from nasrank.losses.piecewise import PiecewiseSpec
from nasrank.losses.specification import fed_with, parse, resolve

if TYPE_CHECKING:
    from nasrank.losses.preparation import Prepared, prepare

__all__ = [
    "LOSSES",
    "LossFunction",
    "LossInfo",
    "LossSpec",
    "PiecewiseSpec",
    "Prepared",
    "fed_with",
    "parse",
    "prepare",
    "resolve",
    "split_list",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module may hold
    if name in {"Prepared", "prepare"}:
        from nasrank.losses import preparation

        return getattr(preparation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
