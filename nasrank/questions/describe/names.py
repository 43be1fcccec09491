"""What can be named: losses, predictors and metrics, with options and where they are from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from nasrank.losses import LOSSES, LossSpec, parse
from nasrank.losses.piecewise import PiecewiseSpec
from nasrank.named import Named, Option
from nasrank.own import trust
from nasrank.predictors import PREDICTORS
from nasrank.predictors.specification import PredictorSpec
from nasrank.registry import Registry, unknown_name
from nasrank.runs.own_metrics import METRICS as OWN
from nasrank.runs.own_metrics import MetricSpec

__all__ = ["KINDS", "details", "listed"]

Row = dict[str, Any]

KINDS: Mapping[str, tuple[type[Named], Registry[Any]]] = {
    "losses": (LossSpec, LOSSES),
    "predictors": (PredictorSpec, PREDICTORS),
    "metrics": (MetricSpec, OWN),
}
"""What is listed, by the word that lists it."""


def listed(kind: str) -> list[Row]:
    """Return a row for each name of a kind, those of other packages among them.

    Args:
        kind: ``losses``, ``predictors`` or ``metrics``.
    """
    if kind == "metrics":
        return [*_measured(), *(_row(kind, name) for name in OWN.all_names())]
    return [_row(kind, name) for name in KINDS[kind][1].all_names()]


def details(kind: str, text: str) -> Row:
    """Return all there is to say of one name, or of own code by its location.

    Args:
        kind: ``losses``, ``predictors`` or ``metrics``.
        text: A name; its options, if any, are checked and left out.

    Raises:
        UsageError: There is no such name, or own code cannot be loaded.
    """
    if kind == "metrics":
        known = {row["name"]: row for row in _measured()}
        if text in known:
            return {**known[text], "about": known[text]["idea"], "option": []}
        if text.isidentifier() and text not in OWN.all_names():
            # A misspelt one of these, and no location.
            raise unknown_name("metric", text, [*known, *OWN.all_names()])
    trust(text)
    name = KINDS[kind][0].parse(text).name if kind != "losses" else _plain(text)
    thing = KINDS[kind][1][name]
    row = _row(kind, name)
    return {
        **row,
        "about": _about(thing),
        "option": [_described(each) for each in _options(kind, name)],
    }


def _plain(text: str) -> str:
    spec = parse(text)
    return str(spec.first.name if isinstance(spec, PiecewiseSpec) else spec.name)


def _row(kind: str, name: str) -> Row:
    thing = KINDS[kind][1][name]
    row: Row = {"name": name}
    if kind == "losses":
        info = LOSSES.entry(name)
        row |= {"idea": info.formula, "family": info.family}
        origin = info.reference or info.target
    else:
        row["idea"] = _about(thing).partition("\n\n")[0].replace("\n", " ") or None
        origin = KINDS[kind][1].origin(name)
    if kind == "predictors":
        row |= {"loss": thing.own_loss or "any", "extra": thing.extra}
    if kind == "metrics":
        row |= {"better": MetricSpec(name).better, "unit": "1"}
    return {
        **row,
        "options": ", ".join(each.shown for each in _options(kind, name)),
        "origin": origin,
    }


def _options(kind: str, name: str) -> list[Option]:
    return list(KINDS[kind][0].known(name).values())


def _described(option: Option) -> Row:
    """An option as it is typed, and what may be typed."""
    what = option.wanted if option.kind is not None else "its signature does not say what to write"
    return {"option": option.shown, "value": what}


def _measured() -> Iterable[Row]:
    """The metrics that every run has, from the declaration of their columns."""
    from nasrank.runs.tables import DIVERGED_SHARE, METRICS, TOP_STABILITY

    for column in (*METRICS, TOP_STABILITY, DIVERGED_SHARE):
        unit = "of the task" if column.unit == "metric" else column.unit
        row = {"name": column.name, "idea": column.about, "better": column.better, "unit": unit}
        yield {**row, "options": "", "origin": "every comparison"}


def _about(thing: object) -> str:
    """Return the docstring of a function or class, without formulas, arguments and examples."""
    found = getattr(thing, "thing", getattr(thing, "network", thing))
    own = found if callable(found) else type(found)
    # Not that of a base class, which says nothing about it.
    paragraphs = inspect.cleandoc(own.__doc__ or "").split("\n\n")
    kept: list[str] = []
    for paragraph in paragraphs:
        if paragraph.split("\n")[0] in _SECTIONS:
            break
        if not paragraph.startswith(".. math::"):
            # Lines are broken for the source; what is indented, such as a list, stays as it is.
            lines = paragraph.split("\n")
            joined = paragraph if any(line[:1] in " -" for line in lines) else " ".join(lines)
            kept.append(_ROLE.sub(lambda role: role[1].rpartition(".")[2], joined))
    return "\n\n".join(kept).strip()


_ROLE = re.compile(r":[a-z]+:`~?([\w.]+)`")
"""A reference in a docstring, of which people read the last part."""
_SECTIONS = {"Args:", "Returns:", "Raises:", "Example:", "Examples:", "Attributes:", "References:"}
