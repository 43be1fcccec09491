"""What can be asked of ``nasrank search``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nasrank.losses import LOSSES
from nasrank.predictors import PREDICTORS
from nasrank.study.options import OnAnyDevice, Seeded, Some, options_in, seeds_option

__all__ = ["SearchConfig"]

_grid, _loop = options_in("What to search"), options_in("How a search goes")


class SearchConfig(Seeded, OnAnyDevice):
    """Search with a predictor: how many evaluations until the best is found?

    Simulates searches on a benchmark: random architectures to start with, then round by round a
    predictor is fitted to all that is evaluated and chooses what to evaluate next. Beside it
    random search, regularised evolution, local search, and an oracle that knows all labels.

    An evaluation is one architecture trained; no two of one isomorphism class are, since the
    second would be the same network, unless --protocol says so. The best there is, and what is
    found, are judged by the task's own label, the mean of its class, whatever a search is told;
    the test label is reported where there is one.
    """

    command: ClassVar[str] = "search"
    draws: ClassVar[bool] = True
    study: ClassVar[str] = "nasrank.questions.search.study:SEARCHES"
    keeps_runs: ClassVar[bool] = True
    examples: ClassVar[tuple[str, ...]] = (
        "nasrank search --tasks nb201/cifar10 --seeds 20",
        'nasrank search --predictors "gnn(ensemble=4)" --losses "hr,pw(hr,mape,50)"',
    )
    # ci for a quick check on a CPU, full for the reference results.
    subsets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "ci": {"tasks": ("nb201/cifar10",), "seeds": 10, "budget": 50},
        "full": {
            "tasks": (
                "nb201/cifar10:test_acc",
                "nb201/cifar100:test_acc",
                "nb201/imagenet16-120:test_acc",
                "nb201/cifar10",
                "nb201/cifar100",
                "nb201/imagenet16-120",
            ),
            "seeds": 100,
        },
    }

    tasks: Some[str] = _grid(("nb201/cifar10",), "Tasks.")
    predictors: Some[str] = _grid(
        ("gp",),
        "Predictors, with options; the first is the headline, which the others are compared with.",
        names=PREDICTORS,
    )
    acquisitions: Some[str] = _grid(
        ("ei",),
        "How to choose what to evaluate, with options, such as ucb(kappa=0.5).",
        metavar="greedy|ucb|ei|thompson",
    )
    losses: Some[str] = _grid(
        ("listmle",),
        "Losses, for predictors that have a choice; pw(A,B,t) switches after t evaluations.",
        names=LOSSES,
    )
    initial: int = _loop(10, "Random architectures to start with.", ge=2)
    per_round: int = _loop(3, "Evaluations per round.", ge=1)
    budget: int = _loop(150, "Evaluations in all, the initial ones included.", ge=3)
    candidates: Literal["auto", "all", "mutations"] = _loop(
        "auto",
        "Score everything left, or mutations of the ten best and 100 random ones; auto takes "
        "mutations where the space has enough of them.",
    )
    labels: Literal["mean", "single"] = _loop(
        "mean",
        "What an evaluation tells: the mean of all trainings of its class, or one training of one "
        "architecture, as a real search sees it.",
    )
    protocol: Literal["classes", "strings", "unique-strings"] = _loop(
        "classes",
        "What counts as an architecture: an isomorphism class, or every text of one, so that "
        "published counts compare; unique-strings leaves out texts whose class is evaluated.",
    )
    within: float = _loop(
        0.0, "Regret at which the best counts as found, in the metric's unit.", ge=0
    )
    seeds: int = seeds_option(20, "Searches of each method.")
