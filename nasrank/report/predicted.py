"""Predicted against true: where single architectures stand, and which part of a list errs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nasrank.report.comparison import Comparison, Place
from nasrank.report.panels import Panel, Tick, across, ended, scale, up

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Cloud", "Clouds", "Predicted", "average_ranks", "kept_dots", "predicted_of"]

_TOP = 0.01
"""Share of a list that counts as its top."""
_PARTS = 10
"""Parts of a list whose errors are told apart."""
_OTHERS = 220
"""Dots of a cloud that belong to neither top."""
_MOST_DOTS = 30_000
"""Dots of all clouds of a comparison: about a quarter of a page of one study."""
_SIDE = 200.0
"""Width and height of a cloud."""


@dataclass(frozen=True)
class Cloud:
    """The architectures of one run: rank by score against rank by label.

    Attributes:
        method: Place of its method, which gives its colour.
        name: Its method.
        note: What becomes of the top, in a line.
        alt: What it says, for those who cannot see it.
        top: The best 1 %, as a path of dots.
        rest: Others, as a path of dots.
    """

    method: int
    name: str
    note: str
    alt: str
    top: str
    rest: str


@dataclass(frozen=True)
class Clouds:
    """Runs of one seed in one place, a cloud for each method.

    Attributes:
        title: The place.
        note: Which seed they are of.
        clouds: The clouds.
        ticks: Marks of both axes, as places on a side.
        strip: Place on a side from which on the best 1 % stand.
        side: Width and height.
    """

    title: str
    note: str
    clouds: Sequence[Cloud]
    ticks: Sequence[Tick]
    strip: float
    side: float = _SIDE


@dataclass(frozen=True)
class Predicted:
    """What scores that were kept show with one training size.

    Attributes:
        errors: A panel for each place: how far ranks are off, by part of the list.
        clouds: Single architectures, for each place.
        without: Places whose single architectures there was no room for.
    """

    errors: Sequence[Panel]
    clouds: Sequence[Clouds]
    without: Sequence[str]


class _Ranked(NamedTuple):
    """One run: ranks from the best, of all that the predictor was not trained on."""

    seed: int
    true: NDArray[np.float64]
    predicted: NDArray[np.float64]


def predicted_of(c: Comparison) -> dict[int, Predicted]:
    """Lay out what the scores that were kept show, by training size.

    Sizes without any have no entry; there is none at all where no scores were kept.
    """
    runs: dict[tuple[Place, int], dict[int, list[_Ranked]]] = {}
    for each in c.scored():
        ranked = _Ranked(each.seed, average_ranks(-each.values), average_ranks(-each.scores))
        own = runs.setdefault((each.place, each.n), {})
        own.setdefault(c.methods.index(each.method), []).append(ranked)
    errors = {
        key: {method: _errors(of) for method, of in sorted(own.items())}
        for key, own in runs.items()
    }
    highest = max((max(e) for own in errors.values() for e in own.values()), default=0.0)
    left, found = _MOST_DOTS, {}
    # The size that is shown first has its turn first.
    for n in sorted(c.sizes, key=lambda size: size != c.size):
        here = [place for place in c.places if (place, n) in runs]
        clouds, without = [], []
        for place in here:
            drawn, dots = _clouds(c, place, n, runs[place, n])
            if dots <= left:
                left -= dots
                clouds.append(drawn)
            else:
                without.append(place.text(sampled=c.sampled))
        if here:
            panels = [_error_panel(c, place, n, errors[place, n], highest) for place in here]
            found[n] = Predicted(panels, clouds, without)
    return found


def average_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1 for the lowest; equal values share the mean of theirs.

    Args:
        values: ``[N]``, finite.

    Returns:
        ``[N]`` ranks.

    Example:
        >>> import numpy as np
        >>> average_ranks(np.array([2.0, 1.0, 2.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    import numpy as np

    _, of, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[of]
    return ranks


def kept_dots(
    true: NDArray[np.float64], predicted: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose what of a run is drawn.

    Args:
        true: ``[N]`` ranks by label, 1 is best.
        predicted: ``[N]`` ranks by score, 1 is best.

    Returns:
        Places of all of the best 1 %; and of the others, all that are predicted to be of the
        best 1 %, and some, spread evenly over the logarithm of their rank.
    """
    import numpy as np

    count = _count(len(true))
    order = np.argsort(true, kind="stable")
    best, rest = order[:count], order[count:]
    is_claimed = np.isin(rest, np.argsort(predicted, kind="stable")[:count])
    claimed, rest = rest[is_claimed], rest[~is_claimed]
    if len(rest) > _OTHERS:
        steps = np.geomspace(count, count + len(rest) - 1, _OTHERS) - count
        rest = rest[np.unique(steps.astype(np.int64))]
    return best, np.concatenate([claimed, rest])


def _count(size: int) -> int:
    """Return how many of so many architectures are the best 1 %."""
    return max(1, math.ceil(_TOP * size))


def _errors(runs: Sequence[_Ranked]) -> list[float]:
    """Return by part of the true list how far ranks are off, in % of its length; mean of runs."""
    import numpy as np

    sums, counts = np.zeros(_PARTS), np.zeros(_PARTS)
    for run in runs:
        size = len(run.true)
        part = np.minimum((run.true - 0.5) / size * _PARTS, _PARTS - 1).astype(np.int64)
        off = np.abs(run.predicted - run.true) / size
        own = np.bincount(part, minlength=_PARTS)
        # Where many share a label a part may be empty.
        sums += np.bincount(part, weights=off, minlength=_PARTS) / np.maximum(own, 1)
        counts += own > 0
    return [float(value) for value in 100 * sums / np.maximum(counts, 1)]


def _error_panel(
    c: Comparison, place: Place, n: int, errors: Mapping[int, Sequence[float]], highest: float
) -> Panel:
    x, y = across(0, _PARTS - 1), up(0.0, highest)
    title = place.text(sampled=c.sampled)
    lines = [
        (method, c.methods[method], [(x(part), y(value)) for part, value in enumerate(own)], "")
        for method, own in errors.items()
    ]
    chosen = [c.methods.index(name) for name in c.chosen]
    said = "; ".join(
        f"{c.methods[m]} {own[0]:.1f}, {sum(own[1:-1]) / (_PARTS - 2):.1f} and {own[-1]:.1f}"
        for m, own in errors.items()
        if m in chosen
    )
    least = min(errors, key=lambda method: errors[method][0])
    step = next((s for s in (1, 2, 5, 10, 20) if highest / s <= 5), 50)
    marks = [Tick(y(mark), f"{mark} %") for mark in range(0, int(highest) + 1, step)]
    return Panel(
        title=title,
        note=f"least in the best tenth: {c.methods[least]}, {errors[least][0]:.1f} %",
        alt=f"{title}, {n:,} labels: by how many percent of the list ranks are off in the best "
        f"tenth, on average between, and in the worst tenth: {said}.",
        lines=ended(lines, chosen),
        across=[Tick(x(0), "best"), Tick(x((_PARTS - 1) / 2), "middle"),
                Tick(x(_PARTS - 1), "worst tenth")],
        up=marks,
    )  # fmt: skip


def _clouds(
    c: Comparison, place: Place, n: int, runs: Mapping[int, Sequence[_Ranked]]
) -> tuple[Clouds, int]:
    """Draw the first seed that all methods have, or the first of each; also count the dots."""
    shared = set.intersection(*({run.seed for run in own} for own in runs.values()))
    seed = min(shared, default=None)
    title = place.text(sampled=c.sampled)
    shown = {
        method: next((run for run in own if run.seed == seed), own[0])
        for method, own in sorted(runs.items())
    }
    most = max(len(run.true) for run in shown.values())
    at = scale(-math.log(most), 0.0, 0.0, _SIDE)
    clouds, dots = [], 0
    for method, run in shown.items():
        best, others = kept_dots(run.true, run.predicted)
        dots += len(best) + len(others)
        name = c.methods[method]
        hit = int((run.predicted[best] <= len(best)).sum())
        note = f"{hit:,} of the best {len(best):,} are in its first {len(best):,}"
        alt = f"{name} on {title}, {n:,} labels: rank by score against rank by label; {note}."
        right, high = ([at(-math.log(rank)) for rank in of] for of in (run.true, run.predicted))
        top, rest = (
            "".join(f"M{right[i]:.0f} {_SIDE - high[i]:.0f}h0" for i in each)
            for each in (best, others)
        )
        clouds.append(Cloud(method, name, note, alt, top, rest))
    powers = range(int(math.log10(most)) + 1)
    ticks = [Tick(round(at(-k * math.log(10)), 1), f"{10**k:,}") for k in powers]
    strip = round(at(-math.log(_count(most))), 1)
    note = "one run of each" if seed is None else f"seed {seed}"
    return Clouds(title, note, clouds, ticks, strip), dots
