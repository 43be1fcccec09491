"""The section of a comparison: its answer in a sentence, and the pictures that bear it out."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nasrank.report.commands import typed
from nasrank.report.comparison import ORDER, REGRET, Comparison, Place
from nasrank.report.multiples import discovery_panel, order_panels, seconds_panel
from nasrank.report.panels import Panel, Tick, log_scale, log_ticks
from nasrank.report.predicted import Predicted, predicted_of
from nasrank.report.sheets import MISSING
from nasrank.study.claims import FEWEST_SEEDS
from nasrank.study.view import number, plural, with_interval

__all__ = ["Section", "closed_gap", "section_of"]

_HIT = "first_hit_0.1pct"
_LEAST_GAP = 0.01
"""Difference of tau from which on it is said which share of it is closed."""
_SHADE = 0.1
"""Distance from the best, in tau, that is shaded in full."""


@dataclass(frozen=True)
class Cell:
    """A cell of a matrix: its text, its kind, how much it is shaded, and what it means."""

    text: str
    kind: str = ""
    shade: float = 0.0
    about: str = ""


@dataclass(frozen=True)
class Matrix:
    """A row of cells for each method, in the order of the methods."""

    columns: Sequence[tuple[str, str, str]]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Lane:
    """Evaluations that one method needs in one place; positions are percent of the width."""

    method: int
    at: float | None
    start: float | None
    end: float | None
    open: bool
    text: str
    saved: str
    hours: str


@dataclass(frozen=True)
class Reach:
    """Evaluations to the target in one place: a lane for each method, and random search."""

    place: str
    random: float | None
    random_text: str
    random_hours: str
    lanes: Sequence[Lane]


@dataclass(frozen=True)
class Closed:
    """How much of the gap between two losses is closed by feeding one with other targets.

    Attributes:
        base: The loss as it is published.
        best: The loss that it is behind of.
        columns: Places.
        rows: A method, and its share at each place and over all, in percent; nothing where the
            gap is too small to share.
    """

    base: str
    best: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class AtSize:
    """What is shown for one training size."""

    n: int
    facts: Sequence[tuple[str, str]]
    behind: Matrix
    reach: Sequence[Reach]
    axis: Sequence[Tick]
    regret: Matrix
    discovery: Sequence[Panel]
    seconds: Sequence[Panel]
    closed: Closed | None
    predicted: Predicted | None


@dataclass(frozen=True)
class Section:
    """Everything that the section of a comparison shows.

    Attributes:
        what: What is compared: loss, predictor or method.
        methods: Names, the best first.
        chosen: Places of the methods that are in colour at first.
        colours: Colour of each method; the first ones go to those in colour at first.
        first: Place of the size that is shown at first.
        verdict: The answer: its words, and the name to choose between them.
        sizes: What is shown for each training size.
        wins: Who is ahead of whom.
        order: A panel for each place, of the order against the training size.
        margin: Difference of tau that does not matter.
        keep: The command that keeps scores, where none were kept.
        whole: The command that shows all sizes, where some are left out.
    """

    what: str
    methods: Sequence[str]
    chosen: Sequence[int]
    colours: Sequence[int]
    first: int
    verdict: tuple[str, str, str]
    sizes: Sequence[AtSize]
    wins: Matrix
    order: Sequence[Panel]
    margin: float
    seeds: str
    target: str
    has_hours: bool
    keep: str
    whole: str


def section_of(c: Comparison, *, brief: bool = False) -> Section:
    """Lay out a comparison.

    Args:
        c: The comparison.
        brief: Whether to show one training size alone, but for the order, which is of all.
    """
    sizes = [c.size] if brief else c.sizes
    costs = [
        row
        for place in c.places
        for n in c.sizes
        for method in c.methods
        if (row := c.head(place, n, method)) and row["evaluations"] is not None
    ]
    chosen = [c.methods.index(method) for method in c.chosen]
    predicted = predicted_of(c)
    by_need = sorted(range(len(c.methods)), key=lambda place: place not in chosen)
    return Section(
        what=c.what,
        methods=c.methods,
        chosen=chosen,
        colours=[by_need.index(place) for place in range(len(c.methods))],
        first=sizes.index(c.size),
        verdict=_verdict(c),
        sizes=[_at_size(c, n, predicted.get(n)) for n in sizes],
        wins=_wins(c),
        order=order_panels(c),
        margin=c.margin,
        seeds=_seeds(c),
        target=_target(costs),
        has_hours=any(row["gpu_hours"] is not None for row in costs),
        keep="" if predicted else _keeping(c),
        whole="" if len(sizes) == len(c.sizes) else _alone(c),
    )


def _alone(c: Comparison) -> str:
    """Write the command that makes a page of a comparison alone."""
    return shlex.join(["nasrank", "report", *(str(study.folder) for study in c.studies)])


def _keeping(c: Comparison) -> str:
    """Write the command that keeps scores of a comparison."""
    study = c.studies[0]
    return typed(study.command, {**study.config, "keep_predictions": True}, study.folder)


def _target(costs: Sequence[Any]) -> str:
    """Say what evaluations are counted to."""
    sure = sorted({f"{100 * row['confidence']:.0f} %" for row in costs}, reverse=True)
    top = sorted({f"{100 * row['top_fraction']:g} %" for row in costs})
    return f"one of the best {top[0]}, with {' or '.join(sure)} confidence" if costs else ""


def _counts(c: Comparison, method: str, metric: str, sizes: Sequence[int]) -> dict[str, int]:
    counts = dict.fromkeys(("best", "equivalent", "undecided", "worse", "none"), 0)
    for n in sizes:
        for place in c.places:
            if c.head(place, n, method) is not None:
                counts[c.verdict(place, n, method, metric)] += 1
    return counts


def _verdict(c: Comparison) -> tuple[str, str, str]:
    """Write the answer: before the name, the name, and after it."""
    best = c.methods[0]
    if len(c.methods) == 1:
        return "", best, f"is the only {c.what} here: there is nothing to compare it with."
    n = c.size
    if c.seeds[1] < FEWEST_SEEDS:
        few = f"with {n:,} labels it comes first, but {_seeds(c)} decide nothing"
        return "Perhaps", best, f"{few}. Give --seeds {FEWEST_SEEDS} or more."
    mine = _counts(c, best, ORDER, [n])
    total = sum(mine.values())
    level = mine["best"] + mine["equivalent"]
    where = {1: "the task", 2: "both tasks"}.get(total, f"all {total} tasks")
    tasks = plural(total, "task")
    if level == total:
        after = f"has the best order, or one equivalent to it, on {where}"
    elif not mine["worse"]:
        after = f"is never shown to order worse than the best: {level} of {tasks} decided"
    else:
        after = f"orders best or as well on {level} of {tasks}, worse on {mine['worse']}"
    return "Use", best, f"with {n:,} labels it {after}{_saved(c, n, best)}."


def _saved(c: Comparison, n: int, method: str) -> str:
    """Say what a method saves of random search, in evaluations and in GPU-hours."""
    rows = [row for place in c.places if (row := c.head(place, n, method))]
    shares = [100 * row["savings"] for row in rows if row["savings"] is not None]
    if not shares:
        return ""
    hours = [
        row["random_gpu_hours"] - row["gpu_hours"]
        for row in rows
        if row["gpu_hours"] is not None and row["random_gpu_hours"] is not None
    ]
    cost = f", and saves {_range(shares)} % of the evaluations of random search"
    return f"{cost}, {_range(hours)} GPU-hours" if hours else cost


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):,.0f}", f"{max(values):,.0f}"
    return low if low == high else f"{low} to {high}"


def _facts(c: Comparison, n: int) -> list[tuple[str, str]]:
    """Write what the answer rests on: who is as good, what it costs, what is not known."""
    best = c.methods[0]
    facts = []
    level, open_ = [], []
    for method in c.methods[1:]:
        counts = _counts(c, method, ORDER, [n])
        total = sum(counts.values())
        if total and counts["best"] + counts["equivalent"] == total:
            level.append(method)
        elif total and not counts["worse"]:
            open_.append(f"{method} ({counts['best'] + counts['equivalent']} of {total})")
    margin = f"{c.margin:g} of Kendall's tau"
    if level or open_:
        same = f"As good everywhere, within {margin}: {', '.join(level)}. " if level else ""
        rest = (
            f"Never shown worse, but not settled everywhere: {', '.join(open_)}." if open_ else ""
        )
        facts.append(("Equivalent", (same + rest).strip()))
    elif len(c.methods) > 1:
        facts.append(("Equivalent", f"Every other {c.what} is shown to be worse somewhere."))
    rows = [(p, row) for p in c.places if (row := c.head(p, n, best))]
    known = [(p, row) for p, row in rows if row["savings"] is not None]
    if known:
        most = max(known, key=lambda each: each[1]["savings"])
        least = min(known, key=lambda each: each[1]["savings"])
        text = "; ".join(
            f"{place.text(sampled=c.sampled)}: {row['evaluations']:,} instead of "
            f"{row['random_evaluations']:,}{_hours_text(row)}"
            for place, row in dict([most, least]).items()
        )
        ends = "At best and at worst, " if len(known) > 1 else ""
        facts.append(("Evaluations", f"{ends}{text}."))
    facts.append(("Doubt", _doubt(c, n)))
    return facts


def _hours_text(row: Any) -> str:  # noqa: ANN401 - a row
    if row["gpu_hours"] is None:
        return ""
    return f" ({row['gpu_hours']:,.0f} of {row['random_gpu_hours']:,.0f} GPU-hours)"


def _doubt(c: Comparison, n: int) -> str:
    best = c.methods[0]
    order, hit = (_counts(c, best, metric, [n]) for metric in (ORDER, _HIT))
    total = sum(hit.values())
    lines = []
    if total and hit["none"] < total:
        lines.append(
            f"That it meets the target soonest is not shown: it is best on {hit['best']} of "
            f"{plural(total, 'task')}, undecided on {hit['undecided']}, worse on {hit['worse']}."
        )
    if order["undecided"]:
        lines.append(f"Its order is undecided on {order['undecided']}.")
    lines.append(f"{_seeds(c)} each; intervals are 95 %.")
    return " ".join(lines)


def _seeds(c: Comparison) -> str:
    fewest, most = c.seeds
    return plural(most, "seed") if fewest == most else f"{fewest} to {most} seeds"


def _at_size(c: Comparison, n: int, predicted: Predicted | None) -> AtSize:
    reach, axis = _reach(c, n)
    here = [place for place in c.places if c.has(place, n)]
    return AtSize(
        n=n,
        facts=_facts(c, n),
        behind=_behind(c, n, here),
        reach=reach,
        axis=axis,
        regret=_regret(c, n, here),
        discovery=[discovery_panel(c, place, n) for place in here],
        seconds=[seconds_panel(c, place, n) for place in here],
        closed=closed_gap(c, n, here),
        predicted=predicted,
    )


def closed_gap(c: Comparison, n: int, places: Sequence[Place]) -> Closed | None:
    """Say which share of a gap between losses is the target; None where no target differs.

    The gap is that of mean tau between a loss as it is published and the best of the other
    losses, over all places.

    Args:
        c: The comparison.
        n: A training size.
        places: Where something was compared with that size.
    """
    fed = {m: m.partition("(targets=")[0] for m in c.methods if "(targets=" in m}
    base = next((name for name in fed.values() if name in c.methods), None)
    others = [m for m in c.methods if m != base and fed.get(m) != base]
    taus = {
        m: [c.value(place, n, m, ORDER)["mean"] for place in places]
        for m in (base, *others, *fed)
        if m is not None
    }
    known = {m: own for m, own in taus.items() if own and None not in own}
    others = [m for m in others if m in known]
    if base is None or base not in known or not others:
        return None
    best = max(others, key=lambda m: sum(known[m]))
    rows = []
    for method, own in fed.items():
        if own == base and method in known:
            cells = [
                _share(a, b, most)
                for a, b, most in zip(known[base], known[method], known[best], strict=True)
            ]
            total = _share(*(sum(known[m]) / len(places) for m in (base, method, best)))
            rows.append((method, [*cells, total]))
    columns = [place.text(sampled=c.sampled) for place in places]
    return Closed(base, best, [*columns, "all together"], rows) if rows else None


def _share(low: float, value: float, high: float) -> str:
    return f"{100 * (value - low) / (high - low):.0f} %" if high - low > _LEAST_GAP else ""


def _columns(c: Comparison, places: Sequence[Place]) -> list[tuple[str, str, str]]:
    """Group, name and full name of the column of each place."""
    found = []
    for place in places:
        full = place.text(sampled=c.sampled)
        space, _, rest = full.partition("/")
        found.append((space if rest else "", rest or full, full))
    return found


def _behind(c: Comparison, n: int, places: Sequence[Place]) -> Matrix:
    """Lay out how far the order of each method is behind the best, in thousandths of tau."""
    rows = []
    for method in c.methods:
        cells = []
        for place in places:
            row, kind = c.value(place, n, method, ORDER), c.verdict(place, n, method, ORDER)
            behind = -(row["difference"] or 0.0)
            text = (
                MISSING
                if row["mean"] is None
                else "●"
                if kind == "best"
                else f"{1000 * behind:.0f}"
            )
            about = "no value" if row["mean"] is None else f"tau {c.spread(row)}, {kind}"
            shade = min(behind / _SHADE, 1.0) if kind == "worse" else 0.0
            cells.append(Cell(text, kind, round(max(shade, 0.0), 2), about))
        counts = _counts(c, method, ORDER, [n])
        level, total = counts["best"] + counts["equivalent"], sum(counts.values())
        cells.append(Cell(f"{level}/{total}", "sum", 0, "best or equivalent to it"))
        rows.append(cells)
    return Matrix([*_columns(c, places), ("", "as good", "best or equivalent to it")], rows)


def _regret(c: Comparison, n: int, places: Sequence[Place]) -> Matrix:
    """Lay out the regret after ten evaluations; the worst of each place is marked."""
    worst = {
        place: max(
            (row["mean"] for m in c.methods
             if (row := c.value(place, n, m, REGRET))["mean"] is not None),
            default=None,
        )
        for place in places
    }  # fmt: skip
    rows = []
    for method in c.methods:
        cells = []
        for place in places:
            row = c.value(place, n, method, REGRET)
            most, mean = worst[place], row["mean"]
            if mean is None or most is None:
                cells.append(Cell(MISSING, "none"))
                continue
            about = f"{c.spread(row, number)}, {c.verdict(place, n, method, REGRET)}"
            kind = "worst" if mean == most and most > 0 else ""
            shade = round((max(mean, 0) / most) ** 2, 2) if most > 0 else 0.0
            cells.append(Cell(f"{mean:.2f}" if most < 100 else f"{mean:,.0f}", kind, shade, about))
        rows.append(cells)
    return Matrix(_columns(c, places), rows)


def _wins(c: Comparison) -> Matrix:
    rows = []
    for one in c.methods:
        cells = []
        for other in c.methods:
            won, pairs = c.wins(one, other) if one != other else (0, 0)
            if not pairs:
                cells.append(Cell("", "self"))
                continue
            share = won / pairs
            about = f"{one} has the higher tau in {won:,} of {pairs:,} pairs with {other}"
            kind = "ahead" if share > 0.5 else "behind" if share < 0.5 else ""
            cells.append(Cell(f"{100 * share:.0f}", kind, round(abs(2 * share - 1), 2), about))
        rows.append(cells)
    return Matrix([("", name, name) for name in c.methods], rows)


def _reach(c: Comparison, n: int) -> tuple[list[Reach], list[Tick]]:
    """Lay out evaluations to the target, on one logarithmic scale for all sizes."""
    every = [
        row for p in c.places for size in c.sizes for m in c.methods if (row := c.head(p, size, m))
    ]
    ends = [
        row[name]
        for row in every
        for name in ("evaluations", "evaluations_lower", "evaluations_upper", "random_evaluations")
        if row[name]
    ]
    if not ends:
        return [], []
    low, high = min(ends) / 1.1, max(ends) * 1.15
    at = log_scale(low, high)
    found = []
    for place in c.places:
        lanes = [
            _lane(place_, row, at)
            for place_, method in enumerate(c.methods)
            if (row := c.head(place, n, method))
        ]
        known = next(
            (row for m in c.methods
             if (row := c.head(place, n, m)) and row["random_evaluations"]), None
        )  # fmt: skip
        if known is not None:
            hours = known["random_gpu_hours"]
            found.append(
                Reach(
                    place.text(sampled=c.sampled),
                    at(known["random_evaluations"]),
                    number(known["random_evaluations"]),
                    "" if hours is None else f"{hours:,.0f}",
                    lanes,
                )
            )
    ticks = [Tick(at(value), number(value)) for value in log_ticks(low, high)]
    return found, ticks


def _lane(method: int, row: Any, at: Callable[[float], float]) -> Lane:  # noqa: ANN401 - a row
    value = row["evaluations"]
    lower, upper = row["evaluations_lower"], row["evaluations_upper"]
    saved, hours = row["savings"], row["gpu_hours"]
    return Lane(
        method=method,
        at=None if value is None else at(value),
        start=None if value is None else at(value if lower is None else lower),
        end=None if value is None else at(value if upper is None else upper),
        open=value is not None and upper is None,
        text="too few seeds" if value is None else with_interval(row, "evaluations", number),
        saved="" if saved is None else f"{100 * saved:.0f} %",
        hours="" if hours is None else f"{hours:,.0f}",
    )
