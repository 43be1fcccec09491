"""Which loss to train with, found by cross-validation on the user's own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nasrank.errors import DataError
from nasrank.losses import LossSpec, PiecewiseSpec, parse
from nasrank.metrics import kendall_tau, precision_at
from nasrank.predictors.kernel import FOLDS, Machines
from nasrank.predictors.predictor import Member
from nasrank.predictors.specification import PredictorSpec
from nasrank.questions.rank.case import Case
from nasrank.questions.rank.folds import folds_of
from nasrank.questions.rank.scorer import Steps, predictor_of, score_folds
from nasrank.seeds import numpy_generator
from nasrank.statistics import holm, mean_interval, paired_interval

__all__ = ["CANDIDATES", "DEFAULT", "Choice", "choose_loss"]

DEFAULT = "listmle"
"""Chosen unless another loss is shown to be better."""
CANDIDATES = (
    "mse", "mse+sr", "mse+sr(weight=1)", "hr", "hr(margin=0.5)", "lr", "lr(temperature=0.3)",
    "softtau", "listmle", "listnet", "approxndcg", "ew", "mape", "mape(gap=0.5)", "warp",
    "lambdarank",
)  # fmt: skip
"""Losses that ``auto`` chooses from: the twelve plain ones, some with other options too."""
MOST_FOLDS = 5
MOST_ITEMS = 400
"""With more labels it would take minutes, and losses hardly differ by then."""
TOP = 0.25
ALPHA = 0.05


@dataclass(frozen=True)
class Choice:
    """A chosen loss and what speaks for it.

    Attributes:
        loss: Its canonical spelling.
        rows: Rows of :data:`~nasrank.questions.rank.tables.CHOICE`, best first.
        reason: Why it is chosen, in a sentence.
        items: Evaluated architectures that were looked at.
        folds: Folds of one repeat.
        repeats: Repeats.
    """

    loss: str
    rows: list[dict[str, Any]]
    reason: str
    items: int
    folds: int
    repeats: int


def choose_loss(
    case: Case,
    spec: PredictorSpec,
    losses: Sequence[str] = CANDIDATES,
    *,
    seed: int,
    device: torch.device,
    on_step: Steps | None = None,
) -> Choice:
    """Compare losses by repeated cross-validation; all of it is one fleet, or one kernel.

    In every fold Kendall's tau of the held-out architectures is taken. A loss replaces the
    default (`DEFAULT`, or the first loss where that is not among them) only if its tau is better
    by a paired test over folds, which allows for folds that share their data
    (`~nasrank.statistics.mean_interval`), with Holm's correction for all losses, p at most .05;
    of several such losses the one with the best mean is chosen. The measures of the top are shown
    but decide nothing: a fold holds too few of it.

    Args:
        case: What is evaluated; a seeded 400 of more.
        spec: The predictor.
        losses: Losses to choose from.
        seed: Seed of folds and initial weights.
        device: Where to compute.
        on_step: Called with (steps done, steps in all).

    Raises:
        UsageError: There is no such loss.
    """
    names = list(dict.fromkeys(str(parse(loss)) for loss in losses))
    default = DEFAULT if DEFAULT in names else names[0]
    if len(case.items) > MOST_ITEMS:
        drawn = numpy_generator(seed, stream="choice").permutation(len(case.items))
        case = case.part(np.sort(drawn[:MOST_ITEMS]))
    count = len(case.items)
    asked = [parse(name) for name in names]
    if spec.name == "kernel":
        scores, folds = _of_one_kernel(case, spec, asked, seed, on_step)
    else:
        repeats = 3 if count <= 50 else 2 if count <= 200 else 1
        folds = folds_of(case.units, MOST_FOLDS, repeats, seed)
        scores = score_folds(case, spec, asked, folds, seed=seed, device=device, on_step=on_step)
    measures = {name: _measures(case, scores[row], folds) for row, name in enumerate(names)}
    held_out = 1 / len(folds[0])
    against = [
        None
        if name == default
        else paired_interval(measures[name][0], measures[default][0], held_out=held_out).p_value
        for name in names
    ]
    p_values = dict(zip(names, holm(against), strict=True))
    rows = [_row(name, measures[name], held_out, p_values[name]) for name in names]
    # A loss that diverged in every fold comes last.
    rows.sort(key=lambda row: -np.inf if row["kendall_tau"] is None else -row["kendall_tau"])
    rows.sort(key=lambda row: row["kendall_tau"] is None)
    usual = next(row for row in rows if row["loss"] == default)
    better = [row for row in rows if _beats(row, usual)]
    chosen = better[0] if better else usual
    for place, row in enumerate(rows, 1):
        row |= {"place": place, "chosen": row is chosen}
    reason = _reason(rows, chosen, usual, count)
    return Choice(chosen["loss"], rows, reason, count, len(folds[0]), len(folds))


def _of_one_kernel(
    case: Case,
    spec: PredictorSpec,
    losses: Sequence[LossSpec | PiecewiseSpec],
    seed: int,
    on_step: Steps | None,
) -> tuple[NDArray[np.float64], list[list[NDArray[np.int64]]]]:
    """Score with all losses on one kernel, by the folds on which each chose its penalty.

    A kernel machine spends most of its time on the kernel, which knows nothing of the loss.

    Returns:
        ``[losses, repeats, n]`` scores, and the positions that each fold of a repeat held out.
    """
    members = [Member(case.items, case.labels, loss, seed, case.units) for loss in losses]
    machine = predictor_of(case, spec, torch.device("cpu"))
    fitted = machine.fit(members, on_step=on_step)
    if not isinstance(fitted, Machines) or not len(fitted.held[0]):
        raise DataError(
            f"{case.task.name}: fewer than three groups of architectures are too few to compare "
            "losses. Choose --loss"
        )
    held = np.stack(fitted.held)
    folds = [np.flatnonzero(~np.isnan(row)) for row in held[0]]
    repeats = [folds[start : start + FOLDS] for start in range(0, len(folds), FOLDS)]
    scores = np.nanmean(held.reshape(len(losses), len(repeats), -1, len(case.items)), axis=2)
    return scores, repeats


def _measures(
    case: Case, scores: NDArray[np.float64], folds: Sequence[Sequence[NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """Return ``[3, repeats * folds]``: tau, share of the top found, and regret."""
    columns = []
    for repeat, cut in enumerate(folds):
        for held in cut:
            own, labels = scores[repeat, held], case.labels[held]
            if not np.isfinite(own).all() or labels.min() == labels.max():
                columns.append([np.nan] * 3)
                continue
            order = np.lexsort((np.arange(len(own)), -own))
            # A predictor that scores all alike knows nothing of the order.
            tau = 0.0 if own.min() == own.max() else kendall_tau(own, labels)
            found = precision_at(labels[order], TOP)
            columns.append([tau, found, labels.max() - labels[order[0]]])
    return np.array(columns).T


def _row(
    name: str, measures: NDArray[np.float64], held_out: float, p_holm: float | None
) -> dict[str, Any]:
    tau, top = (mean_interval(measures[place], held_out=held_out) for place in (0, 1))
    regret = measures[2][np.isfinite(measures[2])]
    return {
        "loss": name,
        "place": 0,
        "chosen": False,
        "folds": tau.n_seeds,
        "kendall_tau": tau.mean,
        "kendall_tau_lower": tau.lower,
        "kendall_tau_upper": tau.upper,
        "top_found": top.mean,
        "top_found_lower": None if top.lower is None else max(0.0, top.lower),
        "top_found_upper": None if top.upper is None else min(1.0, top.upper),
        "regret": float(regret.mean()) if len(regret) else None,
        "p_holm": p_holm,
    }


def _beats(row: dict[str, Any], usual: dict[str, Any]) -> bool:
    if row["kendall_tau"] is None:
        return False
    if usual["kendall_tau"] is None:
        return True
    sure = row["p_holm"] is not None and row["p_holm"] <= ALPHA
    return bool(sure and row["kendall_tau"] > usual["kendall_tau"])


def _reason(
    rows: Sequence[dict[str, Any]], chosen: dict[str, Any], usual: dict[str, Any], count: int
) -> str:
    name, default = chosen["loss"], usual["loss"]
    if chosen is not usual:
        return f"{name} orders held-out architectures better than {default}, the default"
    if len(rows) == 1:
        return f"{name} is the only one to choose from"
    worse = [row["loss"] for row in rows if row["p_holm"] is not None and row["p_holm"] <= ALPHA]
    if not worse:
        return (
            f"no loss differs significantly from {default} with {count} labels, so {default}, the "
            "default, is chosen"
        )
    return f"no loss is shown to be better than {default}, the default, with {count} labels"
