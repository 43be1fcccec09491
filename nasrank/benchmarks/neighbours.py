"""Mutations within a benchmark: architectures that differ from a given one in one place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nasrank.benchmarks.space import Space
from nasrank.graphs.setting_columns import SettingColumns
from nasrank.graphs.settings import Settings
from nasrank.seeds import numpy_generator

__all__ = ["Neighbourhood", "neighbourhood_of"]

_NEAREST = 10
"""Neighbours that every architecture of settings has at least."""
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+")


class Neighbourhood:
    """The architectures of a space that differ in one place.

    Args:
        codes: ``[N, places]`` what stands at each place of each architecture, as numbers that are
            equal exactly where the same stands there.
        positions: ``[N, D]`` coordinates, or None. Given these, an architecture that has fewer
            than ten neighbours has its ten nearest ones beside them: trials whose numbers were
            drawn from an interval hardly ever agree in all but one.
    """

    def __init__(
        self, codes: NDArray[np.int64], positions: NDArray[np.float64] | None = None
    ) -> None:
        # A sum of one random number per place: rows that agree except in one place agree in the
        # sum without that place.
        weights = numpy_generator(0, stream="tokens").integers(
            0, 2**63, (codes.shape[1], int(codes.max(initial=0)) + 1), dtype=np.uint64
        )
        placed = weights[np.arange(codes.shape[1]), codes]
        total = placed.sum(axis=1, dtype=np.uint64)
        self._keys = [
            total - placed[:, place]
            for place in range(codes.shape[1])
            if np.ptp(codes[:, place]) > 0
        ]
        self._order = [np.argsort(keys, kind="stable") for keys in self._keys]
        self._sorted = [k[order] for k, order in zip(self._keys, self._order, strict=True)]
        self._positions = positions

    @classmethod
    def of_texts(cls, architectures: Sequence[str]) -> Neighbourhood:
        """Compare texts by their tokens.

        Tokens are words and numbers: in ``|nor_conv_1x1~0|`` the operation and the node it reads,
        in ``64-41414-0_00_011`` every digit of the cell, since runs of digits of the same length
        in the whole space are codes. An edit that leaves the space is not a neighbour.
        """
        tokens = _tokens(architectures)
        numbers: dict[str, int] = {}
        codes = np.zeros((len(tokens), max((len(row) for row in tokens), default=0)), np.int64)
        for row, words in zip(codes, tokens, strict=True):
            row[: len(words)] = [numbers.setdefault(word, len(numbers) + 1) for word in words]
        return cls(codes)

    @classmethod
    def of_settings(cls, settings: Settings) -> Neighbourhood:
        """Compare settings one by one; a missing one is a value of its own."""
        codes = [np.unique(column, return_inverse=True)[1] for column in settings.values.T]
        return cls(np.stack(codes, axis=1), SettingColumns.of(settings).rows(settings))

    def of(self, architecture: int) -> NDArray[np.int64]:
        """Return the positions of all neighbours of one, ascending; may be empty."""
        found = [np.empty(0, np.int64)]
        for keys, order, ordered in zip(self._keys, self._order, self._sorted, strict=True):
            own = keys[architecture]
            start, end = (int(np.searchsorted(ordered, own, side)) for side in ("left", "right"))
            found.append(order[start:end])
        near = np.unique(np.concatenate(found))
        others: NDArray[np.int64] = near[near != architecture]
        if self._positions is not None and len(others) < _NEAREST:
            others = np.union1d(others, self._nearest(architecture))
        return others

    def _nearest(self, architecture: int) -> NDArray[np.int64]:
        assert self._positions is not None  # noqa: S101 - for the type checker
        away = ((self._positions - self._positions[architecture]) ** 2).sum(axis=1)
        away[architecture] = np.inf
        return np.argsort(away, kind="stable")[: min(_NEAREST, len(away) - 1)]


def _tokens(architectures: Sequence[str]) -> list[list[str]]:
    split = [_TOKEN.findall(text) for text in architectures]
    lengths: dict[int, set[int]] = {}
    for words in split:
        for place, word in enumerate(words):
            if word[0].isdigit():
                lengths.setdefault(place, set()).add(len(word))
    codes = {place for place, seen in lengths.items() if len(seen) == 1 and seen != {1}}
    if not codes:
        return split
    return [
        [
            part
            for place, word in enumerate(words)
            for part in (word if place in codes and word[0].isdigit() else (word,))
        ]
        for words in split
    ]


_KNOWN: dict[str, tuple[Space, Neighbourhood]] = {}


def neighbourhood_of(space: Space) -> Neighbourhood:
    """Return the neighbourhood of a space, computed once while that space is in use.

    Where nothing but settings tells architectures apart, these are compared, else the texts.
    """
    kept = _KNOWN.get(space.name)
    if kept is None or kept[0] is not space:
        settings = space.graphs.settings
        if settings is not None and space.graphs.only_settings:
            made = Neighbourhood.of_settings(settings[space.class_of])
        else:
            made = Neighbourhood.of_texts(space.architectures)
        kept = _KNOWN[space.name] = (space, made)
    return kept[1]
