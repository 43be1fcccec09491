"""The page that ``nasrank rank`` prints."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.markup import escape

from nasrank.cli.output import Column, rich_table, shown

if TYPE_CHECKING:
    from nasrank.questions.rank.study import Ranked

__all__ = ["rank_page"]

_WIDTH = 100
_NAME = 28
_DIFFERENCE = 40
_EFFECTS = 3


def rank_page(ranked: Ranked) -> list[RenderableType]:
    """Lay a ranked list out for people."""
    parts: list[RenderableType] = []
    if ranked.choice is not None:
        parts += [_choice(ranked), *_wrapped(_choice_reading(ranked)), ""]
    if ranked.update is not None:
        parts += [*_wrapped(_update(ranked)), ""]
    parts += [_list(ranked), *_wrapped(_list_reading(ranked))]
    names = {row["nearest"] for row in ranked.rows} | {row["id"] for row in ranked.rows}
    if any(len(name) > _NAME for name in names):
        parts += _wrapped("Long names are cut here; the tables hold all of them.")
    if ranked.held_back is not None:
        parts += ["", *_wrapped(_truth(ranked))]
    for note in ranked.notes:
        parts += [
            escape(line)
            for line in textwrap.wrap(
                f"! {note}", _WIDTH, break_on_hyphens=False, subsequent_indent="  "
            )
        ]
    return parts


def _wrapped(text: str) -> list[RenderableType]:
    return [escape(line) for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False)]


def _choice(ranked: Ranked) -> RenderableType:
    choice = ranked.choice
    rows = [] if choice is None else choice.rows
    columns = [
        Column("loss"),
        Column("tau", "Kendall tau [95 %]", right=True),
        Column("top", "best quarter found [95 %]", right=True),
        Column("regret", f"regret{_unit_of(ranked)}", right=True),
        Column("p", "p against\nthe default", right=True),
        Column("mark", ""),
    ]
    cells = [
        {
            "loss": escape(row["loss"]),
            "tau": _interval(row, "kendall_tau", 2),
            "top": _interval(row, "top_found", 2),
            "regret": shown(None if row["regret"] is None else float(f"{row['regret']:.3g}")),
            "p": "" if row["p_holm"] is None else f"{row['p_holm']:.2f}",
            "mark": "< taken" if row["chosen"] else "",
        }
        for row in rows
    ]
    title = (
        ""
        if choice is None
        else f"Choosing a loss: {choice.items} labels, {choice.repeats} x {choice.folds} folds"
    )
    return rich_table(cells, columns, title=title)


def _interval(row: dict[str, Any], name: str, digits: int) -> str:
    if row[name] is None:
        return "-"
    text = f"{row[name]:.{digits}f}"
    if row[f"{name}_lower"] is None:
        return text
    return f"{text} [{row[f'{name}_lower']:.{digits}f}, {row[f'{name}_upper']:.{digits}f}]"


def _choice_reading(ranked: Ranked) -> str:
    choice = ranked.choice
    if choice is None:
        return ""
    reason = choice.reason[0].upper() + choice.reason[1:]
    return (
        f"{reason}. Means over held-out folds; intervals and the paired test allow for folds that "
        "share training data (corrected t, Holm)."
    )


def _list(ranked: Ranked) -> RenderableType:
    level = f"{100 * ranked.config.confidence:g} %"
    diverse = ranked.config.diverse
    with_label = any(row["label"] is not None for row in ranked.rows)
    with_doubt = any(row["uncertainty"] is not None for row in ranked.rows)
    with_twins = any(row["twins"] for row in ranked.rows)
    columns = [
        Column("rank", right=True),
        *([Column("score_rank", "by score", right=True)] if diverse else []),
        Column("id"),
        Column("score", "score" + (" ± spread" if with_doubt else ""), right=True),
        Column("value", f"value{_unit_of(ranked)} [{level}]", right=True),
        *([Column("label", "true", right=True)] if with_label else []),
        *([Column("twins", "same graph", right=True)] if with_twins else []),
        Column("nearest", "nearest evaluated: its value"),
        Column("effects", "what adds to it"),
    ]
    digits = _digits(ranked)
    cells = []
    for row in ranked.rows:
        value = f"{row['value']:.{digits}f}"
        if row["value_lower"] is not None:
            value += f" [{row['value_lower']:.{digits}f}, {row['value_upper']:.{digits}f}]"
        doubt = "" if row["uncertainty"] is None else f" ± {row['uncertainty']:.2f}"
        cells.append(
            {
                "rank": f"{row['rank']:,}",
                "score_rank": f"{row['score_rank']:,}",
                "id": escape(_cut(row["id"])),
                "score": f"{row['score']:.2f}{doubt}",
                "value": escape(value),
                "label": "-" if row["label"] is None else f"{row['label']:.{digits}f}",
                "twins": f"+{row['twins']:,}" if row["twins"] else "",
                "nearest": escape(
                    f"{_cut(row['nearest'])}: {row['nearest_label']:.{digits}f} "
                    f"({_cut(row['difference'], _DIFFERENCE)})"
                ),
                "effects": escape(", ".join(row["effects"][:_EFFECTS]) or "-"),
            }
        )
    count, training = len(ranked.case.items), ranked.model.training
    title = (
        f"{ranked.case.task.name}: {len(ranked.rows)} of {ranked.seen:,} candidates, by "
        f"{training.spec} with {training.loss} from {count:,} evaluated"
    )
    marked = [_plain(column) for column in columns]
    return rich_table(cells, marked, title=escape(title))


def _plain(column: Column) -> Column:
    return Column(column.key, column.title, str, right=column.right)


def _list_reading(ranked: Ranked) -> str:
    from nasrank.questions.rank.explaining import usual_operations

    found = ranked.model.calibration
    name, label = ranked.best_known
    digits, unit = _digits(ranked), _unit(ranked)
    kind = "an isotonic" if found.method == "isotonic" else "a linear"
    text = (
        f"Best evaluated so far: {_cut(name)} with {label:.{digits}f}{unit}. Values come from "
        f"{kind} map of out-of-fold scores (Kendall tau {ranked.model.tau:.2f}, mean error "
        f"{found.error:.{digits}f}{unit}"
    )
    if found.coverage is not None:
        text += f"; {100 * found.coverage:.0f} % of held-out labels lay in their interval"
    text += (
        "). They hold for architectures drawn like the evaluated ones; the best of many tend to "
        "turn out lower in the interval."
    )
    usual = usual_operations(ranked.case)
    if len(usual) > 1:
        text += (
            " What adds to it: the value it would lose, as the predictor sees it, with "
            f"{usual[0]} in the place of all nodes of this operation ({usual[1]} for {usual[0]})."
        )
    return text


def _update(ranked: Ranked) -> str:
    row = ranked.update or {}
    digits, unit = _digits(ranked), _unit(ranked)
    text = f"New labels: {row['new_labels']:,}"
    if row["replaced_labels"]:
        text += f", and {row['replaced_labels']:,} in place of others"
    if row["best_before"] is None:
        return text + ". Before them there were too few to rank by."
    text += (
        f". Best: {row['best_before']:.{digits}f}{unit} before, now "
        f"{row['best_now']:.{digits}f}{unit}."
    )
    if row["new_best"] is not None:
        text += (
            f" {row['new_best']:,} of the new ones are better than the best before, "
            f"{row['new_in_top_tenth']:,} are in the top tenth of all evaluated."
        )
    if row["new_tau"] is not None:
        text += f" The model before had ordered them with a Kendall tau of {row['new_tau']:.2f}."
    if row["rank_correlation"] is not None:
        text += (
            f" Order of {row['compared']:,} candidates before and now: Kendall tau "
            f"{row['rank_correlation']:.2f}; {row['stay_in_list']:,} of {len(ranked.rows):,} in "
            "the list were in it before."
        )
    return text


def _truth(ranked: Ranked) -> str:
    row = ranked.held_back or {}
    digits, unit, size = _digits(ranked), _unit(ranked), len(ranked.rows)
    tau = "none" if row["kendall_tau"] is None else f"{row['kendall_tau']:.3f}"
    text = (
        f"Against the labels held back: Kendall tau {tau} over all {ranked.seen:,} candidates; "
        f"the best of the list, {row['best_in_list']:.{digits}f}{unit}, is truly number "
        f"{row['best_rank_in_list']:,}; {row['truly_in_list']} of {size} belong in the list."
    )
    if row["coverage"] is not None:
        text += (
            f" Intervals hold {100 * row['coverage']:.0f} % of all labels and "
            f"{100 * row['coverage_of_list']:.0f} % of those in the list."
        )
    return text


def _digits(ranked: Ranked) -> int:
    """Decimals that tell labels of this spread apart."""
    import numpy as np

    spread = float(np.ptp(ranked.case.labels))
    return int(max(0, min(6, 2 - np.floor(np.log10(spread))))) if spread > 0 else 2


def _unit(ranked: Ranked) -> str:
    unit = ranked.case.task.metric.unit
    return "" if unit == "1" else f" {unit}"


def _unit_of(ranked: Ranked) -> str:
    unit = _unit(ranked)
    return f",{unit}" if unit else ""


def _cut(text: str, most: int = _NAME) -> str:
    """Cut a long text in the middle: architectures of a space often begin alike."""
    half = most // 2 - 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"
