"""What can be asked of ``nasrank search``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from nasrank.study.options import OnDevice, Seeded, option, seeds_option

__all__ = ["SearchConfig"]

_GRID, _LOOP = "What to search", "How a search goes"


class SearchConfig(Seeded, OnDevice):
    """Search with a predictor: how many evaluations until the best is found?

    Simulates searches on a benchmark: random architectures to start with, then round by round a
    predictor is fitted to all that is evaluated and chooses what to evaluate next. Beside it
    random search, regularised evolution, local search, and an oracle that knows all labels.

    An evaluation is one architecture trained; no two of one isomorphism class are, since the
    second would be the same network. The best there is, and what is found, are judged by the
    task's own label, the mean of its class; the test label is reported where there is one.
    """

    command: ClassVar[str] = "search"
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

    tasks: tuple[str, ...] = option(("nb201/cifar10",), "Tasks.", panel=_GRID, min_length=1)
    predictors: tuple[str, ...] = option(
        ("gp",),
        "Predictors, with options; the first is the headline, which the others are compared with.",
        panel=_GRID,
        min_length=1,
    )
    acquisitions: tuple[str, ...] = option(
        ("ei",),
        "How to choose what to evaluate, with options, such as ucb(kappa=0.5).",
        panel=_GRID,
        metavar="greedy|ucb|ei|thompson",
        min_length=1,
    )
    losses: tuple[str, ...] = option(
        ("listmle",),
        "Losses, for predictors that have a choice; pw(A,B,t) switches after t evaluations.",
        panel=_GRID,
        min_length=1,
    )
    initial: int = option(10, "Random architectures to start with.", panel=_LOOP, ge=2)
    per_round: int = option(3, "Evaluations per round.", panel=_LOOP, ge=1)
    budget: int = option(150, "Evaluations in all, the initial ones included.", panel=_LOOP, ge=3)
    candidates: Literal["auto", "all", "mutations"] = option(
        "auto",
        "Score everything left, or mutations of the ten best and 100 random ones; auto takes "
        "mutations where the space has enough of them.",
        panel=_LOOP,
    )
    seeds: int = seeds_option(20, "Searches of each method.")
