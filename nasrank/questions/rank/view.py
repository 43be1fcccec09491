"""What people see of a ranked list."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.questions.rank.options import RankConfig
from nasrank.study.study import Result
from nasrank.study.view import Field, Part, Sheet, number, with_interval

__all__ = ["view_ranking"]

Row = Mapping[str, Any]

_NAME = 28
_DIFFERENCE = 40
_EFFECTS = 3


def view_ranking(result: Result[RankConfig]) -> Iterable[Part]:
    """Lay a ranked list out for people."""
    record = result.record or {}
    labels = [row["label"] for row in result.tables["calibration"]]
    digits, unit = _digits(labels), "" if record["unit"] == "1" else f" {record['unit']}"
    if record["mixture"] is not None:
        yield _race(record["mixture"], result.tables["race"])
        yield f"{_capital(record['mixture']['reason'])}."
    if record["choice"] is not None:
        yield _choice(record["choice"], result.tables["choice"], unit)
        reason = record["choice"]["reason"]
        yield (
            f"{_capital(reason)}. Means over held-out folds; intervals and the "
            "paired test allow for folds that share training data (corrected t, Holm)."
        )
    if record["update"] is not None:
        yield _update(record["update"], len(result.rows), digits, unit)
    yield _list(result.rows, result.config, record, digits, unit)
    yield _reading(record, digits, unit)
    if any(len(row[name]) > _NAME for row in result.rows for name in ("id", "nearest")):
        yield "Long names are shortened here; the tables hold them in full."
    if record["held_back"] is not None:
        yield _truth(record["held_back"], record["candidates"], len(result.rows), digits, unit)
    yield from (f"! {note}" for note in result.notes)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _race(mixture: Row, rows: Sequence[Row]) -> Sheet:
    cells = [
        {
            "predictor": row["predictor"],
            "weight": f"{100 * row['weight']:.0f} %" if row["weight"] else "",
            "tau": number(None if row["kendall_tau"] is None else round(row["kendall_tau"], 2)),
            "folds": f"{row['folds']}",
            "mark": "stopped" if row["stopped"] else "",
        }
        for row in rows
    ]
    fields = (
        Field("predictor", keep=9),
        Field("weight", "share of the score", right=True, keep=9),
        Field("tau", "Kendall tau", right=True, keep=8),
        Field("folds", right=True, keep=4),
        Field("mark", "", keep=6),
    )
    title = f"Choosing a predictor: {mixture['architectures']} labels"
    return Sheet(cells, fields, title)


def _choice(choice: Row, rows: Sequence[Row], unit: str) -> Sheet:
    cells = [
        {
            "loss": row["loss"],
            "tau": with_interval(row, "kendall_tau", "{:.2f}".format),
            "top": with_interval(row, "top_found", "{:.2f}".format),
            "regret": number(None if row["regret"] is None else float(f"{row['regret']:.3g}")),
            "p": "" if row["p_holm"] is None else f"{row['p_holm']:.2f}",
            "mark": "< chosen" if row["chosen"] else "",
        }
        for row in rows
    ]
    fields = (
        Field("loss", keep=9),
        Field("tau", "Kendall tau [95 %]", right=True, keep=8),
        Field("top", "best quarter found [95 %]", right=True, keep=4),
        Field("regret", f"regret{_after_comma(unit)}", right=True, keep=4),
        Field("p", "p against\nthe default", right=True, keep=6),
        Field("mark", "", keep=9),
    )
    title = (
        f"Choosing a loss: {choice['architectures']} labels, {choice['repeats']} x "
        f"{choice['folds']} folds"
    )
    return Sheet(cells, fields, title)


def _list(rows: Sequence[Row], config: RankConfig, record: Row, digits: int, unit: str) -> Sheet:
    doubt = any(row["uncertainty"] is not None for row in rows)
    value = f"value{_after_comma(unit)} [{100 * config.confidence:g} %]"
    fields = {
        "rank": Field("rank", right=True, keep=9),
        "score_rank": Field("score_rank", "by score", right=True, keep=4),
        "id": Field("id", keep=9),
        "score": Field("score", "score" + (" ± spread" if doubt else ""), right=True, keep=7),
        "value": Field("value", value, right=True, keep=8),
        "label": Field("label", "true", right=True, keep=8),
        "twins": Field("twins", f"same {record['told_by']}", right=True, keep=3),
        "nearest": Field("nearest", "nearest evaluated: its value", keep=5),
        "effects": Field("effects", "what raises it", keep=5),
    }
    if not config.diverse:
        del fields["score_rank"]
    if all(row["label"] is None for row in rows):
        del fields["label"]
    if not any(row["twins"] for row in rows):
        del fields["twins"]
    title = (
        f"{record['task']}: {len(rows)} of {record['candidates']:,} candidates, by "
        f"{record['predictor']} with {record['loss']} from {record['evaluated']:,} evaluated"
    )
    return Sheet([_cells(row, digits) for row in rows], tuple(fields.values()), title)


def _cells(row: Row, digits: int) -> Row:
    doubt = "" if row["uncertainty"] is None else f" ± {row['uncertainty']:.2f}"
    difference = _some(row["difference"].split(", "), _DIFFERENCE)
    return {
        "rank": f"{row['rank']:,}",
        "score_rank": f"{row['score_rank']:,}",
        "id": _cut(row["id"]),
        "score": f"{row['score']:.2f}{doubt}",
        "value": with_interval(row, "value", f"{{:.{digits}f}}".format),
        "label": "-" if row["label"] is None else f"{row['label']:.{digits}f}",
        "twins": f"+{row['twins']:,}" if row["twins"] else "",
        "nearest": f"{_cut(row['nearest'])}: {row['nearest_label']:.{digits}f} ({difference})",
        "effects": ", ".join(row["effects"][:_EFFECTS]) or "-",
    }


def _reading(record: Row, digits: int, unit: str) -> str:
    found, best = record["calibration"], record["best_known"]
    tau = "none" if found["kendall_tau"] is None else f"{found['kendall_tau']:.2f}"
    kind = "an isotonic" if found["method"] == "isotonic" else "a linear"
    text = (
        f"Best evaluated so far: {_cut(best['id'])} with {best['label']:.{digits}f}{unit}. Values "
        f"come from {kind} map of out-of-fold scores (Kendall tau {tau}, mean error "
        f"{found['mean_absolute_error']:.{digits}f}{unit}"
    )
    if found["coverage"] is not None:
        text += f"; {100 * found['coverage']:.0f} % of held-out labels lie in their interval"
    text += (
        "). Intervals hold for architectures drawn like the evaluated ones; those of the list are "
        "as wide as the highest held-out scores need."
    )
    usual = record["usual_operations"]
    if len(usual) > 1:
        text += (
            " What raises it: the value that the predictor says it would lose with "
            f"{usual[0]} in place of all nodes of that operation ({usual[1]} for {usual[0]})."
        )
    if record["settings"]:
        text += (
            f" {'Settings' if len(usual) > 1 else 'What raises it'}: the value that the predictor "
            "says it would lose with the usual setting in place of that one, the median of a "
            "number and the most frequent level, or the next, of anything else."
        )
    return text


def _update(row: Row, listed: int, digits: int, unit: str) -> str:
    text = f"New labels: {row['new_labels']:,}"
    if row["replaced_labels"]:
        text += f", and {row['replaced_labels']:,} that replace others"
    if row["best_before"] is None:
        return text + ". There were too few to learn from before."
    text += (
        f". Best: {row['best_before']:.{digits}f}{unit} before, now "
        f"{row['best_now']:.{digits}f}{unit}."
    )
    if row["new_best"] is not None:
        text += (
            f" {row['new_best']:,} of the new ones beat the best before, "
            f"{row['new_in_top_tenth']:,} are in the top tenth of all evaluated."
        )
    if row["new_tau"] is not None:
        text += f" The earlier model had ordered them with a Kendall tau of {row['new_tau']:.2f}."
    if row["rank_correlation"] is not None:
        text += (
            f" Order of {row['compared']:,} candidates before and now: Kendall tau "
            f"{row['rank_correlation']:.2f}; {row['stay_in_list']:,} of {listed:,} in the list "
            "were in it before."
        )
    return text


def _truth(row: Row, candidates: int, listed: int, digits: int, unit: str) -> str:
    tau = "none" if row["kendall_tau"] is None else f"{row['kendall_tau']:.3f}"
    text = (
        f"Against the labels held back: Kendall tau {tau} over all {candidates:,} candidates; "
        f"the best of the list, {row['best_in_list']:.{digits}f}{unit}, truly ranks "
        f"{row['best_rank_in_list']:,}; {row['truly_in_list']} of {listed} listed belong there."
    )
    if row["coverage"] is not None:
        text += (
            f" Intervals cover {100 * row['coverage']:.0f} % of all labels and "
            f"{100 * row['coverage_of_list']:.0f} % of those in the list."
        )
    return text


def _digits(labels: Sequence[float]) -> int:
    """Return the decimals that labels of this spread need."""
    spread = max(labels) - min(labels)
    return max(0, min(6, 2 - math.floor(math.log10(spread)))) if spread > 0 else 2


def _after_comma(unit: str) -> str:
    return f",{unit}" if unit else ""


def _some(parts: Sequence[str], most: int) -> str:
    """Join parts with commas up to a length, at least one, and count the others."""
    kept = 1
    while kept < len(parts) and len(", ".join(parts[: kept + 1])) <= most:
        kept += 1
    more = len(parts) - kept
    return ", ".join([*parts[:kept], *([f"{more} more"] if more else [])])


def _cut(text: str, most: int = _NAME) -> str:
    """Cut a long text in the middle: architectures of a space often begin alike."""
    half = most // 2 - 2
    return text if len(text) <= most else f"{text[:half]}...{text[-half:]}"
