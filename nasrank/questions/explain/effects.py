"""What parts add and edits gain: by every method with its doubt, and by the labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasrank.graphs import GraphBatch, joined
from nasrank.questions.explain.edits import Edit
from nasrank.questions.explain.judges import Judge, jackknife

__all__ = ["Seen", "edit_rows", "effect_rows", "gains_of", "reward_rows", "with_truth"]

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Seen:
    """The single edits of one architecture, and what is known of them.

    Attributes:
        item: Its class.
        edits: Its edits.
        graphs: What they make of it.
        becomes: ``[edits]`` class of each in the space, -1 outside.
        true: ``[edits]`` gain of each by the labels, NaN where one is not known.
    """

    item: int
    edits: Sequence[Edit]
    graphs: GraphBatch
    becomes: NDArray[np.int64]
    true: NDArray[np.float64]

    def part(self, kept: NDArray[np.int64]) -> Seen:
        """Return it with some of its edits alone."""
        edits = [self.edits[place] for place in kept.tolist()]
        return Seen(self.item, edits, self.graphs[kept], self.becomes[kept], self.true[kept])


def with_truth(
    item: int,
    edits: Sequence[Edit],
    graphs: GraphBatch,
    becomes: NDArray[np.int64],
    worth: NDArray[np.float64],
) -> Seen:
    """Add what the labels say.

    Args:
        item: Class of the architecture.
        edits: Its edits.
        graphs: What they make of it.
        becomes: Class of each, -1 outside the space.
        worth: ``[classes]`` oriented labels, NaN where there is none.
    """
    after = np.where(becomes < 0, np.nan, worth[np.maximum(becomes, 0)])
    return Seen(item, edits, graphs, becomes, after - worth[item])


def gains_of(judge: Judge, space: GraphBatch, every: Sequence[Seen]) -> list[NDArray[np.float64]]:
    """Return how much better each training says that edits make architectures.

    Args:
        judge: The method.
        space: ``[classes]`` the architectures of the space.
        every: The edits of some.

    Returns:
        For each architecture ``[1 + folds, edits]``.
    """
    # At once, since features of one graph cost hardly less than those of a hundred.
    own = judge.values(space[[seen.item for seen in every]])
    edited = judge.values(joined([seen.graphs for seen in every])) if every else own
    ends = np.cumsum([0, *(len(seen.edits) for seen in every)])
    return [
        edited[:, start:end] - own[:, [place]]
        for place, (start, end) in enumerate(pairwise(ends.tolist()))
    ]


def effect_rows(seen: Seen, gains: NDArray[np.float64]) -> list[Row]:
    """Say what each part adds: the mean loss over everything else that could stand in its place.

    Args:
        seen: The edits.
        gains: As from `gains_of`.

    Returns:
        A row for each part that something can replace, largest effect first.
    """
    rows = []
    for (kind, part), places in _parts(seen.edits).items():
        effect, lower, upper = jackknife(-gains[:, places].mean(axis=1))
        rows.append(
            {
                "kind": kind,
                "part": part,
                "effect": effect,
                "effect_lower": lower,
                "effect_upper": upper,
                "alternatives": len(places),
                "true_effect": _known(-float(seen.true[places].mean())),
            }
        )
    return sorted(rows, key=lambda row: (-row["effect"], row["part"]))


def edit_rows(seen: Seen, gains: NDArray[np.float64], names: Mapping[int, str]) -> list[Row]:
    """Say what each edit gains, the greatest first; of several ways to one result the first.

    Args:
        seen: The edits.
        gains: As from `gains_of`.
        names: Name of each class that an edit leads to.
    """
    rows, before = [], set()
    for place, edit in enumerate(seen.edits):
        item = int(seen.becomes[place])
        if item >= 0 and item in before:
            continue
        before.add(item)
        gain, lower, upper = jackknife(gains[:, place])
        true = _known(float(seen.true[place]))
        rows.append(
            {
                "kind": edit.kind,
                "edit": edit.change,
                "gain": gain,
                "gain_lower": lower,
                "gain_upper": upper,
                "becomes": names.get(item),
                "evaluated": true is not None,
                "true_gain": true,
            }
        )
    return sorted(rows, key=lambda row: (-row["gain"], row["edit"]))


def reward_rows(every: Sequence[Seen], gains: Sequence[NDArray[np.float64]]) -> list[Row]:
    """Average effects over architectures: of each operation, at each place, of each setting.

    Where labels of some are known, those alone are averaged, so that both are about the same.

    Args:
        every: Edits of several architectures.
        gains: As from `gains_of`, for each.

    Returns:
        A row for each, by kind and falling effect.
    """
    found: dict[tuple[str, str], list[tuple[NDArray[np.float64], float]]] = defaultdict(list)
    for seen, own in zip(every, gains, strict=True):
        for (kind, _), places in _parts(seen.edits).items():
            if kind == "edge":
                continue
            edit = seen.edits[places[0]]
            pair = -own[:, places].mean(axis=1), -float(seen.true[places].mean())
            found[kind, edit.name].append(pair)
            if edit.depth is not None:
                steps = f"{edit.name}, {edit.depth} from input"
                found["place", steps].append(pair)
    rows = []
    for (kind, part), pairs in found.items():
        true = np.array([each for _, each in pairs])
        chosen = ~np.isnan(true) if not np.isnan(true).all() else np.ones(len(true), np.bool_)
        mean = np.stack([each for each, _ in pairs])[chosen].mean(axis=0)
        effect, lower, upper = jackknife(mean)
        rows.append(
            {
                "kind": kind,
                "part": part,
                "effect": effect,
                "effect_lower": lower,
                "effect_upper": upper,
                "times": int(chosen.sum()),
                "true_effect": _known(float(true[chosen].mean())),
            }
        )
    return sorted(rows, key=lambda row: (row["kind"], -row["effect"], row["part"]))


def _parts(edits: Iterable[Edit]) -> dict[tuple[str, str], list[int]]:
    """Return the places of the edits that put something else in the place of each part."""
    parts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, edit in enumerate(edits):
        if edit.replaces:
            parts[edit.kind, edit.part].append(place)
    return dict(parts)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
