"""The study of ``nasrank hard`` on architectures, declared: tiers of accuracy as classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from nasrank.companions.controls import archs_controls
from nasrank.companions.hard_samples.figures import draw_archs
from nasrank.companions.hard_samples.methods import MINERS, parse_method, possible_method
from nasrank.companions.hard_samples.options import ARCHS_METHODS, HardConfig
from nasrank.companions.hard_samples.tables import HARD_ARCHS
from nasrank.companions.hard_samples.tier_loss import FleetTwoStage, TierLoss
from nasrank.errors import UsageError
from nasrank.predictors.gnn import WIDTH
from nasrank.predictors.recipe import Recipe
from nasrank.runs.beside import PLAIN, BesideRun, Method, Rivals, archs_study, view_archs
from nasrank.study.study import Result
from nasrank.study.view import Part

__all__ = ["TIERS"]


def _methods(config: HardConfig) -> list[Method]:
    asked = dict.fromkeys(possible_method(text) for text in config.methods or ARCHS_METHODS)
    for each in asked:
        if each.miner != MINERS[0] or each.generator not in {None, "two-stage"}:
            raise UsageError(
                f"archs:TASK supports {MINERS[0]} and two-stage, not {each}. Change --methods"
            )
    for n_train in config.n_train:
        shortest = n_train // Recipe().lists(n_train)
        if shortest < 2 * config.tiers:
            raise UsageError(
                f"--tiers {config.tiers} of lists of {shortest} architectures leave tiers of one, "
                f"without a pair. Ask for {shortest // 2} tiers or fewer, or for more --n-train"
            )
    setting = f"[{config.tiers},{config.margin:g}]*{config.side_weight:g}"
    settings = {
        "tiers": config.tiers, "margin": config.margin, "side_weight": config.side_weight,
    }  # fmt: skip
    return [
        Method(PLAIN, "gnn", {"tiers": None, "margin": None, "side_weight": 0.0}),
        *(Method(str(each), f"gnn+{each}{setting}", settings) for each in asked),
    ]


def _beside(fleet: Sequence[BesideRun], device: str) -> TierLoss | None:
    first = fleet[0]
    if first.method == PLAIN:
        return None
    seeds = [run.run["seed"] for run in fleet]
    tiers, margin = first.settings["tiers"], first.settings["margin"]
    method, generator = parse_method(first.method), None
    if method.generator is not None:
        options: dict[str, Any] = dict(method.options)
        steps = Recipe().steps(first.run["n_train"])
        generator = FleetTwoStage(
            seeds, WIDTH, tiers, steps, device=torch.device(device), **options
        )
    weight = first.settings["side_weight"]
    return TierLoss(seeds, tiers=tiers, margin=margin, weight=weight, generator=generator)


def _view(result: Result[HardConfig]) -> Iterator[Part]:
    yield from view_archs(result)
    yield (
        f"Triplets of {result.config.tiers} tiers of accuracy beside listmle, with weight "
        f"{result.config.side_weight:g}. Lower regret is better. two-stage is a reconstruction."
    )


TIERS = archs_study(
    HardConfig,
    table=HARD_ARCHS,
    methods=_methods,
    beside=_beside,
    claims=Rivals(
        metrics={
            "kendall_tau": "Kendall's tau higher",
            "precision_at_5pct": "precision at 5 % higher",
            "regret_at_10": "regret at 10 lower",
        },
        claim_id="hard-archs-{better}-over-{worse}-{metric}-n{n_train}",
        statement="{words} with {better} than {worse}, n = {n_train}",
        source=HARD_ARCHS.name,
        rivals=(MINERS[0],),
    ),
    view=_view,
    pictures=lambda result: [draw_archs(result.rows, result.out)],
    controls=archs_controls,
)
"""``archs:TASK``: triplets beside the ranking loss of a predictor."""
