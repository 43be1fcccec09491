"""What people see of an explanation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nasrank.questions.explain.options import ExplainConfig
from nasrank.study.study import Result
from nasrank.study.view import Field, Part, Sheet, grouped, number, plural

__all__ = ["method_names", "view_explained"]

Row = Mapping[str, Any]

_PARTS, _EDITS, _REWARDS = 8, 3, 12
"""Rows that are shown of each table; the tables hold all."""


def view_explained(result: Result[ExplainConfig]) -> Iterable[Part]:
    """Lay an explanation out for people: each architecture, then the space."""
    record, tables = result.record or {}, result.tables
    names = method_names(tables["explained"])
    digits = _digits([0.0, *(abs(row["effect"]) for row in tables["effects"])])
    unit = "" if record["unit"] == "1" else f" {record['unit']}"
    for (_, name), rows in grouped(tables["explained"], ["place", "id"]).items():
        place = rows[0]["place"]
        yield f"{place}. {name}"
        yield f"   {record['wiring'][name]}"
        yield f"   {_said(rows, names, digits, unit)}"
        yield _nearest(rows[0], digits, unit)
        own = [row for row in tables["effects"] if row["place"] == place]
        title = f"What each part adds{_after_comma(unit)}: mean loss with something else there"
        yield _effects(own, names, digits, title, _PARTS)
        yield _edits([row for row in tables["edits"] if row["place"] == place], names, digits)
    title = (
        f"What is rewarded{_after_comma(unit)}, in architectures drawn from the space, "
        f"learnt from {record['evaluated']:,} labels"
    )
    yield _effects(tables["rewards"], names, digits, title, _REWARDS)
    yield _agreement(tables["agreement"], names)
    yield (
        "± is half a 95 % interval, by a jackknife over the folds left out. Effects and gains are "
        "positive where the label gets better. true: by the labels, where all that is compared "
        "is evaluated. It is what the methods have learnt, one change at a time; effects do not "
        "add up to the value."
    )
    yield from (f"! {note}" for note in result.notes)


def method_names(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """Name methods by what tells them apart: loss, predictor, or both."""
    methods = list(dict.fromkeys((row["predictor"], row["loss"]) for row in rows))
    predictors, losses = ({each[side] for each in methods} for side in (0, 1))
    if len(predictors) == 1:
        return {each: each[1] for each in methods}
    if len(losses) == 1 or len(predictors) == len(methods):
        return {each: each[0] for each in methods}
    return {each: " ".join(each) for each in methods}


def _said(
    rows: Sequence[Row], names: Mapping[tuple[str, str], str], digits: int, unit: str
) -> str:
    said = [
        f"{names[row['predictor'], row['loss']]} says "
        f"{row['value']:.{digits}f} ± {row['value_upper'] - row['value']:.{digits}f}{unit}, "
        f"rank {row['rank']:,}"
        for row in rows
    ]
    label = rows[0]["label"]
    known = "not evaluated" if label is None else f"true {label:.{digits}f}{unit}"
    return f"{'; '.join(said)}; {known}{', trained on' if rows[0]['trained_on'] else ''}."


def _nearest(row: Row, digits: int, unit: str) -> str:
    if row["trained_on"]:
        return "   It is one of the evaluated ones itself."
    return (
        f"   Nearest evaluated: {row['nearest']}, {row['nearest_label']:.{digits}f}{unit} "
        f"({row['difference']})."
    )


def _effects(
    rows: Sequence[Row],
    names: Mapping[tuple[str, str], str],
    digits: int,
    title: str,
    most: int,
) -> Sheet:
    lines = []
    for (kind, part), own in grouped(rows, ["kind", "part"]).items():
        said = {(row["predictor"], row["loss"]): row for row in own}
        cells = {
            name: f"{said[each]['effect']:+.{digits}f} ± "
            f"{said[each]['effect_upper'] - said[each]['effect']:.{digits}f}"
            if each in said
            else "-"
            for each, name in names.items()
        }
        true = own[0]["true_effect"]
        lines.append(
            {
                "kind": kind,
                "part": part,
                **cells,
                "true": "-" if true is None else f"{true:+.{digits}f}",
                "size": max(abs(row["effect"]) for row in own),
            }
        )
    # The largest, whatever their sign, and then in the order of their kind.
    largest = sorted(lines, key=lambda line: -line["size"])[:most]
    shown = [line for line in lines if line in largest]
    fields = [Field("kind", keep=6), Field("part", keep=9)]
    fields += [Field(name, right=True, keep=8) for name in names.values()]
    if any(line["true"] != "-" for line in lines):
        fields.append(Field("true", right=True, keep=8))
    if len(shown) < len(lines):
        title += f" ({len(shown)} largest of {len(lines)})"
    return Sheet(shown, fields, title)


def _edits(rows: Sequence[Row], names: Mapping[tuple[str, str], str], digits: int) -> Sheet:
    lines = []
    for (predictor, loss), own in grouped(rows, ["predictor", "loss"]).items():
        for row in own[:_EDITS]:
            half = row["gain_upper"] - row["gain"]
            lines.append(
                {
                    "by": names[predictor, loss],
                    "edit": row["edit"],
                    "gain": f"{row['gain']:+.{digits}f} ± {half:.{digits}f}",
                    "true": "-" if row["true_gain"] is None else f"{row['true_gain']:+.{digits}f}",
                    "becomes": row["becomes"] or "not in the space",
                }
            )
    fields = [
        Field("by", keep=7),
        Field("edit", keep=9),
        Field("gain", right=True, keep=8),
        Field("true", right=True, keep=6),
        Field("becomes", keep=3),
    ]
    if all(line["true"] == "-" for line in lines):
        del fields[3]
    return Sheet(lines, fields, "Best single edits")


def _agreement(rows: Sequence[Row], names: Mapping[tuple[str, str], str]) -> Sheet:
    short = {f"{predictor} {loss}": name for (predictor, loss), name in names.items()}
    lines = [
        {
            "pair": f"{short.get(row['first'], row['first'])} and "
            f"{short.get(row['second'], row['second'])}",
            "order": row["order_tau"],
            "effects": row["effects_tau"],
        }
        for row in rows
    ]
    fields = [
        Field("pair", "", keep=9),
        Field("order", "order", _two, right=True, keep=9),
        Field("effects", "rewards", _two, right=True, keep=9),
    ]
    drawn = max((row["architectures"] for row in rows), default=0)
    title = f"Agreement: Kendall tau over {plural(drawn, 'architecture')} drawn, and of rewards"
    return Sheet(lines, fields, title)


def _two(value: float | None) -> str:
    return number(None) if value is None else f"{value:.2f}"


def _digits(values: Sequence[float]) -> int:
    """Return the decimals that values of this spread need."""
    spread = max(values) - min(values) if values else 0.0
    return max(0, min(6, 2 - math.floor(math.log10(spread)))) if spread > 0 else 2


def _after_comma(unit: str) -> str:
    return f",{unit}" if unit else ""
