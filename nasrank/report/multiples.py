"""Small multiples of a comparison: order, discovery and seconds, a panel for each place."""

from __future__ import annotations

import math

from nasrank.report.comparison import ORDER, Comparison, Place
from nasrank.report.panels import (
    BOTTOM,
    HEIGHT,
    Drawn,
    Panel,
    Tick,
    across,
    ended,
    labelled_dots,
    path,
    thinned,
    up,
    with_unit,
)

__all__ = ["discovery_panel", "order_panels", "seconds_panel"]

_FAR = 1_000
"""Further evaluations that are shown; beyond, whoever searches has found the top."""
_STEPS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.8)
_MINUS = "\N{MINUS SIGN}"


def order_panels(c: Comparison) -> list[Panel]:
    """Draw for each place how far methods are behind the best, against the training size."""
    lowest = min(
        (c.value(p, n, m, ORDER)["difference"] or 0.0
         for p in c.places for n in c.sizes for m in c.methods),
        default=0.0,
    )  # fmt: skip
    y = up(_root(min(1.06 * lowest, -0.02)), 0.0)
    x = across(math.log(c.sizes[0]), math.log(c.sizes[-1]))
    steps = [
        Tick(y(_root(-s)), "best" if s == 0 else f"{_MINUS}{s:g}") for s in _STEPS if -s >= lowest
    ]
    margin = c.margin
    panels = []
    for place in c.places:
        lines = []
        for method, name in enumerate(c.methods):
            points, whiskers = [], []
            for n in c.sizes:
                row = c.value(place, n, name, ORDER)
                if row["mean"] is None:
                    continue
                left = x(math.log(n))
                points.append((left, y(_root(row["difference"] or 0.0))))
                low, high = row["difference_lower"], row["difference_upper"]
                if low is not None and high is not None:
                    floor = HEIGHT - BOTTOM
                    aside = left + 2.5 * (method % 4 - 1.5)
                    whiskers.append(path([(aside, min(y(_root(v)), floor)) for v in (low, high)]))
            if points:
                lines.append((method, name, points, "".join(whiskers)))
        panels.append(
            Panel(
                title=place.text(sampled=c.sampled),
                note=_order_note(c, place),
                alt=_order_alt(c, place),
                lines=ended(lines, [c.methods.index(m) for m in c.chosen]),
                across=with_unit(
                    thinned([Tick(x(math.log(n)), f"{n:,}") for n in c.sizes], 26), "labels"
                ),
                up=thinned(steps, 11),
                band=(y(0.0), y(_root(-margin))) if margin else None,
            )
        )
    return panels


def _order_note(c: Comparison, place: Place) -> str:
    n = c.size if c.has(place, c.size) else next(n for n in c.sizes if c.has(place, n))
    taus = [v for m in c.methods if (v := c.value(place, n, m, ORDER)["mean"]) is not None]
    ceiling = c.ceiling(place)
    best = f"best {max(taus):.3f} with {n:,} labels" if taus else "no value"
    return best + ("" if ceiling is None else f"; noise allows {ceiling:.3f}")


def _order_alt(c: Comparison, place: Place) -> str:
    said = []
    for method in c.chosen:
        parts = [
            f"{1000 * (row['difference'] or 0):.0f} at {n:,}"
            for n in c.sizes
            if (row := c.value(place, n, method, ORDER))["mean"] is not None
        ]
        said.append(f"{method} {', '.join(parts)}")
    return (
        f"{place.text(sampled=c.sampled)}: thousandths of tau from the best against training "
        f"labels. {'; '.join(said)}."
    )


def discovery_panel(c: Comparison, place: Place, n: int) -> Panel:
    """Draw how far the share found is behind the best share, against further evaluations."""
    found = {m: dict(points) for m in c.methods if (points := c.found(place, n, m))}
    seen = sorted({k for rates in found.values() for k in rates if k <= _FAR})
    most = {k: max(rates[k] for rates in found.values() if k in rates) for k in seen}
    x = across(0.0, math.log1p(max(most, default=1)))
    y = up(_lowest_share(c), 0.0)
    lines: list[Drawn] = []
    for name, rates in found.items():
        curve = [(x(math.log1p(k)), y(rates[k] - best)) for k, best in most.items() if k in rates]
        lines.append((c.methods.index(name), name, curve, ""))
    title = place.text(sampled=c.sampled)
    at = max((k for k in most if k <= 100), default=0)
    note, said = "no value", []
    if most:
        chance = min((n + at) / c.universe(place, n), 1.0)
        note = f"best {100 * most[at]:.0f} % after {at:,}; random {100 * chance:.0f} %"
        said = [f"{m} {100 * found[m][at]:.0f} %" for m in c.chosen if at in found.get(m, {})]
    ticks = [Tick(x(math.log1p(k)), f"{k:,}") for k in (0, 10, 100, 1_000) if k in most]
    low = _lowest_share(c)
    step = 0.1 if low < -0.2 else 0.05
    marks = [-step * i for i in range(int(-low / step + 1e-9) + 1)]
    return Panel(
        title=title,
        note=note,
        alt=f"{title}: share of the top 1 % found with {n:,} labels and {at:,} further "
        f"evaluations: {'; '.join(said)}.",
        lines=ended(lines, [c.methods.index(m) for m in c.chosen]),
        across=with_unit(ticks, "more"),
        up=[Tick(y(m), "best" if m == 0 else f"{_MINUS}{-100 * m:.0f}") for m in marks],
    )


def _lowest_share(c: Comparison) -> float:
    """Return how far any share found is behind the best one, at the least 10 points."""
    lowest = -0.1
    for place in c.places:
        for n in c.sizes:
            found = [dict(points) for m in c.methods if (points := c.found(place, n, m))]
            for k in {k for rates in found for k in rates if k <= _FAR}:
                rates = [each[k] for each in found if k in each]
                lowest = min(lowest, min(rates) - max(rates))
    return lowest


def seconds_panel(c: Comparison, place: Place, n: int) -> Panel:
    """Draw tau against the seconds that fitting and scoring take."""
    known = [
        (method, name, seconds, row)
        for method, name in enumerate(c.methods)
        if (seconds := c.seconds(place, n, name))
        and (row := c.value(place, n, name, ORDER))["mean"] is not None
    ]
    title = place.text(sampled=c.sampled)
    if not known:
        return Panel(title, "no value", f"{title}: no value")
    times = [seconds for _, _, seconds, _ in known]
    ends = [v for *_, row in known for v in (row["mean"], row["lower"], row["upper"]) if v]
    x = across(math.log(min(times) / 1.3), math.log(max(times) * 1.3))
    low, high = min(ends), max(ends)
    y = up(low - 0.04 * (high - low), high)
    points = [
        (
            method,
            x(math.log(seconds)),
            y(row["mean"]),
            None if row["lower"] is None else (y(row["lower"]), y(row["upper"])),
            name,
            f"{name}: tau {c.spread(row)}, {seconds:.2g} s",
        )
        for method, name, seconds, row in known
    ]
    best = max(known, key=lambda each: each[3]["mean"])
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if (high - low) / s <= 5)
    taus = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    span = (min(times) / 1.3, max(times) * 1.3)
    round_: list[float] = []
    # Over a short range there may be no two of the rounder numbers.
    for steps in ((1, 2, 5), range(1, 10)):
        if len(round_) < 2:
            every = (s * 10.0**e for e in range(-4, 6) for s in steps)
            round_ = [value for value in every if span[0] <= value <= span[1]]
    return Panel(
        title,
        f"{best[1]} {best[3]['mean']:.3f} in {best[2]:.2g} s",
        f"{title}: Kendall tau against seconds with {n:,} labels. Highest: {best[1]}, "
        f"{best[3]['mean']:.3f} in {best[2]:.2g} seconds.",
        dots=labelled_dots(points, [c.methods.index(m) for m in c.chosen]),
        across=with_unit(thinned([Tick(x(math.log(s)), f"{s:g}") for s in round_], 26), "s"),
        up=[Tick(y(tau), f"{tau:.2f}") for tau in taus],
    )


def _root(difference: float) -> float:
    """Stretch differences near 0; what is above the best counts as the best."""
    return -math.sqrt(max(-difference, 0.0))
