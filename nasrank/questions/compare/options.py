"""What can be asked of ``nasrank compare``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from nasrank.losses import LOSSES
from nasrank.losses.catalogue import Targets
from nasrank.predictors import PREDICTORS
from nasrank.runs.own_metrics import METRICS
from nasrank.study.engines.engine import OnEngines, WithMemoryLimit
from nasrank.study.options import (
    OUTPUT,
    OnAnyDevice,
    Seeded,
    Some,
    option,
    options_in,
    seeds_option,
)

__all__ = ["CompareConfig"]

_grid, _data = options_in("What to compare"), options_in("Data of a run")


class CompareConfig(Seeded, OnAnyDevice, OnEngines, WithMemoryLimit):
    """Compare losses: order, discovery of the top, and evaluations saved.

    Trains a predictor for every task, loss, training size and seed, and reports Kendall tau, the
    share of the top found, and the evaluations and GPU-hours to reach it, with intervals over
    seeds and paired tests. ``--subset ci`` is a quick check on a CPU, ``--subset full`` the grid
    of the reference results.
    """

    command: ClassVar[str] = "compare"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.questions.compare.study:COMPARE"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank compare --losses mse,hr,listmle",
        'nasrank compare --tasks nb201/cifar10,nbgraph/cora --losses "mse,hr(margin=0.5)"',
        "nasrank compare --predictors gnn,gp,boosting --losses mse,listmle",
        "nasrank compare --losses mse,ew,listmle --targets raw,robust",
        "nasrank compare --subset full --engine processes --jobs 4",
        "nasrank compare --subset full --engine dask --scheduler tcp://127.0.0.1:8786",
    )
    subsets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ci": {
            "tasks": ("nb201/cifar10",),
            "losses": ("mse", "hr", "listmle"),
            "n_train": (78,),
            "seeds": 20,
        },
        "full": {
            "tasks": ("nb201/cifar10", "nb201/cifar100", "nb201/imagenet16-120"),
            "losses": tuple(LOSSES.names()),
            "n_train": (39, 78, 156, 469),
            "seeds": 30,
        },
    }

    tasks: Some[str] = _grid(("nb201/cifar10",), "Tasks.")
    losses: Some[str] = _grid(("mse", "hr", "listmle"), "Losses, with options.", names=LOSSES)
    targets: tuple[Targets, ...] = _grid(
        (),
        "What losses are fed with; several are compared. As published if not given. Losses that "
        "see only the order of labels are trained once.",
    )
    predictors: Some[str] = _grid(
        ("gnn",),
        "Predictors, with options. gp, ridge, trees and boosting have a loss of their own and are "
        "trained once, whatever --losses says.",
        names=PREDICTORS,
    )
    metrics: tuple[str, ...] = _grid(
        (), "Metrics of your own, beside the usual ones.", names=METRICS
    )
    n_train: Some[Annotated[int, Field(gt=0)]] = _grid((78, 156), "Training set sizes.")
    seeds: int = seeds_option(10)
    split: Literal["class", "random"] = _data(
        "class", "No architecture of a class on both sides, or the published protocol."
    )
    labels: Literal["mean", "single"] = _data(
        "mean", "Train on the mean of all training seeds, or on one."
    )
    test: Literal["rest", "all"] = _data(
        "rest", "Score the other architectures, or the training ones too."
    )
    sampling: Some[Literal["random", "stratified", "diverse"]] = _data(
        ("random",), "How to draw training sets; several are compared."
    )
    lambdas: tuple[Annotated[float, Field(gt=0)], ...] = option(
        (),
        "Also compare lists of candidates by precision and recall: 1 for a list as long as the "
        "top 1 % of the candidates, 0.1 for one ten times as long.",
        panel=OUTPUT,
    )
    keep_predictions: bool = option(False, "Write every score.", panel=OUTPUT)
    curves: bool = option(False, "Write loss and tau by epoch.", panel=OUTPUT)
