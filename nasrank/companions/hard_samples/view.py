"""What people see of the study on samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nasrank.companions.hard_samples.figures import draw_hard, write_embeddings
from nasrank.companions.hard_samples.options import HardConfig
from nasrank.companions.hard_samples.tables import spelled_setting
from nasrank.study.study import Result
from nasrank.study.view import (
    SPREAD,
    Field,
    Measure,
    Part,
    Sheet,
    fixed,
    over_seeds,
    plural,
    seeds_of,
)

__all__ = ["draw_samples", "view_samples"]

Row = Mapping[str, Any]

_MEASURES = (
    Measure("recall_at_1", "Recall\n@1", digits=4, keep=9),
    Measure("recall_at_8", "\n@8", spread=False, keep=4),
    Measure("nmi", "NMI", spread=False, keep=6),
    Measure("f1", "F1", spread=False),
    Measure("separation", "sepa-\nration", digits=2, spread=False),
    Measure("fpr_at_95_recall", "FPR at\n95 %", spread=False, keep=6),
    Measure("rework_cost", "rework", digits=0, spread=False, keep=6),
    Measure("positive_coverage", "modes\n+", digits=2, spread=False, keep=4),
    Measure("negative_coverage", "modes\n-", digits=2, spread=False, keep=4),
    Measure("constraint_met", "nega-\ntives", digits=2, spread=False, keep=5),
    Measure("degenerate_batches", "degenerate\nbatches", over="sum"),
    Measure("diverged", "diverged", over="sum", keep=8),
    Measure("fit_seconds", "seconds", digits=1, spread=False, keep=3),
)


def view_samples(result: Result[HardConfig]) -> Iterator[Part]:
    """Show methods, and what was swept and proposed."""
    if result.rows:
        yield from _methods(result.rows, result.config)
    yield from _sensitivity(result.tables.get("hard_sensitivity", ()))
    yield from _proposal(result.tables.get("hard_tuning", ()))
    yield from result.notes


def _methods(rows: Sequence[Row], config: HardConfig) -> Iterator[Part]:
    named = [{**row, "method": spelled_setting(row)} for row in rows]
    first = rows[0]
    yield over_seeds(
        named,
        ["method"],
        _MEASURES,
        f"{first['data']}: {first['train_classes']} classes seen, {first['test_classes']} unseen, "
        f"{first['n_train']:,} samples to train on, {first['n_test']:,} to measure, "
        f"{seeds_of(rows)}",
    )
    yield (
        f"{SPREAD} All is measured on unseen classes, but modes. Higher is better, but for FPR "
        "(false positives where 95 % of true pairs are accepted) and rework (cost of wrong "
        f"decisions per 1,000 pairs, {config.cost_false_accept:g} a false accept, "
        f"{config.cost_false_reject:g} a false reject). Modes: share of real samples that "
        "generated positives (+) and negatives (-) come near, on the classes seen; low where "
        "generators collapse. Negatives: share of generated ones that are as near as two-stage "
        "asks for, without which its second stage cannot be judged. Degenerate batches had no "
        "triplet. two-stage is a reconstruction."
    )


def _sensitivity(rows: Sequence[Row]) -> Iterator[Part]:
    if not rows:
        return
    fields = (
        Field("option", keep=9),
        Field("value", keep=9),
        Field("recall_at_1", "Recall@1", fixed(4), right=True, keep=7),
        Field("change", "less that asked for", of=_signed, right=True, keep=8),
        Field("matters", "effect", keep=8),
    )
    yield Sheet(rows, fields, f"Sensitivity of {rows[0]['method']}")
    seen = {row["option"] for row in rows if row["matters"] in {"better", "worse"}}
    unseen = sorted({row["option"] for row in rows} - seen)
    yield (
        f"No difference seen for: {', '.join(unseen) or 'none of them'}. Intervals are not "
        "corrected for the number of settings, so about one in twenty is wrong."
    )


def _proposal(rows: Sequence[Row]) -> Iterator[Part]:
    for row in rows:
        if row["proposed"]:
            yield (
                f"Proposed on held-out classes, out of {plural(len(rows), 'setting')}: Recall@1 "
                f"{row['recall_at_1']:.4f}, {_signed(row)} to what was asked for."
            )
            yield (
                f'  --methods "{row["method"]}" --margin {row["margin"]:g} --embedding '
                f"{row['embedding']} --learning-rate {row['learning_rate']:g}"
            )


def _signed(row: Row) -> str:
    if row["difference"] is None:
        return "-"
    return f"{row['difference']:+.4f} [{row['lower']:+.4f}, {row['upper']:+.4f}]"


def draw_samples(result: Result[HardConfig]) -> Iterable[Path]:
    """Write the embeddings, for a report to play, and draw pictures."""
    if result.shown:
        played = result.out / "embeddings.json"
        write_embeddings(result.shown, played)
        yield played
    yield from draw_hard(result.tables, result.out)
